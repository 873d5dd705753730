"""A lesson as a student goes through it by keyboard: cells, predictions, practice, the height of an explorer.

A test module names its notebook, `NOTEBOOK = "07-slab-and-vmalloc.ipynb"`, and takes the fixture `lesson` (conftest):
that notebook, run once from top to bottom with nothing answered. Its tests share it: each has questions of its own, and
takes an explorer with `anew`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from labpage import LabPage, handle
from playwright.sync_api import Locator, expect

from vmlab.study.question import Question

SVG = ".widget-html-content svg"
SHUT = "Shut until you commit"


# --- cells ---


def code_cell(lab: LabPage, source: str) -> Locator:
    """The first code cell whose source has this text; the same one when other text is typed into it."""
    return lab.page.locator(lab.page.evaluate("source => vmlabTest.selector(source)", source))


def anew(lab: LabPage, source: str) -> Locator:
    """The cell whose source has this text, run again: an explorer as it begins, whatever another test did with it."""
    lab.run_again(source)
    cell = code_cell(lab, source)
    cell.get_by_role("status").first.wait_for()
    cell.locator(SVG).first.scroll_into_view_if_needed()
    return cell


@contextmanager
def changes(lab: LabPage, cell: Locator) -> Iterator[None]:
    """What is done inside changes the cell's picture and what is said of it, in whatever order the two arrive."""
    status = cell.get_by_role("status")
    said, before = status.text_content(), lab.picture_hash(cell, SVG)
    yield
    lab.wait_for_change(cell, SVG, before)
    expect(status).not_to_have_text(said or "")


def output(cell: Locator) -> Locator:
    """What a cell shows."""
    return cell.locator(".jp-Cell-outputArea")


def heights(lab: LabPage, cell: Locator) -> float:
    """Record the lowest height of the cell's output from now on; return it as it is now."""
    return lab.page.evaluate("root => vmlabTest.watchHeight(root)", handle(cell))


def lowest(lab: LabPage) -> float:
    """The lowest height that `heights` has seen."""
    return lab.page.evaluate("() => vmlabTest.watch.lowest")


# --- predictions ---


def assert_nothing_is_given_away(lab: LabPage) -> None:
    """Every result of the notebook waits for its prediction."""
    lab.wait_until_none("(asked) => vmlabTest.notShut(...asked)", ["reveal(", SHUT, SVG])


def expect_shut(cell: Locator) -> None:
    """A result waits for its prediction, and gives nothing away."""
    expect(cell).to_contain_text(SHUT)
    expect(cell.locator(SVG)).to_have_count(0)


def commit(cell: Locator, words: str) -> None:
    """Choose the answer with these words by keyboard and commit it."""
    radio = cell.get_by_label(words, exact=True)
    radio.scroll_into_view_if_needed()
    radio.focus()
    cell.page.keyboard.press("Space")
    _press_commit(cell)


def commit_number(cell: Locator, number: str) -> None:
    """Type a prediction and commit it by keyboard."""
    cell.get_by_label("Your prediction").fill(number)
    _press_commit(cell)


def _press_commit(cell: Locator) -> None:
    button = cell.get_by_role("button", name="Commit")
    button.focus()
    cell.page.keyboard.press("Enter")
    cell.get_by_text("Committed.").wait_for()


# --- practice ---


def practise(lab: LabPage, name: str, question: Question, picture: str) -> None:
    """Answer wrong and meet the belief, climb the three rungs, answer right; `picture` names a screenshot of it.

    `name` is the question as the lesson's source has it: "slab_steps.OBJECTS".
    """
    cell, facts = code_cell(lab, f"practise({name})"), question.variant()
    box, button = cell.get_by_label("Your answer"), cell.get_by_role("button", name="Check")
    wrong = next(w for w in question.misconceptions if question.check(w.answer(**facts), facts).kind == "belief")
    box.fill(question.show(wrong.answer(**facts)))
    button.press("Enter")
    cell.get_by_text(wrong.belief).wait_for()
    button.press("Enter")
    cell.get_by_text("Change it, or take another variant").wait_for()
    for text in (*(question.hints or ()), "A twin, worked out"):
        cell.get_by_role("button", name="Hint").press("Enter")
        cell.get_by_text(text).first.wait_for()
    output(cell).scroll_into_view_if_needed()
    lab.screenshot(picture)
    box.fill(question.show(question.answer(**facts)))
    button.press("Enter")
    cell.get_by_text("Right.").wait_for()
