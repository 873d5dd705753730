"""Predictions of lesson 03 about one program: walks, reach, sets, sizes, policies, large pages. All are run."""

from __future__ import annotations

import functools
import random
from typing import Any

from ...trace import LOAD, STORE, Trace, load_trace
from ...units import KiB, MiB, human
from ...virtual.tlb import Tlb
from ...virtual.tlb_rows import Structure
from ...virtual.tlb_tell import Counts, walk_references
from ..question import Facts, Misconception, Question, always
from ..steps import Step, Steps

BOARD = "Cortex-A8"
SIZES = (16, 32, 64, 128, 256, 512, 1024)
WAYS = 4
POLICY_NAMES = {"lru": "LRU", "fifo": "FIFO", "plru": "PLRU", "random": "random"}
ELEMENTS = 512 * 512  # additions of matrix.c: N x N


@functools.cache
def drawn() -> Any:
    """What policy random draws from: more numbers than most runs miss, so that they hardly come again."""
    import numpy as np

    return np.random.default_rng(3).integers(0, 1 << 32, 1 << 19, np.uint32)


@functools.cache
def data_of(name: str) -> Trace:
    """The loads and stores of a shipped trace."""
    return load_trace(name).only(LOAD, STORE)


@functools.cache
def board_run(name: str) -> Counts:
    """A whole program, its instructions included, on the board's TLB."""
    return Tlb(BOARD).run(load_trace(name)).total


@functools.cache
def walks(name: str, entries: int, ways: int = WAYS, policy: str = "lru", page_bytes: int = 4 * KiB) -> int:
    """Walks of a program's loads and stores in a TLB of one level."""
    tlb = Tlb((Structure("TLB", 1, entries, ways, policy=policy),), draws=drawn())
    return tlb.run(data_of(name), page_bytes=page_bytes).total.misses


MATRIX = Question(
    id="03.matrix",
    ask="Both programs add up the same {elements:,} numbers from the same pages. On a Cortex-A8, whose TLB has 32 "
    "entries for data, the one that goes by rows walks the page table {rows:,} times. How often does the one that "
    "goes by columns?",
    facts=lambda rng: {
        "elements": ELEMENTS,
        "rows": board_run("matrix-rows").misses,
        "columns": board_run("matrix-columns").misses,
    },
    choices=lambda elements, rows, columns: {
        "same": f"{rows:,} times as well: the pages are the same",
        "twice": f"about twice as often, {2 * rows:,} times: the order is less handy",
        "rest": f"about {rows + 512 - 32:,} times: of the matrix's 512 pages all but 32 have to be looked up again",
        "each": f"about {elements:,} times: for nearly every number it adds",
    },
    answer=lambda elements, rows, columns: min(
        {"same": rows, "twice": 2 * rows, "rest": rows + 480, "each": elements}.items(),
        key=lambda pair: abs(pair[1] - columns),
    )[0],
    misconceptions=(
        Misconception("only the number of pages counts", always("same"), "How soon is each page used again?"),
        Misconception("order costs a little", always("twice"), "How many other pages come between two uses of one?"),
        Misconception(
            "a page that was walked for once is kept", always("rest"), "What made room for the pages after it?"
        ),
    ),
    because="between two uses of a page lie 511 others, and 32 entries remember 32 of them (record of both programs: "
    "traces matrix-rows and matrix-columns).",
)

WALK = Question(
    id="03.walk",
    ask="A program in a virtual machine reads one byte. Guest and host have page tables of {levels} levels each, and "
    "nothing is remembered from before. How many memory references are made before the byte itself is read?",
    facts=lambda rng: {"levels": 4},
    answer=lambda levels: walk_references(levels, levels),
    misconceptions=(
        Misconception(
            "the processor keeps each page's frame in registers", lambda levels: 0, "How many pages has a program?"
        ),
        Misconception("the guest's tables suffice", lambda levels: levels, "Whose address is in the guest's entry?"),
        Misconception(
            "one walk after the other is made", lambda levels: 2 * levels, "Where are the guest's tables themselves?"
        ),
        Misconception(
            "each of the guest's levels needs the host's",
            lambda levels: levels * levels,
            "That finds the guest's tables. Who reads their entries, and who translates the byte's own address?",
        ),
    ),
    because="each of the guest's {levels} entries and the byte's own address need a walk of the host's {levels} "
    "levels; the guest's entries are read too: 5 × 5 − 1.",
)


def _a_tlb(rng: random.Random) -> Facts:
    entries = rng.choice((32, 48, 64, 128, 512))
    return {"entries": entries, "reach": Tlb((Structure("TLB", 1, entries, entries),)).reach()}


def reach_steps(entries: int, **_: Any) -> Steps:
    """Entries times page size."""
    return Steps.of(
        (
            Step("covers", "bytes that one entry translates: a page", "4 KiB", f"{4 * KiB:,}"),
            Step("reach", "entries × page size", f"{entries} × {4 * KiB:,}", f"{entries * 4 * KiB:,}"),
        )
    )


REACH = Question(
    id="03.reach",
    ask="A TLB of {entries} entries is full with pages of 4 KiB. How many bytes can a program read without "
    "a single walk?",
    facts=_a_tlb,
    answer=lambda entries, reach: reach,
    misconceptions=(
        Misconception(
            "the TLB keeps data, in lines of 64 bytes",
            lambda entries, **_: entries * 64,
            "That is a data cache. What does an entry of the TLB say about its page?",
        ),
        Misconception(
            "an entry is for one address", lambda entries, **_: entries * 8, "Which bits of an address are translated?"
        ),
        Misconception(
            "an entry covers one table of 512 entries",
            lambda entries, **_: entries * 2 * MiB,
            "Does the entry say where the page is, or where its table is?",
        ),
    ),
    because="one entry translates a whole page: {entries} × 4,096. The bytes themselves come from cache or memory.",
    hints=("What does one entry translate?", "reach: entries × page size."),
    steps=reach_steps,
)


BIGGER = Question(
    id="03.bigger",
    ask="The column program again, loads and stores only. With 64 entries it walks {before:,} times. A TLB four times "
    "as large, 256 entries, LRU: how often now?",
    facts=lambda rng: {"before": walks("matrix-columns", 64), "after": walks("matrix-columns", 256)},
    choices=lambda before, after: {
        "none": "hardly ever: that is what the larger TLB is for",
        "quarter": f"about {before // 4:,} times: four times the size, a quarter of the walks",
        "half": f"about {before // 2:,} times: half of the 512 pages are now at hand",
        "same": "as often as before",
    },
    answer=lambda before, after: min(
        {"none": 0, "quarter": before // 4, "half": before // 2, "same": before}.items(),
        key=lambda pair: abs(pair[1] - after),
    )[0],
    misconceptions=(
        Misconception("a bigger TLB always solves it", always("none"), "Is 256 more than what comes between two uses?"),
        Misconception(
            "walks fall as the size grows", always("quarter"), "Which page goes when page 257 of the column comes?"
        ),
        Misconception(
            "what fits stays", always("half"), "LRU gives up the page used longest ago. When is that one needed next?"
        ),
    ),
    because="512 pages in a circle: LRU always gives up the page that is needed soonest, until all 512 fit.",
)

POLICY = Question(
    id="03.policy",
    ask="The same program and 256 entries: which policy walks least?",
    facts=lambda rng: {"walked": {name: walks("matrix-columns", 256, policy=name) for name in POLICY_NAMES}},
    choices=lambda walked: {
        "lru": "LRU: it knows what was used last",
        "fifo": "FIFO: it treats all alike",
        "random": "random: it knows nothing",
        "all": "none: at this size they are all the same",
    },
    answer=lambda walked: best if walked[best := min(walked, key=walked.__getitem__)] < 0.95 * walked["lru"] else "all",
    misconceptions=(
        Misconception(
            "LRU is best for every program", always("lru"), "What does LRU give up when pages come in a circle?"
        ),
        Misconception(
            "what came first can best be spared",
            always("fifo"),
            "In a circle, what is needed next: the oldest or the newest?",
        ),
        Misconception(
            "the policy does not matter when not all fits",
            always("all"),
            "Would a page chosen by lot always be the one needed next?",
        ),
    ),
    because="a page chosen by lot is not always the one that comes next: some survive until they are needed.",
)

HUGE = Question(
    id="03.huge",
    ask="The column program in pages of 2 MiB, with 32 entries for them (4 ways: Skylake's L1). In pages of 4 KiB "
    "{small:,} walks were needed with as many entries. And now?",
    facts=lambda rng: {
        "small": walks("matrix-columns", 32),
        "large": walks("matrix-columns", 32, page_bytes=2 * MiB),
        "footprint": human(data_of("matrix-columns").footprint),
    },
    choices=lambda small, large, footprint: {
        "part": f"about {small // 512:,}: a page is 512 times as large",
        "two": f"2: all its pages are {footprint}, and that fits in two large pages",
        "few": "more than 2 and fewer than 20",
        "same": "as many: the loads are the same",
    },
    answer=lambda small, large, footprint: (
        "same" if large > small // 2 else "part" if large > 100 else "few" if large > 2 else "two"
    ),
    misconceptions=(
        Misconception(
            "walks shrink as the pages grow", always("part"), "All 512 rows now lie in how many pages? Do they fit?"
        ),
        Misconception(
            "a program's memory is one piece", always("two"), "Are program, heap, libraries and stack neighbours?"
        ),
        Misconception("only references count", always("same"), "How many references does one entry serve now?"),
    ),
    because="{large}: one for each stretch of 2 MiB in which the program has anything, and then never again.",
)
