"""Recall for lesson 02: three questions about what came before, three about the lesson itself."""

from __future__ import annotations

import random

from ...arch.formats import page_format
from ...units import PAGE_SHIFT, group_hex, human
from ..question import Facts, Misconception, Question, always

WHERE_TABLES = Question(
    id="02.recall.where-tables",
    ask="Where does the CPU keep the frame of every page of a process?",
    facts=lambda rng: {},
    choices=lambda: {
        "registers": "in registers of the MMU, loaded at each context switch",
        "tables": "in tables in RAM; one register holds the address of the first",
        "tlb": "in the TLB, which the kernel fills",
    },
    answer=lambda: "tables",
    misconceptions=(
        Misconception("the MMU has a register for each page", always("registers"), "How many pages has a process?"),
        Misconception("the TLB is the page table", always("tlb"), "What is looked at when the TLB has no entry?"),
    ),
    because="CR3, TTBR or satp holds the root's physical address; the TLB caches what was found (lesson 01).",
)

SAME = Question(
    id="02.recall.same",
    ask="Two processes use the same virtual address. Do they reach the same frame?",
    facts=lambda rng: {},
    choices=lambda: {
        "always": "yes: an address is a place",
        "never": "no: two processes never share a frame",
        "depends": "that depends on their tables: the root is another one after a switch",
    },
    answer=lambda: "depends",
    misconceptions=(
        Misconception("equal virtual addresses are equal memory", always("always"), "What changes with the process?"),
        Misconception("frames are never shared", always("never"), "How many copies of libc are in your RAM?"),
    ),
    because="each process has a root of its own; two roots may still lead to one frame.",
)


def _byte(rng: random.Random) -> Facts:
    return {"frame": rng.randrange(0x1001, 0xF_FFFF), "va": rng.randrange(0x1_0000, 0xB000_0000) << 4 | 1}


OFFSET = Question(
    id="02.recall.offset",
    ask="Virtual {va:#x} lies in a page of 4 KiB, and its page is in frame {frame:#x}. Which physical address is it?",
    facts=_byte,
    answer=lambda frame, va: frame << PAGE_SHIFT | va & 4095,
    misconceptions=(
        Misconception("a frame number is an address", lambda frame, va: frame + (va & 4095), "How long is a frame?"),
        Misconception(
            "the page begins the frame", lambda frame, va: frame << PAGE_SHIFT, "Which byte of the page is it?"
        ),
    ),
    because="frame << 12, and the low 12 bits of the virtual address.",
    show=group_hex,
)


def _index(rng: random.Random) -> Facts:
    fmt = page_format(rng.choice(("x86-64-4", "sv39", "arm-lpae", "x86-pae")))
    while True:
        va = rng.randrange(1 << 31)
        right = fmt.levels[-2].index_of(va)
        if len({right, va >> 22 & 1023, va >> 21, va >> 12 & 511}) == 4:
            return {"name": fmt.name, "title": fmt.title, "shown": group_hex(va), "va": va}


INDEX = Question(
    id="02.recall.index",
    ask="{title}, address {shown}. Which entry of its pmd table does the walk read?",
    facts=_index,
    answer=lambda name, va, **_: page_format(name).levels[-2].index_of(va),
    misconceptions=(
        Misconception("an index has ten bits", lambda va, **_: va >> 22 & 1023, "How many entries of 8 bytes?"),
        Misconception("the bits above belong to it", lambda va, **_: va >> 21, "How many entries has the table?"),
        Misconception("pmd is the lowest level", lambda va, **_: va >> 12 & 511, "Which level stands below it?"),
    ),
    because="bits 29..21: nine bits, because 512 entries of 8 bytes fill a page.",
)

PRESENT = Question(
    id="02.recall.present",
    ask="The hardware finds an entry whose present bit is 0. What do you know about the page?",
    facts=lambda rng: {},
    choices=lambda: {
        "lost": "it is lost, and using the address is an error",
        "disk": "it is on disk",
        "asks": "only that the CPU asks the kernel: it may be new, in swap, protected, old, or wrong",
    },
    answer=lambda: "asks",
    misconceptions=(
        Misconception("not present is an error", always("lost"), "What had the ARM page whose entry was 0?"),
        Misconception("not present is swapped out", always("disk"), "Where was the page after PROT_NONE?"),
    ),
    because="the other bits are the kernel's own then; on 32-bit ARM even an entry of 0 may belong to a page in RAM.",
)

COVERS = Question(
    id="02.recall.covers",
    ask="{title}: how many bytes does one entry of the {level} map, if it maps a page itself?",
    facts=lambda rng: _leaf(rng),
    answer=lambda name, depth, **_: page_format(name).levels[depth].size,
    misconceptions=(
        Misconception(
            "a page is always the smallest page",
            lambda name, **_: 1 << page_format(name).page_shift,
            "Which bits of the address are left when the walk ends there?",
        ),
        Misconception(
            "a large page is what one table takes",
            lambda name, depth, **_: page_format(name).table_bytes(depth) * 2,
            "What does a whole table below that entry map?",
        ),
        Misconception(
            "an entry maps as much as the entry above",
            lambda name, depth, **_: page_format(name).levels[depth - 1].size,
            "How many entries of this level does one entry above stand for?",
        ),
    ),
    because="1 << shift of the level: what a whole table below it would map.",
    show=human,
)


def _leaf(rng: random.Random) -> Facts:
    name, depth = rng.choice((("x86-64-4", 2), ("x86-64-4", 1), ("sv39", 1), ("arm64-64k-48", 1), ("arm64-16k-47", 1)))
    fmt = page_format(name)
    return {"name": name, "depth": depth, "title": fmt.title, "level": fmt.levels[depth].name}


START = (WHERE_TABLES, SAME, OFFSET)
END = (INDEX, PRESENT, COVERS)
