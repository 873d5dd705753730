"""Compaction and the measures of fragmentation."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vmlab as vm
from vmlab.physical import compaction, pcp
from vmlab.physical.buddy import Buddy
from vmlab.physical.fragmentation import extfrag_for_order, fragmentation_index, unusable_free_index
from vmlab.physical.migratetype import Migratetype
from vmlab.physical.refusals import BadOrder
from vmlab.physical.zones import Watermark, Zone

MOVABLE, UNMOVABLE = Migratetype.MOVABLE, Migratetype.UNMOVABLE


def zone(pages: int = 1024, mark: int = 0) -> Zone:
    marks = Watermark(mark, mark, mark)
    return Zone(0, 0, "Normal", 0, pages, pages, pages, watermark=marks, lowmem_reserve=(0,), pcp_batch=3, pcp_high=12)


def frames(ranges) -> set[int]:
    return {pfn for start, end in ranges for pfn in range(start, end)}


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    kept=st.floats(0.05, 0.9),
    unmovable=st.floats(0, 0.2),
    order=st.none() | st.integers(0, 7),
    mark=st.sampled_from([0, 40]),
    holes=st.lists(st.integers(0, 1000), max_size=3),
    direct=st.booleans(),
)
def test_pages_move_and_nothing_is_lost(seed, kept, unmovable, order, mark, holes, direct):
    draw, here = random.Random(seed), zone(mark=mark)
    ranges, at = [], 0
    for hole in sorted(holes):
        ranges.append((at, hole))
        at = max(at, hole + 20)
    buddy = Buddy([here], [*ranges, (at, 1024)], 8, [(512, 640)], pageblock_order=6)
    while buddy.alloc(here, 0, UNMOVABLE if draw.random() < unmovable else MOVABLE, flags=0) is not None:
        pass
    owned = frames(buddy.handed_out(here)) | frames(buddy.free_ranges(here))
    for pfn in sorted(buddy.allocated):
        if draw.random() > kept:
            buddy.free(pfn, cpu=draw.choice([None, 0]))
    before = dict(buddy.allocated)

    done = compaction.compact(buddy, here, order, direct=direct)

    old, new = [pair[0] for pair in done.moves], [pair[1] for pair in done.moves]
    assert len({*old, *new}) == 2 * len(done.moves), "each page moves once, to a frame of its own"
    assert set(old) <= set(before)
    assert sorted((set(before) - set(old)) | set(new)) == sorted(buddy.allocated)
    assert all(high > low for low, high in done.moves), "up, to where the free scanner came from"
    assert owned == frames(buddy.handed_out(here)) | frames(buddy.free_ranges(here))
    assert not frames(buddy.handed_out(here)) & frames(buddy.free_ranges(here))
    assert [done.where(pfn) for pfn in old] == new
    if done.result == "success":
        assert any(buddy.nr_free(here)[order:])
    for pfn in list(buddy.allocated):
        buddy.free(pfn)
    assert owned == frames(buddy.free_ranges(here))
    counts = [0] * 8
    for _, size in buddy.areas[0].blocks("free"):
        counts[size] += 1
    fresh = sum(end - start for start, end in buddy.areas[0].fresh()) >> 7
    assert counts[:7] == buddy.nr_free(here)[:7]
    assert counts[7] + fresh == buddy.nr_free(here)[7]


def test_every_second_page_free_becomes_one_half():
    """From the picture in every text book: x.x.x.x. becomes ....xxxx. The scanners stop a pageblock short of meeting:
    the free one never enters the pageblock after the one that the other has just left.
    """
    here = zone()
    buddy = Buddy([here], [(0, 1024)], 11, pageblock_order=6)
    pages = [buddy.alloc(here, 0, MOVABLE) for _ in range(1024)]
    for pfn in pages[::2]:
        buddy.free(pfn)
    assert [512] + [0] * 10 == buddy.nr_free(here)

    done = compaction.compact(buddy, here)
    assert "complete" == done.result
    assert 7 * 32 == len(done.moves)
    assert [64, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0] == buddy.nr_free(here)


def test_pages_that_cannot_move_stay_and_keep_memory_broken():
    here = zone()
    buddy = Buddy([here], [(0, 1024)], 11, pageblock_order=6)
    pages = [buddy.alloc(here, 0, UNMOVABLE) for _ in range(1024)]
    for pfn in pages[::2]:
        buddy.free(pfn)

    assert [] == compaction.compact(buddy, here).moves
    assert [512] + [0] * 10 == buddy.nr_free(here)


def test_a_request_for_an_order_stops_as_soon_as_the_block_is_there():
    here = zone()
    buddy = Buddy([here], [(0, 1024)], 11, pageblock_order=6)
    for pfn in [buddy.alloc(here, 0, MOVABLE) for _ in range(1024)][::2]:
        buddy.free(pfn)

    done = compaction.compact(buddy, here, 5)
    assert "success" == done.result
    assert 32 <= len(done.moves) <= 64


def test_compaction_is_worth_a_try_only_with_memory_to_move_things_to():
    here = zone(mark=20)
    buddy = Buddy([here], [(0, 1024)], 11, pageblock_order=6)
    assert (False, "a free block of order 4 or above is there") == compaction.suitable(buddy, here, 4)
    pages = [buddy.alloc(here, 0, MOVABLE) for _ in range(1024)]
    for pfn in pages[:60:2]:
        buddy.free(pfn)
    assert compaction.suitable(buddy, here, 4)[1].startswith("30 free pages, not more than watermark 20 + 32")
    for pfn in pages[60:104:2]:
        buddy.free(pfn)
    assert compaction.suitable(buddy, here, 4)[1].startswith("52 free pages, not more than watermark 20 + 32")
    buddy.free(pages[104])
    assert compaction.suitable(buddy, here, 4)[0], "one page more than __zone_watermark_ok wants"
    for pfn in pages[106::2]:
        buddy.free(pfn)
    able, why = compaction.suitable(buddy, here, 4)
    assert able
    assert f"fragmentation index {fragmentation_index(buddy.nr_free(here), 4)}" in why


def test_the_atomic_reserve_is_no_block_for_others_and_no_room_to_move_things_to():
    """__zone_watermark_ok with ALLOC_CMA alone: nr_reserved_highatomic counts as used, its free blocks do not serve."""
    here = zone(pages=8192, mark=20)
    buddy = Buddy([here], [(0, 8192)], 11, pageblock_order=6)
    pages = [buddy.alloc(here, 0, MOVABLE) for _ in range(8192)]
    for pfn in range(0, 64):
        buddy.free(pfn)
    for pfn in range(1024, 1200, 2):
        buddy.free(pfn)
    assert compaction.suitable(buddy, here, 5) == (False, "a free block of order 5 or above is there")
    assert buddy.reserve_highatomic(here, 0)
    able, why = compaction.suitable(buddy, here, 5)
    assert able, why
    assert compaction.suitable(buddy, here, 6)[1].startswith("88 free pages, not more than watermark 20 + 128")
    assert 8192 == len(set(pages))


def test_a_zone_without_memory_and_an_order_too_high_are_refused():
    here = zone()
    buddy = Buddy([here, Zone(0, 1, "Movable")], [(0, 1024)], 11)
    with pytest.raises(vm.VmlabError, match="zone Movable has no memory"):
        compaction.compact(buddy, buddy.areas[1].zone)
    with pytest.raises(BadOrder, match="order 11"):
        compaction.compact(buddy, here, 11)


# --- measures ---


@pytest.mark.parametrize(
    ("nr_free", "order", "fragmentation", "unusable", "score"),
    [
        ([0] * 11, 3, 0, 1000, 0),
        ([512] + [0] * 10, 1, 499, 1000, 100),  # 1000 - (1000 + 512 * 1000 / 2) / 512
        ([512] + [0] * 10, 9, 997, 1000, 100),
        ([8, 0, 0, 1] + [0] * 7, 3, -1000, 500, 50),
        ([1] + [0] * 10, 4, -62, 1000, 100),
        ([3] + [0] * 10, 0, -1000, 0, 0),
    ],
)
def test_the_measures_are_the_kernels(nr_free, order, fragmentation, unusable, score):
    """mm/vmstat.c: __fragmentation_index, unusable_free_index, extfrag_for_order; divisions round down."""
    assert fragmentation == fragmentation_index(nr_free, order)
    assert unusable == unusable_free_index(nr_free, order)
    assert score == extfrag_for_order(nr_free, order)


@given(st.lists(st.integers(0, 1 << 20), min_size=1, max_size=12), st.data())
def test_more_order_is_never_easier_to_have(nr_free: list[int], data):
    order = data.draw(st.integers(0, len(nr_free) - 1))
    values = [unusable_free_index(nr_free, each) for each in range(order + 1)]
    assert values == sorted(values)
    assert fragmentation_index(nr_free, order) <= 1000


def test_an_order_without_a_count_is_refused():
    with pytest.raises(BadOrder, match="order 3: expected 0 to 2"):
        fragmentation_index([1, 2, 3], 3)


def test_pages_on_a_cpus_list_are_given_back_first():
    here = zone()
    buddy = Buddy([here], [(0, 1024)], 11, pageblock_order=6)
    buddy.free(buddy.alloc(here, 0, MOVABLE, cpu=0), cpu=0)
    assert pcp.pages(buddy, here, 0).count

    compaction.compact(buddy, here)
    assert 0 == pcp.pages(buddy, here, 0).count
    assert 1 == buddy.nr_free(here)[10]
