"""Batches of translations against a walk in C, compiled on the spot: same bytes, same addresses, same answers.

The tables are of contiguous 4 KiB pages from address 0, their frames shuffled, so that neighbours in the address
space are none in memory. Small ones (1 MiB) fit a core's own cache; those of 2**27 pages take 1 GiB.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from vmlab.arch.formats import page_format
from vmlab.bench import Case, build
from vmlab.units import human
from vmlab.virtual.address_space import AddressSpace
from vmlab.virtual.frames import FrameStore

SOURCE = Path(__file__).with_suffix(".c")
FAULTY = 0.05  # of the addresses of a workload "with faults": any 64 bits

SHAPES = {"x86-64-4": (9, 3), "x86-32": (10, 1)}  # index bits of a level, and levels above the last


@dataclass(eq=False)
class Answer:
    """What one side computed; equal if every address and every status is."""

    pas: np.ndarray
    status: np.ndarray

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, Answer) and np.array_equal(self.pas, other.pas)
        return same and np.array_equal(self.status, other.status)


@functools.lru_cache(maxsize=1)
def space(name: str, pages: int) -> AddressSpace:
    """`pages` mapped pages whose tables lie in shuffled frames 1, 2, 3 ..."""
    index_bits, above = SHAPES[name]
    rng, fmt = np.random.default_rng(3), page_format(name)
    kind, per_table = np.dtype(f"u{fmt.entry_bytes}").type, 1 << index_bits
    counts = [pages]
    for _ in range(above + 1):
        counts.append(-(-counts[-1] // per_table))
    total = sum(counts[1:])
    frames = rng.permutation(total) + 1
    memory = np.zeros((total + 1, per_table), kind)
    levels = np.split(frames, np.cumsum(counts[:0:-1]))[: above + 1]
    for upper, lower in pairwise(levels):
        _fill(memory, upper, lower.astype(kind), per_table)
    _fill(memory, levels[-1], rng.integers(0, 1 << (24 if above > 1 else 20), pages).astype(kind), per_table)
    store = FrameStore(fmt.entry_bytes)
    store.fill(np.arange(1, total + 1), memory[1:].view(np.uint8).reshape(total, -1))
    return AddressSpace(fmt, store, int(levels[0][0]) << 12)


def _fill(memory: np.ndarray, tables: np.ndarray, frames: np.ndarray, per_table: int) -> None:
    """Entries for `frames`, present, writable and for user mode, in `tables` one after the other."""
    number = np.arange(len(frames))
    memory[tables[number // per_table], number % per_table] = frames << memory.dtype.type(12) | memory.dtype.type(7)


@functools.lru_cache(maxsize=1)
def addresses(pages: int, count: int, order: str) -> np.ndarray:
    """`count` addresses of the mapped pages: "random", "sequential", or "random, 5 % faults"."""
    span = pages << 12
    if order == "sequential":
        return np.arange(count, dtype=np.uint64) * np.uint64(4096) % np.uint64(span)
    rng = np.random.default_rng(1)
    vas = rng.integers(0, span, count).astype(np.uint64)
    if "faults" in order:
        wild = rng.random(count) < FAULTY
        vas[wild] = rng.integers(0, 1 << 64, int(wild.sum()), dtype=np.uint64)
    return vas


WORKLOADS = (  # format, pages, addresses, order, C function, goal
    ("x86-64-4", 1 << 17, 1 << 21, "random", "four_levels", 1.05),
    ("x86-64-4", 1 << 17, 1 << 21, "sequential", "four_levels", 1.05),
    ("x86-64-4", 1 << 17, 1 << 21, "random, 5 % faults", "four_levels", 1.05),
    ("x86-64-4", 1 << 27, 1 << 22, "random", "four_levels", 0.65),
    ("x86-64-4", 1 << 27, 1 << 22, "random", "four_levels_ahead", 1.10),
    ("x86-64-4", 1 << 27, 1 << 22, "sequential", "four_levels", 1.05),
    ("x86-64-4", 1 << 27, 1 << 22, "random, 5 % faults", "four_levels", 0.65),
    ("x86-32", 1 << 18, 1 << 21, "random", "two_levels", 1.15),
    ("x86-32", 1 << 18, 1 << 21, "sequential", "two_levels", 1.15),
    ("x86-32", 1 << 18, 1 << 21, "random, 5 % faults", "two_levels", 1.15),
    ("x86-32", 1 << 20, 1 << 21, "random", "two_levels", 1.15),
)


def cases(shrink: int = 1) -> Iterator[Case]:
    """Every workload; its tables are made when one of its sides first runs."""
    library = build(SOURCE)
    for name, whole, full, order, function, goal in WORKLOADS:
        pages, count = whole // shrink, full // shrink
        index_bits, above = SHAPES[name]
        size = (pages >> index_bits) << 12  # of the last level's tables
        against = ", C with prefetch" if function.endswith("ahead") else ""
        what = f"{above + 1} levels, {human(size)} of tables, {order}{against}"
        yield Case(
            what, count, ours(name, pages, count, order), reference(library[function], name, pages, count, order), goal
        )


def ours(name: str, pages: int, count: int, order: str) -> Callable[[], Answer]:
    """Our batch, through the method behind `translate`."""
    answer = Answer(np.empty(count, np.uint64), np.empty(count, np.uint32))

    def run() -> Answer:
        space(name, pages).translate_into(addresses(pages, count, order), answer.pas, answer.status)
        return answer

    return run


def reference(function: Callable[..., None], name: str, pages: int, count: int, order: str) -> Callable[[], Answer]:
    """The same in C. Frame n stands at byte n * 4096 of the very same array, so it serves as physical memory."""
    answer = Answer(np.empty(count, np.uint64), np.empty(count, np.uint32))

    def run() -> Answer:
        tables = space(name, pages)
        used = (tables.frames.nr_frames + 1) * tables.frames.per_frame
        function(
            *(_at(tables.frames.words), ctypes.c_size_t(used), ctypes.c_uint64(tables.root_pa)),
            *(_at(addresses(pages, count, order)), _at(answer.pas), _at(answer.status), ctypes.c_size_t(count)),
        )
        return answer

    return run


def _at(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
