"""Questions of lesson 12: beliefs never coincide with the truth or with each other; truths are run."""

from __future__ import annotations

import pytest
from questions import QuestionClaims

from vmlab.study.question import Question
from vmlab.study.questions import moves, moves_recall, moves_steps


class TestQuestions(QuestionClaims):
    MODULES = (moves, moves_steps, moves_recall)
    LESSON = "12"


@pytest.mark.parametrize(
    "question", [moves_steps.FRAME, moves_steps.SLOT, moves_steps.PLACE, moves_steps.COST, moves_steps.LATE]
)
def test_the_steps_end_in_the_answer(question: Question) -> None:
    for number in range(50):
        facts = question.variant("steps", number)
        assert question.answer(**facts) == int(question.steps(**facts).steps[-1].gives.replace(",", ""), 0)


def test_the_number_of_late_uses_is_what_looking_now_and_then_gives() -> None:
    for number in range(50):
        facts = moves_steps.LATE.variant("counted", number)
        every, after = facts["every"], facts["after"]
        believed, wrong = "old", 0
        for use in range(1, after + 3 * every):
            truth = "new" if use > after else "old"
            believed = truth if use % every == 1 else believed
            wrong += believed != truth
        assert wrong == moves_steps.LATE.answer(**facts)


def test_the_answers_that_the_lesson_tells() -> None:
    def answer(question: Question) -> object:
        return question.answer(**question.variant())

    asked = (moves.SWAPPED, moves.FORKED, moves.LOCKED, moves.TELLS, moves.ASKED, moves.PINNED, moves.SILENT)
    assert ["user", "parent", "moves", "none", "some", "unmap", "swap in"] == [answer(q) for q in asked]
    scores = moves.scores()
    assert not scores["MMU notifier"].stale_uses
    assert all(score.stale_uses for name, score in scores.items() if name != "MMU notifier")


def test_a_logical_address_outlives_the_page_in_its_frame() -> None:
    kernel, process = moves.small()
    pfn = moves.frame(process)
    logical = kernel.phys_to_virt(pfn << 12)
    kernel.memory.reclaim_pages([kernel.memory.page(pfn)])
    assert kernel.virt_to_phys(logical) == pfn << 12
    assert not moves.frame(process)
    assert b"hello" == process.read(moves.VA, 5), "nothing was lost"
