"""Lesson 01 in a real JupyterLab, as a student goes through it: by keyboard, with wrong and right answers."""

from __future__ import annotations

import re

from labpage import LabPage
from lessonpage import SVG, anew, changes, code_cell, commit, commit_number, expect_shut, heights, lowest, practise
from playwright.sync_api import expect

from vmlab.study.questions import same_address as ask
from vmlab.study.questions import same_address_kernel as ask_kernel
from vmlab.study.questions import same_address_steps

NOTEBOOK = "01-same-address-two-processes.ipynb"


def test_the_askers_own_belief_is_named_beside_the_real_tables(lesson: LabPage) -> None:
    shown = code_cell(lesson, "reveal(ask.WHERE")
    expect_shut(shown)
    facts = ask.WHERE.variant()
    words = ask.WHERE.options(facts)
    commit(code_cell(lesson, "predict(ask.WHERE)"), words["same"])
    shown.locator(SVG).first.wait_for()
    for text in (words["same"], words["other"], ask.WHERE.check("same", facts).text, "CR3 held"):
        expect(shown).to_contain_text(text)
    shown.locator(SVG).first.scroll_into_view_if_needed()
    lesson.screenshot("lesson-01-wrong-prediction")


def test_right_predictions_open_the_shared_page_and_the_second_table(lesson: LabPage) -> None:
    commit(code_cell(lesson, "predict(ask.MAP_SHARED)"), ask.MAP_SHARED.options(ask.MAP_SHARED.variant())["same"])
    shared = code_cell(lesson, "reveal(ask.MAP_SHARED")
    shared.get_by_text("Right.").wait_for()
    expect(shared.locator("[role=img]")).to_have_attribute("aria-label", re.compile("the same frame"))
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
    full, address = heights(lesson, cell), cell.get_by_label("Virtual address")
    with changes(lesson, cell):
        address.fill("0x1200000")
    cell.get_by_text("this page is shared").wait_for()
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
    expect(cell.get_by_role("alert")).to_contain_text("only one of these machines has a second table")
    machine.select_option("amd64 PC with page-table isolation")
    cell.get_by_role("alert").wait_for(state="detached")
    cell.get_by_label("Virtual address").fill("page one")
    cell.get_by_role("alert").wait_for()
    expect(cell.locator(SVG), "the last good picture stays").to_have_count(1)
    lesson.screenshot("lesson-01-error")
    cell.get_by_label("Virtual address").fill("0xf11001")
    cell.get_by_label("Show the same as a table").press("Space")
    cell.locator("table").get_by_text("base register").first.wait_for()
    lesson.screenshot("lesson-01-table")
