"""Claims to judge: one of four verdicts is right for the learner's facts, and the other three follow from beliefs.

Two of the verdicts are never right; the other two are, for other facts. Whoever takes the wrong one of these has seen
what the claim is about, and misjudged the case.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from .question import Facts, Misconception, Question, always
from .steps import Step, Steps


def claim(
    entry_id: str,
    ask: str,
    facts: Callable[[random.Random], Facts],
    verdicts: Mapping[str, str],
    answer: Callable[..., str],
    beliefs: Mapping[str, tuple[str, str]],
    because: str,
    look: tuple[str, str],
    misjudged: str,
) -> Question:
    """The question. `beliefs` are (belief, question back) by the verdict they lead to, never a right one.

    `misjudged` is the belief that leads to the verdict which other facts would make right; it is asked back with the
    first of `look`. `look` is what to look at, as a question, and how: format strings over the facts, for the hints.
    """

    one, other = (key for key in verdicts if key not in beliefs)

    def opposite(**facts: object) -> str:
        return other if answer(**facts) == one else one

    def steps(**facts: object) -> Steps:
        verdict = answer(**facts)
        return Steps.of((Step("look", look[0], look[1].format(**facts), verdicts[verdict]),))

    return Question(
        id=entry_id,
        ask=ask,
        facts=facts,
        choices=lambda **_: dict(verdicts),
        answer=answer,
        misconceptions=(
            *(Misconception(words, always(key), back) for key, (words, back) in beliefs.items()),
            Misconception(misjudged, opposite, look[0]),
        ),
        because=because,
        hints=(look[0], "look: put the numbers of the question beside each other, and say what each one counts."),
        steps=steps,
    )
