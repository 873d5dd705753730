"""Questions of lesson 06 about free memory that holds no large block, and about compaction.

Every right answer is asked of the allocator itself; the beliefs are functions of the same facts.
"""

from __future__ import annotations

from functools import cache

from ...physical.migratetype import Migratetype
from ..question import Facts, Misconception, Question
from ..workbench import Workbench, newmem

UNMOVABLE, MOVABLE = Migratetype.UNMOVABLE, Migratetype.MOVABLE
HUGE = 9


@cache
def scattered(compacted: bool = False, kept: Migratetype = MOVABLE) -> Workbench:
    """NewMem, filled with single pages of which every second one is given back; or with one unmovable page left a
    pageblock.
    """
    bench = Workbench()
    bench.fill(0, kept)
    bench.scatter(2 if kept == MOVABLE else 1 << HUGE)
    if compacted:
        bench.compact()
    return bench


def huge_blocks(bench: Workbench) -> int:
    """How many blocks of order 9 the free lists could give."""
    return sum(count << order - HUGE for order, count in enumerate(bench.buddy.nr_free(bench.zone)) if order >= HUGE)


def _scatter_facts(compacted: bool, kept: Migratetype) -> Facts:
    bench = scattered(compacted, kept)
    return {
        "free": bench.buddy.free_pages(bench.zone),
        "huge": huge_blocks(bench),
        "total": newmem().managed_pages >> HUGE,
    }


FRAGMENTED = Question(
    id="06.fragmented",
    ask="NewMem was filled with single pages; every second one was given back, so {free:,} pages are free. "
    "How many blocks of order 9 can be had?",
    facts=lambda rng: _scatter_facts(False, MOVABLE),
    answer=lambda huge, **_: huge,
    misconceptions=(
        Misconception(
            "free pages are as good as free blocks",
            lambda free, **_: free >> HUGE,
            "Is the buddy of any free page free?",
        ),
        Misconception(
            "half of the zone being free leaves half of its halves",
            lambda free, **_: free >> HUGE + 1,
            "Which pages would merge first?",
        ),
    ),
    because="the buddy of every free page is in use: nothing merges.",
)
COMPACTED = Question(
    id="06.compacted",
    ask="Now the zone is compacted: used pages are moved together. All of them are movable. How many blocks "
    "of order 9 can be had?",
    facts=lambda rng: _scatter_facts(True, MOVABLE),
    answer=lambda huge, **_: huge,
    misconceptions=(
        Misconception("a used page cannot be moved", lambda **_: 0, "Who knows where a movable page is mapped?"),
        Misconception(
            "compaction frees pages, too", lambda total, **_: total, "Are there fewer used pages afterwards?"
        ),
    ),
    because="the same pages are free, but side by side: {free:,} / 512.",
)
PINNED = Question(
    id="06.pinned",
    ask="Another past: one UNMOVABLE page is in use in every pageblock, all else is free: {free:,} pages. "
    "The zone is compacted. How many blocks of order 9 can be had?",
    facts=lambda rng: _scatter_facts(True, UNMOVABLE),
    answer=lambda huge, **_: huge,
    misconceptions=(
        Misconception(
            "so many free pages must hold some large block",
            lambda free, **_: free >> HUGE,
            "In which pageblock is no page used?",
        ),
        Misconception(
            "compaction can move everything", lambda total, **_: total, "Who would tell the kernel's own pointers?"
        ),
    ),
    because="the one used page of each pageblock (a dark pixel in the corner of its box) cannot be moved. To keep such "
    "pages together is what migratetypes are for.",
)
