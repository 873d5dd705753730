"""A request of lesson 06 on one's own: three free blocks, one of which is split; the allocator itself is asked."""

from __future__ import annotations

import random

from ...physical.buddy import Buddy
from ...physical.migratetype import Migratetype
from ...physical.zones import Zone
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from .buddy_steps import alloc_steps
from .tlb_steps import apart

MAX_ORDER, PLACE = 11, 1 << 12  # every block stands alone in a place of 2**12 frames: nothing merges


def requested(at: dict[int, int], pages: int) -> Facts:
    """A zone whose free blocks are `at`, {order: first frame}; so many pages are asked for."""
    start, end = min(at.values()) & -PLACE, (max(at.values()) | PLACE - 1) + 1
    zone = Zone(0, 0, "toy", start_pfn=start, spanned_pages=end - start, managed_pages=sum(1 << o for o in at))
    free = sorted((first, first + (1 << order)) for order, first in at.items())
    buddy, order = Buddy([zone], free, MAX_ORDER, pageblock_order=MAX_ORDER - 1), (pages - 1).bit_length()
    pfn = buddy.alloc(zone, order, Migratetype.MOVABLE)
    split = [step for step in buddy.steps if step.kind == "split"]
    top = min(o for o in at if o >= order)
    blocks = [sum(step.order == o for step in split) for o in range(MAX_ORDER)]
    largest = max(split, key=lambda step: step.order)
    return {
        "order": order,
        "pages": pages,
        "pfn": pfn,
        "start": at[top],
        "top": top,
        "blocks": blocks,
        "at": largest.pfn,
    }


def _facts(rng: random.Random) -> Facts:
    order = rng.randrange(2, 5)
    middle = rng.randrange(order + 2, 8)
    orders = (order - 1, middle, rng.randrange(middle + 1, 11))
    places = rng.sample(range(8, 64), 3)
    at = {o: place * PLACE + (rng.randrange(PLACE >> o) << o) for o, place in zip(orders, places, strict=True)}
    pages = rng.randrange((1 << order - 1) + 1, (1 << order) + 1)
    small, _, large = orders
    return {**requested(at, pages), "small": small, "small_at": at[small], "large": large, "large_at": at[large]}


def _steps(start: int, top: int, order: int, pages: int, pfn: int, blocks: list[int], at: int, **_: object) -> Steps:
    largest = Step("largest", "the upper half of the first halving", f"{start:#x} + 2^{top - 1}", f"{at:#x}")
    return Steps((*alloc_steps(start, top, order, pages, pfn, blocks).steps[:3], largest))


LARGEST = apart(
    Question(
        id="06.largest",
        ask="On your own. In a toy zone three blocks are free: order {small} at frame {small_at:#x}, order {top} at "
        "{start:#x}, order {large} at {large_at:#x}. {pages} pages are asked for, and one of the blocks is split. At "
        "which frame does the largest piece of it begin that stays free?",
        facts=_facts,
        answer=lambda at, **_: at,
        misconceptions=(
            Misconception(
                "the largest block is split",
                lambda large, large_at, **_: large_at + (1 << large - 1),
                "On which list does the search begin, and in which direction does it go?",
            ),
            Misconception(
                "the upper half is handed out and the lower one kept",
                lambda start, **_: start,
                "Which half goes on its list?",
            ),
            Misconception(
                "the rest stays one block",
                lambda start, order, **_: start + (1 << order),
                "How many pages would that rest have: a power of two?",
            ),
        ),
        hints=(
            "Which blocks are large enough, and which of them stands on the lowest list?",
            "free_area: the first list from that order upwards that is not empty; split: its first halving leaves the "
            "largest piece.",
        ),
        steps=_steps,
        because="the first halving of the block of order {top} leaves its upper half.",
        show=hex,
    )
)
