"""Questions of lesson 06: blocks and their buddies, free lists, per-CPU lists, migratetypes.

Every right answer is asked of the allocator itself; the beliefs are functions of the same facts.
"""

from __future__ import annotations

import random

from ...physical.migratetype import Migratetype
from ...physical.zones import Zone
from ..question import Facts, Misconception, Question
from ..workbench import Workbench, newmem

UNMOVABLE, MOVABLE = Migratetype.UNMOVABLE, Migratetype.MOVABLE


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


def stolen(order: int) -> Workbench:
    """A zone of MOVABLE pageblocks of 2**order pages, after one request for an UNMOVABLE page."""
    bench = Workbench(Zone(0, 0, "toy", spanned_pages=8192, managed_pages=8192), pageblock_order=order)
    bench.alloc(0, UNMOVABLE)
    return bench


def _steal_facts(rng: random.Random) -> Facts:
    order = rng.choice((7, 8))
    bench = stolen(order)
    types = bench.buddy.area_of(bench.zone).block_types(0, 8192)
    return {"pageblock_order": order, "changed": types[UNMOVABLE], "all": 8192 >> order}


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
    because="pfn ^ (1 << {order}). As one block of the next order the two must begin at a multiple of twice their "
    "size, so their first frames differ in bit {order} and in no other.",
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
    because="a whole batch leaves the free lists; a page on a CPU's list is not counted as free.",
)
STEAL = Question(
    id="06.steal",
    ask="A toy zone has only free blocks of order 10, all of them MOVABLE; a pageblock has 2^{pageblock_order} "
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
