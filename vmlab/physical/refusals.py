"""What the page allocator refuses, named: an order that has no list, a frame given back wrongly or twice.

A real kernel reports these as "BUG: Bad page state", if it notices (mm/page_alloc.c: free_page_is_bad); the model
always does. Left out: which field of the struct page gives it away there.
"""

from __future__ import annotations

from ..units import VmlabError
from .free_area import FREE, ON_PCP, FreeArea


class BadOrder(VmlabError):
    """An order that no free list has."""


class BadFree(VmlabError):
    """A block given back that was never handed out like this."""


class DoubleFree(BadFree):
    """A block given back that is free already."""


def wrong_free(area: FreeArea | None, pfn: int, order: int) -> BadFree:
    """What is wrong with a free of a frame that lies in `area`; nothing has changed."""
    what = f"free of pfn {pfn:#x}, order {order}"
    if area is None:
        return BadFree(f"{what}: the frame lies in no zone; free only what alloc handed out")
    if pfn % (1 << order):
        return BadFree(f"{what}: a block of order {order} starts at a multiple of {1 << order} frames")
    first, size, kind = area.block_at(pfn) or (0, 0, "")
    if kind in (FREE, ON_PCP):
        where = "" if kind == FREE else ", on a CPU's list"
        return DoubleFree(f"{what}: it is free already, in the block at {first:#x} of order {size}{where}")
    if kind:
        return BadFree(f"{what}: it belongs to the block at {first:#x} of order {size}; free that")
    return BadFree(f"{what}: alloc never handed it out; it was taken at boot, or is no RAM")
