"""The questions of lesson 03's exercise: a cost with one step open, a victim, a choice."""

from __future__ import annotations

import random
from dataclasses import replace

from ..claim import claim
from ..question import Facts, Misconception
from ..trade import Way, trade_off
from ..weigh import Scenario
from .tlb_steps import COST_STEP, VICTIM, apart

WALK = apart(
    replace(
        COST_STEP,
        id="03.walks",
        misconceptions=(
            *COST_STEP.misconceptions,
            Misconception(
                "the access itself is a part of the walk",
                lambda misses, levels, host_levels, **_: misses * (levels + 1) * (host_levels + 1),
                "Which of these references would there be without any page tables?",
            ),
            Misconception(
                "each of the guest's entries costs one walk of the host, and nothing else",
                lambda misses, levels, host_levels, **_: misses * levels * host_levels,
                "Which reads the entry itself, and which walk leads to the byte at the end?",
            ),
        ),
    )
)

LAST = replace(
    VICTIM,
    id="03.read",
    ask="The figure has a toy TLB of 4 sets of 2 ways, LRU, after all but the last of these references: {told}. Which "
    "page does the last one, {last}, push out?",
)


def _a_switch(rng: random.Random) -> Facts:
    entries, mine = rng.choice((512, 1024, 1536)), rng.randrange(30, 120)
    other = rng.randrange(20, entries // 4) if rng.random() < 0.5 else entries * rng.randrange(4, 30)
    return {"entries": entries, "mine": mine, "other": other}


CLAIM = claim(
    "03.claim",
    "A CPU with ASIDs has a TLB of {entries:,} entries (LRU, any page anywhere). A process has {mine} entries in it. "
    "Another process runs and touches {other:,} pages, then the first one goes on. Judge this: 'Its {mine} entries are "
    "gone, as there was a context switch.'",
    _a_switch,
    {
        "switch": "right: a switch empties the TLB",
        "pushed": "they are gone, but not because of the switch: the other's pages pushed them out",
        "kept": "wrong: they are still there",
        "own": "wrong: each ASID has entries set aside for it",
    },
    lambda entries, mine, other: "kept" if mine + other <= entries else "pushed",
    {
        "switch": ("a context switch empties the TLB", "What are ASIDs for?"),
        "own": ("ASIDs divide the TLB", "How many entries would each of 4,096 ASIDs get?"),
    },
    "{mine} + {other:,} pages in {entries:,} entries.",
    ("Is there room for the pages of both?", "{mine} + {other:,} pages, {entries:,} entries"),
    "it makes no difference how many pages the other process touches",
)

WAY = trade_off(
    "03.way",
    "Two processes take turns a thousand times a second and read 8 MiB each, page by page. Which way is left if these "
    "three matter?",
    {
        "warm": "after a switch a process does not have to walk for 2,000 pages again",
        "apart": "neither can read the other's memory",
        "cpu": "the old CPU stays, which has no ASIDs (no PCIDs)",
        "large": "pages stay at 4 KiB, so that they can be swapped one by one",
    },
    {
        "flush": Way("leave it: each switch empties the TLB of what is not global", "warm", "each switch forgets"),
        "threads": Way("make them threads of one process", "apart", "threads share every page"),
        "asid": Way("a CPU with ASIDs, which tag each entry with its process", "cpu", "it is another CPU"),
        "huge": Way("map the data in huge pages: four entries a process, soon found again", "large", "pages are 2 MiB"),
    },
)

OWN_GUESTS = Scenario(
    id="03.own-guests",
    ask="A host of yours runs forty small guests on eight CPUs, and a fifth of the time goes into walks: both sides "
    "have four levels. What do you change, and what do you give up?",
    ways=(
        (
            "2 MiB pages in the host",
            "a walk of 19 reads at most, not 24, and the host's part is found more often",
            "guests get memory in pieces of 2 MiB; idle parts cannot be taken back, nor equal pages merged",
        ),
        (
            "2 MiB pages in host and guests",
            "15 reads at most, and a TLB entry reaches 512 times as far",
            "the guests have to take part, and small programs in them lose the rest of each page",
        ),
        (
            "each guest on CPUs of its own choice (pinning)",
            "its entries are there still when it runs again",
            "one CPU waits while another has too much to do",
        ),
        (
            "containers in place of guests",
            "four reads: no second translation",
            "one kernel for all, and a hole in it is a hole in all forty",
        ),
    ),
)
