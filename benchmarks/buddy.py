"""The buddy allocator and its per-CPU lists against C on the same traces: same requests, same frames.

Both sides begin with 2**20 free frames (4 GiB) and give back everything, so every round finds them merged again.
There is no public allocator beside them: those that were compared once (buddy2, cloudwu's buddy, buddy_alloc) are C
sources without a package in any index that pip reads, and the page allocators that have one manage no frames.

The row "our own buddy" misses its goal, eight times: a per-CPU list took 2.6 ns an operation (C 2.4), our buddy 16.1
(C 20.6). With C's speed the list would be 6.7 times as fast; because our buddy is quicker than C's, eight times needs a
list much quicker than C's.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from vmlab.bench import Case, build
from vmlab.physical.buddy import Buddy
from vmlab.physical.pcp import drain
from vmlab.physical.request_kernels import run
from vmlab.physical.traces import ALLOC, FREE, Requests
from vmlab.physical.zones import Zone

SOURCE = Path(__file__).with_suffix(".c")
FRAMES, MAX_ORDER, PAGEBLOCK = 1 << 20, 11, 9
PAIRS, SLOTS, OPERATIONS = 2_000_000, 209_715, 4_000_000
BATCH, HIGH = 63, 378
MOVABLE = 1


@functools.lru_cache(maxsize=1)
def trace(name: str, shrink: int) -> Requests:
    """One of the three workloads below."""
    op, order, slot = {"bulk": bulk, "hot pair": pair, "mixed orders": mixed}[name](shrink)
    kinds = np.full(len(op), MOVABLE, np.uint8)
    return Requests(op.astype(np.uint8), order.astype(np.uint8), kinds, slot.astype(np.uint32))


@functools.lru_cache(maxsize=1)
def requests(name: str, shrink: int) -> tuple[np.ndarray, ...]:
    """The same as compiled code takes it."""
    return trace(name, shrink).arrays(MAX_ORDER)


def bulk(shrink: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All of memory page by page, then given back in random order."""
    pages = FRAMES // shrink
    op = np.repeat([ALLOC, FREE], pages)
    return op, np.zeros(len(op)), np.concatenate([np.arange(pages), np.random.default_rng(7).permutation(pages)])


def pair(shrink: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One page taken and given back, over and over: ten splits and ten merges each time without per-CPU lists."""
    op = np.tile([ALLOC, FREE], PAIRS // shrink)
    return op, np.zeros(len(op)), np.zeros(len(op))


def mixed(shrink: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slots drawn at random are filled and emptied; orders are geometric, memory is half full; the rest goes back."""
    rng = np.random.default_rng(8)
    slot = rng.integers(0, SLOTS // shrink, OPERATIONS // shrink)
    order = np.minimum(rng.geometric(0.5, len(slot)) - 1, 9)
    by_slot = np.argsort(slot, kind="stable")
    first = np.flatnonzero(np.diff(slot[by_slot], prepend=-1))
    turn = np.empty(len(slot), np.int64)  # how often the slot was drawn before
    turn[by_slot] = np.arange(len(slot)) - np.repeat(first, np.diff(first, append=len(slot)))
    held = np.flatnonzero(np.bincount(slot) % 2)
    op = np.concatenate([turn % 2, np.full(len(held), FREE)])
    return op, np.concatenate([order, np.zeros(len(held), np.int64)]), np.concatenate([slot, held])


WORKLOADS = (  # trace, through per-CPU lists, goal
    ("bulk", False, 1.05),
    ("hot pair", False, 1.15),
    ("mixed orders", False, 1.05),
    ("bulk", True, 1.05),
    ("hot pair", True, 1.15),
    ("mixed orders", True, 1.05),
)
PER_CPU_GOAL = 1 / 8  # a hot pair through a per-CPU list, against one without, both ours


def cases(shrink: int = 1) -> Iterator[Case]:
    """Every workload; its trace is made when one of its sides first runs."""
    library = build(SOURCE)
    library.buddy_new.restype = ctypes.c_void_p
    for name, per_cpu, goal in WORKLOADS:
        way = "per-CPU lists" if per_cpu else "buddy"
        sides = ours(name, shrink, per_cpu), reference(library, name, shrink, per_cpu)
        yield Case(f"{way}, {name}", len(trace(name, shrink).op), *sides, goal)
    count = len(trace("hot pair", shrink).op)
    both = (ours("hot pair", shrink, per_cpu, frames=False) for per_cpu in (True, False))
    yield Case("per-CPU lists, hot pair", count, *both, PER_CPU_GOAL, against="our own buddy")


def ours(name: str, shrink: int, per_cpu: bool, frames: bool = True) -> Callable[[], object]:
    """The compiled loop behind Buddy.run; answers with the frames (as bytes), or only with how many were refused."""
    zone = Zone(0, 0, "Normal", 0, FRAMES, managed_pages=FRAMES, pcp_batch=BATCH, pcp_high=HIGH)
    buddy = Buddy([zone], [(0, FRAMES)], MAX_ORDER, pageblock_order=PAGEBLOCK)
    area, cpu = buddy.area_of(zone).area, buddy.cpu(0 if per_cpu else None)
    held, out = np.zeros(FRAMES, np.uint64), np.empty(len(trace(name, shrink).op), np.int64)

    def side() -> object:
        refused = run(area, cpu, *requests(name, shrink), held, out)
        drain(buddy)
        return Frames(out) if frames else refused

    return side


def reference(library: ctypes.CDLL, name: str, shrink: int, per_cpu: bool) -> Callable[[], object]:
    """The same in C."""
    buddy = ctypes.c_void_p(library.buddy_new(FRAMES, BATCH, HIGH))
    function = library.buddy_run_cpu if per_cpu else library.buddy_run
    held, out = np.zeros(FRAMES, np.uint64), np.empty(len(trace(name, shrink).op), np.int64)

    def side() -> object:
        function(buddy, ctypes.c_int64(len(out)), *map(_at, requests(name, shrink)), _at(held), _at(out))
        library.buddy_drain(buddy)
        return Frames(out)

    return side


class Frames:
    """The frames that a trace got; equal if every one is."""

    def __init__(self, out: np.ndarray) -> None:
        self.out = out

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frames) and np.array_equal(self.out, other.out)

    def __hash__(self) -> int:
        return id(self)


def _at(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
