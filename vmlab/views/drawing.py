"""What every view returns: a figure, a sentence that says what it shows, and the same data as a table.

A `Drawing` shows itself as static HTML, so it needs neither widgets nor a running kernel: a notebook that
was exported, or a reader whose screen reader speaks, gets the sentence and the rows.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

FONT = "font-family:system-ui,'DejaVu Sans',sans-serif"


class Table:
    """Rows under named columns; every value is shown with `str`."""

    def __init__(self, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
        self.columns = tuple(columns)
        self.rows = tuple(tuple(row) for row in rows)

    def static_html(self) -> str:
        """A plain table with a header row, for a reader or a screen reader."""
        head = "".join(
            f'<th scope="col" style="text-align:left;line-height:1.45;padding:.1em .9em .1em 0">{escape(name)}</th>'
            if name
            else "<td></td>"
            for name in self.columns
        )
        body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def static_text(self) -> str:
        """The same in columns of characters, for a terminal."""
        rows = [self.columns, *([str(value) for value in row] for row in self.rows)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.columns))]
        lines = ["  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join(line.rstrip() for line in lines)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.static_html(), "text/plain": self.static_text()}


@dataclass(frozen=True)
class Drawing:
    """A figure (`svg` text, or `png` bytes of `png_width` CSS pixels), its `alt` sentence and its `table`."""

    alt: str
    table: Table
    svg: str = ""
    png: bytes = b""
    png_width: int = 0

    def figure_html(self) -> str:
        """Only the figure; `alt` is what a screen reader says in its place."""
        alt = escape(self.alt, quote=True)
        if self.svg:
            return f'<div role="img" aria-label="{alt}" style="overflow-x:auto">{self.svg}</div>'
        data = base64.b64encode(self.png).decode()
        return f'<img alt="{alt}" width="{self.png_width}" src="data:image/png;base64,{data}">'

    def static_html(self) -> str:
        """Figure, sentence and table, without widgets or scripts."""
        caption = (
            f'<figcaption style="{FONT};font-size:13px;line-height:1.45;max-width:70em">{escape(self.alt)}</figcaption>'
        )
        table = f"<details><summary>The same as a table</summary>{self.table.static_html()}</details>"
        return f'<figure style="margin:0">{self.figure_html()}{caption}{table}</figure>'

    def static_text(self) -> str:
        """Sentence and table as text."""
        return f"{self.alt}\n\n{self.table.static_text()}"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.static_html(), "text/plain": self.static_text()}


def _cell(value: object) -> str:
    align = "right" if isinstance(value, int) and not isinstance(value, bool) else "left"
    shown = f"{value:,}" if align == "right" else str(value)
    return f'<td style="text-align:{align};line-height:1.45;padding:.1em .9em .1em 0">{escape(shown)}</td>'
