"""Questions of lesson 03 about sets: which one an address belongs to, and what happens when many share one."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from ...units import PAGE_SHIFT, group_hex
from ...virtual.tlb import Tlb
from ...virtual.tlb_rows import Structure
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from .tlb_steps import apart

L1 = Structure("L1 D", 1, 64, 4)


def set_steps(va: int, sets: int, **_: Any) -> Steps:
    """From an address to its set: page, index."""
    page = va >> PAGE_SHIFT
    return Steps.of(
        (
            Step("page", "drop the 12 bits inside the page", f"{group_hex(va)} >> 12", f"{page:#x}"),
            Step("index", "the lowest bits choose the set", f"{page:#x} mod {sets}", f"{page % sets}"),
        )
    )


def _an_address(rng: random.Random) -> Facts:
    sets, ways = rng.choice(((16, 4), (32, 4), (64, 4), (128, 12)))
    va = rng.randrange(0x5555_5555_0000, 0x7FFF_FFFF_0000)
    found = Tlb((Structure("TLB", 1, sets * ways, ways),)).access(1, va).steps[0].set_index
    return {"va": va, "sets": sets, "ways": ways, "entries": sets * ways, "found": found}


SET = apart(
    Question(
        id="03.set",
        ask="A TLB of {entries} entries: {sets} sets of {ways}. Pages of 4 KiB. In which set is the translation of "
        "{va:#x} kept?",
        facts=_an_address,
        answer=lambda found, **_: found,
        misconceptions=(
            Misconception(
                "the address itself chooses the set",
                lambda va, sets, **_: va % sets,
                "Do two bytes of one page need two entries?",
            ),
            Misconception(
                "the highest bits choose",
                lambda va, sets, **_: (va >> PAGE_SHIFT) * sets >> 36,
                "Where would all pages of one array go then?",
            ),
            Misconception(
                "the number of ways counts the sets",
                lambda va, ways, **_: (va >> PAGE_SHIFT) % ways,
                "How many sets are there, and how many entries has each?",
            ),
        ),
        because="page number {va:#x} >> 12, lowest bits: mod {sets}.",
        hints=("Which bits of an address are the same for all bytes of a page?", "index: page number mod sets."),
        steps=set_steps,
    )
)
SET_STEP = replace(
    SET,
    id="03.set-step",
    ask="The page number is there, the index is yours. {entries} entries: {sets} sets of {ways}; the address is "
    "{va:#x}. Which set?",
    blank="index",
)


def second_pass(rows: int, row_pages: int, structure: Structure = L1) -> int:
    """Walks when the first column of an array is read for the second time."""
    tlb = Tlb((structure,))
    pages = [0x10000 + n * row_pages for n in range(rows)]
    tlb.run(pages)
    return tlb.run(pages).total.misses


def _an_array(rng: random.Random) -> Facts:
    rows, row_pages = rng.randrange(20, 61), rng.choice((16, 32, 64))
    return {
        "rows": rows,
        "row_kib": 4 * row_pages,
        "row_pages": row_pages,
        "found": second_pass(rows, row_pages),
    }


def conflict_steps(rows: int, row_pages: int, **_: Any) -> Steps:
    """Which sets a column uses, and what they can hold."""
    used = len({(0x10000 + n * row_pages) % L1.sets for n in range(rows)})
    return Steps.of(
        (
            Step("pages", "one page a row", f"{rows} rows", f"{rows} pages"),
            Step("index", "page numbers mod sets", f"{row_pages} apart, mod {L1.sets}", f"{used} set(s) used"),
            Step("room", "ways of these sets", f"{used} × {L1.ways}", f"{used * L1.ways} entries"),
            Step("again", "each comes back after all others: LRU", f"{rows} > {used * L1.ways}", f"{rows} walks"),
        )
    )


CONFLICT = Question(
    id="03.conflict",
    ask="An array of {rows} rows, {row_kib} KiB each. The TLB has 64 entries: 16 sets of 4, LRU. The first number of "
    "every row is read, row after row, and then all of them once more. How many walks has the second pass?",
    facts=_an_array,
    answer=lambda found, **_: found,
    misconceptions=(
        Misconception(
            "64 entries hold any pages, if they are no more than 64",
            lambda **_: 0,
            "In which set is each row's page kept?",
        ),
        Misconception(
            "only those too many for one set are walked for",
            lambda rows, **_: rows - L1.ways,
            "Which pages are in the set when the second pass begins, and which does it ask for first?",
        ),
        Misconception(
            "one set's entries are walked for",
            lambda **_: L1.ways,
            "What does each newcomer push out, and when is that needed?",
        ),
    ),
    because="{row_kib} KiB are {row_pages} pages, a multiple of 16: every row's page belongs to the same set of 4.",
    hints=("What is the page number of row n, mod 16?", "index: rows that are 16 pages apart share a set."),
    steps=conflict_steps,
)
