"""The compiled replacement policy LIRS: how long ago was a page used the time before last?

S. Jiang and X. Zhang, SIGMETRICS 2002, section 3. Two lists over the arrays of `replacement_kernels`:

    S   (head M)       pages by their last use, newest first: all LIR pages (low inter-reference recency), and HIR pages
                       used since the oldest LIR page was, in memory or not. Its last page is always LIR (pruning).
    Q   (`slots`)      HIR pages in memory, the next one to go first

A page in S and in Q needs two pairs of links, so Q's are in `slots`: next and previous page of page p at 2p and 2p + 1,
its head after the last page. 1 % of the frames, and at least one, are for HIR pages, as the paper has it. What S
remembers of pages not in memory has no limit here, as in the paper.
"""

from __future__ import annotations

import numpy as np

from ..jit import inline, kernel, warmer
from .replacement_kernels import (
    CAPACITY,
    COUNT1,
    HELD,
    NOBODY,
    add,
    done,
    empty_state,
    i64,
    remove,
    tail,
    tell,
    u8,
    u32,
    u64,
)

RESIDENT, LIR, IN_S = u8(1), u8(2), u8(4)
HIR_SHARE = 100  # one frame in so many


@inline
def _prune(links, marks, head):  # type: ignore[no-untyped-def]
    """Take HIR pages from the end of S until a LIR page is there, or nothing."""
    page = tail(links, head)
    while page != head and not marks[page] & LIR:
        marks[page] &= ~IN_S
        remove(links, page)
        page = tail(links, head)


@inline
def _promote(links, slots, marks, head, page):  # type: ignore[no-untyped-def]
    """A page becomes LIR at the front of S; the oldest LIR page becomes HIR, at the end of Q."""
    remove(links, page)
    add(links, head, page)
    marks[page] = RESIDENT | LIR | IN_S
    oldest = tail(links, head)
    remove(links, oldest)
    marks[oldest] = RESIDENT
    add(slots, head, oldest)
    _prune(links, marks, head)


@kernel
def lirs(trace, ahead, links, slots, marks, keys, numbers, reals, events):  # type: ignore[no-untyped-def]
    """Why: 1 the page was still remembered in S and came back as LIR, 0 not. Detail: LIR pages afterwards."""
    capacity, held, misses, lir_pages = numbers[CAPACITY], numbers[HELD], 0, numbers[COUNT1]
    most_lir = capacity - max(1, capacity // HIR_SHARE)
    head = u64(marks.size)
    for i in range(trace.size):
        page = u64(trace[i])
        mark = marks[page]
        if mark & LIR:
            was_last = tail(links, head) == page
            remove(links, page)
            add(links, head, page)
            if was_last:
                _prune(links, marks, head)
            continue
        if mark & RESIDENT:
            remove(slots, page)
            if mark & IN_S:
                _promote(links, slots, marks, head, page)
            else:
                add(slots, head, page)
                add(links, head, page)
                marks[page] = RESIDENT | IN_S
                _prune(links, marks, head)
            continue
        victim, why = i64(NOBODY), 0
        if held == capacity:
            gone = tail(slots, head)
            remove(slots, gone)
            marks[gone] &= ~RESIDENT
            victim = i64(gone)
        else:
            held += 1
        mark = marks[page]
        if lir_pages < most_lir:
            lir_pages += 1
            if mark & IN_S:
                remove(links, page)
            add(links, head, page)
            marks[page] = RESIDENT | LIR | IN_S
        elif mark & IN_S:
            why = 1
            _promote(links, slots, marks, head, page)
        else:
            add(links, head, page)
            add(slots, head, page)
            marks[page] = RESIDENT | IN_S
            _prune(links, marks, head)
        tell(events, misses, i, victim, why, lir_pages)
        misses += 1
    numbers[COUNT1] = lir_pages
    done(numbers, held, misses, trace.size)


@warmer
def _warm() -> None:
    """Compile it."""
    trace, ahead, links, _, *rest = empty_state()
    slots = np.repeat(np.arange(2, dtype=u32), 2)
    lirs(trace, ahead, links, slots, *rest)
