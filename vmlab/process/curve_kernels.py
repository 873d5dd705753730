"""Compiled stack distances: one pass over a trace gives the misses of every size at once, for LRU and for OPT.

R. L. Mattson et al., "Evaluation techniques for storage hierarchies", IBM Systems Journal 9(2), 1970. Both are stack
algorithms: what they keep with n frames they also keep with n + 1, so one list in order says it all: a page at depth d
is a hit with d frames or more.

    histogram[d]   references at depth d (1 is the top); histogram[0]: first references, which miss with any size

LRU's depth is the number of pages used since: a Fenwick tree counts the pages whose last use is later. Its places are
given out in the order of use, and when they run out the pages in memory are renumbered, so the tree has 2**k > 2 M
places and not one for each reference. OPT's stack is kept as it is: the cost of a reference is its depth.
"""

from __future__ import annotations

import numpy as np

from ..jit import inline, kernel, warmer
from .replacement_kernels import ONE, Z, i64, u32, u64


@inline
def _between(tree, low, high):  # type: ignore[no-untyped-def]
    """Pages at places low + 1 to high: both prefixes are followed down only until they meet."""
    total = u32(0)
    while high > low:
        total += tree[high]
        high &= high - ONE
    while low > high:
        total -= tree[low]
        low &= low - ONE
    return total


@inline
def _move(tree, low, high):  # type: ignore[no-untyped-def]
    """A page goes from place `low` to `high`: above where their paths meet nothing changes."""
    size = u64(tree.size)
    while low != high:
        if low < high:
            tree[low] -= u32(1)
            low += low & (~low + ONE)
        else:
            tree[high] += u32(1)
            high += high & (~high + ONE)
        if low >= size and high >= size:
            break


@inline
def _renumber(tree, places, pages):  # type: ignore[no-untyped-def]
    """Give the pages in `pages` the places 1, 2, ... in their order; returns how many there are."""
    live = Z
    for old in range(1, pages.size):
        page = u64(pages[old])
        if page != Z and places[page - ONE] == u32(old):
            live += ONE
            places[page - ONE] = u32(live)
            pages[live] = u32(page)
    tree[:] = u32(0)
    for place in range(1, tree.size):
        if u64(place) <= live:
            tree[place] += u32(1)
        up = place + (place & -place)
        if up < tree.size:
            tree[up] += tree[place]
    return live


@kernel
def lru_depths(trace, places, pages, tree, histogram):  # type: ignore[no-untyped-def]
    """`places` uint32[M], `pages` and `tree` uint32[K], K a power of two above 2 M, all zero beforehand."""
    size, used = u64(tree.size), Z
    for i in range(trace.size):
        page = u64(trace[i])
        place = u64(places[page])
        if place == used and used != Z:
            histogram[1] += 1
            continue
        if used + ONE == size:
            used = _renumber(tree, places, pages)
            place = u64(places[page])
        used += ONE
        if place != Z:
            histogram[u64(_between(tree, place, used)) + ONE] += 1
            _move(tree, place, used)
        else:
            histogram[0] += 1
            place = used
            while place < size:
                tree[place] += u32(1)
                place += place & (~place + ONE)
        places[page] = u32(used)
        pages[used] = u32(page) + u32(1)


@kernel
def opt_depths(trace, ahead, stack, needed, histogram):  # type: ignore[no-untyped-def]
    """`stack` and `needed` are uint32[M]: pages, and when each is used next (`ahead`, from `next_uses`)."""
    depth = Z
    for i in range(trace.size):
        page, when = trace[i], ahead[i]
        at, carried, carried_when = Z, page, when
        while at != depth:
            other, other_when = stack[at], needed[at]
            if other == page:
                break
            if at == Z or carried_when < other_when:  # the one needed sooner stays; the other goes down
                stack[at] = carried
                needed[at] = carried_when
                carried, carried_when = other, other_when
            at += ONE
        if at == depth:
            histogram[0] += 1
            depth += ONE
        else:
            histogram[at + ONE] += 1
        stack[at] = carried
        needed[at] = carried_when


@warmer
def _warm() -> None:
    """Compile both."""
    words, histogram = np.zeros(1, u32), np.zeros(2, i64)
    lru_depths(np.zeros(0, u32), words, np.zeros(4, u32), np.zeros(4, u32), histogram)
    opt_depths(np.zeros(0, u32), words, words, words, histogram)
