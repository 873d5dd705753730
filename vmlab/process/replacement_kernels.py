"""Compiled replacement policies, the rings: FIFO, CLOCK, random. What all policies' kernels share is written here.

Each kernel runs one policy over a batch of references and leaves its state in plain arrays, so that the next batch goes
on where this one ended. Pages are numbers from 0 to M - 1; C is the capacity in frames:

    trace     uint32, n        the pages referenced, in order
    ahead     uint32, n        when each is referenced again, NEVER: not at all (read by OPT alone; else empty)
    links     uint32, 2(M+8)   next and previous page of each page, side by side; from M on the heads of lists, which
                               are linked to themselves when a list is empty
    slots     uint32, 2C + 2   frames: a ring or a heap of pages
    marks     uint8, M         what is known of a page; 0: nothing, it is not in memory
    keys      uint64, M        a page's key in a heap, or its shadow; keys[0] is the random state for random
    numbers   int64, 16        CAPACITY, HELD (frames in use), MISSES, SEEN (references so far), then a policy's own
    reals     float64, 1       ARC's target
    events    int64, n x 4     the ledger, or 0 rows: for the k-th miss of this batch the place in the trace, who had to
                               go (-1: nobody), WHY (a policy's own code) and a detail (a policy's own number)

A page that is loaded has just been referenced, so CLOCK's R bit is set when it comes (as hardware sets the accessed
bit).
"""

from __future__ import annotations

import numpy as np

from ..jit import inline, kernel, warmer

u8, u32, u64, i64 = np.uint8, np.uint32, np.uint64, np.int64

CAPACITY, HELD, MISSES, SEEN, HAND, COUNT1, COUNT2, COUNT3, COUNT4, OWN1, OWN2, OWN3, OWN4 = range(13)
NUMBERS, HEADS = 16, 8
WHERE, VICTIM, WHY, DETAIL = range(4)
NOBODY = -1
NEVER = u32(0xFFFF_FFFF)
Z, ONE, TWO = u64(0), u64(1), u64(2)
ABSENT, PLAIN, REFERENCED = u8(0), u8(1), u8(2)


@inline
def tell(events, row, where, victim, why, detail):  # type: ignore[no-untyped-def]
    """Write one miss into the ledger, if there is one."""
    if events.shape[0]:
        events[row, WHERE] = where
        events[row, VICTIM] = victim
        events[row, WHY] = why
        events[row, DETAIL] = detail


@inline
def done(numbers, held, misses, references):  # type: ignore[no-untyped-def]
    """Put back what every policy counts."""
    numbers[HELD] = held
    numbers[MISSES] += misses
    numbers[SEEN] += references


@inline
def remove(links, page):  # type: ignore[no-untyped-def]
    """list_del: the neighbours of `page` (uint64) become each other's."""
    after, before = links[TWO * page], links[TWO * page + ONE]
    links[TWO * u64(before)] = after
    links[TWO * u64(after) + ONE] = before


@inline
def add(links, head, page):  # type: ignore[no-untyped-def]
    """list_add: `page` comes right behind the head; both uint64."""
    first = links[TWO * head]
    links[TWO * page] = first
    links[TWO * page + ONE] = u32(head)
    links[TWO * u64(first) + ONE] = u32(page)
    links[TWO * head] = u32(page)


@inline
def tail(links, head):  # type: ignore[no-untyped-def]
    """The last page of a list, or the head itself if it is empty."""
    return u64(links[TWO * head + ONE])


@kernel
def fifo(trace, ahead, links, slots, marks, keys, numbers, reals, events):  # type: ignore[no-untyped-def]
    """A ring of frames; the hand is at the page that came first."""
    capacity, held, hand, misses = u64(numbers[CAPACITY]), u64(numbers[HELD]), u64(numbers[HAND]), 0
    for i in range(trace.size):
        page = u64(trace[i])
        if marks[page] == ABSENT:
            victim = i64(NOBODY)
            if held == capacity:
                victim = i64(slots[hand])
                marks[u64(victim)] = ABSENT
            else:
                held += ONE
            tell(events, misses, i, victim, 0, 0)
            misses += 1
            slots[hand] = u32(page)
            marks[page] = PLAIN
            hand += ONE
            if hand == capacity:
                hand = Z
    numbers[HAND] = hand
    done(numbers, held, misses, trace.size)


@kernel
def clock(trace, ahead, links, slots, marks, keys, numbers, reals, events):  # type: ignore[no-untyped-def]
    """A ring of frames with an R bit each; the hand clears bits until it finds one clear. Detail: bits cleared."""
    capacity, held, hand, misses = u64(numbers[CAPACITY]), u64(numbers[HELD]), u64(numbers[HAND]), 0
    for i in range(trace.size):
        page = u64(trace[i])
        if marks[page] == ABSENT:
            victim, cleared = i64(NOBODY), 0
            if held == capacity:
                while marks[slots[hand]] == REFERENCED:
                    marks[slots[hand]] = PLAIN
                    cleared += 1
                    hand += ONE
                    if hand == capacity:
                        hand = Z
                victim = i64(slots[hand])
                marks[u64(victim)] = ABSENT
            else:
                held += ONE
            tell(events, misses, i, victim, 0, cleared)
            misses += 1
            slots[hand] = u32(page)
            hand += ONE
            if hand == capacity:
                hand = Z
        marks[page] = REFERENCED
    numbers[HAND] = hand
    done(numbers, held, misses, trace.size)


@kernel
def random(trace, ahead, links, slots, marks, keys, numbers, reals, events):  # type: ignore[no-untyped-def]
    """A frame by lot (xorshift64*, Vigna 2016, from the same seed each time)."""
    capacity, held, misses = u64(numbers[CAPACITY]), u64(numbers[HELD]), 0
    state = u64(numbers[OWN1])
    for i in range(trace.size):
        page = u64(trace[i])
        if marks[page] == ABSENT:
            victim, slot = i64(NOBODY), held
            if held == capacity:
                state ^= state >> u64(12)
                state ^= state << u64(25)
                state ^= state >> u64(27)
                slot = ((state * u64(0x2545F4914F6CDD1D)) >> u64(32)) % capacity
                victim = i64(slots[slot])
                marks[u64(victim)] = ABSENT
            else:
                held += ONE
            tell(events, misses, i, victim, 0, i64(slot))
            misses += 1
            slots[slot] = u32(page)
            marks[page] = PLAIN
    numbers[OWN1] = i64(state)
    done(numbers, held, misses, trace.size)


def empty_state() -> tuple[np.ndarray, ...]:
    """Arrays of every kernel's types for a memory of one page and one frame, without references: for warming up."""
    numbers = np.zeros(NUMBERS, i64)
    numbers[CAPACITY] = 1
    links = np.repeat(np.arange(1 + HEADS, dtype=u32), 2)
    trace, ledger = np.zeros(0, u32), np.zeros((0, 4), i64)
    arrays = (links, np.zeros(4, u32), np.zeros(1, u8), np.zeros(1, u64), numbers, np.zeros(1), ledger)
    return (trace, trace, *arrays)


@warmer
def _warm() -> None:
    """Compile each policy."""
    for policy in (fifo, clock, random):
        policy(*empty_state())
