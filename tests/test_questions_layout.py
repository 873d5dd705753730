"""Questions of lesson 09: beliefs never coincide with the truth or with each other; truths are computed or read."""

from __future__ import annotations

import pytest
from questions import QuestionClaims

from vmlab.study.question import Question
from vmlab.study.questions import layout, layout_recall, layout_steps, layout_tests


class TestQuestions(QuestionClaims):
    MODULES = (layout, layout_tests, layout_steps, layout_recall)
    LESSON = "09"


@pytest.mark.parametrize("question", [layout_steps.PAGE, layout_steps.ALIAS])
def test_the_steps_end_in_the_answer(question: Question) -> None:
    for number in range(50):
        facts = question.variant("steps", number)
        assert question.answer(**facts) == int(question.steps(**facts).steps[-1].gives, 0)


def test_the_open_step_gives_the_answer() -> None:
    for number in range(50):
        facts = layout_steps.PHYSICAL.variant("steps", number)
        (step,) = [step for step in layout_steps.pointer_steps(**facts).steps if step.name == "physical"]
        assert layout_steps.PHYSICAL.answer(**facts) == int(step.gives, 0)


def test_the_truths_that_the_lesson_tells() -> None:
    def answer(question: Question) -> object:
        return question.answer(**question.variant())

    assert ["virtual", "logical", "alias", "nothing"] == [
        answer(getattr(layout, name)) for name in ("STRUCT_PAGE", "STRUCT_PAGE_32", "IMAGE", "HOLE")
    ]
    assert ["no", "no", "yes", "stays", "vmalloc"] == [
        answer(getattr(layout_tests, name)) for name in ("VMEMMAP_VALID", "IMAGE_ARM64", "WINDOW", "SWAPPED", "STACK")
    ]


def test_the_address_in_the_image_s_question_is_the_recorded_one() -> None:
    recorded = layout.booted(layout.PC).machine.recorded
    assert f"{recorded.data['symbols']['init_task']['va']:#_x}" in layout.IMAGE.ask
