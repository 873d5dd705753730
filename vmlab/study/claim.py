"""Claims to judge: one of four verdicts is right for the learner's facts, and two of the others follow from beliefs."""

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
) -> Question:
    """The question. `beliefs` are (belief, question back) by the verdict they lead to, never a right one.

    `look` is what to look at, as a question, and how: format strings over the facts, for the hints.
    """

    def steps(**facts: object) -> Steps:
        verdict = answer(**facts)
        return Steps.of((Step("look", look[0], look[1].format(**facts), verdicts[verdict]),))

    return Question(
        id=entry_id,
        ask=ask,
        facts=facts,
        choices=lambda **_: dict(verdicts),
        answer=answer,
        misconceptions=tuple(Misconception(words, always(key), back) for key, (words, back) in beliefs.items()),
        because=because,
        hints=(look[0], "look: put the numbers of the question beside each other, and say what each one counts."),
        steps=steps,
    )
