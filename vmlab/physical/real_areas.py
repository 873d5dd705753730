"""A traced machine's zones as the model's own free areas, as they were when tracing began.

The lists are taken over block by block, in their order. What nobody recorded are the pageblocks' migratetypes: a
pageblock has the type that most of its free frames are listed under; one that boot handed over and that has no
free frame left was used up by the kernel's own early requests, which are UNMOVABLE. Where struct pages are made
late (CONFIG_DEFERRED_STRUCT_PAGE_INIT), types begin as 0, which is UNMOVABLE, and become MOVABLE only when a free
block begins at the pageblock's first frame (mm/page_alloc.c: deferred_free_range).
"""

from __future__ import annotations

from collections import Counter

from . import buddy_kernels as at
from . import free_lists
from .buddy_kernels import Area, u64
from .migratetype import Migratetype
from .real_trace import Blocks, RealTrace, RealZone

BOOT_BATCH, BOOT_HIGH = 1, 0  # BOOT_PAGESET_BATCH, BOOT_PAGESET_HIGH: before setup_per_cpu_pageset


def area_of(trace: RealTrace, zone: RealZone) -> tuple[Area, int]:
    """(the zone's arrays with the lists that were read when tracing began, its first row's frame)."""
    top, blocks = trace.about["max_order"], trace.lists(zone)
    base = zone.start & -(1 << top - 1)
    frames = -(-(zone.end - base) >> top - 1) << top - 1
    fixed = {"max_order": top, "pageblock": trace.about["pageblock_order"], "grouping": 1}
    fixed |= {"has_cma": int(any(zone.start <= start < zone.end for start, _ in trace.cma.tolist()))}
    fixed |= {"huge_pages": int(trace.about["huge_pages"]), "batch": BOOT_BATCH, "high": BOOT_HIGH}
    fixed |= {"min_mark": 0, "managed": zone.managed}
    listed = [(pfn - base, order, mt) for (order, mt), pfns in blocks.items() for pfn in pfns]
    area = free_lists.build(frames, zone.start - base, zone.end - base, listed, [], fixed, 1)
    for block, mt in block_types(trace, zone).items():
        area.types[block - (base >> fixed["pageblock"])] = mt ^ Migratetype.MOVABLE
    return area, base


def block_types(trace: RealTrace, zone: RealZone) -> dict[int, int]:
    """Pageblock number (first frame >> pageblock_order) -> migratetype, of those that are not as boot made them."""
    shift = trace.about["pageblock_order"]
    pages = 1 << shift
    votes: dict[int, Counter[int]] = {}
    for (order, mt), pfns in trace.lists(zone).items():
        for pfn in pfns:
            for block in range(pfn >> shift, (pfn + (1 << order) - 1 >> shift) + 1):
                votes.setdefault(block, Counter())[mt] += min(1 << order, pages)
    found = {block: count.most_common(1)[0][0] for block, count in votes.items()}
    for start, end in trace.owned.tolist():
        if max(start, zone.start) < min(end, zone.end):
            for block in range(max(start, zone.start) >> shift, (min(end, zone.end) - 1 >> shift) + 1):
                found.setdefault(block, int(Migratetype.UNMOVABLE))
    if (late := trace.deferred_from) < zone.end:
        for block in range(max(late, zone.start) >> shift, (zone.end - 1 >> shift) + 1):
            found.setdefault(block, int(Migratetype.UNMOVABLE))
    for start, end in trace.cma.tolist():
        if zone.start <= start < zone.end:
            found |= dict.fromkeys(range(start >> shift, end >> shift), int(Migratetype.CMA))
    return found


def lists_of(area: Area, base: int) -> Blocks:
    """An area's free lists, in list order; empty ones are left out."""
    found: Blocks = {}
    for order in range(int(area.max_order)):
        for mt in range(int(at.TYPES)):
            row = int(area.rows) + order * int(at.TYPES) + mt
            if blocks := free_lists.listed(area, row):
                found[order, mt] = [x + base for x in blocks]
    return found


def type_at(area: Area, x: int) -> int:
    """The migratetype of a pageblock."""
    return int(area.types[x >> int(area.pageblock)]) ^ int(Migratetype.MOVABLE)


def with_pagesets(area: Area, batch: int, high: int) -> Area:
    """The same arrays with other per-CPU limits (the numbers are part of the tuple, not of the arrays)."""
    return area._replace(batch=u64(batch), high=u64(high))
