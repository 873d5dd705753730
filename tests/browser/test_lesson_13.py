"""Lesson 13 in a real JupyterLab, by keyboard: predictions, practice, and the live lab with a boot that takes no time.

The boot that the button starts here is the shipped record's; tests/test_live_boot.py boots a kernel for real.
"""

from __future__ import annotations

from labpage import LabPage
from lessonpage import SVG, code_cell, commit, expect_shut, output, practise
from playwright.sync_api import Locator, expect

from vmlab.study.questions import live as ask
from vmlab.study.questions import live_steps

NOTEBOOK = "13-boot-a-real-kernel.ipynb"
FAKE = """from vmlab import explore
from vmlab.live import lab
def boot(board, say):
    say("booting 6.1 on virt with 512 MiB")
    say("stage boot")
    return lab.shipped(board, "it is a test.")
explore.live_explorer(boot)"""
SLOW = """import time
from vmlab import explore
def boot(board, say):
    say("booting")
    for _ in range(6000): time.sleep(0.01)
explore.live_explorer(boot)"""


def guess(cell: Locator, *numbers: str) -> None:
    fields = cell.get_by_placeholder("a number, such as")
    expect(fields).to_have_count(len(numbers))
    for field, number in zip(fields.all(), numbers, strict=True):
        field.fill(number)


def test_predictions_open_their_results_and_practice_names_the_belief(lesson: LabPage) -> None:
    shown = code_cell(lesson, "reveal(ask.KNOWN")
    expect_shut(shown)
    commit(code_cell(lesson, "predict(ask.KNOWN)"), ask.KNOWN.options({})["border"])
    shown.locator(SVG).first.wait_for()
    expect(shown).to_contain_text(ask.KNOWN.check("border", {}).text)
    output(shown).scroll_into_view_if_needed()
    lesson.screenshot("lesson-13-known")
    own = code_cell(lesson, "own_record()")
    own.get_by_text("Shown:").first.wait_for()
    output(own).scroll_into_view_if_needed()
    lesson.screenshot("lesson-13-own-machine")
    practise(lesson, "live_steps.BORDER", live_steps.BORDER, "lesson-13-practice")
    cell = code_cell(lesson, "explore.live_explorer()")
    cell.get_by_role("button", name="Predict").press("Enter")
    cell.get_by_text("Type your own number first").wait_for()
    expect(cell.get_by_role("button", name="Boot")).to_be_disabled()


def live_lab(lesson: LabPage, source: str, mark: str) -> Locator:
    """A cell with a live lab of its own, below the lesson's; `mark` is what only its source has."""
    lesson.add_cell(source)
    lesson.run_again(mark)
    return code_cell(lesson, mark)


def test_a_machine_is_chosen_predicted_booted_and_compared_by_keyboard(lesson: LabPage) -> None:
    cell = live_lab(lesson, FAKE, "it is a test")
    cell.get_by_label("RAM (of each node)").select_option("512 MiB")
    guess(cell, "0x50000", "1152", "125000")
    cell.get_by_role("button", name="Predict").press("Enter")
    cell.get_by_text("Compare it with yours").wait_for()
    cell.locator(SVG).first.wait_for()
    lesson.screenshot("lesson-13-predicted")
    before = lesson.picture_hash(cell, SVG)
    cell.get_by_role("button", name="Boot").press("Enter")
    lesson.wait_for_change(cell, SVG, before)
    cell.get_by_text("Done.").wait_for()
    expect(cell).to_contain_text("Shown: arm-virt-armmp-512m")
    same = "frames that hold mem_map: you 1,152, the model 1,152, the kernel 1,152 — you were right."
    expect(cell).to_contain_text(same)
    cell.get_by_label("Show the same as a table").press("Space")
    cell.get_by_role("columnheader", name="the kernel").wait_for()
    lesson.screenshot("lesson-13-compared")


def test_stop_ends_a_boot_and_it_can_be_tried_again(lesson: LabPage) -> None:
    cell = live_lab(lesson, SLOW, "range(6000)")
    guess(cell, "1", "2", "3")
    cell.get_by_role("button", name="Predict").press("Enter")
    cell.get_by_text("Compare it with yours").wait_for()
    cell.get_by_role("button", name="Boot").press("Enter")
    cell.get_by_role("status").get_by_text("booting").wait_for()
    cell.get_by_role("button", name="Stop").press("Enter")
    cell.get_by_text("QEMU is ended, and nothing was written").wait_for()
    expect(cell.get_by_role("button", name="Boot")).to_be_enabled()
