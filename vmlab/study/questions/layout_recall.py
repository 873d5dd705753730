"""Recall for lesson 09: three questions about what came before, three about the lesson itself."""

from __future__ import annotations

import functools

from ...units import MiB, group_hex
from ...virtual.side_by_side import known_layout
from ..question import Misconception, Question, always
from .layout import BOARD, booted, page_of
from .slab import fixed
from .tlb_steps import apart

LOWMEM = apart(
    Question(
        id="09.recall.lowmem",
        ask="A 32-bit board: PAGE_OFFSET is 0xc000_0000, RAM begins at physical {start:#_x}. Which physical address "
        "belongs to the kernel address {va:#_x}, in lowmem?",
        facts=lambda rng: {
            "start": rng.choice((0x4000_0000, 0x6000_0000, 0x8000_0000)),
            "va": 0xC000_0000 + rng.randrange(MiB, 512 * MiB, 4),
        },
        answer=lambda start, va: va - 0xC000_0000 + start,
        misconceptions=(
            Misconception("RAM begins at 0", lambda start, va: va - 0xC000_0000, "What is at PAGE_OFFSET?"),
            Misconception("1:1 means equal", lambda start, va: va, "Has the board RAM there?"),
        ),
        because="less PAGE_OFFSET, plus where RAM begins.",
        show=group_hex,
    )
)

WINDOW = Question(
    id="09.recall.vmalloc",
    ask="vmalloc gives 16 pages. In how many ranges of frames do they have to lie?",
    facts=fixed({}),
    choices=lambda: {"one": "one: an area is contiguous", "any": "any number: each page has its own entry"},
    answer=lambda: "any",
    misconceptions=(
        Misconception("contiguous addresses are contiguous frames", always("one"), "What is behind a vmalloc address?"),
    ),
    because="page tables lead to each frame on its own.",
)

CANONICAL = apart(
    Question(
        id="09.recall.canonical",
        ask="x86-64 with {levels}-level tables: how many bits of an address do the tables translate?",
        facts=lambda rng: {"levels": rng.choice((4, 5))},
        answer=lambda levels: 12 + 9 * levels,
        misconceptions=(
            Misconception("all of a pointer", always(64), "Which bits must repeat the highest one that is used?"),
            Misconception(
                "nine a level, and nothing else", lambda levels: 9 * levels, "What chooses the byte in a page?"
            ),
        ),
        because="nine bits a level and twelve within the page.",
    )
)

START = (LOWMEM, WINDOW, CANONICAL)

FLAT = Question(
    id="09.recall.flat",
    ask="On which kernel is the address of a struct page logical?",
    facts=fixed({}),
    choices=lambda: {
        "flat": "32-bit with one flat mem_map",
        "vmemmap": "64-bit with a vmemmap",
        "every": "every kernel: the array is RAM",
    },
    answer=lambda: "flat" if booted(BOARD).layout.classify(page_of(BOARD)).logical else "vmemmap",
    misconceptions=(
        Misconception("the vmemmap is the direct map", always("vmemmap"), "How far apart do the two areas begin?"),
        Misconception("RAM means logical", always("every"), "May a frame have several addresses?"),
    ),
    because="FLATMEM allocates it from lowmem; a vmemmap has page tables of its own.",
)


@functools.cache
def _first(name: str) -> int:
    return known_layout(name).page_offset


RANGE = Question(
    id="09.recall.range",
    ask="An address lies between the first and the last one of the direct map. Which of these is certain?",
    facts=fixed({}),
    choices=lambda: {
        "readable": "it can be read",
        "arithmetic": "__pa subtracts the right constant, whether or not there is RAM",
        "swappable": "its page can be swapped out",
    },
    answer=lambda: "arithmetic",
    misconceptions=(
        Misconception("the range proves that memory is there", always("readable"), "What about holes between banks?"),
        Misconception("being mapped decides about swap", always("swappable"), "Who uses the frame?"),
    ),
    because="the range is about arithmetic. Whether something is mapped, only the page tables tell.",
)

OLDER = apart(
    Question(
        id="09.recall.older",
        ask="nokaslr, four levels: kernel {version} has its direct map from which address on?",
        facts=lambda rng: {"version": rng.choice(("4.4", "4.9", "4.18", "5.4", "5.10", "6.1"))},
        answer=lambda version: _first(
            "x86-64, 4 levels, before 4.20" if version.startswith("4.") else "x86-64, 4 levels, nokaslr"
        ),
        misconceptions=(
            Misconception(
                "the direct map begins with the upper half", always(0xFFFF_8000_0000_0000), "What lies below it?"
            ),
            Misconception("it is where the image is", always(0xFFFF_FFFF_8000_0000), "Is RAM larger than 2 GiB?"),
        ),
        because="it was 0xffff_8800_0000_0000 until room for the LDT came in there: in 4.20, and in 4.19.5.",
        show=group_hex,
    )
)

END = (FLAT, RANGE, OLDER)
