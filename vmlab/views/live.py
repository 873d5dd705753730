"""A prediction against a real kernel: one row a zone or table, one square a value, and what was wrong in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..compare import shown
from ..live.lab import Verdict
from . import svg
from .drawing import Drawing, Table
from .ruler import MARGIN, WIDTH

LINE, TOP = 26, 52
SQUARE, STEP = 14, 17
FIRST, WORDS_AT = 140, 424
MOST_NAMED, MOST_LETTERS = 3, 62
RIGHT, WRONG, OPEN = "Normal", "Movable", "free"  # rows of svg.FILLS


def prediction(predicted: Mapping[str, Any], title: str) -> Drawing:
    """Every predicted value as an open square: nothing was asked of a kernel yet."""
    rows = [(what, value) for what, value in predicted.items() if value is not None]
    groups = _grouped((what, (what, value)) for what, value in rows)
    parts = _head(title, "White: predicted, not asked yet.")
    for number, (name, values) in enumerate(groups.items()):
        parts += _row(number, name, [OPEN] * len(values), _some(values))
    alt = f"{title}: {len(rows)} predicted values ({', '.join(groups)}), none of them asked of a kernel yet."
    table = Table(("value", "predicted"), [(what, shown(what, value)) for what, value in rows])
    return Drawing(alt, table, svg.picture(WIDTH, TOP + len(groups) * LINE + 4, parts))


def verdicts(found: Iterable[Verdict], title: str) -> Drawing:
    """Every predicted value as a square, crossed where the kernel said something else."""
    rows = list(found)
    groups = _grouped((row.what, row) for row in rows)
    parts = _head(title, "Plain: right. Crossed: the kernel said something else.")
    for number, (name, values) in enumerate(groups.items()):
        fills = [RIGHT if row.is_right else WRONG for row in values]
        parts += _row(number, name, fills, _apart(values))
    right = sum(row.is_right for row in rows)
    wrong = [row.what for row in rows if not row.is_right]
    named = f"; wrong: {', '.join(wrong)}" if wrong else ""
    alt = f"{title}: {right} of {len(rows)} predicted values are what the kernel said{named}."
    columns = ("value", "predicted", "the kernel", "", "not known before")
    return Drawing(alt, Table(columns, map(_told, rows)), svg.picture(WIDTH, TOP + len(groups) * LINE + 4, parts))


def _told(row: Verdict) -> tuple[str, ...]:
    words = "right" if row.is_right else "wrong"
    return row.what, shown(row.what, row.predicted), shown(row.what, row.real), words, row.reason or "-"


def _head(title: str, key: str) -> list[str]:
    return [
        svg.text(MARGIN, 16, title, more='font-weight="bold"'),
        svg.text(MARGIN, 38, f"One square a value. {key}"),
    ]


def _grouped(rows: Iterable[tuple[str, Any]]) -> dict[str, list[Any]]:
    """Values by what they belong to: a zone of a node, mem_map, the layout."""
    groups: dict[str, list[Any]] = {}
    for what, row in rows:
        words = what.split()
        groups.setdefault(" ".join(words[:3]) if words[0] == "node" else words[0], []).append(row)
    return groups


def _row(number: int, name: str, fills: list[str], words: str) -> list[str]:
    y = TOP + number * LINE
    parts = [svg.text(MARGIN, y + 12, name)]
    for place, fill in enumerate(fills):
        x = FIRST + place * STEP
        parts.append(svg.rect(x, y, SQUARE, SQUARE, fill))
        if fill == WRONG:
            parts += [svg.line(x, y, x + SQUARE, y + SQUARE), svg.line(x, y + SQUARE, x + SQUARE, y)]
    return [*parts, svg.text(WORDS_AT, y + 12, words)]


def _some(values: list[tuple[str, Any]]) -> str:
    """The first numbers of a group, in words, as many as have room."""
    words = ""
    for what, value in values:
        if isinstance(value, int):
            more = f"{words}, {_name(what)} {_short(what, value)}".removeprefix(", ")
            if len(more) > MOST_LETTERS:
                break
            words = more
    return words


def _name(what: str) -> str:
    """A value's name without its group's."""
    words = what.split()
    return " ".join(words[3:] if words[0] == "node" else words[1:])


def _short(what: str, value: int) -> str:
    in_hex = what.startswith(("layout", "mem_map address")) or what.endswith(("start_pfn", "first frame"))
    return shown(what, value) if in_hex else f"{value:,}"


def _apart(values: list[Verdict]) -> str:
    """How many are right, and by how much the first of the others are wrong."""
    wrong = [row for row in values if not row.is_right]
    named = ", ".join(f"{_name(row.what)}{_by(row)}" for row in wrong[:MOST_NAMED])
    more = f" and {len(wrong) - MOST_NAMED} more" if len(wrong) > MOST_NAMED else ""
    return f"{len(values) - len(wrong)} of {len(values)}" + (f"; the kernel's: {named}{more}" if wrong else "")


def _by(row: Verdict) -> str:
    if not isinstance(row.predicted, int) or not isinstance(row.real, int):
        return ""
    if "address" in row.what or row.what.startswith("layout"):  # a place elsewhere: the table has both
        return ""
    return f" {row.real - row.predicted:+,}".replace("-", "−")
