"""Recall for lesson 10: three questions about what came before, three about the lesson itself."""

from __future__ import annotations

import random

from ...arch.formats import page_format
from ...physical.slab_size import get_order
from ...process.swap_entry import SwapEntry
from ...units import PAGE_SIZE
from ..question import Facts, Misconception, Question, always
from .swap import fixed, text_story
from .swap_fork import forked
from .tlb_steps import apart


def _va(rng: random.Random) -> Facts:
    return {"va": rng.randrange(1, 3 << 8) << 22 | rng.randrange(1024) << 12 | rng.randrange(4096)}


INDEX = apart(
    Question(
        id="10.recall.index",
        ask="32-bit x86, two levels. Which entry of the second-level table translates {va:#x}?",
        facts=_va,
        answer=lambda va: page_format("x86-32").levels[1].index_of(va),
        misconceptions=(
            Misconception("the first-level index is meant", lambda va: va >> 22, "Which bits come second?"),
            Misconception("an index has 9 bits", lambda va: va >> 12 & 511, "How many entries fit, of 4 bytes each?"),
            Misconception("it is the page's number", lambda va: va >> 12, "How many entries does one table have?"),
        ),
        because="bits 21 to 12.",
    )
)

REGISTER = Question(
    id="10.recall.register",
    ask="P0 and P1 both use 0x400000. What makes the CPU find different frames?",
    facts=fixed({}),
    choices=lambda: {
        "register": "the base register: it names another table for each process",
        "pid": "the process number, which is part of each address",
        "link": "the linker gave the programs different addresses",
        "tlb": "the TLB, which knows every process's pages",
    },
    answer=always("register"),
    misconceptions=(
        Misconception("an address carries its process", always("pid"), "How many bits has an instruction's address?"),
        Misconception("addresses are chosen apart", always("link"), "What did lesson 01 show at the same address?"),
        Misconception("the TLB is the table", always("tlb"), "What is read when the TLB has no entry?"),
    ),
    because="a context switch writes it; everything that is read after that begins at another table.",
)

ORDER = apart(
    Question(
        id="10.recall.order",
        ask="A page-table root of {kib} KiB has to be contiguous. Which order is the page allocator asked for?",
        facts=lambda rng: {"kib": 1 << rng.randrange(3, 12)},
        answer=lambda kib: get_order(kib << 10),
        misconceptions=(
            Misconception("the order is the number of pages", lambda kib: (kib << 10) // PAGE_SIZE, "What is 2^order?"),
            Misconception("order counts KiB", lambda kib: kib.bit_length() - 1, "How large is a block of order 0?"),
        ),
        because="2^order pages of 4 KiB.",
    )
)

WHERE = apart(
    Question(
        id="10.recall.where",
        ask="32-bit ARM, Linux 6.1: area in bits 2 to 6, slot in bits 7 to 31. Which entry names slot {slot}, area 0?",
        facts=lambda rng: {"slot": rng.randrange(2, 4000)},
        answer=lambda slot: SwapEntry(0, slot).encode("arm-short"),
        misconceptions=(
            Misconception("the slot begins where a frame does", lambda slot: slot << 12, "Where does the field begin?"),
            Misconception("x86's place is everybody's", lambda slot: slot << 9, "Whose bits are these?"),
            Misconception("the page is present", lambda slot: slot << 7 | 1, "What would the CPU do with it?"),
        ),
        because="the slot, shifted left by 7.",
        show=hex,
    )
)

USERS = Question(
    id="10.recall.users",
    ask="A process with a page in swap forks {times} times; the children do nothing. What is the slot's count?",
    facts=lambda rng: {"times": rng.randrange(2, 30)},
    answer=lambda times: forked()[0] - 1 + times,
    misconceptions=(
        Misconception("each child has a slot of its own", always(1), "What does fork copy?"),
        Misconception("the parent is not counted", lambda times: times, "Whose entry was copied?"),
        Misconception("each fork doubles", lambda times: 1 << times, "How many entries does one fork add?"),
    ),
    because="one entry in each of {times} children, and the parent's.",
)

BACKING = Question(
    id="10.recall.backing",
    ask="Which of these pages is never written to swap?",
    facts=fixed({}),
    choices=lambda: {
        "text": "a page of a program's text",
        "heap": "a page of the heap",
        "data": "a page of a program's data that was written",
        "shm": "a page of shared memory in tmpfs",
    },
    answer=lambda: "text" if text_story()[2] == 0 else "heap",
    misconceptions=(
        Misconception("the heap is too important", always("heap"), "Where else could its bytes go?"),
        Misconception("what came from a file goes back to it", always("data"), "Would others see what was written?"),
        Misconception("tmpfs is a file system on disk", always("shm"), "Where is the file of shared memory?"),
    ),
    because="its bytes are in the program's file already; the others have no other place.",
)

START = (INDEX, REGISTER, ORDER)
END = (WHERE, USERS, BACKING)
