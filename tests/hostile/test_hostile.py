"""Hostile and broken submissions get the fair score and clear words, and nobody else is harmed.

All of them are handed in by one class, with honest work among them, and graded once by the command.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from kinds import FULL, KINDS, Kind, content

from vmlab import cli
from vmlab.grade.judge import points
from vmlab.grade.results import Results
from vmlab.study import exercise

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="grading in a sandbox needs bubblewrap")
HONEST = [f"student-{number}" for number in range(5)]


class Class(NamedTuple):
    """A graded class: the folder that holds all, the command's words, and what each was told."""

    folder: Path
    arguments: list[str]
    exit_code: int
    results: Results
    said: dict[str, str]
    processes: tuple[list[str], list[str]]  # of its sandboxes: while they worked, and afterwards


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    folder = tmp_path_factory.mktemp("class")
    (folder / "in").mkdir()
    for kind in [*KINDS, *(Kind(name, FULL) for name in HONEST)]:
        (folder / "in" / f"{kind.name}.ipynb").write_bytes(content(kind))
    arguments = ["grade", str(folder / "in"), "--db", str(folder / "results.sqlite"), "--seconds", "1.5", "--jobs", "2"]
    arguments += ["--html", str(folder / "pages"), "--out", str(folder / "results.csv")]
    inside = tmp_path_factory.mktemp("inside")
    over, working = threading.Event(), []

    def watch() -> None:
        while not working and not over.wait(0.2):
            working.extend(_living(inside))

    watcher = threading.Thread(target=watch)
    watcher.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(inside))  # for the processes that grade
        patch.setattr(tempfile, "tempdir", str(inside))
        code = cli.main(arguments)
    over.set()
    watcher.join()
    results = Results(folder / "results.sqlite")
    said = {}
    for learner, lesson, _, stopped, notes in results.submissions():
        texts = [row.text for row in results.rows(learner, lesson)]
        said[learner] = "\n".join([*texts, *stopped, *notes])
    yield Class(folder, arguments, code, results, said, (working, _living(inside)))
    results.close()


def _living(folder: Path) -> list[str]:
    """Processes that see the sandbox's own files, which this run keeps in `folder`: every process of its sandboxes."""
    living = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone since, or another user's
            if f"{folder.parent.name}/{folder.name}/" in (process / "mountinfo").read_text():
                living.append((process / "cmdline").read_text().replace("\0", " "))
    return living


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_gets_the_fair_score_and_is_told_why(kind: Kind, graded: Class) -> None:
    assert kind.fair == points(graded.results.rows(kind.name, "05"))[0], graded.said[kind.name]
    assert kind.says in graded.said[kind.name]
    assert "Traceback" not in graded.said[kind.name]


@pytest.mark.parametrize("learner", HONEST)
def test_honest_work_beside_them_keeps_its_points(learner: str, graded: Class) -> None:
    assert (FULL, FULL) == points(graded.results.rows(learner, "05"))


def test_there_are_as_many_kinds_as_were_measured_elsewhere() -> None:
    assert len(KINDS) >= 36
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert FULL == exercise.exercise("05").points


def test_no_process_survives(graded: Class) -> None:
    working, afterwards = graded.processes
    assert working
    assert [] == afterwards


def test_nothing_but_our_files_is_there(graded: Class) -> None:
    assert {"in", "results.sqlite", "pages", "results.csv"} == {path.name for path in graded.folder.iterdir()}
    for kind in KINDS:
        assert content(kind) == (graded.folder / "in" / f"{kind.name}.ipynb").read_bytes()


def test_the_command_says_that_some_could_not_be_graded(graded: Class) -> None:
    assert 1 == graded.exit_code
    unreadable = [kind.name for kind in KINDS if kind.file is not None and kind.says]
    assert all(graded.said[name].startswith("could not grade: ") for name in unreadable)


def test_pages_run_nothing_and_tell_no_secret(graded: Class) -> None:
    text = "".join(path.read_text() for path in (graded.folder / "pages").iterdir())
    assert "&lt;script&gt;" in text
    assert "<script>" not in text
    seed = sqlite3.connect(graded.folder / "results.sqlite").execute("select value from about").fetchone()[0]
    assert len(seed) == 32
    assert seed not in text


def test_a_second_run_grades_nothing_again(graded: Class, capsys: pytest.CaptureFixture[str]) -> None:
    rows = {kind.name: graded.results.rows(kind.name, "05") for kind in KINDS}
    assert 1 == cli.main(graded.arguments)
    assert "0 graded" in capsys.readouterr().out
    assert rows == {kind.name: graded.results.rows(kind.name, "05") for kind in KINDS}
