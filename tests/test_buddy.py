"""The buddy allocator against a set of frames: what is merged, what is split, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from naive import blocks

import vmlab as vm
from vmlab.physical.buddy import BadFree, BadOrder, Buddy, DoubleFree
from vmlab.physical.zones import Zone

MAX_ORDER = 5  # blocks of 1 .. 16 frames


def zones() -> list[Zone]:
    """Two zones that meet inside a block, as Normal and HighMem do on i386 (0x36bfe); the second has a CMA area."""
    return [
        Zone(0, 0, "Normal", start_pfn=3, spanned_pages=70),
        Zone(0, 1, "HighMem", start_pfn=73, spanned_pages=60, cma_pages=24),
    ]


CMA = set(range(88, 112))


RANGES = st.lists(st.tuples(st.integers(0, 140), st.integers(1, 60)).map(lambda r: (r[0], r[0] + r[1])), max_size=5)


class BuddyAgainstFrames(RuleBasedStateMachine):
    """After every step the free lists are the fully merged blocks of the frames that are free."""

    @initialize(ranges=RANGES)
    def start(self, ranges: list[tuple[int, int]]) -> None:
        self.zones = zones()
        self.buddy = Buddy(self.zones, ranges, MAX_ORDER, [(88, 112)])
        self.owned = {
            pfn for start, end in ranges for pfn in range(start, end) if any(zone.holds(pfn) for zone in self.zones)
        }
        self.free = set(self.owned)
        self.used: dict[int, int] = {}

    @rule(which=st.integers(0, 1), order=st.integers(0, MAX_ORDER - 1), movable=st.booleans())
    def alloc(self, which: int, order: int, movable: bool) -> None:
        zone = self.zones[which]
        lists = [self.lists(zone, self.free - CMA)]
        if movable:
            contiguous = self.lists(zone, self.free & CMA)
            half = sum(map(zone.holds, self.free)) // 2
            lists.insert(0 if sum(map(zone.holds, self.free & CMA)) > half else 1, contiguous)
        fitting = [[firsts for firsts in choice[order:] if firsts] for choice in lists]
        expected = next((sizes[0] for sizes in fitting if sizes), None)
        pfn = self.buddy.alloc(zone, order, movable=movable)
        assert (pfn is None) == (expected is None)
        if pfn is None:
            return
        frames = set(range(pfn, pfn + (1 << order)))
        assert pfn % (1 << order) == 0
        assert frames <= self.free
        assert pfn in expected, "it is the lower end of a block of the smallest order that is enough"
        self.free -= frames
        self.used[pfn] = order

    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        if self.used:
            pfn = data.draw(st.sampled_from(sorted(self.used)))
            order = self.used.pop(pfn)
            self.buddy.free(pfn, order)
            self.free |= set(range(pfn, pfn + (1 << order)))

    @rule(which=st.integers(0, 1), start=st.integers(0, 140), pages=st.integers(1, 50))
    def take(self, which: int, start: int, pages: int) -> None:
        zone = self.zones[which]
        taken = self.buddy.take(zone, start, start + pages)
        frames = {pfn for first, order in taken for pfn in range(first, first + (1 << order))}
        assert frames == {pfn for pfn in self.free if zone.holds(pfn) and start <= pfn < start + pages}
        self.free -= frames
        self.used |= dict(taken)

    @rule(pfn=st.integers(-5, 150), order=st.integers(-1, MAX_ORDER))
    def wrong_frees_are_refused_and_change_nothing(self, pfn: int, order: int) -> None:
        if self.used.get(pfn) == order:
            return
        error = BadOrder if not 0 <= order < MAX_ORDER else BadFree
        with pytest.raises(error, match=r"expected|free"):
            self.buddy.free(pfn, order)

    @invariant()
    def lists_are_fully_merged_and_no_frame_is_lost(self) -> None:
        if not hasattr(self, "buddy"):
            return
        for zone in self.zones:
            ordinary, contiguous = self.lists(zone, self.free - CMA), self.lists(zone, self.free & CMA)
            assert [len(firsts) for firsts in contiguous] == self.buddy.nr_free(zone, cma_only=True)
            both = [len(one) + len(other) for one, other in zip(ordinary, contiguous, strict=True)]
            assert both == self.buddy.nr_free(zone)
            free = {pfn for pfn in self.free if zone.holds(pfn)}
            assert free == {pfn for start, end in self.buddy.free_ranges(zone) for pfn in range(start, end)}
            assert len(free) == self.buddy.free_pages(zone)
        assert self.used == self.buddy.allocated
        assert self.free == {pfn for pfn in range(-5, 200) if self.buddy.owns(pfn)}
        used = {pfn for first, order in self.used.items() for pfn in range(first, first + (1 << order))}
        assert self.owned == self.free | used

    def lists(self, zone: Zone, free: set[int]) -> list[list[int]]:
        return blocks(free, zone.start_pfn, zone.end_pfn, MAX_ORDER)


BuddyAgainstFrames.TestCase.settings = settings(max_examples=120, stateful_step_count=30)
TestBuddyAgainstFrames = BuddyAgainstFrames.TestCase


def one_block(order: int = 10) -> tuple[Buddy, Zone]:
    zone = Zone(0, 0, "Normal", start_pfn=0, spanned_pages=1 << order)
    return Buddy([zone], [(0, 1 << order)], 11), zone


def test_a_block_is_split_in_halves_and_the_lower_one_is_handed_out():
    """expand(): from one block of order 10, order 0 leaves 1, 2, 4 ... 512 free, one of each order."""
    buddy, zone = one_block()

    assert 0 == buddy.alloc(zone)
    assert [1] * 10 + [0] == buddy.nr_free(zone)
    assert [(1 << order, order) for order in range(10)] == [buddy.block_of(1 << order) for order in range(10)]


def test_freed_buddies_merge_all_the_way_up():
    buddy, zone = one_block()
    pfns = [buddy.alloc(zone) for _ in range(1024)]
    assert [0] * 11 == buddy.nr_free(zone)
    assert None is buddy.alloc(zone)

    for pfn in pfns:
        buddy.free(pfn)
    assert [0] * 10 + [1] == buddy.nr_free(zone)


def test_neighbours_that_are_no_buddies_do_not_merge():
    buddy, zone = one_block()
    pages = [buddy.alloc(zone) for _ in range(4)]
    assert [0, 1, 2, 3] == pages

    buddy.free(1)
    buddy.free(2)
    assert 2 == buddy.nr_free(zone)[0], "1 and 2 touch, but 1's buddy is 0 and 2's is 3"


def test_the_last_page_freed_is_the_first_one_handed_out():
    buddy, zone = one_block()
    pages = [buddy.alloc(zone) for _ in range(8)]
    buddy.free(pages[2])
    buddy.free(pages[5])

    assert [5, 2] == [buddy.alloc(zone), buddy.alloc(zone)]


def test_blocks_never_merge_across_a_zone_border():
    low, high = Zone(0, 0, "DMA", 0, 8), Zone(0, 1, "Normal", 8, 8)
    buddy = Buddy([low, high], [(0, 16)], 11)

    assert [0, 0, 0, 1] == buddy.nr_free(low)[:4]
    first, second = buddy.alloc(low, 3), buddy.alloc(high, 3)
    buddy.free(first, 3)
    buddy.free(second, 3)
    assert 0 == buddy.nr_free(low)[4] == buddy.nr_free(high)[4]


def test_frames_given_as_touching_ranges_are_merged_at_hand_over():
    zone = Zone(0, 0, "Normal", 0, 64)

    assert [0, 0, 0, 0, 0, 0, 1] == Buddy([zone], [(32, 64), (0, 20), (20, 32)], 7).nr_free(zone)


def test_a_double_free_names_the_block_that_the_frame_is_in():
    buddy, zone = one_block()
    pfn = buddy.alloc(zone, 2)
    buddy.free(pfn, 2)

    before = buddy.nr_free(zone)
    with pytest.raises(DoubleFree, match="free already, in the block at 0x0 of order 10"):
        buddy.free(pfn, 2)
    assert before == buddy.nr_free(zone)


@pytest.mark.parametrize(
    ("pfn", "order", "message"),
    [
        (9, 1, "a block of order 1 starts at a multiple of 2"),
        (9, 0, "it belongs to the block at 0x8 of order 3"),
        (8, 2, "it belongs to the block at 0x8 of order 3"),
        (5000, 0, "lies in no zone"),
        (-1, 0, "lies in no zone"),
        (3, 0, "alloc never handed it out; it was taken at boot, or is no RAM"),
    ],
)
def test_a_bad_free_says_what_is_wrong_with_it(pfn: int, order: int, message: str):
    zone = Zone(0, 0, "Normal", 0, 64)
    buddy = Buddy([zone], [(8, 64)], 11)
    while buddy.alloc(zone, 3) is not None:
        pass

    with pytest.raises(BadFree, match=message):
        buddy.free(pfn, order)


@pytest.mark.parametrize("order", [-1, 11, 64])
def test_an_order_without_a_free_list_is_refused(order: int):
    buddy, zone = one_block()

    with pytest.raises(BadOrder, match=f"order {order}: expected 0 to 10, so at most 1024 frames"):
        buddy.alloc(zone, order)


def test_another_machines_zone_is_refused():
    with pytest.raises(vm.VmlabError, match="zone Movable of node 3"):
        one_block()[0].alloc(Zone(3, 0, "Movable"))


@given(st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(1, 1 << 28)), min_size=1, max_size=6))
def test_hand_over_keeps_whole_blocks_as_ranges(spans: list[tuple[int, int]]):
    """However large the ranges are, what is kept for each is a range and at most two blocks an order."""
    zone = Zone(0, 0, "Normal", 0, 1 << 31)
    buddy = Buddy([zone], [(start, start + pages) for start, pages in spans], 11)

    area = buddy.areas[0]
    assert len(area.untouched) <= len(spans)
    assert all(len(free) <= 2 * len(spans) for free in area.blocks)
