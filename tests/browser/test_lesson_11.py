"""Lesson 11 in a real JupyterLab: predictions, practice, a policy stepped through, real programs, all by keyboard."""

from __future__ import annotations

from labpage import LabPage
from lessonpage import SVG, anew, code_cell, commit, commit_number, heights, is_shut, lowest, output, practise

from vmlab.study.questions import reclaim as ask
from vmlab.study.questions import reclaim_steps

NOTEBOOK = "11-reclaim-and-replacement.ipynb"


def test_a_prediction_opens_its_result_and_names_the_belief(lesson: LabPage) -> None:
    shown = code_cell(lesson, "reveal(ask.ANOMALY")
    assert is_shut(shown)
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
    assert "your own machine" in output(own).inner_text()
    lesson.screenshot("lesson-11-own")


def test_a_policy_is_stepped_through_by_keyboard_and_a_typed_string_is_taken(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.steps_explorer()")
    forth = cell.get_by_role("button", name="Next step")
    full = heights(lesson, cell)
    for step in range(4, 8):
        before = lesson.picture_hash(cell, SVG)
        forth.press("Space")
        lesson.wait_for_change(cell, SVG, before)
        assert f"{step} references" in cell.locator(SVG).first.text_content()
    cell.get_by_role("status").get_by_text("page 4 goes").first.wait_for()
    lesson.screenshot("lesson-11-steps-fifo")
    before = lesson.picture_hash(cell, SVG)
    cell.get_by_label("Policy").select_option(label="ARC")
    lesson.wait_for_change(cell, SVG, before)
    cell.get_by_text("(ghosts)").first.wait_for()
    lesson.screenshot("lesson-11-steps-arc")
    typed = cell.get_by_role("textbox", name="References")
    typed.fill("1 2 x")
    cell.get_by_role("alert").wait_for()
    assert "expected page numbers" in cell.get_by_role("alert").inner_text()
    typed.fill("7 7 7 8")
    cell.get_by_role("alert").wait_for(state="detached")
    assert lowest(lesson) > 0.6 * full


def test_the_miss_curve_of_a_real_program_follows_the_slider(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.sizes_explorer()")
    slider = cell.get_by_role("slider").first
    before, full = lesson.picture_hash(cell, SVG), heights(lesson, cell)
    lesson.press(slider)
    lesson.wait_for_change(cell, SVG, before)
    lesson.screenshot("lesson-11-sizes")
    before = lesson.picture_hash(cell, SVG)
    cell.get_by_label("Program").select_option(label="sqlite")
    lesson.wait_for_change(cell, SVG, before)
    cell.get_by_text("first uses, which no policy avoids").wait_for()
    assert lowest(lesson) > 0.9 * full, "the output area keeps its height"
