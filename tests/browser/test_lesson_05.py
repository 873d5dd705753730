"""Lesson 05 in a real JupyterLab, as a student goes through it: by keyboard, with wrong and right answers."""

from __future__ import annotations

from labpage import LabPage, handle
from lessonpage import SVG, anew, changes, code_cell, commit, expect_shut, heights, lowest, practise
from playwright.sync_api import Locator, expect

from vmlab.study.questions import mem_map as ask
from vmlab.study.questions import mem_map_steps

NOTEBOOK = "05-where-is-mem_map.ipynb"


def count_pictures(lab: LabPage, cell: Locator) -> None:
    """Count the pictures drawn from now on, and the time from the first key to the last of them."""
    lab.page.evaluate(
        """root => { window.burst = {pictures: 0, ms: 0}; let first = null;
        document.addEventListener('keydown', e => { first = e.timeStamp; }, {capture: true, once: true});
        new MutationObserver(all => { if (all.some(m => [...m.addedNodes].some(n => n.querySelector?.('svg')))) {
          window.burst.pictures += 1; window.burst.ms = performance.now() - first; } })
          .observe(root, {subtree: true, childList: true}); }""",
        handle(cell),
    )


def test_a_prediction_opens_its_result_with_the_belief_behind_a_wrong_one(lesson: LabPage) -> None:
    shown = code_cell(lesson, "reveal(ask.WHERE")
    expect_shut(shown)

    commit(code_cell(lesson, "predict(ask.WHERE)"), ask.PLACES["high"])
    shown.locator(SVG).first.wait_for()
    feedback = ask.WHERE.check("high", ask.WHERE.variant()).text
    for text in ("You predicted", ask.PLACES["high"], ask.PLACES["top"], feedback, "One sentence"):
        expect(shown).to_contain_text(text)
    shown.scroll_into_view_if_needed()
    lesson.screenshot("lesson-05-wrong-prediction")

    commit(code_cell(lesson, "predict(ask.MORE_FREE)"), ask.MORE_FREE.options(ask.MORE_FREE.variant())["nothing"])
    right = code_cell(lesson, "reveal(ask.MORE_FREE)")
    right.get_by_text("Right.").wait_for()
    right.locator("textarea").fill("free is never more than managed")
    right.get_by_role("button", name="Keep my sentence").press("Enter")
    right.get_by_text("Kept.").wait_for()
    lesson.screenshot("lesson-05-right-prediction")


def test_practice_names_the_belief_then_accepts_the_right_number(lesson: LabPage) -> None:
    practise(lesson, "mem_map_steps.SIZE", mem_map_steps.SIZE, "lesson-05-practice")


def test_the_explorer_changes_in_place_by_keyboard(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.mem_map_explorer()")
    slider, readout = cell.get_by_role("slider").nth(1), cell.locator(".widget-readout").nth(1)  # vmalloc=
    full = heights(lesson, cell)
    with changes(lesson, cell):
        lesson.press(slider)
    expect(readout).to_have_text("256")
    lesson.press(slider, times=20)
    lesson.screenshot("lesson-05-explorer")

    count_pictures(lesson, cell)
    lesson.press(slider, key="ArrowLeft", times=21)  # a burst ends on its last value
    cell.get_by_text("frames, 0x6edf9 to 0x6fff8").wait_for()
    print("burst of 21 keys: {pictures} pictures in {ms:.0f} ms".format(**lesson.page.evaluate("() => window.burst")))
    expect(readout).to_have_text("240")
    assert lowest(lesson) > 0.9 * full, "the output area keeps its height"


def test_the_explorer_takes_typed_numbers_and_says_what_cannot_be_built(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.mem_map_explorer()")
    ram = cell.locator(".widget-readout").first
    ram.fill("512")
    ram.press("Enter")
    expect(cell.get_by_role("alert")).to_contain_text("cannot be cut from HighMem")
    expect(cell.locator(SVG), "the last good picture stays").to_have_count(1)
    lesson.screenshot("lesson-05-error")
    ram.fill("2048")
    ram.press("Enter")
    cell.get_by_role("alert").wait_for(state="detached")

    cell.get_by_label("May I write to frame").fill("0x6f000")
    cell.get_by_text("Frame 0x6f000: no; it holds struct pages").wait_for()
    cell.get_by_label("Show the same as a table").press("Space")
    cell.locator("table").get_by_text("zone NewMem").wait_for()
    lesson.screenshot("lesson-05-frame")
