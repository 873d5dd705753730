"""Follow a real page allocator event by event, and say before each one what the model would do.

The model's state is the real one so far: where it would have done something else it is told what happened and
goes on from there. Two questions are asked of it. Which block leaves the free lists (LOCKED)? Which page of a
CPU's list does a request get (ALLOC of a small order): the head, or one behind those that alloc_pages_bulk took,
which has no event? What it took comes out here, from the pages that are missing, and goes into `requests`, which
`real_replay` plays without being told anything on the way.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from .buddy_kernels import CMA, HIGHATOMIC, MOVABLE, NONE, PCPTYPES, Z, u64
from .fallback_kernels import ALLOC_CMA, ALLOC_HIGHATOMIC
from .pcp_kernels import COSTLY_ORDER
from .real_areas import BOOT_BATCH, Area, area_of, lists_of, type_at
from .real_frees import batched, free_past
from .real_kernels import give_back, take_at
from .real_share import Request, Share
from .real_trace import (
    ALLOC,
    BATCHED,
    BULK,
    CONTIG,
    CORE,
    DRAIN,
    FREE,
    LOCKED,
    PAGESETS,
    STEAL,
    WATERMARKS,
    Blocks,
    RealTrace,
    RealZone,
)
from .request_kernels import step_alloc

Key = tuple[RealZone, int, int]  # a per-CPU list: zone, order, migratetype


@dataclass(slots=True)
class Followed:
    """What following a trace brought: both shares, the requests, and the free lists the model ends with."""

    blocks: Share
    pages: Share
    requests: list[Request]
    bulk_pages: int
    unseen_refills: int
    lists: dict[RealZone, Blocks]


def is_small(trace: RealTrace, order: int) -> bool:
    """pcp_allowed_order."""
    return order <= int(COSTLY_ORDER) or (bool(trace.about["huge_pages"]) and order == trace.about["pageblock_order"])


def follow(trace: RealTrace) -> Followed:
    """Every event of a trace, in order."""
    state = _State(trace)
    for number, row in enumerate(trace.events.tolist()):
        state.event(number, *row)
    lists = {zone: lists_of(area, base) for zone, (area, base) in state.areas.items()}
    requests = []
    for place, request in enumerate(state.requests):
        taken = state.taken.get(place, Counter()).items()
        requests += [Request(request.at, BULK, key[0].start, 0, key[2], 0, count) for key, count in taken]
        requests += [request] if request.kind != BULK else []
    return Followed(state.blocks, state.pages, requests, state.bulk_pages, state.unseen_refills, lists)


class _State:
    """The real allocator as far as its events tell it."""

    def __init__(self, trace: RealTrace) -> None:
        import numpy as np

        self.trace = trace
        self.areas: dict[RealZone, tuple[Area, int]] = {zone: area_of(trace, zone) for zone in trace.zones}
        self.blocks, self.pages, self.bulk_pages, self.unseen_refills = Share(), Share(), 0, 0
        self.requests: list[Request] = []
        self.lists: defaultdict[Key, list[int]] = defaultdict(list)
        self.where: dict[int, Key] = {}  # the list that a page is on
        self.asked: dict[Key, int] = {}  # how many requests there were when a list was last asked
        self.run: tuple[Key, int] | None = None  # the list being refilled, and how many blocks have come
        self.taken: defaultdict[int, Counter[Key]] = defaultdict(Counter)  # what each BULK took, and from where
        self.bulk = -1  # the last BULK's place in `requests`
        self.past = ALLOC  # CORE or CONTIG: the next FREE goes past the CPU's list
        self.batch: dict[RealZone, int] = {}  # of the per-CPU lists; none yet
        self.in_batch = batched(trace)
        self.notes = np.zeros((4, 4), np.int64)  # the steps of the last request; not wanted here

    def event(self, number: int, kind: int, pfn: int, order: int, migratetype: int, gfp: int) -> None:
        """One event."""
        if kind not in (LOCKED, STEAL):
            self.run = None
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
        elif kind in (CORE, CONTIG):
            self.past = kind
        elif kind in (BULK, PAGESETS, WATERMARKS):
            if kind == PAGESETS:
                self.batch = {zone: self.trace.early_batch(zone) for zone in self.areas}
            elif kind == WATERMARKS:
                self.batch = {zone: zone.batch for zone in self.areas}
            self.bulk = len(self.requests) if kind == BULK else self.bulk
            self.requests.append(Request(number, kind))

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
            self._missing(key, len(self.lists[key]))
            self.run = key, 0
        self.run = key, self.run[1] + 1
        self.lists[key].append(pfn)
        self.where[pfn] = key

    def _missing(self, key: Key, count: int) -> None:
        """The first pages of a list have been taken without an event, by the last BULK."""
        for pfn in self.lists[key][:count]:
            self.where.pop(pfn, None)
        del self.lists[key][:count]
        if count and key[1] == 0 and self.bulk >= 0:
            self.taken[self.bulk][key] += count
            self.bulk_pages += count

    def _alloc(self, number: int, pfn: int, order: int, migratetype: int) -> None:
        """A request gets a page of a CPU's list."""
        key = (self.trace.zone_of(pfn), order, migratetype)
        if self.where.get(pfn) != key:
            self._unseen_refill(key, pfn)
        listed = self.lists[key]
        place = listed.index(pfn) if self.where.get(pfn) == key else -1
        behind_bulk = place > 0 and order == 0 and self.bulk >= self.asked.get(key, 0)
        model = pfn if place == 0 or behind_bulk else listed[0] if listed else -1
        agree = self.pages.count(number, order, migratetype, pfn, model)
        if place > 0 and not agree and self._freed_meanwhile(number, listed[:place]):
            place = 0
        if place >= 0:
            self._missing(key, place)
            self.where.pop(pfn)
            del listed[:1]
        self.asked[key] = len(self.requests)

    def _freed_meanwhile(self, number: int, pages: list[int]) -> bool:
        """Whether an interrupt freed these pages in the middle of the request: the CPU's list was locked, and so they
        went to the free lists instead (free_unref_page: pcp_spin_trylock failed). If so, that is put right.
        """
        freed = self.requests[-1 - len(pages) : -1]
        if sorted(request.pfn for request in freed if request.kind == FREE) != sorted(pages):
            return False
        if any(request.at < number - 2 * len(pages) for request in freed):
            return False
        for request in freed:
            area, base = self.areas[self.trace.zone_of(request.pfn)]
            x = request.pfn - base
            give_back(area, u64(x), u64(request.order), u64(type_at(area, x)), False)
            self.lists[self.where.pop(request.pfn)].remove(request.pfn)
        return True

    def _unseen_refill(self, key: Key, pfn: int) -> None:
        """A page comes from nowhere: while the kernel switched its events off and on again, a list was refilled.

        The model's own refill takes its place, if that has the page.
        """
        area, base = self.areas[key[0]]
        flags = ALLOC_CMA if key[2] == MOVABLE else Z
        came = []
        for _ in range(self._most(key)):
            x = step_alloc(area, None, u64(key[1]), u64(key[2]), flags, self.notes)
            came += [] if x == NONE else [int(x) + base]
        if pfn not in came:
            for block in reversed(came):
                x = u64(block - base)
                give_back(area, x, u64(key[1]), u64(type_at(area, int(x))), False)
            return
        self.unseen_refills += 1
        self.run = None
        for block in came:
            self._refilled(key, block)
        self.run = None

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
            self._missing(old, self.lists[old].index(pfn) + 1)
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
