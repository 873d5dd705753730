"""The compiled half of compaction, its two scanners, and of taking a given range of frames.

The migration scanner goes up and collects movable pages in use, the free scanner comes down and collects free ones
to move them to (Linux 6.1, mm/compaction.c: compact_zone, isolate_migratepages, isolate_freepages).
"""

from __future__ import annotations

import numpy as np

from ..jit import inline, kernel, warmer
from .buddy_kernels import (
    CMA,
    COUNTS,
    FIRST_USED,
    FOUR,
    FREE_PAGES,
    FREE_TAG,
    MOVABLE,
    NONE,
    NR_HIGHATOMIC,
    ONE,
    ORDER,
    PCPTYPES,
    TYPES,
    USED,
    USED_MOVABLE,
    Z,
    add,
    block_type,
    free_one,
    is_free,
    remove,
    set_block_type,
)
from .fallback_kernels import suitable_fallback

u64 = np.uint64
CLUSTER = u64(32)  # COMPACT_CLUSTER_MAX
ISOLATED = u64(0xF0)  # state of a free page that waits for a page to move in
CONTINUE, COMPLETE, SUCCESS, CONTENDED = range(4)  # enum compact_result
# places in `control`: the scanners, what they saw, pages waiting, moves made
MIGRATE_AT, FREE_AT, MIGRATE_SCANNED, FREE_SCANNED, WAITING, MOVES = range(6)


@inline
def _in_fresh(area, x):  # type: ignore[no-untyped-def]
    found = False
    for row in range(area.fresh.shape[0]):
        found |= area.fresh[row, 0] <= x < area.fresh[row, 1]
    return found


@inline
def _block_end(area, x):  # type: ignore[no-untyped-def]
    return ((x >> area.pageblock) + ONE) << area.pageblock


@inline
def _whole_free(area, x):  # type: ignore[no-untyped-def]
    """Whether a free block of at least a pageblock begins at the pageblock's first frame x."""
    state = u64(area.state[x])
    return (is_free(state) and (state & ORDER) >= area.pageblock) or _in_fresh(area, x)


@inline
def _met(area, control):  # type: ignore[no-untyped-def]
    """compact_scanners_met."""
    return control[FREE_AT] >> area.pageblock <= control[MIGRATE_AT] >> area.pageblock


@inline
def _finished(area, order, mt, control):  # type: ignore[no-untyped-def]
    """__compact_finished: a block that the request could have; it is asked at the end of each pageblock only."""
    if control[MIGRATE_AT] & ((ONE << area.pageblock) - ONE):
        return False
    while order < area.max_order:
        if area.zone[COUNTS + order * TYPES + mt] or suitable_fallback(area, order, mt):
            return True
        if mt == MOVABLE and area.zone[COUNTS + order * TYPES + CMA]:
            return True
        order += ONE
    return False


@kernel
def _migrate_scanner(area, mt, only_type, control, sources):  # type: ignore[no-untyped-def]
    """isolate_migratepages: up to a cluster of movable pages of one pageblock; how many were found."""
    low, found = control[MIGRATE_AT], Z
    while _block_end(area, low) <= control[FREE_AT] and found == Z:
        end = _block_end(area, low)
        kind = block_type(area, low)
        wrong = only_type and kind != mt and not (mt == MOVABLE and kind == CMA)
        if wrong or _whole_free(area, low):
            control[MIGRATE_SCANNED] += ONE
            low = end
        while low < end and found < CLUSTER:
            control[MIGRATE_SCANNED] += ONE
            state = u64(area.state[low])
            if state == USED_MOVABLE << FOUR:  # order 0: larger ones are compound pages and stay
                sources[found] = low
                found += ONE
            low += ONE << (state & ORDER)
        control[MIGRATE_AT] = low
    return found


@kernel
def _free_scanner(area, wanted, stride, control, waiting):  # type: ignore[no-untyped-def]
    """isolate_freepages: collect free pages from above until there are `wanted`."""
    low = _block_end(area, control[MIGRATE_AT])
    at = control[FREE_AT]
    block = at >> area.pageblock << area.pageblock
    while block >= low:
        end = min(_block_end(area, block), area.end)
        kind = block_type(area, block)
        before = control[WAITING]
        if kind in (MOVABLE, CMA) and block >= area.start and not _whole_free(area, block):
            at = _isolate_block(area, max(at, block), end, wanted, stride, control, waiting)
            if control[WAITING] >= wanted or at < end:
                if at >= end:
                    at = block - (ONE << area.pageblock)
                control[FREE_AT] = at
                return
            stride = ONE if control[WAITING] > before else min(CLUSTER, stride << ONE)
        block -= ONE << area.pageblock
        at = block
    control[FREE_AT] = at


@inline
def _isolate_block(area, x, end, wanted, stride, control, waiting):  # type: ignore[no-untyped-def]
    """isolate_freepages_block: take free blocks off their lists; the frame where it stopped."""
    while x < end:
        control[FREE_SCANNED] += ONE
        state = u64(area.state[x])
        order = state & ORDER
        if not is_free(state):
            x += (ONE << order) - ONE + stride if state >= FIRST_USED else stride
            continue
        if not _isolate(area, x, order):
            return x
        for each in range(ONE << order):
            waiting[control[WAITING]] = x + u64(each)
            area.state[x + u64(each)] = ISOLATED
            control[WAITING] += ONE
        if control[WAITING] >= wanted:
            return x + (ONE << order)
        x += (ONE << order) - ONE + stride
    return end


@inline
def _isolate(area, x, order):  # type: ignore[no-untyped-def]
    """__isolate_free_page: only while the zone stays above its min watermark."""
    usable = np.int64(area.zone[FREE_PAGES]) - np.int64(area.zone[NR_HIGHATOMIC])
    if usable <= np.int64(area.min_mark + (ONE << order)):
        return False
    remove(area, x)
    area.zone[FREE_PAGES] -= ONE << order
    if order + ONE >= area.pageblock and block_type(area, x) < PCPTYPES:
        set_block_type(area, x, MOVABLE)
    return True


@kernel
def compact(area, order, mt, only_type, stride, control, sources, waiting, moves):  # type: ignore[no-untyped-def]
    """Move pages until a block of `order` is there (NONE: until the scanners meet); CONTINUE if `moves` is full."""
    result = CONTINUE
    while result == CONTINUE and control[MOVES] + CLUSTER <= moves.shape[0]:
        if _met(area, control):
            result = COMPLETE
        elif order != NONE and _finished(area, order, mt, control):
            result = SUCCESS
        else:
            found = _migrate_scanner(area, mt, only_type, control, sources)
            if not _move_pages(area, found, stride, control, sources, waiting, moves) and not _met(area, control):
                result = CONTENDED
    while control[WAITING]:  # release_freepages
        control[WAITING] -= ONE
        x = waiting[control[WAITING]]
        control[FREE_AT] = max(control[FREE_AT], x >> area.pageblock << area.pageblock)
        free_one(area, x, Z, block_type(area, x), False, None)
    return result


@inline
def _move_pages(area, found, stride, control, sources, waiting, moves):  # type: ignore[no-untyped-def]
    """migrate_pages: each source to a page that waits; its old frame is free. Whether there were enough."""
    done = Z
    while done < found:
        if control[WAITING] == Z:
            _free_scanner(area, found, stride, control, waiting)
            if control[WAITING] == Z:
                return False
        count = min(control[WAITING], found - done)
        for each in range(count):
            source, target = sources[done + u64(each)], waiting[u64(each)]
            moves[control[MOVES], 0], moves[control[MOVES], 1] = source, target
            control[MOVES] += ONE
            area.state[target] = USED_MOVABLE << FOUR
            free_one(area, source, Z, block_type(area, source), False, None)
        control[WAITING] -= count
        for each in range(control[WAITING]):
            waiting[u64(each)] = waiting[u64(each) + count]
        done += count
    return True


@kernel
def take_range(area, start, end, out):  # type: ignore[no-untyped-def]
    """Hand out every free frame of `start`..`end`, as alloc_contig_range does; how many blocks that were."""
    taken = 0
    x = start & ~((ONE << (area.max_order - ONE)) - ONE)
    while x < end:
        state = u64(area.state[x])
        order = state & ORDER
        after = x + (ONE << order)
        if not is_free(state) or after <= start:
            x = after
            continue
        remove(area, x)
        if start <= x and after <= end:
            area.zone[FREE_PAGES] -= ONE << order
            area.state[x] = USED << FOUR | order
            out[taken, 0], out[taken, 1] = x, order
            taken += 1
            x = after
        else:  # its halves, and then again
            mt = (state >> FOUR) - FREE_TAG
            add(area, x, order - ONE, mt, False, None)
            add(area, x + (ONE << (order - ONE)), order - ONE, mt, False, None)
    return taken


@warmer
def _warm() -> None:
    from .free_lists import small_area

    area, some = small_area(), np.zeros(64, u64)
    compact(area, NONE, MOVABLE, False, ONE, np.zeros(6, u64), some, some, np.zeros((0, 2), u64))
    take_range(area, Z, u64(16), np.zeros((16, 2), u64))
