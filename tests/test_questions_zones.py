"""Questions of lesson 04: beliefs never coincide with the truth or with each other; truths are the records'."""

from __future__ import annotations

import pytest

import vmlab as vm
from vmlab.study.practice import TWIN, hint
from vmlab.study.question import Question
from vmlab.study.questions import zones, zones_kept, zones_recall, zones_steps, zones_steps_kept

MODULES = (zones, zones_kept, zones_steps, zones_steps_kept, zones_recall)
BANK = {q.id: q for module in MODULES for q in vars(module).values() if isinstance(q, Question)}
VARIANTS = 300
each = pytest.mark.parametrize("question", BANK.values(), ids=BANK)


@each
def test_no_belief_gives_the_right_answer_or_that_of_another_belief(question: Question) -> None:
    for variant in range(VARIANTS):
        facts = question.variant("class", variant)
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
def test_every_ladder_begins_with_a_question_and_the_twin_is_another_variant(question: Question) -> None:
    assert question.hints[0].endswith("?")
    if question.steps:
        assert question.asked(question.variant(number=TWIN)) in hint(question, 2)


def test_the_steps_end_in_the_answer() -> None:
    for question in (zones_steps.PLACE, zones_steps.LOWMEM_ARM):
        for number in range(50):
            facts = question.variant("steps", number)
            assert question.show(question.answer(**facts)) == question.steps(**facts).steps[-1].gives
    facts = zones_steps_kept.LOW.variant("steps", 1)
    assert f"{zones_steps_kept.LOW.answer(**facts):,}" == zones_steps_kept.LOW.steps(**facts).steps[3].gives


def test_answers_are_what_the_recorded_kernels_say() -> None:
    pc, board = (vm.load_machine(name).recorded for name in (zones.PC, zones.BOARD))
    rows = {zone["name"]: zone for zone in pc.zones}
    assert rows["DMA"]["protection"][1] == zones_kept.RESERVE.answer(**zones_kept.RESERVE.variant())
    assert rows["DMA"]["present"] == zones.PRESENT.answer(**zones.PRESENT.variant())
    assert pc.data["meminfo_kib"]["MemTotal"] > pc.data["dmesg"]["memory_line"]["available_kib"]
    assert "more" == zones_kept.LATER.answer(**zones_kept.LATER.variant())
    assert board.zones[0]["spanned"] == zones.ARM_DMA.answer(**zones.ARM_DMA.variant())
    facts = zones.TOP_DOWN.variant()
    assert facts["event"].start in {start for start, _, _ in board.boot_allocations}


def test_late_pages_explain_the_line_printed_while_booting() -> None:
    kernel = zones.booted(zones.PC)
    recorded = kernel.machine.recorded.data
    managed = sum(zone.managed_pages for zone in kernel.zones)
    alternatives = dict(kernel.machine.config.freed_late)["SMP alternatives"]
    assert recorded["meminfo_kib"]["MemTotal"] == managed * 4
    early = recorded["dmesg"]["memory_line"]["available_kib"] // 4
    assert managed - zones_kept.late_pages(kernel.machine) - alternatives == early
