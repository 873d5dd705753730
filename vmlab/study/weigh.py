"""A scenario with a trade-off and no single number: choose in writing first, then weigh the ways."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from . import progress
from .answer_box import button, html
from .arrived import on_click
from .show import Interactive, note, paragraph

COLUMNS = ("way", "what you get", "what it costs")


@dataclass(frozen=True)
class Scenario:
    """What has to be decided, and the ways: (way, what you get, what it costs)."""

    id: str
    ask: str
    ways: tuple[tuple[str, str, str], ...]

    def static_html(self) -> str:
        """The ways as a table."""
        cell = '<td style="text-align:left;vertical-align:top;line-height:1.35;padding:.3em .9em .3em 0">{}</td>'
        head = "".join(
            f'<th scope="col" style="text-align:left;padding:.1em .9em .1em 0">{name}</th>' for name in COLUMNS
        )
        body = "".join(f"<tr>{''.join(cell.format(escape(word)) for word in way)}</tr>" for way in self.ways)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def weigh(scenario: Scenario) -> Weigh:
    """Ask for a choice in writing; then show what speaks for and against each way."""
    return Weigh(scenario)


class Weigh(Interactive):
    """A place to write, and after that the ways to compare with."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def build(self) -> Any:
        """Make the widget."""
        import ipywidgets

        known = progress.recall_entry(self.scenario.id).get("sentence", "")
        words = ipywidgets.Textarea(value=known, rows=3, description="Your choice")
        words.style.description_width, words.layout.width = "9em", "46em"
        press, said = button("Compare"), html(self.scenario.static_html() if known else "")

        def compare() -> None:
            if not words.value.strip():
                said.value = note("Write what you would choose, and what it costs, in two sentences.", "#777777")
                return
            progress.remember(self.scenario.id, sentence=words.value)
            said.value = self.scenario.static_html()

        on_click(press, compare)
        return ipywidgets.VBox([html(paragraph(self.scenario.ask)), words, press, said])

    def static_html(self) -> str:
        """What an exported notebook shows."""
        fold = f"<details><summary>Choose in writing, then open</summary>{self.scenario.static_html()}</details>"
        return paragraph(self.scenario.ask) + fold

    def static_text(self) -> str:
        """What a terminal shows."""
        rows = [" | ".join(way) for way in (COLUMNS, *self.scenario.ways)]
        return "\n".join([self.scenario.ask, *rows])
