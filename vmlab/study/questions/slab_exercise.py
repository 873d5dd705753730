"""The questions of lesson 07's exercise: a slab with one step open, a request's waste, a choice."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ...units import PAGE_SIZE
from ..claim import claim
from ..question import Facts, Misconception
from ..trade import Way, trade_off
from .slab_steps import OBJECTS, WASTE, _order, steps
from .tlb_steps import apart


def _without_order(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda order, **facts: function(**facts)


WALK = apart(
    replace(
        OBJECTS,
        id="07.walk",
        ask="The step objects is open. Objects of {size:,} bytes, aligned to {align}, on a 32-bit kernel with {cpus} "
        "CPUs; their slabs have order {order}. How many objects fit in one?",
        facts=lambda rng: {**(drawn := OBJECTS.facts(rng)), "order": _order(**drawn)},
        answer=_without_order(OBJECTS.answer),
        steps=_without_order(steps),
        misconceptions=(
            *(replace(wrong, answer=_without_order(wrong.answer)) for wrong in OBJECTS.misconceptions),
            Misconception(
                "objects stand without any rounding",
                lambda size, order, **_: (PAGE_SIZE << order) // size,
                "What does step align do to the size?",
            ),
        ),
    )
)

LOST = replace(WASTE, id="07.lost")


def _many_tasks(rng: random.Random) -> Facts:
    lowmem, free = rng.choice((760, 875)), rng.randrange(300, 500)
    each = rng.choice((2752, 3520, 6592))
    mib = rng.randrange(150, free - 50) if rng.random() < 0.5 else rng.randrange(free + 50, 1400)
    return {"lowmem": lowmem, "free": free, "each": each, "tasks": mib * 1024 * 1024 // each, "mib": mib}


CLAIM = claim(
    "07.claim",
    "A 32-bit kernel with {lowmem} MiB of lowmem, {free} MiB of it free. {tasks:,} processes are started; each needs a "
    "task_struct of {each:,} bytes, {mib:,} MiB together. Judge this: 'That cannot be: the kernel reaches only 128 "
    "MiB of memory for its data.'",
    _many_tasks,
    {
        "right": "right: 128 MiB is all there is for the kernel's data",
        "turn": "wrong: the kernel maps them in turn, a part at a time",
        "fits": "wrong: they lie in lowmem, and there is room for them",
        "full": "it cannot be, but for another reason: lowmem is too small for them",
    },
    lambda free, mib, **_: "fits" if mib <= free else "full",
    {
        "right": ("the 128 MiB at the top are where the kernel keeps its data", "What are those addresses kept for?"),
        "turn": (
            "kernel objects lie in HighMem and are mapped when needed",
            "Which zone does kmalloc take pages from?",
        ),
    },
    "slab pages come from lowmem: {mib:,} MiB of {free} MiB.",
    ("In which zone do the objects of a slab lie?", "{mib:,} MiB are needed, {free} MiB of lowmem are free"),
    "it makes no difference how much lowmem is free",
)

WAY = trade_off(
    "07.way",
    "A 32-bit driver needs a table of 600 KiB. Which way is left if these three matter?",
    {
        "sure": "it works after weeks of uptime, when memory is fragmented",
        "dma": "a device can read the table in one piece",
        "late": "nothing has to be set aside at boot",
        "simple": "the code sees one array, and no list of pieces",
    },
    {
        "kmalloc": Way("kmalloc(): 1 MiB of contiguous lowmem", "sure", "256 contiguous pages may not be left"),
        "reserved": Way("a contiguous area reserved at boot", "late", "it is set aside, used or not"),
        "vmalloc": Way("vmalloc()", "dma", "its frames lie anywhere"),
        "remapped": Way("single pages behind an IOMMU, as a list", "simple", "the code has to follow the list"),
    },
)
