"""The walk compiled for batches: one kernel a format, its rows held as constants.

Two forms with the same answers. `scalar` walks one address after the other: best while the tables fit the
processor's caches. `grouped` takes 64 addresses one level at a time and asks for each entry before it is
needed: about twice as fast once most entries come from DRAM. It assumes pages of the last level, and leaves
every address for which that is wrong to the scalar walk.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..arch.format import Format
from ..arch.formats import page_format
from ..jit import inline, kernel, warmer
from ..prefetch import prefetch
from .walk import (
    DENSE,
    ENTRY_SHIFT,
    FRAME_SHIFT,
    HERE,
    INDEX,
    INSIDE,
    LEAF,
    LEAF_OFFSET,
    LEAF_PA,
    LEAF_RIGHTS,
    LEAF_VALUE,
    NON_CANONICAL,
    OFFSET_MASK,
    SAY_NO_FETCH,
    SAY_NO_USER,
    SAY_NO_WRITE,
    SHIFT,
    TABLE,
    TABLE_KEEP,
    TABLE_PA,
    TABLE_RIGHTS,
    TABLE_VALUE,
    WIDE,
    chain,
    pack,
)

GROUP = 64
SAMPLES, NEAR_BYTES = 64, 1 << 16  # how a batch is judged to be in order
WARM_FORMATS = ("x86-32", "x86-64-4", "arm-short")
WRONG_SIGN = np.uint64(NON_CANONICAL)
UNKNOWN = np.uint64((1 << 32) - 1)  # no status: this address is for the scalar walk
ZERO, ONE, SIGN_BIT = np.uint64(0), np.uint64(1), np.uint64(63)

descend = chain(inline)


@inline
def _canonical(va: Any, unused: Any, signed: Any) -> Any:
    """Whether the `unused` highest bits of an address are what they must be."""
    if signed:
        return np.uint64((np.int64(va) << np.int64(unused)) >> np.int64(unused)) == va
    return (va << unused) >> unused == va


@inline
def _root(va: Any, low: Any, high: Any, two_roots: Any) -> Any:
    """Where the walk of `va` begins."""
    return high if two_roots and va >> SIGN_BIT != ZERO else low


def in_order(vas: np.ndarray) -> bool:
    """Whether addresses mostly follow one another, so that the entries come from few cache lines; looks at 64."""
    first = vas[:: max(1, len(vas) // SAMPLES)][:SAMPLES]
    second = vas[1 :: max(1, len(vas) // SAMPLES)][: len(first)]
    first = first[: len(second)]
    near = np.maximum(first, second) - np.minimum(first, second) < np.uint64(NEAR_BYTES)
    return len(near) > 0 and bool(near.mean() > 0.5)


@functools.cache
def scalar(fmt: Format, dense: bool = False) -> Callable[..., None]:
    """Kernel: translate `vas` one by one into `pas` and `status`."""
    rows = np.array(pack(fmt, dense), np.uint64)
    unused, signed, two_roots = np.uint64(64 - fmt.va_bits), fmt.signed, fmt.two_roots

    @kernel
    def translate(
        words: Any, slots: Any, limit: Any, origin: Any, low: Any, high: Any, vas: Any, pas: Any, status: Any
    ) -> None:
        for i in range(vas.size):
            va = vas[i]
            if _canonical(va, unused, signed):
                root = _root(va, low, high, two_roots)
                pas[i], status[i] = descend(rows, words, slots, limit, origin, root, va, ZERO, None)
            else:
                pas[i], status[i] = ZERO, WRONG_SIGN

    return translate


@functools.cache
def grouped(fmt: Format, dense: bool = False) -> Callable[..., None]:
    """The same for tables beyond the caches; `places` and `denied` are room for GROUP numbers each."""
    rows = np.array(pack(fmt, dense), np.uint64)
    unused, signed, two_roots = np.uint64(64 - fmt.va_bits), fmt.signed, fmt.two_roots
    last = len(fmt.levels) - 1

    @kernel
    def translate(
        words: Any, slots: Any, limit: Any, origin: Any, low: Any, high: Any, vas: Any, pas: Any, status: Any,
        places: Any, denied: Any,
    ) -> None:  # fmt: skip
        for start in range(0, vas.size, GROUP):
            count = min(GROUP, vas.size - start)
            for i in range(count):
                va = vas[start + i]
                good = _canonical(va, unused, signed)
                place = _place(rows[0], slots, limit, origin, _root(va, low, high, two_roots), va, good)
                prefetch(words, place)
                places[i], denied[i] = place, ZERO
            for depth in range(last):
                row = rows[depth]
                below = rows[depth + 1]
                for i in range(count):
                    entry = words[places[i]] | ZERO
                    table = entry & row[TABLE_PA]
                    table |= ((entry >> row[TABLE_PA + 1]) & row[TABLE_PA + 2]) << row[TABLE_PA + 3]
                    good = entry & row[TABLE] == row[TABLE_VALUE]
                    place = _place(below, slots, limit, origin, table, vas[start + i], good)
                    prefetch(words, place)
                    places[i] = place
                    denied[i] |= (entry ^ row[TABLE_RIGHTS]) & row[TABLE_KEEP]
            row = rows[last]
            redo = False
            for i in range(count):
                entry = words[places[i]] | ZERO
                pa = (entry & row[LEAF_PA]) | (vas[start + i] & row[LEAF_OFFSET])
                pa |= ((entry >> row[LEAF_PA + 1]) & row[LEAF_PA + 2]) << row[LEAF_PA + 3]
                held = entry ^ row[LEAF_RIGHTS]
                forbids = denied[i]
                rights = ((held & row[LEAF_RIGHTS + 1]) | (forbids & row[TABLE_RIGHTS + 1]) != ZERO) * row[SAY_NO_WRITE]
                rights |= ((held & row[LEAF_RIGHTS + 2]) | (forbids & row[TABLE_RIGHTS + 2]) != ZERO) * row[SAY_NO_USER]
                rights |= ((held & row[LEAF_RIGHTS + 3]) | (forbids & row[TABLE_RIGHTS + 3]) != ZERO) * row[
                    SAY_NO_FETCH
                ]
                pas[start + i] = pa
                good = entry & row[LEAF] == row[LEAF_VALUE]
                redo |= not good
                status[start + i] = row[HERE] | rights if good else UNKNOWN
            if redo:
                for i in range(start, start + count):
                    if status[i] == UNKNOWN:
                        va = vas[i]
                        if _canonical(va, unused, signed):
                            root = _root(va, low, high, two_roots)
                            pas[i], status[i] = descend(rows, words, slots, limit, origin, root, va, ZERO, None)
                        else:
                            pas[i], status[i] = ZERO, WRONG_SIGN

    return translate


@inline
def _place(row: Any, slots: Any, limit: Any, origin: Any, table: Any, va: Any, good: Any) -> Any:
    """Where in `words` the entry for `va` stands: word 0, in the page of zeros, if there is none."""
    index = (va >> row[SHIFT]) & row[INDEX]
    if row[DENSE] != ZERO:
        place = (table >> row[ENTRY_SHIFT]) + index - origin
        return place if good and place < limit else ZERO
    frame, inside = table >> row[FRAME_SHIFT], ((table & row[INSIDE]) >> row[ENTRY_SHIFT]) + index
    if row[WIDE] != ZERO:
        entry_pa = table + (index << row[ENTRY_SHIFT])
        frame, inside = entry_pa >> row[FRAME_SHIFT], (entry_pa & row[OFFSET_MASK]) >> row[ENTRY_SHIFT]
    good = good and frame < limit
    found = slots[frame if good else ZERO]
    return found + inside if good else ZERO


@warmer
def _warm() -> None:
    """Compile the batch walk of the formats that lessons begin with."""
    slots, one = np.zeros(1, np.uint32), np.zeros(1, np.uint64)
    for name in WARM_FORMATS:
        fmt = page_format(name)
        words = np.zeros(1024, f"u{fmt.entry_bytes}")
        for dense in (False, True):
            scalar(fmt, dense)(words, slots, ONE, ZERO, ZERO, ZERO, one, one.copy(), np.zeros(1, np.uint32))
