"""Commit an answer, then see the result beside it.

`predict(question)` asks and stores; `reveal(question, show)` stays shut until there is an answer, then
shows prediction and result side by side, the belief behind a wrong one, the picture, and asks for one
sentence. As a plain call: `predict(question, answer)`. An exported notebook has the result under a fold.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from html import escape
from typing import Any

from ..units import VmlabError
from . import progress
from .answer_box import AnswerBox, button, html
from .arrived import on_click
from .question import Facts, Question
from .show import WIDE, Interactive, html_of, note, paragraph, text_of, widgets_there

GREEN, ORANGE, GREY = "#009e73", "#d55e00", "#777777"
_waiting: dict[str, deque[Reveal]] = {}  # of each question the last few: a cell may be run again


def predict(question: Question, given: Any = None) -> Prediction:
    """Ask for a prediction; with `given`, commit it at once (for use without widgets)."""
    asked = Prediction(question)
    if given is not None:
        asked.commit(given)
    return asked


def reveal(question: Question, show: Callable[[], Any] | None = None) -> Reveal:
    """The result of a question, once a prediction is committed; `show` returns the picture that goes with it."""
    shown = Reveal(question, show)
    _waiting.setdefault(question.id, deque(maxlen=4)).append(shown)
    return shown


class Prediction(Interactive):
    """One question that takes one answer."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.facts: Facts = question.variant()

    def commit(self, given: Any) -> None:
        """Store an answer for good, and open what waits for it. The first one counts."""
        if committed(self.question) is None:
            progress.remember(self.question.id, given=self.question.parse(given, self.facts))
        for shown in _waiting.get(self.question.id, ()):
            shown.open()

    def build(self) -> Any:
        """Make the widget."""
        import ipywidgets

        box, press, said = AnswerBox(self.question, self.facts, "Your prediction"), button("Commit"), html()

        def commit() -> None:
            try:
                self.commit(box.given())
            except VmlabError as bad:
                said.value = note(str(bad), ORANGE)
            else:
                settle()

        def settle() -> None:
            box.lock(committed(self.question))
            press.disabled = True
            said.value = note("Committed. Go on to the result below.", GREY)

        on_click(press, commit)
        if committed(self.question) is not None:
            settle()
        ask = html(paragraph(self.question.asked(self.facts)))
        return ipywidgets.VBox([ask, box.control, press, said])

    def static_text(self) -> str:
        """What a terminal shows."""
        lines = [self.question.asked(self.facts)]
        lines += [f"  {key}: {words}" for key, words in self.question.options(self.facts).items()]
        given = committed(self.question)
        how = "Without widgets, commit with predict(<the question>, <your answer>)."
        return "\n".join([*lines, how if given is None else f"Committed: {self.question.said(given, self.facts)}"])


class Reveal(Interactive):
    """The result of one question: shut, then open."""

    def __init__(self, question: Question, show: Callable[[], Any] | None) -> None:
        self.question, self.show = question, show
        self.facts = question.variant()
        self._body: Any = None

    def open(self) -> None:
        """Show the result in the place where the locked message stood."""
        if self._body is not None:
            self._body.children = self._opened()

    def build(self) -> Any:
        """Make the widget."""
        import ipywidgets

        self._body = ipywidgets.VBox(self._opened() if committed(self.question) is not None else [self._shut()])
        return self._body

    def _shut(self) -> Any:
        return html(note("Shut until you commit a prediction above: what you expect is what makes it stick.", GREY))

    def _opened(self) -> list[Any]:
        import ipywidgets

        shown = [html(self._beside())]
        if self.show is not None:
            shown.append(html(html_of(self.show())))
        known = progress.recall_entry(self.question.id).get("sentence", "")
        label = "What did you see, and why is it so? One sentence."
        sentence = ipywidgets.Textarea(value=known, rows=2, description="In one sentence")
        sentence.style.description_width = "9em"
        sentence.layout = ipywidgets.Layout(width="46em")
        keep, said = button("Keep my sentence"), html()

        def keep_it() -> None:
            progress.remember(self.question.id, sentence=sentence.value)
            said.value = note("Kept." if sentence.value.strip() else "Write a sentence first.", GREY)

        on_click(keep, keep_it)
        return [*shown, html(paragraph(label)), sentence, keep, said]

    def _beside(self) -> str:
        """Prediction and result in two columns, and what the difference says."""
        given = committed(self.question)
        rows = (("You predicted", self.question.said(given, self.facts)), ("The model says", self._answer()))
        cells = "".join(
            f'<tr><th scope="row" style="text-align:left">{name}</th>'
            f'<td style="text-align:left">{escape(words)}</td></tr>'
            for name, words in rows
        )
        feedback = self.question.check(given, self.facts)
        colour = GREEN if feedback.kind == "right" else ORANGE
        why = self.question.because.format(answer=self.question.answer(**self.facts), **self.facts)
        said = note("\n".join(filter(None, (feedback.text, why and f"Why: {why}"))), colour)
        return f'<div style="{WIDE}"><table>{cells}</table></div>{said}'

    def _answer(self) -> str:
        return self.question.said(self.question.answer(**self.facts), self.facts)

    def static_html(self) -> str:
        """What an exported notebook shows."""
        inside = html_of(self.show()) if self.show is not None else ""
        why = paragraph(self.question.reason(self.facts))
        return f"<details><summary>Write down your prediction, then open</summary>{why}{inside}</details>"

    def static_text(self) -> str:
        """What a terminal shows."""
        given = committed(self.question)
        if given is None and not widgets_there():
            return "Shut until you commit a prediction: predict(<the question>, <your answer>)."
        lines = [f"You predicted: {self.question.said(given, self.facts)}"] if given is not None else []
        lines += [f"The model says: {self.question.reason(self.facts)}"]
        lines += [str(self.question.check(given, self.facts))] if given is not None else []
        if self.show is not None:
            lines.append(text_of(self.show()))
        return "\n".join([*lines, "What did you see, and why is it so? Write one sentence."])


def committed(question: Question) -> Any:
    """The stored answer, or None; one that no longer fits the question counts as none."""
    given = progress.recall_entry(question.id).get("given")
    try:
        return None if given is None else question.parse(given, question.variant())
    except VmlabError:
        return None
