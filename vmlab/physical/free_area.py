"""One zone's free blocks: ranges as boot handed them over, and arrays from the first allocation on.

Until somebody asks for a page, every answer comes from the ranges, so a machine that is only looked at needs no
compiled code and no memory for its frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ..ranges import Ranges
from ..units import VmlabError
from .migratetype import Migratetype
from .zones import Zone

if TYPE_CHECKING:
    import numpy as np

    from .buddy_kernels import Area

Span = tuple[int, int]
MIGRATETYPES = tuple(Migratetype)
FREE, ON_PCP, USED = "free", "on a per-CPU list", "handed out"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a kernel's configuration says about free lists: how many orders, and how large a pageblock is."""

    max_order: int
    pageblock_order: int
    grouping: bool = True  # pages are kept apart by migratetype (page_group_by_mobility_disabled is 0)
    huge_pages: bool = False  # per-CPU lists hold blocks of pageblock_order, too
    cpus: int = 1


class FreeArea:
    """Zone `zone`'s part of the free frames `ordinary` and `cma`, by the rules of `shape`."""

    def __init__(self, zone: Zone, shape: Shape, ordinary: Iterable[Span], cma: Iterable[Span]) -> None:
        self.zone, self.shape = zone, shape
        self.base = zone.start_pfn & -(1 << shape.max_order - 1)
        self.owned = Ranges()
        self.cma = Ranges()
        self.untouched: dict[Migratetype, Ranges] = {}
        self.handed: list[tuple[int, int, Migratetype]] = []  # smaller blocks: first frame, order, migratetype
        for mt, spans in ((Migratetype.MOVABLE, ordinary), (Migratetype.CMA, cma)):
            self.untouched[mt] = Ranges()
            for start, end in spans:
                self._take_over(mt, max(start, zone.start_pfn), min(end, zone.end_pfn))
        self.handed.sort()

    def _take_over(self, mt: Migratetype, start: int, end: int) -> None:
        """__free_pages_memory: the largest aligned blocks that fit, the whole middle at once."""
        top = self.shape.max_order - 1
        self.owned.add(start, end)
        if mt == Migratetype.CMA:
            self.cma.add(start, end)
        while start < end:
            order = min(top, (start & -start).bit_length() - 1 if start else top)
            while start + (1 << order) > end:
                order -= 1
            if order == top:
                middle = end & -(1 << top)
                self.untouched[mt].add(start, middle)
                start = middle
            else:
                self.handed.append((start, order, mt))
                start += 1 << order

    @cached_property
    def area(self) -> Area:
        """The zone's arrays (numba is imported now)."""
        from . import free_lists

        return free_lists.of_zone(self)

    @property
    def touched(self) -> bool:
        """Whether the arrays exist."""
        return "area" in self.__dict__

    def counts(self) -> list[list[int]]:
        """Free blocks of each order, by migratetype (free_area[order].free_list[migratetype])."""
        if self.touched:
            from . import free_lists

            return free_lists.counts(self.area)
        found = [[0] * len(Migratetype) for _ in range(self.shape.max_order)]
        for _, order, mt in self.handed:
            found[order][mt] += 1
        for mt, spans in self.untouched.items():
            found[-1][mt] += spans.total() >> self.shape.max_order - 1
        return found

    def fresh(self) -> Iterator[Span]:
        """Frames of whole highest-order blocks that nothing has touched."""
        if not self.touched:
            for spans in self.untouched.values():
                yield from spans
            return
        for row in self.area.fresh.tolist():
            if row[0] < row[1]:
                yield self.base + row[0], self.base + row[1]

    def block_at(self, pfn: int) -> tuple[int, int, str] | None:
        """(first frame, order, FREE, ON_PCP or USED) of the block that frame `pfn` lies in, if it is in one."""
        if not self.zone.holds(pfn):
            return None
        top = self.shape.max_order - 1
        if any(start <= pfn < end for start, end in self.fresh()):
            return pfn & -(1 << top), top, FREE
        if not self.touched:
            blocks = ((first, order, FREE) for first, order, _ in self.handed)
            return next((block for block in blocks if block[0] <= pfn < block[0] + (1 << block[1])), None)
        for order in range(top + 1):
            first = pfn & -(1 << order)
            state = int(self.area.state[first - self.base])
            if state and state & 15 == order:
                return first, order, FREE if state < 0x70 else ON_PCP if state < 0xD0 else USED
        return None

    def blocks(self, *kinds: str) -> list[tuple[int, int]]:
        """(first frame, order) of every block of these kinds, ascending, those of fresh ranges left out."""
        if self.touched:
            from . import free_lists

            return list(zip(*(found.tolist() for found in free_lists.blocks(self, kinds)), strict=True))
        return [(first, order) for first, order, _ in self.handed] if FREE in kinds else []

    def spans(self, *kinds: str) -> tuple[np.ndarray, np.ndarray]:
        """Starts and ends (frame numbers, int64) of every block of these kinds; a fresh range is one."""
        import numpy as np

        fresh = np.array(list(self.fresh()) if FREE in kinds else [], np.int64).reshape(-1, 2)
        if self.touched:
            from . import free_lists

            firsts, orders = free_lists.blocks(self, kinds)
        else:
            firsts, orders = np.array(self.blocks(*kinds), np.int64).reshape(-1, 2).T
        ends = firsts + (1 << orders.astype(np.int64))
        return np.concatenate((firsts, fresh[:, 0])), np.concatenate((ends, fresh[:, 1]))

    def frames(self, *kinds: str) -> Ranges:
        """The frames of every block of these kinds."""
        found = Ranges()
        spans = [(first, first + (1 << order)) for first, order in self.blocks(*kinds)]
        for start, end in sorted(spans + (list(self.fresh()) if FREE in kinds else [])):
            if found.ends and found.ends[-1] == start:
                found.ends[-1] = end  # ascending: what Ranges.add would do, without its search
            else:
                found.starts.append(start)
                found.ends.append(end)
        return found

    def block_types(self, first: int, end: int) -> list[int]:
        """Pageblocks of each migratetype, asked at every pageblock's worth of frames from `first` on, as
        /proc/pagetypeinfo counts them.
        """
        found = [0] * len(Migratetype)
        if self.touched:
            for mt in self.types(first, end):
                found[mt] += 1
            return found
        pages = 1 << self.shape.pageblock_order
        for low, high in self.cma:
            found[Migratetype.CMA] += len(range(max(0, low - first) // pages, -(-(min(end, high) - first) // pages)))
        found[Migratetype.MOVABLE] = len(range(first, end, pages)) - found[Migratetype.CMA]
        return found

    def types(self, first: int, end: int) -> list[Migratetype]:
        """The migratetype of each of these pageblocks, asked at the same frames."""
        pages = 1 << self.shape.pageblock_order
        if not self.touched:
            in_cma = [any(self.cma.shared(pfn, pfn + pages)) for pfn in range(first, end, pages)]
            return [Migratetype.CMA if inside else Migratetype.MOVABLE for inside in in_cma]
        from . import free_lists

        numbers = free_lists.types(self.area, range(first - self.base, end - self.base, pages))
        return [MIGRATETYPES[number] for number in numbers.tolist()]

    def scanned(self) -> Iterator[Span]:
        """Stretches of frames that may hold anything but fresh blocks: only there has `state` been written."""
        rest = Ranges(list(self.owned.starts), list(self.owned.ends))
        for start, end in self.fresh():
            rest.remove(start, end)
        return iter(rest)


def check_cma(cma: Iterable[Span], shape: Shape) -> None:
    """cma_init_reserved_mem: an area of whole pageblocks, or its neighbours would merge with it."""
    pages = 1 << shape.pageblock_order
    for start, end in cma:
        if start % pages or end % pages:
            raise VmlabError(
                f"cma: expected whole pageblocks of {pages} frames (CMA_MIN_ALIGNMENT_PAGES), "
                f"got pfn {start:#x}..{end:#x}"
            )
