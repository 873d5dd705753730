"""Recall for lesson 08: three questions about what came before, three about the lesson itself."""

from __future__ import annotations

import functools
import random

from ...kernel import Kernel
from ...physical.zonelist import Page
from ...units import MiB
from ...virtual.pkmap import Pkmap
from ..question import Facts, Misconception, Question, always
from .highmem_kept import filled
from .highmem_local import deepest
from .slab import fixed, fresh
from .tlb_steps import apart


def _board(rng: random.Random) -> Facts:
    start = rng.choice((0x1000_0000, 0x4000_0000, 0x6000_0000))
    return {"start": start, "low": 64 * rng.randrange(4, 13), "ram": 64 * rng.randrange(14, 31)}


BORDER = apart(
    Question(
        id="08.recall.border",
        ask="A board has {ram} MiB of RAM from {start:#_x} on; {low} MiB of it are lowmem. What is the number of "
        "HighMem's first frame?",
        facts=_board,
        answer=lambda start, low, ram: (start + low * MiB) >> 12,
        misconceptions=(
            Misconception("RAM begins at 0", lambda start, low, ram: low * MiB >> 12, "Which frame is the first?"),
            Misconception(
                "a frame is numbered by its address",
                lambda start, low, ram: start + low * MiB,
                "How many bytes has a frame?",
            ),
            Misconception(
                "HighMem is at the end of RAM",
                lambda start, low, ram: (start + ram * MiB) >> 12,
                "What comes after HighMem?",
            ),
        ),
        because="the physical address at which lowmem ends, divided by 4,096.",
        show=hex,
    )
)


@functools.cache
def _board_in_use() -> Kernel:
    return fresh()


@functools.cache
def area_pages(pages: int) -> int:
    """Pages of addresses that an area of `pages` pages takes."""
    space = _board_in_use().vmap_areas
    va = space.vmalloc(pages * 4096)
    assert isinstance(va, int)
    size = space.areas[va].size
    space.vfree(va)
    return size // 4096


GUARD = apart(
    Question(
        id="08.recall.guard",
        ask="vmalloc({pages} pages): how many pages of addresses does the area take?",
        facts=lambda rng: {"pages": rng.randrange(3, 200)},
        answer=lambda pages: area_pages(pages),
        misconceptions=(
            Misconception(
                "an area takes as many pages of addresses as it maps",
                lambda pages: pages,
                "What is behind the last page?",
            ),
            Misconception(
                "areas are powers of two", lambda pages: 1 << (pages - 1).bit_length(), "Is vmalloc buddy's?"
            ),
            Misconception("a guard stands on both sides", lambda pages: pages + 2, "What stands before an area?"),
        ),
        because="its pages, and one guard page that is never mapped.",
    )
)


@functools.cache
def fallback() -> str:
    """Where a user's page comes from when HighMem is used up, by doing it."""
    kernel = fresh()
    while isinstance(page := kernel.alloc_pages(8, "GFP_HIGHUSER_MOVABLE"), Page) and page.zone == "HighMem":
        pass
    return "low" if isinstance(page, Page) else "fail"


FALLBACK = Question(
    id="08.recall.fallback",
    ask="A program's page is asked for with GFP_HIGHUSER_MOVABLE, and HighMem is used up. What does the page "
    "allocator do?",
    facts=fixed({}),
    choices=lambda: {
        "fail": "it refuses: that zone is full",
        "low": "it takes a lowmem page, as long as the zone's reserve allows it",
        "swap": "it swaps a page out before it looks elsewhere",
    },
    answer=lambda: fallback(),
    misconceptions=(
        Misconception("a gfp names one zone", always("fail"), "What is a zonelist?"),
        Misconception("reclaim comes before fallback", always("swap"), "When does kswapd wake?"),
    ),
    because="zones are tried from the highest allowed one down; lowmem_reserve keeps the last of lowmem for others.",
)


@functools.cache
def until_flush(slots: int, last: int) -> int:
    """Reads of new pages until the TLBs are flushed, by doing them."""
    pool = Pkmap(0xBFE0_0000, slots)
    pool.last[0] = last
    for pages in range(1, slots + 2):
        pool.kmap(pages)
        pool.kunmap(pages)
        if pool.flushes:
            return pages
    raise AssertionError("a round has as many slots as the pool")


AGAIN = apart(
    Question(
        id="08.recall.again",
        ask="last_pkmap_nr is {last} of {slots} slots, and no slot is in use. How many new pages must be read, each "
        "with kmap and kunmap, until the TLBs are flushed next?",
        facts=lambda rng: {"slots": (slots := rng.choice((512, 1024))), "last": rng.randrange(9, slots - 9)},
        answer=lambda slots, last: until_flush(slots, last),
        misconceptions=(
            Misconception("the scan begins anew at slot 0", lambda slots, last: slots, "Where does the scan stand?"),
            Misconception("each kunmap flushes", always(1), "What does kunmap do to the count?"),
            Misconception(
                "the number of slots already passed is what is left",
                lambda slots, last: last,
                "Which slot ends the round?",
            ),
        ),
        because="the flush comes with the page that gets slot 0: the number of slots, less last_pkmap_nr.",
    )
)


SLEEPS = Question(
    id="08.recall.sleeps",
    ask="An interrupt handler has to read a HighMem page. With what?",
    facts=fixed({}),
    choices=lambda: {
        "kmap": "kmap: there is always a slot in the end",
        "local": "kmap_local_page: it never waits",
        "vmalloc": "vmalloc: it maps HighMem frames",
        "direct": "phys_to_virt of the page's address",
    },
    answer=lambda: "local" if filled()[1] is not None and deepest() > 0 else "kmap",
    misconceptions=(
        Misconception("waiting is only slow", always("kmap"), "Who would run while the handler sleeps?"),
        Misconception("vmalloc maps a page that is given", always("vmalloc"), "Which frames does vmalloc take?"),
        Misconception("every page has an address", always("direct"), "Which pages are in the direct map?"),
    ),
    because="the slots are the CPU's own, without lock and queue; kmap may sleep, and a handler must not.",
)


@functools.cache
def kept_for_good() -> str:
    """Whether the address of a lowmem page is good after kunmap, as a choice."""
    kernel = fresh()
    page = kernel.alloc_pages(0, "GFP_KERNEL")
    va = kernel.kmap(page)
    kernel.kunmap(page)
    return "low" if isinstance(va, int) and kernel.highmem.check(va).ok else "none"


POINTER = Question(
    id="08.recall.pointer",
    ask="Which of these addresses may be stored in a structure and used an hour later by another task?",
    facts=fixed({}),
    choices=lambda: {
        "local": "what kmap_local_page returned for a HighMem page",
        "given": "what kmap returned for a HighMem page that was given back since",
        "low": "what kmap returned for a lowmem page",
        "none": "none of them",
    },
    answer=lambda: kept_for_good(),
    misconceptions=(
        Misconception("kmap_local's windows are for all", always("local"), "Whose stack are they on?"),
        Misconception("an address from kmap stays good", always("given"), "What does the next wrap do?"),
        Misconception("kmap always opens a window", always("none"), "What does kmap do with a lowmem page?"),
    ),
    because="a lowmem page has its address in the direct map for good: no window was opened.",
)


START = (BORDER, GUARD, FALLBACK)
END = (AGAIN, SLEEPS, POINTER)
