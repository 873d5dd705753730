"""Lesson 11 in a real JupyterLab: predictions, practice, a policy stepped through, real programs, all by keyboard."""

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

from vmlab.study.questions import reclaim as ask
from vmlab.study.questions import reclaim_steps

NOTEBOOK = "11-reclaim-and-replacement.ipynb"


def test_a_prediction_opens_its_result_and_names_the_belief(lesson: LabPage) -> None:
    shown = code_cell(lesson, "reveal(ask.ANOMALY")
    expect_shut(shown)
    commit_number(code_cell(lesson, "predict(ask.ANOMALY)"), "8")
    shown.get_by_text("a frame more saves a miss").wait_for()
    shown.get_by_text("miss, out: 1").first.wait_for()
    output(shown).scroll_into_view_if_needed()
    lesson.screenshot("lesson-11-anomaly")
    options = ask.COUNTING.options(ask.COUNTING.variant())
    commit(code_cell(lesson, "predict(ask.COUNTING)"), options["many"])
    right = code_cell(lesson, "reveal(ask.COUNTING")
    right.get_by_text("Right.").wait_for()
    output(right).scroll_into_view_if_needed()
    lesson.screenshot("lesson-11-counting")
    commit(code_cell(lesson, "predict(ask.CLIFF)"), ask.CLIFF.options(ask.CLIFF.variant())["third"])
    cliff = code_cell(lesson, "reveal(ask.CLIFF")
    cliff.locator(SVG).first.wait_for()
    cliff.locator(SVG).first.scroll_into_view_if_needed()
    lesson.screenshot("lesson-11-curve")


def test_practice_names_the_belief_then_accepts_the_right_page(lesson: LabPage) -> None:
    practise(lesson, "reclaim_steps.OPT_VICTIM", reclaim_steps.OPT_VICTIM, "lesson-11-practice")
    own = code_cell(lesson, "explore.own_reclaim()")
    output(own).scroll_into_view_if_needed()
    expect(output(own)).to_contain_text("your own machine")
    lesson.screenshot("lesson-11-own")


def test_a_policy_is_stepped_through_by_keyboard_and_a_typed_string_is_taken(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.steps_explorer()")
    forth = cell.get_by_role("button", name="Next step")
    full = heights(lesson, cell)
    for step in range(4, 8):
        forth.press("Space")
        expect(cell.locator(SVG).first).to_contain_text(f"{step} references")
    cell.get_by_role("status").get_by_text("page 4 goes").first.wait_for()
    lesson.screenshot("lesson-11-steps-fifo")
    with changes(lesson, cell):
        cell.get_by_label("Policy").select_option(label="ARC")
    cell.get_by_text("(ghosts)").first.wait_for()
    lesson.screenshot("lesson-11-steps-arc")
    typed = cell.get_by_role("textbox", name="References")
    typed.fill("1 2 x")
    expect(cell.get_by_role("alert")).to_contain_text("expected page numbers")
    typed.fill("7 7 7 8")
    cell.get_by_role("alert").wait_for(state="detached")
    assert lowest(lesson) > 0.6 * full


def test_the_miss_curve_of_a_real_program_follows_the_slider(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.sizes_explorer()")
    slider = cell.get_by_role("slider").first
    full = heights(lesson, cell)
    with changes(lesson, cell):
        lesson.press(slider)
    lesson.screenshot("lesson-11-sizes")
    with changes(lesson, cell):
        cell.get_by_label("Program").select_option(label="sqlite")
    cell.get_by_text("first uses, which no policy avoids").wait_for()
    assert lowest(lesson) > 0.9 * full, "the output area keeps its height"
