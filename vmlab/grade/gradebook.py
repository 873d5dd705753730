"""Scores into an nbgrader gradebook, for a course that keeps its marks there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..study.exercise import exercise
from ..units import VmlabError
from .results import Results


def write(results: Results, path: Path) -> int:
    """Every graded submission into the gradebook at `path` (made if missing); how many there were."""
    try:
        from nbgrader.api import Gradebook
    except ImportError:
        raise VmlabError("--nbgrader-gradebook needs nbgrader: pip install nbgrader") from None
    count = 0
    with _own_programs(), Gradebook(f"sqlite:///{path.resolve()}") as book:
        for learner, lesson, _, _, _ in results.submissions():
            if not lesson:
                continue
            _define(book, lesson)
            book.update_or_create_student(learner)
            book.update_or_create_submission(lesson, learner)
            for row in results.rows(learner, lesson):
                grade = book.find_grade(row.item, lesson, lesson, learner)
                grade.auto_score, grade.manual_score, grade.needs_manual_grade = row.got, None, False
            book.db.commit()
            count += 1
    return count


@contextmanager
def _own_programs() -> Iterator[None]:
    """Python's own folder of programs on the PATH: to make a gradebook, nbgrader starts `alembic` by its bare name."""
    old = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{old}"
    try:
        yield
    finally:
        os.environ["PATH"] = old


def _define(book: object, lesson: str) -> None:
    """The assignment with one notebook, and a graded cell for each item."""
    book.update_or_create_assignment(lesson)  # type: ignore[attr-defined]
    book.update_or_create_notebook(lesson, lesson)  # type: ignore[attr-defined]
    for item in exercise(lesson).items:
        book.update_or_create_grade_cell(  # type: ignore[attr-defined]
            item.id, lesson, lesson, max_score=item.points, cell_type="code"
        )
