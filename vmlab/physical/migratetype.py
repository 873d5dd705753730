"""Migratetypes: what a page's user says about moving it, and what a pageblock is kept for.

Linux 6.1, include/linux/mmzone.h: enum migratetype; include/linux/gfp.h: gfp_migratetype. The numbers are those of
a kernel with CONFIG_CMA; without it ISOLATE is 4, and /proc/pagetypeinfo has no row for CMA.
"""

from __future__ import annotations

from enum import IntEnum

from ..units import VmlabError
from . import gfp as flags
from .zones import Zone


class Migratetype(IntEnum):
    """The kinds of free lists; from HIGHATOMIC on they merge with nothing but their like."""

    UNMOVABLE = 0
    MOVABLE = 1
    RECLAIMABLE = 2
    HIGHATOMIC = 3
    CMA = 4
    ISOLATE = 5

    @property
    def title(self) -> str:
        """Its name in /proc/pagetypeinfo (migratetype_names)."""
        return {3: "HighAtomic", 4: "CMA"}.get(self, self.name.capitalize())


def of_gfp(gfp: int) -> Migratetype:
    """gfp_migratetype: what a request says about its pages; the two flags together mean nothing (a warning)."""
    movable, reclaimable = flags.has(gfp, "__GFP_MOVABLE"), flags.has(gfp, "__GFP_RECLAIMABLE")
    if movable and reclaimable:
        raise VmlabError("gfp: __GFP_MOVABLE and __GFP_RECLAIMABLE exclude each other (GFP_MOVABLE_MASK): choose one")
    if movable:
        return Migratetype.MOVABLE
    return Migratetype.RECLAIMABLE if reclaimable else Migratetype.UNMOVABLE


def grouping(zones: list[Zone], pageblock_order: int) -> bool:
    """Whether pages are kept apart by migratetype: memory for one pageblock of each (build_all_zonelists)."""
    return sum(zone.managed_pages for zone in zones) >= len(Migratetype) << pageblock_order
