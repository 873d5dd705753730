"""The questions of lesson 07's exercise: a slab with one step open, a request's waste, a choice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..trade import Way, trade_off
from .slab_steps import OBJECTS, WASTE, _order, steps


def _without_order(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda order, **facts: function(**facts)


WALK = replace(
    OBJECTS,
    id="07.walk",
    ask="The step objects is open. Objects of {size:,} bytes, aligned to {align}, on a 32-bit kernel with {cpus} CPUs; "
    "their slabs have order {order}. How many objects fit in one?",
    facts=lambda rng: {**(drawn := OBJECTS.facts(rng)), "order": _order(**drawn)},
    answer=_without_order(OBJECTS.answer),
    steps=_without_order(steps),
    misconceptions=tuple(replace(wrong, answer=_without_order(wrong.answer)) for wrong in OBJECTS.misconceptions),
)

LOST = replace(WASTE, id="07.lost")

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
