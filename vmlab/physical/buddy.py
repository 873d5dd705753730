"""The buddy allocator: free blocks of 2**order frames, split when asked for, merged when freed.

The buddy of a block is the block whose number differs in one bit, `pfn ^ (1 << order)`; two free buddies of
one zone are always merged (Linux 6.1, mm/page_alloc.c: __rmqueue_smallest, expand, __free_one_page).

Blocks of the highest order that nothing has touched are kept as ranges, so taking over 1 TiB costs no more
than taking over 1 GiB.

Left out: migratetypes and pageblocks (a CMA block merges like any other), per-CPU lists, compound pages,
and the tail of a free list (a freed block always goes to the head, so the last one freed is the first
one given out).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..ranges import Ranges
from ..units import VmlabError
from .zones import Zone


class BadOrder(VmlabError):
    """An order that no free list has."""


class BadFree(VmlabError):
    """A block given back that was never handed out like this."""


class DoubleFree(BadFree):
    """A block given back that is free already."""


@dataclass(slots=True)
class FreeArea:
    """One zone's free blocks. A dict is used as a list: its last key is the list's head."""

    zone: Zone
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


class Buddy:
    """Free frames of every zone: `frames` are half-open ranges of frame numbers, `max_order` counts lists."""

    def __init__(self, zones: Iterable[Zone], frames: Iterable[tuple[int, int]], max_order: int) -> None:
        self.max_order = max_order
        self.areas = [FreeArea(zone, [{} for _ in range(max_order)]) for zone in zones]
        self.allocated: dict[int, int] = {}  # first frame -> order of every block handed out
        self._names = {(area.zone.node, area.zone.name): area for area in self.areas}
        owned = Ranges()  # touching ranges become one, or their blocks would have to be merged
        for start, end in frames:
            owned.add(start, end)
        for area in self.areas:
            for start, end in owned:
                self._take_over(area, max(start, area.zone.start_pfn), min(end, area.zone.end_pfn))
            for free in area.blocks:  # head = lowest, as after memblock_free_all
                highest_first = sorted(free, reverse=True)
                free.clear()
                free.update(dict.fromkeys(highest_first))

    def _take_over(self, area: FreeArea, start: int, end: int) -> None:
        """__free_pages_memory: the largest aligned blocks that fit, the whole middle at once."""
        top = self.max_order - 1
        while start < end:
            order = min(top, (start & -start).bit_length() - 1 if start else top)
            while start + (1 << order) > end:
                order -= 1
            if order == top:
                middle = end & -(1 << top)
                area.untouched.add(start, middle)
                start = middle
            else:
                area.blocks[order][start] = None
                start += 1 << order

    def nr_free(self, zone: Zone) -> list[int]:
        """Free blocks of each order, as a line of /proc/buddyinfo."""
        area = self._area(zone)
        counts = [len(free) for free in area.blocks]
        counts[-1] += area.untouched.total() >> (self.max_order - 1)
        return counts

    def free_pages(self, zone: Zone) -> int:
        """Free frames of `zone` (NR_FREE_PAGES)."""
        return sum(count << order for order, count in enumerate(self.nr_free(zone)))

    def free_ranges(self, zone: Zone) -> Iterator[tuple[int, int]]:
        """Free frames of `zone` as ascending half-open ranges that do not touch."""
        area, found = self._area(zone), Ranges()
        for start, end in area.untouched:
            found.add(start, end)
        for order, free in enumerate(area.blocks):
            for first in free:
                found.add(first, first + (1 << order))
        return iter(found)

    def block_of(self, pfn: int) -> tuple[int, int] | None:
        """(first frame, order) of the free block that frame `pfn` lies in, None if the frame is not free."""
        area = self._holding(pfn)
        return area.block_of(pfn) if area else None

    def owns(self, pfn: int) -> bool:
        """Whether frame `pfn` is free, that is, on one of the free lists."""
        return self.block_of(pfn) is not None

    def user_block(self, pfn: int) -> tuple[int, int] | None:
        """(first frame, order) of the block handed out that frame `pfn` lies in."""
        for order in range(self.max_order):
            first = pfn & -(1 << order)
            if self.allocated.get(first) == order:
                return first, order
        return None

    def alloc(self, zone: Zone, order: int = 0) -> int | None:
        """Hand out 2**order frames of `zone`: the first one's number, or None if no block is large enough."""
        self.check_order(order)
        area = self._area(zone)
        for current in range(order, self.max_order):
            first = area.pop(current)
            if first is None:
                continue
            while current > order:  # expand(): keep the lower half, the upper half becomes free
                current -= 1
                area.blocks[current][first + (1 << current)] = None
            self.allocated[first] = order
            return first
        return None

    def take(self, zone: Zone, start: int, end: int) -> list[tuple[int, int]]:
        """Hand out every free frame of `start`..`end`, splitting blocks at the ends, as alloc_contig_range does.

        Returns (first frame, order) of each block taken; give each back with `free`.
        """
        area = self._area(zone)
        todo, taken = area.within(start, end), []
        for first, order in todo:
            area.remove(first, order)
        while todo:
            first, order = todo.pop()
            size = 1 << order
            if start <= first and first + size <= end:
                self.allocated[first] = order
                taken.append((first, order))
            elif first >= end or first + size <= start:
                area.blocks[order][first] = None
            else:
                todo += [(first, order - 1), (first + size // 2, order - 1)]
        return sorted(taken)

    def free(self, pfn: int, order: int = 0) -> None:
        """Take back a block that `alloc` handed out, and merge it with its buddies while they are free."""
        self._check_free(pfn, order)
        area = self._holding(pfn)
        if area is None:
            raise BadFree(f"pfn {pfn:#x} lies in no zone: expected a frame that alloc handed out")
        del self.allocated[pfn]
        while order < self.max_order - 1:
            buddy = pfn ^ (1 << order)
            if not area.zone.holds(buddy) or not area.remove(buddy, order):
                break
            pfn &= buddy
            order += 1
        area.blocks[order][pfn] = None

    def _check_free(self, pfn: int, order: int) -> None:
        """Refuse, and say what is wrong, before anything changes."""
        self.check_order(order)
        if self.allocated.get(pfn) == order:
            return
        what = f"free of pfn {pfn:#x}, order {order}"
        if self._holding(pfn) is None:
            raise BadFree(f"{what}: the frame lies in no zone; free only what alloc handed out")
        if pfn % (1 << order):
            raise BadFree(f"{what}: a block of order {order} starts at a multiple of {1 << order} frames")
        if (free := self.block_of(pfn)) is not None:
            raise DoubleFree(f"{what}: it is free already, in the block at {free[0]:#x} of order {free[1]}")
        if (used := self.user_block(pfn)) is not None:
            raise BadFree(f"{what}: it belongs to the block at {used[0]:#x} of order {used[1]}; free that")
        raise BadFree(f"{what}: alloc never handed it out; it was taken at boot, or is no RAM")

    def check_order(self, order: int) -> None:
        """Refuse an order that no free list has."""
        if not 0 <= order < self.max_order:
            top = self.max_order - 1
            raise BadOrder(f"order {order}: expected 0 to {top}, so at most {1 << top} frames at once")

    def _area(self, zone: Zone) -> FreeArea:
        found = self._names.get((zone.node, zone.name))
        if found is None:
            raise VmlabError(f"zone {zone.name} of node {zone.node} is not one of this machine's zones")
        return found

    def _holding(self, pfn: int) -> FreeArea | None:
        return next((area for area in self.areas if area.zone.holds(pfn)), None)
