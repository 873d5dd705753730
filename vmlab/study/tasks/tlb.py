"""Lesson 03's functions to write: how often a TLB misses, and whom an entry may serve."""

from __future__ import annotations

import functools
import random
from collections import OrderedDict

from ...units import PAGE_SHIFT
from ..plain import Plain
from ..question import Misconception
from ..task import Given, Task

Refs = list[list[int]]  # [ASID, page number] of each


@functools.lru_cache(maxsize=512)
def _misses(refs: tuple[tuple[int, int], ...], sets: int, ways: int) -> int:
    """References that a TLB of the model does not find."""
    from ...virtual.tlb import Tlb
    from ...virtual.tlb_rows import Structure

    tlb = Tlb((Structure("Toy TLB", 1, sets * ways, ways),))
    return sum(not tlb.access(asid, page << PAGE_SHIFT).steps[0].hit for asid, page in refs)


def _asked(refs: Refs, sets: int, ways: int) -> int:
    return _misses(tuple((asid, page) for asid, page in refs), sets, ways)


def _played(refs: Refs, sets: int, ways: int, fifo: bool = False, tagged: bool = True, flush: bool = False) -> int:
    """The obvious TLB, with what a belief changes."""
    kept: list[OrderedDict[tuple[int, int], None]] = [OrderedDict() for _ in range(sets)]
    misses, last = 0, None
    for asid, page in refs:
        if flush and last not in (None, asid):
            kept = [OrderedDict() for _ in range(sets)]
        last = asid
        tag = (asid if tagged else 0, page)
        row = kept[page % sets]
        if tag in row:
            if not fifo:
                row.move_to_end(tag)
            continue
        misses += 1
        if len(row) == ways:
            row.popitem(last=False)
        row[tag] = None
    return misses


def _tell(refs: Refs, sets: int, ways: int) -> str:
    lines = ["from vmlab.virtual.tlb_rows import Structure"]
    lines += [f'tlb = vm.Tlb((Structure("Toy TLB", 1, {sets * ways}, {ways}),))']
    lines += [f"tlb.access({asid}, {page:#x} << 12)" for asid, page in refs]
    return "\n".join(lines)


def _shape(rng: random.Random) -> tuple[int, int]:
    return rng.choice(((1, 2), (2, 2), (4, 1), (4, 2), (2, 4), (8, 2)))


def _draw_pages(rng: random.Random, size: float) -> Given:
    sets, ways = _shape(rng)
    pool = [rng.randrange(0x400, 0x440) for _ in range(sets * ways + 1 + int(4 * size))]
    pool += [pool[0] + sets * n for n in range(1, ways + 2)]  # some that share a set
    return {"pages": [rng.choice(pool) for _ in range(6 + int(34 * size))], "sets": sets, "ways": ways}


def _plain(pages: Plain) -> Refs:
    return [[1, page] for page in pages]


MISSES = Task(
    id="03.misses",
    signature="misses(pages, sets, ways)",
    ask="Return how many of the references miss. `pages` are page numbers in order; the TLB is empty at first, a page "
    "may be kept only in set number page % sets, and a full set gives up the page whose last use is oldest.",
    draw=_draw_pages,
    args=lambda pages, sets, ways: [pages, sets, ways],
    answer=lambda pages, sets, ways: _asked(_plain(pages), sets, ways),
    loads=lambda pages, sets, ways: _tell(_plain(pages), sets, ways),
    what="traces",
    beliefs=(
        Misconception(
            "what came first goes first",
            lambda pages, sets, ways: _played(_plain(pages), sets, ways, fifo=True),
            "Does a page that is found become younger?",
        ),
        Misconception(
            "a page may be kept anywhere",
            lambda pages, sets, ways: _played(_plain(pages), 1, sets * ways),
            "Which entries are compared when a page is looked up?",
        ),
        Misconception(
            "only the first reference to a page misses",
            lambda pages, sets, ways: len(set(pages)),
            "How many entries has this TLB?",
        ),
        Misconception(
            "each set has one way",
            lambda pages, sets, ways: _played(_plain(pages), sets, 1),
            "What does the argument `ways` say?",
        ),
    ),
    hints=(
        "Where may a page be kept, and where need it not be looked for?",
        "evict: in the newcomer's set, when it is full, the page whose last use is oldest; a hit is a use.",
    ),
)


def _draw_switches(rng: random.Random, size: float) -> Given:
    sets, ways = rng.choice(((2, 4), (4, 4), (8, 2)))
    pages = [rng.randrange(0x400, 0x440) for _ in range(4)]
    refs = []
    for _ in range(3 + int(9 * size)):
        asid = rng.choice((1, 2, 3))
        refs += [[asid, rng.choice(pages)] for _ in range(rng.randrange(1, 4))]
    return {"refs": refs, "sets": sets, "ways": ways}


TAGGED = Task(
    id="03.tagged",
    signature="tagged(refs, sets, ways)",
    ask="Return how many of the references miss in a TLB whose entries carry an ASID. `refs` are [ASID, page number] "
    "in order; an entry serves only the ASID that it was made for; sets, ways and the choice of a victim are as "
    "before.",
    draw=_draw_switches,
    args=lambda refs, sets, ways: [refs, sets, ways],
    answer=_asked,
    loads=_tell,
    what="traces",
    beliefs=(
        Misconception(
            "equal addresses in two processes are the same memory",
            lambda refs, sets, ways: _played(refs, sets, ways, tagged=False),
            "Whose frame would the second process read?",
        ),
        Misconception(
            "a context switch empties the TLB",
            lambda refs, sets, ways: _played(refs, sets, ways, flush=True),
            "What are the ASIDs for?",
        ),
        Misconception("every reference walks", lambda refs, sets, ways: len(refs), "What is the TLB for?"),
    ),
    hints=(
        "What has to be equal for an entry to serve a reference?",
        "compare: page number and ASID, both; a switch removes nothing.",
    ),
)
