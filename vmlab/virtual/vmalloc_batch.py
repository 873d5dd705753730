"""Millions of calls of vmalloc and vfree, by the same rules as `VmallocSpace`, compiled.

    batch = Batch(kernel.vmalloc_space, slots=1000)
    addresses = batch.run(trace(frees=[0, 0, 1], slots=[7, 8, 7], sizes=[4096, 20000, 0]))

A trace speaks of slots, variables of the program that asks: vmalloc puts an area's address into its slot, vfree takes
it out. The batch begins with what the given space has free and what waits there for a TLB flush, and leaves that
space as it is. It hands out addresses alone: the frames behind them never run out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..ranges import Ranges
from ..units import PAGE_SHIFT, PAGE_SIZE, VmlabError
from . import vmalloc_kernels as k
from .vmalloc import VmallocSpace

LEAVES = 1 << 12  # pages that the tree covers at first
FLUSHES = 1 << 12


class Trace(NamedTuple):
    """Operations in order: whether each is a vfree, its slot, and of a vmalloc the bytes and their alignment."""

    frees: np.ndarray
    slots: np.ndarray
    sizes: np.ndarray
    aligns: np.ndarray


def trace(
    frees: Sequence[int], slots: Sequence[int], sizes: Sequence[int], aligns: Sequence[int] | None = None
) -> Trace:
    """A trace of equally long sequences or arrays; without `aligns` areas begin at any page."""
    of = np.full(len(frees), PAGE_SIZE) if aligns is None else np.asarray(aligns).astype(np.int64)
    lengths = [len(each) for each in (frees, slots, sizes, of)]
    if len(set(lengths)) > 1:
        raise VmlabError(f"trace: expected equal lengths, got {lengths} of frees, slots, sizes and aligns")
    whole = np.asarray(slots).astype(np.int64), np.asarray(sizes).astype(np.int64)
    made = Trace(np.asarray(frees, bool).view(np.uint8), *whole, of)
    asks = made.frees == 0
    if lengths[0] and not 0 <= int(made.slots.min()) <= int(made.slots.max()) < 1 << 32:
        raise VmlabError(f"trace: slots: expected numbers from 0 to {(1 << 32) - 1}")
    if (made.sizes[asks] < 1).any() or (made.sizes < 0).any() or (made.sizes >= 1 << 62).any():
        raise VmlabError("trace: sizes: expected at least 1 byte for each vmalloc, and less than 2**62")
    if (of < 1).any() or (of >= 1 << 62).any() or (of & (of - 1)).any():
        raise VmlabError("trace: aligns: expected powers of two in bytes, less than 2**62")
    return Trace(made.frees, made.slots.astype(np.uint32), made.sizes.astype(np.uint64), of.astype(np.uint64))


class Batch:
    """A vmalloc space's free addresses as arrays, and `slots` variables."""

    def __init__(self, space: VmallocSpace, slots: int) -> None:
        self.start, self.end = space.start, space.end
        self._unused, self._lazy = Ranges(*map(list, _lists(space.unused))), list(space.lazy)
        self._held = np.zeros(2 * slots, np.uint64)
        pages = (space.end - space.start) >> PAGE_SHIFT
        # no more areas can wait than pages, nor than go beyond the limit: each has at least two pages
        most = min(pages, space.lazy_max_bytes >> PAGE_SHIFT) + len(self._lazy) + 2
        self._waiting, self._flushed = np.zeros(2 * most, np.uint64), np.zeros(2 * FLUSHES, np.uint64)
        self._rules, self._begins = np.zeros(8, np.uint64), np.zeros(0, np.uint64)
        self._rules[int(k.START) :] = (
            *(self.start >> PAGE_SHIFT, pages, space.lazy_max_bytes >> PAGE_SHIFT),
            min(space.total_pages, 1 << 60),
        )
        self.reset()

    def run(self, operations: Trace, answers: np.ndarray | None = None) -> np.ndarray:
        """Do them all; the address that each got or gave back: 0 where nothing fits, or nothing was there to free.

        An operation that makes no sense (a vmalloc into a slot that has an area) is refused with its number; those
        before it are done.
        """
        if answers is None:
            answers = np.zeros(len(operations.frees), np.uint64)
        self._rules[k.POSITION] = 0
        state = self._waiting, self._flushed, self._rules
        while (why := k.run(self._sizes, self._begins, *state, *operations, self._held, answers)) != k.DONE:
            if why == k.NEED_LEAVES:
                self._cover(len(self._begins) * 2, self.unused)
            elif why == k.NEED_FLUSHED:
                self._note_flushes()
            else:
                self._note_flushes()
                raise self._refusal(why, operations)
        self._note_flushes()
        return answers

    def reset(self) -> None:
        """As if nothing had been run."""
        self.flushes: list[tuple[int, int]] = []
        self._held.fill(0)
        self._rules[: int(k.START)] = 0
        for number, (low, high) in enumerate(self._lazy):
            self._waiting[2 * number : 2 * number + 2] = (low - self.start) >> PAGE_SHIFT, (high - low) >> PAGE_SHIFT
            self._rules[k.WAITING] = number + 1
            self._rules[k.LAZY] += np.uint64((high - low) >> PAGE_SHIFT)
        highest = max(self._unused.starts + [high for _, high in self._lazy], default=self.start)
        needed = (highest - self.start) >> PAGE_SHIFT
        leaves = self.leaves or LEAVES
        while leaves <= needed:
            leaves *= 2
        self._cover(leaves, self._unused)

    @property
    def unused(self) -> Ranges:
        """The free addresses."""
        found, leaves = Ranges(), len(self._begins)
        for page in np.flatnonzero(self._sizes[leaves:]).tolist():
            low = self.start + (page << PAGE_SHIFT)
            found.add(low, low + (int(self._sizes[leaves + page]) << PAGE_SHIFT))
        return found

    @property
    def lazy(self) -> Ranges:
        """Freed addresses that wait for a TLB flush."""
        found = Ranges()
        for page, pages in self._waiting[: 2 * int(self._rules[k.WAITING])].reshape(-1, 2).tolist():
            low = self.start + (page << PAGE_SHIFT)
            found.add(low, low + (pages << PAGE_SHIFT))
        return found

    @property
    def leaves(self) -> int:
        """Pages of the space that the tree covers so far."""
        return len(self._begins)

    def _cover(self, leaves: int, unused: Ranges) -> None:
        """Arrays for so many pages, with these free addresses in them."""
        self._sizes, self._begins = np.zeros(2 * leaves, np.uint64), np.zeros(leaves, np.uint64)
        for low, high in unused:
            page, end = (low - self.start) >> PAGE_SHIFT, (high - self.start) >> PAGE_SHIFT
            self._sizes[leaves + page] = end - page
            if end < leaves:
                self._begins[end] = page + 1
        nodes = np.array([leaves + ((low - self.start) >> PAGE_SHIFT) for low in unused.starts], np.int64)
        while leaves > 1 and len(nodes):  # up the tree, only where something is free
            leaves, nodes = leaves // 2, np.unique(nodes // 2)
            self._sizes[nodes] = np.maximum(self._sizes[2 * nodes], self._sizes[2 * nodes + 1])

    def _note_flushes(self) -> None:
        count = int(self._rules[k.FLUSHED])
        for low, high in self._flushed[: 2 * count].reshape(-1, 2).tolist():
            self.flushes.append((self.start + (low << PAGE_SHIFT), self.start + (high << PAGE_SHIFT)))
        self._rules[k.FLUSHED] = 0

    def _refusal(self, why: int, operations: Trace) -> VmlabError:
        at = int(self._rules[k.POSITION])
        slot = int(operations.slots[at])
        if why == k.OCCUPIED:
            return VmlabError(f"operation {at}: slot {slot} has an area already: free it first, or use another slot")
        return VmlabError(f"operation {at}: slot: expected 0 to {len(self._held) // 2 - 1}, got {slot}")


def _lists(ranges: Ranges) -> tuple[list[int], list[int]]:
    return ranges.starts, ranges.ends
