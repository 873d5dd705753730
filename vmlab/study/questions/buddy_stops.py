"""Questions of lesson 06 about where merging stops although every neighbour is free: zone borders, the largest order.

The single frame in use is cut out of fresh memory, given back, and what the allocator made of it is read.
"""

from __future__ import annotations

import random

from ...physical.buddy import Buddy
from ...physical.zones import Zone
from ..question import Facts, Misconception, Question
from .buddy_steps import free_steps

LOW_PAGES = 1 << 13


def given_back_alone(zones: list[Zone], max_order: int, pfn: int) -> Facts:
    """All of these zones is free but frame `pfn`; it is given back."""
    buddy = Buddy(zones, [(zone.start_pfn, zone.end_pfn) for zone in zones], max_order, pageblock_order=max_order - 1)
    zone = next(zone for zone in zones if zone.holds(pfn))
    buddy.take(zone, pfn, pfn + 1)
    buddy.free(pfn)
    first, order = buddy.block_of(pfn) or (pfn, -1)
    return {
        "start": zone.start_pfn,
        "end": zone.end_pfn,
        "pfn": pfn,
        "first": first,
        "order": order,
        "max_order": max_order,
        "top": max_order - 1,
        "whole": zone.spanned_pages.bit_length() - 1,
        "stop": _stop(zones, zone, first, order, max_order),
        "trace": tuple(step.kind for step in buddy.steps),
    }


def _stop(zones: list[Zone], zone: Zone, first: int, order: int, max_order: int) -> str:
    if order == max_order - 1:
        return f"order {order} is the largest"
    other = next((z.name for z in zones if z.holds(first ^ 1 << order)), "no zone")
    assert other != zone.name, "the buddy is free and in the same zone: they would have merged"
    return f"the buddy, {first ^ 1 << order:#x}, is in {other}"


def _zone(index: int, name: str, start: int, pages: int) -> Zone:
    return Zone(0, index, name, start_pfn=start, spanned_pages=pages, present_pages=pages, managed_pages=pages)


def _at_a_border(rng: random.Random) -> Facts:
    """Two zones side by side; their border is no multiple of a large block."""
    order = rng.randrange(3, 7)
    border = (rng.randrange(1 << 9, 1 << 10) * 2 + 1) << order
    low = _zone(0, "Normal", border - LOW_PAGES, LOW_PAGES)
    high = _zone(1, "NewMem", border, 1 << rng.randrange(11, 14))
    return {**given_back_alone([low, high], 11, border + rng.randrange(1 << order)), "border": border}


def _at_the_top(rng: random.Random) -> Facts:
    """One zone of four blocks of the largest order."""
    max_order = rng.randrange(9, 13)
    pages = 4 << max_order - 1
    return given_back_alone([_zone(0, "NewMem", pages * 3, pages)], max_order, pages * 3 + rng.randrange(pages))


BORDER = Question(
    id="06.border",
    ask="Zone Normal ends at frame {border:#x}, zone NewMem begins there and ends at {end:#x}. All frames of both are "
    "free but {pfn:#x}, which is now given back. The largest order is {top}. What is the order of the block that it "
    "ends up in?",
    facts=_at_a_border,
    answer=lambda order, **_: order,
    misconceptions=(
        Misconception(
            "free neighbours merge, whosever they are",
            lambda top, **_: top,
            "On whose free list would a block stand that lies in two zones?",
        ),
        Misconception(
            "pages at a border never merge", lambda **_: 0, "Which frame is the first one's buddy: in which zone is it?"
        ),
        Misconception(
            "all of a free zone is one block", lambda whole, **_: whole, "How large may the largest block be?"
        ),
    ),
    hints=(
        "The border in binary: with how many zeros does it end?",
        "free?: the buddy must lie in the same zone. The block at the border is an upper half when its order equals "
        "the number of those zeros: its buddy lies below.",
    ),
    steps=free_steps,
    because="then {stop}: blocks do not cross zones (Linux 6.1, mm/internal.h:page_is_buddy).",
)
TOP = Question(
    id="06.top",
    ask="Here MAX_ORDER is {max_order}. A toy zone of frames {start:#x} to {end:#x} (that one excluded) is free but "
    "for {pfn:#x}, which is now given back. What is the order of the block that it ends up in?",
    facts=_at_the_top,
    answer=lambda order, **_: order,
    misconceptions=(
        Misconception(
            "MAX_ORDER is the largest order",
            lambda max_order, **_: max_order,
            "How many lists has free_area, from 0 on?",
        ),
        Misconception("all of a free zone is one block", lambda whole, **_: whole, "Which list would it stand on?"),
        Misconception("a page merges once", lambda **_: 1, "And is the buddy of the block of two pages free?"),
    ),
    hints=(
        "Nothing is in use in this zone: what else ends the loop?",
        "free?: the loop runs while order < MAX_ORDER − 1 (Linux 6.1); no list is longer.",
    ),
    steps=free_steps,
    because="MAX_ORDER counts the lists of Linux 6.1, orders 0 to MAX_ORDER − 1: {stop}.",
)
