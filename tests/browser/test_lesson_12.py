"""Lesson 12 in a real JupyterLab, as a student goes through it: by keyboard, with wrong and right answers."""

from __future__ import annotations

from labpage import LabPage
from lessonpage import SVG, anew, changes, code_cell, commit, expect_shut, heights, lowest, output, practise
from playwright.sync_api import expect

from vmlab.study.questions import moves as ask
from vmlab.study.questions import moves_steps

NOTEBOOK = "12-pages-that-move.ipynb"


def test_predictions_open_their_results_and_practice_names_the_belief(lesson: LabPage) -> None:
    shown = code_cell(lesson, "reveal(ask.ASKED")
    expect_shut(shown)
    options = ask.ASKED.options({})
    commit(code_cell(lesson, "predict(ask.ASKED)"), options["none"])
    shown.locator(SVG).first.wait_for()
    expect(shown).to_contain_text(options["some"])
    expect(shown).to_contain_text(ask.ASKED.check("none", {}).text)
    output(shown).scroll_into_view_if_needed()
    lesson.screenshot("lesson-12-race-prediction")

    right = code_cell(lesson, "reveal(ask.TELLS")
    commit(code_cell(lesson, "predict(ask.TELLS)"), ask.TELLS.options({})["none"])
    right.get_by_text("Right.").wait_for()
    output(right).scroll_into_view_if_needed()
    lesson.screenshot("lesson-12-who-tells")
    own = code_cell(lesson, "explore.own_moves()")
    own.get_by_text("Shown:").first.wait_for()
    output(own).scroll_into_view_if_needed()
    lesson.screenshot("lesson-12-own-machine")
    practise(lesson, "moves_steps.FRAME", moves_steps.FRAME, "lesson-12-practice")


def test_a_page_is_moved_and_the_race_run_again_by_keyboard(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.page_explorer()")
    full = heights(lesson, cell)
    with changes(lesson, cell):
        cell.get_by_role("button", name="KSM merges it").press("Enter")
    cell.get_by_text("read-only").first.wait_for()
    cell.get_by_role("button", name="Write it").press("Enter")
    cell.get_by_text("a copy of its own").wait_for()
    lesson.screenshot("lesson-12-one-page")
    cell.get_by_role("button", name="Unmap it").press("Enter")
    cell.get_by_text("1 page given up").wait_for()
    cell.get_by_role("button", name="Compaction moves it").press("Enter")
    expect(cell.get_by_role("alert")).to_contain_text("read or write it first")
    lesson.screenshot("lesson-12-refused")
    assert lowest(lesson) > 0.9 * full, "the output area keeps its height"

    cell = anew(lesson, "explore.race_explorer()")
    full = heights(lesson, cell)
    with changes(lesson, cell):
        cell.get_by_role("combobox").first.select_option("only: compaction moves a page")
    cell.get_by_text("long-term pin, MMU notifier").first.wait_for()
    slider = cell.get_by_role("slider").first
    with changes(lesson, cell):
        lesson.press(slider)
    lesson.screenshot("lesson-12-race")
    assert lowest(lesson) > 0.9 * full, "the output area keeps its height"
