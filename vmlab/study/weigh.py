"""A scenario with a trade-off and no single number: choose in writing first, then weigh what others weigh."""

from __future__ import annotations

from typing import Any

from . import progress
from .answer_box import button, html
from .show import Interactive, html_of, note, paragraph, text_of


class Weigh(Interactive):
    """`ask`, a place to write, and after that `against`: a table or anything that shows itself."""

    def __init__(self, name: str, ask: str, against: Any) -> None:
        self.name, self.ask, self.against = name, ask, against

    def build(self) -> Any:
        """Make the widget."""
        import ipywidgets

        known = progress.recall_entry(self.name).get("sentence", "")
        words = ipywidgets.Textarea(value=known, rows=3, description="Your choice")
        words.style.description_width, words.layout.width = "9em", "46em"
        press, said = button("Compare"), html(html_of(self.against) if known else "")

        def on_click(_: Any) -> None:
            if not words.value.strip():
                said.value = note("Write what you would choose, and what it costs, in two sentences.", "#777777")
                return
            progress.remember(self.name, sentence=words.value)
            said.value = html_of(self.against)

        press.on_click(on_click)
        return ipywidgets.VBox([html(paragraph(self.ask)), words, press, said])

    def static_html(self) -> str:
        """What an exported notebook shows."""
        fold = f"<details><summary>Choose in writing, then open</summary>{html_of(self.against)}</details>"
        return paragraph(self.ask) + fold

    def static_text(self) -> str:
        """What a terminal shows."""
        return f"{self.ask}\n\n{text_of(self.against)}"


def weigh(name: str, ask: str, against: Any) -> Weigh:
    """Ask for a choice in writing; then show what speaks for and against each."""
    return Weigh(name, ask, against)
