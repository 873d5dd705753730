"""Compiled policies that remember pages they gave up: ARC and 2Q. The arrays are those of `replacement_kernels`.

Four lists, newest first; a page's mark is the number of its list plus 1. The last two hold *ghosts*: pages that are
remembered and no longer in memory.

    ARC   T1 seen once · T2 seen again · B1 and B2 their ghosts     reals[0]: the target p of T1's size
    2Q    A1in seen once · Am seen again after A1in · A1out ghosts of A1in

ARC: N. Megiddo and D. Modha, FAST 2003, figure 4, with a real-valued target as there; "|T1| = p" compares with p
rounded down. 2Q: T. Johnson and D. Shasha, VLDB 1994, the full version, Kin = C/4 and Kout = C/2.
"""

from __future__ import annotations

from ..jit import inline, kernel, warmer
from .replacement_kernels import (
    CAPACITY,
    COUNT1,
    HELD,
    NOBODY,
    ONE,
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

FIRST_COUNT = u64(COUNT1)
T1, T2, B1, B2 = u64(0), u64(1), u64(2), u64(3)
A1IN, AM, A1OUT = T1, T2, B1
IN_T1, IN_T2, IN_B1, IN_B2 = u8(1), u8(2), u8(3), u8(4)


@inline
def _leave(links, marks, numbers, page):  # type: ignore[no-untyped-def]
    """Take a page from its list."""
    remove(links, page)
    numbers[FIRST_COUNT + u64(marks[page]) - ONE] -= 1
    marks[page] = u8(0)


@inline
def _enter(links, marks, numbers, page, which):  # type: ignore[no-untyped-def]
    """Put a page at the front of list `which`."""
    add(links, u64(marks.size) + which, page)
    numbers[FIRST_COUNT + which] += 1
    marks[page] = u8(which) + u8(1)


@inline
def _demote(links, marks, numbers, source, target):  # type: ignore[no-untyped-def]
    """The oldest page of one list becomes the newest of another; returns it."""
    page = tail(links, u64(marks.size) + source)
    _leave(links, marks, numbers, page)
    _enter(links, marks, numbers, page, target)
    return page


@inline
def _forget(links, marks, numbers, source):  # type: ignore[no-untyped-def]
    """The oldest page of a list goes without a trace; returns it."""
    page = tail(links, u64(marks.size) + source)
    _leave(links, marks, numbers, page)
    return page


@inline
def _replace(links, marks, numbers, target, in_b2):  # type: ignore[no-untyped-def]
    """ARC's REPLACE: T1's oldest page becomes a ghost if T1 is larger than its target, else T2's."""
    size = numbers[COUNT1]
    if size > 0 and (size > target or (in_b2 and size == i64(target))):
        return _demote(links, marks, numbers, T1, B1)
    return _demote(links, marks, numbers, T2, B2)


@kernel
def arc(trace, ahead, links, slots, marks, keys, numbers, reals, events):  # type: ignore[no-untyped-def]
    """Why: 1 the page was a ghost of B1, 2 of B2, 0 of neither. Detail: the target p afterwards, in thousandths."""
    capacity, target, misses = numbers[CAPACITY], reals[0], 0
    for i in range(trace.size):
        page = u64(trace[i])
        mark = marks[page]
        if mark == IN_T2:
            remove(links, page)
            add(links, u64(marks.size) + T2, page)
            continue
        if mark == IN_T1:
            _leave(links, marks, numbers, page)
            _enter(links, marks, numbers, page, T2)
            continue
        victim, why = i64(NOBODY), 0
        t1, t2, b1, b2 = numbers[COUNT1], numbers[COUNT1 + 1], numbers[COUNT1 + 2], numbers[COUNT1 + 3]
        if mark == IN_B1:
            target = min(float(capacity), target + (b2 / b1 if b2 > b1 else 1.0))
            victim, why = i64(_replace(links, marks, numbers, target, False)), 1
            _leave(links, marks, numbers, page)
            _enter(links, marks, numbers, page, T2)
        elif mark == IN_B2:
            target = max(0.0, target - (b1 / b2 if b1 > b2 else 1.0))
            victim, why = i64(_replace(links, marks, numbers, target, True)), 2
            _leave(links, marks, numbers, page)
            _enter(links, marks, numbers, page, T2)
        else:
            if t1 + b1 == capacity:
                if t1 < capacity:
                    _forget(links, marks, numbers, B1)
                    victim = i64(_replace(links, marks, numbers, target, False))
                else:
                    victim = i64(_forget(links, marks, numbers, T1))
            elif t1 + t2 + b1 + b2 >= capacity:
                if t1 + t2 + b1 + b2 == 2 * capacity:
                    _forget(links, marks, numbers, B2)
                victim = i64(_replace(links, marks, numbers, target, False))
            _enter(links, marks, numbers, page, T1)
        tell(events, misses, i, victim, why, i64(target * 1000.0))
        misses += 1
    reals[0] = target
    done(numbers, numbers[COUNT1] + numbers[COUNT1 + 1], misses, trace.size)


@kernel
def two_queues(trace, ahead, links, slots, marks, keys, numbers, reals, events):  # type: ignore[no-untyped-def]
    """Why: 1 the page was a ghost of A1out. Detail: the list that the victim was in, 0 A1in or 1 Am."""
    capacity, held, misses = numbers[CAPACITY], numbers[HELD], 0
    most_in, most_out = max(1, capacity // 4), max(1, capacity // 2)
    for i in range(trace.size):
        page = u64(trace[i])
        mark = marks[page]
        if mark == IN_T1:
            continue
        if mark == IN_T2:
            remove(links, page)
            add(links, u64(marks.size) + AM, page)
            continue
        victim, source = i64(NOBODY), 0
        if held == capacity:
            if numbers[COUNT1] > most_in or numbers[COUNT1 + 1] == 0:
                victim = i64(_demote(links, marks, numbers, A1IN, A1OUT))
                if numbers[COUNT1 + 2] > most_out:
                    _forget(links, marks, numbers, A1OUT)
            else:
                victim, source = i64(_forget(links, marks, numbers, AM)), 1
        else:
            held += 1
        tell(events, misses, i, victim, i64(mark == IN_B1), source)
        misses += 1
        if marks[page] == IN_B1:  # it may have been pushed out of A1out just now
            _leave(links, marks, numbers, page)
        _enter(links, marks, numbers, page, AM if mark == IN_B1 else A1IN)
    done(numbers, held, misses, trace.size)


@warmer
def _warm() -> None:
    """Compile each policy."""
    for policy in (arc, two_queues):
        policy(*empty_state())
