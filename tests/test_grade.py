"""Grading a class: full marks for solutions, none for blanks, the same score twice, and nothing lost on the way."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from vmlab import cli
from vmlab.grade import boxes, report, run, sandbox, seccomp
from vmlab.grade.judge import Graded, Result, grade, points
from vmlab.grade.results import Results
from vmlab.grade.submission import Unreadable, learner_of, read
from vmlab.study.exercise import EXERCISES, exercise
from vmlab.units import VmlabError

ROOT = Path(__file__).parent.parent
SOLUTION = ROOT / "solutions" / "05-where-is-mem_map.ipynb"
boxed = pytest.mark.skipif(shutil.which("bwrap") is None, reason="grading in a sandbox needs bubblewrap")


def notebook(folder: Path, lesson: str) -> Path:
    return next((ROOT / folder).glob(f"{lesson}-*.ipynb"))


@pytest.fixture(scope="module")
def warm():
    with sandbox.Sandbox() as made:
        yield made


@boxed
@pytest.mark.parametrize("lesson", EXERCISES)
def test_a_solution_gets_all_points_and_an_exercise_as_released_none(lesson: str, warm: sandbox.Sandbox) -> None:
    full = exercise(lesson).points
    solved = grade(read(notebook(Path("solutions"), lesson)), warm, "one seed")
    assert (full, full) == points(solved.results), [row for row in solved.results if not row.got]
    assert (0, full) == points(grade(read(notebook(Path("exercises"), lesson)), warm, "one seed").results)


@boxed
def test_a_wrong_belief_is_named_and_the_answer_is_not_told(tmp_path: Path, warm: sandbox.Sandbox) -> None:
    book = json.loads(SOLUTION.read_text())
    for cell in book["cells"]:
        source = "".join(cell["source"])
        cell["source"] = source.replace(
            "return [place >> 12, (place + size - 1) >> 12]", "return [place >> 12, (place + size) >> 12]"
        )
    path = tmp_path / "ada.ipynb"
    path.write_text(json.dumps(book))
    rows = {row.item: row for row in grade(read(path), warm, "one seed").results}
    assert "belief" == rows["05.frames_of"].kind, rows["05.frames_of"]
    assert rows["05.frames_of"].belief
    assert 0 == rows["05.frames_of"].got
    assert "vm.Machine" in rows["05.frames_of"].lines or "banks" in rows["05.frames_of"].lines


@boxed
def test_the_same_submission_gets_the_same_rows_under_one_seed(warm: sandbox.Sandbox) -> None:
    submission = read(SOLUTION)
    assert grade(submission, warm, "s") == grade(submission, warm, "s")


@boxed
def test_whoever_gave_a_name_is_judged_by_what_they_were_asked(tmp_path: Path, warm: sandbox.Sandbox) -> None:
    path = tmp_path / "ada.ipynb"
    path.write_text(SOLUTION.read_text().replace('i_am(\\"\\")', 'i_am(\\"bob\\")'))
    graded = grade(read(path), warm, "s")
    assert (17, 17) == points(graded.results)
    assert any("'bob'" in note and "'ada'" in note for note in graded.notes)


@boxed
def test_a_worker_killed_midway_loses_nothing_and_nothing_is_graded_twice(tmp_path: Path) -> None:
    for number in range(30):
        shutil.copy(SOLUTION, tmp_path / f"s{number:02}.ipynb")
    db = tmp_path / "r.sqlite"
    command = [sys.executable, "-m", "vmlab", "grade", str(tmp_path), "--db", str(db), "--jobs", "2", "--seed", "s"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    seen = 0
    for line in process.stdout:
        seen += "17 of 17" in line
        if seen == 3:
            listed = subprocess.run(
                ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(process.pid)], capture_output=True, text=True
            ).stdout
            workers = [int(row.split()[0]) for row in listed.splitlines() if "spawn_main" in row]
            os.kill(workers[0], signal.SIGKILL)
            seen += 100
    assert 0 == process.wait(60)
    results = Results(db)
    assert 30 == len(list(results.submissions()))
    assert all((17, 17) == points(results.rows(f"s{number:02}", "05")) for number in range(30))
    results.close()


@boxed
def test_grading_that_was_interrupted_goes_on_where_it_was(tmp_path: Path) -> None:
    for number in range(12):
        shutil.copy(SOLUTION, tmp_path / f"s{number:02}.ipynb")
    db = tmp_path / "r.sqlite"
    command = [sys.executable, "-m", "vmlab", "grade", str(tmp_path), "--db", str(db), "--jobs", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.wait()
    time.sleep(0.2)
    results = Results(db)
    before, seed = len(list(results.submissions())), results.seed
    results.close()
    assert before >= 1
    done = subprocess.run(command, capture_output=True, text=True)
    assert 0 == done.returncode
    assert f"{12 - before} graded, {before} known from before" in done.stdout
    results = Results(db)
    assert seed == results.seed
    results.close()


def test_a_later_submission_replaces_the_earlier(tmp_path: Path) -> None:
    results = Results(tmp_path / "r.sqlite", "s")
    for got in (0, 2):
        results.keep(Graded("ada", "05", f"digest {got}", (Result("05.walk", 2, got, "right", ""),)), SOLUTION)
    assert [2] == [row.got for row in results.rows("ada", "05")]
    assert results.has("ada", "05", "digest 2")
    assert not results.has("ada", "05", "digest 0")
    results.close()


def test_another_seed_is_refused_for_results_that_have_one(tmp_path: Path) -> None:
    Results(tmp_path / "r.sqlite", "s").close()
    with pytest.raises(VmlabError, match="another seed"):
        Results(tmp_path / "r.sqlite", "t")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.sqlite").write_text("not a database " * 100)
    with pytest.raises(VmlabError, match="expected a file of results"):
        Results(tmp_path / "r.sqlite")


@pytest.mark.parametrize(
    ("path", "learner"),
    [
        ("submitted/ada/05-where-is-mem_map/05-where-is-mem_map.ipynb", "ada"),
        ("submitted/ada/five/05-where-is-mem_map.ipynb", "ada"),
        ("submitted/bob.ipynb", "bob"),
        ("submitted/carol/05-where-is-mem_map.ipynb", "carol"),
    ],
)
def test_whose_a_notebook_is_follows_from_its_place(path: str, learner: str) -> None:
    assert learner == learner_of(Path(path), Path("submitted"))


def test_of_two_copies_the_newer_is_graded_and_the_other_named(tmp_path, monkeypatch, capsys) -> None:
    """Two files that are one student's: nothing is lost in silence."""
    for number, name in enumerate(("a", "b")):
        place = tmp_path / "in" / "ada" / name
        place.mkdir(parents=True)
        shutil.copy(SOLUTION, place)
        os.utime(place / SOLUTION.name, (number, number))
    graded = []
    monkeypatch.setattr(run, "_box", lambda args: "none is needed")
    monkeypatch.setattr(run, "_work", lambda waiting, args, seed, box: graded.extend(waiting) or iter(()))
    cli.main(["grade", str(tmp_path / "in"), "--db", str(tmp_path / "r.sqlite")])
    assert [("ada", "b")] == [(one.learner, one.path.parent.name) for one in graded]
    printed = capsys.readouterr()
    assert "1 older copies were passed over" in printed.out
    assert "ada handed in a newer one" in printed.err


def test_where_no_box_works_it_refuses_and_says_what_to_install(tmp_path, monkeypatch, capsys) -> None:
    shutil.copy(SOLUTION, tmp_path / "ada.ipynb")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sandbox, "BOXES", (boxes.BUBBLEWRAP,))
    assert 2 == cli.main(["grade", str(tmp_path / "ada.ipynb"), "--db", str(tmp_path / "r.sqlite")])
    said = capsys.readouterr().err
    assert "apt-get install bubblewrap" in said
    assert "bubblewrap is not installed" in said
    assert not (tmp_path / "r.sqlite").exists()


@pytest.mark.parametrize("installed", [False, True], ids=["missing", "forbidden"])
def test_without_a_bubblewrap_that_works_the_next_strongest_box_grades_with_a_warning(
    installed: bool, tmp_path, monkeypatch, capsys
) -> None:
    shutil.copy(SOLUTION, tmp_path / "ada.ipynb")
    if installed:  # as in a container that may not make namespaces
        (tmp_path / "bwrap").write_text("#!/bin/sh\necho bwrap: No permissions to create new namespace >&2\nexit 1\n")
        (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    arguments = ["grade", str(tmp_path / "ada.ipynb"), "--db", str(tmp_path / "r.sqlite"), "--jobs", "1"]
    assert 0 == cli.main(arguments)
    said = capsys.readouterr()
    assert "ada: 17 of 17" in said.out
    assert "Sandbox without bubblewrap" in said.err


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="util-linux takes the privileges away")
def test_where_no_namespace_may_be_made_landlock_grades(tmp_path: Path) -> None:
    """As in a container: its own user namespace may hold no further one, and no privilege is left."""
    shutil.copy(SOLUTION, tmp_path / "ada.ipynb")
    without = "echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all "
    grading = [sys.executable, "-m", "vmlab", "grade", str(tmp_path), "--db", str(tmp_path / "r.sqlite"), "--jobs", "1"]
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", f'{without} "$@"', "sh", *grading]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if "unshare" in done.stderr.partition("\n")[0]:
        pytest.skip(done.stderr)
    assert "ada: 17 of 17" in done.stdout, done.stderr
    assert "(landlock)" in done.stderr
    assert "Landlock alone" in done.stderr


def test_without_a_sandbox_it_grades_only_when_told_to_and_warns(tmp_path, monkeypatch, capsys) -> None:
    shutil.copy(SOLUTION, tmp_path / "ada.ipynb")
    monkeypatch.setattr(sandbox, "BOXES", ())
    arguments = [
        "grade",
        str(tmp_path / "ada.ipynb"),
        "--db",
        str(tmp_path / "r.sqlite"),
        "--jobs",
        "1",
        "--unsandboxed",
    ]
    assert 0 == cli.main(arguments)
    printed = capsys.readouterr()
    assert "ada: 17 of 17" in printed.out
    assert "runs as you" in printed.err


def test_the_filter_of_system_calls_is_made_for_two_processors_and_says_nothing_of_others() -> None:
    assert len(seccomp.program("x86_64", 1)) % 8 == 0
    assert len(seccomp.program("aarch64", 1)) > 100
    assert b"" == seccomp.program("riscv64", 1)


@boxed
@pytest.mark.filterwarnings("ignore:Object of type")  # nbgrader's own use of SQLAlchemy
def test_scores_reach_an_nbgrader_gradebook(tmp_path: Path) -> None:
    from nbgrader.api import Gradebook

    shutil.copy(SOLUTION, tmp_path / "ada.ipynb")
    book = tmp_path / "gradebook.db"
    arguments = ["grade", str(tmp_path / "ada.ipynb"), "--db", str(tmp_path / "r.sqlite"), "--jobs", "1"]
    assert 0 == cli.main([*arguments, "--nbgrader-gradebook", str(book)])
    with Gradebook(f"sqlite:///{book}") as opened:
        found = opened.find_submission("05", "ada")
        assert (17, 17) == (found.score, found.max_score)


def test_a_page_escapes_everything_and_tells_what_each_answer_points_to() -> None:
    rows = [Result("05.walk", 2, 0, "belief", "That is what follows if <b>.", "x < 1", "a <belief>")]
    text = report.student_page("<ada>", "05", rows, ["cell 1: <i>"], [], ["print('<script>')"])
    assert "0 of 2 points" in text
    assert not {"<ada>", "<b>", "<i>", "<script>", "<belief>"} & set(text.split())
    assert "&lt;script&gt;" in text
    figure = report.beliefs_figure([("05.walk", "a <belief>", 3)])
    assert 'role="img"' in figure
    assert "<table>" in figure


def test_the_class_is_told_item_by_item_and_what_needs_a_look_once_for_all_whom_it_concerns(tmp_path: Path) -> None:
    """Three hundred who left the same line empty are one line for their instructor."""
    answers = {"ada": "right", "bob": "belief", "eve": "blank"}
    results = Results(tmp_path / "r.sqlite", "s")
    for learner, kind in answers.items():
        row = Result("05.walk", 2, 2 if kind == "right" else 0, kind, "", "", "a belief" if kind == "belief" else "")
        results.keep(Graded(learner, "05", "digest", (row,), notes=("gave no name",)), SOLUTION)
    assert [("05.walk", 3, 1, 1)] == results.items()
    report.write_pages(results, tmp_path / "pages")
    results.close()

    said = (tmp_path / "pages" / "index.html").read_text()
    assert 1 == said.count("Gave no name: 3 notebooks (ada, bob, eve)")
    assert "<td>05.walk</td><td>1 of 3</td><td>1</td><td>1</td>" in said
    linked = {name for name in re.findall(r'href="([^"]+)"', said) if (tmp_path / "pages" / name).is_file()}
    assert {f"{learner}-05.html" for learner in answers} == linked


@pytest.mark.parametrize("learner", ["../../etc/passwd", "a b/c", "", ".hidden", "ada@uni.example"])
def test_a_learners_id_is_no_path(learner: str) -> None:
    name = report.file_name(learner)
    assert name
    assert not set("/\\ ") & set(name)
    assert not name.startswith(".")


def test_a_worker_that_always_dies_is_reported_and_the_rest_is_graded(tmp_path, monkeypatch, capsys) -> None:
    class Dying:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def submit(self, function, submission, *_):
            future: Future[Graded] = Future()
            if submission.learner == "bad":
                future.set_exception(run.BrokenProcessPool("gone"))
            else:
                future.set_result(Graded(submission.learner, "05", submission.digest, ()))
            return future

    monkeypatch.setattr(run, "_executor", lambda args, box: Dying())
    monkeypatch.setattr(run, "_box", lambda args: "none is needed")
    for name in ("good", "bad"):
        shutil.copy(SOLUTION, tmp_path / f"{name}.ipynb")
    assert 1 == cli.main(["grade", str(tmp_path), "--db", str(tmp_path / "r.sqlite")])
    out = capsys.readouterr().out
    assert "bad: 0 of 0; could not grade: its worker died each time" in out
    assert "1 graded, 0 known from before, 1 could not be graded" in out


NAMES = {  # a file's name -> what its owner is called everywhere
    b"new\nline": "new\\nline",
    b"esc\x1b[2J": "esc\\x1b[2J",
    b"no\xfftext": "no\\udcfftext",
    b"=cmd|'x'!A0": "=cmd|'x'!A0",
    b"'; drop table results;--": "'; drop table results;--",
    b"<script>": "<script>",
    b"x" * 249: "x" * 249,
    b"index": "index",
    b".hidden": ".hidden",
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class whose files have names and kinds that are meant to stop it; graded, with the command's words."""
    folder = tmp_path_factory.mktemp("odd")
    given, other = folder / "in", folder / "other"
    for made in (given, other, given / "dir.ipynb", given / "mallory", given / "__MACOSX"):
        made.mkdir()
    for name in NAMES:
        shutil.copy(SOLUTION, os.fsencode(given) + b"/" + name + b".ipynb")
    shutil.copy(SOLUTION, given / "Upper.IPYNB")
    shutil.copy(SOLUTION, other / "secret.ipynb")
    (given / "index-05.ipynb").write_text("{")
    (given / "dangling.ipynb").symlink_to("nowhere")
    (given / "circle.ipynb").symlink_to("circle.ipynb")
    (given / "mallory" / "mine.ipynb").symlink_to("../index.ipynb")
    (given / "mallory" / "others").symlink_to("../../other")
    (given / "__MACOSX" / "._a.ipynb").write_bytes(b"\x00\x05\x16\x07")
    os.mkfifo(given / "pipe.ipynb")
    command = [sys.executable, "-m", "vmlab", "grade", "in", "--db", "r.sqlite", "--html", "pages", "--out", "r.csv"]
    done = subprocess.run([*command, "--jobs", "1"], cwd=folder, capture_output=True, text=True, timeout=120)
    (folder / "said").write_text(f"{done.returncode}\n{done.stdout}{done.stderr}")
    return folder


@boxed
def test_no_name_and_no_kind_of_file_stops_a_class(odd: Path) -> None:
    said = (odd / "said").read_text()
    assert said.startswith("1\n")
    assert said.isprintable() or all(line.isprintable() for line in said.splitlines())
    results = Results(odd / "r.sqlite")
    rows = {learner: points(results.rows(learner, lesson))[0] for learner, lesson, *_ in results.submissions()}
    results.close()
    unreadable = ("index-05", "dangling", "circle", "mallory", "pipe")
    assert {**dict.fromkeys([*NAMES.values(), "Upper"], 17), **dict.fromkeys(unreadable, 0)} == rows
    assert 3 == said.count("it is a link to another file")
    assert "it is no ordinary file" in said


@boxed
def test_every_learner_has_a_page_of_their_own_whatever_they_are_called(odd: Path) -> None:
    pages = {path.name: path.read_text() for path in (odd / "pages").iterdir()}
    assert len(NAMES) + 1 + 5 + 1 == len(pages)
    assert "<h1>The class</h1>" in pages["index.html"]
    assert "17 of 17" in pages["index-05.html"]
    assert not any("<script>" in text for text in pages.values())
    assert not any(line.startswith(("=", "+", "-", "@")) for line in (odd / "r.csv").read_text().splitlines())


def test_results_that_another_program_is_writing_to_are_waited_for_and_then_told(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("vmlab.grade.results.SECONDS_TO_WAIT", 0.1)
    results = Results(tmp_path / "r.sqlite", "s")
    other = sqlite3.connect(tmp_path / "r.sqlite", isolation_level=None)
    other.execute("begin exclusive")
    with pytest.raises(VmlabError, match=r"another program is writing to it.*what is graded stays"):
        results.keep(Graded("ada", "05", "digest", ()), SOLUTION)
    other.execute("rollback")
    results.keep(Graded("ada", "05", "digest", ()), SOLUTION)
    assert results.has("ada", "05", "digest")
    results.close()


def test_a_folder_without_notebooks_is_refused(tmp_path, capsys) -> None:
    assert 2 == cli.main(["grade", str(tmp_path)])
    assert "found none in it" in capsys.readouterr().err


def test_a_notebook_of_no_exercise_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_text('{"cells": [{"cell_type": "code", "source": ["1+1"]}]}')
    with pytest.raises(Unreadable, match="none of our exercises"):
        read(tmp_path / "x.ipynb")
