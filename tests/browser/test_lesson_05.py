"""Lesson 05 in a real JupyterLab, as a student goes through it: by keyboard, with wrong and right answers."""

from __future__ import annotations

import pytest
from labpage import LabPage, handle
from playwright.sync_api import Locator

from vmlab.study.questions import mem_map as ask
from vmlab.study.questions import mem_map_steps

NOTEBOOK = "05-where-is-mem_map.ipynb"
SVG = ".widget-html-content svg"
BARS = """
import vmlab as vm
from vmlab import views
from vmlab.explore import Explorer, Scene, Slider
def draw(mib):
    return Scene(views.zone_bars(vm.boot(vm.Machine(arch="arm", ram=[vm.Region(0x4000_0000, mib * vm.MiB)]))))
Explorer(draw, [Slider("mib", "RAM, MiB", 512, 3000, 8, 1024)])
"""


@pytest.fixture
def lesson(lab: LabPage) -> LabPage:
    """The lesson, run from top to bottom, with nothing answered yet."""
    lab.open_cells("from vmlab import study; study.forget()", name="forget.ipynb")
    lab.run_all()
    lab.open_notebook(NOTEBOOK)
    lab.run_all()
    return lab


def code_cell(lab: LabPage, source: str) -> Locator:
    """The code cell whose source has this text."""
    return lab.page.locator(".jp-CodeCell", has=lab.page.locator(".jp-InputArea", has_text=source)).first


def heights(lab: LabPage, cell: Locator) -> None:
    """Record the lowest height of the cell's output from now on, at every animation frame."""
    lab.page.evaluate(
        """root => { const area = root.querySelector('.jp-Cell-outputArea'); window.lowest = Infinity;
        const look = () => { window.lowest = Math.min(window.lowest, area.getBoundingClientRect().height);
        requestAnimationFrame(look); }; look(); }""",
        handle(cell),
    )


def commit(cell: Locator, words: str) -> None:
    """Choose the answer with these words by keyboard and commit it."""
    radio = cell.get_by_label(words, exact=True)
    radio.scroll_into_view_if_needed()
    radio.focus()
    cell.page.keyboard.press("Space")
    button = cell.get_by_role("button", name="Commit")
    button.focus()
    cell.page.keyboard.press("Enter")
    cell.get_by_text("Committed.").wait_for()


def test_all_cells_run_and_nothing_is_given_away(lesson: LabPage) -> None:
    for source in ("reveal(ask.MORE_FREE)", "reveal(ask.WHERE"):
        cell = code_cell(lesson, source)
        assert "Shut until you commit" in cell.inner_text()
        assert 0 == cell.locator(SVG).count()
    assert lesson.console_errors == []


def test_a_wrong_prediction_is_shown_beside_the_result_with_the_belief_behind_it(lesson: LabPage) -> None:
    facts = ask.WHERE.variant()
    commit(code_cell(lesson, "predict(ask.WHERE)"), ask.PLACES["high"])
    shown = code_cell(lesson, "reveal(ask.WHERE")
    shown.locator(SVG).first.wait_for()
    text = shown.inner_text()

    assert "You predicted" in text
    assert ask.PLACES["high"] in text
    assert ask.PLACES["top"] in text
    assert ask.WHERE.check("high", facts).text in text
    assert "One sentence" in text
    shown.scroll_into_view_if_needed()
    lesson.screenshot("lesson-05-wrong-prediction")
    assert lesson.console_errors == []


def test_a_right_prediction_is_called_right_and_a_sentence_is_kept(lesson: LabPage) -> None:
    options = ask.MORE_FREE.options(ask.MORE_FREE.variant())
    commit(code_cell(lesson, "predict(ask.MORE_FREE)"), options["nothing"])
    shown = code_cell(lesson, "reveal(ask.MORE_FREE)")
    shown.get_by_text("Right.").wait_for()
    shown.locator("textarea").fill("free is never more than managed")
    shown.get_by_role("button", name="Keep my sentence").press("Enter")
    shown.get_by_text("Kept.").wait_for()
    lesson.screenshot("lesson-05-right-prediction")


def test_practice_names_the_belief_then_accepts_the_right_number(lesson: LabPage) -> None:
    question = mem_map_steps.SIZE
    facts = question.variant()
    cell = code_cell(lesson, "practise(mem_map_steps.SIZE)")
    box, button = cell.get_by_label("Your answer"), cell.get_by_role("button", name="Check")
    wrong = question.misconceptions[0]
    box.fill(str(wrong.answer(**facts)))
    button.press("Enter")
    cell.get_by_text(wrong.belief).wait_for()
    button.press("Enter")
    cell.get_by_text("Change it, or take another variant").wait_for()
    for text in (*(question.hints or ()), "A twin, worked out"):
        cell.get_by_role("button", name="Hint").press("Enter")
        cell.get_by_text(text).first.wait_for()
    lesson.screenshot("lesson-05-practice")
    box.fill(f"{question.answer(**facts):,}")
    button.press("Enter")
    cell.get_by_text("Right.").wait_for()


def test_a_slider_moved_by_key_changes_picture_and_text_in_place(lesson: LabPage) -> None:
    cell = code_cell(lesson, "explore.mem_map_explorer()")
    slider = cell.get_by_role("slider").nth(1)  # vmalloc=
    cell.locator(SVG).first.scroll_into_view_if_needed()
    text = cell.get_by_role("status").inner_text()
    full = cell.locator(".jp-Cell-outputArea").bounding_box()["height"]
    heights(lesson, cell)
    before = lesson.picture_hash(cell, SVG)
    lesson.press(slider)
    lesson.wait_for_change(cell, SVG, before)
    assert text != cell.get_by_role("status").inner_text()
    assert "256" == cell.locator(".widget-readout").nth(1).inner_text()
    latency = lesson.key_to_pixel(cell, slider, SVG)
    print(f"ruler: {latency}")
    lesson.screenshot("lesson-05-explorer")
    assert lesson.page.evaluate("() => window.lowest") > 0.9 * full
    assert lesson.console_errors == []


def test_what_cannot_be_built_is_said_over_the_last_good_picture(lesson: LabPage) -> None:
    cell = code_cell(lesson, "explore.mem_map_explorer()")
    readout = cell.locator(".widget-readout").first
    readout.fill("512")
    readout.press("Enter")
    alert = cell.get_by_role("alert")
    alert.wait_for()
    assert "cannot be cut from HighMem" in alert.inner_text()
    assert 1 == cell.locator(SVG).count()
    lesson.screenshot("lesson-05-error")
    readout.fill("2048")
    readout.press("Enter")
    alert.wait_for(state="detached")


def test_a_typed_frame_is_answered_and_the_table_opens(lesson: LabPage) -> None:
    cell = code_cell(lesson, "explore.mem_map_explorer()")
    cell.get_by_label("May I write to frame").fill("0x6f000")
    cell.get_by_text("Frame 0x6f000: no; it holds struct pages").wait_for()
    cell.get_by_label("Show the same as a table").press("Space")
    cell.locator("table").get_by_text("zone NewMem").wait_for()
    lesson.screenshot("lesson-05-frame")


def test_a_burst_of_keys_ends_on_the_last_value(lesson: LabPage) -> None:
    cell = code_cell(lesson, "explore.mem_map_explorer()")
    lesson.press(cell.get_by_role("slider").nth(2), key="ArrowLeft", times=16)  # NewMem: 512 down to 0
    cell.get_by_text("NewMem is frames").wait_for(state="detached", timeout=3000)
    assert "0" == cell.locator(".widget-readout").nth(2).inner_text()


def test_a_matplotlib_explorer_follows_a_key_too(lab: LabPage) -> None:
    lab.open_cells(BARS)
    lab.run_all()
    cell = lab.cell("Explorer(draw")
    lab.wait_for_change(cell, "img.widget-image", None)
    print(f"bars: {lab.key_to_pixel(cell, cell.locator('.noUi-handle'), 'img.widget-image')}")
    lab.screenshot("zone-bars")
    assert lab.console_errors == []
