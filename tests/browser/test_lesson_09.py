"""Lesson 09 in a real JupyterLab, as a student goes through it: by keyboard, with wrong and right answers."""

from __future__ import annotations

from labpage import LabPage
from lessonpage import SVG, anew, changes, code_cell, commit, expect_shut, heights, lowest, output, practise
from playwright.sync_api import expect

from vmlab.study.questions import layout as ask
from vmlab.study.questions import layout_steps
from vmlab.study.questions import layout_tests as tests

NOTEBOOK = "09-logical-or-virtual.ipynb"


def test_a_wrong_prediction_opens_its_ruler_and_steps_are_practised(lesson: LabPage) -> None:
    shown = code_cell(lesson, "reveal(ask.STRUCT_PAGE, ")
    expect_shut(shown)
    options = ask.STRUCT_PAGE.options({})
    commit(code_cell(lesson, "predict(ask.STRUCT_PAGE)"), options["logical"])
    shown.locator(SVG).first.wait_for()
    expect(shown).to_contain_text(options["virtual"])
    expect(shown).to_contain_text(ask.STRUCT_PAGE.check("logical", {}).text)
    output(shown).scroll_into_view_if_needed()
    lesson.screenshot("lesson-09-struct-page")

    window = code_cell(lesson, "reveal(tests.WINDOW")
    commit(code_cell(lesson, "predict(tests.WINDOW)"), tests.WINDOW.options({})["yes"])
    window.get_by_text("Right.").wait_for()
    output(window).scroll_into_view_if_needed()
    lesson.screenshot("lesson-09-window")
    stack = code_cell(lesson, "reveal(tests.STACK")
    commit(code_cell(lesson, "predict(tests.STACK)"), tests.STACK.options({})["vmalloc"])
    stack.locator("table").get_by_text("vmemmap").first.wait_for()

    practise(lesson, "layout_steps.PHYSICAL", layout_steps.PHYSICAL, "lesson-09-practice")
    practise(lesson, "layout_steps.ALIAS", layout_steps.ALIAS, "lesson-09-alias")


def test_an_address_is_placed_typed_and_moved_by_kaslr_by_keyboard(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.address_explorer()")
    status, full = cell.get_by_role("status"), heights(lesson, cell)
    with changes(lesson, cell):
        cell.get_by_label("Kernel", exact=True).select_option("x86-64, 4 levels, KASLR")
    cell.get_by_label("Address of").select_option("kernel text")
    status.get_by_text("lies in kernel image").wait_for()
    with changes(lesson, cell):
        lesson.press(cell.get_by_role("slider").first)
    lesson.screenshot("lesson-09-kaslr")
    cell.get_by_label("Kernel", exact=True).select_option("arm64, 48 bits, 6.1")
    status.get_by_text("is_vmalloc_addr says yes").wait_for()
    lesson.screenshot("lesson-09-arm64")
    cell.get_by_label("Address of").select_option("the address typed below")
    cell.get_by_label("Or type an address").fill("0xzz")
    cell.get_by_role("alert").wait_for()
    lesson.screenshot("lesson-09-refused")
    cell.get_by_label("Or type an address").fill("ffff000012345678")
    status.get_by_text("lies in direct map").wait_for()
    cell.get_by_label("Show the same as a table").press("Space")
    cell.locator("table").get_by_text("vmemmap").first.wait_for()
    assert lowest(lesson) > 0.9 * full, "the output area keeps its height"


def test_one_address_goes_to_every_kernel_and_your_machine_is_shown(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.kernels_explorer()")
    with changes(lesson, cell):
        cell.get_by_label("Address", exact=True).fill("c0123456")
    cell.get_by_role("status").get_by_text("is logical under").wait_for()
    lesson.screenshot("lesson-09-kernels")
    own = code_cell(lesson, "own_layout()")
    expect(own).to_contain_text("Shown:")
    output(own).scroll_into_view_if_needed()
    lesson.screenshot("lesson-09-your-machine")
