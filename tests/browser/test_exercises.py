"""An exercise in a real JupyterLab: a student types wrong answers and right ones, and reads what is said to them."""

from __future__ import annotations

import shutil

import pytest
from labpage import ROOT, LabPage
from lessonpage import code_cell, output
from playwright.sync_api import Locator, expect

from vmlab.study import bank
from vmlab.study.question import Question

NAME = "05-where-is-mem_map.ipynb"
BROKEN = """def usable(pfns, mem_map, reserved):
first, last = mem_map
free = [pfn for pfn in pfns if not first < pfn < last]
return [pfn for pfn in free if not any(start <= pfn < end for start, end in reserved)]"""
MENDED = BROKEN.replace("first < pfn < last", "first <= pfn <= last")


@pytest.fixture
def exercise(lab: LabPage) -> LabPage:
    """Lesson 05's exercise as it is handed out, its first cell run; nothing else was touched."""
    shutil.copyfile(ROOT / "exercises" / NAME, lab.folder / NAME)
    lab.open_file(NAME)
    run(lab, code_cell(lab, "i_am("))
    return lab


def run(lab: LabPage, cell: Locator) -> None:
    """Run a cell by keyboard, its editor in front."""
    cell.get_by_role("textbox").first.press("Shift+Enter")


def write(lab: LabPage, cell: Locator, text: str) -> None:
    """Type a whole cell anew, line by line as a student does (the editor indents after a colon), and run it."""
    editor = cell.get_by_role("textbox").first
    editor.press("ControlOrMeta+a")
    for number, line in enumerate(text.splitlines()):
        if number:
            lab.page.keyboard.press("Enter")
        lab.page.keyboard.insert_text(line)
    run(lab, cell)


def test_a_wrong_number_meets_its_belief_and_a_right_one_hears_what_was_not_checked(exercise: LabPage) -> None:
    question = bank.find("05.walk")
    assert isinstance(question, Question)
    facts = question.variant()
    belief = question.misconceptions[0]
    answer, check = code_cell(exercise, 'ask("05.walk")'), code_cell(exercise, 'check("05.walk"')

    run(exercise, answer)
    expect(output(answer)).to_contain_text("Your answer goes into the variable walk")
    run(exercise, check)
    expect(output(check)).to_contain_text("No answer yet: give walk a value")

    write(exercise, answer, f'given = ask("05.walk")\nwalk = {belief.answer(**facts):#x}')
    run(exercise, check)
    expect(output(check)).to_contain_text(f"That is what follows if {belief.belief}. {belief.back}")
    exercise.screenshot("exercise-wrong-number")

    write(exercise, answer, f'given = ask("05.walk")\nwalk = "{question.answer(**facts):#x}"')
    run(exercise, check)
    expect(output(check)).to_contain_text("Right.")
    expect(output(check)).to_contain_text("Checked: this value, for the facts you were told. Not checked: how you got")
    assert exercise.troubles() == []


def test_a_wrong_function_meets_its_belief_and_a_small_case_that_loads(exercise: LabPage) -> None:
    answer, check = code_cell(exercise, "def usable("), code_cell(exercise, 'check("05.usable"')

    write(exercise, answer, BROKEN)
    run(exercise, check)
    expect(output(check)).to_contain_text("That is what follows if mem_map begins after its first frame")
    expect(output(check)).to_contain_text("The smallest one found that goes wrong:")
    expect(output(check)).to_contain_text("usable([")
    exercise.screenshot("exercise-wrong-function")

    write(exercise, answer, MENDED)
    run(exercise, check)
    expect(output(check)).to_contain_text("usable agrees with the model on all 30")
    expect(output(check)).to_contain_text("Not checked: other")
    assert exercise.troubles() == []
