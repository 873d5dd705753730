"""Practice of lesson 08: the round of slots in named steps (advance, wrap, address), flushes, and counts.

The answers are taken from the model's pool, which maps and unmaps page after page; the steps are worked out beside it.
"""

from __future__ import annotations

import functools
import random
from dataclasses import replace

from ...units import PAGE_SIZE, group_hex
from ...virtual.pkmap import Pkmap
from ..question import Facts, Misconception, Question, always
from ..steps import Step, Steps
from .highmem import fresh, read_each
from .slab import BOARD
from .tlb_steps import apart

WINDOWS = {"an ARM board": (0xBFE0_0000, 512), "a PC": (0xFEC0_0000, 1024), "a PC with PAE": (0xFF00_0000, 512)}


def _draw(rng: random.Random) -> Facts:
    where = rng.choice(list(WINDOWS))
    base, slots = WINDOWS[where]
    return {
        "where": where,
        "base": base,
        "slots": slots,
        "last": rng.randrange(slots // 2, slots - 1),
        "pages": rng.randrange(slots // 2 + 2, 2 * slots),
    }


@functools.lru_cache(64)
def after(where: str, base: int, slots: int, last: int, pages: int) -> Pkmap:
    """The window after that many reads of new pages, each with kmap and kunmap."""
    pool = Pkmap(base, slots)
    pool.last[0] = last
    for pfn in range(1, pages + 1):
        pool.kmap(pfn)
        pool.kunmap(pfn)
    return pool


def round_steps(where: str, base: int, slots: int, last: int, pages: int) -> Steps:
    """All steps from the facts."""
    slot = (last + pages) % slots
    return Steps.of(
        (
            Step("advance", "one slot on for each new page", f"{last} + {pages:,}", f"{last + pages:,}"),
            Step("wrap", "slots go round: the remainder is the slot", f"{last + pages:,} mod {slots:,}", f"{slot:,}"),
            Step(
                "address",
                "one page for each slot before it",
                f"{group_hex(base)} + {slot:,} × {PAGE_SIZE:#x}",
                group_hex(base + slot * PAGE_SIZE),
            ),
        )
    )


ASK = (
    "On {where} kmap's window has {slots:,} slots from {base:#_x}; last_pkmap_nr is {last}. Then {pages:,} new HighMem "
    "pages are read one after the other, each with kmap and kunmap, and nobody else maps any. "
)
HINTS = ("By how many slots does the scan go on?", "wrap: last_pkmap_nr plus the pages, modulo the number of slots.")

SLOT = apart(
    Question(
        id="08.slot",
        ask="One step is open. " + ASK + "In which slot is the last page?",
        facts=_draw,
        answer=lambda **facts: after(**facts).last_pkmap_nr,
        misconceptions=(
            Misconception(
                "the round begins anew for each program", lambda pages, slots, **_: pages % slots, "Where was the scan?"
            ),
            Misconception(
                "a slot that was given back is used again at once",
                lambda last, **_: last + 1,
                "What is the count of a slot just given back?",
            ),
            Misconception(
                "the round skips slot 0",
                lambda last, pages, slots, **_: (last + pages) % (slots - 1) + 1,
                "Which slot follows the last one?",
            ),
            Misconception(
                "the window has room for all", lambda last, pages, **_: last + pages, "How many slots are there?"
            ),
        ),
        hints=HINTS,
        steps=round_steps,
        blank="wrap",
        because="last_pkmap_nr plus the pages, modulo the number of slots.",
    )
)

ADDRESS = apart(
    Question(
        id="08.address",
        ask="On your own. " + ASK + "At which address was the last page?",
        facts=_draw,
        answer=lambda **facts: (pool := after(**facts)).address(pool.last_pkmap_nr),
        misconceptions=(
            Misconception(
                "the window goes on behind its end",
                lambda base, last, pages, **_: base + (last + pages) * PAGE_SIZE,
                "What lies there?",
            ),
            Misconception(
                "the round begins anew for each program",
                lambda base, pages, slots, **_: base + pages % slots * PAGE_SIZE,
                "Where was the scan?",
            ),
            Misconception(
                "windows are given out from the top down",
                lambda base, last, pages, slots, **_: base + (slots - 1 - (last + pages) % slots) * PAGE_SIZE,
                "In which direction does last_pkmap_nr go?",
            ),
        ),
        hints=HINTS,
        steps=round_steps,
        because="the slot's number times 4,096, from the window's start.",
        show=hex,
    )
)


def flush_steps(where: str, base: int, slots: int, last: int, pages: int) -> Steps:
    """How often the scan comes to slot 0."""
    wraps = (last + pages) // slots
    return Steps.of(
        (
            Step("advance", "one slot on for each new page", f"{last} + {pages:,}", f"{last + pages:,}"),
            Step(
                "flushes", "whole rounds that end on the way", f"{last + pages:,} / {slots:,}, rounded down", f"{wraps}"
            ),
        )
    )


FLUSHES = apart(
    Question(
        id="08.flushes",
        ask=ASK + "How often were the TLBs of all CPUs flushed?",
        facts=_draw,
        answer=lambda **facts: len(after(**facts).flushes),
        misconceptions=(
            Misconception("each kunmap flushes", lambda pages, **_: pages, "What would that cost, on all CPUs?"),
            Misconception(
                "a flush comes when as many pages as slots were read",
                lambda pages, slots, **_: pages // slots,
                "Where did the scan begin?",
            ),
            Misconception(
                "there is no flush: nothing is unmapped", always(0), "What may a TLB say of a slot that is used anew?"
            ),
        ),
        hints=("When is an idle slot taken out of the page table?", "flushes: one each time the scan comes to slot 0."),
        steps=flush_steps,
        because="one for each wrap, however many slots it frees.",
    )
)


def count_steps(maps: int, unmaps: int) -> Steps:
    """The count of a slot from its users."""
    return Steps.of(
        (
            Step("map", "the first kmap makes the entry", "an entry that nobody uses", "1"),
            Step("users", "each kmap adds one user", f"1 + {maps}", f"{1 + maps}"),
            Step("count", "each kunmap takes one away", f"{1 + maps} − {unmaps}", f"{1 + maps - unmaps}"),
        )
    )


def _counted(maps: int, unmaps: int) -> int:
    pool = Pkmap(0xBFE0_0000, 8)
    for _ in range(maps):
        pool.kmap(70)
    for _ in range(unmaps):
        pool.kunmap(70)
    return pool.counts[1]


COUNT = apart(
    Question(
        id="08.count",
        ask="One HighMem page is mapped {maps} times with kmap, by several tasks, and {unmaps} of them have called "
        "kunmap. What is the count of its slot?",
        facts=lambda rng: {"maps": (maps := rng.randrange(4, 30)), "unmaps": rng.randrange(1, maps)},
        answer=_counted,
        misconceptions=(
            Misconception("the count is the number of users", lambda maps, unmaps: maps - unmaps, "What does 0 say?"),
            Misconception(
                "kunmap waits for the flush", lambda maps, unmaps: maps + 1, "When does a user stop being one?"
            ),
            Misconception("a page that is mapped twice has two slots", always(2), "What does kmap look for first?"),
        ),
        hints=("What is the count with no user at all, while the entry stands?", "count: 1, and 1 for each user."),
        steps=count_steps,
        because="1 for the entry, and 1 for each user.",
    )
)


FLUSHES_STEP = replace(FLUSHES, id="08.flushes-step", ask="One step is open. " + FLUSHES.ask, blank="flushes")
COUNT_STEP = replace(COUNT, id="08.count-step", ask="One step is open. " + COUNT.ask, blank="count")


@functools.cache
def recorded() -> tuple[list[int], int, int]:
    """Frames that a recorded board read in one go, and where its scan stood at the end; and the model's."""
    kernel = fresh(BOARD)
    assert kernel.machine.recorded is not None
    holds = kernel.machine.recorded.data["kmap"]["holds"]
    frames = [pfn for hold in holds for pfn in hold.get("read_order_pfns", ())]
    read_each(kernel.highmem, frames)
    assert kernel.highmem.pkmap is not None
    return frames, int(holds[-1]["last_pkmap_nr"]), kernel.highmem.pkmap.last_pkmap_nr


RECORDED = Question(
    id="08.recorded",
    ask="A real ARM board with {slots} slots was recorded: right after boot a program's {pages:,} pages, all HighMem, "
    "were read one after the other through /proc/PID/mem, which calls kmap and kunmap for each. Which slot did the "
    "last get?",
    facts=lambda rng: {"slots": 512, "pages": len(recorded()[0])},
    answer=lambda slots, pages: recorded()[2],
    misconceptions=(
        Misconception(
            "the first page gets slot 0", lambda slots, pages: (pages - 1) % slots, "Which slot was the first one's?"
        ),
        Misconception("each read uses slot 1 again", always(1), "When is slot 1 free again?"),
        Misconception("the window stays at its last slot", lambda slots, pages: slots - 1, "What follows slot 511?"),
        Misconception("there is a slot for each page", lambda slots, pages: pages, "How many slots are there?"),
    ),
    because="{pages:,} steps on from slot 0, modulo {slots}.",
)
