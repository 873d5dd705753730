"""Lesson 05 in a real JupyterLab, as a student goes through it: by keyboard, with wrong and right answers."""

from __future__ import annotations

from labpage import LabPage, handle
from lessonpage import SVG, anew, code_cell, commit, heights, is_shut, lowest, practise
from playwright.sync_api import Locator

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
    assert is_shut(shown)

    commit(code_cell(lesson, "predict(ask.WHERE)"), ask.PLACES["high"])
    shown.locator(SVG).first.wait_for()
    text = shown.inner_text()
    assert "You predicted" in text
    assert ask.PLACES["high"] in text
    assert ask.PLACES["top"] in text
    assert ask.WHERE.check("high", ask.WHERE.variant()).text in text
    assert "One sentence" in text
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
    text = cell.get_by_role("status").inner_text()
    full = heights(lesson, cell)
    before = lesson.picture_hash(cell, SVG)
    lesson.press(slider)
    lesson.wait_for_change(cell, SVG, before)
    assert text != cell.get_by_role("status").inner_text()
    assert "256" == readout.inner_text()
    lesson.press(slider, times=20)
    lesson.screenshot("lesson-05-explorer")

    count_pictures(lesson, cell)
    lesson.press(slider, key="ArrowLeft", times=21)  # a burst ends on its last value
    cell.get_by_text("frames, 0x6edf9 to 0x6fff8").wait_for(timeout=3000)
    print("burst of 21 keys: {pictures} pictures in {ms:.0f} ms".format(**lesson.page.evaluate("() => window.burst")))
    assert "240" == readout.inner_text()
    assert lowest(lesson) > 0.9 * full, "the output area keeps its height"


def test_the_explorer_takes_typed_numbers_and_says_what_cannot_be_built(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.mem_map_explorer()")
    ram = cell.locator(".widget-readout").first
    ram.fill("512")
    ram.press("Enter")
    cell.get_by_role("alert").wait_for()
    assert "cannot be cut from HighMem" in cell.get_by_role("alert").inner_text()
    assert 1 == cell.locator(SVG).count(), "the last good picture stays"
    lesson.screenshot("lesson-05-error")
    ram.fill("2048")
    ram.press("Enter")
    cell.get_by_role("alert").wait_for(state="detached")

    cell.get_by_label("May I write to frame").fill("0x6f000")
    cell.get_by_text("Frame 0x6f000: no; it holds struct pages").wait_for()
    cell.get_by_label("Show the same as a table").press("Space")
    cell.locator("table").get_by_text("zone NewMem").wait_for()
    lesson.screenshot("lesson-05-frame")
