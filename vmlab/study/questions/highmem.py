"""Questions of lesson 08: what HighMem holds, how small the window is, and which slot a page gets.

Every right answer is asked of a booted model; the beliefs are those of the question that the lesson starts from.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from ...kernel import Kernel
from ...physical.zonelist import Page
from ...units import PAGE_SIZE, MiB
from ...virtual.highmem import HighMem
from ...virtual.pkmap import Pkmap
from ...virtual.residents import RESIDENTS, Exhausted, exhaust
from ..question import Misconception, Question, always
from .slab import BOARD, PC, fixed, fresh

MACHINES = (PC, "i386-pc-686pae-4g", BOARD)
KINDS = {"task": "task_struct", "cache": "page cache, a file's page", "memmap": "struct page: mem_map"}


def high_pages(kernel: Kernel, count: int) -> list[Page]:
    """So many pages of HighMem."""
    pages = [kernel.alloc_pages(0, "GFP_HIGHUSER") for _ in range(count)]
    return [page for page in pages if isinstance(page, Page) and page.zone == "HighMem"]


def window_of(kernel: Kernel) -> Pkmap:
    """kmap's pool, on a kernel that has one."""
    assert kernel.highmem.pkmap is not None
    return kernel.highmem.pkmap


def read_each(windows: HighMem, pages: Iterable[Page | int]) -> None:
    """kmap and kunmap one page after the other, as reading through /proc/PID/mem does."""
    for page in pages:
        windows.kmap(page)
        windows.kunmap(page)


@functools.cache
def _window() -> tuple[int, int, int]:
    kernel = fresh(PC)
    pool = window_of(kernel)
    return pool.slots, pool.slots * PAGE_SIZE // MiB, kernel.zones["HighMem"].present_pages * PAGE_SIZE // MiB


WINDOW = Question(
    id="08.window",
    ask="A PC with 1 GiB of RAM has {high} MiB of HighMem. Its kernel's window for kmap has {slots:,} slots. How many "
    "MiB of HighMem can kmap show at the same time?",
    facts=lambda rng: {"slots": _window()[0], "high": _window()[2]},
    answer=lambda slots, high: _window()[1],
    misconceptions=(
        Misconception(
            "the 128 MiB at the top of the address space are the window",
            always(128),
            "What else needs addresses there?",
        ),
        Misconception("all of HighMem is mapped", lambda slots, high: high, "How many slots are there?"),
        Misconception("a slot shows one MiB", lambda slots, high: slots, "What does one page-table entry map?"),
    ),
    because="{slots:,} slots of one page: one page table. The rest of the 128 MiB is for vmalloc and fixed addresses.",
)

LIVES = Question(
    id="08.lives",
    ask="Which of these may lie in HighMem on a 32-bit kernel?",
    facts=fixed({}),
    choices=lambda: {
        "task": "task_struct",
        "cache": "the page cache: pages of files",
        "memmap": "mem_map, as far as it describes HighMem",
        "none": "none: HighMem is for user programs only",
    },
    answer=lambda: next(key for key, what in KINDS.items() for kind in RESIDENTS if kind.what == what and kind.highmem),
    misconceptions=(
        Misconception("'dynamic memory' is HighMem", always("task"), "How would the scheduler follow a pointer to it?"),
        Misconception(
            "struct pages lie in the zone that they describe", always("memmap"), "Which address has mem_map[0]?"
        ),
        Misconception(
            "the kernel never touches HighMem", always("none"), "Who copies a file's page into a program's buffer?"
        ),
    ),
    because="the kernel needs a file's page only while it copies it, one page at a time; the others hold pointers.",
)


@functools.cache
def emptied() -> tuple[Exhausted, int, bool]:
    """Ask for lowmem until none is given: what came, HighMem's free pages then, and whether a task could be born."""
    kernel = fresh()
    got = exhaust(lambda order, gfp: kernel.alloc_pages(order, gfp), "GFP_KERNEL", 10)
    born = isinstance(kernel.slab["task_struct"].alloc(), int)
    return got, kernel.buddy.free_pages(kernel.zones["HighMem"]), born


EXHAUSTED = Question(
    id="08.exhausted",
    ask="A board with 1 GiB of RAM. Kernel objects have filled lowmem; 256 MiB of HighMem are free. A program forks. "
    "What becomes of the new task_struct?",
    facts=fixed({}),
    choices=lambda: {
        "high": "it is put into HighMem, at an address of vmalloc",
        "window": "it is put into HighMem, and kmap shows it when it is needed",
        "refused": "there is no memory for it: fork fails, or the kernel kills a program",
        "swap": "another task_struct is swapped out for it",
    },
    answer=lambda: "high" if emptied()[2] else "refused",
    misconceptions=(
        Misconception(
            "a request goes up to a higher zone when its own is full", always("high"), "In which order is a zonelist?"
        ),
        Misconception(
            "the kernel can look at any object through a window", always("window"), "Who would open it, at each use?"
        ),
        Misconception("kernel objects are swapped", always("swap"), "What would a pointer to it show meanwhile?"),
    ),
    because="slab asks with GFP_KERNEL, which ends at lowmem: free HighMem does not help.",
)

FIRST = Question(
    id="08.first",
    ask="A board has just booted: no slot was ever used, last_pkmap_nr is 0. The kernel maps its first HighMem page, "
    "frame {pfn:#x}, in a window of {slots} slots. Which slot does it get?",
    facts=fixed({"pfn": 0x7E0EE, "slots": 512}),
    answer=lambda pfn, slots: _slot_after(pfn, slots),
    misconceptions=(
        Misconception("the search begins at the first slot", always(0), "What is done to last_pkmap_nr first?"),
        Misconception(
            "the slot follows from the frame's number",
            lambda pfn, slots: pfn % slots,
            "What would two such frames do to each other?",
        ),
        Misconception(
            "windows are given out from the top down", lambda pfn, slots: slots - 1, "Is last_pkmap_nr raised?"
        ),
    ),
    because="the scan goes on from the slot after the last one; slot 0 comes at the end of the round.",
)


def _slot_after(pfn: int, slots: int) -> int:
    pool = Pkmap(0xBFE0_0000, slots)
    pool.kmap(pfn)
    return pool.last_pkmap_nr


@functools.cache
def three() -> Pkmap:
    """Three pages mapped, the second given back."""
    kernel = fresh()
    pages = high_pages(kernel, 3)
    for page in pages:
        kernel.kmap(page, "A")
    kernel.kunmap(pages[1], "A")
    return window_of(kernel)


RELEASED = Question(
    id="08.released",
    ask="Three HighMem pages are mapped into slots 1, 2 and 3: each count is 2. Then the second page is given back "
    "with kunmap. What is the count of slot 2?",
    facts=fixed({}),
    answer=lambda: three().counts[2],
    misconceptions=(
        Misconception("kunmap takes the page out of the page table", always(0), "What may a CPU's TLB still hold?"),
        Misconception("kunmap changes nothing before the flush", always(2), "How would anyone know that it is idle?"),
    ),
    because="1 says: nobody uses it, but the entry still stands, and a TLB may hold it. Not usable before a flush.",
)

REUSE = Question(
    id="08.reuse",
    ask="Now a fourth HighMem page is mapped. Which slot does it get?",
    facts=fixed({}),
    answer=lambda: (three().last_pkmap_nr + 1) % three().slots,
    misconceptions=(
        Misconception("the slot that was given back is used first", always(2), "What is the count of that slot?"),
        Misconception("the lowest slot of count 0 is used", always(0), "Where does the scan go on?"),
    ),
    because="the scan goes on from slot 3; slot 2 waits for the end of the round.",
)
