"""The compiled half of requests: one at a time with a trace of its steps, or whole traces of them in one loop.

Linux 6.1, mm/page_alloc.c: rmqueue, rmqueue_buddy, free_the_page.
"""

from __future__ import annotations

import numpy as np

from ..jit import inline, kernel, warmer
from ..unlikely import unlikely
from .buddy_kernels import (
    FIRST_USED,
    FOUR,
    HIGHATOMIC,
    MOVABLE,
    NONE,
    ONE,
    ORDER,
    USED,
    USED_MOVABLE,
    Z,
    block_type,
    free_one,
    smallest,
)
from .fallback_kernels import (
    ALLOC_CMA,
    ALLOC_HIGHATOMIC,
    ALLOC_RESERVE,
    reserve_highatomic,
    rmqueue,
    unreserve_highatomic,
)
from .pcp_kernels import allowed, drain, pcp_alloc, pcp_free

u64 = np.uint64
ALLOC, FREE = u64(0), u64(1)  # operations of a trace
SLOT_IN_USE, SLOT_EMPTY = -2, -3  # refusals in its results; -1, which is NONE, for no block


@inline
def take(area, x, order, mt):  # type: ignore[no-untyped-def]
    """Mark a block as somebody's; pages of movable requests are taken to be on an LRU list."""
    area.state[x] = ((USED_MOVABLE if mt == MOVABLE else USED) << FOUR) | order


@inline
def alloc_block(area, cpu, order, mt, flags, trace):  # type: ignore[no-untyped-def]
    """rmqueue: from a CPU's list if `cpu` is one and the request may use it, else from the free lists."""
    x = NONE
    if cpu is not None:
        may = area.has_cma == Z or mt != MOVABLE or (flags & ALLOC_CMA) != Z
        if may and allowed(area, order):
            x = pcp_alloc(area, cpu, order, mt, flags, trace)
        if unlikely(x == NONE):
            x = _rmqueue_buddy(area, order, mt, flags, trace)
    elif flags & (ALLOC_HIGHATOMIC | ALLOC_RESERVE):
        x = _rmqueue_buddy(area, order, mt, flags, trace)
    else:
        x = rmqueue(area, order, mt, flags, trace)
    if x != NONE:
        take(area, x, order, mt)
    return x


@kernel
def _rmqueue_buddy(area, order, mt, flags, trace):  # type: ignore[no-untyped-def]
    """rmqueue_buddy: the highatomic reserve first for those it is for, last for those that cannot wait."""
    x = NONE
    if flags & ALLOC_HIGHATOMIC:
        x = smallest(area, order, HIGHATOMIC, trace)
    if x == NONE:
        x = rmqueue(area, order, mt, flags, trace)
    if x == NONE and flags & ALLOC_RESERVE:
        x = smallest(area, order, HIGHATOMIC, trace)
    return x


@inline
def free_block(area, cpu, x, order, trace):  # type: ignore[no-untyped-def]
    """free_the_page: to a CPU's list if `cpu` is one and the order is right, else to the free lists."""
    mt = block_type(area, x)
    if cpu is None:
        free_one(area, x, order, mt, False, trace)
    elif unlikely(not allowed(area, order)):
        _free_large(area, x, order, mt, trace)
    else:
        pcp_free(area, cpu, x, order, mt, trace)


@kernel
def _free_large(area, x, order, mt, trace):  # type: ignore[no-untyped-def]
    """free_one, apart: what is seldom needed should not stand in the way of the per-CPU lists' short path."""
    free_one(area, x, order, mt, False, trace)


@kernel
def step_alloc(area, cpu, order, mt, flags, trace):  # type: ignore[no-untyped-def]
    """One request; the frame it got, or NONE."""
    trace[0, 0] = 0
    return alloc_block(area, cpu, order, mt, flags, trace)


@kernel
def step_free(area, cpu, x, order, trace):  # type: ignore[no-untyped-def]
    """One block given back, if it is in use and of this order; whether it was."""
    trace[0, 0] = 0
    state = u64(area.state[x])
    if state < FIRST_USED or (state & ORDER) != order:
        return False
    free_block(area, cpu, x, order, trace)
    return True


@kernel
def run(area, cpu, ops, orders, types, slots, held, out):  # type: ignore[no-untyped-def]
    """A trace: ALLOC puts a block into `held[slot]` (its frame + 1), FREE gives it back; `out` tells what came."""
    refused = 0
    for i in range(ops.size):
        slot = u64(slots[i])
        x = u64(held[slot]) - ONE
        if ops[i] == ALLOC:
            if unlikely(x != NONE):
                out[i] = SLOT_IN_USE
                refused += 1
                continue
            order, mt = u64(orders[i]), u64(types[i])
            x = alloc_block(area, cpu, order, mt, ALLOC_CMA if mt == MOVABLE else Z, None)
            held[slot] = x + ONE
            refused += x == NONE
        elif unlikely(x == NONE):
            out[i] = SLOT_EMPTY
            refused += 1
            continue
        else:
            held[slot] = Z
            free_block(area, cpu, x, u64(area.state[x]) & ORDER, None)
        out[i] = x  # NONE is -1
    return refused


@warmer
def _warm() -> None:
    """Compile the single steps and the loops."""
    from .free_lists import small_area

    area, trace = small_area(), np.zeros((4, 4), np.int64)
    small, slots, out = np.zeros(0, np.uint8), np.zeros(0, np.uint32), np.zeros(0, np.int64)
    for cpu in (None, Z):
        x = step_alloc(area, cpu, Z, MOVABLE, Z, trace)
        step_free(area, cpu, x, Z, trace)
        run(area, cpu, small, small, small, slots, np.zeros(1, np.uint64), out)
    drain(area, Z, Z, Z, trace)
    reserve_highatomic(area, Z, trace)
    unreserve_highatomic(area, MOVABLE, True, trace)
