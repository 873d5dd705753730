"""Questions of lesson 08 about a pointer that is kept too long, and a window of which every slot is in use."""

from __future__ import annotations

import functools

from ...virtual.highmem import Seen
from ...virtual.pkmap import Pkmap, Waits
from ..question import Misconception, Question, always
from .highmem import high_pages, read_each, window_of
from .slab import fixed, fresh

LATER_PAGES = 600


@functools.cache
def kept(others: int) -> tuple[Seen, bytes, Pkmap]:
    """A pointer kept after kunmap, once `others` pages were read: what it shows, what a load gives, the window."""
    kernel = fresh()
    mine, *rest = high_pages(kernel, 1 + others)
    va = kernel.kmap(mine)
    assert isinstance(va, int)
    kernel.highmem.write(va, b"mine")
    for page in rest:
        kernel.highmem.ram.write(page.pfn, 0, b"else")
    kernel.kunmap(mine)
    read_each(kernel.highmem, rest)
    got = kernel.highmem.read(va, 4)
    return kernel.highmem.check(va, mine), got if isinstance(got, bytes) else b"", window_of(kernel)


def shows(others: int) -> str:
    """The same as a choice."""
    return {b"mine": "page", b"else": "other", b"": "fault"}.get(kept(others)[1], "zero")


SHOWS = {
    "page": "the page's bytes, as if nothing had happened",
    "fault": "a fault: nothing is mapped there",
    "zero": "zeros",
    "other": "another page's bytes",
}
STALE = Question(
    id="08.stale",
    ask="A driver calls p = kmap(page), then kunmap(page), and reads through p at once. What does it get?",
    facts=fixed({}),
    choices=lambda: SHOWS,
    answer=lambda: shows(0),
    misconceptions=(
        Misconception("kunmap unmaps", always("fault"), "What did the count of 1 say?"),
        Misconception("a window that is given back is cleared", always("zero"), "Who would spend the time on it?"),
        Misconception("the next page takes the slot at once", always("other"), "Which slot comes next?"),
    ),
    because="the entry stands until the round ends. The bug does not show, and passes every short test.",
)

LATER = Question(
    id="08.later",
    ask="The driver keeps p, which is in slot 1 of 512. Meanwhile {others} other pages are read, each with kmap and "
    "kunmap. What does a read through p give now?",
    facts=fixed({"others": LATER_PAGES}),
    choices=lambda others: SHOWS,
    answer=lambda others: shows(others),
    misconceptions=(
        Misconception("an address from kmap stays good", always("page"), "What happened at the wrap?"),
        Misconception("an old pointer faults", always("fault"), "Who uses slot 1 since the wrap?"),
        Misconception("old windows are cleared", always("zero"), "What does the slot's entry name now?"),
    ),
    because="the wrap took the entry away, and then slot 1 was handed out again: no fault, wrong bytes.",
)


@functools.cache
def filled(slots: int = 512) -> tuple[Pkmap, Waits | None]:
    """A pool of which every slot is in use, and what the next kmap says."""
    pool = Pkmap(0xBFE0_0000, slots)
    for pfn in range(0x70000, 0x70000 + slots):
        pool.kmap(pfn, "A")
    said = pool.kmap(0x7F000, "B")
    return pool, said if isinstance(said, Waits) else None


FULL = Question(
    id="08.full",
    ask="All {slots} slots are in use. Task B maps one more HighMem page. What does kmap do?",
    facts=fixed({"slots": 512}),
    choices=lambda slots: {
        "null": "it returns NULL, and B must check for that",
        "steal": "it takes the slot that was mapped first",
        "sleep": "it puts B to sleep until somebody calls kunmap",
        "grow": "it adds a page table to the window",
    },
    answer=lambda slots: "steal" if filled(slots)[1] is None else "sleep",
    misconceptions=(
        Misconception("kmap fails like an allocator", always("null"), "Is a lack of slots a lack of memory?"),
        Misconception("old windows are taken over", always("steal"), "What would their users see?"),
        Misconception("the window grows", always("grow"), "Which addresses come after it?"),
    ),
    because="it is sure to get a slot, some time. That is why kmap must not be called where sleeping is forbidden.",
)
