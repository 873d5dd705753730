"""The real nbgrader takes our two folders as they are: solutions get full marks, what was just opened gets none."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from vmlab.study.exercise import EXERCISES, exercise

ROOT = Path(__file__).parents[1]
SOLUTIONS, EXERCISE_BOOKS = (sorted((ROOT / folder).glob("*.ipynb")) for folder in ("solutions", "exercises"))
CONFIG = """c = get_config()
c.CourseDirectory.course_id = "vmlab"
c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE"}
"""
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if name not in ("VMLAB_LEARNER", "JUPYTERHUB_USER", "VMLAB_SEED", "NBGRADER_EXECUTION")
}


def nbgrader(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run nbgrader's own command in a course's folder, with nothing of this user's settings."""
    state = {name: str(folder / "state") for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR", "HOME")}
    command = [sys.executable, "-m", "nbgrader", *words]
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))  # it calls `alembic` by name
    environment = CLEAN | state | {"VMLAB_PROGRESS": str(folder / "progress.json"), "PATH": path}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course whose one assignment is all of our exercises, released by nbgrader."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "nbgrader_config.py").write_text(CONFIG)
    (folder / "source" / "all").mkdir(parents=True)
    for book in SOLUTIONS:
        shutil.copy(book, folder / "source" / "all")
    done = nbgrader(folder, "generate_assignment", "all")
    assert 0 == done.returncode, done.stderr
    return folder


def scores(course: Path, student: str) -> dict[str, tuple[float, float]]:
    """Points and most points of each notebook that a student hands in, by `nbgrader autograde`."""
    folder = course.parent / f"course-{student}"
    shutil.copytree(course, folder)
    done = nbgrader(folder, "autograde", "all")
    assert 0 == done.returncode, done.stderr
    code = (
        "from nbgrader.api import Gradebook\nimport csv, sys\n"
        "with Gradebook('sqlite:///gradebook.db', 'vmlab') as book:\n"
        f"    for one in book.find_submission('all', {student!r}).notebooks:\n"
        "        csv.writer(sys.stdout).writerow((one.name, one.score, one.max_score, one.needs_manual_grade))\n"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True).stdout
    rows = list(csv.reader(told.splitlines()))
    assert {"False"} == {manual for *_, manual in rows}, "nothing waits for a person"
    return {name: (float(score), float(most)) for name, score, most, _ in rows}


def hand_in(course: Path, student: str, books: list[Path]) -> None:
    place = course / "submitted" / student / "all"
    place.mkdir(parents=True)
    for book in books:
        shutil.copy(book, place)


def test_there_is_a_notebook_of_each_kind_for_every_exercise() -> None:
    assert sorted(EXERCISES) == [book.name[:2] for book in SOLUTIONS] == [book.name[:2] for book in EXERCISE_BOOKS]


def test_nbgrader_releases_what_we_release(course: Path) -> None:
    for book in EXERCISE_BOOKS:
        theirs = nbformat.read(course / "release" / "all" / book.name, as_version=4)
        assert theirs.cells == nbformat.read(book, as_version=4).cells


def test_solutions_get_full_marks_and_blanks_get_none(course: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    places = {}
    for student, books in (("solved", SOLUTIONS), ("blank", EXERCISE_BOOKS)):
        places[student] = tmp_path_factory.mktemp(student) / "course"
        shutil.copytree(course, places[student])
        hand_in(places[student], student, books)
    with ThreadPoolExecutor(2) as pool:  # a course each: two graders never wait for one gradebook
        solved, blank = pool.map(lambda student: scores(places[student], student), ("solved", "blank"))
    wanted = {book.stem: float(exercise(book.name[:2]).points) for book in SOLUTIONS}
    assert {name: (points, points) for name, points in wanted.items()} == solved
    assert {name: (0.0, points) for name, points in wanted.items()} == blank


def test_validate_says_what_fails_in_our_words(tmp_path: Path) -> None:
    for books, name in ((SOLUTIONS, "solution.ipynb"), (EXERCISE_BOOKS, "blank.ipynb")):
        shutil.copy(next(book for book in books if book.name.startswith("05")), tmp_path / name)
    said = nbgrader(tmp_path, "validate", "solution.ipynb", "blank.ipynb").stdout
    assert "Success" in said
    assert said.index("Success") < said.index("VALIDATION FAILED ON 6 CELL(S)")
    assert "No answer yet: give walk a value" in said
    assert "Traceback" not in said


def test_no_solution_and_no_hidden_test_is_in_a_released_exercise() -> None:
    for book in EXERCISE_BOOKS:
        text = book.read_text()
        assert "SOLUTION" not in text
        assert "HIDDEN" not in text
        assert "mark(" not in text
        marks = [cell["metadata"].get("nbgrader", {}) for cell in json.loads(text)["cells"]]
        ids = [mark["grade_id"] for mark in marks if mark.get("grade")]
        wanted = exercise(book.name[:2])
        assert [f"{item.id.replace('.', '-')}-check" for item in wanted.items] == ids
        assert [item.points for item in wanted.items] == [mark["points"] for mark in marks if mark.get("grade")]
