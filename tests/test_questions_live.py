"""Questions of lesson 13: beliefs never coincide with the truth or with each other; truths are asked of the model."""

from __future__ import annotations

import pytest
from questions import QuestionClaims

import vmlab as vm
from vmlab.study.question import Question
from vmlab.study.questions import live, live_recall, live_steps


class TestQuestions(QuestionClaims):
    MODULES = (live, live_steps, live_recall)
    LESSON = "13"


@pytest.mark.parametrize("question", [live_steps.FRAMES, live_steps.BORDER, live_steps.KEPT])
def test_the_steps_end_in_the_models_answer(question: Question) -> None:
    for number in range(40):
        facts = question.variant("steps", number)
        assert question.answer(**facts) == int(question.steps(**facts).steps[-1].gives.replace(",", ""), 0)


def test_the_border_is_what_the_recorded_kernel_said() -> None:
    recorded = vm.load_machine("arm-virt-armmp-1g-vmalloc512m").recorded
    assert recorded is not None
    (high,) = [zone for zone in recorded.zones if zone["name"] == "HighMem"]
    assert high["start_pfn"] == live_steps.BORDER.answer(mib=512, ram="1G")


def test_the_frames_are_what_the_recorded_kernels_have() -> None:
    for name, board, mib in (("arm-virt-armmp-512m", "arm-virt", 512), ("arm-virt-armmp-2g", "arm-virt", 2048),
                             ("i386-pc-686-512m", "i386-pc", 512)):  # fmt: skip
        recorded = vm.load_machine(name).recorded
        assert recorded is not None
        size = live_steps.STRUCT_PAGE[board]
        assert size == recorded.mem_map["struct_page_bytes"]
        assert recorded.mem_map["frames"] == live_steps.FRAMES.answer(board=board, mib=mib, size=size)


def test_the_answers_that_the_lesson_tells() -> None:
    asked = (live.KNOWN, live.REASON, live.WORD, live.DOUBLED, live.RANDOM, live.ELSEWHERE, live.WITHHELD)
    answers = ["managed", "asked", "border", "high", "frames", "frames", "zoneinfo"]
    assert answers == [question.answer() for question in asked]
    assert {"managed", "min", "low", "high"} == {what.split()[-1] for what in live.wrong()}
    assert not live.wrong(told=True)
