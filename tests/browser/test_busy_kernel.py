"""A kernel that is busy: what was typed or chosen last is what is checked, not what arrived first."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from conftest import Server
from labpage import LabPage
from lessonpage import code_cell
from playwright.sync_api import expect

from vmlab.study.question import Question
from vmlab.study.questions import mem_map as ask
from vmlab.study.questions import mem_map_steps

CELLS = (
    """
from vmlab.study import practise, predict, progress
from vmlab.study.questions import mem_map as ask, mem_map_steps
progress.forget()""",
    "practise(mem_map_steps.SIZE)",
    "predict(ask.WHERE)",
)


@pytest.fixture(scope="module")
def asked(lab_page: LabPage) -> Iterator[LabPage]:
    """A notebook with a question to type an answer to, and one with answers to choose from."""
    lab_page.open_cells(*CELLS, name="busy.ipynb")
    lab_page.run_all()
    yield lab_page
    lab_page.close_notebook()


def keep_busy(lab: LabPage) -> None:
    """Let the kernel sleep a second, so that messages queue up."""
    code = "import time; time.sleep(1)"
    lab.page.evaluate("code => { vmlabTest.kernel().requestExecute({ code }) }", code)


def test_what_was_typed_last_is_checked(asked: LabPage) -> None:
    question: Question = mem_map_steps.SIZE
    facts = question.variant()
    cell = code_cell(asked, "practise(")
    box = cell.get_by_label("Your answer")
    box.wait_for()
    keep_busy(asked)
    box.press_sequentially(hex(question.answer(**facts)))
    cell.get_by_role("button", name="Check").press("Enter")
    expect(cell.get_by_role("status").first).to_contain_text("Right.")


def test_what_was_chosen_last_is_committed(asked: LabPage, server: Server) -> None:
    cell = code_cell(asked, "predict(")
    answers = cell.get_by_role("radio")
    answers.first.wait_for()
    keep_busy(asked)
    for answer in answers.all():
        answer.press("Space")
    cell.get_by_role("button", name="Commit").press("Enter")
    cell.get_by_text("Committed.").wait_for()
    expect(answers.last).to_be_checked()
    last = list(ask.WHERE.options(ask.WHERE.variant()))[-1]
    assert {"given": last} == json.loads(server.progress.read_text())[ask.WHERE.id]
