"""The compiled replacement policy S3-FIFO: three queues that nothing ever moves within.

J. Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023, algorithm 1: a small queue (a tenth of the
frames, at least one), the main queue (the rest), and a ghost queue of as many pages as the main queue. A page of the
small queue that was used again more than once goes on to the main queue, with its count cleared; one of the main queue
that was used since it came there goes round again. "M is full" is read as: longer than its share.

Over the arrays of `replacement_kernels`: the queues are lists, newest first. A mark is the page's queue (bits 2 and 3)
and how often it was used again, up to 3 (bits 0 and 1).
"""

from __future__ import annotations

from ..jit import inline, kernel, warmer
from .replacement_kernels import (
    CAPACITY,
    COUNT1,
    NOBODY,
    add,
    done,
    empty_state,
    i64,
    remove,
    tail,
    tell,
    u8,
    u64,
)

SMALL, MAIN, GHOST = u64(0), u64(1), u64(2)
WHERE_MASK, USED_MASK = u8(12), u8(3)
IN_SMALL, IN_MAIN, IN_GHOST = u8(4), u8(8), u8(12)
SMALL_SHARE = 10  # one frame in so many


@inline
def _evict_main(links, marks, numbers, pages):  # type: ignore[no-untyped-def]
    """The oldest page of the main queue goes; those that were used since go round, with one use less."""
    head = pages + MAIN
    while True:
        page = tail(links, head)
        remove(links, page)
        if not marks[page] & USED_MASK:
            numbers[COUNT1 + 1] -= 1
            marks[page] = u8(0)
            return page
        marks[page] -= u8(1)
        add(links, head, page)


@kernel
def s3fifo(trace, ahead, links, slots, marks, keys, numbers, reals, events):  # type: ignore[no-untyped-def]
    """Why: 1 the page was a ghost. Detail: the queue that the victim was in, 0 small or 1 main."""
    capacity, misses, pages = numbers[CAPACITY], 0, u64(marks.size)
    most_small = max(1, capacity // SMALL_SHARE)
    most_main = capacity - most_small
    for i in range(trace.size):
        page = u64(trace[i])
        mark = marks[page]
        if mark & WHERE_MASK and mark < IN_GHOST:
            if mark & USED_MASK != USED_MASK:
                marks[page] = mark + u8(1)
            continue
        victim, source = i64(NOBODY), 0
        while numbers[COUNT1] + numbers[COUNT1 + 1] >= capacity:
            if numbers[COUNT1] < most_small:
                victim, source = i64(_evict_main(links, marks, numbers, pages)), 1
                continue
            while numbers[COUNT1] > 0:
                old = tail(links, pages + SMALL)
                remove(links, old)
                numbers[COUNT1] -= 1
                if marks[old] & USED_MASK > u8(1):
                    marks[old] = IN_MAIN
                    add(links, pages + MAIN, old)
                    numbers[COUNT1 + 1] += 1
                    if numbers[COUNT1 + 1] > most_main:
                        victim, source = i64(_evict_main(links, marks, numbers, pages)), 1
                    continue
                victim, source = i64(old), 0
                marks[old] = u8(0)
                if most_main > 0:
                    marks[old] = IN_GHOST
                    add(links, pages + GHOST, old)
                    numbers[COUNT1 + 2] += 1
                    if numbers[COUNT1 + 2] > most_main:
                        forgotten = tail(links, pages + GHOST)
                        remove(links, forgotten)
                        marks[forgotten] = u8(0)
                        numbers[COUNT1 + 2] -= 1
                break
        tell(events, misses, i, victim, i64(mark == IN_GHOST), source)
        misses += 1
        if marks[page] == IN_GHOST:  # it may have been forgotten just now
            remove(links, page)
            numbers[COUNT1 + 2] -= 1
        which = MAIN if mark == IN_GHOST else SMALL
        marks[page] = IN_MAIN if mark == IN_GHOST else IN_SMALL
        add(links, pages + which, page)
        numbers[COUNT1 + i64(which)] += 1
    done(numbers, numbers[COUNT1] + numbers[COUNT1 + 1], misses, trace.size)


@warmer
def _warm() -> None:
    """Compile it."""
    s3fifo(*empty_state())
