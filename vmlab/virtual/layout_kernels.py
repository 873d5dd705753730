"""The compiled half of classifying many addresses: one search a number, no branch that an address decides."""

from __future__ import annotations

import numpy as np

from ..jit import kernel, warmer

u64 = np.uint64
Z, ONE = u64(0), u64(1)
NO_PA = u64((1 << 64) - 1)  # where no rule gives a physical address


@kernel
def classify(starts, rows, offsets, vas, areas, logical, pas):  # type: ignore[no-untyped-def]
    """Fill `areas`, `logical` and `pas` for every address of `vas`.

    `starts` are 2**n stretches, ascending, the last repeated; `rows` holds of each the area's number << 2, bit 1 for
    logical and bit 0 for "a rule gives the frame"; `offsets` is va - pa.
    """
    half = u64(len(starts)) >> ONE
    for i in range(len(vas)):
        va, at, step = vas[i], Z, half
        while step != Z:
            at += step if starts[at + step] <= va else Z
            step >>= ONE
        row = rows[at]
        areas[i] = row >> u64(2)
        logical[i] = row >> ONE & ONE
        pas[i] = va - offsets[at] if row & ONE else NO_PA


@warmer
def _warm() -> None:
    """Compile it, with nothing to classify."""
    one, none = np.zeros(1, u64), np.zeros(0, u64)
    classify(one, np.zeros(1, np.uint32), one, none, np.zeros(0, np.uint16), np.zeros(0, np.uint8), none)
