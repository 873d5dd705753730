"""Replacement policies beside libCacheSim, its Python package: equal misses on the same Zipf trace.

Its `process_trace` loops in C++ over a file of references (24 bytes each, oracleGeneral); the table of each cache is
made as small as its frames need (hashpower), and reading the file is in its time, as handing over an array is in
ours. libCacheSim alone, without its package's reader, is C source that no index offers. It caches objects of any
size and number; ours are pages numbered from 0 on, and the row with 64-bit numbers has the numbering in our time.
The curve's reference is one run of one size.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vmlab.bench import Case, Missing, lacks, load
from vmlab.process.replacement import Dense, dense, misses
from vmlab.process.sweep import curve

AGAINST = "libcachesim"
REFERENCES = 4_000_000
NAMES = {"fifo": "FIFO", "clock": "Clock", "sieve": "Sieve", "lru": "LRU", "arc": "ARC"}
GOALS = {"fifo": 1 / 8, "clock": 1 / 8, "sieve": 1 / 8, "lru": 1 / 8, "arc": 1 / 5}
SPARSE_GOAL, CURVE_GOAL = 1 / 2.5, 2.0
ROW = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])  # oracleGeneral
OPTIONS = {"clock": {"init_freq": 1}}  # loading a page is a use of it, as the processor sets the bit


def cases(shrink: int = 1) -> Iterator[Case | Missing]:
    """Every policy that both have, then 64-bit page numbers, then all sizes at once."""
    suite = load("replacement")
    whole, frames = suite.zipf(shrink), suite.FRAMES // shrink
    trace = Dense(whole.trace[: REFERENCES // shrink], whole.pages)
    count = len(trace.trace)
    if reason := lacks("libcachesim", "libcachesim"):
        yield from (Missing(f"{name}, zipf", reason) for name in (*GOALS, "lru of 64-bit numbers", "lru curve"))
        return
    for name, goal in GOALS.items():
        sides = functools.partial(misses, name, frames, trace), peer(name, frames, trace.trace)
        yield Case(f"{name}, zipf", count, *sides, goal, AGAINST)
    sparse = np.random.default_rng(9).integers(1, 1 << 62, trace.pages)[trace.trace]
    sides = (lambda: misses("lru", frames, dense(sparse))), peer("lru", frames, sparse)
    yield Case("lru, zipf, 64-bit numbers", count, *sides, SPARSE_GOAL, AGAINST)
    sides = (lambda: curve("lru", trace).at(frames)), peer("lru", frames, trace.trace)
    yield Case("lru curve, all sizes, zipf", count, *sides, CURVE_GOAL, f"{AGAINST}, one size")


@functools.cache
def folder() -> Any:
    """Where the traces lie as files, until the suite is done."""
    return tempfile.TemporaryDirectory()


def peer(name: str, frames: int, pages: np.ndarray) -> Callable[[], int]:
    """The misses of libCacheSim's policy of the same name, from an empty cache."""
    import libcachesim

    rows = np.zeros(len(pages), ROW)
    rows["id"], rows["size"], rows["next"] = pages, 1, -2
    rows["id"] += 1  # 0 is none
    path = Path(folder().name) / f"{int(pages[0]):x}-{len(pages)}.oracleGeneral.bin"
    rows.tofile(path)
    kind = libcachesim.TraceType.ORACLE_GENERAL_TRACE
    power = max(8, frames.bit_length() + 1)
    make = getattr(libcachesim, NAMES[name])

    def run() -> int:
        reader = libcachesim.TraceReader(str(path), kind, libcachesim.ReaderInitParam(ignore_obj_size=True))
        ratio, _ = make(frames, hashpower=power, **OPTIONS.get(name, {})).process_trace(reader)
        return round(ratio * len(pages))

    return run
