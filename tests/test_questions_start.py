"""The two questions of the first notebook: the beliefs differ from the truth and from each other."""

from __future__ import annotations

import pytest
from questions import answers

import vmlab as vm
from vmlab.study.practice import hint
from vmlab.study.questions import start


@pytest.mark.parametrize("question", [start.FRAMES, start.BYTES], ids=lambda question: question.id)
def test_no_belief_gives_the_right_answer_or_that_of_another_belief(question) -> None:
    for variant in range(100):
        given = answers(question, question.variant("class", variant))
        assert len(set(given)) == len(given), variant


def test_a_board_of_1_gib_needs_what_the_recorded_one_has() -> None:
    recorded = vm.load_machine("arm-virt-armmp-1g").recorded
    assert recorded is not None
    facts = {"ram_mib": 1024, "size": vm.boot(vm.load_machine("arm-virt-armmp-1g")).mem_map.struct_page_bytes}
    first, *_, last = (
        int(frame) for frames in start.board(1024).mem_map.frames for frame in (frames.start, frames[-1])
    )

    assert start.BYTES.answer(**facts) == 2304 * 4096  # 0x6f6f9 to 0x6fff8 in record arm-virt-armmp-1g
    assert (0x6F6F9, 0x6FFF8) == (first, last)


def test_the_ladder_has_three_rungs_and_never_tells_the_answer() -> None:
    facts = start.BYTES.variant()
    rungs = [hint(start.BYTES, rung, facts=facts) for rung in range(4)]
    assert all(rungs[:3])
    assert "" == rungs[3]
    assert not any(f"{start.BYTES.answer(**facts):,}" in rung for rung in rungs)
