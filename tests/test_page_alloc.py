"""alloc_pages as a whole: per-CPU lists, fragmentation avoided, atomic reserves, and refusals that change nothing."""

from __future__ import annotations

import pytest

import vmlab as vm
from vmlab.physical import pcp
from vmlab.physical.migratetype import Migratetype, of_gfp
from vmlab.physical.refusals import BadFree
from vmlab.physical.zonelist import AllocFlags, watermark_ok


def state(kernel: vm.Kernel) -> list[object]:
    areas = [area for area in kernel.buddy.areas if area.zone.populated]
    lists = [pcp.pages(kernel.buddy, area.zone, 0).lists for area in areas]
    return [[area.counts() for area in areas], kernel.buddy.allocated, lists]


@pytest.mark.parametrize("gfp", ["GFP_KERNEL", "GFP_ATOMIC", "GFP_HIGHUSER_MOVABLE", "GFP_NOWAIT", "GFP_DMA"])
@pytest.mark.parametrize("order", [0, 9])
def test_a_refusal_says_why_and_changes_nothing(gfp: str, order: int):
    kernel = vm.boot(vm.load_machine("i386-pc-686-512m"))
    while kernel.alloc_pages(order, gfp):
        pass
    before = state(kernel)
    refused = kernel.alloc_pages(order, gfp)

    assert not refused
    assert before == state(kernel)
    assert refused.tell().startswith(f"page allocation failure: order:{order}, mode:{gfp}\n")
    assert {"DMA"} <= {row.zone for row in refused.refusals}
    assert all("watermark" in row.why or "no free block" in row.why for row in refused.refusals)


def test_a_wrong_free_through_a_cpus_list_changes_nothing():
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-1g"))
    page = kernel.alloc_pages(2)
    before = state(kernel)
    for pfn, order in ((page.pfn, 0), (page.pfn, 3), (page.pfn + 1, 0), (0, 0)):
        with pytest.raises(BadFree):
            kernel.free_pages(pfn, order)
    with pytest.raises(vm.VmlabError, match="cpu: expected 0 to 0, got 1"):
        kernel.free_pages(page, cpu=1)
    assert before == state(kernel)


def test_each_cpu_has_lists_of_its_own():
    kernel = vm.boot(vm.Machine(arch="amd64", ram=(vm.Region(0, vm.GiB),), cpus=2))
    one, other = kernel.alloc_pages(cpu=0), kernel.alloc_pages(cpu=1)
    zone = kernel.zones[one.zone]

    assert [62, 62] == [pcp.pages(kernel.buddy, zone, cpu).count for cpu in (0, 1)]
    kernel.free_pages(other, cpu=0)
    assert [63, 62] == [pcp.pages(kernel.buddy, zone, cpu).count for cpu in (0, 1)]
    assert other.pfn == kernel.alloc_pages(cpu=0).pfn, "the page that is warm in its cache goes out first"
    assert one.pfn not in pcp.pages(kernel.buddy, zone, 0).lists[0, Migratetype.UNMOVABLE]


def test_in_bulk_one_zone_serves_all_above_its_low_mark_raised_by_what_is_asked_for():
    """__alloc_pages_bulk: no zone of the list is asked for a part of it, and nobody is waited for."""
    kernel = vm.boot(vm.load_machine("i386-pc-686-512m"))
    zone = kernel.zones["Normal"]
    allocator = kernel.page_allocator
    while zone.watermark.low + 100 < kernel.buddy.free_pages(zone):
        assert 100 == len(allocator.alloc_bulk(100, "GFP_KERNEL"))
    kernel.page_allocator.drain()
    left = kernel.buddy.free_pages(zone) - zone.watermark.low
    assert "DMA" == allocator.alloc_bulk(left, "GFP_KERNEL")[0].zone, "left must remain above the mark: not one less"
    assert {"Normal"} == {page.zone for page in allocator.alloc_bulk(left - 1, "GFP_KERNEL")}
    before = state(kernel)
    assert [] == allocator.alloc_bulk(1 << 16, "GFP_KERNEL")
    assert [] == allocator.alloc_bulk(100, "GFP_HIGHUSER_MOVABLE"), "movable pages are asked for one by one"
    with pytest.raises(vm.VmlabError, match="asked for 1 page or more, got 0"):
        allocator.alloc_bulk(0, "GFP_KERNEL")
    assert before == state(kernel)


def test_pages_on_a_cpus_list_are_free_for_nobody_else_until_it_is_drained():
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-1g"))
    page = kernel.alloc_pages()
    zone = kernel.zones[page.zone]
    kept = pcp.pages(kernel.buddy, zone, 0).count

    assert zone.managed_pages - 1 - kept == kernel.buddy.free_pages(zone)
    assert kept == kernel.page_allocator.drain()
    assert zone.managed_pages - 1 == kernel.buddy.free_pages(zone)


def test_rather_dma32_than_another_types_pageblock():
    """ALLOC_NOFRAGMENT: when Normal has no block of a type left but parts of pageblocks, DMA32 is tried first."""
    kernel = vm.boot(vm.load_machine("amd64-pc-4g"))
    normal = kernel.zones["Normal"]
    while any(kernel.buddy.nr_free(normal)[9:]):
        assert kernel.buddy.alloc(normal, 9, Migratetype.MOVABLE) is not None
    assert kernel.buddy.free_pages(normal) > 100
    normal.watermark = type(normal.watermark)()

    assert "DMA32" == kernel.alloc_pages(4, "GFP_KERNEL").zone
    assert "Normal" == kernel.alloc_pages(0, "GFP_HIGHUSER_MOVABLE").zone


def test_an_atomic_request_under_pressure_reserves_a_pageblock_and_need_gives_it_back():
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-1g"))
    assert kernel.alloc_pages(2, "GFP_ATOMIC")
    zone = kernel.zones["DMA"]
    assert 0 == kernel.buddy.nr_highatomic(zone), "above the low mark it is a request like any other"

    while kernel.alloc_pages(0, "GFP_KERNEL"):
        pass
    assert "min" == kernel.alloc_pages(2, "GFP_ATOMIC").mark
    assert 1 << kernel.buddy.shape.pageblock_order == kernel.buddy.nr_highatomic(zone)
    assert not kernel.alloc_pages(0, "GFP_KERNEL")
    assert 0 == kernel.buddy.nr_highatomic(zone), "before it fails, a request that may wait takes the reserve back"


def test_the_atomic_reserve_counts_as_not_there_for_others():
    """__zone_watermark_unusable_free, and the lists that a high-order request may look at."""
    ordinary, atomic = AllocFlags(), AllocFlags.of(0xA20, order=3)
    assert atomic.highatomic
    assert watermark_ok([100], 0, 50, 0, ordinary)
    assert not watermark_ok([100], 0, 50, 0, ordinary, nr_highatomic=60)
    assert not watermark_ok([100, 0, 0, 1], 3, 10, 0, ordinary, (), (0, 0, 0, 1))
    assert watermark_ok([100, 0, 0, 1], 3, 10, 0, atomic, (), (0, 0, 0, 1), 60)


@pytest.mark.parametrize(("zone_name", "reserved"), [("DMA", 2), ("Normal", 4)])
def test_the_atomic_reserve_stops_at_a_hundredth_of_the_zone_and_a_pageblock_more(zone_name: str, reserved: int):
    """reserve_highatomic_pageblock: while nr_reserved_highatomic < managed / 100 + pageblock_nr_pages."""
    kernel = vm.boot(vm.load_machine("i386-pc-686-1g"))
    zone, buddy = kernel.zones[zone_name], kernel.buddy
    size = 1 << buddy.shape.pageblock_order
    took = []
    while len(took) < 9 * size >> 3 and (pfn := buddy.alloc(zone, 3)) is not None:
        took.append(pfn)
    blocks = {pfn // size: pfn for pfn in took}
    assert len(blocks) > reserved
    said = [buddy.reserve_highatomic(zone, pfn) for pfn in blocks.values()]
    assert [True] * reserved + [False] * (len(said) - reserved) == said
    assert reserved * size == buddy.nr_highatomic(zone)
    assert (reserved - 1) * size < zone.managed_pages // 100 + size <= reserved * size


def test_memalloc_ignores_watermarks_and_nomemalloc_takes_precedence():
    """__gfp_pfmemalloc_flags asks for __GFP_NOMEMALLOC first (include/linux/gfp_types.h says so, too)."""
    kernel = vm.boot(vm.load_machine("i386-pc-686-512m"))
    while kernel.alloc_pages(0, "GFP_KERNEL"):
        pass
    assert not kernel.alloc_pages(0, "GFP_KERNEL | __GFP_MEMALLOC | __GFP_NOMEMALLOC")
    page = kernel.alloc_pages(0, "GFP_KERNEL | __GFP_MEMALLOC")
    assert "none" == page.mark


def test_a_page_is_movable_or_reclaimable_or_neither():
    assert [Migratetype.UNMOVABLE, Migratetype.MOVABLE, Migratetype.RECLAIMABLE] == [
        of_gfp(bits) for bits in (0xCC0, 0x100CCA, 0xCD0)
    ]
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-1g"))
    with pytest.raises(vm.VmlabError, match="exclude each other"):
        kernel.alloc_pages(0, "GFP_KERNEL | __GFP_MOVABLE | __GFP_RECLAIMABLE")
