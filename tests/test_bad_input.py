"""Bad input to the allocators: each refusal says what was expected, and not one of them changes anything."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import vmlab as vm
from vmlab.physical import pcp

HUGE = 1 << 50


def state(kernel: vm.Kernel) -> list[object]:
    """All that a request may change: free lists, per-CPU lists, blocks handed out, areas of vmalloc space, slabs."""
    areas = [area for area in kernel.buddy.areas if area.zone.populated]
    lists = [pcp.pages(kernel.buddy, area.zone, 0).lists for area in areas]
    space = kernel.vmap_areas
    caches = {
        cache.name: (len(cache.slabs), [sorted(slab.used) for slab in cache.slabs.values()])
        for cache in kernel.slab.by_name.values()
    }
    return [
        *([area.counts() for area in areas], kernel.buddy.allocated, lists, caches),
        *(dict(space.areas), list(space.unused), list(space.lazy), list(space.flushes)),
    ]


def used() -> vm.Kernel:
    """A kernel in the middle of its life: pages, objects and areas are out, and some have come back."""
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-1g"))
    pages, objects = [kernel.alloc_pages(order) for order in (0, 3, 9)], [kernel.kmalloc(100) for _ in range(50)]
    kernel.vfree(kernel.vmalloc(5000))
    kernel.vmalloc(100_000)
    kernel.free_pages(pages[1])
    kernel.kfree(objects[3])
    return kernel


def boot_frame(kernel: vm.Kernel) -> int:
    """A frame that boot took and kept: neither free nor handed out."""
    frames = range(kernel.zones[0].start_pfn, kernel.zones[0].end_pfn)
    return next(pfn for pfn in frames if not kernel.buddy.owns(pfn) and not kernel.buddy.user_block(pfn))


REFUSED: dict[str, tuple[Callable[[vm.Kernel], object], str]] = {
    "order above the maximum": (lambda k: k.alloc_pages(k.buddy.max_order), "order 12: expected 0 to 11"),
    "negative order": (lambda k: k.alloc_pages(-1), "order -1: expected 0 to 11"),
    "order that is no number": (lambda k: k.alloc_pages(1.5), "order 1.5: expected 0 to 11"),
    "free with an order above the maximum": (lambda k: k.free_pages(0x50000, 12), "order 12: expected"),
    "free of a frame never allocated": (lambda k: k.free_pages(0x7FF00), "free of pfn 0x7ff00.*: it is free already"),
    "free of a frame taken at boot": (lambda k: k.free_pages(boot_frame(k)), "alloc never handed it out"),
    "free of a frame in no zone": (lambda k: k.free_pages(1), "in no zone"),
    "free of a failed allocation": (
        lambda k: k.free_pages(vm.physical.zonelist.NoPage(0, "GFP_KERNEL", ())),
        "test `if page:` first",
    ),
    "two zones in gfp": (lambda k: k.alloc_pages(0, "__GFP_DMA | __GFP_HIGHMEM"), "GFP_ZONE_BAD"),
    "unknown gfp flag": (lambda k: k.alloc_pages(0, "GFP_KERNAL"), "unknown flag 'GFP_KERNAL'"),
    "gfp bits that no flag has": (lambda k: k.alloc_pages(0, 1 << 27), "below 2\\*\\*27"),
    "movable and reclaimable": (lambda k: k.alloc_pages(0, "__GFP_MOVABLE | __GFP_RECLAIMABLE"), "MOVABLE"),
    "unknown node": (lambda k: k.alloc_pages(0, node=7), "node: expected one of 0, got 7"),
    "kmalloc of HighMem": (lambda k: k.kmalloc(100, "GFP_KERNEL | __GFP_HIGHMEM"), "HIGHMEM"),
    "kmalloc of DMA32": (lambda k: k.kmalloc(100, "GFP_KERNEL | __GFP_DMA32"), "DMA32"),
    "large kmalloc of HighMem": (lambda k: k.kmalloc(100_000, "GFP_KERNEL | __GFP_HIGHMEM"), "HIGHMEM"),
    "huge kmalloc": (lambda k: k.kmalloc(HUGE), "use vmalloc"),
    "negative kmalloc": (lambda k: k.kmalloc(-1), "kmalloc"),
    "kfree of no object": (lambda k: k.kfree(0xC000_0000), "kfree|free"),
    "vmalloc of nothing": (lambda k: k.vmalloc(0), "expected a size of at least 1 byte"),
    "vmalloc of less than nothing": (lambda k: k.vmalloc(-4096), "expected a size of at least 1 byte"),
    "vmalloc with two zones in gfp": (lambda k: k.vmalloc(4096, "__GFP_DMA | __GFP_DMA32"), "GFP_ZONE_BAD"),
    "alignment of no power of two": (lambda k: k.vmap_areas.vmalloc(4096, align=3 * 4096), "power of two"),
    "alignment of nothing": (lambda k: k.vmap_areas.vmalloc(4096, align=0), "power of two"),
    "vfree of nobody's address": (lambda k: k.vfree(0xF000_0000), "vfree"),
    "vfree in the middle": (lambda k: k.vfree(next(iter(k.vmap_areas.areas)) + 4096), "give back that one"),
    "iounmap of vmalloc's": (lambda k: k.vmap_areas.iounmap(next(iter(k.vmap_areas.areas))), "kind vmalloc"),
    "ioremap of nothing": (lambda k: k.vmap_areas.ioremap(0x1000_0000, 0), "at least 1 byte"),
    "cache with an alignment of no power of two": (lambda k: k.slab.create("mine", 100, 48), "power of two"),
    "cache of objects of nothing": (lambda k: k.slab.create("mine", 0), "size"),
    "cache of huge objects": (lambda k: k.slab.create("mine", HUGE), "size|order|bytes"),
}


@pytest.fixture(scope="module")
def kernel() -> vm.Kernel:
    return used()


@pytest.mark.parametrize("what", REFUSED)
def test_a_refusal_says_what_was_expected_and_changes_nothing(kernel: vm.Kernel, what: str) -> None:
    call, says = REFUSED[what]
    before = state(kernel)
    with pytest.raises(vm.VmlabError, match=says):
        call(kernel)
    assert before == state(kernel)


FAILED: dict[str, Callable[[vm.Kernel], object]] = {
    "huge vmalloc": lambda k: k.vmalloc(HUGE),
    "vmalloc beyond the addresses": lambda k: k.vmalloc(500 * vm.MiB),
    "an alignment that no address has": lambda k: k.vmap_areas.vmalloc(4096, align=1 << 40),
}


@pytest.mark.parametrize("what", FAILED)
def test_what_there_is_no_room_for_is_a_clear_result_and_changes_nothing(kernel: vm.Kernel, what: str) -> None:
    kernel.vmap_areas.purge()  # a full space is purged before it is given up: that much may change
    before = state(kernel)
    failed = FAILED[what](kernel)
    assert not failed
    assert failed.tell()
    assert before == state(kernel)


def test_a_double_free_is_named_wherever_it_is_and_changes_nothing() -> None:
    kernel = used()
    page, block, object_va, area = (
        *(kernel.alloc_pages(0), kernel.alloc_pages(4)),
        *(kernel.kmalloc(300), kernel.vmalloc(9000)),
    )
    for given_back in (
        *(lambda: kernel.free_pages(page), lambda: kernel.free_pages(block)),
        *(lambda: kernel.kfree(object_va), lambda: kernel.vfree(area)),
    ):
        given_back()
        before = state(kernel)
        with pytest.raises(vm.VmlabError, match=r"free already|freed already"):
            given_back()
        assert before == state(kernel)
