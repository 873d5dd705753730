"""Questions of lesson 07: beliefs never coincide with the truth or with each other; truths are run."""

from __future__ import annotations

import pytest
from questions import QuestionClaims

import vmlab as vm
from vmlab.procfs import read_slabinfo, sample
from vmlab.study.question import Question
from vmlab.study.questions import slab, slab_lists, slab_place, slab_recall, slab_steps, slab_vmalloc


class TestQuestions(QuestionClaims):
    MODULES = (slab, slab_lists, slab_steps, slab_place, slab_vmalloc, slab_recall)
    LESSON = "07"


@pytest.mark.parametrize("question", [slab_steps.OBJECTS, slab_steps.LEFT_OVER, slab_steps.WASTE, slab_place.NEXT])
def test_the_steps_end_in_the_answer(question: Question) -> None:
    for number in range(50):
        facts = question.variant("steps", number)
        assert question.answer(**facts) == int(question.steps(**facts).steps[-1].gives.replace(",", ""), 0)


@pytest.mark.parametrize("name", ["amd64-pc-4g", "arm-virt-armmp-1g"])
def test_task_structs_fit_as_the_recorded_kernel_says(name: str) -> None:
    row = next(row for row in read_slabinfo(sample("slabinfo", name)) if row.name == "task_struct")
    cache = vm.boot(vm.load_machine(name)).slab["task_struct"]
    assert (row.objsize, row.objperslab, row.pagesperslab) == slab.task_cache(name)
    assert row.objperslab == cache.objects_per_slab


def test_the_numbers_that_the_lesson_names() -> None:
    def answer(question: Question) -> object:
        return question.answer(**question.variant())

    assert [768, 192, 32768, 11] == [answer(q) for q in (slab.CAP, slab.KMALLOC, slab.LARGE, slab.TASKS)]
    assert ["lowmem", "a", "both", "partial"] == [
        answer(q) for q in (slab.HOME, slab_lists.LAST, slab_lists.TWICE, slab_lists.NEXT_SLAB)
    ]
    assert ["high", 0x11000, "behind", 14, "linear"] == [
        answer(getattr(slab_vmalloc, name)) for name in ("ZONE", "GUARD", "LAZY", "FULL", "DMA")
    ]
    assert "vmalloc=<size>" in slab_vmalloc.filled()[1]
    assert slab_vmalloc.filled()[2] > 180_000, "frames are free all the same"
    assert "free already" in slab_lists.double_free_is_named()


def test_the_scenario_is_true_of_the_model() -> None:
    kernel = slab.fresh()
    assert 4096 == kernel.slab.ksize(kernel.kmalloc(2100))
    assert 2112 == kernel.slab.create("mine", 2100, 64).sizes.size
    with pytest.raises(vm.VmlabError, match="use vmalloc"):
        kernel.kmalloc(12 * vm.MiB)
    assert kernel.vmalloc(12 * vm.MiB)
