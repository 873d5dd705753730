"""Recall for lesson 03: three questions about what came before, three about the lesson itself."""

from __future__ import annotations

import random

from ...units import PAGE_SHIFT, PAGE_SIZE, KiB
from ...virtual.asid import Mm
from ...virtual.context import Task
from ...virtual.tlb import Tlb
from ...virtual.tlb_rows import Structure
from ..question import Facts, Misconception, Question
from .tlb_steps import apart
from .tlb_switch import USER, a_cpu, task, touch

PAGE_NUMBER = Question(
    id="03.recall.page-number",
    ask="Pages have 4 KiB. What is the page number of the virtual address {va:#x}?",
    facts=lambda rng: {"va": rng.randrange(0x5555_5555_1000, 0x7FFF_FFFF_F000) | 1},
    answer=lambda va: va >> PAGE_SHIFT,
    misconceptions=(
        Misconception("the page number is what is inside the page", lambda va: va % PAGE_SIZE, "Which bits are left?"),
        Misconception("a page has 1 KiB", lambda va: va >> 10, "How many bits count 4,096 bytes?"),
        Misconception("a page number ends in three zeros", lambda va: va - va % PAGE_SIZE, "Is that an address?"),
    ),
    because="the address without its lowest 12 bits.",
    show=hex,
)


def _levels(rng: random.Random) -> Facts:
    return {"entry": 8, "levels": rng.choice((3, 4, 5))}


TABLES = Question(
    id="03.recall.tables",
    ask="A page-table entry has {entry} bytes, a table fills one page of 4 KiB, and there are {levels} levels. How "
    "many "
    "bits of a virtual address are translated or kept?",
    facts=_levels,
    answer=lambda entry, levels: levels * ((PAGE_SIZE // entry).bit_length() - 1) + PAGE_SHIFT,
    misconceptions=(
        Misconception("the offset counts for nothing", lambda entry, levels: levels * 9, "Which bits name the byte?"),
        Misconception(
            "a table has 1,024 entries", lambda entry, levels: levels * 10 + 12, "How many times does 8 fit?"
        ),
        Misconception("all addresses have 64 bits", lambda entry, levels: 64, "How many bits index one table?"),
    ),
    because="512 entries a table are 9 bits a level: {levels} × 9 + 12.",
)


def _written(**_: object) -> int:
    """Registers that a switch between two processes writes on x86-64, as the model does it."""
    cpu = a_cpu("x86")
    cpu.switch(task("a", 0))
    return len(cpu.switch(task("b", 1)).registers)


REGISTERS = Question(
    id="03.recall.registers",
    ask="Two processes have {pages:,} pages each. How many registers of x86-64's MMU does a switch between them write?",
    facts=lambda rng: {"pages": rng.randrange(2_000, 90_000)},
    answer=_written,
    misconceptions=(
        Misconception(
            "the MMU keeps each page's frame in registers", lambda pages: pages, "Where are page tables kept?"
        ),
        Misconception("both processes' tables are loaded", lambda pages: 2, "How many tables are walked at a time?"),
        Misconception("nothing changes: addresses are the same", lambda pages: 0, "How do equal addresses differ?"),
    ),
    because="CR3, the address of the top table. All the rest is in memory.",
)


def _missed(rng: random.Random) -> Facts:
    pages, rounds = rng.randrange(70, 400), rng.randrange(3, 9)
    numbers = [0x400 + n for n in range(pages)] * rounds
    tlb = Tlb((Structure("TLB", 1, 64, 64),))
    return {"pages": pages, "rounds": rounds, "walks": tlb.run(numbers).total.misses}


FAULTS = Question(
    id="03.recall.faults",
    ask="A program goes {rounds} times through {pages} pages, all present in its page table. Its TLB misses {walks:,} "
    "times. How many page faults is that?",
    facts=_missed,
    answer=lambda **_: 0,
    misconceptions=(
        Misconception(
            "a TLB miss is a page fault", lambda walks, **_: walks, "Who walks the table, and what does he find?"
        ),
        Misconception("the first use of a page faults", lambda pages, **_: pages, "What does present mean?"),
    ),
    because="the CPU walks by itself; it calls the kernel only if the walk ends at an entry that is not present.",
)


def _several(rng: random.Random) -> Facts:
    return {"processes": rng.randrange(2, 6), "threads": rng.randrange(2, 6)}


def _entries(processes: int, threads: int) -> int:
    """Entries of one level after all threads of all processes used the same page number."""
    cpu = a_cpu("x86-pcid")
    for number in range(processes):
        mm = Mm(f"p{number}", 0x100_0000 + 0x1000 * number)
        for thread in range(threads):
            cpu.switch(Task(f"p{number}/{thread}", mm))
            touch(cpu, 1, USER)
    assert cpu.tlb is not None
    return len(cpu.tlb.entries())


OWNERS = apart(
    Question(
        id="03.recall.owners",
        ask="x86 with PCIDs, one CPU: {processes} processes of {threads} threads each take turns; every thread "
        "reads the "
        "byte at 0x400000. How many entries of the TLB (one level) are for that page number now?",
        facts=_several,
        answer=_entries,
        misconceptions=(
            Misconception(
                "each thread has entries of its own",
                lambda processes, threads: processes * threads,
                "What do threads of one process share?",
            ),
            Misconception(
                "equal addresses are the same page", lambda **_: 1, "What else is compared besides the page number?"
            ),
            Misconception("a switch empties the TLB", lambda **_: 0, "Whose entries does a switch with PCIDs forget?"),
        ),
        because="one for each address space: threads share it, processes do not.",
    )
)


def _strided(rng: random.Random) -> Facts:
    return {"kib": rng.choice((64, 128, 256)), "sets": 16, "ways": rng.choice((4, 6, 8))}


STRIDE = apart(
    Question(
        id="03.recall.stride",
        ask="A TLB of {sets} sets of {ways}, 4 KiB pages. A program reads one number every {kib} KiB. How many entries "
        "are of use to it?",
        facts=_strided,
        answer=lambda kib, sets, ways: ways * len({n * (kib * KiB >> PAGE_SHIFT) % sets for n in range(sets)}),
        misconceptions=(
            Misconception("every entry is", lambda kib, sets, ways: sets * ways, "In which sets are its pages?"),
            Misconception("one entry of each set is", lambda kib, sets, ways: sets, "How far apart are page numbers?"),
            Misconception("one is: the newest", lambda **_: 1, "How many ways has a set?"),
        ),
        because="page numbers a multiple of {sets} apart share one set: its {ways} ways.",
    )
)

START = (PAGE_NUMBER, TABLES, REGISTERS)
END = (FAULTS, OWNERS, STRIDE)
