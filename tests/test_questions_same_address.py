"""Questions of lesson 01: beliefs never coincide with the truth or with each other; truths are the records'."""

from __future__ import annotations

from questions import QuestionClaims

import vmlab as vm
from vmlab.study.questions import same_address as ask
from vmlab.study.questions import (
    same_address_facts,
    same_address_kernel,
    same_address_recall,
    same_address_steps,
    same_address_switch,
)


class TestQuestions(QuestionClaims):
    MODULES = (ask, same_address_kernel, same_address_steps, same_address_switch, same_address_recall)
    LESSON = "01"
    BELIEFS = 2


def test_the_steps_end_in_the_answer_and_keep_their_names() -> None:
    names = ["base register", "index (pgd)", "entry (pgd)", "next table", "index (pte)", "entry (pte)", "frame"]
    for number in range(50):
        facts = same_address_steps.ALONE.variant("steps", number)
        steps = same_address_steps.ALONE.steps(**facts).steps
        assert [*names, "+ offset"] == [step.name for step in steps]
        assert same_address_steps.ALONE.answer(**facts) == int(steps[-1].gives.replace("_", ""), 16)
        assert str(same_address_steps.INDEX.answer(**facts)) == steps[4].gives


def test_what_the_question_shows_of_ram_is_enough_to_walk_by_hand() -> None:
    """With plain dictionary look-ups and i386's two indices: nothing of the model's walker."""
    for number in range(50):
        facts = same_address_steps.ALONE.variant("by hand", number)
        ram = {}
        for word in facts["words"].split(", "):
            at, value = word.split(" = ")
            ram[int(at[1:-1], 16)] = int(value, 16)
        va = facts["va"]
        table = ram[facts["root"] + (va >> 22) * 4] & ~0xFFF
        frame = ram[table + (va >> 12 & 1023) * 4] & ~0xFFF
        assert frame + (va & 0xFFF) == same_address_steps.ALONE.answer(**facts)


def test_a_walk_that_maps_nothing_ends_in_a_fault_step() -> None:
    steps = same_address_steps.worked(same_address_facts.space("p0"), 0x200_0000).steps
    assert "fault" == steps[-1].name
    assert "no physical address" == steps[-1].gives


def test_answers_are_what_the_running_kernel_said() -> None:
    """/proc/PID/pagemap of the recorded processes, which no walk was needed for."""
    cases = vm.load_machine(same_address_facts.PC).recorded.data["translation"]["cases"]
    frames = {(case["proc"], case["va"]): case["pagemap"].get("pfn") for case in cases}
    page = same_address_facts.ASKED & -4096
    assert frames["p0", page] != frames["p1", page]
    assert "other" == ask.WHERE.answer(**ask.WHERE.variant())
    assert frames["p0", same_address_facts.SHARED] == frames["p1", same_address_facts.SHARED]
    assert "same" == ask.MAP_SHARED.answer(**ask.MAP_SHARED.variant())
    written = {frames[name, same_address_facts.WRITTEN] for name in same_address_facts.FAMILY}
    assert len(written) == ask.COPIES.answer(**ask.COPIES.variant())
    assert "copy" == same_address_switch.CLAIM.answer(**same_address_switch.CLAIM.variant())


def test_mapped_pages_are_those_that_translate() -> None:
    tables = same_address_facts.space("p1")
    found, va = 0, 0
    while va < 0xC000_0000:
        walk = tables.walk(va)
        found += walk.pa is not None
        va = (va & -walk.page_bytes) + walk.page_bytes
    assert found == same_address_facts.mapped_pages("p1")


def test_a_place_is_named_by_how_it_lies_to_the_other() -> None:
    assert ["same", "identity", "other", "anywhere"] == [
        ask.place_word(0x5001, second, 0x1001) for second in (0x5001, 0x1001, 0x7001, 0x7002)
    ]


def test_the_base_register_is_written_for_another_process_only() -> None:
    count = same_address_switch.writes
    assert 1 == count(("a1", "a2", "a1"))
    assert 3 == count(("a1", "b1", "a1"))
    assert 1 == count(("a1", "kthread", "a1")), "the kernel thread left the tables in place"
    assert 2 == count(("a1", "kthread", "b1"))
