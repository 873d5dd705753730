"""Ask by id in an exercise: `given = ask("05.walk")` shows the question and gives its numbers by name.

The words and numbers are the learner's own variant. `hint("05.walk")` gives a rung more each time it is called:
a question, the step that matters, a worked twin.
"""

from __future__ import annotations

from html import escape
from types import SimpleNamespace
from typing import Any

from . import bank, practice, progress
from .exercise import name_of, told
from .question import Question
from .show import WIDE, paragraph, show
from .task import Task, drawn, tell_call, written
from .told import Told
from .weigh import Scenario

_rungs: dict[str, int] = {}


def ask(entry_id: str, variant: int = 0) -> SimpleNamespace:
    """Show a question, and return its numbers as attributes; another `variant` is for more practice."""
    entry = bank.find(entry_id)
    if not isinstance(entry, Question):
        raise Told(f"ask: {entry_id} is no question with an answer in numbers or words; its text says what to do")
    facts = entry.variant(progress.learner(), variant)
    show(Asked(entry, facts))
    return SimpleNamespace(**told(entry, facts))


def hint(entry_id: str, rung: int | None = None) -> Hint:
    """The next rung of an entry's ladder, or the one asked for: 0, 1 or 2."""
    entry = bank.find(entry_id)
    if isinstance(entry, Scenario):
        raise Told(f"hint: {entry_id} has no right answer that a hint could lead to")
    at = min(_rungs.get(entry_id, 0), 2) if rung is None else rung
    _rungs[entry_id] = at + 1
    if isinstance(entry, Task):
        return Hint(task_hint(entry, at))
    facts = entry.variant(progress.learner())
    return Hint(practice.hint(entry, at, facts=facts), practice.hint(entry, at, as_html=True, facts=facts))


def task_hint(task: Task, rung: int) -> str:
    """A rung of a code task's ladder; the last one is a small case with what the model says of it."""
    if rung < len(task.hints):
        return task.hints[rung]
    case = task.case(task.draw(drawn(task.id, "twin"), 0.3))
    lines = "\n".join(f"  {line}" for line in tell_call(task, case))
    return f"A case worked out:\n{lines}\nhas to return {written(case.expected)}."


class Hint:
    """One rung, as text and as HTML."""

    def __init__(self, text: str, html: str = "") -> None:
        self.text, self.html = text, html or paragraph(text)

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": self.html}


class Asked:
    """A question in words, its choices, and the steps with one left open if it has such."""

    def __init__(self, question: Question, facts: Any) -> None:
        self.question, self.facts = question, facts
        open_step = question.blank and question.steps is not None
        self.steps = question.steps(**facts).without(question.blank) if question.steps and open_step else None

    def __repr__(self) -> str:
        lines = [self.question.asked(self.facts)]
        lines += [self.steps.static_text()] if self.steps else []
        lines += [f"  {key!r}: {words}" for key, words in self.question.options(self.facts).items()]
        return "\n".join([*lines, self._how()])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        rows = "".join(
            f"<li><code>{escape(repr(key))}</code>: {escape(words)}</li>"
            for key, words in self.question.options(self.facts).items()
        )
        choices = f'<ul style="{WIDE}">{rows}</ul>' if rows else ""
        steps = self.steps.static_html() if self.steps else ""
        asked = paragraph(self.question.asked(self.facts))
        return {"text/html": f"{asked}{steps}{choices}{paragraph(self._how())}", "text/plain": repr(self)}

    def _how(self) -> str:
        names = ", ".join(f"given.{name}" for name in told(self.question, self.facts))
        numbers = f" What you were told is there as {names}." if names else ""
        return f"Your answer goes into the variable {name_of(self.question.id)}.{numbers}"
