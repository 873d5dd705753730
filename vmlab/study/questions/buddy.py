"""Questions of lesson 06: blocks and their buddies, lists, per-CPU pages, migratetypes, fragmentation.

Every right answer is asked of the allocator itself; the beliefs are functions of the same facts.
"""

from __future__ import annotations

import random
from functools import cache

from ...physical.migratetype import Migratetype
from ...physical.zones import Zone
from ..question import Facts, Misconception, Question
from ..weigh import Scenario
from ..workbench import Workbench, newmem

UNMOVABLE, MOVABLE = Migratetype.UNMOVABLE, Migratetype.MOVABLE
HUGE = 9


def _buddy_facts(rng: random.Random) -> Facts:
    order = rng.randrange(2, 9)
    pfn = (rng.randrange(64, 4096) * 2 + 1) << order
    zone = Zone(0, 0, "toy", start_pfn=pfn - (1 << order), spanned_pages=2 << order, managed_pages=2 << order)
    bench = Workbench(zone, max_order=order + 2, pageblock_order=order + 1)
    bench.fill(order)
    for first, _ in sorted(bench.blocks):
        bench.free(first)
    return {"pfn": pfn, "order": order, "merged": next(step.pfn for step in bench.buddy.steps if step.kind == "merge")}


def _lifo_facts(rng: random.Random) -> Facts:
    bench = Workbench()
    bench.fill(0, MOVABLE, 1024)
    while True:
        freed = [newmem().start_pfn + 2 * page for page in rng.sample(range(512), 3)]
        if min(freed) != freed[2] and min(freed) != freed[0]:
            break
    for pfn in freed:
        bench.free(pfn)
    return {"freed": tuple(freed), "shown": ", ".join(map(hex, freed)), "next": bench.alloc()}


def _pcp_facts(rng: random.Random) -> Facts:
    batch = rng.choice((3, 7, 15, 31, 63))
    pages = 4096
    zone = Zone(0, 0, "toy", spanned_pages=pages, managed_pages=pages, pcp_batch=batch, pcp_high=4 * batch)
    bench = Workbench(zone)
    bench.alloc(0, MOVABLE, cpu=0)
    return {"batch": batch, "high": 4 * batch, "fell": pages - bench.buddy.free_pages(zone)}


def _steal_facts(rng: random.Random) -> Facts:
    order = rng.randrange(6, 9)
    bench = Workbench(Zone(0, 0, "toy", spanned_pages=8192, managed_pages=8192), pageblock_order=order)
    bench.alloc(0, UNMOVABLE)
    types = bench.buddy.area_of(bench.zone).block_types(0, 8192)
    return {"pageblock_order": order, "changed": types[UNMOVABLE], "all": 8192 >> order}


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


BUDDY = Question(
    id="06.buddy",
    ask="A block of order {order} begins at frame {pfn:#x}. At which frame does its buddy begin?",
    facts=_buddy_facts,
    answer=lambda merged, **_: merged,
    misconceptions=(
        Misconception(
            "the buddy is always the next block",
            lambda pfn, order, **_: pfn + (1 << order),
            "Where would the two, as one block of the next order, begin?",
        ),
        Misconception(
            "the order itself is the bit",
            lambda pfn, order, **_: pfn ^ order,
            "How many frames has a block of that order?",
        ),
        Misconception(
            "addresses, not frames, are combined",
            lambda pfn, order, **_: pfn ^ 1 << order + 12,
            "In which unit is a pfn?",
        ),
    ),
    because="pfn ^ (1 << {order}) changes one bit.",
    show=hex,
)
LIFO = Question(
    id="06.lifo",
    ask="Three single pages are given back in this order: {shown}. Their buddies are in use. Which frame "
    "does the next request for one page get?",
    facts=_lifo_facts,
    answer=lambda next, **_: next,
    misconceptions=(
        Misconception(
            "the list is a queue", lambda freed, **_: freed[0], "At which end does __free_one_page put a block?"
        ),
        Misconception("the lowest frame goes first", lambda freed, **_: min(freed), "Is a free list sorted?"),
    ),
    because="the last one freed is at the head, and probably still in a CPU's cache.",
    show=hex,
)
PCP = Question(
    id="06.pcp",
    ask="A CPU's list is empty; its batch is {batch}, its high {high}. The CPU asks for one page. By how "
    "many pages does the zone's free count fall?",
    facts=_pcp_facts,
    answer=lambda fell, **_: fell,
    misconceptions=(
        Misconception(
            "one page was asked for, so one leaves", lambda **_: 1, "What does a CPU fetch when its list is empty?"
        ),
        Misconception(
            "the list is filled up to high",
            lambda high, **_: high,
            "Which number limits what stays, and which what is fetched?",
        ),
        Misconception(
            "a batch is fetched besides the page",
            lambda batch, **_: batch + 1,
            "Where does the page that is handed out come from?",
        ),
    ),
    because="a whole batch leaves the free lists; what is on a CPU's list counts as free nowhere.",
)
STEAL = Question(
    id="06.steal",
    ask="A zone has only free blocks of order 10, all of them MOVABLE; a pageblock has 2^{pageblock_order} "
    "pages. One UNMOVABLE page is asked for. How many pageblocks are UNMOVABLE afterwards?",
    facts=_steal_facts,
    answer=lambda changed, **_: changed,
    misconceptions=(
        Misconception(
            "a page may be taken without the pageblock", lambda **_: 0, "Where would the next UNMOVABLE page come from?"
        ),
        Misconception("one page needs one pageblock", lambda **_: 1, "How large is the block that is taken?"),
        Misconception("the whole zone changes", lambda all, **_: all, "How many blocks does one request take?"),
    ),
    because="the largest block is taken, and every pageblock in it changes its type.",
)
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
    because="nothing can be moved: this is what migratetypes are there to prevent.",
)


def _choice(rng: random.Random) -> Facts:
    return {"order": rng.randrange(5, 11)}


BYTES = Question(
    id="06.recall.bytes",
    ask="How many KiB has a block of order {order}, with pages of 4 KiB?",
    facts=_choice,
    answer=lambda order: 4 << order,
    misconceptions=(
        Misconception("the order counts pages", lambda order: 4 * order, "How many pages has order 0?"),
        Misconception("a block has 2^order KiB", lambda order: 1 << order, "In which unit does 2^order count?"),
    ),
    because="2^{order} pages of 4 KiB.",
)
SPLITS = Question(
    id="06.recall.splits",
    ask="The only free block has order {order}. How many splits does a request for one page need?",
    facts=_choice,
    answer=lambda order: order,
    misconceptions=(
        Misconception("every page is cut off", lambda order: (1 << order) - 1, "Which half is cut again?"),
        Misconception("one cut is enough", lambda order: 1, "How large is the half?"),
    ),
    because="each split lowers the order by one.",
)
ROUNDED = Question(
    id="06.recall.rounded",
    ask="Somebody needs {pages} contiguous pages. How many does a block from alloc_pages() have for them?",
    facts=lambda rng: {"pages": rng.choice((3, 5, 6, 9, 11, 17, 33, 65, 100))},
    answer=lambda pages: 1 << (pages - 1).bit_length(),
    misconceptions=(
        Misconception("a block may have any number of pages", lambda pages: pages, "Which sizes have a free list?"),
        Misconception("the order is rounded down", lambda pages: 1 << pages.bit_length() - 1, "Is that enough?"),
    ),
    because="an order is a power of two.",
)
END = (BYTES, SPLITS, ROUNDED)

OWN_WAY = Scenario(
    id="06.own-way",
    ask="You own NewMem's 131,072 frames. How do you manage them, and what do you give up for it?",
    ways=(
        (
            "a doubly linked list",
            "a page for the cost of one link, always",
            "never two pages side by side; its own locks",
        ),
        ("buddy", "blocks of any order, merged as they come back", "up to ten splits or merges a request"),
        (
            "buddy with a short list before it (what Linux does)",
            "both, most of the time",
            "pages on the short list merge with nothing",
        ),
        ("a bitmap", "one bit a frame; any run can be looked for", "looking takes time that grows with the zone"),
    ),
)
