"""The buddy allocator as a learner meets it: splits, merges, what is refused and in which words, what it costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vmlab as vm
from vmlab.physical import pcp, traces
from vmlab.physical.buddy import Buddy
from vmlab.physical.migratetype import Migratetype
from vmlab.physical.refusals import BadFree, BadOrder, DoubleFree
from vmlab.physical.zones import Zone


def one_block(order: int = 10) -> tuple[Buddy, Zone]:
    zone = Zone(0, 0, "Normal", start_pfn=0, spanned_pages=1 << order)
    return Buddy([zone], [(0, 1 << order)], 11), zone


def test_a_block_is_split_in_halves_and_the_lower_one_is_handed_out():
    """expand(): from one block of order 10, order 0 leaves 1, 2, 4 ... 512 free, one of each order."""
    buddy, zone = one_block()

    assert 0 == buddy.alloc(zone)
    assert [1] * 10 + [0] == buddy.nr_free(zone)
    assert [(1 << order, order) for order in range(10)] == [buddy.block_of(1 << order) for order in range(10)]


def test_every_step_is_told():
    buddy, zone = one_block()
    assert [] == buddy.steps
    buddy.alloc(zone, 8)
    assert ["claim", "move", "take", "split", "split"] == [step.kind for step in buddy.steps]
    assert "split: the upper half, block 0x200 of order 9, becomes free" == buddy.steps[3].tell()

    buddy.free(0, 8)
    assert [("merge", 8, 0x100), ("merge", 9, 0x200)] == [(s.kind, s.order, s.pfn) for s in buddy.steps[:2]]
    assert "put block 0x0 of order 10 at the head of the order-10 list of UNMOVABLE" == buddy.steps[2].tell()


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
    assert [0, 1, 2, 3] == [buddy.alloc(zone) for _ in range(4)]

    buddy.free(1)
    buddy.free(2)
    assert 2 == buddy.nr_free(zone)[0], "1 and 2 touch, but 1's buddy is 0 and 2's is 3"


def test_the_last_page_freed_is_the_first_one_handed_out():
    buddy, zone = one_block()
    for _ in range(8):
        buddy.alloc(zone)
    buddy.free(2)
    buddy.free(5)
    assert [5, 2] == [buddy.alloc(zone), buddy.alloc(zone)]


def test_a_page_that_will_probably_merge_soon_goes_to_the_tail():
    """buddy_merge_likely: 6 and 7 are free as a pair, so when 4 is freed, 4 and 5 may soon become one with them."""
    buddy, zone = one_block()
    for _ in range(9):
        buddy.alloc(zone)
    for pfn in (6, 7, 0, 4):
        buddy.free(pfn)

    assert "put tail" == buddy.steps[-1].kind
    assert [0, 9, 4] == [buddy.alloc(zone) for _ in range(3)], "4 was freed last, and waits behind the others"


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


def test_a_double_free_of_a_page_on_a_cpus_list_is_named_too():
    zone = Zone(0, 0, "Normal", 0, 1024, pcp_batch=7, pcp_high=28)
    buddy = Buddy([zone], [(0, 1024)], 11)
    pfn = buddy.alloc(zone, cpu=0)
    buddy.free(pfn, cpu=0)
    with pytest.raises(DoubleFree, match="of order 0, on a CPU's list"):
        buddy.free(pfn)


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
@pytest.mark.parametrize("touched", [True, False])
def test_a_bad_free_says_what_is_wrong_with_it(pfn: int, order: int, message: str, touched: bool):
    zone = Zone(0, 0, "Normal", 0, 64)
    buddy = Buddy([zone], [(8, 64)], 11)
    while touched and buddy.alloc(zone, 3) is not None:
        pass

    with pytest.raises(BadFree, match=message if touched or "belongs" not in message else "free already"):
        buddy.free(pfn, order)


@pytest.mark.parametrize("order", [-1, 11, 64, 1 << 70])
def test_an_order_without_a_free_list_is_refused(order: int):
    buddy, zone = one_block()

    with pytest.raises(BadOrder, match=f"order {order}: expected 0 to 10, so at most 1024 frames"):
        buddy.alloc(zone, order)


@pytest.mark.parametrize(("cpu", "mt"), [(1, 0), (-1, 0), (0, 3), (0, -1)])
def test_another_cpu_or_a_type_nobody_asks_for_is_refused(cpu: int, mt: int):
    with pytest.raises(vm.VmlabError, match="expected"):
        one_block()[0].alloc(one_block()[1], 0, mt, cpu=cpu)


def test_another_machines_zone_is_refused():
    with pytest.raises(vm.VmlabError, match="zone Movable of node 3"):
        one_block()[0].alloc(Zone(3, 0, "Movable"))


def test_a_contiguous_area_of_broken_pageblocks_is_refused():
    zone = Zone(0, 0, "Normal", 0, 1024, cma_pages=100)
    with pytest.raises(vm.VmlabError, match="expected whole pageblocks of 512 frames"):
        Buddy([zone], [(0, 1024)], 11, [(0, 100)], pageblock_order=9)


@pytest.mark.parametrize(
    "requests",
    [
        ([0, 2], [0, 0], [0, 0], [0, 1]),
        ([0, 0], [0, 11], [0, 0], [0, 1]),
        ([0, 0], [0, 0], [0, 3], [0, 1]),
        ([0, 0], [0], [0, 0], [0, 1]),
    ],
)
def test_a_trace_with_impossible_requests_is_refused(requests: tuple):
    buddy, zone = one_block()
    with pytest.raises(vm.VmlabError, match=r"^requests: expected"):
        buddy.run(zone, traces.Requests(*map(np.array, requests)))


def test_a_zone_with_little_memory_keeps_no_types_apart():
    zone = Zone(0, 0, "Normal", 0, 32, pcp_batch=1, pcp_high=4)
    buddy = Buddy([zone], [(0, 32)], 6, pageblock_order=3, grouping=False)
    pfn = buddy.alloc(zone, 0, Migratetype.MOVABLE)

    assert 0 == pfn
    assert 31 == sum(count << order for order, count in enumerate(buddy.nr_free_by_type(zone)[Migratetype.UNMOVABLE]))


def test_a_page_that_refilled_a_cpus_list_goes_back_to_the_free_list_it_came_from():
    """__rmqueue_smallest ends in set_pcppage_migratetype(page, migratetype), the free list's; rmqueue_bulk leaves that
    as it is, and free_pcppages_bulk frees with it. A pageblock too full to be claimed lends its pages only.
    """
    zone = Zone(0, 0, "Normal", 0, 32, pcp_batch=2, pcp_high=8)
    buddy = Buddy([zone], [(0, 32)], 6)
    for order in (0, 2, 3, 4):  # the whole pageblock is UNMOVABLE now; 0x1 and the pair 0x2 are left of it
        buddy.alloc(zone, order, Migratetype.UNMOVABLE)

    assert 1 == buddy.alloc(zone, 0, Migratetype.MOVABLE, cpu=0)
    assert {(0, Migratetype.MOVABLE): [2]} == pcp.pages(buddy, zone, 0).lists
    pcp.drain(buddy, zone, 0)
    assert [0, 1, 0, 0, 0, 0] == buddy.nr_free_by_type(zone)[Migratetype.MOVABLE]
    buddy.free(1)  # a page that was handed out goes by its pageblock
    assert [1, 0, 0, 0, 0, 0] == buddy.nr_free_by_type(zone)[Migratetype.UNMOVABLE]


# --- cost ---


@given(st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(1, 1 << 28)), min_size=1, max_size=6))
def test_hand_over_keeps_whole_blocks_as_ranges(spans: list[tuple[int, int]]):
    """However large the ranges are, what is kept for each is a range and at most two blocks an order."""
    zone = Zone(0, 0, "Normal", 0, 1 << 31)
    area = Buddy([zone], [(start, start + pages) for start, pages in spans], 11).areas[0]
    assert len(area.untouched[Migratetype.MOVABLE]) <= len(spans)
    assert len(area.handed) <= 2 * 11 * len(spans)


def resident_kib() -> int:
    """This process's memory that is really there."""
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))  # noqa: PTH123, SIM115
    return int(status["RssAnon"].split()[0])


@pytest.mark.parametrize("gib", [4, 64, 1024])
def test_memory_that_nobody_asks_for_costs_nothing(gib: int):
    """A thousand pages of a zone of 4 GiB, 64 GiB or 1 TiB: the arrays' written part is the same few pages."""
    one_block()[0].alloc(one_block()[1])  # numba is loaded
    zone = Zone(0, 0, "Normal", 0, gib << 18, managed_pages=gib << 18, pcp_batch=63, pcp_high=378)
    before = resident_kib()
    buddy = Buddy([zone], [(0, gib << 18)], 11, pageblock_order=9)
    pages = [buddy.alloc(zone, cpu=0) for _ in range(1000)]

    assert len(set(pages)) == 1000
    assert (
        resident_kib() - before < 16 << 10
    )  # of gigabytes, if frames were touched; the rest of this process moves too
    touched = sum(np.count_nonzero(array[:: 1 << 10]) for array in buddy.areas[0].area[:3])
    assert touched < 64
    assert (gib << 18) - 1000 - pcp.pages(buddy, zone, 0).count == buddy.free_pages(zone)


def test_a_zone_too_large_for_links_of_32_bits_is_refused():
    zone = Zone(0, 0, "Normal", 0, (1 << 31) + 1)
    with pytest.raises(vm.VmlabError, match=r"zone Normal spans 8.*: expected at most 8"):
        Buddy([zone], [(0, 1 << 20)], 11).alloc(zone)
