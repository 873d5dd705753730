"""The questions of lesson 02's exercise: a walk with one step open, tables to count, a choice."""

from __future__ import annotations

from dataclasses import replace

from ..trade import Way, trade_off
from .formats_steps import TABLES, TRANSLATE, _large

WALK = replace(
    TRANSLATE,
    id="02.walk",
    ask="The step frame is open. {title}, address {shown}. Read so far: {read}. {rule} At which physical address is "
    "the byte?",
    facts=lambda rng: _large(rng, ("x86-64-4", "x86-pae")),
    blank="frame",
)

COUNT = replace(TABLES, id="02.count")

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
