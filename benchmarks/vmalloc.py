"""Batches of vmalloc and vfree against the same space in C, compiled on the spot: equal addresses and equal flushes.

Both sides hand out addresses alone, in a space of 32 TiB as x86-64 has it; frames and page tables are in neither.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from vmlab.bench import Case, build
from vmlab.physical.zonelist import Page
from vmlab.units import PAGE_SHIFT, PAGE_SIZE, TiB
from vmlab.virtual.vmalloc import VmallocSpace
from vmlab.virtual.vmalloc_batch import Batch, Trace, trace

SOURCE = Path(__file__).with_suffix(".c")
START = 0xFFFF_C900_0000_0000
CPUS = 4
FLUSHES = 1 << 20
STACK_BYTES = 16384  # a kernel stack, the most frequent area of a running machine


class Answer:
    """What one side computed; equal if every address and every flush is."""

    def __init__(self, addresses: np.ndarray, flushes: list[tuple[int, int]]) -> None:
        self.addresses, self.flushes = addresses, flushes

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Answer)
            and np.array_equal(self.addresses, other.addresses)
            and self.flushes == other.flushes
        )


def bulk(areas: int) -> Trace:
    """`areas` kernel stacks, then all freed in random order."""
    order = np.random.default_rng(7).permutation(areas)
    slots = np.concatenate([np.arange(areas), order])
    return trace(np.repeat([0, 1], areas), slots, np.full(2 * areas, STACK_BYTES))


def pairs(count: int) -> Trace:
    """One area, allocated and freed again and again."""
    return trace(np.tile([0, 1], count), np.zeros(2 * count, int), np.full(2 * count, STACK_BYTES))


def mixed(count: int, nr_slots: int, aligned: bool) -> Trace:
    """`count` operations on random slots, sizes of 1 to 512 pages, small ones more often."""
    rng = np.random.default_rng(8)
    slots = rng.integers(0, nr_slots, count)
    by_slot = np.argsort(slots, kind="stable")
    first = np.searchsorted(slots[by_slot], np.arange(nr_slots))
    turn = np.empty(len(slots), int)
    turn[by_slot] = np.arange(len(slots)) - first[slots[by_slot]]
    pages = np.minimum(rng.geometric(0.5, len(slots)) ** 3, 512)
    aligns = PAGE_SIZE << (np.ceil(np.log2(pages)).astype(int) if aligned else np.zeros(len(slots), int))
    return trace(turn & 1, slots, pages * PAGE_SIZE, aligns)


WORKLOADS: tuple[tuple[str, Callable[[int], Trace], int, float], ...] = (  # name, of how many, how many, goal
    ("131072 kernel stacks, then frees in random order", bulk, 1 << 17, 1.10),
    ("one kernel stack, again and again", pairs, 1 << 19, 1.10),
    ("random slots, half of 4096 full, 1 to 512 pages", lambda count: mixed(count, 4096, False), 1 << 20, 1.10),
    ("the same, aligned as ioremap does", lambda count: mixed(count, 4096, True), 1 << 20, 1.10),
)
PLAIN_PAIRS = 1000
PLAIN_GOAL = 2000.0  # a call of Python beside one of C


def space() -> VmallocSpace:
    """The vmalloc space of a machine with four CPUs and frames without end."""
    frame = Page(1, 0, 0, "Normal", "low")
    return VmallocSpace(START, START + 32 * TiB, lambda gfp: frame, lambda page: None, 1 << 30, CPUS)


def cases(shrink: int = 1) -> Iterator[Case]:
    """Every workload; its trace is made when one of its sides first runs."""
    library = build(SOURCE)
    library.run.restype = ctypes.c_size_t
    for what, operations, count, goal in WORKLOADS:
        cached = functools.cache(functools.partial(operations, count // shrink))
        yield Case(what, len(cached().frees), ours(cached), reference(library, cached), goal)
    few = functools.cache(functools.partial(pairs, PLAIN_PAIRS))
    what = "plain Python, vmalloc and vfree, against the C batch"
    yield Case(what, 2 * PLAIN_PAIRS, plain, reference(library, few), PLAIN_GOAL)


def ours(operations: Callable[[], Trace]) -> Callable[[], Answer]:
    """Our batch, through the method that a notebook calls; what it covered once stays covered."""
    made = operations()
    answers, batch = np.empty(len(made.frees), np.uint64), Batch(space(), int(made.slots.max()) + 1)

    def run() -> Answer:
        batch.reset()
        return Answer(batch.run(made, answers), batch.flushes)

    return run


def plain() -> Answer:
    """The plain model, call by call."""
    made, answers = space(), []
    for _ in range(PLAIN_PAIRS):
        va = made.vmalloc(STACK_BYTES)
        assert isinstance(va, int)
        made.vfree(va)
        answers += [va, va]
    return Answer(np.array(answers, np.uint64), made.flushes)


class Space(ctypes.Structure):
    """struct space of vmalloc.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("sizes", "begins", "waiting", "flushed")),
        *((name, ctypes.c_uint64) for name in ("leaves", "start", "lazy_max", "total")),
        *((name, ctypes.c_uint64) for name in ("nr_waiting", "lazy", "nr_flushed", "most_flushed")),
    )


def reference(library: ctypes.CDLL, operations: Callable[[], Trace]) -> Callable[[], Answer]:
    """The same in C, on arrays of its own."""
    made, fixed = operations(), space()
    count, nr_slots = len(made.frees), int(made.slots.max()) + 1
    lazy_max = fixed.lazy_max_bytes >> PAGE_SHIFT
    answers = np.empty(count, np.uint64)
    flushed, waiting, held = (np.zeros(2 * each, np.uint64) for each in (FLUSHES, lazy_max + 2, nr_slots))
    batch = Batch(fixed, nr_slots)
    batch.run(made)
    leaves = batch.leaves  # the reference is told beforehand how many pages there is need of

    def run() -> Answer:
        sizes, begins = np.zeros(2 * leaves, np.uint64), np.zeros(leaves, np.uint64)
        sizes[leaves >> np.arange(leaves.bit_length())] = (fixed.end - fixed.start) >> PAGE_SHIFT  # page 0, and above
        held.fill(0)
        arrays = map(_at, (sizes, begins, waiting, flushed))
        state = Space(*arrays, leaves, START >> PAGE_SHIFT, lazy_max, fixed.total_pages, 0, 0, 0, FLUSHES)
        done = library.run(
            *(ctypes.byref(state), *map(_at, made), ctypes.c_size_t(count)),
            *(_at(held), ctypes.c_size_t(nr_slots), _at(answers)),
        )
        assert done == count, f"the reference stopped at operation {done}"
        rows = flushed[: 2 * state.nr_flushed].reshape(-1, 2).tolist()
        return Answer(answers, [(START + (low << PAGE_SHIFT), START + (high << PAGE_SHIFT)) for low, high in rows])

    return run


def _at(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
