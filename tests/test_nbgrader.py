"""The real nbgrader takes our two folders as they are: solutions get full marks, what was just opened gets none.

All its commands run in one process, and its kernels are forks of one that has imported the model (`warm_kernel.py`):
what is left of the time is the notebooks' own. Only `validate` starts kernels as a user's nbgrader does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from vmlab.study.exercise import EXERCISES, exercise

ROOT = Path(__file__).parents[1]
SOLUTIONS, EXERCISE_BOOKS = (sorted((ROOT / folder).glob("*.ipynb")) for folder in ("solutions", "exercises"))
CONFIG = """c = get_config()
c.CourseDirectory.course_id = "vmlab"
c.Execute.timeout = 600
c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE"}
"""
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if name not in ("VMLAB_LEARNER", "JUPYTERHUB_USER", "VMLAB_SEED", "NBGRADER_EXECUTION", "JUPYTER_PATH")
}
RUN = """
import json, os, sys
from nbgrader.apps.nbgraderapp import NbGraderApp

done, jupyter_path = [], os.environ["JUPYTER_PATH"]
for words in json.load(sys.stdin):
    os.environ["JUPYTER_PATH"] = "" if words[0] == "validate" else jupyter_path
    status, app = 0, NbGraderApp.instance()
    try:
        NbGraderApp.launch_instance(words)
    except SystemExit as end:
        status = end.code or 0
    for each in (app.subapp, app):
        each.clear_instance()
    done.append(status)

from nbgrader.api import Gradebook

with Gradebook("sqlite:///gradebook.db", "vmlab") as book:
    rows = [
        [one.student.id, two.name, two.score, two.max_score, two.needs_manual_grade]
        for one in book.assignment_submissions("all") for two in one.notebooks
    ]
json.dump({"done": done, "rows": rows}, open("told.json", "w"))
"""
COMMANDS = (("generate_assignment", "all"), ("autograde", "all"), ("validate", "solution.ipynb", "blank.ipynb"))


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for JUPYTER_PATH whose python3 is forked from a warm process."""
    folder = tmp_path_factory.mktemp("warm")
    program, socket = str(Path(__file__).with_name("warm_kernel.py")), str(folder / "socket")
    spec = {"argv": [sys.executable, "-S", program, socket, "{connection_file}"], "language": "python"}
    place = folder / "kernels" / "python3"
    place.mkdir(parents=True)
    (place / "kernel.json").write_text(json.dumps(spec | {"display_name": "Python 3"}))
    with subprocess.Popen([sys.executable, program, socket], env=CLEAN | {"OPENBLAS_NUM_THREADS": "1"}) as server:
        while server.poll() is None and not Path(socket).exists():
            time.sleep(0.05)
        yield folder
        server.kill()


@pytest.fixture(scope="module")
def course(warm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course whose one assignment is all of our exercises; two students hand in solutions, and what they opened."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "nbgrader_config.py").write_text(CONFIG)
    places = (("source", SOLUTIONS), ("submitted/solved", SOLUTIONS), ("submitted/blank", EXERCISE_BOOKS))
    for name, books in places:
        (folder / name / "all").mkdir(parents=True)
        for book in books:
            shutil.copy(book, folder / name / "all")
    for name, books in (("solution.ipynb", SOLUTIONS), ("blank.ipynb", EXERCISE_BOOKS)):
        shutil.copy(next(book for book in books if book.name.startswith("05")), folder / name)
    return folder


@pytest.fixture(scope="module")
def told(course: Path, warm: Path) -> dict[str, Any]:
    """What nbgrader said to each command, and its gradebook, with nothing of this user's settings."""
    state = {name: str(course / "state") for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR", "HOME")}
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))  # it calls `alembic` by name
    own = {"VMLAB_PROGRESS": str(course / "progress.json"), "PATH": path, "JUPYTER_PATH": str(warm)}
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=course,
        env=CLEAN | state | own,
        input=json.dumps(COMMANDS),
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    (course / "log").write_text(done.stdout + done.stderr)
    return json.loads((course / "told.json").read_text()) | {"out": done.stdout}


def scores(told: dict[str, Any], student: str) -> dict[str, tuple[float, float]]:
    """Points and most points of each notebook that a student handed in, by `nbgrader autograde`."""
    rows = [row for row in told["rows"] if row[0] == student]
    assert {False} == {bool(manual) for *_, manual in rows}, "nothing waits for a person"
    return {name: (score, most) for _, name, score, most, _ in rows}


def test_there_is_a_notebook_of_each_kind_for_every_exercise() -> None:
    assert sorted(EXERCISES) == [book.name[:2] for book in SOLUTIONS] == [book.name[:2] for book in EXERCISE_BOOKS]


def test_nbgrader_releases_what_we_release(course: Path, told: dict[str, Any]) -> None:
    assert 0 == told["done"][0], (course / "log").read_text()
    for book in EXERCISE_BOOKS:
        theirs = nbformat.read(course / "release" / "all" / book.name, as_version=4)
        assert theirs.cells == nbformat.read(book, as_version=4).cells


def test_solutions_get_full_marks_and_blanks_get_none(course: Path, told: dict[str, Any]) -> None:
    assert 0 == told["done"][1], (course / "log").read_text()
    wanted = {book.stem: float(exercise(book.name[:2]).points) for book in SOLUTIONS}
    assert {name: (points, points) for name, points in wanted.items()} == scores(told, "solved")
    assert {name: (0.0, points) for name, points in wanted.items()} == scores(told, "blank")


def test_validate_says_what_fails_in_our_words(told: dict[str, Any]) -> None:
    said = told["out"]
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
