"""Lesson 02 in a real JupyterLab, as a student goes through it: by keyboard, with wrong and right answers."""

from __future__ import annotations

from labpage import LabPage
from lessonpage import SVG, anew, changes, code_cell, commit, commit_number, expect_shut, heights, lowest, practise
from playwright.sync_api import expect

from vmlab.study.questions import formats as ask
from vmlab.study.questions import formats_steps

NOTEBOOK = "02-real-page-table-formats.ipynb"


def test_a_typed_prediction_opens_its_result_with_the_belief_behind_it(lesson: LabPage) -> None:
    shown = code_cell(lesson, "reveal(ask.ONE_ARRAY")
    expect_shut(shown)
    question = ask.ONE_ARRAY
    wrong = question.misconceptions[0]
    commit_number(code_cell(lesson, "predict(ask.ONE_ARRAY)"), str(wrong.answer(**question.variant())))
    shown.locator(SVG).first.wait_for()
    expect(shown).to_contain_text(wrong.belief)
    expect(shown).to_contain_text("16,384")
    shown.scroll_into_view_if_needed()
    lesson.screenshot("lesson-02-wrong-prediction")


def test_a_chosen_prediction_that_is_right_shows_every_entry(lesson: LabPage) -> None:
    question, facts = ask.OLD_PAGE, ask.OLD_PAGE.variant()
    right = question.said(question.answer(**facts), facts)
    commit(code_cell(lesson, "predict(ask.OLD_PAGE)"), right)
    right = code_cell(lesson, "reveal(ask.OLD_PAGE")
    right.get_by_text("Right.").wait_for()
    expect(right.locator(SVG).first).to_contain_text("Linux's own entry for the page")
    right.locator(SVG).first.scroll_into_view_if_needed()
    lesson.screenshot("lesson-02-entries")


def test_practice_names_the_belief_then_accepts_the_right_address(lesson: LabPage) -> None:
    practise(lesson, "formats_steps.TRANSLATE", formats_steps.TRANSLATE, "lesson-02-practice")


def test_the_explorer_follows_format_and_address_by_keyboard(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.formats_explorer()")
    address, chooser = cell.get_by_label("Address", exact=True), cell.get_by_label("Format", exact=True)
    status, full = cell.get_by_role("status"), heights(lesson, cell)
    expect(status).not_to_contain_text("PAE")
    with changes(lesson, cell):
        lesson.press(chooser, key="ArrowDown")  # from i386 to PAE
    expect(status).to_contain_text("PAE")
    lesson.screenshot("lesson-02-explorer")

    chooser.select_option(label="x86-64-4: 64-bit x86, four levels")
    expect(status).to_contain_text("64-bit x86")
    with changes(lesson, cell):
        address.fill("0x1234567")
    cell.get_by_text("0x123_4567 in 64-bit x86").wait_for()
    assert lowest(lesson) > 0.6 * full, "the output area does not collapse"


def test_the_explorer_takes_recorded_tables_and_says_what_there_is_none_of(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.formats_explorer()")
    cell.get_by_label("Format", exact=True).select_option(label="x86-64-4: 64-bit x86, four levels")
    cell.get_by_label("Tables", exact=True).select_option(label="recorded: a process")
    cell.get_by_label("Address", exact=True).fill("0x1100000")
    cell.get_by_text("record amd64-pc-1g").wait_for()
    cell.locator(SVG).first.get_by_text("Linux still reads frame").wait_for()
    lesson.screenshot("lesson-02-recorded")
    cell.get_by_label("Format", exact=True).select_option(label="sv39: RISC-V Sv39, 3 levels")
    expect(cell.get_by_role("alert")).to_contain_text("choose tables made by hand")
    lesson.screenshot("lesson-02-no-record")
    cell.get_by_label("Show", exact=True).select_option(label="formats side by side")
    cell.get_by_role("alert").wait_for(state="detached")
    cell.get_by_label("Show the same as a table").press("Space")
    cell.locator("table").get_by_text("arm64-64k-48").first.wait_for()
    lesson.screenshot("lesson-02-side-by-side")
