"""Per-CPU page lists: small blocks that a CPU takes and gives back without the zone's lock.

Each CPU of a zone has lists for orders 0 to 3 (and for huge pages) by migratetype. An empty list is refilled with a
batch; when a CPU holds `high` pages it gives a batch back, twice as many each time that it frees without
allocating. A page on such a list is free for nobody else: it is no buddy, and neither buddyinfo nor a watermark
counts it. Linux 6.1, mm/page_alloc.c: rmqueue_pcplist, free_unref_page_commit, nr_pcp_free, drain_pages_zone.

Left out: the drain of idle CPUs (refresh_cpu_vm_stats), and lists of memory that is isolated.
"""

from __future__ import annotations

from dataclasses import dataclass

from .buddy import Buddy
from .migratetype import Migratetype
from .zones import Zone

COSTLY_ORDER = 3  # PAGE_ALLOC_COSTLY_ORDER: above it, pages come one pageblock at a time or from the zone
Lists = dict[tuple[int, Migratetype], list[int]]


@dataclass(frozen=True)
class PerCpuPages:
    """One CPU's lists of one zone (struct per_cpu_pages). Counts are pages; `lists` are first frames, next first."""

    count: int
    high: int
    batch: int
    free_factor: int
    lists: Lists


def pages(buddy: Buddy, zone: Zone, cpu: int) -> PerCpuPages:
    """What a CPU has on its lists; those that are empty are left out."""
    buddy.cpu(cpu)
    free = buddy.area_of(zone)
    if not free.touched:
        return PerCpuPages(0, zone.pcp_high, zone.pcp_batch, 0, {})
    from . import buddy_kernels as at
    from .free_lists import listed

    area, found = free.area, {}
    for pindex in range(14):
        row = int(area.rows) + int(at.PCP_HEADS) + cpu * int(at.PCP_LISTS) + pindex
        if blocks := [x + free.base for x in listed(area, row)]:
            found[_key(pindex, buddy.shape.pageblock_order)] = blocks
    count, factor = area.zone[int(at.PCP_COUNTS) + 2 * cpu :][:2].tolist()
    return PerCpuPages(count, zone.pcp_high, zone.pcp_batch, factor, found)


def _key(pindex: int, pageblock_order: int) -> tuple[int, Migratetype]:
    """Order and migratetype of a list (pindex_to_order); the first of the two for huge pages mixes two types."""
    if pindex >= 12:
        return pageblock_order, Migratetype(pindex - 12)
    return pindex // 3, Migratetype(pindex % 3)


def drain(buddy: Buddy, zone: Zone | None = None, cpu: int | None = None) -> int:
    """Give everything on per-CPU lists back: of one zone or all, one CPU or all. Pages given back."""
    zones = [area.zone for area in buddy.areas] if zone is None else [zone]
    cpus = range(buddy.shape.cpus) if cpu is None else [cpu]
    return sum(_drain(buddy, each, one) for each in zones for one in cpus)


def _drain(buddy: Buddy, zone: Zone, cpu: int) -> int:
    free, number = buddy.area_of(zone), buddy.cpu(cpu)
    if not free.touched:
        return 0
    from . import buddy_kernels as at
    from .pcp_kernels import drain as drain_kernel

    count = free.area.zone[int(at.PCP_COUNTS) + 2 * cpu]
    if count:
        drain_kernel(free.area, number, count, at.Z, buddy.record(free))
    return int(count)
