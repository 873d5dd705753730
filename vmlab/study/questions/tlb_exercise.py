"""The questions of lesson 03's exercise: a cost with one step open, a victim, a choice."""

from __future__ import annotations

from dataclasses import replace

from ..trade import Way, trade_off
from .tlb_steps import COST_STEP, VICTIM

WALK = replace(COST_STEP, id="03.walks", blank="each walk")

LAST = replace(
    VICTIM,
    id="03.read",
    ask="The figure has a toy TLB of 4 sets of 2 ways, LRU, after all but the last of these references: {told}. Which "
    "page does the last one, {last}, push out?",
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
