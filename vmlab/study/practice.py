"""Practice with an immediate check, hints in three rungs, and recall of what came before.

A wrong answer has to be changed before it is checked again, or another variant taken; there is no timer.
The rungs: a question, the step that matters, and a worked twin (another variant, worked out in full).
"""

from __future__ import annotations

from html import escape
from typing import Any

from ..units import VmlabError
from . import progress
from .answer_box import AnswerBox, button, html
from .arrived import on_click
from .predict import GREEN, GREY, ORANGE
from .question import Facts, Question
from .show import WIDE, Interactive, note, paragraph

TWIN = 1000  # number of the first variant that the last hint may work out


def practise(question: Question, variant: int = 0) -> Practice:
    """Ask, check, hint, and offer another variant."""
    return Practice(question, variant)


def recall(*questions: Question) -> Recall:
    """A few questions from memory: one answer each, then the answer with its reason."""
    return Recall(questions)


def hint(question: Question, rung: int, as_html: bool = False, facts: Facts | None = None) -> str:
    """Rung 0, 1 or 2 of the ladder; the twin differs from the variant of `facts`, which is being asked."""
    words = [*(question.hints or ())]
    if rung < len(words):
        return paragraph(words[rung]) if as_html else words[rung]
    if question.steps is None or rung > len(words):
        return ""
    other = _twin(question, question.asked(facts) if facts else "")
    twin, lead = question.steps(**other), f"A twin, worked out: {question.asked(other)}"
    return f"{paragraph(lead)}{twin.static_html()}" if as_html else f"{lead}\n{twin.static_text()}"


def _twin(question: Question, asked: str) -> Facts:
    """The facts of the first variant from TWIN on that asks something else."""
    variants = (question.variant(number=number) for number in range(TWIN, TWIN + 100))
    found = next((facts for facts in variants if question.asked(facts) != asked), None)
    if found is None:
        raise VmlabError(f"hint: expected question {question.id} to have a second variant, found one; give it more")
    return found


class Practice(Interactive):
    """One question, as many variants as wanted."""

    def __init__(self, question: Question, variant: int = 0) -> None:
        self.question, self.number = question, variant
        self.facts: Facts = question.variant(progress.learner(), variant)

    def build(self) -> Any:
        """Make the widget."""
        import ipywidgets

        place = ipywidgets.VBox()
        self._show_in(place)
        return place

    def _show_in(self, place: Any) -> None:
        import ipywidgets

        box, said, hinted = AnswerBox(self.question, self.facts, "Your answer"), html(), html()
        press, help_me, another = button("Check"), button("Hint"), button("Another variant")
        on_click(press, _Checker(self, box, said))
        help_me.on_click(_Hinter(self.question, self.facts, hinted))

        def renew(_: Any) -> None:
            self.number += 1
            self.facts = self.question.variant(progress.learner(), self.number)
            self._show_in(place)

        another.on_click(renew)
        buttons = ipywidgets.HBox([press, *([help_me] if self.question.hints else []), another])
        place.children = [html(self._asked()), box.control, buttons, said, hinted]

    def _asked(self) -> str:
        asked = paragraph(self.question.asked(self.facts))
        if not self.question.blank or self.question.steps is None:
            return asked
        return asked + self.question.steps(**self.facts).without(self.question.blank).static_html()

    def static_html(self) -> str:
        """What an exported notebook shows."""
        how = "Without widgets, check with check(&lt;the question&gt;, &lt;your answer&gt;)."
        options = "".join(
            f"<li>{key}: {escape(words)}</li>" for key, words in self.question.options(self.facts).items()
        )
        return f'{self._asked()}<ul style="{WIDE}">{options}</ul><p>{how}</p>'

    def static_text(self) -> str:
        """What a terminal shows."""
        lines = [self.question.asked(self.facts)]
        if self.question.blank and self.question.steps is not None:
            lines.append(self.question.steps(**self.facts).without(self.question.blank).static_text())
        lines += [f"  {key}: {words}" for key, words in self.question.options(self.facts).items()]
        return "\n".join([*lines, "Check with check(<the question>, <your answer>)."])


class _Checker:
    """What the Check button does."""

    def __init__(self, asked: Practice, box: AnswerBox, said: Any) -> None:
        self.asked, self.box, self.said = asked, box, said
        self.last: Any = None

    def __call__(self) -> None:
        try:
            given = self.box.given()
        except VmlabError as bad:
            self.said.value = note(str(bad), ORANGE)
            return
        if given == self.last:
            self.said.value = note("That is the answer you had. Change it, or take another variant.", GREY)
            return
        self.last = given
        feedback = self.asked.question.check(given, self.asked.facts)
        right = feedback.kind == "right"
        why = f"\n{self.asked.question.reason(self.asked.facts)}" if right else ""
        self.said.value = note(feedback.text + why, GREEN if right else ORANGE)
        progress.remember(self.asked.question.id, last=given, variant=self.asked.number, kind=feedback.kind)


class _Hinter:
    """What the Hint button does: one rung more each time."""

    def __init__(self, question: Question, facts: Facts, place: Any) -> None:
        self.question, self.facts, self.place, self.rung = question, facts, place, 0

    def __call__(self, _: Any) -> None:
        more = hint(self.question, self.rung, as_html=True, facts=self.facts)
        if more:
            self.place.value += more
            self.rung += 1


class Recall(Interactive):
    """Questions from memory; each shows its answer with the reason once one is committed."""

    def __init__(self, questions: tuple[Question, ...]) -> None:
        self.questions = questions

    def build(self) -> Any:
        """Make the widget."""
        import ipywidgets

        return ipywidgets.VBox([self._one(number, q) for number, q in enumerate(self.questions, 1)])

    def _one(self, number: int, question: Question) -> Any:
        import ipywidgets

        facts = question.variant(progress.learner())
        box, press, said = AnswerBox(question, facts, "Your answer"), button("Answer"), html()

        def answer() -> None:
            try:
                given = box.given()
            except VmlabError as bad:
                said.value = note(str(bad), ORANGE)
                return
            feedback = question.check(given, facts)
            colour = GREEN if feedback.kind == "right" else ORANGE
            said.value = note(f"{feedback.text}\n{question.reason(facts)}", colour)
            box.lock(given)
            press.disabled = True
            progress.remember(question.id, given=given, kind=feedback.kind)

        on_click(press, answer)
        return ipywidgets.VBox([html(paragraph(f"{number}. {question.asked(facts)}")), box.control, press, said])

    def static_html(self) -> str:
        """What an exported notebook shows."""
        parts = []
        for number, question in enumerate(self.questions, 1):
            facts = question.variant(progress.learner())
            options = "".join(f"<li>{escape(words)}</li>" for words in question.options(facts).values())
            fold = f"<details><summary>Answer, then open</summary>{paragraph(question.reason(facts))}</details>"
            asked = paragraph(f"{number}. {question.asked(facts)}")
            parts.append(f'{asked}<ul style="{WIDE}">{options}</ul>{fold}')
        return "".join(parts)

    def static_text(self) -> str:
        """What a terminal shows."""
        return "\n".join(f"{n}. {q.asked(q.variant())}" for n, q in enumerate(self.questions, 1))
