"""Hostile and broken submissions get the fair score and clear words, and nobody else is harmed.

All of them are handed in by one class, with honest work among them, and graded once by the command.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
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
    processes: tuple[list[str], list[str]]


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    folder = tmp_path_factory.mktemp("class")
    (folder / "in").mkdir()
    for kind in [*KINDS, *(Kind(name, FULL) for name in HONEST)]:
        (folder / "in" / f"{kind.name}.ipynb").write_bytes(content(kind))
    arguments = ["grade", str(folder / "in"), "--db", str(folder / "results.sqlite"), "--seconds", "1.5", "--jobs", "2"]
    arguments += ["--html", str(folder / "pages"), "--out", str(folder / "results.csv")]
    before = _processes()
    code = cli.main(arguments)
    results = Results(folder / "results.sqlite")
    said = {}
    for learner, lesson, _, stopped, notes in results.submissions():
        texts = [row.text for row in results.rows(learner, lesson)]
        said[learner] = "\n".join([*texts, *stopped, *notes])
    yield Class(folder, arguments, code, results, said, (before, _processes()))
    results.close()


def _processes() -> list[str]:
    """Living processes that could be a sandbox's."""
    listed = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True).stdout.splitlines()
    return sorted(line for line in listed if ("bwrap" in line or "/inside" in line) and "<defunct>" not in line)


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
    before, after = graded.processes
    assert before == after


def test_nothing_but_our_files_is_there(graded: Class) -> None:
    assert {"in", "results.sqlite", "pages", "results.csv"} == {path.name for path in graded.folder.iterdir()}
    for kind in KINDS:
        assert content(kind) == (graded.folder / "in" / f"{kind.name}.ipynb").read_bytes()


def test_the_command_says_that_some_could_not_be_graded(graded: Class) -> None:
    assert 1 == graded.exit_code
    unreadable = [kind.name for kind in KINDS if not kind.fair and kind.file is not None]
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
