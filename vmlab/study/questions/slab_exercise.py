"""The questions of lesson 07's exercise: a slab with one step open, a figure, a choice."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ...units import PAGE_SIZE
from ..claim import claim
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from ..trade import Way, trade_off
from ..weigh import Scenario
from .slab_steps import OBJECTS, _distance, _order, steps
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


def _slab(size: int, align: int, cpus: int, order: int) -> tuple[int, int, int]:
    """Objects of a full slab, bytes of rounding in each one's place, and bytes left over at the end."""
    distance, whole = _distance(size, align, cpus), PAGE_SIZE << order
    return whole // distance, distance - size, whole % distance


def _lost_steps(size: int, align: int, cpus: int, order: int) -> Steps:
    objects, rounding, left = _slab(size, align, cpus, order)
    return Steps.of(
        (
            Step("place", "rounding in one object's place", f"{size + rounding:,} − {size:,}", f"{rounding:,}"),
            Step("all", "in all places", f"{objects:,} × {rounding:,}", f"{objects * rounding:,}"),
            Step("end", "left over behind the last one", "from the figure", f"{left:,}"),
            Step("sum", "both", f"{objects * rounding:,} + {left:,}", f"{objects * rounding + left:,}"),
        )
    )


LOST = apart(
    Question(
        id="07.lost",
        ask="The figure shows one slab of a cache: objects of {size:,} bytes, aligned to {align}, slabs of order "
        "{order}. All objects of the slab are in use. How many of its bytes hold nothing that anybody asked for?",
        facts=lambda rng: {**(drawn := OBJECTS.facts(rng)), "order": _order(**drawn)},
        answer=lambda size, order, **facts: (PAGE_SIZE << order) - _slab(size, order=order, **facts)[0] * size,
        misconceptions=(
            Misconception(
                "only what is left over at the end is lost",
                lambda **facts: _slab(**facts)[2],
                "What does the lower part of the figure show beside the object?",
            ),
            Misconception(
                "only the rounding of each object is lost",
                lambda **facts: _slab(**facts)[0] * _slab(**facts)[1],
                "What stands behind the last object of the slab?",
            ),
            Misconception(
                "rounding is paid once a slab",
                lambda **facts: _slab(**facts)[1] + _slab(**facts)[2],
                "How many objects have the place that is magnified?",
            ),
        ),
        hints=(
            "In which two places of the figure are bytes without an owner?",
            "all: the rounding of one place, times the objects; then what is left over at the end.",
        ),
        steps=_lost_steps,
        because="the rounding in each object's place, and what is left over behind the last one.",
    )
)


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

OWN_CONNECTIONS = Scenario(
    id="07.own-connections",
    ask="A module keeps 72 bytes for each open connection: fifty on most days, 500,000 in an attack, on routers with "
    "256 MiB, with ARM and x86 processors. Where do you keep them, and what do you give up?",
    ways=(
        (
            "kmalloc for each",
            "nothing to set up; memory follows the number",
            "96 bytes each on x86 and 128 on this ARM: 61 MiB in the attack, where 34 would do",
        ),
        (
            "a cache of its own (kmem_cache_create)",
            "56 on each page; its use shows in slabinfo",
            "a name and a cache to maintain; after the attack pages with one connection each stay",
        ),
        (
            "one vmalloc'ed array for 500,000",
            "no failure later; an index in place of a pointer",
            "34 MiB of 256 on every day, for fifty connections",
        ),
        (
            "an array that doubles when it is full",
            "memory follows the number, if it only grows",
            "everything is copied, in the worst moment, and pointers into it are worth nothing afterwards",
        ),
        (
            "a cache, and a limit of 50,000",
            "the router lives",
            "the 50,001st connection is refused, and it may be a friend's",
        ),
    ),
)
