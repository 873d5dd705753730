"""Compiled policies that need the least of a number: LFU and OPT. The arrays are those of `replacement_kernels`.

`slots` is a binary heap of pages, the one to give up first at place 0; `links[2 * page]` is a page's place in it, and
`keys[page]` what it is ordered by. Ties go to the page that was loaded first:

    LFU   references since it was loaded << 32 | number of its load
    OPT   (NEVER - next use) << 32 | number of its load        so that the farthest next use is the least key

OPT is L. A. Belady's MIN (IBM Systems Journal 5(2), 1966). A count of LFU is forgotten when its page goes.
"""

from __future__ import annotations

import numpy as np

from ..jit import inline, kernel, warmer
from .replacement_kernels import (
    ABSENT,
    CAPACITY,
    HELD,
    MISSES,
    NEVER,
    NOBODY,
    ONE,
    PLAIN,
    TWO,
    Z,
    done,
    empty_state,
    i64,
    tell,
    u32,
    u64,
)

HIGH = u64(32)
ONE_USE = u64(1 << 32)
LOW = u64(0xFFFF_FFFF)


@inline
def _up(slots, links, keys, page, at):  # type: ignore[no-untyped-def]
    """Move a page from place `at` towards the top as far as its key allows."""
    key = keys[page]
    while at > Z:
        parent = (at - ONE) >> ONE
        other = u64(slots[parent])
        if keys[other] < key:
            break
        slots[at] = u32(other)
        links[TWO * other] = u32(at)
        at = parent
    slots[at] = u32(page)
    links[TWO * page] = u32(at)


@inline
def _down(slots, links, keys, page, at, held):  # type: ignore[no-untyped-def]
    """Move a page from place `at` away from the top as far as its key demands."""
    key = keys[page]
    while True:
        child = (at << ONE) + ONE
        if child >= held:
            break
        other = u64(slots[child])
        if child + ONE < held and keys[u64(slots[child + ONE])] < keys[other]:
            child += ONE
            other = u64(slots[child])
        if key < keys[other]:
            break
        slots[at] = u32(other)
        links[TWO * other] = u32(at)
        at = child
    slots[at] = u32(page)
    links[TWO * page] = u32(at)


@kernel
def lfu(trace, ahead, links, slots, marks, keys, numbers, reals, events):  # type: ignore[no-untyped-def]
    """The page with the fewest references since it was loaded goes. Detail: how many it had."""
    capacity, held, misses, loads = u64(numbers[CAPACITY]), u64(numbers[HELD]), 0, u64(numbers[MISSES])
    for i in range(trace.size):
        page = u64(trace[i])
        if marks[page] != ABSENT:
            keys[page] += ONE_USE
            _down(slots, links, keys, page, u64(links[TWO * page]), held)
            continue
        victim, uses = i64(NOBODY), i64(0)
        keys[page] = ONE_USE | ((loads + u64(misses)) & LOW)
        marks[page] = PLAIN
        if held == capacity:
            victim = i64(slots[0])
            uses = i64(keys[u64(victim)] >> HIGH)
            marks[u64(victim)] = ABSENT
            _down(slots, links, keys, page, Z, held)
        else:
            held += ONE
            _up(slots, links, keys, page, held - ONE)
        tell(events, misses, i, victim, 0, uses)
        misses += 1
    done(numbers, held, misses, trace.size)


@kernel
def opt(trace, ahead, links, slots, marks, keys, numbers, reals, events):  # type: ignore[no-untyped-def]
    """The page that is needed latest goes. Detail: when it is needed again, -1: never."""
    capacity, held, misses, loads = u64(numbers[CAPACITY]), u64(numbers[HELD]), 0, u64(numbers[MISSES])
    for i in range(trace.size):
        page = u64(trace[i])
        order = u64(NEVER - ahead[i]) << HIGH
        if marks[page] != ABSENT:
            keys[page] = order | (keys[page] & LOW)
            _up(slots, links, keys, page, u64(links[TWO * page]))
            continue
        victim, needed = i64(NOBODY), i64(-1)
        keys[page] = order | ((loads + u64(misses)) & LOW)
        marks[page] = PLAIN
        if held == capacity:
            victim = i64(slots[0])
            late = keys[u64(victim)] >> HIGH
            if late != Z:
                needed = i64(u64(NEVER) - late)
            marks[u64(victim)] = ABSENT
            _down(slots, links, keys, page, Z, held)
        else:
            held += ONE
            _up(slots, links, keys, page, held - ONE)
        tell(events, misses, i, victim, 0, needed)
        misses += 1
    done(numbers, held, misses, trace.size)


@kernel
def next_uses(trace, soonest, ahead):  # type: ignore[no-untyped-def]
    """Fill `ahead` from the end; `soonest` (uint32, one a page) holds NEVER everywhere beforehand."""
    for back in range(trace.size):
        i = u64(trace.size - 1 - back)
        page = u64(trace[i])
        ahead[i] = soonest[page]
        soonest[page] = u32(i)


@warmer
def _warm() -> None:
    """Compile each policy."""
    for policy in (lfu, opt):
        policy(*empty_state())
    one = np.zeros(1, u32)
    next_uses(one, one, one)
