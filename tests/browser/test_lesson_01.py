"""Lesson 01 in a real JupyterLab, as a student goes through it: by keyboard, with wrong and right answers."""

from __future__ import annotations

from labpage import LabPage
from lessonpage import SVG, anew, code_cell, commit, commit_number, heights, is_shut, lowest, practise

from vmlab.study.questions import same_address as ask
from vmlab.study.questions import same_address_kernel as ask_kernel
from vmlab.study.questions import same_address_steps

NOTEBOOK = "01-same-address-two-processes.ipynb"


def test_the_askers_own_belief_is_named_beside_the_real_tables(lesson: LabPage) -> None:
    shown = code_cell(lesson, "reveal(ask.WHERE")
    assert is_shut(shown)
    facts = ask.WHERE.variant()
    words = ask.WHERE.options(facts)
    commit(code_cell(lesson, "predict(ask.WHERE)"), words["same"])
    shown.locator(SVG).first.wait_for()
    text = shown.inner_text()
    assert words["same"] in text
    assert words["other"] in text
    assert ask.WHERE.check("same", facts).text in text
    assert "CR3 held" in text
    shown.locator(SVG).first.scroll_into_view_if_needed()
    lesson.screenshot("lesson-01-wrong-prediction")


def test_right_predictions_open_the_shared_page_and_the_second_table(lesson: LabPage) -> None:
    commit(code_cell(lesson, "predict(ask.MAP_SHARED)"), ask.MAP_SHARED.options(ask.MAP_SHARED.variant())["same"])
    shared = code_cell(lesson, "reveal(ask.MAP_SHARED")
    shared.get_by_text("Right.").wait_for()
    assert "the same frame" in shared.locator("[role=img]").get_attribute("aria-label")
    shared.locator(SVG).first.scroll_into_view_if_needed()
    lesson.screenshot("lesson-01-shared")

    facts = ask_kernel.ISOLATION.variant()
    commit_number(code_cell(lesson, "predict(ask_kernel.ISOLATION)"), f"{ask_kernel.ISOLATION.answer(**facts):,}")
    isolated = code_cell(lesson, "reveal(ask_kernel.ISOLATION")
    isolated.get_by_text("Right.").wait_for()
    isolated.locator(SVG).first.scroll_into_view_if_needed()
    lesson.screenshot("lesson-01-isolation")


def test_practice_names_the_belief_then_accepts_the_right_number(lesson: LabPage) -> None:
    practise(lesson, "same_address_steps.ALONE", same_address_steps.ALONE, "lesson-01-practice")


def test_the_explorer_follows_the_keyboard_in_place(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.translation_explorer()")
    said, full = cell.get_by_role("status").inner_text(), heights(lesson, cell)
    before = lesson.picture_hash(cell, SVG)
    address = cell.get_by_label("Virtual address")
    address.fill("0x1200000")
    lesson.wait_for_change(cell, SVG, before)
    cell.get_by_text("this page is shared").wait_for()
    assert said != cell.get_by_role("status").inner_text()
    address.fill("0x400000")
    cell.get_by_text("Virtual 0x40_0000: p0 finds it").first.wait_for()
    assert lowest(lesson) > 0.9 * full, "the output area keeps its height"
    lesson.screenshot("lesson-01-explorer")


def test_the_explorer_shows_other_formats_and_says_what_is_no_address(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.translation_explorer()")
    machine = cell.get_by_label("Recorded machine")
    machine.focus()
    machine.select_option("amd64 PC, five levels")
    cell.get_by_text("p4d, entry 0").first.wait_for()
    lesson.screenshot("lesson-01-five-levels")
    cell.get_by_label("Right process").select_option("p1, the tables of user mode")
    cell.get_by_role("alert").wait_for()
    assert "no second root" in cell.get_by_role("alert").inner_text()
    machine.select_option("amd64 PC with page-table isolation")
    cell.get_by_role("alert").wait_for(state="detached")
    cell.get_by_label("Virtual address").fill("page one")
    cell.get_by_role("alert").wait_for()
    assert 1 == cell.locator(SVG).count(), "the last good picture stays"
    lesson.screenshot("lesson-01-error")
    cell.get_by_label("Virtual address").fill("0xf11001")
    cell.get_by_label("Show the same as a table").press("Space")
    cell.locator("table").get_by_text("base register").first.wait_for()
    lesson.screenshot("lesson-01-table")
