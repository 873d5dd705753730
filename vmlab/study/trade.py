"""Trade-offs that can be judged: four ways, four wishes, and each way gives up exactly one of them.

A learner is told three wishes, so one way is left. Whoever overlooks a wish takes the way that gives it up, and so
a wrong answer tells which one it was.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import NamedTuple

from .question import Facts, Misconception, Question
from .steps import Step, Steps

PLACES = ("first", "second", "third")


class Way(NamedTuple):
    """One way: what it is, which wish it gives up, and why."""

    words: str
    gives_up: str
    why: str


def trade_off(entry_id: str, ask: str, wishes: Mapping[str, str], ways: Mapping[str, Way]) -> Question:
    """The question: `ask` is followed by the three wishes, one a line."""
    keys = {way.gives_up: key for key, way in ways.items()}
    if sorted(keys) != sorted(wishes) or len(keys) != len(ways):
        raise ValueError(f"{entry_id}: expected each of the wishes {', '.join(wishes)} to be given up by one way")

    def facts(rng: random.Random) -> Facts:
        order = rng.sample(sorted(wishes), len(wishes))
        kept = order[1:]
        return {"dropped": order[0], "kept": kept, "wishes": "".join(f"\n· {wishes[name]}" for name in kept)}

    def steps(kept: list[str], **_: object) -> Steps:
        return Steps.of(
            Step(f"{place} wish", wishes[name], ways[keys[name]].why, f"not {keys[name]!r}")
            for place, name in zip(PLACES, kept, strict=True)
        )

    def overlooking(index: int) -> Misconception:
        place = PLACES[index]
        return Misconception(
            f"the {place} wish on the list does not matter",
            lambda kept, **_: keys[kept[index]],
            "What does the way you took cost: which of the wishes?",
        )

    return Question(
        id=entry_id,
        ask=ask + "{wishes}",
        facts=facts,
        choices=lambda **_: {key: way.words for key, way in ways.items()},
        answer=lambda dropped, **_: keys[dropped],
        misconceptions=tuple(map(overlooking, range(len(PLACES)))),
        because="each of the other three fails one of the wishes; this one gives up what nobody asked for.",
        hints=("Which one thing does each of the ways give up?", "Cross out, wish by wish, the way that fails it."),
        steps=steps,
    )
