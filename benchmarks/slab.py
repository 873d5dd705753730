"""Batches of one SLUB cache against the same cache in C, compiled on the spot: equal addresses, operation by operation.

Both sides start each time from an empty cache whose frames were taken beforehand, so that the page allocator's own
cost (the suite "buddy") is in neither. The last row is no batch: it is what a call of the plain Python model costs.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vmlab.bench import Case, build
from vmlab.physical.slab_batch import Batch, Trace, trace
from vmlab.physical.slab_caches import SlabAllocator
from vmlab.physical.slab_page import Frames
from vmlab.physical.slab_size import CpuRules
from vmlab.physical.zonelist import Page

SOURCE = Path(__file__).with_suffix(".c")
OBJECTS = 1 << 20
SLOTS = 1 << 17
CPUS = 4


class Equal:
    """Answers of one side: equal if every address is."""

    def __init__(self, addresses: np.ndarray) -> None:
        self.addresses = addresses

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Equal) and np.array_equal(self.addresses, other.addresses)


def bulk(objects: int) -> Trace:
    """`objects` allocations, then their frees in random order."""
    order = np.random.default_rng(7).permutation(objects)
    return trace(np.repeat([0, 1], objects), np.concatenate([np.arange(objects), order]))


def pairs(count: int) -> Trace:
    """One object, allocated and freed again and again."""
    return trace(np.tile([0, 1], count), np.zeros(2 * count, int))


def mixed(count: int, cpus: int) -> Trace:
    """`count` operations on random slots: about half of them have an object; each on a random CPU."""
    rng = np.random.default_rng(8)
    slots = rng.integers(0, SLOTS, count)
    by_slot = np.argsort(slots, kind="stable")
    first = np.searchsorted(slots[by_slot], np.arange(SLOTS))
    turn = np.empty(len(slots), int)
    turn[by_slot] = np.arange(len(slots)) - first[slots[by_slot]]
    return trace(turn & 1, slots, rng.integers(0, cpus, len(slots)))


WORKLOADS: tuple[tuple[str, str, Callable[[int], Trace], int, float], ...] = (
    ("2**20 objects, then frees in random order", "kmalloc-64", bulk, OBJECTS, 1.10),
    ("2**20 objects, then frees in random order", "kmalloc-512", bulk, OBJECTS, 1.10),
    ("one object, again and again", "kmalloc-64", pairs, OBJECTS, 1.10),
    ("random slots, half of 131072 full, 1 CPU", "kmalloc-256", lambda count: mixed(count, 1), 1 << 22, 1.10),
    ("random slots, half of 131072 full, 4 CPUs", "kmalloc-256", lambda count: mixed(count, CPUS), 1 << 22, 1.10),
)
PLAIN_PAIRS = 2000
PLAIN_GOAL = 2000.0  # a call of Python beside one of C


def frames() -> Frames:
    """Ascending frames without end."""
    following = iter(range(8, 1 << 40, 8))
    return Frames(lambda order, gfp: Page(next(following), order, 0, "Normal", "low"), lambda page: None, 0xFFFF << 48)


def allocator() -> SlabAllocator:
    """The kmalloc caches of a machine with four CPUs."""
    return SlabAllocator(CpuRules(present_cpus=CPUS, possible_cpus=CPUS), frames())


def cases(shrink: int = 1) -> Iterator[Case]:
    """Every workload; its batch and its trace are made when one of its sides first runs."""
    library = build(SOURCE)
    library.run.restype = ctypes.c_size_t
    for what, name, operations, count, goal in WORKLOADS:
        cached = functools.cache(functools.partial(operations, count // shrink))
        batch = functools.cache(functools.partial(fresh, name, cached))
        yield Case(f"{name}, {what}", len(cached().frees), ours(batch, cached), reference(library, batch, cached), goal)
    few = functools.cache(functools.partial(pairs, PLAIN_PAIRS))
    batch = functools.cache(functools.partial(fresh, "kmalloc-64", few))
    what = "plain Python, kmalloc(64) and kfree, against the C batch"
    yield Case(what, 2 * PLAIN_PAIRS, plain, reference(library, batch, few), PLAIN_GOAL)


def fresh(name: str, operations: Callable[[], Trace]) -> Batch:
    """An empty cache with frames for as many objects as there are slots, and a little more for slabs half used."""
    cache = allocator()[name]
    slots = int(operations().slots.max()) + 1
    return Batch(cache, slots, reserve=slots // cache.objects_per_slab + 64)


def ours(batch: Callable[[], Batch], operations: Callable[[], Trace]) -> Callable[[], Equal]:
    """Our batch, through the method that a notebook calls."""
    answers = np.empty(len(operations().frees), np.uint64)

    def run() -> Equal:
        batch().reset()
        return Equal(batch().run(operations(), answers))

    return run


def plain() -> Equal:
    """The plain model, call by call."""
    slab = allocator()
    answers = []
    for _ in range(PLAIN_PAIRS):
        va = slab.kmalloc(64)
        slab.kfree(va)
        answers += [va, va]
    return Equal(np.array(answers, np.uint64))


class Cache(ctypes.Structure):
    """struct cache of slab.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("links", "slabs", "cpus", "first", "ready", "sequence", "starts")),
        *((name, ctypes.c_uint64) for name in ("nr_ready", "start", "shift", "size", "per_slab", "cpu_partial")),
        *((name, ctypes.c_uint64) for name in ("min_partial", "nr_cpus")),
        *((name, ctypes.c_uint32) for name in ("head", "tail", "listed")),
    )


def reference(library: ctypes.CDLL, batch: Callable[[], Batch], operations: Callable[[], Trace]) -> Callable[[], Equal]:
    """The same in C, on arrays of its own that are set back each time as ours are."""
    count = len(operations().frees)
    answers = np.empty(count, np.uint64)

    @functools.cache
    def arrays() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        batch().reset()
        lists = batch().lists._asdict()
        own = {name: lists[name].copy() for name in ("links", "slabs", "cpus", "first", "ready", "sequence", "starts")}
        return own, own["slabs"].copy(), own["ready"].copy()

    def run() -> Equal:
        own, slabs, ready = arrays()
        cache, made = batch().cache, batch()
        np.copyto(own["slabs"], slabs)
        np.copyto(own["ready"], ready)
        own["cpus"].fill(0)
        objects = np.zeros(len(made.objects), np.uint32)
        fixed: tuple[Any, ...] = (cache.sizes.size, cache.objects_per_slab, cache.cpu_partial_slabs, cache.min_partial)
        shift = (cache.objects_per_slab - 1).bit_length()
        state = Cache(*map(_at, own.values()), len(own["starts"]), 0, shift, *fixed, len(cache.cpus), 0, 0, 0)
        trace_and_count = (*map(_at, operations()), ctypes.c_size_t(count))
        starts = ctypes.c_uint64(len(own["starts"]))
        done = library.run(
            *(ctypes.byref(state), starts, *trace_and_count, _at(objects)),
            *(ctypes.c_size_t(len(objects)), _at(answers)),
        )
        assert done == count, f"the reference stopped at operation {done}: it needs more frames"
        return Equal(answers)

    return run


def _at(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
