"""TLB lookups against the same TLB in C, compiled on the spot: `python benchmarks/tlb.py`.

`cases()` is all that a common runner needs: each case is a pair of functions that do the same work and return the
same misses. Alone, this file lets them take turns and prints the median of the ratios of thread CPU time.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vmlab.virtual.tlb import ASIDS, Tlb
from vmlab.virtual.tlb_rows import Structure

SOURCE = Path(__file__).with_suffix(".c")
COMPILER = ("gcc", "-O3", "-march=native", "-shared", "-fPIC")


class Case(NamedTuple):
    """One comparison: both return their misses, level by level; `goal` is ours / C, at most."""

    name: str
    operations: int
    ours: Callable[[], list[int]]
    reference: Callable[[], list[int]]
    goal: float
    misses: list[int]


def zipf(pages: int, count: int, exponent: float, seed: int) -> np.ndarray:
    """Page numbers with Zipf's frequencies, their ranks shuffled."""
    rng = np.random.default_rng(seed)
    cdf = np.cumsum(1 / np.arange(1, pages + 1) ** exponent)
    shuffled = rng.permutation(pages)
    return shuffled[np.searchsorted(cdf / cdf[-1], rng.random(count))].astype(np.uint64)


def build() -> ctypes.CDLL:
    """Compile the reference; the library stays loaded after its file is gone."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "tlb.so"
        subprocess.run([*COMPILER, "-o", str(library), str(SOURCE)], check=True)
        return ctypes.CDLL(str(library))


def cases() -> list[Case]:
    """One level of 64 and of 1536 entries, and both as two levels: 4 million references of 8 processes in turns."""
    library = build()
    vpns = zipf(1 << 17, 4_000_000, 1.2, 5)
    asids = (np.arange(len(vpns)) // 20_000 % 8).astype(np.uint16)
    shapes = (
        ("one level, 16 sets of 4", [(16, 4)], 1.10, [1_853_254]),
        ("one level, 128 sets of 12", [(128, 12)], 1.10, [813_573]),
        ("two levels, 16 x 4 and 128 x 12", [(16, 4), (128, 12)], 0.95, [1_853_254, 813_841]),
    )
    return [
        Case(f"TLB, {name}", len(vpns), ours(shape, vpns, asids), reference(library, shape, vpns, asids), goal, misses)
        for name, shape, goal, misses in shapes
    ]


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


def _at(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def compare(case: Case, rounds: int) -> tuple[float, float]:
    """(ratio ours / C, our nanoseconds an operation): medians of rounds in which each goes first in turn."""
    for each in (case.ours, case.reference):  # the first call compiles; and both must be right
        if (found := each()) != case.misses:
            raise SystemExit(f"{case.name}: expected {case.misses} misses, got {found}")
    ratios, times = [], []
    for turn in range(rounds):
        spent = {}
        for each in (case.ours, case.reference)[:: 1 if turn % 2 else -1]:
            start = time.thread_time()
            each()
            spent[each] = time.thread_time() - start
        ratios.append(spent[case.ours] / spent[case.reference])
        times.append(spent[case.ours] / case.operations * 1e9)
    return statistics.median(ratios), statistics.median(times)


def main() -> int:
    """Print one line a case; exit code 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    missed = 0
    for case in cases():
        ratio, nanoseconds = compare(case, rounds)
        missed += ratio > case.goal
        verdict = "ok" if ratio <= case.goal else "MISSED"
        print(f"{case.name:<40} {nanoseconds:6.1f} ns  {ratio:.2f} of C (goal {case.goal:.2f})  {verdict}")
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
