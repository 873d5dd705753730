"""The first notebook in a real JupyterLab: a picture at once, a prediction, hints, and what is next."""

from __future__ import annotations

from axe import violations_of_cells
from labpage import LabPage
from lessonpage import SVG, anew, changes, code_cell, commit, expect_shut, heights, lowest, output, practise
from playwright.sync_api import expect

from vmlab.study.questions import start

NOTEBOOK = "00-start-here.ipynb"


def test_predict_change_practise_and_go_on(lesson: LabPage) -> None:
    shown = code_cell(lesson, "reveal(start.FRAMES")
    expect_shut(shown)
    question, facts = start.FRAMES, start.FRAMES.variant()
    asked = code_cell(lesson, "predict(start.FRAMES)")
    first, second = (asked.get_by_role("radio").nth(n) for n in range(2))
    first.press("Space")
    lesson.press(first, "ArrowDown")
    expect(second, "the arrow moves the choice, not the notebook's cursor").to_be_checked()
    lesson.press(second, "ArrowUp")
    expect(first).to_be_checked()
    commit(asked, question.options(facts)["used"])
    shown.locator(SVG).wait_for()
    expect(shown).to_contain_text(question.check("used", facts).text)
    output(shown).scroll_into_view_if_needed()
    lesson.screenshot("lesson-00-reveal")

    cell = anew(lesson, "explore.first_explorer()")
    full = heights(lesson, cell)
    with changes(lesson, cell):
        lesson.press(cell.locator(".noUi-handle"), "ArrowRight", 4)
    cell.get_by_role("status").get_by_text("327,680 page frames").wait_for()
    assert lowest(lesson) > 0.9 * full

    practise(lesson, "start.BYTES", start.BYTES, "lesson-00-practice")
    table = code_cell(lesson, "explore.your_lessons()")
    expect(output(table)).to_contain_text("01 · Same address")
    output(table).scroll_into_view_if_needed()
    lesson.screenshot("lesson-00-map")


def test_what_the_cells_put_out_has_no_violation(lesson: LabPage) -> None:
    """After the test above: with a result, a hint and its twin open."""
    assert [] == violations_of_cells(lesson.page)
