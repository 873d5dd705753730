"""Lesson 10 in a real JupyterLab, as a student goes through it: by keyboard, with wrong and right answers."""

from __future__ import annotations

from labpage import LabPage
from lessonpage import (
    SVG,
    anew,
    changes,
    code_cell,
    commit,
    commit_number,
    expect_shut,
    heights,
    lowest,
    output,
    practise,
)
from playwright.sync_api import expect

from vmlab.study.questions import swap as ask
from vmlab.study.questions import swap_steps

NOTEBOOK = "10-demand-paging-fork-swap.ipynb"


def test_the_askers_own_mistake_is_named_and_the_right_entry_is_shown(lesson: LabPage) -> None:
    options = ask.TEXT.options({})
    commit(code_cell(lesson, "predict(ask.TEXT)"), options["three"])
    told = code_cell(lesson, "ask.text_story()")
    told.get_by_text(ask.TEXT.check("three", {}).text).wait_for()

    shown = code_cell(lesson, "reveal(ask.ENTRY")
    expect_shut(shown)
    commit_number(code_cell(lesson, "predict(ask.ENTRY)"), "0x200")
    shown.locator(SVG).first.wait_for()
    shown.get_by_text("Right.").wait_for()
    output(shown).scroll_into_view_if_needed()
    lesson.screenshot("lesson-10-entry")


def test_practice_names_the_belief_then_accepts_the_right_slot(lesson: LabPage) -> None:
    practise(lesson, "swap_steps.SLOT", swap_steps.SLOT, "lesson-10-practice")


def test_the_story_is_played_forwards_and_backwards_by_keyboard(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.swap_explorer()")
    full, status = heights(lesson, cell), cell.get_by_role("status")
    said = status.text_content() or ""
    with changes(lesson, cell):
        cell.get_by_role("button", name="P0 runs").press("Enter")
    expect(status).to_contain_text("After step 5")
    lesson.screenshot("lesson-10-story")
    with changes(lesson, cell):
        cell.get_by_role("button", name="Undo").press("Enter")
    expect(status).to_have_text(said)
    cell.get_by_role("button", name="P3 runs").press("Enter")
    cell.get_by_text("P3 does not exist yet").first.wait_for()
    assert lowest(lesson) > 0.7 * full, "the output area keeps its height"
