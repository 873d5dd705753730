"""Recall for lesson 01: three questions about addresses and pages, three about the lesson itself."""

from __future__ import annotations

import random

from ...arch.formats import page_format
from ...units import PAGE_SHIFT, PAGE_SIZE, KiB
from ..question import Facts, Misconception, Question, always
from .same_address_switch import writes


def _address(rng: random.Random) -> Facts:
    return {"va": (rng.randrange(0x10_000, 0xBFFF_F) | 1) << PAGE_SHIFT | rng.randrange(0x101, PAGE_SIZE, 2)}


PAGE = Question(
    id="01.recall.page",
    ask="Pages have 4096 bytes. What is the number of the page that holds address {va:#x}?",
    facts=_address,
    answer=lambda va: va >> PAGE_SHIFT,
    misconceptions=(
        Misconception(
            "the last two digits are the offset", lambda va: va >> 8, "How many hexadecimal digits are 12 bits?"
        ),
        Misconception("the page number is the page's address", lambda va: va & -PAGE_SIZE, "Which page is number 1?"),
    ),
    because="4096 = 2¹², so twelve bits, three hexadecimal digits, are the offset; the rest is the number.",
    show=hex,
)

OFFSET = Question(
    id="01.recall.offset",
    ask="And at which offset in its page is address {va:#x}?",
    facts=_address,
    answer=lambda va: va % PAGE_SIZE,
    misconceptions=(
        Misconception("a page has 256 bytes", lambda va: va & 0xFF, "How many bytes has a page here?"),
        Misconception("a page has 64 KiB", lambda va: va & 0xFFFF, "How many bytes has a page here?"),
    ),
    because="the lowest twelve bits.",
    show=hex,
)

FITS = Question(
    id="01.recall.fits",
    ask="How many entries of {size} bytes fit in one page of {kib} KiB?",
    facts=lambda rng: {"size": rng.choice((4, 8)), "kib": rng.choice((4, 16, 64))},
    answer=lambda size, kib: kib * KiB // size,
    misconceptions=(
        Misconception("an entry is one byte", lambda size, kib: kib * KiB, "How many bytes has an entry?"),
        Misconception("a KiB has 1000 bytes", lambda size, kib: kib * 1000 // size, "How many bytes are a KiB?"),
    ),
    because="bytes of the page / bytes of an entry.",
)

DECIDES = Question(
    id="01.recall.decides",
    ask="Two processes use one virtual address. What decides whether they reach the same byte?",
    facts=lambda rng: {},
    choices=lambda: {
        "address": "the address: equal addresses are equal bytes",
        "process": "the process: two processes never share a byte",
        "frame": "what the last entries in their tables name: one frame, or two",
    },
    answer=lambda: "frame",
    misconceptions=(
        Misconception("an address names a byte of RAM", always("address"), "What did p0 and p1 find at 0xf11001?"),
        Misconception("other tables mean other memory", always("process"), "What did p0 and p1 find at 0x1200000?"),
    ),
    because="each process has tables of its own, and two entries may name one frame.",
)

READS = Question(
    id="01.recall.reads",
    ask="{title}, pages of 4 KiB. How many entries does the CPU read to translate one address, if no cache helps?",
    facts=lambda rng: _format(rng),
    answer=lambda title, levels, bits: levels,
    misconceptions=(
        Misconception(
            "one table holds everything", always(1), "How large would one table for all of the addresses be?"
        ),
        Misconception(
            "the tables are searched",
            lambda title, levels, bits: 1 << bits,
            "What is the index for?",
        ),
    ),
    because="one entry a level; the index is the place, so nothing is searched.",
)

THIRD = Question(
    id="01.recall.third",
    ask="A process with {threads} threads runs alone on a CPU, its threads in turn, {rounds} rounds long. How often is "
    "the base register written after the first thread has begun?",
    facts=lambda rng: {"threads": rng.randrange(2, 9), "rounds": rng.randrange(10, 100)},
    answer=lambda threads, rounds: writes(_turns(threads, rounds)) - 1,
    misconceptions=(
        Misconception(
            "every switch writes it",
            lambda threads, rounds: writes(_turns(threads, rounds), share=False) - 1,
            "Do the threads have different tables?",
        ),
        Misconception(
            "each thread's tables are loaded once",
            lambda threads, rounds: threads - 1,
            "Do the threads have tables of their own?",
        ),
    ),
    because="threads of one process share its mm: the register keeps its value.",
)

START = (PAGE, OFFSET, FITS)
END = (DECIDES, READS, THIRD)


def _format(rng: random.Random) -> Facts:
    fmt = page_format(rng.choice(("x86-32", "x86-pae", "x86-64-4", "x86-64-5")))
    return {"title": fmt.title, "levels": len(fmt.levels), "bits": fmt.levels[-1].bits}


def _turns(threads: int, rounds: int) -> tuple[str, ...]:
    return tuple(f"a{number}" for number in range(threads)) * rounds
