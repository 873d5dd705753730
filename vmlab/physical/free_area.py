"""struct free_area: the free blocks of one zone, a list for each order.

Blocks of the highest order that nothing has touched are kept as ranges, so a zone of 1 TiB costs no more
than one of 1 GiB.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..ranges import Ranges
from .zones import Zone


@dataclass(slots=True)
class FreeArea:
    """One zone's free blocks, CMA blocks apart. A dict is used as a list: its last key is the list's head."""

    zone: Zone
    cma: bool  # MIGRATE_CMA: never merged with other blocks, and for movable pages only
    blocks: list[dict[int, None]]  # by order: first frame of each free block
    untouched: Ranges = field(default_factory=Ranges)  # frames of whole highest-order blocks

    def block_of(self, pfn: int) -> tuple[int, int] | None:
        """(first frame, order) of the free block that frame `pfn` lies in."""
        for order, free in enumerate(self.blocks):
            if (first := pfn & -(1 << order)) in free:
                return first, order
        top = len(self.blocks) - 1
        return (pfn & -(1 << top), top) if self.untouched.holds(pfn) else None

    def remove(self, first: int, order: int) -> bool:
        """Take one free block off its list, if it is there."""
        if first in self.blocks[order]:
            del self.blocks[order][first]
            return True
        if order == len(self.blocks) - 1 and self.untouched.holds(first):
            self.untouched.remove(first, first + (1 << order))
            return True
        return False

    def nr_free(self) -> list[int]:
        """Free blocks of each order."""
        counts = [len(free) for free in self.blocks]
        counts[-1] += self.untouched.total() >> (len(self.blocks) - 1)
        return counts

    def within(self, start: int, end: int) -> list[tuple[int, int]]:
        """(first frame, order) of every free block that has a frame in `start`..`end`."""
        found = [
            (first, order)
            for order, free in enumerate(self.blocks)
            for first in free
            if first < end and first + (1 << order) > start
        ]
        top = len(self.blocks) - 1
        for low, high in self.untouched:
            firsts = range(max(low, start & -(1 << top)), min(high, end), 1 << top)
            found += [(first, top) for first in firsts]
        return found

    def pop(self, order: int) -> int | None:
        """Take the head of one free list; untouched blocks stand behind the others, lowest first."""
        if self.blocks[order]:
            return self.blocks[order].popitem()[0]
        if order < len(self.blocks) - 1 or not len(self.untouched):
            return None
        first = self.untouched.starts[0]
        self.untouched.remove(first, first + (1 << order))
        return first
