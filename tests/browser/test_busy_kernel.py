"""A kernel that is busy: what was typed or chosen last is what is checked, not what arrived first."""

from __future__ import annotations

import json

from conftest import Server
from labpage import LabPage
from lessonpage import code_cell
from playwright.sync_api import expect

from vmlab.study.question import Question
from vmlab.study.questions import mem_map as ask
from vmlab.study.questions import mem_map_steps

CELL = """
from vmlab.study import {call}, progress
from vmlab.study.questions import mem_map as ask, mem_map_steps
progress.forget()
{call}({name})
"""


def keep_busy(lab: LabPage) -> None:
    """Let the kernel sleep a second, so that messages queue up."""
    code = "import time; time.sleep(1)"
    lab.page.evaluate("code => { vmlabTest.kernel().requestExecute({ code }) }", code)


def test_what_was_typed_last_is_checked(lab: LabPage) -> None:
    question: Question = mem_map_steps.SIZE
    facts = question.variant()
    lab.open_cells(CELL.format(call="practise", name="mem_map_steps.SIZE"))
    lab.run_all()
    cell = code_cell(lab, "practise(")
    box = cell.get_by_label("Your answer")
    box.wait_for()
    keep_busy(lab)
    box.press_sequentially(hex(question.answer(**facts)))
    cell.get_by_role("button", name="Check").press("Enter")
    expect(cell.get_by_role("status").first).to_contain_text("Right.")


def test_what_was_chosen_last_is_committed(lab: LabPage, server: Server) -> None:
    lab.open_cells(CELL.format(call="predict", name="ask.WHERE"))
    lab.run_all()
    cell = code_cell(lab, "predict(")
    answers = cell.get_by_role("radio")
    answers.first.wait_for()
    keep_busy(lab)
    for answer in answers.all():
        answer.press("Space")
    cell.get_by_role("button", name="Commit").press("Enter")
    cell.get_by_text("Committed.").wait_for()
    expect(answers.last).to_be_checked()
    last = list(ask.WHERE.options(ask.WHERE.variant()))[-1]
    assert {"given": last} == json.loads(server.progress.read_text())[ask.WHERE.id]
