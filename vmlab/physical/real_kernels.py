"""The compiled half of following a real page allocator: blocks put back or taken where the real one did.

Linux 6.1, mm/page_alloc.c: __free_one_page, expand.
"""

from __future__ import annotations

import numpy as np

from ..jit import kernel, warmer
from .buddy_kernels import FIRST_FREE, FIRST_USED, FOUR, NONE, ONE, ORDER, USED, Z, add, free_one, is_free, remove

u64 = np.uint64


@kernel
def give_back(area, x, order, mt, tail):  # type: ignore[no-untyped-def]
    """__free_one_page with the migratetype that the real kernel said, whatever was known of the block."""
    free_one(area, x, order, mt, tail, None)


@kernel
def mark_used(area, x, order):  # type: ignore[no-untyped-def]
    """Take a block for somebody's (boot's, or a part of one that was split), so that it can be freed.

    Refuses one that is free already: lists with a block twice have no end.
    """
    current = order
    while current < area.max_order:
        state = u64(area.state[x & ~((ONE << current) - ONE)])
        if FIRST_FREE <= state < FIRST_USED and (state & ORDER) == current:
            return False
        current += ONE
    area.state[x] = (USED << FOUR) | order
    return True


@kernel
def take_at(area, x, order):  # type: ignore[no-untyped-def]
    """Take just this block out of the free one that holds it, and split that as expand does; whether it was free."""
    current = order
    while current < area.max_order:
        first = x & ~((ONE << current) - ONE)
        state = u64(area.state[first])
        if is_free(state) and (state & ORDER) == current:
            mt = (state >> FOUR) - ONE
            remove(area, first)
            while current > order:
                current -= ONE
                half = ONE << current
                if x & half:
                    add(area, first, current, mt, False, None)
                    first += half
                else:
                    add(area, first + half, current, mt, False, None)
            area.zone[Z] -= ONE << order
            return True
        current += ONE
    return False


@warmer
def _warm() -> None:
    """Compile all three."""
    from .buddy_kernels import MOVABLE
    from .free_lists import small_area

    area = small_area()
    if take_at(area, Z, Z):
        give_back(area, Z, Z, MOVABLE, False)
    mark_used(area, Z, Z)
    assert NONE > area.rows
