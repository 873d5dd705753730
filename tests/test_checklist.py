"""The points of a good notebook that a script can check: which test holds each, and what no other test checks.

The other points are for a reader: docs/CHECKLIST.md has them, each with its evidence or the words "not signed".
"""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import nbformat
import pytest

from vmlab.study import bank
from vmlab.study.lessons import LESSONS, START
from vmlab.study.question import Question

HERE = Path(__file__).parent
ROOT = HERE.parent
NOTEBOOKS = [ROOT / "notebooks" / lesson.file for lesson in (START, *LESSONS)]
# Point of the checklist, and the tests that hold it: file and function.
HELD_BY = {
    1: ("test_notebooks.py:test_first_cell_says_what_for_how_long_and_what_one_can_do_afterwards",),
    3: ("test_glossary.py:test_every_bold_term_is_in_the_glossary_and_its_first_use_leads_there",),
    4: (
        "test_notebooks.py:test_code_cells_are_short_and_define_nothing_long",
        "test_notebooks.py:test_no_output_is_longer_than_a_screen",
    ),
    6: ("test_notebooks.py:test_every_reveal_and_explorer_follows_its_prediction",),
    8: ("test_predict.py:test_the_widget_opens_in_place_when_the_button_is_pressed",),
    11: ("questions.py:test_the_twin_is_another_variant_than_the_one_asked",),
    13: ("test_notebooks.py:test_recall_at_both_ends_and_practice_between", "test_checklist.py:test_recall_asks_three"),
    15: ("questions.py:test_feedback_names_the_belief_asks_back_and_keeps_the_answer",),
    16: ("questions.py:test_every_ladder_has_three_rungs_and_ends_in_a_worked_twin",),
    17: ("test_checklist.py:test_nothing_says_that_all_has_passed",),
    19: ("test_notebooks.py:test_sources_name_files_and_versions_or_records",),
    22: ("test_notebooks.py:test_runs_in_order_without_an_error_or_a_warning",),
    23: ("test_notebooks.py:test_without_widgets_every_interactive_cell_still_says_something",),
    24: (
        "test_notebooks.py:test_every_picture_has_a_sentence_and_a_table",
        "test_notebooks.py:test_headings_nest_without_gaps",
        "browser/test_accessibility.py:test_the_book_has_no_violation_with_every_fold_open",
    ),
}
# Recall that asks another number than three, and why.
RECALL: dict[str, str] = {"00": "it has two minutes, and nothing comes before it"}


def functions(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("point", HELD_BY)
def test_every_point_is_held_by_a_test_that_is_there(point: int) -> None:
    for held in HELD_BY[point]:
        file, _, name = held.partition(":")
        assert name in functions(HERE / file), held


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_recall_asks_three(path: Path) -> None:
    code = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
    recalled = re.findall(r"recall\((.*)\)", code)
    if path.stem[:2] in RECALL:
        assert not recalled
        return
    assert 2 == len(recalled)
    for arguments in recalled:
        questions: list[Question] = []
        for star, module, name in re.findall(r"(\*?)(\w+)\.(\w+)", arguments):
            found = getattr(importlib.import_module(f"vmlab.study.questions.{module}"), name)
            questions += found if star else [found]
        assert 3 == len(questions), arguments
        assert all(isinstance(question, Question) and question.because for question in questions)


@pytest.mark.parametrize("lesson", [START, *LESSONS], ids=lambda lesson: lesson.number)
def test_hints_show_no_count_and_no_timer(lesson) -> None:
    for entry in bank.of_lesson(lesson.number).values():
        for words in getattr(entry, "hints", None) or ():
            assert not re.search(r"\b(\d+ hints?|hints? left|seconds? left|wait)\b", words), entry.id


def test_nothing_says_that_all_has_passed() -> None:
    for path in sorted((ROOT / "vmlab" / "study").glob("*.py")):
        assert not re.search(r"all (tests |checks )?passed", path.read_text(), re.IGNORECASE), path.name


def test_the_points_for_a_reader_are_in_the_table_signed_or_not() -> None:
    rows = re.findall(r"(?m)^\| (\d+) \| (.+?) \| (.+?) \| (.+?) \|$", (ROOT / "docs" / "CHECKLIST.md").read_text())
    assert {*range(1, 26)} - {*HELD_BY} == {int(point) for point, *_ in rows}
    numbers = [lesson.number for lesson in LESSONS]
    for point, _, evidence, where in rows:
        assert len(evidence) > 30, point
        assert where == "not signed" or set(re.findall(r"\d\d", where)) <= {"00", *numbers}, point
