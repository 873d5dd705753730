"""Lesson 06 in a real JupyterLab, as a student goes through it: by keyboard, with wrong and right answers."""

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

from vmlab.study.questions import buddy_race, buddy_refused, buddy_steps, buddy_stops
from vmlab.study.workbench import newmem

NOTEBOOK = "06-buddy.ipynb"


def test_predictions_open_the_refusal_the_race_and_the_map(lesson: LabPage) -> None:
    refused = code_cell(lesson, "reveal(buddy_refused.REFUSED")
    expect_shut(refused)
    question, facts = buddy_refused.REFUSED, buddy_refused.REFUSED.variant()
    commit(code_cell(lesson, "predict(buddy_refused.REFUSED)"), question.options(facts)["none"])
    refused.get_by_text("lowmem_reserve 927").wait_for()
    expect(refused).to_contain_text(question.check("none", facts).text)
    output(refused).scroll_into_view_if_needed()
    lesson.screenshot("lesson-06-refused")

    race = buddy_race.RACE
    commit_number(code_cell(lesson, "predict(buddy_race.RACE)"), f"{race.answer(**race.variant()):,}")
    shown = code_cell(lesson, "reveal(buddy_race.RACE")
    shown.get_by_text("Right.").wait_for()
    shown.locator("tr").nth(2 * len(buddy_race.TRACES)).wait_for()
    output(shown).scroll_into_view_if_needed()
    lesson.screenshot("lesson-06-race")

    commit_number(code_cell(lesson, "predict(pieces.FRAGMENTED)"), "128")
    pieces = code_cell(lesson, "reveal(pieces.FRAGMENTED")
    pieces.get_by_text("free pages are as good as free blocks").wait_for()
    pieces.locator(SVG).first.scroll_into_view_if_needed()
    lesson.screenshot("lesson-06-fragmented")


def test_giving_back_is_worked_out_then_with_a_step_open_then_alone(lesson: LabPage) -> None:
    worked = code_cell(lesson, "buddy_steps.free_steps(**")
    expect(worked.locator("table")).to_contain_text("is free")
    blank = code_cell(lesson, "practise(buddy_steps.MERGE_STEP)")
    expect(blank.locator("table")).to_contain_text("?")
    expect(blank.locator("table")).not_to_contain_text("place")
    practise(lesson, "buddy_steps.MERGE", buddy_steps.MERGE, "lesson-06-practice")
    practise(lesson, "buddy_stops.BORDER", buddy_stops.BORDER, "lesson-06-border")
    practise(lesson, "buddy_stops.TOP", buddy_stops.TOP, "lesson-06-top")


def test_a_zone_is_filled_scattered_compacted_and_stepped_back_by_keyboard(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.buddy_explorer()")
    status = cell.get_by_role("status")
    full = heights(lesson, cell)

    def press(words: str, says: str) -> None:
        with changes(lesson, cell):
            cell.get_by_role("button", name=words, exact=True).press("Space")
            status.get_by_text(says).wait_for()
        lesson.screenshot(f"lesson-06-{words.lower().replace(' ', '-')}")

    pages = newmem().managed_pages
    press("Fill", f"Handed out {pages:,} blocks")
    press("Free every second", f"Gave back {pages // 2:,} blocks")
    press("Compact", "Compaction moved")
    expect(status).to_contain_text("order 10")
    press("Step back", "Action 2 of 3")
    expect(status).to_contain_text("of order 0")
    press("Step forward", "Action 3 of 3")
    cell.get_by_label("Show the same as a table").press("Space")
    cell.locator("table").get_by_text("UNMOVABLE").first.wait_for()
    assert lowest(lesson) > 0.9 * full, "the output area keeps its height"


def test_one_request_goes_through_the_cpu_s_list_and_steals_and_your_machine_is_shown(lesson: LabPage) -> None:
    cell = anew(lesson, "explore.buddy_explorer()")
    status = cell.get_by_role("status")
    cell.get_by_label("Through").select_option("the CPU's list")
    cell.get_by_role("button", name="Allocate").press("Enter")
    status.get_by_text("the CPU's list is empty: fetch").wait_for()
    lesson.screenshot("lesson-06-cpu-list")
    cell.get_by_label("Through").select_option("the zone's lists")
    cell.get_by_label("Migratetype").select_option("UNMOVABLE")
    cell.get_by_label("Order", exact=True).fill("3")
    cell.get_by_label("Order", exact=True).press("Tab")
    cell.get_by_role("button", name="Allocate").press("Enter")
    status.get_by_text("no block of this type is left").wait_for()
    expect(status).to_contain_text("of order 3 for UNMOVABLE")
    lesson.screenshot("lesson-06-steal")
    own = code_cell(lesson, "procfs.read_pagetypeinfo()")
    expect(own).to_contain_text("Shown:")
    expect(own).to_contain_text("Free pages count per migrate type at order")
    output(own).scroll_into_view_if_needed()
    lesson.screenshot("lesson-06-your-machine")
