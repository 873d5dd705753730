"""Millions of allocations and frees of one cache, by the same rules as `KmemCache`, compiled.

    batch = Batch(kernel.slab["kmalloc-64"], slots=1000)
    addresses = batch.run(trace(frees=[0, 0, 1], slots=[7, 8, 7]))

A trace speaks of slots, variables of the program that asks: an allocation puts an object's address into its slot,
a free takes it out. The batch is a cache of its own, described as the given one is and on the same page allocator:
it starts with no slab, and the given cache stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

import numpy as np

from ..units import VmlabError
from . import slab_kernels as run
from . import slab_lists as k
from .slab import KmemCache
from .slab_size import order_objects
from .zonelist import Page

MOST_OBJECTS = 1 << 32  # that 32-bit links tell apart
STARTS_AT_ONCE = 64  # random places drawn when the last is used up


class Trace(NamedTuple):
    """Operations in order: whether each is a free, the slot that it is about, and the CPU that it runs on."""

    frees: np.ndarray
    slots: np.ndarray
    cpus: np.ndarray


def trace(frees: Sequence[int], slots: Sequence[int], cpus: Sequence[int] | None = None) -> Trace:
    """A trace of equally long sequences or arrays; without `cpus` all of it runs on CPU 0."""
    of = np.zeros(len(frees), np.uint8) if cpus is None else np.asarray(cpus)
    if not len(frees) == len(slots) == len(of):
        raise VmlabError(f"trace: expected equal lengths, got {len(frees)} frees, {len(slots)} slots, {len(of)} cpus")
    for name, values, most in (("slots", np.asarray(slots), 1 << 32), ("cpus", of, 256)):
        if len(values) and not 0 <= int(values.min()) <= int(values.max()) < most:
            raise VmlabError(f"trace: {name}: expected numbers from 0 to {most - 1}")
    return Trace(np.asarray(frees, bool).view(np.uint8), np.asarray(slots).astype(np.uint32), of.astype(np.uint8))


class Batch:
    """A cache's lists as arrays, `slots` variables, and frames for `reserve` slabs taken in advance.

    Without a reserve the page allocator is asked for each slab, and gets back each empty one, just when `KmemCache`
    would do it. The reserve makes that cheap: the last slab that became empty is the first one used again.
    """

    def __init__(self, cache: KmemCache, slots: int, *, reserve: int = 0) -> None:
        self.cache, self.objects = cache, np.zeros(slots, np.uint32)
        self._nodes = {node: index for index, node in enumerate(cache.frames.nodes)}
        self._random = Random(cache.seed_text)
        self._random.getrandbits(8 * cache.rules.word)  # the cache's secret number
        sequence = list(range(cache.objects_per_slab))
        self._random.shuffle(sequence)
        rows, shift = max(reserve, 1), (len(sequence) - 1).bit_length()
        self.lists = k.empty(rows, shift, len(cache.cpus), len(self._nodes), np.array(sequence))
        self.pages: list[Page | None] = [None] * (rows + 1)  # by row
        self._free_rows = list(range(rows, 0, -1))
        self._fix(k.SIZE, cache.sizes.size)
        self._fix(k.CPU_PARTIAL, cache.cpu_partial_slabs)
        self._fix(k.MIN_PARTIAL, cache.min_partial)
        self._take_reserve(reserve)

    def run(self, operations: Trace, answers: np.ndarray | None = None) -> np.ndarray:
        """Do them all; the address that each handed out or took back: 0 where there was no memory, or nothing to free.

        An operation that makes no sense (an allocation into a slot that has an object) is refused with its number;
        those before it are done.
        """
        if answers is None:
            answers = np.zeros(len(operations.frees), np.uint64)
        self._fix(k.POSITION, 0)
        while (why := run.run(self.lists, *operations, self.objects, answers)) != run.DONE:
            at = self._rule(k.POSITION)
            if why == run.NEED_START:
                self._draw(max(STARTS_AT_ONCE, len(self.lists.starts)))
            elif why == run.NEED_SLAB:
                self._give_back()
                if not self._new_row():
                    answers[at] = 0
                    self._fix(k.POSITION, at + 1)
            else:
                self._give_back()
                raise self._refusal(why, at, operations)
        self._give_back()
        return answers

    def reset(self) -> None:
        """As if nothing had been run: all objects forgotten, all frames but the reserve's given back."""
        reserve, rules = self._rule(k.RESERVE), self.lists.rules
        held = np.setdiff1d(np.arange(1, len(self.pages)), self._free_rows, assume_unique=True)
        rules[[int(k.READY), int(k.START)]] = reserve, 0
        self.lists.ready[:reserve] = held[:reserve][::-1]
        self.lists.given[: len(held) - reserve] = held[reserve:]
        self._fix(k.GIVEN, len(held) - reserve)
        self._give_back()
        for array in (self.objects, self.lists.cpus, self.lists.nodes):
            array.fill(0)
        places = self.lists.slabs.reshape(-1, 8)
        places[:, : int(k.OBJECTS)] = 0
        places[:, int(k.FROZEN) : int(k.NODE)] = 0

    @property
    def slabs(self) -> list[int]:
        """Addresses of all slabs, ascending; frames in reserve are none."""
        waiting = set(self.lists.ready[: self._rule(k.READY)].tolist())
        rows = (row for row, page in enumerate(self.pages) if page is not None and row not in waiting)
        return sorted(self._va(row) for row in rows)

    @property
    def active_objects(self) -> int:
        """Objects that a slot has."""
        return int(np.count_nonzero(self.objects))

    def cpu_partial(self, cpu: int = 0) -> list[int]:
        """Addresses of a CPU's partial slabs; the last one is used next."""
        return self._along(int(self.lists.cpus[(cpu << 2) + int(k.PARTIAL)]))[::-1]

    def node_partial(self, node: int = 0) -> list[int]:
        """Addresses of a node's partial slabs; the first one is used next."""
        return self._along(int(self.lists.nodes[(self._nodes[node] << 2) + int(k.HEAD)]))

    def _along(self, row: int) -> list[int]:
        found = []
        while row:
            found.append(self._va(row))
            row = int(self.lists.slabs[(row << 3) + int(k.NEXT)])
        return found

    def _va(self, row: int) -> int:
        return int(self.lists.first[row]) - self.cache.sizes.red_left_pad

    def _rule(self, place: np.uint64) -> int:
        return int(self.lists.rules[place])

    def _fix(self, place: np.uint64, value: int) -> None:
        self.lists.rules[place] = value

    # --- frames ---

    def _new_row(self) -> bool:
        """allocate_slab: frames of the best order, or else of the smallest that holds an object, get ready."""
        cache, size = self.cache, self.cache.sizes.size
        if not self._free_rows:
            self._grow()
        page = cache.frames.for_slab(cache.order, size, cache.flags, "GFP_KERNEL")
        if not isinstance(page, Page):
            return False
        row, lists = self._free_rows.pop(), self.lists
        self.pages[row] = page
        lists.first[row] = cache.frames.va(page.pfn) + cache.sizes.red_left_pad
        place = row << 3
        lists.slabs[place : place + 8] = 0
        lists.slabs[place + int(k.OBJECTS)] = order_objects(page.order, size)
        lists.slabs[place + int(k.NODE)] = self._nodes[page.node]
        ready = self._rule(k.READY)
        lists.ready[ready] = row
        self._fix(k.READY, ready + 1)
        return True

    def _give_back(self) -> None:
        """Frames of slabs that became empty, in the order in which they did."""
        for row in self.lists.given[: self._rule(k.GIVEN)].tolist():
            page, self.pages[row] = self.pages[row], None
            assert page is not None
            self.cache.frames.free(page)
            self._free_rows.append(row)
        self._fix(k.GIVEN, 0)

    def _take_reserve(self, reserve: int) -> None:
        """Frames for slabs to come, as many as there are; those that came first are used first."""
        while self._rule(k.READY) < reserve and self._new_row():
            pass
        ready = self._rule(k.READY)
        self._fix(k.RESERVE, ready)
        self.lists.ready[:ready] = self.lists.ready[:ready][::-1].copy()
        self._draw(ready)

    def _grow(self) -> None:
        """Twice as many rows."""
        lists, rows, per_row = self.lists, len(self.lists.ready), 1 << self._rule(k.SHIFT)
        if (2 * rows + 1) * per_row > MOST_OBJECTS:
            raise VmlabError(f"{self.cache.name}: a batch has room for {MOST_OBJECTS} objects, and needs more")
        each = {"links": per_row, "slabs": 8, "first": 1, "ready": 1, "given": 1}
        old = {name: getattr(lists, name) for name in each}
        more = {name: np.zeros(rows * each[name], array.dtype) for name, array in old.items()}
        self.lists = lists._replace(**{name: np.append(old[name], more[name]) for name in each})
        self.pages += [None] * rows
        self._free_rows = list(range(2 * rows, rows, -1))

    def _draw(self, count: int) -> None:
        """Where in the random order the next `count` slabs begin."""
        drawn = [self._random.randrange(self.cache.objects_per_slab) for _ in range(count)]
        self.lists = self.lists._replace(starts=np.append(self.lists.starts, np.array(drawn, np.uint32)))

    def _refusal(self, why: int, at: int, operations: Trace) -> VmlabError:
        slot, cpu = int(operations.slots[at]), int(operations.cpus[at])
        told = {
            run.OCCUPIED: f"slot {slot} has an object already: free it first, or use another slot",
            run.BAD_SLOT: f"slot: expected 0 to {len(self.objects) - 1}, got {slot}",
            run.BAD_CPU: f"cpu: expected 0 to {len(self.cache.cpus) - 1} on this machine, got {cpu}",
        }
        return VmlabError(f"operation {at}: {told[why]}")
