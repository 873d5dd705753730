"""Questions of lesson 08 about kmap_local: depth, order, what a switch takes along; 64 bits; and the scenario."""

from __future__ import annotations

import functools

from ...virtual.kmap_local import KmapLocal, NotTheLast
from ...virtual.pkmap import KernelBug, Pkmap, Waits
from ..question import Misconception, Question, always
from ..weigh import Scenario
from .slab import fixed, fresh
from .tlb_steps import apart

WIDE_PC = "amd64-pc-4g"


def slots() -> KmapLocal:
    """One CPU's slots where the recorded ARM board has them."""
    return KmapLocal(0xFFEF_F000, 1, 1)


@functools.cache
def deepest() -> int:
    """How many windows one task can map, by doing it."""
    local, count = slots(), 0
    while True:
        try:
            local.map(0x70000 + count)
        except KernelBug:
            return count
        count += 1


DEPTH = Question(
    id="08.depth",
    ask="In Linux 6.1 each CPU has {slots} slots for kmap_local. A function maps one page after the other and gives "
    "none back. How many windows does it have when the kernel stops it with BUG()?",
    facts=fixed({"slots": 16}),
    answer=lambda slots: deepest(),
    misconceptions=(
        Misconception("every slot can be used", lambda slots: slots, "What does BUG_ON(idx >= KM_MAX_IDX) compare?"),
        Misconception("kmap_local shares the window of kmap", always(512), "Does kmap_local ever wait?"),
        Misconception("there is one window a CPU", always(1), "How would one copy from page to page?"),
    ),
    because="the index is raised before it is compared with 16, so the last slot stays empty: 15.",
)


@functools.cache
def wrong_order() -> tuple[str, str]:
    """What the model says when the first of two windows is given back first, and the choice that it means."""
    local = slots()
    first = local.map(0x70000)
    local.map(0x70001)
    try:
        local.unmap(first)
    except NotTheLast as named:
        return "warn", str(named)
    return "fine", ""


ORDER = Question(
    id="08.order",
    ask="a = kmap_local_page(x); b = kmap_local_page(y); then kunmap_local(a). What does Linux 6.1 say?",
    facts=fixed({}),
    choices=lambda: {
        "fine": "nothing: a is free, b stays",
        "sleep": "it sleeps until b is given back",
        "warn": "it warns: a is not the window that was mapped last",
        "both": "nothing: both are given back",
    },
    answer=lambda: wrong_order()[0],
    misconceptions=(
        Misconception("windows are given back in any order, as with kmap", always("fine"), "Where is the depth kept?"),
        Misconception("kmap_local may wait", always("sleep"), "For whom could a task wait that holds b itself?"),
        Misconception("unmapping a unmaps what came after", always("both"), "How many steps does the index go down?"),
    ),
    because="the windows are a stack: the index only goes up and down by one. Give back b, then a.",
)


@functools.cache
def after_switch() -> str:
    """Where Q's window is while P, switched out on the same CPU, holds one; by doing it."""
    local = slots()
    first = local.map(0x70000)
    local.switch("Q")
    second = local.map(0x70001)
    local.switch("task0")
    shown = local.entries[local.slot(first)]
    return "next" if second != first else "same" if shown == 0x70000 else "lost"


SWITCH = Question(
    id="08.switch",
    ask="Task P maps page x with kmap_local at address v, and then sleeps. Task Q runs on the same CPU and maps page y "
    "with kmap_local. Where (Linux 6.1)?",
    facts=fixed({}),
    choices=lambda: {
        "next": "at the address below v: v is in use",
        "same": "at v too; P sees x there again when it runs",
        "lost": "at v too; P sees y there afterwards",
        "wait": "nowhere: Q waits until P gives v back",
    },
    answer=lambda: after_switch(),
    misconceptions=(
        Misconception("the slots are one stack for all tasks of a CPU", always("next"), "Whose depth is counted?"),
        Misconception("a switch leaves the windows alone", always("lost"), "What would P have to do before it sleeps?"),
        Misconception("a window in use is waited for, as with kmap", always("wait"), "Is there a queue?"),
    ),
    because="the depth is the task's own. The switch takes P's entries out of the page table and puts them back later.",
)


@functools.cache
def wide(pfn: int) -> tuple[int, int]:
    """What kmap returns on a 64-bit PC, and where its direct map begins."""
    kernel = fresh(WIDE_PC)
    va = kernel.kmap(pfn)
    assert isinstance(va, int)
    return va, kernel.layout.page_offset


WIDE = Question(
    id="08.wide",
    ask="A 64-bit PC, whose direct map begins at {offset:#_x} and maps physical 0 there. What does kmap return for the "
    "page of frame {pfn:#x}?",
    facts=lambda rng: {"pfn": 0x12345, "offset": wide(0x12345)[1]},
    answer=lambda pfn, offset: wide(pfn)[0],
    misconceptions=(
        Misconception("1:1 means equal", lambda pfn, offset: pfn << 12, "What does the direct map add?"),
        Misconception("a window is used on 64 bits too", always(0xBFE0_1000), "Which pages lack an address there?"),
        Misconception(
            "a frame's number is its address", lambda pfn, offset: offset + pfn, "How many bytes has a frame?"
        ),
    ),
    because="every page is in the direct map: kmap is page_address, an addition. Nothing is mapped, nothing runs out.",
    show=hex,
)


@functools.cache
def threads_that_wait(slots: int) -> int:
    """The fewest threads that can all wait for good, each with one window and asking for a second; tried in turn."""
    for threads in range(1, slots + 2):
        pool = Pkmap(0xBFE0_0000, slots)
        names = [f"thread {n}" for n in range(threads)]
        held = [name for n, name in enumerate(names) if not isinstance(pool.kmap(n + 1, name), Waits)]
        for n, name in enumerate(held):
            pool.kmap(1000 + n, name)
        if pool.deadlocked:
            return threads
    raise AssertionError("some number of threads fills the pool")


DEADLOCK = apart(
    Question(
        id="08.deadlock",
        ask="A toy window has {slots} slots. Threads copy from page to page: each maps a first page, then a second, "
        "and only then copies and gives both back. With how many threads, at the fewest, can all of them wait for "
        "good?",
        facts=lambda rng: {"slots": rng.randrange(4, 40)},
        answer=threads_that_wait,
        misconceptions=(
            Misconception(
                "two windows each make half as many threads enough",
                lambda slots: -(-slots // 2),
                "Would anyone still be waiting for a second window?",
            ),
            Misconception(
                "as long as each thread gets its first window it goes on",
                lambda slots: slots + 1,
                "What does a thread do before it gives its first window back?",
            ),
            Misconception(
                "the windows of all threads must be counted twice", lambda slots: 2 * slots, "How many does each hold?"
            ),
        ),
        because="each holds one and waits for another, and nobody can give one back.",
    )
)

COPY = Scenario(
    id="08.copy",
    ask="Your driver for 32-bit boards with 2 GiB of RAM gets pages of a program's buffer, which may be HighMem, and "
    "has to check and copy each of them; some requests have 1,000 pages and are worked on for seconds. Which ways of "
    "reaching the pages do you choose for what, and what do you give up?",
    ways=(
        (
            "kmap_local_page, a page at a time",
            "never waits, no lock, no flush of other CPUs' TLBs; may sleep in between",
            "the address is good for this task only, in reverse order, a few at a time; nobody else may use the "
            "pointer",
        ),
        (
            "kmap, all pages at once",
            "an address that other tasks may use too",
            "1,000 pages are more than the 512 slots of the board: you wait for yourself, and everybody waits with you",
        ),
        (
            "kmap, a page at a time",
            "simple, and any task may give it back",
            "a lock for all CPUs, a flush of all TLBs each round, may sleep; new code is asked to avoid it",
        ),
        (
            "vmap of all pages",
            "one contiguous range of addresses for as long as you like",
            "4 MiB of vmalloc space a request, page-table work, a TLB flush later",
        ),
        (
            "pages of your own from lowmem (GFP_KERNEL)",
            "an address that never changes, no window",
            "lowmem, which every slab competes for; and a copy",
        ),
        (
            "a 64-bit kernel",
            "every page has an address; kmap is an addition",
            "other hardware, or at least another kernel",
        ),
    ),
)
