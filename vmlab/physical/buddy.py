"""The buddy allocator: free blocks of 2**order frames, split when asked for, merged when freed.

The buddy of a block is the block whose number differs in one bit, `pfn ^ (1 << order)`; two free buddies of one
zone are merged, unless they are pageblocks of which one is CMA's or kept for atomic requests. Each order has a
list for every migratetype; a request whose type has none left takes another type's largest block, and with it what
it can of the pageblock (Linux 6.1, mm/page_alloc.c: __rmqueue, __free_one_page, __rmqueue_fallback).

Blocks of the highest order that nothing has touched stay ranges, and a zone's arrays are made when the first page
is asked for: taking over 1 TiB costs no more than 1 GiB. What runs is compiled (`buddy_kernels`); every single
request leaves its `steps`.

Left out: guard pages, shuffled free lists, compound pages (a block is freed with the order it was asked for with),
pages that are split or isolated by drivers, memory hotplug.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..ranges import Ranges
from ..units import VmlabError
from . import steps
from .free_area import FREE, ON_PCP, USED, FreeArea, Shape, Span, check_cma
from .migratetype import Migratetype
from .refusals import BadOrder, wrong_free
from .steps import Step
from .zones import Zone

if TYPE_CHECKING:
    import numpy as np

    from .traces import Requests, Served

TRACE_ROWS = 4096


class Buddy:
    """Free frames of every zone. `frames` and `cma` are half-open ranges of frame numbers: all that the page
    allocator owns, and those of the contiguous area among them; `max_order` is the number of free lists.
    """

    def __init__(
        self,
        zones: Iterable[Zone],
        frames: Iterable[Span],
        max_order: int,
        cma: Iterable[Span] = (),
        *,
        pageblock_order: int | None = None,
        grouping: bool = True,
        huge_pages: bool = False,
        cpus: int = 1,
    ) -> None:
        order = max_order - 1 if pageblock_order is None else min(pageblock_order, max_order - 1)
        self.shape = Shape(max_order, order, grouping, huge_pages, cpus)
        self.max_order = max_order
        ordinary, area = Ranges(), Ranges()  # touching ranges become one, or blocks would have to be merged
        for start, end in frames:
            ordinary.add(start, end)
        for start, end in cma:
            area.add(start, end)
        contiguous = [part for span in area for part in ordinary.shared(*span)]
        check_cma(area, self.shape)
        for start, end in contiguous:
            ordinary.remove(start, end)
        self.areas = [FreeArea(zone, self.shape, ordinary, contiguous) for zone in zones]
        self._last: tuple[FreeArea, np.ndarray] | None = None
        self._trace: np.ndarray | None = None

    # --- what is free ---

    def nr_free(self, zone: Zone, *, cma_only: bool = False) -> list[int]:
        """Free blocks of each order, as a line of /proc/buddyinfo; or only those of the contiguous area."""
        counts = self.area_of(zone).counts()
        return [row[Migratetype.CMA] if cma_only else sum(row) for row in counts]

    def nr_free_by_type(self, zone: Zone) -> dict[Migratetype, list[int]]:
        """The same for each migratetype, as /proc/pagetypeinfo."""
        counts = self.area_of(zone).counts()
        return {mt: [row[mt] for row in counts] for mt in Migratetype}

    def free_pages(self, zone: Zone, *, cma_only: bool = False) -> int:
        """Free frames of `zone` (NR_FREE_PAGES, NR_FREE_CMA_PAGES); those on per-CPU lists do not count."""
        return sum(count << order for order, count in enumerate(self.nr_free(zone, cma_only=cma_only)))

    def free_ranges(self, zone: Zone, *, per_cpu: bool = False) -> Iterator[Span]:
        """Free frames of `zone` as ascending half-open ranges that do not touch; `per_cpu`: and those on such lists."""
        return iter(self.area_of(zone).frames(FREE, ON_PCP) if per_cpu else self.area_of(zone).frames(FREE))

    def __repr__(self) -> str:
        free = ", ".join(f"{area.zone.name} {self.free_pages(area.zone):,} pages" for area in self.areas)
        return f"<Buddy: free in {free}>"

    def handed_out(self, zone: Zone) -> Ranges:
        """The frames of `zone` that somebody asked for and has not given back."""
        return self.area_of(zone).frames(USED)

    @property
    def allocated(self) -> dict[int, int]:
        """First frame -> order of every block handed out."""
        return {first: order for area in self.areas for first, order in area.blocks(USED)}

    def block_of(self, pfn: int) -> tuple[int, int] | None:
        """(first frame, order) of the free block that frame `pfn` lies in, None if the frame is not free."""
        return self._block(pfn, FREE, ON_PCP)

    def owns(self, pfn: int) -> bool:
        """Whether frame `pfn` is free: on one of the free lists, or on a CPU's own."""
        return self.block_of(pfn) is not None

    def user_block(self, pfn: int) -> tuple[int, int] | None:
        """(first frame, order) of the block handed out that frame `pfn` lies in."""
        return self._block(pfn, USED)

    def _block(self, pfn: int, *kinds: str) -> tuple[int, int] | None:
        area = self._holding(pfn)
        block = area.block_at(pfn) if area else None
        return block[:2] if block and block[2] in kinds else None

    # --- one request at a time ---

    def alloc(
        self,
        zone: Zone,
        order: int = 0,
        migratetype: int = Migratetype.UNMOVABLE,
        *,
        cpu: int | None = None,
        flags: int = 0,
    ) -> int | None:
        """Hand out 2**order frames of `zone`: the first one's number, or None if no block is large enough.

        With `cpu`, that CPU's list is asked first. `flags` are ALLOC_CMA and the others of `alloc_flags`.
        """
        self.check_order(order)
        if not 0 <= migratetype < Migratetype.HIGHATOMIC:
            raise VmlabError(f"migratetype: expected UNMOVABLE, MOVABLE or RECLAIMABLE, got {migratetype}")
        from .request_kernels import NONE, step_alloc, u64

        if not self.shape.grouping:
            migratetype = Migratetype.UNMOVABLE
        free = self.area_of(zone)
        trace = self.record(free)
        x = step_alloc(free.area, self.cpu(cpu), u64(order), u64(migratetype), u64(flags), trace)
        return None if x == NONE else int(x) + free.base

    def free(self, pfn: int, order: int = 0, *, cpu: int | None = None) -> None:
        """Take back a block that `alloc` handed out; it merges with its buddies while they are free.

        With `cpu`, a small block goes to that CPU's list instead, and merges when the list is drained.
        """
        self.check_order(order)
        free = self._holding(pfn)
        if free is None or not free.touched:
            raise wrong_free(self._holding(pfn), pfn, order)
        from .request_kernels import step_free, u64

        trace = self.record(free)
        if not step_free(free.area, self.cpu(cpu), u64(pfn - free.base), u64(order), trace):
            raise wrong_free(self._holding(pfn), pfn, order)

    def nr_highatomic(self, zone: Zone) -> int:
        """Pages of pageblocks kept for atomic requests of more than one page (zone->nr_reserved_highatomic)."""
        free = self.area_of(zone)
        if not free.touched:
            return 0
        from .buddy_kernels import NR_HIGHATOMIC

        return int(free.area.zone[NR_HIGHATOMIC])

    def reserve_highatomic(self, zone: Zone, pfn: int) -> bool:
        """Keep the pageblock of the block at `pfn`, which an atomic request just got, for more such requests."""
        from .fallback_kernels import reserve_highatomic, u64

        free = self.area_of(zone)
        return bool(reserve_highatomic(free.area, u64(pfn - free.base), self.record(free)))

    def unreserve_highatomic(self, zone: Zone, migratetype: int, force: bool) -> bool:
        """Give one such pageblock with a free page to `migratetype`; the last one only by force."""
        if not self.area_of(zone).touched:
            return False
        from .fallback_kernels import u64, unreserve_highatomic

        free = self.area_of(zone)
        return bool(unreserve_highatomic(free.area, u64(migratetype), force, self.record(free)))

    def take(self, zone: Zone, start: int, end: int) -> list[tuple[int, int]]:
        """Hand out every free frame of `start`..`end`, splitting blocks at the ends, as alloc_contig_range does.

        Returns (first frame, order) of each block taken; give each back with `free`.
        """
        from . import traces

        return traces.take(self, self.area_of(zone), start, end)

    def run(self, zone: Zone, requests: Requests, *, cpu: int | None = None) -> Served:
        """A whole trace of requests in one compiled loop."""
        from . import traces

        return traces.run(self, self.area_of(zone), requests, cpu)

    @property
    def steps(self) -> list[Step]:
        """What the last single request did."""
        if self._last is None:
            return []
        free, trace = self._last
        return steps.read(trace[1 : trace[0, 0] + 1].tolist(), free.base)

    def record(self, free: FreeArea) -> np.ndarray:
        """An empty trace for what is done to a zone next; `steps` reads it."""
        if self._trace is None:
            import numpy as np

            self._trace = np.zeros((TRACE_ROWS, 4), np.int64)
        self._last = free, self._trace
        return self._trace

    # --- refusals ---

    def check_order(self, order: int) -> None:
        """Refuse an order that no free list has."""
        if not isinstance(order, int) or not 0 <= order < self.max_order:
            top = self.max_order - 1
            raise BadOrder(f"order {order!r}: expected 0 to {top}, so at most {1 << top} frames at once")

    def cpu(self, cpu: int | None) -> object:
        """A CPU's number as compiled code takes it; None stays None: no per-CPU list."""
        if cpu is None:
            return None
        if not 0 <= cpu < self.shape.cpus:
            raise VmlabError(f"cpu: expected 0 to {self.shape.cpus - 1}, got {cpu}")
        from .buddy_kernels import u64

        return u64(cpu)

    def area_of(self, zone: Zone) -> FreeArea:
        """One zone's free blocks."""
        for area in self.areas:
            if (area.zone.node, area.zone.name) == (zone.node, zone.name):
                return area
        raise VmlabError(f"zone {zone.name} of node {zone.node} is not one of this machine's zones")

    def _holding(self, pfn: int) -> FreeArea | None:
        return next((area for area in self.areas if area.zone.holds(pfn)), None)
