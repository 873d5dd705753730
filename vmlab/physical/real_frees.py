"""Frees that no CPU's list sees, and frees that are told twice."""

from __future__ import annotations

from . import free_lists
from .buddy_kernels import MOVABLE, u64
from .real_areas import Area, type_at
from .real_kernels import give_back, take_at
from .real_trace import BATCHED, CONTIG, CORE, EXACT, FREE, RealTrace


def free_past(area: Area, x: int, order: int, kind: int) -> None:
    """A free that no CPU's list sees. What alloc_contig_range gives back comes from a pageblock that it took whole."""
    if kind == CONTIG:
        pages = 1 << int(area.pageblock)
        take_at(area, u64(x & -pages), area.pageblock)
    elif kind == CORE and x % (1 << int(area.pageblock)) == 0:
        free_lists.set_types(area, x, x + (1 << order), int(MOVABLE))
    give_back(area, u64(x), u64(order), u64(type_at(area, x)), kind in (CORE, EXACT))


def batched(trace: RealTrace) -> set[int]:
    """The FREE events that a BATCHED one repeats: only then does the page go to the CPU's list."""
    waiting: dict[int, int] = {}
    found = set()
    for number, (kind, pfn, *_) in enumerate(trace.events.tolist()):
        if kind == FREE:
            waiting[pfn] = number
        elif kind == BATCHED and pfn in waiting:
            found.add(waiting.pop(pfn))
    return found
