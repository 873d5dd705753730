"""Linux's reclaim as compiled replacement policies: the two lists, and the generations of MGLRU (Linux 6.1).

Both over the arrays of `replacement_kernels`, for mapped anonymous pages: a reference sets the accessed bit of the
page's entry and nothing else, and the kernel sees it when it looks (folio_referenced). One page is freed when all
frames are in use. `process/reclaim.py` has the two lists page by page, with kswapd, both kinds of pages, and what is
left out.

    linux   mm/vmscan.c: shrink_lruvec, shrink_inactive_list, folio_check_references, shrink_active_list,
            inactive_is_low; mm/workingset.c: workingset_eviction, workingset_refault
    mglru   mm/vmscan.c: should_run_aging, try_to_inc_max_seq, try_to_inc_min_seq, sort_folio, evict_folios. Left out:
            tiers (pages used through read()), the bloom filters and the look around that save walking page tables
"""

from __future__ import annotations

from ..jit import inline, kernel, warmer
from .replacement_kernels import (
    CAPACITY,
    COUNT1,
    COUNT2,
    HEADS,
    HELD,
    NOBODY,
    OWN1,
    OWN2,
    OWN3,
    TWO,
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

INACTIVE, ACTIVE = COUNT1, COUNT2  # in `numbers`, and in `marks`; list M is the inactive one, M + 1 the active one
AGE, ACTIVATED, SNAPSHOT = OWN1, OWN2, OWN3  # nonresident_age; WORKINGSET_ACTIVATE now, and at the last reclaim
ON_INACTIVE, ON_ACTIVE, YOUNG, PG_REFERENCED, SHADOW = u8(1), u8(2), u8(4), u8(8), u8(16)
RESIDENT = ON_INACTIVE | ON_ACTIVE
DEF_PRIORITY = 12
SWAP_CLUSTER_MAX = 32

MIN_NR_GENS, MAX_NR_GENS = 2, 4
MAX_SEQ, MIN_SEQ = OWN1, OWN2
IS_HERE, IS_YOUNG = u8(1), u8(2)  # the mark's generation is in bits 2 and 3


@inline
def _inactive_is_low(numbers):  # type: ignore[no-untyped-def]
    """inactive * ratio < active, where ratio is 1 below a gigabyte, else the root of ten times the gigabytes."""
    gigabytes = (numbers[INACTIVE] + numbers[ACTIVE]) >> 18
    ratio = 1
    while gigabytes and (ratio + 1) * (ratio + 1) <= 10 * gigabytes:
        ratio += 1
    return numbers[INACTIVE] * ratio < numbers[ACTIVE]


@inline
def _shrink_active(links, marks, numbers, nr_to_scan):  # type: ignore[no-untyped-def]
    """The oldest active pages become the newest inactive ones; what their accessed bits say is forgotten."""
    pages = u64(marks.size)
    for _ in range(min(nr_to_scan, numbers[ACTIVE])):
        page = tail(links, pages + u64(1))
        remove(links, page)
        add(links, pages, page)
        marks[page] = ON_INACTIVE | (marks[page] & PG_REFERENCED)
        numbers[ACTIVE] -= 1
        numbers[INACTIVE] += 1


@inline
def _reclaim(links, marks, keys, numbers):  # type: ignore[no-untyped-def]
    """Free one page, as kswapd would; returns it, and how many pages were kept or activated on the way."""
    pages, kept, priority = u64(marks.size), 0, DEF_PRIORITY
    while True:
        may_deactivate = numbers[ACTIVATED] != numbers[SNAPSHOT] or _inactive_is_low(numbers)
        inactive, active = numbers[INACTIVE] >> priority, numbers[ACTIVE] >> priority
        victim = i64(NOBODY)
        while inactive and victim == NOBODY:
            batch = min(inactive, SWAP_CLUSTER_MAX)
            inactive -= batch
            while batch and victim == NOBODY:
                batch -= 1
                page = tail(links, pages)
                mark = marks[page]
                remove(links, page)
                if not mark & YOUNG:
                    numbers[INACTIVE] -= 1
                    keys[page] = u64(numbers[AGE])
                    numbers[AGE] += 1
                    marks[page] = SHADOW
                    victim = i64(page)
                elif mark & PG_REFERENCED:
                    kept += 1
                    add(links, pages + u64(1), page)
                    marks[page] = ON_ACTIVE | PG_REFERENCED
                    numbers[INACTIVE] -= 1
                    numbers[ACTIVE] += 1
                    numbers[AGE] += 1
                else:
                    kept += 1
                    add(links, pages, page)
                    marks[page] = ON_INACTIVE | PG_REFERENCED
            if may_deactivate:
                _shrink_active(links, marks, numbers, min(active, SWAP_CLUSTER_MAX))
            active -= min(active, SWAP_CLUSTER_MAX)
        if _inactive_is_low(numbers):
            _shrink_active(links, marks, numbers, SWAP_CLUSTER_MAX)
        if victim != NOBODY:
            numbers[SNAPSHOT] = numbers[ACTIVATED]
            return victim, kept
        priority = max(priority - 1, 0)


@kernel
def linux(trace, ahead, links, slots, marks, keys, numbers, reals, events):  # type: ignore[no-untyped-def]
    """Why: 1 the page came back so soon that it is active at once, 0 not. Detail: pages kept before the victim."""
    capacity, misses, pages = numbers[CAPACITY], 0, u64(marks.size)
    for i in range(trace.size):
        page = u64(trace[i])
        if marks[page] & RESIDENT:
            marks[page] |= YOUNG
            continue
        victim, kept = i64(NOBODY), 0
        if numbers[INACTIVE] + numbers[ACTIVE] == capacity:
            victim, kept = _reclaim(links, marks, keys, numbers)
        soon = marks[page] & SHADOW and numbers[AGE] - i64(keys[page]) <= numbers[ACTIVE]
        if soon:
            add(links, pages + u64(1), page)
            marks[page] = ON_ACTIVE | YOUNG
            numbers[ACTIVE] += 1
            numbers[AGE] += 1
            numbers[ACTIVATED] += 1
        else:
            add(links, pages, page)
            marks[page] = ON_INACTIVE | YOUNG
            numbers[INACTIVE] += 1
        tell(events, misses, i, victim, i64(soon), kept)
        misses += 1
    done(numbers, numbers[INACTIVE] + numbers[ACTIVE], misses, trace.size)


@inline
def _gen_of(mark):  # type: ignore[no-untyped-def]
    """The generation's number modulo MAX_NR_GENS."""
    return i64(mark >> u8(2))


@inline
def _move(marks, numbers, page, gen):  # type: ignore[no-untyped-def]
    """Count a page, that is not young any more, to another generation; its place in the lists stays."""
    numbers[COUNT1 + _gen_of(marks[page])] -= 1
    numbers[COUNT1 + gen] += 1
    marks[page] = IS_HERE | u8(gen << 2)


@inline
def _should_run_aging(numbers):  # type: ignore[no-untyped-def]
    """Whether there are too few generations, or too uneven ones."""
    high, low = numbers[MAX_SEQ], numbers[MIN_SEQ]
    if low + MIN_NR_GENS > high:
        return True
    if low + MIN_NR_GENS < high:
        return False
    total = 0
    for seq in range(low, high + 1):
        total += numbers[COUNT1 + seq % MAX_NR_GENS]
    young = numbers[COUNT1 + high % MAX_NR_GENS]
    old = numbers[COUNT1 + (high - MIN_NR_GENS) % MAX_NR_GENS]
    return young * MIN_NR_GENS > total or old * (MIN_NR_GENS + 2) < total


@inline
def _age(links, marks, numbers):  # type: ignore[no-untyped-def]
    """try_to_inc_max_seq: what was used since the last walk joins the youngest generation, and a new one begins."""
    pages, youngest = u64(marks.size), numbers[MAX_SEQ] % MAX_NR_GENS
    for gen in range(MAX_NR_GENS):
        page = u64(links[TWO * (pages + u64(gen))])
        while page < pages:
            if marks[page] & IS_YOUNG:
                _move(marks, numbers, page, youngest)
            page = u64(links[TWO * page])
    numbers[MAX_SEQ] += 1


@kernel
def mglru(trace, ahead, links, slots, marks, keys, numbers, reals, events):  # type: ignore[no-untyped-def]
    """Why: 1 a new generation was begun for this miss. Detail: pages that were looked at and kept."""
    capacity, held, misses, pages = numbers[CAPACITY], numbers[HELD], 0, u64(marks.size)
    if numbers[MAX_SEQ] == 0:
        numbers[MAX_SEQ] = MIN_NR_GENS + 1  # lru_gen_init_lruvec
    for i in range(trace.size):
        page = u64(trace[i])
        if marks[page] & IS_HERE:
            marks[page] |= IS_YOUNG
            continue
        victim, aged, kept = i64(NOBODY), 0, 0
        while held == capacity:
            if _should_run_aging(numbers):
                _age(links, marks, numbers)
                aged = 1
            oldest = numbers[MIN_SEQ] % MAX_NR_GENS
            old = tail(links, pages + u64(oldest))
            while old >= pages and numbers[MIN_SEQ] + MIN_NR_GENS <= numbers[MAX_SEQ]:
                numbers[MIN_SEQ] += 1
                oldest = numbers[MIN_SEQ] % MAX_NR_GENS
                old = tail(links, pages + u64(oldest))
            if old >= pages:
                continue
            remove(links, old)
            mark = marks[old]
            if _gen_of(mark) != oldest:  # promoted by a walk: sort_folio
                add(links, pages + u64(_gen_of(mark)), old)
                kept += 1
            elif mark & IS_YOUNG:  # used since the last walk: evict_folios gives it back as active
                youngest = numbers[MAX_SEQ] % MAX_NR_GENS
                _move(marks, numbers, old, youngest)
                add(links, pages + u64(youngest), old)
                kept += 1
            else:
                numbers[COUNT1 + oldest] -= 1
                marks[old] = u8(0)
                victim = i64(old)
                held -= 1
        gen = numbers[MAX_SEQ] % MAX_NR_GENS
        add(links, pages + u64(gen), page)
        marks[page] = IS_HERE | IS_YOUNG | u8(gen << 2)
        numbers[COUNT1 + gen] += 1
        held += 1
        tell(events, misses, i, victim, aged, kept)
        misses += 1
    done(numbers, held, misses, trace.size)


@warmer
def _warm() -> None:
    """Compile both."""
    for policy in (linux, mglru):
        policy(*empty_state())


assert MAX_NR_GENS <= HEADS
