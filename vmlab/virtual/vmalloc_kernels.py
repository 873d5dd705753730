"""The compiled half of batches of vmalloc and vfree: where areas go, over plain arrays.

Pages of the space are counted from its start. A free area is known by its first page and by its end:

    sizes[1]             the largest free area; sizes[2 * n], sizes[2 * n + 1] the largest of either half below sizes[n]
    sizes[leaves + page] pages of the free area that begins there, 0: none does
    begins[page]         first page of the free area that ends before this page, plus 1; 0: none does
    waiting              first page and pages of each area that was freed and waits for the TLB flush
    flushed              first and last page of every flush since the caller looked
    rules                what is counted and what is fixed (the names below)

The tree serves as the kernel's own tree of free areas does (subtree_max_size): it finds the lowest one that is large
enough. It covers pages up to `leaves` only; the kernel stops when it needs more, and the caller doubles it. Linux
6.1, mm/vmalloc.c: find_vmap_lowest_match, adjust_va_to_fit_type, merge_or_add_vmap_area, __purge_vmap_area_lazy.
"""

from __future__ import annotations

import numpy as np

from ..jit import inline, kernel, warmer
from ..prefetch import prefetch

u64 = np.uint64
Z, ONE, TWO = u64(0), u64(1), u64(2)
PAGE_SHIFT, BELOW_PAGE = u64(12), u64(4095)
NONE = u64(0xFFFF_FFFF_FFFF_FFFF)
AHEAD = u64(8)  # areas whose memory is asked for before their turn comes: frees in random order miss every cache

POSITION, WAITING, LAZY, FLUSHED = (u64(n) for n in range(4))  # places in `rules`: counted ...
START, PAGES, LAZY_MAX, TOTAL = (u64(n) for n in range(4, 8))  # ... and fixed, all in pages
DONE, NEED_LEAVES, NEED_FLUSHED, OCCUPIED, BAD_SLOT = range(5)  # why the batch stopped


@inline
def _set(sizes, page, pages):  # type: ignore[no-untyped-def]
    """Make `pages` the size of the free area that begins at a page; as far up the tree as it matters."""
    node = (u64(sizes.size) >> ONE) + page
    sizes[node] = pages
    while node > ONE:
        other, up = sizes[node ^ ONE], node >> ONE
        most = pages if pages > other else other
        if sizes[up] == most:
            break
        sizes[up] = pages = most
        node = up


@inline
def _add(sizes, begins, start, end):  # type: ignore[no-untyped-def]
    """insert_vmap_area of a free area that touches no other."""
    _set(sizes, start, end - start)
    if end < u64(begins.size):
        begins[end] = start + ONE


@inline
def _first(sizes, page, pages):  # type: ignore[no-untyped-def]
    """First page of the lowest free area from `page` on with at least so many pages, or NONE."""
    leaves = u64(sizes.size) >> ONE
    if page >= leaves:
        return NONE
    node = leaves + page
    while sizes[node] < pages:  # up, until something to the right is large enough
        while node & ONE:
            node >>= ONE
        if node == Z:
            return NONE
        node += ONE
    while node < leaves:
        node <<= ONE
        if sizes[node] < pages:
            node += ONE
    return node - leaves


@inline
def _lowest(sizes, rules, pages, align):  # type: ignore[no-untyped-def]
    """The free area to cut, and the page in it where an area of `pages` begins; NONE, where nothing fits."""
    low = ~(align - ONE)
    if sizes[1] < pages:
        return NONE, NONE
    free = _first(sizes, Z, pages)
    while free != NONE:
        end = free + sizes[(u64(sizes.size) >> ONE) + free]
        start = ((rules[START] + free + align - ONE) & low) - rules[START]
        if start + pages <= end:
            return free, start
        free = _first(sizes, free + ONE, pages)
    return NONE, NONE


@inline
def _give(sizes, begins, start, end):  # type: ignore[no-untyped-def]
    """merge_or_add_vmap_area: free again, as one area with its free neighbours."""
    leaves = u64(begins.size)
    if end < leaves:
        after = sizes[leaves + end]
        if after != Z:
            _set(sizes, end, Z)
            end += after
    before = begins[start]
    if before != Z:
        begins[start] = Z
        start = before - ONE
    _add(sizes, begins, start, end)


@inline
def _purge(sizes, begins, waiting, flushed, rules):  # type: ignore[no-untyped-def]
    """__purge_vmap_area_lazy: one flush from the lowest to the highest address that waits; then all is free."""
    count = rules[WAITING]
    if count == Z:
        return
    low, high = waiting[0], waiting[0] + waiting[1]
    leaves = u64(begins.size)
    for each in range(count):
        place = min(u64(each) + AHEAD, count - ONE) << ONE
        prefetch(begins, waiting[place])
        prefetch(sizes, leaves + waiting[place])
        prefetch(sizes, (leaves + waiting[place]) >> TWO)
        place = u64(each) << ONE
        start, end = waiting[place], waiting[place] + waiting[place + ONE]
        low, high = min(low, start), max(high, end)
        _give(sizes, begins, start, end)
    place = rules[FLUSHED] << ONE
    flushed[place], flushed[place + ONE] = low, high
    rules[FLUSHED] += ONE
    rules[WAITING], rules[LAZY] = Z, Z


@inline
def _cut(sizes, begins, free, start, end):  # type: ignore[no-untyped-def]
    """adjust_va_to_fit_type: take `start`..`end` out of the free area that begins at page `free`."""
    leaves = u64(begins.size)
    last = free + sizes[leaves + free]
    _set(sizes, free, start - free)
    if start > free:
        begins[start] = free + ONE
    if last > end:
        _add(sizes, begins, end, last)
    elif last < leaves:
        begins[last] = Z


@kernel
def run(sizes, begins, waiting, flushed, rules, frees, slots, bytes_, aligns, held, answers):  # type: ignore[no-untyped-def]
    """Operations from POSITION on: `held` has first page + 1 and pages of each slot's area; `answers` addresses."""
    leaves, nr, nr_slots = u64(begins.size), u64(frees.size), u64(held.size) >> ONE
    most_flushed = (u64(flushed.size) >> ONE) - ONE
    i, stopped = rules[POSITION], DONE
    while i < nr:
        slot = u64(slots[i])
        if slot >= nr_slots:
            stopped = BAD_SLOT
            break
        if rules[FLUSHED] >= most_flushed:
            stopped = NEED_FLUSHED
            break
        begin = held[slot << ONE]
        if frees[i]:
            answers[i] = Z
            if begin != Z:
                pages, at = held[(slot << ONE) + ONE], rules[WAITING] << ONE
                held[slot << ONE] = Z
                answers[i] = (rules[START] + begin - ONE) << PAGE_SHIFT
                waiting[at], waiting[at + ONE] = begin - ONE, pages
                rules[WAITING] += ONE
                rules[LAZY] += pages
                if rules[LAZY] > rules[LAZY_MAX]:
                    _purge(sizes, begins, waiting, flushed, rules)
            i += ONE
            continue
        if begin != Z:
            stopped = OCCUPIED
            break
        pages = ((bytes_[i] + BELOW_PAGE) >> PAGE_SHIFT) + ONE  # a guard page behind each
        answers[i] = Z
        if pages <= rules[TOTAL] + ONE:
            align = max(aligns[i] >> PAGE_SHIFT, ONE)
            free, start = _lowest(sizes, rules, pages, align)
            if start == NONE:
                _purge(sizes, begins, waiting, flushed, rules)
                free, start = _lowest(sizes, rules, pages, align)
            if start != NONE:
                if start + pages >= leaves:
                    stopped = NEED_LEAVES
                    break
                _cut(sizes, begins, free, start, start + pages)
                held[slot << ONE], held[(slot << ONE) + ONE] = start + ONE, pages
                answers[i] = (rules[START] + start) << PAGE_SHIFT
        i += ONE
    rules[POSITION] = i
    return stopped


@warmer
def _warm() -> None:
    """Compile the batch, with no operation to do."""
    none, few = np.zeros(0, u64), np.zeros(8, u64)
    run(few, few, few, few, few, np.zeros(0, np.uint8), np.zeros(0, np.uint32), none, none, none, none)
