"""The compiled buddy allocator against the kernel's source written out: same frames, same lists, nothing lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from naive_buddy import ALLOC_CMA, ALLOC_HIGHATOMIC, ALLOC_NOFRAGMENT, ALLOC_RESERVE, NaiveZone

from vmlab.physical import buddy_kernels as at
from vmlab.physical import pcp, traces
from vmlab.physical.buddy import Buddy
from vmlab.physical.free_area import FREE, USED
from vmlab.physical.free_lists import listed
from vmlab.physical.refusals import BadFree, BadOrder, DoubleFree
from vmlab.physical.zones import Zone

MAX_ORDER, PAGEBLOCK = 6, 3  # blocks of 1 .. 32 frames, pageblocks of 8
CPUS = 2
CMA = (88, 128)
FLAGS = (0, ALLOC_CMA, ALLOC_NOFRAGMENT, ALLOC_HIGHATOMIC, ALLOC_RESERVE)


def zones() -> list[Zone]:
    """Two zones that meet inside a block, as Normal and HighMem do on i386 (0x36bfe); the second has a CMA area."""
    return [
        Zone(0, 0, "Normal", start_pfn=3, spanned_pages=70, managed_pages=70, pcp_batch=3, pcp_high=12),
        Zone(0, 1, "HighMem", start_pfn=73, spanned_pages=180, cma_pages=40, pcp_batch=2, pcp_high=9),
    ]


def lists(buddy: Buddy, zone: Zone) -> dict[tuple[int, int], list[int]]:
    """Every free list in order, with the fresh blocks where they stand: behind the others."""
    free = buddy.area_of(zone)
    area, found = free.area, {}
    for order in range(MAX_ORDER):
        for mt in range(6):
            found[order, mt] = [x + free.base for x in listed(area, int(area.rows) + order * 6 + mt)]
    for first, end, mt in area.fresh.tolist():
        found[MAX_ORDER - 1, mt] += range(first + free.base, end + free.base, 1 << (MAX_ORDER - 1))
    return found


def painted(buddy: Buddy, zone: Zone) -> list[set[int]]:
    """The frames of the blocks that a map draws as free, and as handed out."""
    found = [zip(*map(np.ndarray.tolist, buddy.area_of(zone).spans(kind)), strict=True) for kind in (FREE, USED)]
    return [{pfn for start, end in spans for pfn in range(start, end)} for spans in found]


def looked_at(buddy: Buddy, zone: Zone) -> tuple:
    """What can be said of a zone's frames, whether there are arrays or not."""
    types = buddy.area_of(zone).types(zone.start_pfn & -(1 << PAGEBLOCK), zone.end_pfn)
    return buddy.nr_free(zone), list(buddy.free_ranges(zone)), painted(buddy, zone), types


def arrays(buddy: Buddy) -> list[bytes]:
    return [array.tobytes() for free in buddy.areas for array in free.area[:5]]


RANGES = st.lists(st.tuples(st.integers(0, 260), st.integers(1, 130)).map(lambda r: (r[0], r[0] + r[1])), max_size=5)


class BuddyAgainstTheSource(RuleBasedStateMachine):
    """Every request gets the same frame as in the model, and every list is the same afterwards."""

    @initialize(ranges=RANGES, huge_pages=st.booleans())
    def start(self, ranges: list[tuple[int, int]], huge_pages: bool) -> None:
        self.zones, self.given_back = zones(), False
        shape = {"pageblock_order": PAGEBLOCK, "huge_pages": huge_pages, "cpus": CPUS}
        self.buddy = Buddy(self.zones, ranges, MAX_ORDER, [CMA], **shape)
        frames = {pfn for start, end in ranges for pfn in range(start, end)}
        self.owned = {pfn for pfn in frames if any(zone.holds(pfn) for zone in self.zones)}
        self.naive = []
        for zone in self.zones:
            owned = {pfn for pfn in frames if zone.holds(pfn)}
            limits = MAX_ORDER, PAGEBLOCK, zone.pcp_batch, zone.pcp_high, huge_pages, CPUS
            self.naive.append(NaiveZone(zone.start_pfn, zone.end_pfn, owned, set(range(*CMA)), *limits))
            self.naive[-1].managed = zone.managed_pages
            before = looked_at(self.buddy, zone)
            assert not self.buddy.area_of(zone).touched
            lists(self.buddy, zone)  # from here on there are arrays
            assert before == looked_at(self.buddy, zone)

    @rule(
        which=st.integers(0, 1),
        order=st.integers(0, MAX_ORDER - 1),
        mt=st.integers(0, 2),
        flags=st.sampled_from(FLAGS),
        cpu=st.sampled_from([None, 0, 1]),
    )
    def alloc(self, which: int, order: int, mt: int, flags: int, cpu: int | None) -> None:
        zone, naive = self.zones[which], self.naive[which]
        flags &= ~ALLOC_CMA if mt != 1 else ~0
        before = arrays(self.buddy)
        pfn = self.buddy.alloc(zone, order, mt, cpu=cpu, flags=flags)
        assert naive.alloc(order, mt, flags, cpu) == pfn
        if pfn is None and cpu is None:
            assert before == arrays(self.buddy)
        elif flags & ALLOC_HIGHATOMIC and pfn is not None:
            self.buddy.reserve_highatomic(zone, pfn)
            naive.reserve_highatomic(pfn)

    @rule(which=st.integers(0, 1), mt=st.integers(0, 2), force=st.booleans())
    def unreserve_highatomic(self, which: int, mt: int, force: bool) -> None:
        naive = self.naive[which]
        expected = naive.unreserve_highatomic(mt, force)
        self.given_back |= expected
        assert expected == self.buddy.unreserve_highatomic(self.zones[which], mt, force)

    @rule(data=st.data(), cpu=st.sampled_from([None, 0, 1]))
    def give_back(self, data: st.DataObject, cpu: int | None) -> None:
        naive = data.draw(st.sampled_from(self.naive))
        if naive.used:
            pfn = data.draw(st.sampled_from(sorted(naive.used)))
            order, _ = naive.used[pfn]
            self.buddy.free(pfn, order, cpu=cpu)
            naive.free(pfn, order, cpu)

    @rule(which=st.integers(0, 1), cpu=st.integers(0, CPUS - 1))
    def drain(self, which: int, cpu: int) -> None:
        naive = self.naive[which]
        assert naive.pcp[cpu]["count"] == pcp.drain(self.buddy, self.zones[which], cpu)
        naive.bulk(cpu, naive.pcp[cpu]["count"], 0)

    @rule(pfn=st.integers(-5, 260), order=st.integers(-1, MAX_ORDER))
    def wrong_frees_are_refused_and_change_nothing(self, pfn: int, order: int) -> None:
        if any(naive.used.get(pfn, (None,))[0] == order for naive in self.naive):
            return
        error = BadOrder if not 0 <= order < MAX_ORDER else BadFree
        before = arrays(self.buddy)
        with pytest.raises(error, match=r"expected|free") as caught:
            self.buddy.free(pfn, order)
        assert before == arrays(self.buddy)
        if error is BadFree and pfn % (1 << order) == 0:
            assert isinstance(caught.value, DoubleFree) == self.buddy.owns(pfn)

    @invariant()
    def every_list_is_the_same(self) -> None:
        for zone, naive in zip(self.zones, self.naive, strict=True) if hasattr(self, "buddy") else ():
            assert naive.lists == lists(self.buddy, zone)
            assert naive.free_pages() == self.buddy.free_pages(zone)
            assert naive.free_pages() == self.buddy.area_of(zone).area.zone[at.FREE_PAGES]
            assert naive.free_cma() == self.buddy.free_pages(zone, cma_only=True)
            assert naive.nr_highatomic == self.buddy.nr_highatomic(zone)
            for cpu in range(CPUS):
                mine = pcp.pages(self.buddy, zone, cpu)
                assert [naive.pcp[cpu][key] for key in ("count", "factor")] == [mine.count, mine.free_factor]
                assert [chain for chain in naive.pcp[cpu]["lists"].values() if chain] == list(mine.lists.values())

    @invariant()
    def no_frame_is_in_two_places_and_none_is_lost(self) -> None:
        if not hasattr(self, "buddy"):
            return
        free, used = [], []
        for zone in self.zones:
            free += [pfn for start, end in self.buddy.free_ranges(zone, per_cpu=True) for pfn in range(start, end)]
            used += [pfn for start, end in self.buddy.handed_out(zone) for pfn in range(start, end)]
        assert sorted(free + used) == sorted(self.owned)
        assert self.buddy.allocated == {pfn: order for naive in self.naive for pfn, (order, _) in naive.used.items()}
        assert set(free) == {pfn for pfn in range(-5, 300) if self.buddy.owns(pfn)}

    @invariant()
    def a_map_of_frames_and_pageblocks_says_what_the_lists_say(self) -> None:
        for zone, naive in zip(self.zones, self.naive, strict=True) if hasattr(self, "buddy") else ():
            said = [self.buddy.free_ranges(zone), self.buddy.handed_out(zone)]
            assert [{pfn for at in spans for pfn in range(*at)} for spans in said] == painted(self.buddy, zone)
            blocks = range(zone.start_pfn & -(1 << PAGEBLOCK), zone.end_pfn, 1 << PAGEBLOCK)
            assert [naive.block_type(pfn) for pfn in blocks] == self.buddy.area_of(zone).types(blocks[0], zone.end_pfn)

    @invariant()
    def two_free_buddies_of_one_type_are_one_block(self) -> None:
        for naive in self.naive if hasattr(self, "buddy") else ():
            for pfn, (order, _) in naive.where.items():
                buddy = pfn ^ (1 << order)
                if order < MAX_ORDER - 1 and naive.where.get(buddy, (None,))[0] == order:
                    assert order >= PAGEBLOCK, "they lie in two pageblocks"
                    types = {naive.block_type(pfn), naive.block_type(buddy)}
                    assert len(types) == 2 or self.given_back, "which nobody joins when one gets the other's type"


BuddyAgainstTheSource.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestBuddyAgainstTheSource = BuddyAgainstTheSource.TestCase


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, MAX_ORDER - 1), st.integers(0, 2), st.integers(0, 15)), max_size=300
    ),
    st.sampled_from([None, 1]),
)
def test_a_trace_gets_the_same_frames_as_its_requests_one_by_one(rows: list[tuple], cpu: int | None):
    shape = {"pageblock_order": PAGEBLOCK, "cpus": CPUS}
    whole, single = (Buddy(zones(), [(3, 253)], MAX_ORDER, [CMA], **shape) for _ in range(2))
    zone = zones()[1]
    served = whole.run(zone, traces.Requests(*np.array(rows, np.int64).reshape(-1, 4).T), cpu=cpu)
    held: dict[int, tuple[int, int]] = {}
    for (op, order, mt, slot), pfn in zip(rows, served.pfn.tolist(), strict=True):
        if op == traces.ALLOC and slot in held:
            assert -2 == pfn
        elif op == traces.ALLOC:
            got = single.alloc(zone, order, mt, cpu=cpu, flags=ALLOC_CMA * (mt == 1))
            assert (-1 if got is None else got) == pfn
            held |= {} if got is None else {slot: (got, order)}
        elif slot in held:
            first, order = held.pop(slot)
            single.free(first, order, cpu=cpu)
            assert first == pfn
        else:
            assert -3 == pfn
    assert lists(whole, zone) == lists(single, zone)
    assert served.refused == (served.pfn < 0).sum()
    assert {slot: first for slot, (first, _) in held.items()} == {
        slot: pfn for slot, pfn in enumerate(served.held.tolist()) if pfn >= 0
    }


@settings(max_examples=60, deadline=None)
@given(RANGES, st.integers(0, 260), st.integers(1, 100), st.lists(st.integers(0, 3), max_size=20))
def test_taking_a_range_takes_every_free_frame_of_it(ranges: list, start: int, pages: int, orders: list[int]):
    buddy = Buddy(zones(), ranges, MAX_ORDER, [CMA], pageblock_order=PAGEBLOCK)
    zone = buddy.areas[1].zone
    for order in orders:
        buddy.alloc(zone, order, cpu=0)
    before = {p for first, end in buddy.free_ranges(zone, per_cpu=True) for p in range(first, end)}
    taken = buddy.take(zone, start, start + pages)
    after = {p for first, end in buddy.free_ranges(zone, per_cpu=True) for p in range(first, end)}
    frames = [p for first, order in taken for p in range(first, first + (1 << order))]
    assert sorted(frames) == sorted(p for p in before if start <= p < start + pages)
    assert after == before - set(frames)
    for first, order in taken:
        buddy.free(first, order)
    assert before == {p for first, end in buddy.free_ranges(zone, per_cpu=True) for p in range(first, end)}
