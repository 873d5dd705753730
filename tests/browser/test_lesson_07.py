"""Lesson 07 in a real JupyterLab, as a student goes through it: by keyboard, with wrong and right answers."""

from __future__ import annotations

from labpage import LabPage
from lessonpage import SVG, anew, changes, code_cell, commit, expect_shut, heights, lowest, output, practise
from playwright.sync_api import expect

from vmlab.study.questions import slab as ask
from vmlab.study.questions import slab_steps, slab_vmalloc

NOTEBOOK = "07-slab-and-vmalloc.ipynb"


def test_a_wrong_prediction_opens_its_result_and_names_the_belief(lesson: LabPage) -> None:
    shown = code_cell(lesson, "reveal(areas.ZONE")
    expect_shut(shown)
    options = slab_vmalloc.ZONE.options({})
    commit(code_cell(lesson, "predict(areas.ZONE)"), options["low"])
    shown.locator(SVG).first.wait_for()
    expect(shown).to_contain_text(options["high"])
    expect(shown).to_contain_text(slab_vmalloc.ZONE.check("low", {}).text)
    output(shown).scroll_into_view_if_needed()
    lesson.screenshot("lesson-07-vmalloc-prediction")

    right = code_cell(lesson, "reveal(ask.HOME")
    commit(code_cell(lesson, "predict(ask.HOME)"), ask.HOME.options({})["lowmem"])
    right.get_by_text("Right.").wait_for()


def test_practice_names_the_belief_then_accepts_the_right_number(lesson: LabPage) -> None:
    practise(lesson, "slab_steps.OBJECTS", slab_steps.OBJECTS, "lesson-07-practice")


def test_the_slab_s_layout_follows_a_slider_by_keyboard(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.order_explorer()")
    slider = cell.get_by_role("slider").first
    full = heights(lesson, cell)
    with changes(lesson, cell):
        lesson.press(slider)
    lesson.screenshot("lesson-07-layout")
    assert lowest(lesson) > 0.9 * full, "the output area keeps its height"


def test_objects_come_and_go_by_keyboard_and_a_double_free_is_named(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.objects_explorer()")
    full = heights(lesson, cell)
    with changes(lesson, cell):
        allocate = cell.get_by_role("button", name="Allocate on CPU 0")
        allocate.press("Enter")
    cell.get_by_text("for owner E").wait_for()
    cell.get_by_role("button", name="Free the newest").press("Enter")
    cell.get_by_text("gave").first.wait_for()
    lesson.screenshot("lesson-07-objects")
    cell.get_by_role("button", name="Free the last freed again").press("Enter")
    expect(cell.get_by_role("alert")).to_contain_text("the object is free already")
    lesson.screenshot("lesson-07-double-free")
    cell.get_by_role("button", name="Undo").press("Enter")
    cell.get_by_role("alert").wait_for(state="detached")
    assert lowest(lesson) > 0.9 * full, "the output area keeps its height"


def test_vmalloc_space_takes_typed_letters(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.vmalloc_explorer()")
    with changes(lesson, cell):
        cell.get_by_label("Done so far").fill("sslos")
    cell.get_by_text("12 KiB freed addresses wait").wait_for()
    lesson.screenshot("lesson-07-vmalloc")
    cell.get_by_role("button", name="Flush the TLBs").press("Enter")
    cell.get_by_text("they may be used again").wait_for()
    cell.get_by_label("Show the same as a table").press("Space")
    cell.locator("table").get_by_text("HighMem").first.wait_for()
