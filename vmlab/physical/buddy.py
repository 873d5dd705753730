"""The buddy allocator: free blocks of 2**order frames, split when asked for, merged when freed.

The buddy of a block is the block whose number differs in one bit, `pfn ^ (1 << order)`; two free buddies of
one zone are always merged (Linux 6.1, mm/page_alloc.c: __rmqueue_smallest, expand, __free_one_page).

Blocks of the highest order that nothing has touched are kept as ranges, so taking over 1 TiB costs no more
than taking over 1 GiB.

Left out: migratetypes other than CMA and pageblocks, per-CPU lists, compound pages, and the tail of a free
list (a freed block always goes to the head, so the last one freed is the first one given out).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..ranges import Ranges
from ..units import VmlabError
from .free_area import FreeArea
from .zones import Zone

Span = tuple[int, int]


class BadOrder(VmlabError):
    """An order that no free list has."""


class BadFree(VmlabError):
    """A block given back that was never handed out like this."""


class DoubleFree(BadFree):
    """A block given back that is free already."""


class Buddy:
    """Free frames of every zone. `frames` and `cma` are half-open ranges of frame numbers: all that the page
    allocator owns, and those of the contiguous area among them; `max_order` is the number of free lists."""

    def __init__(self, zones: Iterable[Zone], frames: Iterable[Span], max_order: int, cma: Iterable[Span] = ()) -> None:
        self.max_order = max_order
        self.allocated: dict[int, int] = {}  # first frame -> order of every block handed out
        self._cma, ordinary = Ranges(), Ranges()  # touching ranges become one, or blocks would have to be merged
        for start, end in cma:
            self._cma.add(start, end)
        for start, end in frames:
            ordinary.add(start, end)
        contiguous = [part for span in self._cma for part in ordinary.shared(*span)]
        for start, end in contiguous:
            ordinary.remove(start, end)
        zones = list(zones)
        self.areas = [self._area_of(zone, False, ordinary) for zone in zones]
        self.areas += [self._area_of(zone, True, contiguous) for zone in zones if zone.cma_pages]

    def _area_of(self, zone: Zone, cma: bool, frames: Iterable[Span]) -> FreeArea:
        area = FreeArea(zone, cma, [{} for _ in range(self.max_order)])
        for start, end in frames:
            self._take_over(area, max(start, zone.start_pfn), min(end, zone.end_pfn))
        for free in area.blocks:  # head = lowest, as after memblock_free_all
            highest_first = sorted(free, reverse=True)
            free.clear()
            free.update(dict.fromkeys(highest_first))
        return area

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

    def nr_free(self, zone: Zone, *, cma_only: bool = False) -> list[int]:
        """Free blocks of each order, as a line of /proc/buddyinfo; or only those of the contiguous area."""
        areas = [area for area in self._areas(zone) if area.cma or not cma_only]
        return [sum(counts) for counts in zip([0] * self.max_order, *(area.nr_free() for area in areas), strict=True)]

    def free_pages(self, zone: Zone, *, cma_only: bool = False) -> int:
        """Free frames of `zone` (NR_FREE_PAGES, NR_FREE_CMA_PAGES)."""
        return sum(count << order for order, count in enumerate(self.nr_free(zone, cma_only=cma_only)))

    def free_ranges(self, zone: Zone) -> Iterator[Span]:
        """Free frames of `zone` as ascending half-open ranges that do not touch."""
        found = Ranges()
        for area in self._areas(zone):
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

    def alloc(self, zone: Zone, order: int = 0, *, movable: bool = False) -> int | None:
        """Hand out 2**order frames of `zone`: the first one's number, or None if no block is large enough.

        Movable pages may also come from the contiguous area: first of all while it has more than half of the
        zone's free pages, and when nothing else is left (__rmqueue).
        """
        self.check_order(order)
        for area in self._preferred(zone, movable):
            for current in range(order, self.max_order):
                if (first := area.pop(current)) is not None:
                    return self._expand(area, first, current, order)
        return None

    def _preferred(self, zone: Zone, movable: bool) -> list[FreeArea]:
        areas = [area for area in self._areas(zone) if movable or not area.cma]
        if len(areas) > 1 and self.free_pages(zone, cma_only=True) > self.free_pages(zone) // 2:
            areas.reverse()
        return areas

    def _expand(self, area: FreeArea, first: int, current: int, order: int) -> int:
        """Keep the lower half until the size is right; the upper halves become free."""
        while current > order:
            current -= 1
            area.blocks[current][first + (1 << current)] = None
        self.allocated[first] = order
        return first

    def take(self, zone: Zone, start: int, end: int) -> list[tuple[int, int]]:
        """Hand out every free frame of `start`..`end`, splitting blocks at the ends, as alloc_contig_range does.

        Returns (first frame, order) of each block taken; give each back with `free`.
        """
        return sorted(block for area in self._areas(zone) for block in self._take_from(area, start, end))

    def _take_from(self, area: FreeArea, start: int, end: int) -> list[tuple[int, int]]:
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
        return taken

    def free(self, pfn: int, order: int = 0) -> None:
        """Take back a block that `alloc` handed out, and merge it with its buddies while they are free."""
        self._check_free(pfn, order)
        area = self._holding(pfn)
        if area is None:
            raise BadFree(f"pfn {pfn:#x} lies in no zone: expected a frame that alloc handed out")
        del self.allocated[pfn]
        while order < self.max_order - 1:
            buddy = pfn ^ (1 << order)
            if not area.remove(buddy, order):  # it is not free, or in another zone
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
        if not isinstance(order, int) or not 0 <= order < self.max_order:
            top = self.max_order - 1
            raise BadOrder(f"order {order!r}: expected 0 to {top}, so at most {1 << top} frames at once")

    def _areas(self, zone: Zone) -> list[FreeArea]:
        found = [area for area in self.areas if (area.zone.node, area.zone.name) == (zone.node, zone.name)]
        if not found:
            raise VmlabError(f"zone {zone.name} of node {zone.node} is not one of this machine's zones")
        return found

    def _holding(self, pfn: int) -> FreeArea | None:
        cma = self._cma.holds(pfn)
        return next((area for area in self.areas if area.zone.holds(pfn) and area.cma == cma), None)
