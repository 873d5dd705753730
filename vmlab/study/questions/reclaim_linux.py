"""Predictions of lesson 11 about Linux: its two looks at a page, who outlives a round, and how large its lists are.

All are run.
"""

from __future__ import annotations

import functools
from typing import Any

from ...kernel import boot
from ...process.lruvec import Lruvec
from ...process.reclaim import Look, Scan
from ...process.trace_pages import TracePage
from ...record import load_machine
from ...units import PAGE_SIZE
from ..question import Misconception, Question, always

VA = 0x40_0000


def verdict(references: int, referenced: bool) -> str:
    """What folio_check_references decides of an anonymous page."""

    class One:
        """A page whose entries were seen so often."""

        def look(self, page: Any) -> Look:
            """So many accessed bits."""
            return Look(references)

        def evict(self, page: Any) -> bool:
            """It is not asked for."""
            return False

        def key(self, page: Any) -> int:
            """Any name."""
            return 0

        def written(self) -> int:
            """Nothing goes."""
            return 0

    return Scan(Lruvec(), One())._check_references(TracePage(0, referenced=referenced))


IN_WORDS = {"reclaim": "goes", "keep": "stays inactive", "activate": "becomes active"}


def looks() -> list[tuple[str, str, str]]:
    """Rows of a table: accessed bits found, whether PG_referenced was set, what becomes of the page."""
    cases = (("0", False), ("1", False), ("1", True), ("2", False))
    return [(bits, "yes" if set_ else "no", IN_WORDS[verdict(int(bits), set_)]) for bits, set_ in cases]


USED = Question(
    id="11.used",
    ask="A page on Linux's inactive list was read a million times by its one process since it came. Now the kernel "
    "looks at it for the first time. What becomes of it?",
    facts=lambda rng: {},
    choices=lambda: {
        "activate": "it becomes active: a million times is hot",
        "keep": "it stays inactive and goes round once more",
        "reclaim": "it goes: it is at the end of the list",
        "sorted": "it is put behind pages that were read more often",
    },
    answer=lambda: verdict(1, False),
    misconceptions=(
        Misconception("the hardware counts references", always("activate"), "How many bits has an entry for this?"),
        Misconception("the end of the list is the end", always("reclaim"), "What does the accessed bit say?"),
        Misconception("the kernel keeps pages in the order of use", always("sorted"), "Who would tell it of each use?"),
    ),
    because="the accessed bit says used or not, never how often. Every page is used when it comes, so one bit proves "
    "little: only a second look that finds it set again makes the page active.",
)

PAGES, HOT, WANTED = 300, 20, 32


@functools.cache
def rounds(number: int = 4) -> tuple[tuple[int, int, int, int, int], ...]:
    """PAGES pages written in order; before each round the first HOT are read, then WANTED pages are reclaimed.

    Of each round: its number, hot pages that had to be read back from swap, second chances, pages freed, and how many
    of the hot ones are in memory after it.
    """
    kernel = boot(load_machine("arm-virt-armmp-1g"))
    kernel.swapon(2 * PAGES, synchronous=True)
    process = kernel.spawn("a")
    process.mmap(VA, PAGES)
    process.write(VA, b"x" * (PAGES * PAGE_SIZE))
    rows = []
    for each in range(1, number + 1):
        before = len(process.faults)
        process.read(VA, HOT * PAGE_SIZE)
        majors = sum(fault.result == "major" for fault in process.faults[before:])
        report = kernel.reclaim(WANTED)
        inside = sum(process.page_table.pte(VA + n * PAGE_SIZE).pfn is not None for n in range(HOT))
        rows.append((each, majors, report.kept, len(report.freed), inside))
    return tuple(rows)


SURVIVE = Question(
    id="11.survive",
    ask="A process writes {pages} pages, one after the other. The first {hot} of them it goes on reading, again and "
    "again. Then {wanted} frames are needed, and the kernel looks through its lists for the first time. How many of "
    "the {hot} hot pages are still in memory after that?",
    facts=lambda rng: {"pages": PAGES, "hot": HOT, "wanted": WANTED},
    answer=lambda pages, hot, wanted: rounds()[0][-1],
    misconceptions=(
        Misconception(
            "a hot page is seen to be hot", lambda pages, hot, wanted: hot, "What does one look find at a cold page?"
        ),
        Misconception(
            "which pages go is chance",
            lambda pages, hot, wanted: hot - hot * wanted // pages,
            "In which order do pages stand in the list?",
        ),
    ),
    because="every page was written since it came, so every one has its accessed bit set: hot and cold look the "
    "same, and all get a second chance. Then the kernel comes round again, finds no bit set, and takes the oldest: "
    "the hot ones.",
)

RATIO = Question(
    id="11.ratio",
    ask="How many active pages may there be for one inactive page, before the kernel calls the inactive list low? "
    "With {small} GiB of anonymous pages up to {few}. And with {gib} GiB?",
    facts=lambda rng: {"small": 1, "few": ratio_of(1), "gib": 100},
    answer=lambda small, few, gib: ratio_of(gib),
    misconceptions=(
        Misconception(
            "a share of memory is a share, whatever the size",
            lambda small, few, gib: few,
            "Does a page need a hundred times longer to be seen twice?",
        ),
        Misconception(
            "it grows as memory does",
            lambda small, few, gib: few * gib // small,
            "How short would the inactive list be on a machine with terabytes?",
        ),
        Misconception("both lists are of one size", always(1), "What is it with 1 GiB?"),
    ),
    because="the root of 10 × {gib}, without fraction: the larger memory is, the smaller the share it takes to look "
    "twice.",
)


def ratio_of(gib: int) -> int:
    """The largest ratio at which inactive is not low, found by asking."""

    class Sized(Lruvec):
        """Lists with sizes and no pages."""

        sizes: dict[bool, int]

        def size(self, kind: bool, active: bool) -> int:
            """As told."""
            return self.sizes[active]

    lists, pages, ratio = Sized(), gib << 18, 1
    while True:
        inactive = -(-pages // (ratio + 2))
        lists.sizes = {False: inactive, True: pages - inactive}
        if lists.inactive_is_low(False):
            return ratio
        ratio += 1
