"""The compiled half of classifying many addresses: a binary search for each.

A block of addresses goes through the search together, step by step. Taken one by one, the compiler makes a branch of
each comparison, and addresses in random order are what a branch predictor cannot follow.
"""

from __future__ import annotations

import numpy as np

from ..jit import kernel, warmer

u64 = np.uint64
Z, ONE = u64(0), u64(1)
BLOCK = u64(512)  # addresses of which every one takes a step before any takes the next
NO_PA = u64((1 << 64) - 1)  # where no rule gives a physical address


@kernel
def classify(starts, rows, offsets, vas, areas, logical, pas):  # type: ignore[no-untyped-def]
    """Fill `areas`, `logical` and `pas` for every address of `vas`.

    `starts` are 2**n stretches, ascending, the last repeated; `rows` holds of each the area's number << 2, bit 1 for
    logical and bit 0 for "a rule gives the frame"; `offsets` is va - pa.
    """
    half, count = u64(len(starts)) >> ONE, u64(len(vas))
    low = Z
    while low < count:
        high = min(low + BLOCK, count)
        for i in range(low, high):  # pas holds where the search of each address stands
            pas[i] = half if starts[half] <= vas[i] else Z
        step = half >> ONE
        while step != Z:
            for i in range(low, high):
                at = pas[i] + step
                pas[i] = at if starts[at] <= vas[i] else at - step
            step >>= ONE
        for i in range(low, high):
            at = pas[i]
            row = rows[at]
            areas[i] = row >> u64(2)
            logical[i] = row >> ONE & ONE
            pas[i] = vas[i] - offsets[at] if row & ONE else NO_PA
        low = high


@warmer
def _warm() -> None:
    """Compile it, with nothing to classify."""
    one, none = np.zeros(1, u64), np.zeros(0, u64)
    classify(one, np.zeros(1, np.uint32), one, none, np.zeros(0, np.uint16), np.zeros(0, np.uint8), none)
