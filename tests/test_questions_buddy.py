"""Questions of lesson 06: beliefs never coincide with the truth or with each other; steps end in the answer."""

from __future__ import annotations

import pytest

from vmlab.study.question import Question
from vmlab.study.questions import buddy, buddy_steps

BANK = {q.id: q for module in (buddy, buddy_steps) for q in vars(module).values() if isinstance(q, Question)}
VARIANTS = 500
each = pytest.mark.parametrize("question", BANK.values(), ids=BANK)


@each
def test_no_belief_gives_the_right_answer_or_that_of_another_belief(question: Question) -> None:
    for variant in range(VARIANTS):
        facts = question.variant("class", variant)
        answers = [question.answer(**facts), *(wrong.answer(**facts) for wrong in question.misconceptions)]
        assert len(set(answers)) == len(answers), (variant, answers)


@each
def test_every_question_can_be_put_into_words_and_asks_back(question: Question) -> None:
    facts = question.variant("class", 3)
    assert "{" not in question.asked(facts) + question.reason(facts)
    assert all(wrong.back.endswith("?") for wrong in question.misconceptions)


def test_the_allocator_s_answers_follow_the_kernel_s_formulas() -> None:
    for number in range(50):
        facts = buddy.BUDDY.variant("formula", number)
        assert facts["pfn"] ^ 1 << facts["order"] == buddy.BUDDY.answer(**facts)
        facts = buddy_steps.SPLIT.variant("formula", number)
        assert facts["top"] - facts["order"] == buddy_steps.SPLIT.answer(**facts)
        assert facts["start"] == facts["pfn"]
