"""Put words beside thin stretches of a bar so that neither words nor leader lines cross.

Row 0 is next to the bar. A label stands at the right or the left of its leader line, in the first row
that has room; one without room in any row is left out (the table of the drawing still has it).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from . import svg

ADVANCE = 6.7  # px a character takes at 12 px, measured with DejaVu Sans, rounded up
GAP = 7


class Label(NamedTuple):
    """`words` about the point `x`; a larger `weight` is placed first."""

    x: float
    words: str
    weight: float = 0


class Placed(NamedTuple):
    """A label with its row and its left edge; its leader line is at `x`."""

    x: float
    words: str
    row: int
    left: float


def place(labels: Iterable[Label], width: float, rows: int) -> list[Placed]:
    """Give each label a row and a left edge between 0 and `width`."""
    taken: list[list[tuple[float, float]]] = [[] for _ in range(rows)]
    placed = []
    for label in sorted(labels, key=lambda label: -label.weight):
        found = _room(label, width, taken)
        if found is not None:
            placed.append(found)
    return placed


def draw(placed: Iterable[Placed], bar_y: float, row_height: int, upwards: bool) -> list[str]:
    """Words and leader lines above (`upwards`) or below a bar whose edge is at `bar_y`."""
    parts = []
    for label in placed:
        away = 6 + label.row * row_height
        base = bar_y - away - 1 if upwards else bar_y + away + 10
        end = bar_y - away - 9 if upwards else base
        parts.append(svg.line(label.x, bar_y, label.x, end, 'stroke-width="1" stroke-opacity=".55"'))
        parts.append(svg.text(label.left, round(base, 1), label.words, more=svg.HALO))
    return parts


def _room(label: Label, width: float, taken: list[list[tuple[float, float]]]) -> Placed | None:
    long = len(label.words) * ADVANCE
    for row, intervals in enumerate(taken):
        for left in (label.x + 4, label.x - 4 - long):
            fits = 0 <= left and left + long <= width
            if fits and _clear(intervals, left, left + long) and _leader_clear(taken[:row], label.x):
                intervals.append((left, left + long))
                for lower in taken[: row + 1]:
                    lower.append((label.x - 2, label.x + 2))
                return Placed(label.x, label.words, row, left)
    return None


def _clear(intervals: list[tuple[float, float]], low: float, high: float) -> bool:
    return all(high + GAP <= start or end + GAP / 2 <= low for start, end in intervals)


def _leader_clear(rows: list[list[tuple[float, float]]], x: float) -> bool:
    return all(x + 2 < start or end < x - 2 for intervals in rows for start, end in intervals)
