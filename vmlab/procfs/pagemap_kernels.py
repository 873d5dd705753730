"""Decoding pagemap entries: frames, bits and counts in one pass over memory.

The loop has no branches: present entries keep their frame by a mask, and the counts are sums of bits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..jit import kernel, warmer

ZERO, ONE = np.uint64(0), np.uint64(1)
NUMBER, NUMBER_BITS = np.uint64((1 << 55) - 1), np.uint64(55)
PRESENT, SWAPPED, FILE, EXCLUSIVE, SOFT_DIRTY = (np.uint64(bit) for bit in (63, 62, 61, 56, 55))


@kernel
def decode(
    words: npt.NDArray[np.uint64],
    pfn: npt.NDArray[np.uint64],
    flags: npt.NDArray[np.uint16],
    counts: npt.NDArray[np.int64],
) -> None:
    """Fill `pfn` and `flags` (bits 63..55), and count bits; `words` has one entry a page."""
    present = swapped = file = exclusive = dirty = ZERO
    for n in range(words.shape[0]):
        word = words[n]
        here = word >> PRESENT
        pfn[n] = word & NUMBER & (ZERO - here)
        flags[n] = np.uint16(word >> NUMBER_BITS)
        present += here
        swapped += word >> SWAPPED & ONE
        file += word >> FILE & ONE
        exclusive += word >> EXCLUSIVE & ONE
        dirty += word >> SOFT_DIRTY & ONE
    counts[0], counts[1], counts[2], counts[3], counts[4] = present, swapped, file, exclusive, dirty


@warmer
def _warm() -> None:
    """Compile for the types that readers use."""
    decode(np.zeros(2, np.uint64), np.zeros(2, np.uint64), np.zeros(2, np.uint16), np.zeros(5, np.int64))
