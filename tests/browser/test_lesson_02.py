"""Lesson 02 in a real JupyterLab, as a student goes through it: by keyboard, with wrong and right answers."""

from __future__ import annotations

import pytest
from conftest import Server
from labpage import LabPage, handle
from playwright.sync_api import Locator

from vmlab.study.questions import formats as ask
from vmlab.study.questions import formats_steps
from vmlab.units import group_hex

NOTEBOOK = "02-real-page-table-formats.ipynb"
SVG = ".widget-html-content svg"


@pytest.fixture
def lesson(lab: LabPage, server: Server) -> LabPage:
    """The lesson, run from top to bottom, with nothing answered yet."""
    (server.folder.parent / "state" / "data" / "vmlab-progress.json").unlink(missing_ok=True)
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


def commit(cell: Locator) -> None:
    """Press the Commit button by keyboard."""
    button = cell.get_by_role("button", name="Commit")
    button.focus()
    cell.page.keyboard.press("Enter")
    cell.get_by_text("Committed.").wait_for()


def test_a_typed_prediction_opens_its_result_with_the_belief_behind_it(lesson: LabPage) -> None:
    shown = code_cell(lesson, "reveal(ask.ONE_ARRAY")
    assert "Shut until you commit" in shown.inner_text()
    assert 0 == shown.locator(SVG).count()
    question = ask.ONE_ARRAY
    wrong = question.misconceptions[0]
    cell = code_cell(lesson, "predict(ask.ONE_ARRAY)")
    cell.get_by_label("Your prediction").fill(str(wrong.answer(**question.variant())))
    commit(cell)
    shown.locator(SVG).first.wait_for()
    text = shown.inner_text()
    assert wrong.belief in text
    assert "16,384" in text
    shown.scroll_into_view_if_needed()
    lesson.screenshot("lesson-02-wrong-prediction")
    assert lesson.console_errors == []


def test_a_chosen_prediction_that_is_right_shows_every_entry(lesson: LabPage) -> None:
    question, facts = ask.OLD_PAGE, ask.OLD_PAGE.variant()
    cell = code_cell(lesson, "predict(ask.OLD_PAGE)")
    radio = cell.get_by_label(question.options(facts)[question.answer(**facts)], exact=True)
    radio.scroll_into_view_if_needed()
    radio.focus()
    lesson.page.keyboard.press("Space")
    commit(cell)
    right = code_cell(lesson, "reveal(ask.OLD_PAGE")
    right.get_by_text("Right.").wait_for()
    right.locator(SVG).first.wait_for()
    assert "Linux's own entry for the page" in right.locator(SVG).first.inner_html()
    right.locator(SVG).first.scroll_into_view_if_needed()
    lesson.screenshot("lesson-02-entries")
    assert lesson.console_errors == []


def test_practice_names_the_belief_then_accepts_the_right_address(lesson: LabPage) -> None:
    question = formats_steps.TRANSLATE
    facts = question.variant()
    cell = code_cell(lesson, "practise(formats_steps.TRANSLATE)")
    box, button = cell.get_by_label("Your answer"), cell.get_by_role("button", name="Check")
    wrong = question.misconceptions[0]
    box.fill(group_hex(wrong.answer(**facts)))
    button.press("Enter")
    cell.get_by_text(wrong.belief).wait_for()
    for text in (*(question.hints or ()), "A twin, worked out"):
        cell.get_by_role("button", name="Hint").press("Enter")
        cell.get_by_text(text).first.wait_for()
    lesson.screenshot("lesson-02-practice")
    box.fill(group_hex(question.answer(**facts)))
    button.press("Enter")
    cell.get_by_text("Right.").wait_for()
    assert lesson.console_errors == []


def test_the_explorer_follows_format_and_address_by_keyboard(lesson: LabPage) -> None:
    cell = code_cell(lesson, "explore.formats_explorer()")
    cell.locator(SVG).first.scroll_into_view_if_needed()
    address, chooser = cell.get_by_label("Address", exact=True), cell.get_by_label("Format", exact=True)
    full = cell.locator(".jp-Cell-outputArea").bounding_box()["height"]
    text, before = cell.get_by_role("status").inner_text(), lesson.picture_hash(cell, SVG)
    heights(lesson, cell)
    lesson.press(chooser, key="ArrowDown")  # from i386 to PAE
    lesson.wait_for_change(cell, SVG, before)
    assert text != cell.get_by_role("status").inner_text()
    assert "PAE" in cell.get_by_role("status").inner_text()
    print(f"format: {lesson.key_to_pixel(cell, chooser, SVG, key='ArrowDown', times=12)}")
    lesson.screenshot("lesson-02-explorer")

    chooser.select_option(label="x86-64-4: 64-bit x86, four levels")
    before = lesson.picture_hash(cell, SVG)
    address.fill("0x1234567")
    lesson.wait_for_change(cell, SVG, before)
    cell.get_by_text("0x123_4567 in 64-bit x86").wait_for()
    address.press("End")
    print(f"address: {lesson.key_to_pixel(cell, address, SVG, key='Backspace', times=6)}")
    assert lesson.page.evaluate("() => window.lowest") > 0.6 * full, "the output area does not collapse"
    assert lesson.console_errors == []


def test_the_explorer_takes_recorded_tables_and_says_what_there_is_none_of(lesson: LabPage) -> None:
    cell = code_cell(lesson, "explore.formats_explorer()")
    cell.locator(SVG).first.scroll_into_view_if_needed()
    cell.get_by_label("Format", exact=True).select_option(label="x86-64-4: 64-bit x86, four levels")
    cell.get_by_label("Tables", exact=True).select_option(label="recorded: a process")
    cell.get_by_label("Address", exact=True).fill("0x1100000")
    cell.get_by_text("record amd64-pc-1g").wait_for()
    assert "Linux still reads frame" in cell.locator(SVG).first.inner_html()
    lesson.screenshot("lesson-02-recorded")
    cell.get_by_label("Format", exact=True).select_option(label="sv39: RISC-V Sv39, 3 levels")
    cell.get_by_role("alert").wait_for()
    assert "choose tables made by hand" in cell.get_by_role("alert").inner_text()
    lesson.screenshot("lesson-02-no-record")
    cell.get_by_label("Show", exact=True).select_option(label="formats side by side")
    cell.get_by_role("alert").wait_for(state="detached")
    cell.get_by_label("Show the same as a table").press("Space")
    cell.locator("table").get_by_text("arm64-64k-48").first.wait_for()
    lesson.screenshot("lesson-02-side-by-side")
    assert lesson.console_errors == []
