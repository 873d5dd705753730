"""Lesson 01's functions to write: a walk of i386's two levels, and which frames two processes share."""

from __future__ import annotations

import functools
import random

from ...units import PAGE_SIZE, group_hex
from ..plain import Plain
from ..question import Misconception
from ..task import Given, Task

Pages = list[list[int]]  # [virtual page, frame] of each

# --- walk ---


def _draw_tables(rng: random.Random, size: float) -> Given:
    first = rng.randrange(1, 700)
    pages = {}
    for _ in range(1 + int(size * 5)):
        page = rng.choice((first, first, rng.randrange(1, 768))) * 1024 + rng.randrange(1024)
        pages[page] = rng.randrange(0x100, 0xF_FFFF)
    page = rng.choice(sorted(pages))
    missing = rng.choice((0, 0, 0, 1, 2))  # sometimes a page beside it, or one without a table
    page = page ^ 1 if missing == 1 else page ^ 0x4_0000 if missing == 2 else page
    offset = rng.randrange(1, PAGE_SIZE)
    return {"pages": sorted(map(list, pages.items())), "page": page, "offset": offset}


@functools.lru_cache(maxsize=256)
def _walked(pages: tuple[tuple[int, int], ...], va: int) -> tuple[int, tuple[tuple[int, int], ...], int | None]:
    """The base register, the words of RAM that hold the tables' entries, and what the model's walk finds."""
    from ...virtual.page_table import PageTable

    tables = PageTable("x86-32")
    for page, frame in pages:
        tables.map(page * PAGE_SIZE, frame * PAGE_SIZE)
    steps = [step for each in (*(page * PAGE_SIZE for page, _ in pages), va) for step in tables.walk(each).steps]
    words = sorted({(step.entry_pa, step.entry or 0) for step in steps})
    return tables.root_pa, tuple(words), tables.walk(va).pa


def _case(pages: Pages, page: int, offset: int) -> tuple[int, tuple[tuple[int, int], ...], int | None]:
    return _walked(tuple((page, frame) for page, frame in pages), page * PAGE_SIZE + offset)


def _walk_args(pages: Pages, page: int, offset: int) -> list[Plain]:
    root, words, _ = _case(pages, page, offset)
    return [root, [list(word) for word in words], page * PAGE_SIZE + offset]


def _tell_tables(pages: Pages, page: int, offset: int) -> str:
    maps = [f"tables.map({group_hex(page * PAGE_SIZE)}, {group_hex(frame * PAGE_SIZE)})" for page, frame in pages]
    return "\n".join(['tables = vm.PageTable("x86-32")', *maps])


def _two_reads(cr3: int, words: Plain, va: int) -> tuple[int, int]:
    """Both entries, 0 where there is none."""
    ram = dict(words)
    top = ram.get(cr3 + (va >> 22) * 4, 0)
    return top, ram.get((top & -PAGE_SIZE) + (va >> 12 & 1023) * 4, 0) if top & 1 else 0


def _present_or_not(cr3: int, words: Plain, va: int) -> Plain:
    last = _two_reads(cr3, words, va)[1]
    return (last & -PAGE_SIZE) + (va & 4095)


WALK = Task(
    id="01.walk_tables",
    signature="walk_tables(cr3, words, va)",
    ask="Return the physical address of virtual `va`, or None if an entry on the way is not present (bit 0 is clear). "
    "`cr3` is the address of the top table; `words` are [address, word] of RAM where the tables lie. Two levels of "
    "1,024 entries, 4 bytes each; an entry's upper 20 bits are an address.",
    draw=_draw_tables,
    args=_walk_args,
    answer=lambda pages, page, offset: _case(pages, page, offset)[2],
    loads=_tell_tables,
    what="page tables",
    beliefs=(
        Misconception(
            "a virtual address is the physical one", lambda cr3, words, va: va, "What are the tables for, then?"
        ),
        Misconception(
            "the last entry is the answer, flags and all",
            lambda cr3, words, va: _two_reads(cr3, words, va)[1] or None,
            "What do the lowest twelve bits of an entry say?",
        ),
        Misconception(
            "the frame is where the byte is",
            lambda cr3, words, va: last & -PAGE_SIZE if (last := _two_reads(cr3, words, va)[1]) & 1 else None,
            "Which of the 4096 bytes of the frame?",
        ),
        Misconception(
            "the entry of the top table names the frame",
            lambda cr3, words, va: (
                (top & -PAGE_SIZE) + (va & 4095) if (top := _two_reads(cr3, words, va)[0]) & 1 else None
            ),
            "What is at the address in that entry: the page, or the next table?",
        ),
        Misconception(
            "an entry that is zero is an address like any other",
            _present_or_not,
            "What does the CPU do when bit 0 of an entry is clear?",
        ),
    ),
    hints=(
        "Which word does the CPU read first, and at which address is it?",
        "entry (pgd) is at cr3 + (va >> 22) * 4; entry (pte) is at its upper 20 bits + (va >> 12 & 1023) * 4.",
    ),
)

# --- shared: a bug to find ---


def _draw_two(rng: random.Random, size: float) -> Given:
    count = 1 + int(size * 7)
    frames = rng.sample(range(0x100, 0x4000), 3 * count + 2)
    pages = rng.sample(range(0x400, 0x440), min(64, 2 * count + 2))
    one = [[pages[i], frames[i]] for i in range(count + 1)]
    two: Pages = []
    for i in range(count + 1):
        kind = rng.choice(("same place", "elsewhere", "own", "own"))
        page = pages[i] if kind != "elsewhere" else pages[count + 1 + i % (len(pages) - count - 1)]
        frame = frames[i] if kind != "own" else frames[count + 1 + i]
        if page not in [taken for taken, _ in two]:
            two.append([page, frame])
    return {"one": sorted(one), "two": sorted(two)}


def _reached(pages: Pages) -> dict[int, int]:
    """Frames by page, as the model's tables have them."""
    from ...virtual.page_table import PageTable

    tables = PageTable("x86-32")
    for page, frame in pages:
        tables.map(page * PAGE_SIZE, frame * PAGE_SIZE)
    return {page: (tables.walk(page * PAGE_SIZE).pa or 0) // PAGE_SIZE for page, _ in pages}


def _shared(one: Pages, two: Pages) -> Plain:
    return sorted(set(_reached(one).values()) & set(_reached(two).values()))


def _tell_two(one: Pages, two: Pages) -> str:
    lines = []
    for name, pages in (("one", one), ("two", two)):
        lines.append(f'{name} = vm.PageTable("x86-32")')
        lines += [f"{name}.map({group_hex(page * PAGE_SIZE)}, {group_hex(frame * PAGE_SIZE)})" for page, frame in pages]
    return "\n".join(lines)


SHARED = Task(
    id="01.shared",
    signature="shared(one, two)",
    ask="Return, in ascending order, the frames that both processes can reach. `one` and `two` are the pages that "
    "each has mapped, as [page number, frame number].",
    draw=_draw_two,
    args=lambda one, two: [one, two],
    answer=_shared,
    loads=_tell_two,
    what="pairs of processes",
    beliefs=(
        Misconception(
            "equal addresses in two processes are the same memory",
            lambda one, two: sorted(dict(one)[page] for page in dict(one) if page in dict(two)),
            "Which tables translate the address for the second process?",
        ),
        Misconception(
            "memory is shared only at the same address",
            lambda one, two: sorted(dict(one)[page] for page in dict(one) if dict(two).get(page) == dict(one)[page]),
            "May the second process have that frame at another address?",
        ),
        Misconception("nothing is shared", lambda one, two: [], "Which frames stand in both lists?"),
    ),
    hints=(
        "What makes two pages the same memory: their addresses, or their frames?",
        "Collect the frames of each process, and keep those that are in both.",
    ),
)
