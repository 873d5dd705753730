"""Which lesson needs which: boxes from left to right, an arrow from each lesson to those that build on it.

A box says in words how far its reader is. Lessons in one column do not need one another; where a lesson needs
several, it stands to the right of all of them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Protocol

from . import svg
from .drawing import Drawing, Table

WIDTH, HEIGHT = 164, 88  # px of a box
ACROSS, DOWN = 192, 102  # px from box to box
LETTERS = 20  # that fit in a line of a box


class Lesson(Protocol):
    """What the map has to know of a lesson."""

    @property
    def number(self) -> str:
        """Two digits."""

    @property
    def title(self) -> str:
        """Its name."""

    @property
    def question(self) -> str:
        """The question behind it."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Numbers of the lessons right before it."""

    @property
    def helps(self) -> tuple[str, ...]:
        """Numbers of those that are good to know."""


def lesson_map(lessons: Sequence[Lesson], kept: Mapping[str, int], to_do: str = "") -> Drawing:
    """The map; `kept` are answers by lesson's number, `to_do` is the number of the lesson to go on with."""
    places = _places(lessons)
    parts = [_arrow(places[need], places[lesson.number]) for lesson in lessons for need in lesson.needs]
    for lesson in lessons:
        parts += _box(lesson, places[lesson.number], _state(lesson, kept, to_do), lesson.number == to_do)
    width = ACROSS * max(column for column, _ in places.values()) + WIDTH + 4
    height = DOWN * max(row for _, row in places.values()) + HEIGHT + 4
    rows = [
        (x.number, x.title, x.question, ", ".join(x.needs), ", ".join(x.helps), _state(x, kept, to_do)) for x in lessons
    ]
    columns = ("", "lesson", "the question behind it", "needs", "good to know", "you")
    return Drawing(alt=_alt(lessons, kept, to_do), table=Table(columns, rows), svg=svg.picture(width, height, parts))


def _places(lessons: Sequence[Lesson]) -> dict[str, tuple[int, int]]:
    """Column and row of each lesson: a tree, in which the first child stands beside its parent."""
    columns: dict[str, int] = {}
    children: dict[str, list[str]] = {"": []}
    for lesson in lessons:
        parent = max(lesson.needs, key=lambda need: (columns[need], need), default="")
        columns[lesson.number] = columns[parent] + 1 if parent else 0
        children[lesson.number] = []
        children[parent].append(lesson.number)
    rows: dict[str, int] = {}

    def put(number: str, row: int) -> int:
        """Place one lesson and all below it; the first row that is free afterwards."""
        rows[number], after = row, row
        for child in children[number]:
            after = put(child, after)
        return max(after, row + 1)

    row = 0
    for number in children[""]:
        row = put(number, row)
    return {lesson.number: (columns[lesson.number], rows[lesson.number]) for lesson in lessons}


def _state(lesson: Lesson, kept: Mapping[str, int], to_do: str) -> str:
    count = kept.get(lesson.number, 0)
    if count:
        return f"begun: {count} answer{'s' * (count > 1)} kept"
    return "next" if lesson.number == to_do else "not begun"


def _box(lesson: Lesson, place: tuple[int, int], state: str, now: bool) -> list[str]:
    x, y = _corner(place)
    fill = "#d5eee5" if state.startswith("begun") else "#ffffff"
    parts = [svg.rect(x, y, WIDTH, HEIGHT, fill, more=f'stroke-width="{3 if now else 1}" rx="4"')]
    for number, words in enumerate(textwrap.wrap(f"{lesson.number} · {lesson.title}", LETTERS)):
        parts.append(svg.text(x + 10, y + 20 + 16 * number, words, more='font-weight="600"'))
    parts.append(svg.text(x + 10, y + HEIGHT - 10, f"▶ {state}" if now else state))
    return parts


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    """From the right edge of a box to the left edge of another."""
    (x1, y1), (x2, y2) = _corner(start), _corner(end)
    x1, y1, y2 = x1 + WIDTH, y1 + HEIGHT // 2, y2 + HEIGHT // 2
    bend = (x1 + x2) // 2
    curve = f"M{x1} {y1}C{bend} {y1} {bend} {y2} {x2 - 7} {y2}"
    head = f"M{x2 - 8} {y2 - 4}L{x2 - 1} {y2}L{x2 - 8} {y2 + 4}z"
    return f'<path d="{curve}" stroke="{svg.INK}" fill="none"/><path d="{head}" fill="{svg.INK}"/>'


def _corner(place: tuple[int, int]) -> tuple[int, int]:
    return 2 + place[0] * ACROSS, 2 + place[1] * DOWN


def _alt(lessons: Sequence[Lesson], kept: Mapping[str, int], to_do: str) -> str:
    first = " and ".join(lesson.number for lesson in lessons if not lesson.needs)
    begun = [lesson.number for lesson in lessons if kept.get(lesson.number)]
    after = "; ".join(f"{x.number} after {' and '.join(x.needs)}" for x in lessons if x.needs)
    you = f"You have begun {', '.join(begun)}." if begun else "You have begun none."
    return f"Lessons {first} need nothing before them; {after}. {you}{f' Next: {to_do}.' if to_do else ''}"
