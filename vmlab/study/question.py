"""Questions whose wrong answers are computed, not guessed.

A misconception is a function: given the same facts it returns the answer that a learner holding that
belief would give. Matching an answer against those functions is what lets feedback name the belief.
"""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..units import VmlabError, memparse
from .steps import Steps

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Misconception:
    """One wrong belief: in the learner's words, the answer it leads to, and a question back."""

    belief: str
    answer: Callable[..., Any]
    back: str


@dataclass(frozen=True)
class Feedback:
    """What a check says: `kind` is "right", "belief" (recognised) or "unknown"; `text` never gives the answer."""

    kind: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Question:
    """A question about facts that differ from learner to learner.

    `ask` and `because` are format strings over the facts. `answer` is a function of the facts: a number,
    or with `choices` (facts to {key: words}) one of the keys. `steps` works a variant out, step by step;
    `blank` is the step left open. `hints` are two: a question, and the step that matters.
    """

    id: str
    ask: str
    facts: Callable[[random.Random], Facts]
    answer: Callable[..., Any]
    misconceptions: tuple[Misconception, ...] = ()
    choices: Callable[..., dict[str, str]] | None = None
    because: str = ""
    hints: tuple[str, str] | None = None
    steps: Callable[..., Steps] | None = None
    blank: str = ""
    show: Callable[[int], str] = "{:,}".format

    def variant(self, learner: str = "", number: int = 0) -> Facts:
        """The facts that this learner sees; the same every time they ask, others for another `number`."""
        return self.facts(random.Random(f"{self.id}:{learner}:{number}"))

    def asked(self, facts: Facts) -> str:
        """The question in words."""
        return self.ask.format(**facts)

    def options(self, facts: Facts) -> dict[str, str]:
        """Keys and words of a choice; empty if the answer is a number."""
        return self.choices(**facts) if self.choices else {}

    def said(self, given: Any, facts: Facts) -> str:
        """An answer as it is shown to the learner."""
        return self.options(facts).get(given, "") if self.choices else self.show(given)

    def parse(self, given: Any, facts: Facts) -> Any:
        """What the learner typed, as an answer; refuses what is neither a number nor a choice."""
        if not self.choices:
            return number(given)
        options = self.options(facts)
        if not isinstance(given, str) or given not in options:
            raise VmlabError(f"answer: expected one of {', '.join(options)}, got {given!r}")
        return given

    def check(self, given: Any, facts: Facts) -> Feedback:
        """Judge an answer by the model."""
        if given == self.answer(**facts):
            return Feedback("right", "Right.")
        for wrong in self.misconceptions:
            if given == wrong.answer(**facts):
                return Feedback("belief", f"That is what follows if {wrong.belief}. {wrong.back}")
        if name := self._halfway(given, facts):
            return Feedback("unknown", f"That is what step {name} gives. Which step comes after it?")
        return Feedback("unknown", "Not recognised: no belief known here gives that. Which step gave it to you?")

    def _halfway(self, given: Any, facts: Facts) -> str:
        """The step whose result was taken for the answer, or ""."""
        if self.choices or self.steps is None:
            return ""
        for step in self.steps(**facts).steps[:-1]:
            with contextlib.suppress(VmlabError):
                if given == number(step.gives.partition(" ")[0]):
                    return step.name
        return ""

    def reason(self, facts: Facts) -> str:
        """One line: the answer, and why."""
        answer = self.answer(**facts)
        return f"{self.said(answer, facts)}: {self.because.format(answer=answer, **facts)}".strip(": ")


def always(answer: Any) -> Callable[..., Any]:
    """The answer of a belief that does not look at the facts."""
    return lambda **_: answer


def number(given: Any) -> int:
    """A number as people write it: 456441, 0x6f6f9, 0x6f6f_9000, 131,084, 9M.

    >>> number("0x6f6f_9000"), number("131,084"), number("-12")
    (1869582336, 131084, -12)
    """
    if isinstance(given, int):
        return int(given)
    wrong = VmlabError(f"answer: expected a number such as 2304, 0x6f6f9 or 9M, got {str(given)[:60]!r}")
    if len(str(given)) > 1000:  # no number of ours is so long, and Python refuses to read one of 4,301 digits
        raise wrong
    text = re.sub(r"[\s,_]", "", str(given)).replace("−", "-")
    text = re.sub(r"([kmg])i?b$", r"\1", text, flags=re.IGNORECASE)
    sign, text = (-1, text[1:]) if text.startswith("-") else (1, text)
    try:
        return sign * memparse(text)
    except VmlabError:
        raise wrong from None
