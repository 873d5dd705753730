"""Lesson 07 in a real JupyterLab, as a student goes through it: by keyboard, with wrong and right answers."""

from __future__ import annotations

import pytest
from conftest import Server
from labpage import LabPage
from playwright.sync_api import Locator
from test_lesson_05 import code_cell, commit, heights

from vmlab.study.questions import slab as ask
from vmlab.study.questions import slab_steps, slab_vmalloc

NOTEBOOK = "07-slab-and-vmalloc.ipynb"
SVG = ".widget-html-content svg"


@pytest.fixture
def lesson(lab: LabPage, server: Server) -> LabPage:
    """The lesson, run from top to bottom, with nothing answered yet."""
    (server.folder.parent / "state" / "data" / "vmlab-progress.json").unlink(missing_ok=True)
    lab.open_notebook(NOTEBOOK)
    lab.run_all()
    return lab


def output(cell: Locator) -> Locator:
    return cell.locator(".jp-Cell-outputArea")


def test_a_wrong_prediction_opens_its_result_and_names_the_belief(lesson: LabPage) -> None:
    shown = code_cell(lesson, "reveal(areas.ZONE")
    assert "Shut until you commit" in shown.inner_text()
    assert 0 == shown.locator(SVG).count()
    options = slab_vmalloc.ZONE.options({})
    commit(code_cell(lesson, "predict(areas.ZONE)"), options["low"])
    shown.locator(SVG).first.wait_for()
    text = shown.inner_text()
    assert options["high"] in text
    assert slab_vmalloc.ZONE.check("low", {}).text in text
    output(shown).scroll_into_view_if_needed()
    lesson.screenshot("lesson-07-vmalloc-prediction")

    right = code_cell(lesson, "reveal(ask.HOME")
    commit(code_cell(lesson, "predict(ask.HOME)"), ask.HOME.options({})["lowmem"])
    right.get_by_text("Right.").wait_for()
    assert lesson.console_errors == []


def test_practice_names_the_belief_then_accepts_the_right_number(lesson: LabPage) -> None:
    question = slab_steps.OBJECTS
    facts = question.variant()
    cell = code_cell(lesson, "practise(slab_steps.OBJECTS)")
    box, button = cell.get_by_label("Your answer"), cell.get_by_role("button", name="Check")
    wrong = question.misconceptions[0]
    box.fill(str(wrong.answer(**facts)))
    button.press("Enter")
    cell.get_by_text(wrong.belief).wait_for()
    for text in (*(question.hints or ()), "A twin, worked out"):
        cell.get_by_role("button", name="Hint").press("Enter")
        cell.get_by_text(text).first.wait_for()
    lesson.screenshot("lesson-07-practice")
    box.fill(f"{question.answer(**facts):,}")
    button.press("Enter")
    cell.get_by_text("Right.").wait_for()
    assert lesson.console_errors == []


def test_the_slab_s_layout_follows_a_slider_by_keyboard(lesson: LabPage) -> None:
    cell = code_cell(lesson, "explore.order_explorer()")
    slider = cell.get_by_role("slider").first
    output(cell).scroll_into_view_if_needed()
    text, full = cell.get_by_role("status").inner_text(), output(cell).bounding_box()["height"]
    heights(lesson, cell)
    before = lesson.picture_hash(cell, SVG)
    lesson.press(slider)
    lesson.wait_for_change(cell, SVG, before)
    assert text != cell.get_by_role("status").inner_text()
    print(f"layout: {lesson.key_to_pixel(cell, slider, SVG, times=10)}")
    lesson.screenshot("lesson-07-layout")
    assert lesson.page.evaluate("() => window.lowest") > 0.9 * full, "the output area keeps its height"
    assert lesson.console_errors == []


def test_objects_come_and_go_by_keyboard_and_a_double_free_is_named(lesson: LabPage) -> None:
    cell = code_cell(lesson, "explore.objects_explorer()")
    output(cell).scroll_into_view_if_needed()
    full, before = output(cell).bounding_box()["height"], lesson.picture_hash(cell, SVG)
    heights(lesson, cell)
    allocate = cell.get_by_role("button", name="Allocate on CPU 0")
    allocate.press("Enter")
    lesson.wait_for_change(cell, SVG, before)
    cell.get_by_text("for owner E").wait_for()
    print(f"objects: {lesson.key_to_pixel(cell, allocate, SVG, key='Enter', times=10)}")
    cell.get_by_role("button", name="Free the newest").press("Enter")
    cell.get_by_text("gave").first.wait_for()
    lesson.screenshot("lesson-07-objects")
    cell.get_by_role("button", name="Free the last freed again").press("Enter")
    cell.get_by_role("alert").wait_for()
    assert "the object is free already" in cell.get_by_role("alert").inner_text()
    lesson.screenshot("lesson-07-double-free")
    cell.get_by_role("button", name="Undo").press("Enter")
    cell.get_by_role("alert").wait_for(state="detached")
    assert lesson.page.evaluate("() => window.lowest") > 0.9 * full, "the output area keeps its height"
    assert lesson.console_errors == []


def test_vmalloc_space_takes_typed_letters(lesson: LabPage) -> None:
    cell = code_cell(lesson, "explore.vmalloc_explorer()")
    output(cell).scroll_into_view_if_needed()
    before = lesson.picture_hash(cell, SVG)
    cell.get_by_label("Done so far").fill("sslos")
    lesson.wait_for_change(cell, SVG, before)
    cell.get_by_text("12 KiB freed addresses wait").wait_for()
    lesson.screenshot("lesson-07-vmalloc")
    cell.get_by_role("button", name="Flush the TLBs").press("Enter")
    cell.get_by_text("they may be used again").wait_for()
    cell.get_by_label("Show the same as a table").press("Space")
    cell.locator("table").get_by_text("HighMem").first.wait_for()
    assert lesson.console_errors == []
