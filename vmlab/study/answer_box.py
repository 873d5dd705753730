"""The controls with which a learner answers: a field to type in, or a list to choose from."""

from __future__ import annotations

from typing import Any

from ..units import VmlabError
from .question import Facts, Question


class AnswerBox:
    """A labelled field or list, and what was put in it; keyboard alone suffices."""

    def __init__(self, question: Question, facts: Facts, label: str) -> None:
        import ipywidgets

        self.question, self.facts = question, facts
        self.control: Any
        options = question.options(facts)
        if options:
            rows = [(words, key) for key, words in options.items()]
            self.control = ipywidgets.RadioButtons(options=rows, value=None, description=label)
            self.control.layout = ipywidgets.Layout(width="max-content", max_width="100%")
        else:
            self.control = ipywidgets.Text(description=label, placeholder="a number, such as 2304 or 0x6f6f9")
            self.control.layout = ipywidgets.Layout(width="34em")
        self.control.style.description_width = "9em"

    def given(self) -> Any:
        """The answer, parsed; an error says what is missing."""
        if self.control.value in (None, ""):
            raise VmlabError("Choose one of the answers first." if self.question.choices else "Type an answer first.")
        return self.question.parse(self.control.value, self.facts)

    def lock(self, given: Any) -> None:
        """Show `given` and take no more."""
        self.control.value = given if self.question.choices else self.question.show(given)
        self.control.disabled = True


def button(words: str) -> Any:
    """A button as wide as its words."""
    import ipywidgets

    return ipywidgets.Button(description=words, layout=ipywidgets.Layout(width="max-content"))


def html(value: str = "") -> Any:
    """A place for text that changes in place; it takes no room while it is empty."""
    import ipywidgets

    return ipywidgets.HTML(value)
