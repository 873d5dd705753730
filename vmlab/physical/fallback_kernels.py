"""The compiled half of what happens when a migratetype's own free lists are empty, and of the highatomic reserve.

Linux 6.1, mm/page_alloc.c: __rmqueue, __rmqueue_fallback, find_suitable_fallback, steal_suitable_fallback,
move_freepages_block, reserve_highatomic_pageblock, unreserve_highatomic_pageblock.

Left out: watermark boosting.
"""

from __future__ import annotations

import numpy as np

from ..jit import inline, kernel
from ..unlikely import unlikely
from .buddy_kernels import (
    CLAIM,
    CMA,
    COUNTS,
    FOUR,
    FREE_PAGES,
    FREE_TAG,
    HIGHATOMIC,
    MOVABLE,
    MOVE,
    MOVED,
    NONE,
    NR_HIGHATOMIC,
    ONE,
    ORDER,
    PCPTYPES,
    RECLAIMABLE,
    TYPES,
    UNMOVABLE,
    USED_MOVABLE,
    Z,
    add,
    block_type,
    head,
    is_free,
    link,
    note,
    remove,
    set_block_type,
    smallest,
)

u64 = np.uint64
ALLOC_CMA, ALLOC_NOFRAGMENT, ALLOC_HIGHATOMIC, ALLOC_RESERVE = u64(1), u64(2), u64(4), u64(8)
HUNDRED = u64(100)


@inline
def rmqueue(area, order, mt, flags, trace):  # type: ignore[no-untyped-def]
    """__rmqueue: a block of 2**order frames, or NONE."""
    may_use_cma = (flags & ALLOC_CMA) != Z and area.has_cma != Z
    x = NONE
    if unlikely(may_use_cma):
        x = _rmqueue_cma_first(area, order, trace)
    if x == NONE:
        x = smallest(area, order, mt, trace)
    if unlikely(x == NONE):
        x = _rmqueue_slow(area, order, mt, flags, may_use_cma, trace)
    return x


@kernel
def _rmqueue_cma_first(area, order, trace):  # type: ignore[no-untyped-def]
    """A block of the contiguous area while it has more than half of the zone's free pages, else NONE."""
    if free_cma(area) > area.zone[FREE_PAGES] >> ONE:
        return smallest(area, order, CMA, trace)
    return NONE


@kernel
def _rmqueue_slow(area, order, mt, flags, may_use_cma, trace):  # type: ignore[no-untyped-def]
    """The contiguous area for movable pages, then other types' blocks."""
    if may_use_cma:
        x = smallest(area, order, CMA, trace)
        if x != NONE:
            return x
    while _fallback(area, order, mt, flags, trace):
        x = smallest(area, order, mt, trace)
        if x != NONE:
            return x
    return NONE


@inline
def free_cma(area):  # type: ignore[no-untyped-def]
    """NR_FREE_CMA_PAGES."""
    pages = Z
    for order in range(area.max_order):
        pages += area.zone[COUNTS + u64(order) * TYPES + CMA] << u64(order)
    return pages


@inline
def _other(area, order, mt):  # type: ignore[no-untyped-def]
    """The first type of fallbacks[mt] that has a free block of this order, or NONE."""
    first = UNMOVABLE if mt == RECLAIMABLE else RECLAIMABLE
    second = UNMOVABLE if mt == MOVABLE else MOVABLE
    if area.zone[COUNTS + order * TYPES + first] != Z:
        return first
    if area.zone[COUNTS + order * TYPES + second] != Z:
        return second
    return NONE


@inline
def can_steal(area, order, mt):  # type: ignore[no-untyped-def]
    """can_steal_fallback: whether a free block this large may take its whole pageblock with it."""
    return order >= area.pageblock >> ONE or mt != MOVABLE or area.grouping == Z


@inline
def suitable_fallback(area, order, mt):  # type: ignore[no-untyped-def]
    """find_suitable_fallback with only_stealable: whether compaction may stop here."""
    return _other(area, order, mt) != NONE and can_steal(area, order, mt)


@inline
def _fallback(area, order, mt, flags, trace):  # type: ignore[no-untyped-def]
    """__rmqueue_fallback: move a block of another type to the lists of `mt`; whether there was one."""
    least = order
    if flags & ALLOC_NOFRAGMENT and order < area.pageblock:
        least = area.pageblock
    current = area.max_order
    while current > least:  # from the largest: it tells most about its pageblock
        current -= ONE
        if _other(area, current, mt) == NONE:
            continue
        if mt == MOVABLE and current > order and not can_steal(area, current, mt):
            current = order  # splitting the smallest does no lasting harm
            while _other(area, current, mt) == NONE:
                current += ONE
        x = head(area, current, _other(area, current, mt))
        _steal(area, x, current, mt, trace)
        return True
    return False


@inline
def _steal(area, x, order, mt, trace):  # type: ignore[no-untyped-def]
    """steal_suitable_fallback: one block, all free ones of its pageblock, or the pageblock itself."""
    was = block_type(area, x)
    whole = was != HIGHATOMIC and order < area.pageblock and can_steal(area, order, mt)
    if was != HIGHATOMIC and order >= area.pageblock:
        for block in range(ONE << (order - area.pageblock)):
            set_block_type(area, x + (u64(block) << area.pageblock), mt)
        note(trace, CLAIM, order, x, mt)
    free, movable = Z, Z
    if whole:
        free, movable = move_block(area, x, mt, trace)
    if free == Z:
        _move(area, x, order, mt)
        note(trace, MOVE, order, x, mt)
        return
    pages = ONE << area.pageblock
    alike = movable if mt == MOVABLE else pages - free - movable if was == MOVABLE else Z
    if free + alike >= pages >> ONE or area.grouping == Z:
        set_block_type(area, x, mt)
        note(trace, CLAIM, area.pageblock, x, mt)


@kernel
def _touch_all(area, order, mt):  # type: ignore[no-untyped-def]
    """Put a type's fresh blocks on its list, for one that has to stand behind them."""
    row = area.rows + order * TYPES + mt
    for each in range(area.fresh.shape[0]):
        while area.fresh[each, 2] == mt and area.fresh[each, 0] < area.fresh[each, 1]:
            x = area.fresh[each, 0]
            area.fresh[each, 0] = x + (ONE << order)
            link(area.links, u64(area.links[(row << ONE) + ONE]), x)
            area.state[x] = ((mt + FREE_TAG) << FOUR) | order


@inline
def _move(area, x, order, mt):  # type: ignore[no-untyped-def]
    """move_to_free_list: to the tail of the other type's list."""
    remove(area, x)
    if order + ONE == area.max_order:
        _touch_all(area, order, mt)
    add(area, x, order, mt, True, None)


@inline
def move_block(area, x, mt, trace):  # type: ignore[no-untyped-def]
    """move_freepages_block: frames moved to the lists of `mt`, and movable ones in use; a zone's border stops it."""
    pages = ONE << area.pageblock
    start = x & ~(pages - ONE)
    end = start + pages
    if start < area.start:
        start = x
    free, movable = Z, Z
    if end > area.end:
        return free, movable
    while start < end:
        state = u64(area.state[start])
        order = state & ORDER
        if is_free(state):
            _move(area, start, order, mt)
            free += ONE << order
        elif state >> FOUR == USED_MOVABLE:
            movable += min(ONE << order, end - start)
        start += ONE << order
    note(trace, MOVED, free, x, mt)
    return free, movable


@kernel
def reserve_highatomic(area, x, trace):  # type: ignore[no-untyped-def]
    """Keep the pageblock of an atomic block of some size for others like it: at most about 1 % of the zone."""
    pages = ONE << area.pageblock
    if area.zone[NR_HIGHATOMIC] >= area.managed // HUNDRED + pages or block_type(area, x) >= PCPTYPES:
        return False
    area.zone[NR_HIGHATOMIC] += pages
    set_block_type(area, x, HIGHATOMIC)
    note(trace, CLAIM, area.pageblock, x, HIGHATOMIC)
    move_block(area, x, HIGHATOMIC, trace)
    return True


@kernel
def unreserve_highatomic(area, mt, force, trace):  # type: ignore[no-untyped-def]
    """Give one reserved pageblock to `mt`, because a request is about to fail; whether any page moved."""
    pages = ONE << area.pageblock
    if not force and area.zone[NR_HIGHATOMIC] <= pages:
        return False
    for order in range(area.max_order):
        x = head(area, u64(order), HIGHATOMIC)
        if x == NONE:
            continue
        if block_type(area, x) == HIGHATOMIC:
            area.zone[NR_HIGHATOMIC] -= min(pages, area.zone[NR_HIGHATOMIC])
        set_block_type(area, x, mt)
        note(trace, CLAIM, area.pageblock, x, mt)
        free, _ = move_block(area, x, mt, trace)
        if free != Z:
            return True
    return False
