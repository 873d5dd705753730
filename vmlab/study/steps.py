"""A calculation as named steps, shown in full or with one step left blank.

The names of the steps stay the same from the worked example to the last exercise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

HEAD = ("step", "what is done", "with these numbers", "gives")


class Step(NamedTuple):
    """One step: its constant `name`, what is done in words, the arithmetic, and the result."""

    name: str
    what: str
    how: str
    gives: str


@dataclass(frozen=True)
class Steps:
    """The steps in order."""

    steps: tuple[Step, ...]

    @classmethod
    def of(cls, steps: Iterable[Step]) -> Steps:
        """Steps from any iterable."""
        return cls(tuple(steps))

    def without(self, name: str) -> Steps:
        """The same with step `name` left open, and everything after it left out."""
        kept: list[Step] = []
        for step in self.steps:
            if step.name == name:
                return Steps((*kept, step._replace(how="?", gives="?")))
            kept.append(step)
        return self

    def static_html(self) -> str:
        """A table with one row a step."""
        cell = '<td style="text-align:left;line-height:1.45;padding:.1em .9em .1em 0">{}</td>'
        head = "".join(
            f'<th scope="col" style="text-align:left;line-height:1.45;padding:.1em .9em .1em 0">{name}</th>'
            for name in HEAD
        )
        rows = "".join(f"<tr>{''.join(cell.format(escape(x)) for x in step)}</tr>" for step in self.steps)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

    def static_text(self) -> str:
        """One line a step."""
        return "\n".join(f"{s.name}: {s.what}: {s.how} = {s.gives}" for s in self.steps)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.static_html(), "text/plain": self.static_text()}
