"""Lesson 04 in a real JupyterLab: predictions, practice, the ledger step by step, zones under a slider."""

from __future__ import annotations

from labpage import LabPage
from lessonpage import SVG, anew, changes, code_cell, commit_number, heights, lowest, practise
from playwright.sync_api import expect

from vmlab.study.questions import zones as ask
from vmlab.study.questions import zones_kept as kept
from vmlab.study.questions import zones_steps

NOTEBOOK = "04-from-firmware-map-to-zones.ipynb"


def test_a_wrong_prediction_meets_its_belief_and_the_picture(lesson: LabPage) -> None:
    commit_number(code_cell(lesson, "predict(ask.PRESENT)"), "4,095")
    shown = code_cell(lesson, "reveal(ask.PRESENT")
    shown.locator(SVG).first.wait_for()
    right = ask.PRESENT.show(ask.PRESENT.answer(**ask.PRESENT.variant()))
    for text in ("You predicted", "every frame of a zone is RAM", right):
        expect(shown).to_contain_text(text)
    shown.scroll_into_view_if_needed()
    lesson.screenshot("lesson-04-wrong-prediction")


def test_right_predictions_are_called_right(lesson: LabPage) -> None:
    facts = ask.TOP_DOWN.variant()
    commit_number(code_cell(lesson, "predict(ask.TOP_DOWN)"), hex(ask.TOP_DOWN.answer(**facts)))
    shown = code_cell(lesson, "reveal(ask.TOP_DOWN")
    shown.get_by_text("Right.").wait_for()
    shown.scroll_into_view_if_needed()
    lesson.screenshot("lesson-04-right-prediction")
    commit_number(code_cell(lesson, "predict(ask.LOWMEM)"), "896")
    areas = code_cell(lesson, "reveal(ask.LOWMEM")
    areas.get_by_text("That is the number in the books").wait_for()
    areas.scroll_into_view_if_needed()
    lesson.screenshot("lesson-04-areas")
    commit_number(code_cell(lesson, "predict(kept.RESERVE)"), "826")
    code_cell(lesson, "reveal(kept.RESERVE)").get_by_text("the numbers of one file are of one moment").wait_for()
    assert kept.RESERVE.check(824, kept.RESERVE.variant()).kind == "right"


def test_practice_names_a_belief_and_takes_the_right_answer(lesson: LabPage) -> None:
    practise(lesson, "zones_steps.PLACE", zones_steps.PLACE, "lesson-04-practice")


def test_the_ledger_is_stepped_through_by_buttons_slider_and_number(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.boot_explorer(")
    status = cell.get_by_role("status")
    full = heights(lesson, cell)
    lesson.screenshot("lesson-04-ledger")
    cell.get_by_text("Step 7 of 44").first.wait_for()
    cell.get_by_role("button", name="Next step").press("Space")
    status.get_by_text("Step 8 of 44").wait_for()
    cell.get_by_role("button", name="Previous step").press("Enter")
    status.get_by_text("Step 7 of 44").wait_for()
    readout = cell.locator(".widget-readout").first
    readout.fill("13")
    readout.press("Enter")
    status.get_by_text("the array of struct page").first.wait_for()
    lesson.screenshot("lesson-04-ledger-13")
    with changes(lesson, cell):
        lesson.press(cell.get_by_role("slider").first, times=3)
    status.get_by_text("Step 16 of 44").wait_for()
    expect(readout).to_have_text("16")
    assert lowest(lesson) > 0.9 * full


def test_zones_follow_a_key_in_place(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.zones_explorer()")
    slider = cell.get_by_role("slider").nth(1)  # vmalloc=
    full = heights(lesson, cell)
    with changes(lesson, cell):
        lesson.press(slider)
    lesson.screenshot("lesson-04-zones")
    assert lowest(lesson) > 0.9 * full


def test_a_machine_that_cannot_be_is_refused_in_words_and_another_board_is_drawn(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.zones_explorer()")
    readout = cell.locator(".widget-readout").first
    readout.fill("4096")
    readout.press("Enter")
    alert = cell.get_by_role("alert")
    expect(alert).to_contain_text("can have at most 3072 MiB")
    expect(cell.locator(SVG)).to_have_count(1)
    lesson.screenshot("lesson-04-error")
    cell.get_by_label("Board").select_option("amd64 PC")
    alert.wait_for(state="detached")
    cell.get_by_role("status").get_by_text("DMA32").first.wait_for()
    cell.get_by_label("Show the same as a table").press("Space")
    cell.locator("table").get_by_text("DMA32").first.wait_for()
    cell.locator(SVG).first.scroll_into_view_if_needed()
    lesson.screenshot("lesson-04-amd64")
