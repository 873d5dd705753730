"""The compiled half of the per-CPU page lists.

A CPU has 14 lists: orders 0 to 3 of the three ordinary migratetypes, and two for blocks of pageblock_order where
huge pages are on. A page on them is neither on a free list nor counted as free.
A page keeps the migratetype under which it came, and goes back to that free list: one that refilled the list has its
free list's, which need not be its pageblock's, one that was given back has its pageblock's.
Linux 6.1, mm/page_alloc.c: rmqueue_pcplist, rmqueue_bulk, __rmqueue_smallest (set_pcppage_migratetype),
free_unref_page_commit, nr_pcp_free, free_pcppages_bulk.
"""

from __future__ import annotations

import numpy as np

from ..jit import inline, kernel
from ..unlikely import unlikely
from .buddy_kernels import (
    CMA,
    DRAIN,
    FOUR,
    FROM_PCP,
    MOVABLE,
    NONE,
    ONE,
    ORDER,
    PCP_COUNTS,
    PCP_HEADS,
    PCP_LISTS,
    PCP_TAG,
    PCPTYPES,
    RECLAIM,
    REFILL,
    TO_PCP,
    TWO,
    Z,
    block_type,
    free_one,
    link,
    note,
    unlink,
)
from .fallback_kernels import (
    rmqueue,
)

u64 = np.uint64
COSTLY_ORDER = u64(3)  # PAGE_ALLOC_COSTLY_ORDER
LOWORDER_LISTS, LAST_LIST = u64(12), u64(13)
SCALE_MAX = u64(5)  # CONFIG_PCP_BATCH_SCALE_MAX


@inline
def allowed(area, order):  # type: ignore[no-untyped-def]
    """pcp_allowed_order."""
    return order <= COSTLY_ORDER or (area.huge_pages != Z and order == area.pageblock)


@inline
def _pindex(order, mt):  # type: ignore[no-untyped-def]
    """order_to_pindex."""
    if order > COSTLY_ORDER:
        return LAST_LIST if mt == MOVABLE else LOWORDER_LISTS
    return PCPTYPES * order + mt


@inline
def _head(area, cpu, pindex):  # type: ignore[no-untyped-def]
    return area.rows + PCP_HEADS + cpu * PCP_LISTS + pindex


@inline
def pcp_alloc(area, cpu, order, mt, flags, trace):  # type: ignore[no-untyped-def]
    """rmqueue_pcplist: the head of a CPU's list, refilled by a batch when it is empty."""
    counts = PCP_COUNTS + (cpu << ONE)
    area.zone[counts + ONE] >>= ONE
    row = _head(area, cpu, _pindex(order, mt))
    x = u64(area.links[row << ONE])
    if unlikely(x == row):
        if _refill(area, row, counts, order, mt, flags, trace) == Z:
            return NONE
        x = u64(area.links[row << ONE])
    after = u64(area.links[x << ONE])  # unlink, for the first of a list
    area.links[row << ONE] = after
    area.links[(after << ONE) + ONE] = row
    area.zone[counts] -= ONE << order
    note(trace, FROM_PCP, order, x, mt)
    return x


@kernel
def _refill(area, row, counts, order, mt, flags, trace):  # type: ignore[no-untyped-def]
    """rmqueue_bulk: up to a batch of blocks to the tail of a list; how many came."""
    batch, came = area.batch, Z
    if batch > ONE:
        batch = max(batch >> order, TWO)
    while came < batch:
        x = rmqueue(area, order, mt, flags, trace)
        if x == NONE:
            break
        link(area.links, u64(area.links[(row << ONE) + ONE]), x)
        listed = CMA if block_type(area, x) == CMA else mt  # set_pcppage_migratetype: the list that it stood on
        area.state[x] = ((PCP_TAG + listed) << FOUR) | order
        came += ONE
    area.zone[counts] += came << order
    note(trace, REFILL, order, came, mt)
    return came


@kernel
def drain(area, cpu, pages, pindex, trace):  # type: ignore[no-untyped-def]
    """free_pcppages_bulk: give `pages` back, list by list from `pindex` on, oldest first."""
    counts = PCP_COUNTS + (cpu << ONE)
    pages = min(pages, area.zone[counts])
    note(trace, DRAIN, Z, pages, cpu)
    left = np.int64(pages)
    while left > 0:
        row = _head(area, cpu, pindex)
        x = u64(area.links[(row << ONE) + ONE])
        while left > 0 and x != row:
            state = u64(area.state[x])
            order = state & ORDER
            unlink(area.links, x)
            left -= np.int64(ONE << order)
            area.zone[counts] -= ONE << order
            free_one(area, x, order, (state >> FOUR) - PCP_TAG, False, trace)
            x = u64(area.links[(row << ONE) + ONE])
        pindex = Z if pindex == LAST_LIST else pindex + ONE


@inline
def pcp_free(area, cpu, x, order, mt, trace):  # type: ignore[no-untyped-def]
    """free_unref_page_commit: to the head of a CPU's list, and a batch to buddy when there are too many."""
    counts = PCP_COUNTS + (cpu << ONE)
    pindex = _pindex(order, mt if mt < PCPTYPES else MOVABLE)
    link(area.links, _head(area, cpu, pindex), x)
    area.state[x] = ((PCP_TAG + mt) << FOUR) | order
    area.zone[counts] += ONE << order
    note(trace, TO_PCP, order, x, mt)
    if unlikely(area.zone[counts] >= area.high or (area.zone[counts + ONE] | area.zone[RECLAIM]) != Z):
        _give_back(area, cpu, order, pindex, trace)


@kernel
def _give_back(area, cpu, order, pindex, trace):  # type: ignore[no-untyped-def]
    """Let buddy have what is too much: everything, if pages of some order come back and come back (free_high)."""
    counts = PCP_COUNTS + (cpu << ONE)
    free_high = area.zone[counts + ONE] != Z and ONE <= order <= COSTLY_ORDER
    high = Z if free_high else area.high
    if area.zone[RECLAIM] != Z:
        high = min(area.batch << TWO, high)
    if area.zone[counts] >= high:
        drain(area, cpu, _nr_pcp_free(area, counts, high, free_high), pindex, trace)


@inline
def _nr_pcp_free(area, counts, high, free_high):  # type: ignore[no-untyped-def]
    """How many pages go back: more each time that nothing was allocated in between."""
    batch = area.batch
    if free_high:
        return area.zone[counts]
    if high < batch:
        return ONE
    most, factor = high - batch, area.zone[counts + ONE]
    if batch << factor < most and factor < SCALE_MAX:
        area.zone[counts + ONE] = factor + ONE
    return max(min(batch << factor, most), batch) if most >= batch else most
