"""TLB lookups against the same TLB in C, compiled on the spot, and against pycachesim: equal misses.

pycachesim simulates caches of data, a call a reference: a TLB is one whose lines are pages. It knows no address
spaces, so its row has a single process. Its package has no wheel and is built with the C compiler.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from vmlab.bench import Case, Missing, build, lacks
from vmlab.units import PAGE_SHIFT, PAGE_SIZE
from vmlab.virtual.tlb import ASIDS, Tlb
from vmlab.virtual.tlb_rows import Structure

SOURCE = Path(__file__).with_suffix(".c")
REFERENCES, PAGES = 4_000_000, 1 << 17
FEW = 200_000  # for pycachesim
PEER_GOAL = 1 / 50  # it loops in Python
SHAPES = (
    ("one level, 16 sets of 4", [(16, 4)], 1.10),
    ("one level, 128 sets of 12", [(128, 12)], 1.10),
    ("two levels, 16 x 4 and 128 x 12", [(16, 4), (128, 12)], 0.95),
)


def zipf(pages: int, count: int, exponent: float, seed: int) -> np.ndarray:
    """Page numbers with Zipf's frequencies, their ranks shuffled."""
    rng = np.random.default_rng(seed)
    cdf = np.cumsum(1 / np.arange(1, pages + 1) ** exponent)
    shuffled = rng.permutation(pages)
    return shuffled[np.searchsorted(cdf / cdf[-1], rng.random(count))].astype(np.uint64)


def cases(shrink: int = 1) -> Iterator[Case | Missing]:
    """One level of 64 and of 1536 entries, and both as two levels: 4 million references of 8 processes in turns."""
    library = build(SOURCE)
    vpns = zipf(PAGES, REFERENCES // shrink, 1.2, 5)
    asids = (np.arange(len(vpns)) // 20_000 % 8).astype(np.uint16)
    for name, shape, goal in SHAPES:
        sides = ours(shape, vpns, asids), reference(library, shape, vpns, asids)
        yield Case(f"TLB, {name}", len(vpns), *sides, goal)
    few = vpns[: FEW // shrink]
    name = "TLB, one level, 16 sets of 4, one process"
    if reason := lacks("cachesim", "pycachesim"):
        yield Missing(name, reason)
        return
    sides = ours([(16, 4)], few, np.zeros(len(few), np.uint16)), pycachesim(16, 4, few)
    yield Case(name, len(few), *sides, PEER_GOAL, against="pycachesim's load() in a loop")


def ours(shape: Sequence[tuple[int, int]], vpns: np.ndarray, asids: np.ndarray) -> Callable[[], list[int]]:
    """Our TLB, through the method that a notebook calls."""
    tlb = Tlb([Structure(f"L{n}", n, sets * ways, ways) for n, (sets, ways) in enumerate(shape, 1)])

    def run() -> list[int]:
        tlb.flush_all()
        total = tlb.run(vpns, asids).total
        return [total.accesses - sum(total.hits[: level + 1]) for level in range(len(total.hits))]

    return run


def reference(
    library: ctypes.CDLL, shape: Sequence[tuple[int, int]], vpns: np.ndarray, asids: np.ndarray
) -> Callable[[], list[int]]:
    """The same in C, on the same arrays."""
    tags = np.zeros(sum(sets * ways for sets, ways in shape), np.uint64)
    refs, misses = np.zeros(ASIDS, np.uint64), np.zeros((len(shape), ASIDS), np.uint64)

    def run() -> list[int]:
        for state in (tags, refs, misses):
            state.fill(0)
        trace = (_at(vpns), _at(asids), ctypes.c_size_t(len(vpns)), _at(refs), _at(misses))
        if len(shape) == 2:
            library.tlb_two(_at(tags), *trace)
        else:
            library.tlb_one(_at(tags), *map(ctypes.c_size_t, shape[0]), *trace)
        return [int(count) for count in misses.sum(axis=1)]

    return run


def pycachesim(sets: int, ways: int, vpns: np.ndarray) -> Callable[[], list[int]]:
    """The same misses from pycachesim: a cache whose line is a page."""
    import cachesim

    addresses = (vpns << np.uint64(PAGE_SHIFT)).tolist()

    def run() -> list[int]:
        memory = cachesim.MainMemory()
        level = cachesim.Cache("TLB", sets, ways, PAGE_SIZE, "LRU")
        memory.load_to(level)
        memory.store_from(level)
        whole = cachesim.CacheSimulator(level, memory)
        for address in addresses:
            whole.load(address)
        return [level.stats()["MISS_count"]]

    return run


def _at(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
