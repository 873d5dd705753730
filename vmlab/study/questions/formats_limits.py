"""Questions of lesson 02 about limits: which numbers are no addresses, what other page sizes change, which to take."""

from __future__ import annotations

import random
from typing import Any

from ...arch.format import NON_CANONICAL, Access
from ...arch.formats import page_format
from ...units import MiB, group_hex, human
from ..question import Facts, Misconception, Question, always
from ..weigh import Scenario


def _hole(rng: random.Random) -> Facts:
    va = rng.randrange(1 << 47, (1 << 64) - (1 << 47))
    return {"va": va, "shown": group_hex(va), "folded": group_hex(va & (1 << 47) - 1)}


def _reads(va: int, **_: Any) -> str:
    fmt = page_format("x86-64-4")
    if fmt.is_canonical(va):
        return "fault"
    return "gp" if "#GP" in fmt.fault(NON_CANONICAL, 0, Access()).register else "fault"


HOLE = Question(
    id="02.hole",
    ask="64-bit x86 with four levels. A program reads address {shown}. What does the CPU do?",
    facts=_hole,
    choices=lambda va, shown, folded: {
        "fold": f"it looks at 48 bits only and reads {folded}",
        "fault": "a page fault: there is no entry for the address, so error code 4",
        "fine": "it reads, if the kernel has mapped a page there",
        "gp": "it refuses before it reads any table: a general protection fault",
    },
    answer=_reads,
    misconceptions=(
        Misconception("unused address bits are ignored", always("fold"), "What would a later CPU with more bits do?"),
        Misconception("every bad address is a page fault", always("fault"), "Which table would have that entry?"),
        Misconception(
            "a 64-bit program can use any 64-bit number as an address",
            always("fine"),
            "With which index would the root be read?",
        ),
    ),
    because="bits 63..47 must all be equal (Intel SDM vol. 1, 3.3.7.1). No table is read, so there is no page fault.",
)


def _granule(rng: random.Random) -> Facts:
    fmt = page_format(rng.choice(("arm64-16k-47", "arm64-64k-48")))
    return {"name": fmt.name, "page": 1 << fmt.page_shift, "size": human(1 << fmt.page_shift)}


GRANULE = Question(
    id="02.granule",
    ask="AArch64 with pages of {size}. A table fills one page, an entry takes 8 bytes. How many bytes of addresses "
    "does one table of the lowest level cover?",
    facts=_granule,
    answer=lambda name, page, size: page_format(name).levels[-2].size,
    misconceptions=(
        Misconception("a table covers 2 MiB in every format", always(2 * MiB), "How many entries fit in this page?"),
        Misconception(
            "a table has 512 entries in every format",
            lambda page, **_: 512 * page,
            "How many entries of 8 bytes fit in a page of this size?",
        ),
        Misconception("a table covers as much as it takes", lambda page, **_: page, "What does one entry map?"),
    ),
    because="page/8 entries of one page each: the coverage grows with the square of the page.",
)

PAGE_SIZE_CHOICE = Scenario(
    id="02.page-size",
    ask="An AArch64 server runs one database with 200 GiB of shared memory, and beside it 2,000 small processes of "
    "3 MiB each, in which 60 separate stretches are mapped. You build its kernel. Which page size would you take, "
    "and what do you give up?",
    ways=(
        (
            "4 KiB pages",
            "a stretch wastes half a page, 2 KiB, on average; any program runs",
            "four reads a walk; a table of the last level reaches 2 MiB only",
        ),
        (
            "64 KiB pages",
            "three levels; a table of the last level reaches 512 MiB",
            "60 × 32 KiB lost in each small process, and a table takes 64 KiB; programs built for 4 KiB may fail",
        ),
        ("16 KiB pages", "in between: a table reaches 32 MiB", "not every core has it; few distributions build for it"),
        (
            "4 KiB pages, and hugetlb pages of 2 MiB or 1 GiB for the database",
            "small processes stay small; the database's tables shrink by 512 or more",
            "memory set aside beforehand, and the database has to ask for it",
        ),
        (
            "4 KiB pages and transparent huge pages",
            "nobody has to ask",
            "only while 2 MiB of neighbouring frames can be found; time goes into finding them",
        ),
    ),
)
