"""kmalloc in a booted kernel, caches merged into one, and /proc/slabinfo."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slab_parts import allocator, fresh

import vmlab as vm
from vmlab import procfs
from vmlab.physical import kmalloc
from vmlab.physical.slab_page import (
    BadObject,
    DoubleFree,
    ObjectsRemain,
)
from vmlab.physical.slab_size import SlabFlag

# kmalloc's caches


@pytest.mark.parametrize(("minalign", "size", "found"), [(8, 65, 96), (8, 129, 192), (64, 65, 128), (128, 129, 256)])
def test_96_and_192_fill_the_gaps_where_alignment_allows(minalign, size, found):
    assert kmalloc.size_of(size, minalign) == found


@given(st.integers(1, 8192), st.sampled_from([8, 64, 128]))
def test_kmalloc_takes_the_smallest_cache_that_holds_the_request(size, minalign):
    found = kmalloc.size_of(size, minalign)

    assert found >= size
    assert not [smaller for smaller in kmalloc.sizes(minalign) if size <= smaller < found]


def test_arm64_has_small_caches_since_6_5():
    from vmlab.arch.arm64 import ARM64

    assert kmalloc.sizes(ARM64.kmalloc_minalign["6.1"])[0] == 128
    assert kmalloc.sizes(ARM64.kmalloc_minalign["6.5"])[0] == 8


def test_gfp_chooses_the_family():
    kernel = vm.boot(vm.load_machine("i386-pc-686-1g"))
    gfps = ("GFP_KERNEL", "GFP_KERNEL_ACCOUNT", "GFP_KERNEL | __GFP_RECLAIMABLE", "GFP_KERNEL | GFP_DMA")
    owners = [kernel.slab.frames.owner[kernel.virt_to_phys(kernel.kmalloc(100, gfp)) >> 12] for gfp in gfps]

    assert [slab.cache.name for slab in owners] == [
        "kmalloc-128",
        "kmalloc-cg-128",
        "kmalloc-rcl-128",
        "dma-kmalloc-128",
    ]
    assert owners[-1].page.zone == "DMA"


# Merging


def test_caches_alike_become_one():
    slab = allocator()
    first, second = slab.create("first", 100), slab.create("second", 104)

    assert first is second is slab["second"]
    assert (first.aliases, first.object_size) == (["second"], 104)


@pytest.mark.parametrize(
    "other",
    [
        {"size": 112},  # a word less or more is waste
        {"size": 96},
        {"size": 104, "ctor": True},
        {"size": 104, "usersize": 8},
        {"size": 104, "family": SlabFlag.ACCOUNT},
        {"size": 104, "family": SlabFlag.TYPESAFE_BY_RCU},
        {"size": 104, "align": 64},
    ],
)
def test_what_keeps_caches_apart(other):
    slab = allocator()

    assert slab.create("first", 104) is not slab.create("second", **other)


def test_slab_nomerge_and_kmalloc_caches_are_never_merged():
    assert allocator().create("mine", 512).name == "mine"
    plain = allocator(merge=False)
    assert plain.create("first", 104) is not plain.create("second", 104)


def test_destroying_an_alias_leaves_the_other():
    slab = allocator()
    shared = slab.create("first", 104)
    slab.create("second", 104)
    va = shared.alloc()
    slab.destroy("first")

    assert slab["second"].name == "second"
    with pytest.raises(ObjectsRemain, match="1 objects are in use"):
        slab.destroy("second")
    shared.free(va)
    slab.destroy("second")
    assert not slab.frames.owner


# In a kernel


@pytest.mark.parametrize("name", ["arm-virt-armmp-1g", "i386-pc-686-1g", "amd64-pc-numa-2x1g", "arm64-virt-1g"])
@given(sizes=st.lists(st.integers(0, 40000), min_size=1, max_size=40), order=st.randoms(use_true_random=False))
@settings(max_examples=8)
def test_kmalloc_and_kfree_conserve_every_frame(name, sizes, order):
    kernel = fresh(name)
    before = procfs.print_buddyinfo(kernel)
    got = [(kernel.kmalloc(size), size) for size in sizes]
    spans = sorted((va, va + kernel.slab.ksize(va)) for va, size in got if size)

    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
    assert all(kernel.slab.ksize(va) >= size for va, size in got if size)
    order.shuffle(got)
    for va, _ in got:
        kernel.kfree(va)
    for slab_cache in kernel.slab.caches:
        slab_cache.shrink()
    assert kernel.slab.frames.owner == {}
    kernel.page_allocator.drain()
    assert free_pages(before) == free_pages(procfs.print_buddyinfo(kernel))


def free_pages(buddyinfo: str) -> list[int]:
    return [row.free_pages for row in procfs.parse_buddyinfo(buddyinfo)]


def test_large_requests_come_from_the_page_allocator():
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-1g"))
    va = kernel.kmalloc(8193)

    assert (va % 4096, kernel.slab.ksize(va)) == (0, 16384)
    with pytest.raises(BadObject, match="starts at"):
        kernel.kfree(va + 4096)
    kernel.kfree(va)
    with pytest.raises(DoubleFree):
        kernel.kfree(va)


def test_zero_bytes_are_a_pointer_that_can_be_freed():
    kernel = fresh("arm-virt-armmp-1g")

    assert kernel.kmalloc(0) == kmalloc.ZERO_SIZE_PTR
    kernel.kfree(kmalloc.ZERO_SIZE_PTR)
    kernel.kfree(0)


@pytest.mark.parametrize(
    ("size", "gfp", "match"),
    [
        (-1, "GFP_KERNEL", "0 or more"),
        (1 << 40, "GFP_KERNEL", "use vmalloc"),
        (8 << 20 | 1, "GFP_KERNEL", "at most 8388608"),
        (100, "GFP_HIGHUSER", "direct map"),
        (100, "GFP_NONSENSE", "unknown flag"),
    ],
)
def test_requests_that_kmalloc_refuses(size, gfp, match):
    with pytest.raises(vm.VmlabError, match=match):
        fresh("arm-virt-armmp-1g").kmalloc(size, gfp)


def test_kfree_of_a_vmalloc_address_says_vfree():
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-1g"))
    va = kernel.vmalloc(100)

    with pytest.raises(vm.VmlabError, match="use vfree"):
        kernel.kfree(va)


def test_kmalloc_stays_in_lowmem_and_says_so_when_it_is_full():
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-1g"))
    got = []
    while va := kernel.kmalloc(4 << 20):
        got.append(va)

    assert {kernel.layout.classify(va).area.name for va in got} == {"direct map"}
    assert "HighMem" not in va.tell()
    assert "page allocation failure" in va.tell()
    with pytest.raises(vm.VmlabError, match="failed allocation"):
        kernel.kfree(va)


def test_boot_takes_no_frame_for_slabs():
    assert vm.boot(vm.load_machine("amd64-pc-4g")).slab.frames.owner == {}


# /proc/slabinfo


@pytest.mark.parametrize("name", ["amd64-pc-4g", "arm-virt-armmp-1g"])
def test_a_real_slabinfo_is_read_and_printed_back(name):
    text = procfs.sample("slabinfo", name).read_text()

    assert procfs.format_slabinfo(procfs.parse_slabinfo(text)) == text


def test_the_models_slabinfo_reads_back_and_counts_objects():
    kernel = vm.boot(vm.load_machine("amd64-pc-4g"))
    got = [kernel.kmalloc(1000) for _ in range(20)]
    rows = {row.name: row for row in procfs.parse_slabinfo(procfs.print_slabinfo(kernel))}
    row = rows["kmalloc-1k"]

    assert (row.num_slabs, row.num_objs, row.objsize, row.objperslab, row.pagesperslab) == (3, 24, 1024, 8, 2)
    assert row.active_objs == 24  # what the CPU keeps for the next allocations is active, too
    for va in got[:8]:
        kernel.kfree(va)
    kernel.slab["kmalloc-1k"].flush(0)
    rows = {row.name: row for row in procfs.parse_slabinfo(procfs.print_slabinfo(kernel))}
    assert rows["kmalloc-1k"].active_objs == 12


@pytest.mark.parametrize("text", ["", "slabinfo - version: 1.1\n", "slabinfo - version: 2.1\nkmalloc-8 1 2\n"])
def test_a_file_that_is_no_slabinfo_is_refused_by_line(text):
    with pytest.raises(vm.VmlabError, match=r"slabinfo, line [12]: expected"):
        procfs.parse_slabinfo(text)
