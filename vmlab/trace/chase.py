"""How long one read takes on this machine, when each read says where the next one is: what a walk costs for real.

The same number of cache lines is read in a random circle, once packed together and once spread over pages, one
line a page. Caches see the same in both; what differs is how many translations are needed.

Left out: everything else that runs meanwhile (the best of a few rounds is taken), and that two reads may overlap
in programs whose next address is known before.
"""

from __future__ import annotations

import mmap
import time
from typing import TYPE_CHECKING

import numpy as np

from ..jit import kernel, warmer
from ..units import KiB, MiB, align_up

if TYPE_CHECKING:
    from collections.abc import Sequence

LINE, PAGE = 64, 4 * KiB
ROUNDS, READS = 3, 1 << 17
HUGE = 2 * MiB


def packed(lines: int) -> np.ndarray:
    """Where so many lines are if they follow each other: offsets in bytes."""
    return np.arange(lines, dtype=np.uint64) * np.uint64(LINE)


def spread(lines: int) -> np.ndarray:
    """One line a page, each at another place in its page, so that the caches' sets are all used."""
    number = np.arange(lines, dtype=np.uint64)
    return number * np.uint64(PAGE) + number % np.uint64(PAGE // LINE) * np.uint64(LINE)


def buffer(pages: int, advice: str = "") -> np.ndarray:
    """So many pages of fresh memory as 64-bit words; `advice` names a constant of mmap, where there is such a one."""
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    memory = mmap.mmap(-1, align_up(pages * PAGE, HUGE) + HUGE, **private)  # shared memory has other large pages
    number = getattr(mmap, advice, None) if advice else None
    if number is not None:
        memory.madvise(number)
    words = np.frombuffer(memory, np.uint64)
    words[:: PAGE // 8] = 0  # every page is present before the clock runs
    first = -words.ctypes.data % HUGE // 8
    return words[first : first + pages * PAGE // 8]


def nanoseconds(words: np.ndarray, places: np.ndarray) -> float:
    """Time of one read along a random circle through these offsets; the best of a few rounds."""
    order = np.random.default_rng(1).permutation(len(places))
    circle = places[order] // np.uint64(8)
    words[circle] = np.roll(circle, -1)
    best = float("inf")
    chase(words, circle[0], np.int64(len(places)))
    for _ in range(ROUNDS):
        begin = time.perf_counter_ns()
        chase(words, circle[0], np.int64(READS))
        best = min(best, (time.perf_counter_ns() - begin) / READS)
    return best


def measure(counts: Sequence[int]) -> dict[str, list[float]]:
    """Nanoseconds a read for each number of lines: packed, spread over small pages, and over large ones if possible."""
    most = max(counts)
    small = buffer(most, "MADV_NOHUGEPAGE")
    found = {
        "packed": [nanoseconds(small, packed(count)) for count in counts],
        "spread": [nanoseconds(small, spread(count)) for count in counts],
    }
    if hasattr(mmap, "MADV_HUGEPAGE"):
        large = buffer(most, "MADV_HUGEPAGE")
        found["large pages"] = [nanoseconds(large, spread(count)) for count in counts]
    return found


# ---


@kernel
def chase(words: np.ndarray, start: np.uint64, reads: np.int64) -> np.uint64:
    """Follow the circle for so many reads; the result keeps the compiler from leaving them out."""
    at = start
    for _ in range(reads):
        at = words[at]
    return at


@warmer
def _warm() -> None:
    chase(np.zeros(8, np.uint64), np.uint64(0), np.int64(8))
