"""Questions of lesson 06: beliefs never coincide with the truth or with each other; steps end in the answer."""

from __future__ import annotations

from questions import QuestionClaims

from vmlab.study.questions import buddy, buddy_steps


class TestQuestions(QuestionClaims):
    MODULES = (buddy, buddy_steps)
    LESSON = "06"


def test_the_allocator_s_answers_follow_the_kernel_s_formulas() -> None:
    for number in range(50):
        facts = buddy.BUDDY.variant("formula", number)
        assert facts["pfn"] ^ 1 << facts["order"] == buddy.BUDDY.answer(**facts)
        facts = buddy_steps.SPLIT.variant("formula", number)
        assert facts["top"] - facts["order"] == buddy_steps.SPLIT.answer(**facts)
        assert facts["start"] == facts["pfn"]
