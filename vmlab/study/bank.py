"""Everything that can be asked, by id: "05.where" is lesson 05's question `where`, "05.frames_of" a code task.

A lesson's questions lie in the files of `questions/` that begin with its topic, its task in the file of
`tasks/` of that name. Only the files of the lesson that is asked for are imported.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil

from ..units import VmlabError
from . import questions, tasks
from .lessons import LESSONS, START
from .question import Question
from .task import Task
from .told import Told
from .weigh import Scenario

Entry = Question | Task | Scenario

TOPICS = {lesson.number: lesson.topic for lesson in (START, *LESSONS)}


def find(entry_id: str) -> Entry:
    """The question, task or scenario of an id; VmlabError names one that is spelled like it."""
    lesson = str(entry_id).partition(".")[0]
    if lesson not in TOPICS:
        raise Told(f"id: expected one such as '05.where', of the lessons {', '.join(TOPICS)}; got {entry_id!r}")
    entries = of_lesson(lesson)
    if entry_id in entries:
        return entries[entry_id]
    near = difflib.get_close_matches(str(entry_id), entries, n=1, cutoff=0.4)
    raise Told(f"id: lesson {lesson} asks nothing called {entry_id!r}; did you mean {near or sorted(entries)}?")


@functools.cache
def of_lesson(lesson: str) -> dict[str, Entry]:
    """All that one lesson and its exercises ask, in the order of the files."""
    found: dict[str, Entry] = {}
    for name in modules(lesson):
        for value in vars(importlib.import_module(name)).values():
            mine = isinstance(value, Entry) and value.id.startswith(f"{lesson}.")
            if mine and found.setdefault(value.id, value) is not value:
                raise VmlabError(f"id: {value.id} is the name of two entries, one of them in {name}; rename one")
    return found


def modules(lesson: str) -> list[str]:
    """Full names of the files in which a lesson's questions and tasks are."""
    topic = TOPICS[lesson]
    longer = [other for other in TOPICS.values() if other.startswith(f"{topic}_")]
    names = []
    for package in (questions, tasks):
        for found in pkgutil.iter_modules(package.__path__):
            mine = found.name == topic or found.name.startswith(f"{topic}_")
            if mine and not any(found.name.startswith(other) for other in longer):
                names.append(f"{package.__name__}.{found.name}")
    return names
