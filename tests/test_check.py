"""`check` in a notebook and `vmlab check`: at once, with the belief by name, and honest about what was not checked."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from vmlab.cli import main
from vmlab.study import ask, check, hint, i_am, progress
from vmlab.study.bank import find
from vmlab.study.check import NotRight, mark
from vmlab.study.check_notebook import cells
from vmlab.study.exercise import EXERCISES, exercise
from vmlab.study.question import Question
from vmlab.units import VmlabError

ROOT = Path(__file__).parents[1]
QUESTIONS = [question for lesson in EXERCISES for _, question in exercise(lesson).questions()]


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No name, no memory, no nbgrader; nothing of this machine's is touched."""
    for name in ("NBGRADER_EXECUTION", "VMLAB_LEARNER", "JUPYTERHUB_USER", "VMLAB_SEED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VMLAB_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setattr(progress, "_kept", None)
    monkeypatch.setattr(progress, "_learner", None)


def right(question: Question) -> Any:
    return question.answer(**question.variant(progress.learner()))


def exercise_file(tmp_path: Path, *sources: str) -> Path:
    """A notebook with these code cells."""
    path = tmp_path / "05-mine.ipynb"
    book = {"cells": [{"cell_type": "code", "source": source} for source in sources], "nbformat": 4}
    path.write_text(json.dumps(book))
    return path


# --- in the notebook ---


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.id)
def test_each_belief_is_named_and_the_right_answer_is_not_told(question: Question) -> None:
    facts = question.variant("")
    answer = question.said(right(question), facts)
    for wrong in question.misconceptions:
        said = check(question.id, wrong.answer(**facts))
        assert "belief" == said.kind
        assert wrong.belief in said.text
        assert wrong.back in said.text
        told = str(said).replace(wrong.belief, "").replace(wrong.back, "")
        assert not re.search(rf"(?<![\w,]){re.escape(answer)}(?![\w,])", told)
    said = check(question.id, right(question))
    assert "right" == said.kind
    assert "Not checked" in said.text


def test_an_answer_is_checked_by_id_or_by_question_and_in_another_variant() -> None:
    question = find("05.walk")
    other = question.answer(**question.variant("", 1))
    assert "right" == check(question, right(question)).kind == check("05.walk", other, variant=1).kind
    assert "right" == check("05.walk", question.show(right(question))).kind, "as text, too"


def test_no_answer_and_an_unreadable_one_are_told_apart() -> None:
    assert "blank" == check("05.walk", None).kind
    assert "give walk a value" in check("05.walk").text
    assert "expected a number" in check("05.walk", "up there").text
    assert "expected one of" in check("05.claim", "maybe").text
    assert "unreadable" == check("05.walk", [1]).kind
    assert "without brackets" in check("05.frames_of", [1, 2]).text


def test_a_scenario_wants_words_and_judges_none() -> None:
    assert "two sentences" in check("05.own-512m", "").text
    said = check("05.own-512m", "CMA, because idle memory is lent out, at the price of migration.")
    assert "No program judges this" in said.text
    assert "no-map" in said.lines


def test_feedback_shows_itself_in_a_notebook_with_the_lines_that_load_the_case() -> None:
    shown = check("05.frames_of", lambda *_: [0, 1])._repr_mimebundle_()
    assert "vm.Machine(" in shown["text/html"]
    assert "vm.Machine(" in shown["text/plain"]
    assert "role=status" in shown["text/html"], "read aloud when it changes"


def test_questions_are_asked_of_whom_the_notebook_names(capsys: pytest.CaptureFixture[str]) -> None:
    nobody = ask("05.walk")
    i_am("ada")
    ada = ask("05.walk")
    said = capsys.readouterr().out
    assert vars(nobody) != vars(ada)
    assert vars(ada) == exercise("05").given("ada")["05.walk"]
    assert "place: top − size" in said
    assert "= ?" in said
    assert "given.lowmem_end" in said
    i_am("")
    assert vars(nobody) == vars(ask("05.walk"))
    with pytest.raises(VmlabError, match="i_am"):
        i_am(7)


def test_a_task_is_not_asked_for_a_value() -> None:
    with pytest.raises(VmlabError, match="no question with an answer"):
        ask("05.frames_of")


def test_hints_come_rung_by_rung_and_end_in_a_worked_twin() -> None:
    rungs = [repr(hint("05.walk", rung)) for rung in range(3)]
    assert rungs[0].endswith("?")
    assert "A twin, worked out" in rungs[2]
    assert find("05.walk").asked(find("05.walk").variant("")) not in rungs[2]
    assert rungs == [repr(hint("05.walk")) if rung else repr(hint("05.walk", 0)) for rung in range(3)]
    twin = repr(hint("05.frames_of", 2))
    assert "vm.Machine(" in twin
    assert "has to return [0x" in twin
    with pytest.raises(VmlabError, match="no right answer"):
        hint("05.own-512m")


# --- under nbgrader ---


def test_under_nbgrader_what_is_not_right_is_an_error_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    assert check("05.walk", right(find("05.walk"))) is None
    with pytest.raises(NotRight, match="No answer yet") as raised:
        check("05.walk", None)
    assert [str(raised.value)] == raised.value._render_traceback_()


def test_nbgraders_student_is_whose_folder_the_notebook_is_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "autograded" / "ada" / "05"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("JUPYTERHUB_USER", "teacher")
    assert "teacher" == progress.learner()
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert "ada" == progress.learner()
    question = find("05.walk")
    mark("05.walk", question.answer(**question.variant("ada")))
    mark("05.walk", question.answer(**question.variant("")))  # worked at home, without a name
    with pytest.raises(NotRight):
        mark("05.walk", question.answer(**question.variant("bob")))
    assert "ada" == progress.learner(), "as before"


def test_a_function_that_knows_the_cases_of_check_gets_no_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    task = find("05.frames_of")
    from vmlab.study.check import SEED
    from vmlab.study.task import drawn

    known = {json.dumps(case.args): case.expected for case in task.cases(drawn(task.id, SEED))}
    learnt = lambda *args: known.get(json.dumps(list(args)), [0, 0])  # noqa: E731
    assert "right" == check("05.frames_of", learnt).kind
    with pytest.raises(NotRight):
        mark("05.frames_of", learnt)


# --- vmlab check ---


@pytest.mark.parametrize("lesson", EXERCISES)
def test_solutions_are_right_and_blanks_are_not(lesson: str, capsys: pytest.CaptureFixture[str]) -> None:
    (solution,) = (ROOT / "solutions").glob(f"{lesson}-*.ipynb")
    assert 0 == main(["check", str(solution)])
    said = capsys.readouterr().out
    points = exercise(lesson).points
    assert f"{points} of {points} points" in said
    assert "Not checked" in said
    assert "stops" not in said
    (blank,) = (ROOT / "exercises").glob(f"{lesson}-*.ipynb")
    assert 1 == main(["check", str(blank)])
    said = capsys.readouterr().out
    assert f"0 of {points} points" in said
    assert "stops" not in said, "an exercise that was just opened runs from end to end"


def test_a_cell_that_stops_is_named_and_the_others_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value = right(find("05.walk"))
    mine = exercise_file(
        tmp_path,
        "1 / 0",
        "%matplotlib inline\nimport sys\nfrom vmlab.study import ask",
        f"ask('05.walk')\nwalk = {value}",
        "sys.exit()",
    )
    assert 1 == main(["check", str(mine)])
    said = capsys.readouterr().out
    assert "code cell 1 stops with ZeroDivisionError: division by zero" in said
    assert "05.walk (2 points): right" in said
    assert "2 of 17 points" in said


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 3}', '{"cells": [{}]}', '{"worksheets": 1}'])
def test_a_file_that_is_no_notebook_is_one_sentence(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text(content)
    assert 2 == main(["check", str(path)])
    assert "expected" in capsys.readouterr().err


def test_a_file_that_is_not_there_and_a_folder_without_exercises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == main(["check", str(tmp_path / "none.ipynb")])
    assert "cannot be read" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    assert 2 == main(["check"])
    assert "no exercises here" in capsys.readouterr().err
    exercise_file(tmp_path, "x = 1")
    assert 2 == main(["check"]), "a notebook that asks nothing is no exercise"
    exercise_file(tmp_path, "check('05.walk', 1)")
    assert 1 == main(["check"])


def test_notebooks_of_format_3_are_read(tmp_path: Path) -> None:
    path = tmp_path / "old.ipynb"
    path.write_text(json.dumps({"worksheets": [{"cells": [{"cell_type": "code", "input": ["a = 1\n", "b"]}]}]}))
    assert ["a = 1\nb"] == cells(path)
