"""The first notebook in a real JupyterLab: a picture at once, a prediction, hints, and what is next."""

from __future__ import annotations

from labpage import LabPage
from lessonpage import SVG, anew, code_cell, commit, heights, is_shut, lowest, output, practise

from vmlab.study.questions import start

NOTEBOOK = "00-start-here.ipynb"


def test_predict_change_practise_and_go_on(lesson: LabPage) -> None:
    shown = code_cell(lesson, "reveal(start.FRAMES")
    assert is_shut(shown)
    question, facts = start.FRAMES, start.FRAMES.variant()
    asked = code_cell(lesson, "predict(start.FRAMES)")
    first, second = asked.get_by_role("radio").all()[:2]
    first.press("Space")
    lesson.press(first, "ArrowDown")
    assert second.is_checked(), "the arrow moves the choice, not the notebook's cursor"
    lesson.press(second, "ArrowUp")
    assert first.is_checked()
    commit(asked, question.options(facts)["used"])
    shown.locator(SVG).wait_for()
    assert question.check("used", facts).text in shown.inner_text()
    output(shown).scroll_into_view_if_needed()
    lesson.screenshot("lesson-00-reveal")

    cell = anew(lesson, "explore.first_explorer()")
    full, before = heights(lesson, cell), lesson.picture_hash(cell, SVG)
    lesson.press(cell.locator(".noUi-handle"), "ArrowRight", 4)
    lesson.wait_for_change(cell, SVG, before)
    cell.get_by_role("status").get_by_text("327,680 page frames").wait_for()
    assert lowest(lesson) > 0.9 * full

    practise(lesson, "start.BYTES", start.BYTES, "lesson-00-practice")
    table = code_cell(lesson, "explore.your_lessons()")
    assert "01 · Same address" in output(table).inner_text()
    output(table).scroll_into_view_if_needed()
    lesson.screenshot("lesson-00-map")
