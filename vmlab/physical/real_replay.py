"""Play a real kernel's requests in the model, from its free lists at the beginning on, and look what each one gets.

The model is told what was asked for and what was given back, never which frame anything was: a block that the real
kernel gave back is the one that the model gave for the same request. Zones come from the requests' flags, per-CPU
lists from the zones' batch and high, and how many pages alloc_pages_bulk took from what it returned.

Left out: watermarks (nothing at boot comes near them), ALLOC_NOFRAGMENT, and interrupts in the middle of a request.
"""

from __future__ import annotations

from dataclasses import dataclass

from .buddy_kernels import CMA, MOVABLE, NONE, PCP_COUNTS, Z, u64
from .fallback_kernels import ALLOC_CMA
from .pcp_kernels import drain
from .real_areas import Area, area_of, lists_of, with_pagesets
from .real_follow import Followed, follow
from .real_frees import free_past
from .real_kernels import mark_used
from .real_share import Request, Share
from .real_trace import ALLOC, BULK, CONTIG, CORE, EXACT, FREE, PAGESETS, WATERMARKS, Blocks, RealTrace, RealZone
from .request_kernels import step_alloc, step_free


@dataclass(slots=True)
class Replayed:
    """How many requests got the frame that they really got; what the free lists are in the end."""

    frames: Share
    until_first: int  # requests before the first difference
    lists: dict[RealZone, Blocks]


def replay(trace: RealTrace, followed: Followed | None = None) -> Replayed:
    """All requests, in order, none corrected."""
    state = _State(trace)
    for request in (followed or follow(trace)).requests:
        state.play(request)
    share = state.frames
    lists = {zone: lists_of(area, base) for zone, (area, base) in state.areas.items()}
    return Replayed(share, share.total if state.first < 0 else state.first, lists)


class _State:
    """The model's areas, and which of its frames stands for which real one."""

    def __init__(self, trace: RealTrace) -> None:
        import numpy as np

        self.trace = trace
        self.areas: dict[RealZone, tuple[Area, int]] = {zone: area_of(trace, zone) for zone in trace.zones}
        self.frames, self.first = Share(), -1
        self.in_contig = False
        self.ours: dict[int, int] = {}  # real frame in use -> ours
        self.notes = np.zeros((4, 4), np.int64)

    def play(self, request: Request) -> None:
        """One request."""
        if request.kind == ALLOC:
            self._alloc(request)
        elif request.kind in (FREE, CORE, EXACT, CONTIG):
            self._free(request)
        elif request.kind == BULK:
            self._bulk(request)
        elif request.kind in (PAGESETS, WATERMARKS):
            self._pagesets(request.kind == WATERMARKS)

    def _pagesets(self, has_watermarks: bool) -> None:
        """zone_set_pageset_high_and_batch: `high` follows from the watermarks, which are 0 at first."""
        for zone, (area, base) in self.areas.items():
            batch = zone.batch if has_watermarks else self.trace.early_batch(zone)
            self.areas[zone] = with_pagesets(area, batch, zone.high if has_watermarks else 4 * batch), base

    def _bulk(self, request: Request) -> None:
        """All from the first zone; which real frames stand for ours was found out by following."""
        zone = self.trace.zones_for(request.gfp)[0]
        ours = [self._get(zone, 0, request.migratetype) for _ in range(request.count)]
        self.ours |= dict(zip(request.frames, ours, strict=False))

    def _alloc(self, request: Request) -> None:
        got = -1
        for zone in self.trace.zones_for(request.gfp):
            got = self._get(zone, request.order, request.migratetype)
            if got >= 0:
                break
        if not self.frames.count(request.at, request.order, request.migratetype, request.pfn, got) and self.first < 0:
            self.first = self.frames.total - 1
        for page in range(1 << request.order if got >= 0 else 0):
            self.ours[request.pfn + page] = got + page

    def _get(self, zone: RealZone, order: int, migratetype: int) -> int:
        area, base = self.areas[zone]
        may = ALLOC_CMA if migratetype == MOVABLE else Z
        x = step_alloc(area, Z, u64(order), u64(MOVABLE if migratetype == CMA else migratetype), may, self.notes)
        return -1 if x == NONE else int(x) + base

    def _free(self, request: Request) -> None:
        """Give back our block for a real one; one that no request got is boot's."""
        pages = range(request.pfn, request.pfn + (1 << request.order))
        known = [self.ours.pop(pfn, None) for pfn in pages]
        pfn = known[0] if known[0] is not None else request.pfn
        area, base = self.areas[self.trace.zone_of(pfn)]
        x = u64(pfn - base)
        if request.kind == CONTIG and not self.in_contig:  # alloc_contig_range: drain_all_pages
            drain(area, Z, area.zone[PCP_COUNTS], Z, None)
        self.in_contig = request.kind == CONTIG
        if request.kind == EXACT:
            mark_used(area, x, u64(request.order))
        if request.kind != FREE:
            free_past(area, int(x), request.order, request.kind)
            return
        if mark_used(area, x, u64(request.order)):
            step_free(area, Z, x, u64(request.order), self.notes)
