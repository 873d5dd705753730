"""The questions of lesson 02's exercise: a walk with one step open, tables to count, a choice."""

from __future__ import annotations

import random
from dataclasses import replace

from ..claim import claim
from ..question import Facts, Misconception
from ..trade import Way, trade_off
from ..weigh import Scenario
from .formats_steps import TABLES, TRANSLATE, _large

WALK = replace(
    TRANSLATE,
    id="02.walk",
    ask="The step frame is open. {title}, address {shown}. Read so far: {read}. {rule} At which physical address is "
    "the byte?",
    facts=lambda rng: _large(rng, ("x86-64-4", "x86-pae")),
    misconceptions=(
        *TRANSLATE.misconceptions,
        Misconception(
            "only the lowest bits of an entry are flags",
            lambda walk, **_: (walk.steps[-1].entry >> 21 << 21) + walk.va % walk.page_bytes,
            "What does bit 63 say?",
        ),
    ),
    blank="frame",
)

COUNT = replace(
    TABLES,
    id="02.count",
    misconceptions=(
        *TABLES.misconceptions,
        Misconception(
            "the root is a register, and no table",
            lambda **facts: TABLES.answer(**facts) - 1,
            "To what does CR3 or satp point?",
        ),
    ),
)


def _a_stride(rng: random.Random) -> Facts:
    fits = rng.random() < 0.5
    entries = rng.choice((64, 512, 1024, 1536))
    pages = rng.randrange(8, entries // 2) if fits else entries * rng.randrange(8, 40)
    return {"levels": rng.choice((2, 3, 4, 5)), "entries": entries, "pages": pages}


CLAIM = claim(
    "02.claim",
    "Page tables of {levels} levels, a TLB of {entries:,} entries. A loop reads a word of each of {pages:,} pages, "
    "over and over, always in the same order. Judge this: 'Each read costs {levels} reads of page tables more.'",
    _a_stride,
    {
        "always": "right: every access walks through all the levels",
        "walks": "right here, because nearly every read misses the TLB; the entries may come from the caches",
        "hits": "wrong here: after the first round nearly every read finds its translation in the TLB",
        "registers": "wrong: the tables are kept in registers of the MMU",
    },
    lambda entries, pages, **_: "hits" if pages <= entries else "walks",
    {
        "always": ("the CPU walks the tables at every access", "What is a TLB for?"),
        "registers": ("the MMU keeps each page's frame in registers", "How many registers would a large program need?"),
    },
    "{pages:,} pages and {entries:,} entries.",
    ("Do the pages fit into the TLB?", "{pages:,} pages, {entries:,} entries"),
    "it makes no difference how many pages the loop visits",
)

WAY = trade_off(
    "02.way",
    "A database keeps 64 GiB in memory and misses the TLB at every other step; many small programs share its machine. "
    "Which way is left if these three matter?",
    {
        "reach": "one TLB entry of the database covers much more than 4 KiB",
        "room": "no memory is set aside that nobody else may use meanwhile",
        "lean": "small programs do not grow by 2 MiB for each area that they touch",
        "same": "the database is not changed",
    },
    {
        "small": Way("pages of 4 KiB for all", "reach", "an entry covers 4 KiB"),
        "hugetlb": Way(
            "hugetlb pages, reserved at boot, through a preloaded library", "room", "the reserve is idle else"
        ),
        "always": Way("transparent huge pages for everybody (always)", "lean", "each first touch takes 2 MiB"),
        "madvise": Way("transparent huge pages on request (madvise)", "same", "the program has to ask for them"),
    },
)

OWN_FORMAT = Scenario(
    id="02.own-format",
    ask="You choose the page-table format of a small 64-bit CPU, for telephones with 2 to 8 GiB of RAM that run fifty "
    "programs at once. How large are pages, and how many levels are there? What do you give up?",
    ways=(
        ("4 KiB, three levels: 39 bits", "three reads a walk; 512 GiB for each program", "larger mappings never fit"),
        (
            "4 KiB, four levels: 48 bits",
            "256 TiB: room for random addresses, and for tricks with them",
            "a fourth read at each walk, and a fourth table for each program, however small",
        ),
        (
            "16 KiB, three levels: 47 bits",
            "as much room with three reads; a TLB entry reaches four times as far",
            "6 KiB more are lost at the end of each mapping, and programs must not count on 4 KiB",
        ),
        (
            "64 KiB, two levels: 42 bits",
            "two reads; a TLB entry reaches sixteen times as far",
            "30 KiB more are lost at the end of each mapping; fifty programs with hundreds of mappings feel it",
        ),
    ),
)
