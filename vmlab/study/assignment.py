"""One exercise source as two notebooks: with solutions (nbgrader's source version) and without (its release version).

`lessons/NN-topic.exercise.py` marks the cell of an answer with `item="05.walk"`, and one that nobody grades with
`text="05.own-512m"`. Points come from the exercise's table; behind each answer stands a cell that checks it and holds
nbgrader's hidden test. What a learner gets is made by nbgrader's own preprocessors, in the order of
`nbgrader generate_assignment` (0.9.6, nbgrader/converters/generate_assignment.py).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from ..units import VmlabError
from .exercise import exercise, name_of

STUB = "# YOUR CODE HERE"  # nbgrader's, without its `raise`: an exercise that was just opened runs from end to end
PREPROCESSORS = (
    "LockCells",
    "ClearSolutions",
    "ClearOutput",
    "CheckCellMetadata",
    "ComputeChecksums",
    "ClearHiddenTests",
    "ClearMarkScheme",
    "ComputeChecksums",
    "CheckCellMetadata",
)
CHECK = """check("{id}", {name})
### BEGIN HIDDEN TESTS
from vmlab.study.check import mark

mark("{id}", {name})
### END HIDDEN TESTS"""


def with_solutions(cells: list[Any], stem: str) -> list[Any]:
    """The cells of a source, each answer followed by the cell that checks it; ids and nbgrader's marks set."""
    lesson = stem[:2]
    points = {item.id: item.points for item in exercise(lesson).items}
    found = [cell["metadata"]["item"] for cell in cells if "item" in cell["metadata"]]
    if found != list(points):
        raise VmlabError(f"{stem}.py: expected the items {', '.join(points)} in this order, got {', '.join(found)}")
    return list(_cells(cells, points, lesson))


def without_solutions(book: Any) -> Any:
    """The notebook that a learner gets, from the one with solutions."""
    preprocessors = _nbgrader()
    released, resources = copy.deepcopy(book), dict[str, Any]()
    for name in PREPROCESSORS:
        step = getattr(preprocessors, name)()
        if name == "ClearSolutions":
            step.code_stub = {"python": STUB}
        released, resources = step.preprocess(released, resources)
    return released


def _cells(cells: list[Any], points: Mapping[str, int], lesson: str) -> Iterator[Any]:
    for number, cell in enumerate(cells, 1):
        entry_id = cell["metadata"].get("item") or cell["metadata"].get("text")
        cell["metadata"], cell["id"] = {}, f"{lesson}-exercise-{number:02}"
        yield cell
        if entry_id is None:
            continue
        grade_id = entry_id.replace(".", "-")
        cell["metadata"] = _marks(grade_id, solution=True)
        test = copy.deepcopy(cell)
        test["id"] += "-check"
        code = CHECK if entry_id in points else CHECK.partition("\n")[0]
        test["source"] = code.format(id=entry_id, name=name_of(entry_id))
        test["metadata"] = {}
        if entry_id in points:
            test["metadata"] = _marks(f"{grade_id}-check", grade=True, locked=True, points=points[entry_id])
        yield test


def _marks(grade_id: str, *, grade: bool = False, solution: bool = False, locked: bool = False, points: int = 0) -> Any:
    """nbgrader's metadata of one cell, schema version 3."""
    marks = {
        "cell_type": "code",
        "grade": grade,
        "grade_id": grade_id,
        "locked": locked,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    return {"nbgrader": marks | ({"points": points} if grade else {})}


def _nbgrader() -> Any:
    try:
        import nbgrader.preprocessors
    except ImportError:
        raise VmlabError("release: exercises are built with nbgrader, which is missing: pip install nbgrader") from None
    return nbgrader.preprocessors
