"""Questions of lesson 04: beliefs never coincide with the truth or with each other; truths are the records'."""

from __future__ import annotations

from questions import QuestionClaims

import vmlab as vm
from vmlab.study.questions import zones, zones_kept, zones_recall, zones_steps, zones_steps_kept


class TestQuestions(QuestionClaims):
    MODULES = (zones, zones_kept, zones_steps, zones_steps_kept, zones_recall)
    LESSON = "04"


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
