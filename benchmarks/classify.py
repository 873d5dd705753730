"""Batches of addresses classified, against the same search in C, compiled on the spot: equal areas, kinds, frames."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from vmlab.bench import Case, build
from vmlab.virtual.layout import Layout
from vmlab.virtual.layout_batch import Found, classify_all, table
from vmlab.virtual.side_by_side import known_layout

SOURCE = Path(__file__).with_suffix(".c")
COUNT = 1_000_000
GOAL = 1.10
KERNELS = ("x86-64, 4 levels, nokaslr", "x86-32, 3G/1G")


class Answer:
    """What one side computed; equal if every array is."""

    def __init__(self, found: Found) -> None:
        self.found = found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Answer) and all(map(np.array_equal, self.found, other.found))


def anywhere(layout: Layout, count: int) -> np.ndarray:
    """Any of all addresses: on 64 bits nearly all are not canonical."""
    return np.random.default_rng(5).integers(0, layout.top - 1, count, dtype=np.uint64)


def in_areas(layout: Layout, count: int) -> np.ndarray:
    """Every area as often as any other, in random order: what a branch predictor likes least."""
    rng = np.random.default_rng(6)
    starts = np.array([area.start for area in layout.whole], np.uint64)
    sizes = np.array([area.end - area.start - 1 for area in layout.whole], np.uint64)
    number = rng.integers(0, len(starts), count)
    return starts[number] + rng.integers(0, 1 << 62, count, dtype=np.uint64) % sizes[number]


WORKLOADS: tuple[tuple[str, Callable[[Layout, int], np.ndarray]], ...] = (
    ("anywhere", anywhere),
    ("each area as often", in_areas),
)


def cases(shrink: int = 1) -> Iterator[Case]:
    """Every workload on a 64-bit and on a 32-bit layout."""
    library = build(SOURCE)
    for kernel in KERNELS:
        layout = known_layout(kernel)
        for what, draw in WORKLOADS:
            vas = draw(layout, COUNT // shrink)
            yield Case(f"{kernel}: {what}", len(vas), ours(layout, vas), reference(library, layout, vas), GOAL)


def _room(count: int) -> Found:
    return Found(np.empty(count, np.uint16), np.empty(count, np.bool_), np.empty(count, np.uint64))


def ours(layout: Layout, vas: np.ndarray) -> Callable[[], Answer]:
    """Our batch, through the function that a notebook calls."""
    room = _room(len(vas))
    return lambda: Answer(classify_all(layout, vas, room))


def reference(library: ctypes.CDLL, layout: Layout, vas: np.ndarray) -> Callable[[], Answer]:
    """The same in C; it is handed the finished table."""
    room, made = _room(len(vas)), table(layout)

    def run() -> Answer:
        arrays = (ctypes.c_void_p(array.ctypes.data) for array in (*made, vas, *room))
        library.classify(ctypes.c_size_t(len(made.starts)), ctypes.c_size_t(len(vas)), *arrays)
        return Answer(room)

    return run
