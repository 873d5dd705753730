"""Lesson 08 in a real JupyterLab, as a student goes through it: by keyboard, with wrong and right answers."""

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

from vmlab.study.questions import highmem as ask
from vmlab.study.questions import highmem_kept as kept
from vmlab.study.questions import highmem_local, highmem_steps

NOTEBOOK = "08-highmem-windows.ipynb"


def test_predictions_open_the_table_the_window_and_the_stale_pointer(lesson: LabPage) -> None:
    lives = code_cell(lesson, "reveal(ask.LIVES")
    expect_shut(lives)
    commit(code_cell(lesson, "predict(ask.LIVES)"), ask.LIVES.options({})["task"])
    lives.get_by_text("GFP_HIGHUSER_MOVABLE").first.wait_for()
    expect(lives).to_contain_text(ask.LIVES.check("task", {}).text)
    output(lives).scroll_into_view_if_needed()
    lesson.screenshot("lesson-08-residents")

    released = code_cell(lesson, "reveal(ask.RELEASED")
    commit_number(code_cell(lesson, "predict(ask.RELEASED)"), "0")
    released.get_by_text("kunmap takes the page out of the page table").wait_for()
    released.locator(SVG).first.scroll_into_view_if_needed()
    lesson.screenshot("lesson-08-window")

    later = code_cell(lesson, "reveal(kept.LATER")
    facts = kept.LATER.variant()
    commit(code_cell(lesson, "predict(kept.LATER)"), kept.LATER.options(facts)["other"])
    later.get_by_text("Right.").wait_for()
    expect(later).to_contain_text("the window has moved on")
    output(later).scroll_into_view_if_needed()
    lesson.screenshot("lesson-08-later")


def test_a_round_is_worked_out_then_with_a_step_open_then_alone(lesson: LabPage) -> None:
    worked = code_cell(lesson, "highmem_steps.round_steps(")
    expect(worked.locator("table")).to_contain_text("550 mod 512")
    practise(lesson, "highmem_steps.SLOT", highmem_steps.SLOT, "lesson-08-step")
    practise(lesson, "highmem_steps.ADDRESS", highmem_steps.ADDRESS, "lesson-08-practice")
    commit_number(code_cell(lesson, "predict(local.DEADLOCK)"), "9999")
    code_cell(lesson, "reveal(local.DEADLOCK").get_by_text("Not recognised").wait_for()
    assert highmem_local.DEADLOCK.id == "08.deadlock"


def test_the_window_is_filled_until_a_task_sleeps_and_stepped_back_by_keyboard(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.window_explorer()")
    status = cell.get_by_role("status")
    full = heights(lesson, cell)

    def press(words: str, says: str) -> None:
        with changes(lesson, cell):
            cell.get_by_role("button", name=words).press("Enter")
            status.get_by_text(says).first.wait_for()

    press("kunmap the oldest", "nobody holds it")
    lesson.screenshot("lesson-08-explorer")
    press("C: kmap until it waits", "C sleeps until a window is free")
    lesson.screenshot("lesson-08-asleep")
    press("kunmap the oldest", "C woke and got slot")
    press("Undo", "C sleeps until a window is free")
    press("Redo", "C woke and got slot")
    cell.get_by_label("Machine").select_option("PC, 1 GiB: 1,024 slots")
    status.get_by_text("Of 1,024 slots").first.wait_for()
    lesson.screenshot("lesson-08-pc")
    cell.get_by_label("Show the same as a table").press("Space")
    cell.locator("table").get_by_text("held by").wait_for()
    assert lowest(lesson) > 0.7 * full, "the output area keeps its height"


def test_the_stack_is_kept_in_order_across_a_switch_and_your_machine_is_shown(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.local_explorer()")
    status = cell.get_by_role("status")
    cell.get_by_role("button", name="Unmap the first").press("Enter")
    expect(cell.get_by_role("alert")).to_contain_text("give windows back in the reverse order")
    lesson.screenshot("lesson-08-order")
    cell.get_by_role("button", name="Undo").press("Enter")
    cell.get_by_role("alert").wait_for(state="detached")
    cell.get_by_label("Done so far").fill("mmcm")
    status.get_by_text("Q sees frame 0x70002 at 0xffef_e000").wait_for()
    lesson.screenshot("lesson-08-switch")
    cell.get_by_label("Kernel version").select_option("2.6.37: kmap_atomic(page)")
    cell.get_by_text("scheduling while atomic").first.wait_for()
    own = code_cell(lesson, "own_highmem()")
    expect(own).to_contain_text("Shown:")
    output(own).scroll_into_view_if_needed()
    lesson.screenshot("lesson-08-your-machine")
