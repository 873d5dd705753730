"""An exercise: questions and code tasks in order, and what each is worth.

Every item's answer has a name in the notebook: a question's is a variable (`05.first-frame` is answered in
`first_frame`), a task's is the function to write. Whoever judges a notebook runs its cells and asks for these names; no
cell's metadata decides anything. Questions are asked with facts drawn for the learner, and `given` holds what
the learner is told of them.
"""

from __future__ import annotations

import keyword
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..units import VmlabError
from . import bank
from .plain import Plain
from .question import Facts, Question
from .task import Task


class Item(NamedTuple):
    """One thing that is judged: its id and its points."""

    id: str
    points: int

    @property
    def entry(self) -> Question | Task:
        """What is asked."""
        entry = bank.find(self.id)
        if not isinstance(entry, Question | Task):
            raise VmlabError(f"exercise: {self.id} is a scenario, which no program can judge; give it no points")
        return entry

    @property
    def name(self) -> str:
        """Name in the notebook: of a variable for a question, of a function for a task."""
        return name_of(self.id)


@dataclass(frozen=True)
class Exercise:
    """The exercise notebook of one lesson."""

    lesson: str
    items: tuple[Item, ...]

    @property
    def points(self) -> int:
        """What all items together are worth."""
        return sum(item.points for item in self.items)

    def questions(self) -> Iterator[tuple[Item, Question]]:
        """The items that are answered with a value."""
        for item in self.items:
            if isinstance(entry := item.entry, Question):
                yield item, entry

    def tasks(self) -> Iterator[tuple[Item, Task]]:
        """The items that are answered with a function."""
        for item in self.items:
            if isinstance(entry := item.entry, Task):
                yield item, entry

    def given(self, learner: str) -> dict[str, dict[str, Plain]]:
        """For each question what this learner is told: numbers and words by name. No answers are in it."""
        return {item.id: told(question, question.variant(learner)) for item, question in self.questions()}


def name_of(entry_id: str) -> str:
    """The name under which an answer is looked for.

    >>> name_of("05.first-frame"), name_of("05.frames_of")
    ('first_frame', 'frames_of')
    """
    name = entry_id.partition(".")[2].replace("-", "_").replace(".", "_")
    if not name.isidentifier() or keyword.iskeyword(name):
        raise VmlabError(f"id: expected letters, digits, dots and hyphens after the lesson, got {entry_id!r}")
    return name


def told(question: Question, facts: Facts) -> dict[str, Plain]:
    """The facts that stand in the question's words, by name."""
    fields = {
        field.partition(".")[0].partition("[")[0] for _, field, _, _ in string.Formatter().parse(question.ask) if field
    }
    return {name: facts[name] for name in sorted(fields) if isinstance(facts[name], int | str)}


def exercise(lesson: str) -> Exercise:
    """The exercise of a lesson: "05"."""
    if lesson not in EXERCISES:
        raise VmlabError(f"exercise: expected one of the lessons {', '.join(EXERCISES)}, got {lesson!r}")
    return Exercise(lesson, tuple(Item(f"{lesson}.{name}", points) for name, points in EXERCISES[lesson].items()))


# --- the exercises: names in order, and points ---

EXERCISES: dict[str, dict[str, int]] = {
    "01": {"walk": 2, "walk_tables": 5, "read": 2, "shared": 4, "judge": 2, "way": 2},
    "02": {"walk": 2, "split": 4, "count": 2, "canonical": 4, "claim": 2, "way": 2},
    "03": {"walks": 2, "misses": 5, "read": 2, "tagged": 4, "claim": 2, "way": 2},
    "04": {"walk": 2, "find": 5, "read": 2, "protection": 4, "claim": 2, "way": 2},
    "05": {"walk": 2, "frames_of": 5, "read": 2, "usable": 4, "claim": 2, "way": 2},
    "06": {"walk": 2, "give_back": 5, "read": 2, "split_block": 4, "claim": 2, "way": 2},
    "07": {"walk": 2, "lost": 2, "taken": 4, "place": 5, "claim": 2, "way": 2},
    "08": {"walk": 2, "slots_of": 4, "read": 2, "take": 5, "claim": 2, "way": 2},
    "09": {"walk": 2, "leads_to": 5, "read": 2, "ranges": 4, "claim": 2, "way": 2},
    "10": {"walk": 2, "users": 5, "read": 2, "fate": 4, "claim": 2, "way": 2},
    "11": {"walk": 2, "missed": 5, "read": 2, "second_chance": 4, "claim": 2, "way": 2},
    "12": {"walk": 2, "places": 4, "read": 2, "stale": 5, "claim": 2, "way": 2},
    "13": {"walk": 2, "ram_of": 4, "read": 2, "odd_one": 5, "claim": 2, "way": 2},
}
