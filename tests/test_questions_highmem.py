"""Questions of lesson 08: beliefs never coincide with the truth or with each other; truths are run."""

from __future__ import annotations

import pytest
from questions import QuestionClaims

import vmlab as vm
from vmlab.study.question import Question
from vmlab.study.questions import highmem, highmem_kept, highmem_local, highmem_recall, highmem_steps


class TestQuestions(QuestionClaims):
    MODULES = (highmem, highmem_kept, highmem_local, highmem_steps, highmem_recall)
    LESSON = "08"
    VARIANTS = 150


PRACTISED = [highmem_steps.SLOT, highmem_steps.ADDRESS, highmem_steps.FLUSHES, highmem_steps.COUNT]


@pytest.mark.parametrize("question", PRACTISED, ids=lambda question: question.id)
def test_the_steps_end_in_the_answer(question: Question) -> None:
    for number in range(50):
        facts = question.variant("steps", number)
        steps = {step.name: step.gives for step in question.steps(**facts).steps}
        last = steps[question.blank] if question.blank else [*steps.values()][-1]
        assert question.answer(**facts) == int(last.replace(",", ""), 0)


def test_the_numbers_that_the_lesson_names() -> None:
    def answer(question: Question) -> object:
        return question.answer(**question.variant())

    asked = ("WINDOW", "LIVES", "EXHAUSTED", "FIRST", "RELEASED", "REUSE")
    assert [4, "cache", "refused", 1, 1, 4] == [answer(getattr(highmem, q)) for q in asked]
    assert ["page", "other", "sleep"] == [answer(getattr(highmem_kept, q)) for q in ("STALE", "LATER", "FULL")]
    assert [15, "warn", "same"] == [answer(q) for q in (highmem_local.DEPTH, highmem_local.ORDER, highmem_local.SWITCH)]
    assert 0xFFFF_8880_1234_5000 == answer(highmem_local.WIDE)
    assert 176 == answer(highmem_steps.RECORDED)
    assert ["low", "local", "low"] == [
        answer(q) for q in (highmem_recall.FALLBACK, highmem_recall.SLEEPS, highmem_recall.POINTER)
    ]


def test_the_recorded_reads_are_those_of_the_record() -> None:
    frames, real, model = highmem_steps.recorded()
    assert (1200, real, [0x7E0EE, 0x7E0EF]) == (len(frames), model, frames[:2])


def test_lowmem_is_empty_and_highmem_is_free_when_the_fork_fails() -> None:
    got, free, born = highmem.emptied()
    high = vm.boot(vm.load_machine("arm-virt-armmp-1g")).zones["HighMem"]
    assert high.managed_pages == free
    assert not born
    assert "DMA" in got.refused.tell()
    assert "HighMem" not in got.refused.tell()


@pytest.mark.parametrize("slots", [4, 17, 39])
def test_as_many_threads_as_slots_can_wait_for_good_and_no_fewer(slots: int) -> None:
    assert slots == highmem_local.threads_that_wait(slots)


def test_the_scenario_is_true_of_the_model() -> None:
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-2g"))
    pages = highmem.high_pages(kernel, 1000)
    got = [kernel.kmap(page, "driver") for page in pages[:513]]
    assert all(got[:512])
    assert not got[512]
    assert kernel.highmem.pkmap.deadlocked  # it waits for itself
