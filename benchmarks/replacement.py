"""Replacement policies against the same in C, compiled on the spot: a Zipf trace, and a real program.

Both sides clear their state within the time that counts. The curve's reference is a Fenwick tree over all references,
the usual way; ours has places for the pages alone, so it stays in the caches when a program has few.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from vmlab.bench import Case, build
from vmlab.process.replacement import Dense, dense, misses
from vmlab.process.sweep import curve
from vmlab.trace import LOAD, STORE, load_trace

SOURCE = Path(__file__).with_suffix(".c")
PAGES, FRAMES = 1 << 20, 104_857
GOALS = {"fifo": 1.08, "clock": 1.08, "sieve": 1.08, "arc": 1.08, "lru": 1.12}
CURVE_GOAL = 1.10


REFERENCES = 10_000_000


@functools.cache
def zipf(shrink: int = 1) -> Dense:
    """Ten million references with Zipf's frequencies, ranks shuffled (seed 42)."""
    rng = np.random.default_rng(42)
    pages = PAGES // shrink
    cdf = np.cumsum(1 / np.arange(1, pages + 1))
    permuted = rng.permutation(pages)
    return Dense(permuted[np.searchsorted(cdf / cdf[-1], rng.random(REFERENCES // shrink))].astype(np.uint32), pages)


@functools.cache
def program(name: str) -> Dense:
    """The loads and stores of a recorded program."""
    return dense(load_trace(name).only(LOAD, STORE))


def cases(shrink: int = 1) -> Iterator[Case]:
    """Every policy on the Zipf trace, and LRU, ARC and the curve on a program of few pages too."""
    library = build(SOURCE)
    for name, goal in GOALS.items():
        trace, frames = zipf(shrink), FRAMES // shrink
        what = f"{name}, zipf, {PAGES:,} pages, {FRAMES:,} frames"
        yield Case(what, len(trace.trace), ours(name, trace, frames), reference(library, name, trace, frames), goal)
    trace = zipf(shrink)
    yield Case("lru curve, all sizes, zipf", len(trace.trace), *curves(library, trace), CURVE_GOAL)
    few = program("sqlite")
    for name in ("clock", "lru", "arc"):
        both = ours(name, few, 100), reference(library, name, few, 100)
        yield Case(f"{name}, sqlite, {few.pages} pages, 100 frames", len(few.trace), *both, GOALS[name])
    yield Case("lru curve, all sizes, sqlite", len(few.trace), *curves(library, few), CURVE_GOAL)


def ours(name: str, trace: Dense, frames: int) -> Callable[[], int]:
    """Our policy, through the function that a notebook calls."""
    return lambda: misses(name, frames, trace)


def reference(library: ctypes.CDLL, name: str, trace: Dense, frames: int) -> Callable[[], int]:
    """The same in C."""
    function = getattr(library, {"clock": "clock_"}.get(name, name))
    function.restype = ctypes.c_int64
    heads = 8

    def run() -> int:
        links = np.repeat(np.arange(trace.pages + heads, dtype=np.uint32), 2)
        slots, marks = np.zeros(frames + 1, np.uint32), np.zeros(trace.pages, np.uint8)
        size = (ctypes.c_size_t(len(trace.trace)), ctypes.c_uint32(trace.pages), ctypes.c_uint32(frames))
        return int(function(_at(trace.trace), *size, _at(links), _at(slots), _at(marks)))

    return run


def curves(library: ctypes.CDLL, trace: Dense) -> tuple[Callable[[], bytes], Callable[[], bytes]]:
    """Misses at every size, ours and C's, as bytes, which compare."""

    def run() -> bytes:
        tree, last = np.zeros(len(trace.trace) + 1, np.uint32), np.zeros(trace.pages, np.int64)
        histogram = np.zeros(trace.pages + 1, np.int64)
        size = ctypes.c_size_t(len(trace.trace)), ctypes.c_uint32(trace.pages)
        library.lru_curve(_at(trace.trace), *size, _at(tree), _at(last), _at(histogram))
        hits = np.concatenate(([0], np.cumsum(histogram[1:])))
        return (len(trace.trace) - hits).tobytes()

    return (lambda: curve("lru", trace).misses.tobytes()), run


def _at(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
