"""Compiled replacement policies, one list: LRU and SIEVE. The arrays are those of `replacement_kernels`.

LRU keeps the ends of its list in registers and asks for the links of pages to come (prefetch), which is what makes it
as fast as it is on large memories. SIEVE: Y. Zhang et al., "SIEVE is simpler than LRU", NSDI 2024, algorithm 1.
"""

from __future__ import annotations

from ..jit import kernel, warmer
from ..prefetch import prefetch
from .replacement_kernels import (
    ABSENT,
    CAPACITY,
    HAND,
    HELD,
    NOBODY,
    ONE,
    OWN1,
    OWN2,
    PLAIN,
    REFERENCED,
    TWO,
    add,
    done,
    empty_state,
    i64,
    remove,
    tell,
    u32,
    u64,
)

PREFETCH = 16  # references


@kernel
def lru(trace, ahead, links, slots, marks, keys, numbers, reals, events):  # type: ignore[no-untyped-def]
    """A list, newest first; OWN1 and OWN2 are its first and last page plus 1 (0: it is empty)."""
    capacity, held, misses = u64(numbers[CAPACITY]), u64(numbers[HELD]), 0
    end = u64(marks.size)
    first = end if numbers[OWN1] == 0 else u64(numbers[OWN1] - 1)
    last = end if numbers[OWN2] == 0 else u64(numbers[OWN2] - 1)
    far = trace.size - PREFETCH
    for i in range(trace.size):
        if i < far:
            prefetch(links, TWO * u64(trace[i + PREFETCH]))
        page = u64(trace[i])
        if page == first:
            continue
        if marks[page] != ABSENT:
            after, before = u64(links[TWO * page]), u64(links[TWO * page + ONE])
            links[TWO * before] = u32(after)
            if after != end:
                links[TWO * after + ONE] = u32(before)
            else:
                last = before
        else:
            victim = i64(NOBODY)
            if held == capacity:
                victim = i64(last)
                marks[last] = ABSENT
                last = u64(links[TWO * last + ONE])
                if last != end:
                    links[TWO * last] = u32(end)
                else:
                    first = end
            else:
                held += ONE
            tell(events, misses, i, victim, 0, 0)
            misses += 1
            marks[page] = PLAIN
        links[TWO * page] = u32(first)
        links[TWO * page + ONE] = u32(end)
        if first != end:
            links[TWO * first + ONE] = u32(page)
        else:
            last = page
        first = page
    numbers[OWN1] = 0 if first == end else i64(first) + 1
    numbers[OWN2] = 0 if last == end else i64(last) + 1
    done(numbers, held, misses, trace.size)


@kernel
def sieve(trace, ahead, links, slots, marks, keys, numbers, reals, events):  # type: ignore[no-untyped-def]
    """A list, newest first, that hits leave alone; the hand goes from old to new. HAND: its page plus 1."""
    capacity, held, misses = u64(numbers[CAPACITY]), u64(numbers[HELD]), 0
    head = u64(marks.size)
    hand = head if numbers[HAND] == 0 else u64(numbers[HAND] - 1)
    for i in range(trace.size):
        page = u64(trace[i])
        if marks[page] != ABSENT:
            marks[page] = REFERENCED
            continue
        victim, cleared = i64(NOBODY), 0
        if held == capacity:
            if hand == head:
                hand = u64(links[TWO * head + ONE])
            while marks[hand] == REFERENCED:
                marks[hand] = PLAIN
                cleared += 1
                hand = u64(links[TWO * hand + ONE])
                if hand == head:
                    hand = u64(links[TWO * head + ONE])
            victim = i64(hand)
            hand = u64(links[TWO * hand + ONE])
            remove(links, u64(victim))
            marks[u64(victim)] = ABSENT
        else:
            held += ONE
        tell(events, misses, i, victim, 0, cleared)
        misses += 1
        marks[page] = PLAIN
        add(links, head, page)
    numbers[HAND] = 0 if hand == head else i64(hand) + 1
    done(numbers, held, misses, trace.size)


@warmer
def _warm() -> None:
    """Compile each policy."""
    for policy in (lru, sieve):
        policy(*empty_state())
