"""Questions of lesson 06: beliefs never coincide with the truth or with each other; steps end in the answer."""

from __future__ import annotations

from questions import QuestionClaims

from vmlab.study.questions import (
    buddy,
    buddy_fragmented,
    buddy_race,
    buddy_recall,
    buddy_refused,
    buddy_request,
    buddy_steps,
    buddy_stops,
)


class TestQuestions(QuestionClaims):
    MODULES = (
        buddy,
        buddy_steps,
        buddy_request,
        buddy_stops,
        buddy_refused,
        buddy_fragmented,
        buddy_race,
        buddy_recall,
    )
    LESSON = "06"


def test_the_allocator_s_answers_follow_the_kernel_s_formulas() -> None:
    for number in range(50):
        facts = buddy.BUDDY.variant("formula", number)
        assert facts["pfn"] ^ 1 << facts["order"] == buddy.BUDDY.answer(**facts)
        facts = buddy_steps.SPLIT.variant("formula", number)
        assert facts["top"] - facts["order"] == buddy_steps.SPLIT.answer(**facts)
        assert facts["start"] == facts["pfn"]


def test_a_request_splits_the_smallest_block_that_is_large_enough() -> None:
    facts = buddy_request.requested({1: 0x8000, 6: 0xA040, 9: 0xC200}, pages=3)
    assert 0xA060 == facts["at"], "the upper half of the block of order 6"
    for number in range(50):
        facts = buddy_request.LARGEST.variant("split", number)
        assert facts["start"] == facts["pfn"]
        assert facts["start"] + (1 << facts["top"] - 1) == buddy_request.LARGEST.answer(**facts)
        assert facts["top"] - facts["order"] == sum(facts["blocks"])


def test_merging_stops_at_the_zone_s_border_and_at_the_largest_order() -> None:
    for number in range(50):
        facts = buddy_stops.BORDER.variant("stops", number)
        border = facts["border"]
        assert (
            (border & -border).bit_length() - 1 == buddy_stops.BORDER.answer(**facts) == facts["trace"].count("merge")
        )
        assert "is in Normal" in facts["stop"]
        facts = buddy_stops.TOP.variant("stops", number)
        assert facts["max_order"] - 1 == buddy_stops.TOP.answer(**facts) == facts["trace"].count("merge")


def test_the_pc_refuses_for_two_reasons() -> None:
    _, page, blocks = buddy_refused.refused()
    assert 225 == blocks
    assert {"DMA": 1, "DMA32": 7} == buddy_refused.left()
    why = {refusal.zone: refusal.why for refusal in page.refusals}
    assert "lowmem_reserve 927" in why["DMA"]
    assert "watermark 11084 + lowmem_reserve 0" in why["DMA32"]


def test_the_list_wins_single_pages_and_only_buddy_serves_blocks() -> None:
    single, lifo, fifo, blocks = (buddy_race.lanes(name) for name in buddy_race.TRACES)
    for mine, theirs in (single, lifo, fifo):
        assert mine.served == theirs.served
        assert mine.list_operations < theirs.list_operations
        assert 1 == mine.most < theirs.most
    assert fifo[0].unusable(9, 11) > lifo[0].unusable(9, 11)
    assert (0, 512) == (blocks[0].served, blocks[0].cannot)
    assert 512 == blocks[1].served
