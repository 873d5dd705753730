"""Questions of lesson 10: beliefs never coincide with the truth or with each other; truths are played."""

from __future__ import annotations

from questions import QuestionClaims

from vmlab.process.story import play
from vmlab.study.questions import swap, swap_fork, swap_recall, swap_steps


class TestQuestions(QuestionClaims):
    MODULES = (swap, swap_fork, swap_steps, swap_recall)
    LESSON = "10"
    VARIANTS = 60


def test_the_answers_that_the_lesson_names() -> None:
    def answer(question: swap.Question) -> object:
        return question.answer(**question.variant())

    assert ["drop", "pte", "share", "writer", "major, minor"] == [
        answer(q) for q in (swap.TEXT, swap.OWNER, swap_fork.FORK, swap_fork.COPY, swap_fork.MINOR)
    ]
    assert [0x200, 2, 0, 3] == [answer(q) for q in (swap.ENTRY, swap.ON_DISK, swap.FREE_AGAIN, swap_fork.ZERO)]
    assert (1, "freed", 0, 2) == swap.text_story()
    assert ("text", "register") == (answer(swap_recall.BACKING), answer(swap_recall.REGISTER))


def test_the_steps_end_in_the_answer() -> None:
    for question in (swap_steps.SLOT, swap_steps.MAJORS, swap_steps.FRAMES):
        for number in range(20):
            facts = question.variant("steps", number)
            assert question.answer(**facts) == int(question.steps(**facts).steps[-1].gives.replace(",", ""))


def test_the_seeds_order_has_six_faults_three_of_them_major() -> None:
    assert ("minor", "minor", "minor", "major", "major", "major") == swap_steps.kinds("P0 P1 P2 P1 P0 P2", 1)
    assert 0 == swap_steps.kinds("P0 P1 P2 P1 P0 P2", 3).count("major")
    assert 5 == sum(len(scene.page_outs) for scene in play())
