"""Lesson 03 in a real JupyterLab: predictions, practice, lookups by keyboard, switches step by step."""

from __future__ import annotations

import re

from labpage import LabPage
from lessonpage import SVG, anew, changes, code_cell, commit, commit_number, heights, lowest, practise
from playwright.sync_api import expect

from vmlab.study.questions import tlb as ask
from vmlab.study.questions import tlb_sets, tlb_steps, tlb_strides, tlb_switch

NOTEBOOK = "03-tlb-and-asids.ipynb"


def test_a_wrong_prediction_meets_its_belief_and_the_picture(lesson: LabPage) -> None:
    question, facts = ask.BIGGER, ask.BIGGER.variant()
    options = question.options(facts)
    commit(code_cell(lesson, "predict(ask.BIGGER)"), options["none"])
    shown = code_cell(lesson, "reveal(ask.BIGGER")
    shown.locator(SVG).first.wait_for()
    for text in ("You predicted", "a bigger TLB always solves it", options["same"]):
        expect(shown).to_contain_text(text)
    shown.scroll_into_view_if_needed()
    lesson.screenshot("lesson-03-wrong-prediction")

    commit(code_cell(lesson, "predict(ask.HUGE)"), ask.HUGE.options(ask.HUGE.variant())["two"])
    code_cell(lesson, "reveal(ask.HUGE").get_by_text("2,097,152").wait_for()
    commit_number(code_cell(lesson, "predict(tlb_switch.NO_PCID)"), str(tlb_switch.NO_PCID.variant()["both"]))
    flushed = code_cell(lesson, "reveal(tlb_switch.NO_PCID")
    flushed.get_by_text("a context switch empties the TLB").wait_for()
    gone = f"forget all but global entries, {tlb_switch.NO_PCID.variant()['mine']} entries"
    flushed.get_by_text(gone).wait_for()
    flushed.scroll_into_view_if_needed()
    lesson.screenshot("lesson-03-switch-log")


def test_right_predictions_are_called_right_and_own_reads_are_timed(lesson: LabPage) -> None:
    for question, name in ((ask.MATRIX, "ask.MATRIX"), (tlb_strides.STRIDES, "tlb_strides.STRIDES")):
        facts = question.variant()
        commit(code_cell(lesson, f"predict({name})"), question.said(question.answer(**facts), facts))
        cell = code_cell(lesson, f"reveal({name}")
        cell.get_by_text("Right.").wait_for(timeout=60_000)
        cell.locator(SVG).first.scroll_into_view_if_needed()
        lesson.screenshot(f"lesson-03-{name.partition('.')[2].lower()}")
    own = re.compile("Shown: your own machine")
    expect(cell.locator("[role=img]").first).to_have_attribute("aria-label", own)


def test_practice_names_the_belief_then_accepts_the_right_number(lesson: LabPage) -> None:
    practise(lesson, "tlb_steps.COST", tlb_steps.COST, "lesson-03-practice")

    facts = tlb_sets.SET_STEP.variant()
    blank = code_cell(lesson, "practise(tlb_sets.SET_STEP)")
    expect(blank.locator("table")).to_contain_text("?")
    blank.get_by_label("Your answer").fill(str(tlb_sets.SET_STEP.answer(**facts)))
    blank.get_by_role("button", name="Check").press("Enter")
    blank.get_by_text("Right.").wait_for()


def test_a_lookup_is_stepped_through_by_keyboard(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.lookup_explorer()")
    forth, back = (cell.get_by_role("button", name=f"{word} step") for word in ("Next", "Previous"))
    full = heights(lesson, cell)
    for step in range(1, 7):
        forth.press("Space")
        expect(cell.locator(SVG).first).to_contain_text(f"After {step} of 12")
    status = cell.get_by_role("status")
    status.get_by_text("evict: the set is full").wait_for()
    cell.locator(SVG).first.scroll_into_view_if_needed()
    lesson.screenshot("lesson-03-lookup")
    back.press("Space")
    cell.get_by_text("After 5 of 12").wait_for()
    expect(status).not_to_contain_text("evict")
    assert lowest(lesson) > 0.9 * full, "the output area keeps its height"


def test_a_real_program_follows_the_geometry_in_place(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.geometry_explorer()")
    slider = cell.locator(".noUi-handle").first
    full = heights(lesson, cell)
    with changes(lesson, cell):
        lesson.press(slider)
    lesson.screenshot("lesson-03-geometry")
    cell.get_by_label("Policy").select_option(label="PLRU")
    expect(cell.get_by_role("alert")).to_contain_text("PLRU")
    assert lowest(lesson) > 0.9 * full
    cell.get_by_label("Policy").select_option(label="LRU")
    cell.get_by_role("alert").wait_for(state="detached")
    cell.get_by_label("Show the same as a table").press("Space")
    cell.locator("table").get_by_text("hit ratio").wait_for()


def test_switches_are_stepped_through_and_what_cannot_be_is_said(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.switch_explorer()")
    status, full = cell.get_by_role("status"), heights(lesson, cell)
    expect(status).to_contain_text("0 walks")
    cell.get_by_label("Machine").select_option(label="x86 without PCIDs")
    status.get_by_text("3 walks").wait_for()
    forth = cell.get_by_role("button", name="Next step")
    with changes(lesson, cell):
        forth.press("Space")
        status.get_by_text("switch from p0 to p1").wait_for()
    cell.get_by_label("Machine").select_option(label="x86 with PCIDs")
    status.get_by_text("still its own and up to date").wait_for()
    cell.locator(SVG).first.scroll_into_view_if_needed()
    lesson.screenshot("lesson-03-switch")
    cell.get_by_label("Page-table isolation").select_option(label="on (x86 only)")
    status.get_by_text("user mode has a table of its own").wait_for()
    lesson.screenshot("lesson-03-isolation")
    cell.get_by_label("Machine").select_option(label="ARM, 8-bit ASIDs")
    expect(cell.get_by_role("alert")).to_contain_text("two x86 machines")
    assert lowest(lesson) > 0.7 * full
