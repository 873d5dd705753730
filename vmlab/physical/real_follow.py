"""Follow a real page allocator event by event, and say before each one what the model would do.

The model's state is the real one so far: where it would have done something else it is told what happened and
goes on from there. Two questions are asked of it. Which block leaves the free lists (LOCKED)? Which page of a
CPU's list does a request get (ALLOC of a small order)? What was asked for goes into `requests`, which `real_replay`
plays without being told anything on the way. The frames that alloc_pages_bulk took have no event: they are the first
ones of the CPU's list, as many as it returned.
"""

from __future__ import annotations

from collections import defaultdict

from .buddy_kernels import CMA, HIGHATOMIC, MOVABLE, NONE, PCPTYPES, Z, u64
from .fallback_kernels import ALLOC_CMA, ALLOC_HIGHATOMIC
from .pcp_kernels import COSTLY_ORDER
from .real_areas import BOOT_BATCH, Area, area_of, lists_of, type_at
from .real_frees import batched, free_past
from .real_kernels import give_back, take_at
from .real_share import Followed, Request, Share
from .real_trace import (
    ALLOC,
    BATCHED,
    BULK,
    CONTIG,
    CORE,
    DRAIN,
    EXACT,
    FREE,
    LOCKED,
    PAGESETS,
    STEAL,
    WATERMARKS,
    RealTrace,
    RealZone,
)
from .request_kernels import step_alloc

Key = tuple[RealZone, int, int]  # a per-CPU list: zone, order, migratetype


def is_small(trace: RealTrace, order: int) -> bool:
    """pcp_allowed_order."""
    return order <= int(COSTLY_ORDER) or (bool(trace.about["huge_pages"]) and order == trace.about["pageblock_order"])


def follow(trace: RealTrace) -> Followed:
    """Every event of a trace, in order."""
    state = _State(trace)
    for number, row in enumerate(trace.events.tolist()):
        state.event(number, *row)
    lists = {zone: lists_of(area, base) for zone, (area, base) in state.areas.items()}
    return Followed(
        state.blocks,
        state.pages,
        state.requests,
        state.bulk_pages,
        state.lost_pages,
        state.early,
        state.after_lost,
        state.unseen,
        lists,
    )


class _State:
    """The real allocator as far as its events tell it."""

    def __init__(self, trace: RealTrace) -> None:
        import numpy as np

        self.trace = trace
        self.areas: dict[RealZone, tuple[Area, int]] = {zone: area_of(trace, zone) for zone in trace.zones}
        self.blocks, self.pages, self.bulk_pages, self.lost_pages = Share(), Share(), 0, 0
        self.early: list[int] = []
        self.after_lost: list[int] = []
        self.unseen: list[int] = []
        self.requests: list[Request] = []
        self.lists: defaultdict[Key, list[int]] = defaultdict(list)
        self.where: dict[int, Key] = {}  # the list that a page is on
        self.run: tuple[Key, int] | None = None  # the list being refilled, and how many blocks have come
        self.bulk: tuple[Key, int, list[int]] | None = None  # a list, what is still to be taken, and what was
        self.past = ALLOC  # CORE, CONTIG or EXACT: the next FREE goes past the CPU's list
        self.batch: dict[RealZone, int] = {}  # of the per-CPU lists; none yet
        self.in_batch = batched(trace)
        self.notes = np.zeros((4, 4), np.int64)  # the steps of the last request; not wanted here

    def event(self, number: int, kind: int, pfn: int, order: int, migratetype: int, gfp: int, _: int) -> None:
        """One event."""
        if kind not in (LOCKED, STEAL):
            self.run = None
            if self.bulk is not None:
                self._unseen_refill(number, self.bulk[0])
        if kind != FREE:
            self.past = ALLOC
        if kind == LOCKED:
            self._locked(number, pfn, order, migratetype)
        elif kind == ALLOC:
            self.requests.append(Request(number, ALLOC, pfn, order, migratetype, gfp))
            if is_small(self.trace, order):
                self._alloc(number, pfn, order, migratetype)
        elif kind == BATCHED or (kind == FREE and number not in self.in_batch):
            self._free(number, pfn, order)
        elif kind == DRAIN:
            self._drain(pfn, order, migratetype)
        elif kind in (CORE, CONTIG, EXACT):
            self.past = kind
        elif kind in (BULK, PAGESETS, WATERMARKS):
            if kind == PAGESETS:
                self.batch = {zone: self.trace.early_batch(zone) for zone in self.areas}
            elif kind == WATERMARKS:
                self.batch = {zone: zone.batch for zone in self.areas}
            self.requests.append(Request(number, kind, 0, 0, migratetype, gfp, pfn if kind == BULK else 0))
            if kind == BULK:
                self.bulk = (self.trace.zones_for(gfp)[0], 0, migratetype), pfn, self.requests[-1].frames
                self._take_bulk()

    def _take_bulk(self) -> None:
        """alloc_pages_bulk takes the first pages of a list; what is not there yet comes with the next refill."""
        if self.bulk is None:
            return
        key, left, taken = self.bulk
        came = self.lists[key][:left]
        taken += came
        self._forget(key, len(came))
        self.bulk_pages += len(came)
        self.bulk = (key, left - len(came), taken) if left > len(came) else None

    def _locked(self, number: int, pfn: int, order: int, migratetype: int) -> None:
        """A block leaves the free lists."""
        zone = self.trace.zone_of(pfn)
        area, base = self.areas[zone]
        asked, flags = u64(migratetype), Z
        if migratetype in (CMA, MOVABLE):
            asked, flags = MOVABLE, ALLOC_CMA
        elif migratetype == HIGHATOMIC:
            asked, flags = MOVABLE, ALLOC_HIGHATOMIC
        x = step_alloc(area, None, u64(order), asked, flags, self.notes)
        model = -1 if x == NONE else int(x) + base
        if not self.blocks.count(number, order, migratetype, pfn, model):
            if x != NONE:
                give_back(area, x, u64(order), u64(type_at(area, int(x))), False)
            take_at(area, u64(pfn - base), u64(order))
        if is_small(self.trace, order):
            self._refilled((zone, order, int(asked)), pfn)

    def _most(self, key: Key) -> int:
        """Blocks of one refill (rmqueue_pcplist)."""
        batch = self.batch.get(key[0], BOOT_BATCH)
        return max(batch >> key[1], 2) if batch > 1 else 1

    def _refilled(self, key: Key, pfn: int) -> None:
        """A list gets one more block; a list that is refilled was empty, so what was on it is gone."""
        if self.run is None or self.run[0] != key or self.run[1] == self._most(key):
            self._lose(key, len(self.lists[key]))
            self.run = key, 0
        self.run = key, self.run[1] + 1
        self.lists[key].append(pfn)
        self.where[pfn] = key
        if self.bulk is not None and self.bulk[0] == key:
            self._take_bulk()

    def _forget(self, key: Key, count: int) -> None:
        """The first pages of a list are on it no more."""
        for pfn in self.lists[key][:count]:
            self.where.pop(pfn, None)
        del self.lists[key][:count]

    def _lose(self, key: Key, count: int) -> None:
        """The same, and nothing said so."""
        self._forget(key, count)
        self.lost_pages += count

    def _alloc(self, number: int, pfn: int, order: int, migratetype: int) -> None:
        """A request gets a page of a CPU's list: its first."""
        key = (self.trace.zone_of(pfn), order, migratetype)
        listed = self.lists[key]
        if not listed:
            self._unseen_refill(number, key, pfn)
        self.pages.count(number, order, migratetype, pfn, listed[0] if listed else -1)
        if self.where.get(pfn) == key:
            if listed[0] != pfn:
                self.after_lost.append(number)
            self._lose(key, listed.index(pfn))
            self._forget(key, 1)
        elif listed and self._came_before_bulk(pfn):
            self.early.append(number)
            self.requests[-2].frames.append(listed[0])
            self.requests[-2:] = reversed(self.requests[-2:])
            self._forget(key, 1)

    def _came_before_bulk(self, pfn: int) -> bool:
        """Whether a request that follows a call of alloc_pages_bulk got its page before that took any: the event says
        when the call began. If so, its frame is taken from those of the call.
        """
        before = self.requests[-2] if len(self.requests) > 1 else self.requests[-1]
        if before.kind != BULK or pfn not in before.frames:
            return False
        before.frames.remove(pfn)
        return True

    def _unseen_refill(self, number: int, key: Key, pfn: int = -1) -> None:
        """A page comes from nowhere, or alloc_pages_bulk found an empty list and nothing refilled it: the kernel had
        switched its events off for a while. The model's own refill takes the place of the real one, if it has the page.
        """
        area, base = self.areas[key[0]]
        flags = ALLOC_CMA if key[2] == MOVABLE else Z
        came = []
        for _ in range(self._most(key)):
            x = step_alloc(area, None, u64(key[1]), u64(key[2]), flags, self.notes)
            came += [] if x == NONE else [int(x) + base]
        if pfn >= 0 and pfn not in came:
            for block in reversed(came):
                x = u64(block - base)
                give_back(area, x, u64(key[1]), u64(type_at(area, int(x))), False)
            return
        self.unseen.append(number)
        self.run = None
        for block in came:
            self._refilled(key, block)
        self.run = self.bulk = None

    def _free(self, number: int, pfn: int, order: int) -> None:
        """A block given back: to the list of its pageblock's type, or to the free lists."""
        zone = self.trace.zone_of(pfn)
        area, base = self.areas[zone]
        if self.past != ALLOC or not is_small(self.trace, order):
            self.requests.append(Request(number, self.past if self.past != ALLOC else FREE, pfn, order))
            free_past(area, pfn - base, order, self.past)
            self.past = CONTIG if self.past == CONTIG else ALLOC
            return
        if old := self.where.get(pfn):
            self._lose(old, self.lists[old].index(pfn) + 1)
        self.requests.append(Request(number, FREE, pfn, order))
        mt = type_at(area, pfn - base)
        key = zone, order, mt if mt < PCPTYPES else int(MOVABLE)
        self.lists[key].insert(0, pfn)
        self.where[pfn] = key

    def _drain(self, pfn: int, order: int, migratetype: int) -> None:
        """A block goes from a CPU's list to the free lists."""
        area, base = self.areas[self.trace.zone_of(pfn)]
        if key := self.where.pop(pfn, None):
            self.lists[key].remove(pfn)
        give_back(area, u64(pfn - base), u64(order), u64(migratetype), False)
