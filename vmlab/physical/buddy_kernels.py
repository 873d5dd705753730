"""The compiled half of the buddy allocator: free lists over plain arrays, split and merge.

One zone is an `Area`. Frames are counted from `pfn & -(1 << (max_order - 1))` of the zone's first frame, so the
buddy of block x is still x ^ (1 << order). All-zero means "nothing known yet":

    links[2 * row], links[2 * row + 1]   next and prev of a block's first frame, as page->buddy_list; the rows after
                                         the last frame are the list heads, first one for each order and migratetype,
                                         then those of the per-CPU lists
    state[frame]    tag << 4 | order of the block that begins there; 0: none does
    types[block]    a pageblock's migratetype, exclusive-or MOVABLE, so that zero is what boot makes every pageblock
    fresh[row]      next frame, end and migratetype of highest-order blocks that nothing has touched yet
    zone[...]       what is counted: the places are named below

Fresh blocks stand behind all others of their list, lowest first, where memblock_free_all put them.
Linux 6.1, mm/page_alloc.c: __free_one_page, buddy_merge_likely, __rmqueue_smallest, expand, move_to_free_list.

Every function notes its steps in `trace`, rows of (step, order, frame, migratetype), the first of which counts
them; with None for it numba compiles the same source without a trace.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..jit import inline

u64 = np.uint64

UNMOVABLE, MOVABLE, RECLAIMABLE, HIGHATOMIC, CMA, ISOLATE = (u64(n) for n in range(6))  # enum migratetype
TYPES, PCPTYPES = u64(6), u64(3)
FREE_TAG, PCP_TAG, USED, USED_MOVABLE = u64(1), u64(7), u64(13), u64(14)  # FREE_TAG and PCP_TAG: + migratetype
FIRST_FREE, END_FREE = u64(0x10), u64(0x70)  # states of free blocks
FIRST_USED = u64(0xD0)
ORDER = u64(0x0F)
# places in `zone`
FREE_PAGES, NR_HIGHATOMIC, RECLAIM = u64(0), u64(1), u64(2)
COUNTS = u64(4)  # nr_free[order * TYPES + migratetype]
PCP_COUNTS = u64(100)  # count and free_factor of each CPU
PCP_HEADS = u64(96)  # rows of links, after those of the free lists
PCP_LISTS = u64(16)  # list heads a CPU; 14 are used
NONE = u64(0xFFFF_FFFF_FFFF_FFFF)
Z, ONE, TWO, FOUR = u64(0), u64(1), u64(2), u64(4)

TAKE, SPLIT, MERGE, PUT, PUT_TAIL, MOVE, CLAIM, MOVED, REFILL, TO_PCP, FROM_PCP, DRAIN = range(12)  # steps


class Area(NamedTuple):
    """One zone's arrays, and what is fixed when they are made (as numbers, so that loops need not look it up)."""

    links: np.ndarray
    state: np.ndarray
    types: np.ndarray
    fresh: np.ndarray
    zone: np.ndarray
    rows: np.uint64  # the first list head: as many frames as there are
    start: np.uint64  # the zone's frames
    end: np.uint64
    max_order: np.uint64
    pageblock: np.uint64  # its order
    grouping: np.uint64  # 0: page_group_by_mobility_disabled
    has_cma: np.uint64
    huge_pages: np.uint64  # per-CPU lists take blocks of pageblock order
    batch: np.uint64  # of the per-CPU lists
    high: np.uint64
    min_mark: np.uint64  # the zone's min watermark
    managed: np.uint64


@inline
def note(trace, step, order, x, mt):  # type: ignore[no-untyped-def]
    """Append one step, where a trace is kept; steps beyond its end are only counted."""
    if trace is not None:
        trace[0, 0] += 1
        at = trace[0, 0]
        if at < trace.shape[0]:
            trace[at, 0], trace[at, 1], trace[at, 2], trace[at, 3] = step, order, x, mt


@inline
def link(links, before, x):  # type: ignore[no-untyped-def]
    """__list_add: put row `x` behind row `before`."""
    after = u64(links[before << ONE])
    links[x << ONE] = after
    links[(x << ONE) + ONE] = before
    links[(after << ONE) + ONE] = x
    links[before << ONE] = x


@inline
def unlink(links, x):  # type: ignore[no-untyped-def]
    """list_del."""
    after, before = u64(links[x << ONE]), u64(links[(x << ONE) + ONE])
    links[(after << ONE) + ONE] = before
    links[before << ONE] = after


@inline
def block_type(area, x):  # type: ignore[no-untyped-def]
    """get_pageblock_migratetype."""
    return u64(area.types[x >> area.pageblock]) ^ MOVABLE


@inline
def set_block_type(area, x, mt):  # type: ignore[no-untyped-def]
    """set_pageblock_migratetype: with grouping off, what is for ordinary pages becomes UNMOVABLE."""
    if area.grouping == Z and mt < PCPTYPES:
        mt = UNMOVABLE
    area.types[x >> area.pageblock] = mt ^ MOVABLE


@inline
def is_free(state):  # type: ignore[no-untyped-def]
    """PageBuddy."""
    return FIRST_FREE <= state < END_FREE


@inline
def add(area, x, order, mt, tail, trace):  # type: ignore[no-untyped-def]
    """add_to_free_list, or add_to_free_list_tail."""
    index = order * TYPES + mt
    before = area.rows + index
    if tail:
        before = u64(area.links[(before << ONE) + ONE])
    link(area.links, before, x)
    area.state[x] = ((mt + FREE_TAG) << FOUR) | order
    area.zone[COUNTS + index] += ONE
    note(trace, PUT_TAIL if tail else PUT, order, x, mt)


@inline
def remove(area, x):  # type: ignore[no-untyped-def]
    """del_page_from_free_list."""
    was = u64(area.state[x])
    unlink(area.links, x)
    area.state[x] = Z
    area.zone[COUNTS + (was & ORDER) * TYPES + (was >> FOUR) - FREE_TAG] -= ONE


@inline
def head(area, order, mt):  # type: ignore[no-untyped-def]
    """get_page_from_free_area: the first block of a list, or NONE."""
    row = area.rows + order * TYPES + mt
    x = u64(area.links[row << ONE])
    if x != row:
        return x
    if order + ONE == area.max_order and area.zone[COUNTS + order * TYPES + mt] != Z:
        return _touch(area, order, mt)
    return NONE


@inline
def _touch(area, order, mt):  # type: ignore[no-untyped-def]
    """Put the lowest fresh block of a type on its list; it is counted already."""
    for row in range(area.fresh.shape[0]):
        x = area.fresh[row, 0]
        if x < area.fresh[row, 1] and area.fresh[row, 2] == mt:
            area.fresh[row, 0] = x + (ONE << order)
            link(area.links, area.rows + order * TYPES + mt, x)
            area.state[x] = ((mt + FREE_TAG) << FOUR) | order
            return x
    return NONE


@inline
def smallest(area, order, mt, trace):  # type: ignore[no-untyped-def]
    """__rmqueue_smallest and expand: cut a block from the smallest one of a type that is enough, or NONE."""
    current = order
    while current < area.max_order:
        x = head(area, current, mt)
        if x != NONE:
            remove(area, x)
            note(trace, TAKE, current, x, mt)
            while current > order:  # the lower half is kept, the upper half becomes free
                current -= ONE
                upper = x + (ONE << current)
                note(trace, SPLIT, current, upper, mt)
                add(area, upper, current, mt, False, None)
            area.zone[FREE_PAGES] -= ONE << order
            return x
        current += ONE
    return NONE


@inline
def _is_buddy(area, x, order):  # type: ignore[no-untyped-def]
    """find_buddy_page_pfn: a free block of this order begins at x; a frame of another zone has no state here."""
    state = u64(area.state[x])
    return is_free(state) and (state & ORDER) == order


@inline
def _mergeable(area, buddy, order, mt):  # type: ignore[no-untyped-def]
    """From pageblock_order on, ordinary blocks merge with each other and CMA or HIGHATOMIC only with their like."""
    if order < area.pageblock:
        return True
    other = block_type(area, buddy)
    return other == mt or (other < PCPTYPES and mt < PCPTYPES)


@inline
def free_one(area, x, order, mt, tail, trace):  # type: ignore[no-untyped-def]
    """__free_one_page: merge upwards, then to the list's head, or its tail if the next merge is likely."""
    area.zone[FREE_PAGES] += ONE << order
    area.state[x] = Z
    last = area.max_order - ONE
    while order < last:
        buddy = x ^ (ONE << order)
        if not _is_buddy(area, buddy, order) or not _mergeable(area, buddy, order, mt):
            break
        remove(area, buddy)
        note(trace, MERGE, order, buddy, mt)
        x &= buddy
        order += ONE
    if order + ONE < last and not tail:  # buddy_merge_likely: the pair that this block and its buddy would make
        above = order + ONE
        pair = x & (x ^ (ONE << order))
        tail = _is_buddy(area, pair ^ (ONE << above), above)
    add(area, x, order, mt, tail, trace)
