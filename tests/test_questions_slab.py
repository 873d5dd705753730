"""Questions of lesson 07: beliefs never coincide with the truth or with each other; truths are run."""

from __future__ import annotations

import pytest

import vmlab as vm
from vmlab.procfs import read_slabinfo, sample
from vmlab.study.practice import TWIN, hint
from vmlab.study.question import Question
from vmlab.study.questions import slab, slab_lists, slab_recall, slab_steps, slab_vmalloc

MODULES = (slab, slab_lists, slab_steps, slab_vmalloc, slab_recall)
BANK = {q.id: q for module in MODULES for q in vars(module).values() if isinstance(q, Question)}
VARIANTS = 500
each = pytest.mark.parametrize("question", BANK.values(), ids=BANK)


@each
def test_no_belief_gives_the_right_answer_or_that_of_another_belief(question: Question) -> None:
    seen = set()
    for variant in range(VARIANTS):
        facts = question.variant("class", variant)
        if repr(facts) in seen:
            continue
        seen.add(repr(facts))
        answers = [question.answer(**facts), *(wrong.answer(**facts) for wrong in question.misconceptions)]
        assert len(set(answers)) == len(answers), (variant, answers)


@each
def test_feedback_names_the_belief_asks_back_and_keeps_the_answer(question: Question) -> None:
    facts = question.variant("class", 5)
    right = question.answer(**facts)
    assert "right" == question.check(right, facts).kind
    assert question.misconceptions
    for wrong in question.misconceptions:
        said = question.check(wrong.answer(**facts), facts)
        assert "belief" == said.kind
        assert wrong.back.endswith("?")
        assert f" {question.said(right, facts)}" not in said.text.replace(wrong.belief, "")
    assert "unknown" == question.check("none of these" if question.choices else -987654, facts).kind


@each
def test_every_question_can_be_put_into_words(question: Question) -> None:
    facts = question.variant("class", 3)
    assert "{" not in question.asked(facts) + question.reason(facts)
    if question.choices:
        assert {question.answer(**facts), *(m.answer(**facts) for m in question.misconceptions)} <= set(
            question.options(facts)
        )


@pytest.mark.parametrize("question", [q for q in BANK.values() if q.hints], ids=lambda q: q.id)
def test_every_ladder_has_three_rungs_and_ends_in_a_twin(question: Question) -> None:
    assert question.hints[0].endswith("?")
    assert all(hint(question, rung) for rung in range(3))
    assert question.asked(question.variant(number=TWIN)) in hint(question, 2)
    assert "" == hint(question, 3)


@pytest.mark.parametrize("question", [slab_steps.OBJECTS, slab_steps.LEFT_OVER, slab_steps.WASTE, slab_steps.NEXT])
def test_the_steps_end_in_the_answer(question: Question) -> None:
    for number in range(50):
        facts = question.variant("steps", number)
        assert question.answer(**facts) == int(question.steps(**facts).steps[-1].gives.replace(",", ""), 0)


def test_a_blank_step_is_one_of_the_steps() -> None:
    for question in BANK.values():
        if question.blank:
            assert question.blank in [step.name for step in question.steps(**question.variant("blank")).steps]


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
