"""Lesson 08's exercise: a round with slots in use, and which way to a page."""

from __future__ import annotations

import random

from ...units import PAGE_SIZE, group_hex
from ...virtual.pkmap import Pkmap, Waits
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from ..trade import Way, trade_off
from ..weigh import Scenario
from .highmem_steps import WINDOWS
from .tlb_steps import apart

MINE, OTHERS = 0x7F000, 0x70000  # frames: the first of those that it is about, and of all others


def _kept(pool: Pkmap, first: int, count: int) -> None:
    """Slots `first` and up, so many of them, are in use."""
    pool.restore(pool.last_pkmap_nr, [(slot, MINE + slot, 2) for slot in range(first, first + count)])


def read_pages(pool: Pkmap, pages: int) -> int:
    """kmap and kunmap so many new pages; the last one's address."""
    va: int | Waits = 0
    for pfn in range(OTHERS, OTHERS + pages):
        va = pool.kmap(pfn)
        pool.kunmap(pfn)
    assert isinstance(va, int), "not all slots are in use"
    return va


# --- walk: the round passes over slots in use ---


def _a_round(rng: random.Random) -> Facts:
    where = rng.choice(list(WINDOWS))
    base, slots = WINDOWS[where]
    last, first, kept = rng.randrange(slots // 2, slots - 8), rng.randrange(3, 20), rng.randrange(6, 60)
    return {
        "where": where,
        "base": base,
        "slots": slots,
        "last": last,
        "first": first,
        "end": first + kept - 1,
        "kept": kept,
        "pages": slots - last + rng.randrange(first + 1, slots // 2 - 60),
    }


def _last_page(base: int, slots: int, last: int, first: int, kept: int, pages: int, **_: object) -> int:
    pool = Pkmap(base, slots)
    pool.last[0] = last
    _kept(pool, first, kept)
    return read_pages(pool, pages)


def _round_steps(where: str, base: int, slots: int, last: int, first: int, end: int, kept: int, pages: int) -> Steps:
    wrapped = last + pages - slots
    return Steps.of(
        (
            Step("advance", "one slot on for each new page", f"{last} + {pages}", f"{last + pages}"),
            Step("wrap", "slots go round", f"{last + pages} − {slots}", f"{wrapped}"),
            Step("pass", f"slots {first} to {end} are in use", f"{wrapped} + {kept}", f"{wrapped + kept}"),
            Step(
                "address",
                "one page for each slot before it",
                f"{group_hex(base)} + {wrapped + kept} × {PAGE_SIZE:#x}",
                group_hex(_last_page(base, slots, last, first, kept, pages)),
            ),
        )
    )


WALK = apart(
    Question(
        id="08.walk",
        ask="The step pass is open, and what follows it. On {where} kmap's window has {slots:,} slots from {base:#x}. "
        "A driver has kept slots {first} to {end}, {kept} of them, all in use; last_pkmap_nr is {last}. Then {pages:,} "
        "new HighMem pages are read one after the other, each with kmap and kunmap. At which address was the last?",
        facts=_a_round,
        answer=_last_page,
        misconceptions=(
            Misconception(
                "a window in use is taken over when the round comes to it",
                lambda base, slots, last, pages, **_: base + (last + pages) % slots * PAGE_SIZE,
                "What would the driver read through its pointer?",
            ),
            Misconception(
                "the window goes on behind its end",
                lambda base, last, pages, **_: base + (last + pages) * PAGE_SIZE,
                "How many slots are there?",
            ),
            Misconception(
                "each program's round begins anew",
                lambda base, slots, kept, pages, **_: base + (pages + kept) % slots * PAGE_SIZE,
                "Where was the scan before the first of these pages?",
            ),
            Misconception(
                "slot 0 is never handed out",
                lambda **facts: _last_page(**facts) + PAGE_SIZE,
                "What does the scan do when it comes to slot 0?",
            ),
            Misconception(
                "the slot's number is all there is to add",
                lambda base, slots, last, kept, pages, **_: base + last + pages - slots + kept,
                "How many bytes of addresses does a slot take?",
            ),
        ),
        hints=(
            "Which slots does the round come by after the wrap, and which of them are not free?",
            "pass: the slots in use lie between slot 0 and the last page, so the scan goes that many further.",
        ),
        steps=_round_steps,
        blank="pass",
        because="the round goes on from last_pkmap_nr, wraps once, and passes over the {kept} slots in use.",
        show=group_hex,
    )
)

# --- way: a trade-off ---

WAY = trade_off(
    "08.way",
    "A driver on a 32-bit board with 2 GiB fills pages with a device's data, and has to look into them. Which way is "
    "left if these three matter?",
    {
        "atomic": "it can look where sleeping is forbidden, as in an interrupt",
        "share": "the pointer can be handed to another task",
        "lowmem": "the pages take nothing from what kernel objects need",
        "board": "the board stays the 32-bit one that it is",
    },
    {
        "kmap": Way("pages of HighMem, and kmap", "atomic", "kmap sleeps when all slots are in use"),
        "local": Way("pages of HighMem, and kmap_local_page", "share", "the address is good for one task only"),
        "kernel": Way("pages that are asked for with GFP_KERNEL", "lowmem", "they come out of lowmem"),
        "wide": Way("a 64-bit board, whose direct map has all RAM", "board", "another board has to be bought"),
    },
)

OWN_LOG = Scenario(
    id="08.own-log",
    ask="Your module keeps the last 64 MiB of a network's traffic in memory, on 32-bit boards with 2 GiB. Packets are "
    "added in interrupts; once a minute a program reads all of it. Where do the pages come from, through which "
    "addresses do you reach them, and what do you give up?",
    ways=(
        ("GFP_KERNEL: lowmem pages", "an address for good, in interrupts too", "64 MiB fewer for kernel objects"),
        ("HighMem, kmap_local_page for each packet", "no lowmem, no waiting", "one page at a time, never kept"),
        ("HighMem, kmap once for each page", "an address that may be kept", "16,384 pages, and 512 slots for all"),
        (
            "vmalloc",
            "one array, from HighMem too",
            "64 MiB of the 240 MiB of addresses; made before, never in interrupts",
        ),
        (
            "a program's memory, through a ring of few pages",
            "the kernel holds little",
            "packets are lost if it is late",
        ),
    ),
)
