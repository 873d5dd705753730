"""alloc_pages: from gfp flags to a block, through the zonelist, its watermarks, the CPU's list and the free lists.

A request for up to 8 pages is served from a per-CPU list. A zone of which other types' pageblocks would have to
be broken comes second (ALLOC_NOFRAGMENT); atomic requests for more than one page have pageblocks of their own.
Before a request that may wait fails, such a pageblock and the per-CPU lists are given back (Linux 6.1,
mm/page_alloc.c: __alloc_pages, get_page_from_freelist, __alloc_pages_slowpath, __alloc_pages_bulk).

Left out: reclaim and compaction while a request waits (compaction.py is for asking for it), and so what __GFP_NOFAIL,
__GFP_NORETRY and __GFP_RETRY_MAYFAIL say about waiting longer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..units import VmlabError
from . import gfp as flags
from . import pcp
from .buddy import Buddy
from .migratetype import Migratetype, of_gfp
from .zonelist import AllocFlags, NoPage, Page, Refusal, shortage, zonelist
from .zones import Node, Zone


class PageAllocator:
    """alloc_pages over the zonelists of `nodes`: buddy's blocks, handed out by the watermarks' rules."""

    def __init__(self, nodes: list[Node], buddy: Buddy) -> None:
        self.nodes, self.buddy = nodes, buddy

    def alloc(self, order: int, gfp: str | int, node: int | None = None, cpu: int = 0) -> Page | NoPage:
        """One block, or the reasons why there is none: first above the low mark, then as far as gfp allows."""
        self.buddy.check_order(order)
        self.buddy.cpu(cpu)
        request = _Request(self, order, flags.mask(gfp), node, cpu)
        page = request.passes()
        if page is None and flags.has(request.gfp, "__GFP_DIRECT_RECLAIM"):
            for force in (False, True):  # __alloc_pages_direct_reclaim, then should_reclaim_retry
                if page is None and self.give_back(request.tries, request.migratetype, force):
                    page = request.passes()
        return page or NoPage(order, str(gfp), tuple(request.refusals))

    def alloc_bulk(self, count: int, gfp: str | int, node: int | None = None, cpu: int = 0) -> list[Page]:
        """Up to `count` single pages at once, from the first zone that has them all above its low mark (or none).

        Fewer come when the zone's lists end before; then, and for movable pages, ask one by one with `alloc`
        (__alloc_pages_bulk; the kernel takes movable pages in bulk, too).
        """
        if count < 1:
            raise VmlabError(f"alloc_bulk: expected to be asked for 1 page or more, got {count}")
        self.buddy.cpu(cpu)
        request = _Request(self, 0, flags.mask(gfp), node, cpu)
        return [] if request.migratetype == Migratetype.MOVABLE else request.bulk(count)

    def free(self, pfn: int, order: int, cpu: int = 0) -> None:
        """free_pages: to the CPU's list, or to the zone."""
        self.buddy.free(pfn, order, cpu=cpu)

    def drain(self) -> int:
        """drain_all_pages: give everything on per-CPU lists back to the zones; how many pages that were."""
        return pcp.drain(self.buddy)

    def give_back(self, zones: Iterable[Zone], migratetype: Migratetype, force: bool) -> bool:
        """What is left to try without reclaim: a highatomic pageblock, and all per-CPU lists; whether it gave any."""
        unreserved = any(self.buddy.unreserve_highatomic(zone, migratetype, force) for zone in zones)
        return self.drain() > 0 or unreserved


class _Request:
    """One request on its way through the zonelist (struct alloc_context)."""

    def __init__(self, allocator: PageAllocator, order: int, gfp: int, node: int | None, cpu: int) -> None:
        self.buddy, self.order, self.gfp, self.cpu = allocator.buddy, order, gfp, cpu
        self.migratetype = of_gfp(gfp)
        local = allocator.nodes[0].id if node is None else node
        tries = zonelist(allocator.nodes, local, this_node=flags.has(gfp, "__GFP_THISNODE"))
        self.highest = flags.highest_zone(gfp, allocator.nodes[0].zones)
        self.tries = [zone for zone in tries if zone.index <= self.highest]
        self.spread = self._may_spread(allocator.nodes)
        self.refusals: list[Refusal] = []

    def _may_spread(self, nodes: list[Node]) -> bool:
        """alloc_flags_nofragment: a request for Normal rather takes DMA32 than breaks another type's pageblock."""
        if not self.tries or self.tries[0].name != "Normal":
            return False
        here = next(node for node in nodes if node.id == self.tries[0].node)
        below = next((zone for zone in here.zones if zone.name == "DMA32"), None)
        return below is not None and (len(nodes) == 1 or below.populated)

    def passes(self) -> Page | None:
        """The fast path above the low mark, then what the slow path may do, with less and less kept back."""
        fast = AllocFlags(cma=AllocFlags.of(self.gfp).cma)
        slow = AllocFlags.of(self.gfp, self.order)
        page = self._walk("low", replace(fast, nofragment=True)) if self.spread else None
        page = page or self._walk("low", fast) or self._walk("min", slow)
        if page is None and flags.has(self.gfp, "__GFP_MEMALLOC") and not flags.has(self.gfp, "__GFP_NOMEMALLOC"):
            page = self._walk("none", AllocFlags(cma=slow.cma))  # __gfp_pfmemalloc_flags
        return page

    def _walk(self, mark: str, alloc: AllocFlags) -> Page | None:
        """get_page_from_freelist."""
        self.refusals.clear()
        for zone in self.tries:
            if alloc.nofragment and zone.node != self.tries[0].node:
                break  # locality is more important than avoiding fragmentation
            why = "" if mark == "none" else self._refuses(zone, mark, alloc)
            pfn = None if why else self._rmqueue(zone, alloc)
            if pfn is not None:
                return Page(pfn, self.order, zone.node, zone.name, mark)
            self.refusals.append(Refusal(zone.node, zone.name, why or f"no free block of order {self.order}"))
        return None

    def bulk(self, count: int) -> list[Page]:
        """The batch of __alloc_pages_bulk: one zone of the nearest node, its mark raised by the pages asked for."""
        near = (zone for zone in self.tries if zone.node == self.tries[0].node)
        zone = next((zone for zone in near if not self._refuses(zone, "low", AllocFlags(), count)), None)
        if zone is None:
            return []
        import numpy as np

        from .traces import ALLOC, Requests

        slots = np.arange(count)
        served = self.buddy.run(
            zone, Requests(slots * 0 + ALLOC, slots * 0, slots * 0 + self.migratetype, slots), cpu=self.cpu
        )
        return [Page(pfn, 0, zone.node, zone.name, "low") for pfn in served.pfn.tolist() if pfn >= 0]

    def _rmqueue(self, zone: Zone, alloc: AllocFlags) -> int | None:
        pfn = self.buddy.alloc(zone, self.order, self.migratetype, cpu=self.cpu, flags=alloc.bits)
        if pfn is not None and alloc.highatomic:
            self.buddy.reserve_highatomic(zone, pfn)
        return pfn

    def _refuses(self, zone: Zone, mark: str, alloc: AllocFlags, more: int = 0) -> str:
        pages = (zone.watermark.low if mark == "low" else zone.watermark.min) + more
        by_type = self.buddy.nr_free_by_type(zone)
        total = [sum(counts) for counts in zip(*by_type.values(), strict=True)]
        kept = by_type[Migratetype.HIGHATOMIC], self.buddy.nr_highatomic(zone)
        reserve = zone.lowmem_reserve[self.highest]
        return shortage(total, self.order, pages, reserve, alloc, by_type[Migratetype.CMA], *kept)
