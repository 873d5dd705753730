"""The boot allocator of 2.4 and 2.6, and the folklore address 0xC1000000: where it came from, how it moves."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from naive import NaiveBootmem

import vmlab as vm
from vmlab.arch import Bounds
from vmlab.physical.bootmem import Bootmem
from vmlab.physical.memblock import BootOutOfMemory, Memblock
from vmlab.units import pfn_down, pfn_up


def pc(image: vm.Image | None = None, ram: int = vm.GiB, **config: int) -> vm.Kernel:
    """A PC of that time: the kernel at 1 MiB, 4 MiB large."""
    return vm.boot(
        vm.Machine(
            arch="i386",
            ram=(vm.Region(0, 640 * vm.KiB), vm.Region(vm.MiB, ram - vm.MiB)),
            image=image or vm.Image(vm.MiB, 5 * vm.MiB),
            boot_allocator="bootmem",
            config=vm.Config(**config),
        )
    )


def board(image_end: int = 0x4051_2345, **config: int) -> vm.Kernel:
    """An ARM board of that time, 1 GiB at 0x4000_0000."""
    config = {"max_order": 11, "pageblock_order": 10, "struct_page_bytes": 32} | config
    return vm.boot(
        vm.Machine(
            arch="arm",
            ram=(vm.Region(0x4000_0000, vm.GiB),),
            image=vm.Image(0x4000_8000, image_end),
            boot_allocator="bootmem",
            config=vm.Config(**config),
        )
    )


def test_on_a_pc_mem_map_was_at_0xc1000000():
    """The goal is __pa(MAX_DMA_ADDRESS) = 16 MiB, and nothing was there yet."""
    kernel = pc()

    assert 0xC100_0000 == kernel.mem_map.va
    assert (range(0x1000, 0x1A00),) == kernel.mem_map.frames, "262144 frames of 40 bytes"
    assert "__pa(MAX_DMA_ADDRESS) = 0x100_0000" in kernel.log.tell()


@pytest.mark.parametrize("megabytes", [32, 64, 512, 896, 2048])
def test_it_did_not_depend_on_the_size_of_ram(megabytes: int):
    assert 0xC100_0000 == pc(ram=megabytes * vm.MiB).mem_map.va


@pytest.mark.parametrize(
    ("what", "kernel"),
    [
        ("a kernel that ends above 16 MiB", lambda: pc(vm.Image(vm.MiB, 20 * vm.MiB))),
        ("a kernel loaded at 16 MiB", lambda: pc(vm.Image(16 * vm.MiB, 21 * vm.MiB))),
        (
            "an initrd across 16 MiB",
            lambda: pc(vm.Image(vm.MiB, 5 * vm.MiB, initrd_start=14 * vm.MiB, initrd_end=30 * vm.MiB)),
        ),
        ("another split of the address space", lambda: pc(page_offset=0x8000_0000)),
        ("less RAM than that", lambda: pc(ram=24 * vm.MiB, struct_page_bytes=4096)),
        ("ARM", board),
        ("ARM with a larger kernel", lambda: board(0x4100_0000)),
    ],
)
def test_the_folklore_address_was_an_accident(what: str, kernel):
    try:
        assert kernel().mem_map.va != 0xC100_0000, what
    except BootOutOfMemory:
        assert what == "less RAM than that"


def test_after_a_large_initrd_mem_map_follows_it():
    kernel = pc(vm.Image(vm.MiB, 5 * vm.MiB, initrd_start=14 * vm.MiB, initrd_end=30 * vm.MiB))

    assert 0xC1E0_0000 == kernel.mem_map.va


def test_on_arm_mem_map_followed_the_kernel_and_the_bitmap():
    """2.6.32, 1 GiB all lowmem (VMSPLIT_2G), _end at 0x40512345: bitmap 8 pages, then 2048 frames of mem_map."""
    kernel = board(page_offset=0x8000_0000)
    bitmap = kernel.allocations.got[0]

    assert (0x4051_3000, 0x4051_B000, "init_bootmem") == bitmap
    assert (range(0x4051B, 0x40D1B),) == kernel.mem_map.frames
    assert 0x8051_B000 == kernel.mem_map.va
    assert "is not in lowmem" in kernel.log.tell()


def test_the_bitmap_covers_lowmem_only():
    kernel = board()
    start, end, _ = kernel.allocations.got[0]

    assert 6 * 4096 == end - start, "768 MiB of lowmem: 196608 bits"
    assert 0x4051_3000 + 6 * 4096 == kernel.mem_map.frames[0].start << 12


def test_memblock_put_the_same_array_at_the_top_of_lowmem():
    bootmem = pc()
    memblock = vm.boot(dataclasses.replace(bootmem.machine, boot_allocator="memblock"))

    assert memblock.mem_map.bytes == bootmem.mem_map.bytes
    assert memblock.mem_map.va > 0xF000_0000 > 0xC200_0000 > bootmem.mem_map.va


def test_a_zone_cut_from_highmem_holds_no_struct_page_then_either():
    machine = dataclasses.replace(board().machine, ram=(vm.Region(0x4000_0000, 2 * vm.GiB),))
    kernel = vm.boot(machine.with_config(zone_dma=False).with_zone("NewMem", size=512 * vm.MiB, below="HighMem"))
    new = kernel.zones["NewMem"]

    assert 131072 == new.present_pages == new.managed_pages == len(vm.PageList(kernel, "NewMem", claim=True))
    assert not any(new.holds(pfn) for run in kernel.mem_map.frames for pfn in run)


def test_but_a_zone_cut_from_the_bottom_of_lowmem_does():
    """Bottom up, mem_map is low: the same cut that is safe under memblock is not under bootmem."""
    machine = board().machine.with_config(zone_dma=False)
    split = machine.with_zone("NewMem", size=128 * vm.MiB, below="Normal")

    assert 0x4000_0000 >> 12 == vm.boot(split).zones["NewMem"].start_pfn
    assert all(vm.boot(split).zones["NewMem"].holds(pfn) for pfn in vm.boot(split).mem_map.frames[0])


def test_the_bitmaps_own_frames_are_free_at_the_end():
    kernel = pc()
    start, end, _ = kernel.allocations.got[0]

    assert all(kernel.buddy.owns(pfn) for pfn in range(start >> 12, end >> 12))
    assert "free_all_bootmem" in kernel.log.tell("free")


def test_an_initrd_above_lowmem_was_given_up():
    kernel = pc(vm.Image(vm.MiB, 5 * vm.MiB, initrd_start=1000 * vm.MiB, initrd_end=1010 * vm.MiB))

    assert "disabling initrd" in kernel.log.tell()
    assert kernel.buddy.owns(1000 * vm.MiB >> 12)


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (vm.Machine(arch="arm64", ram=(vm.Region(0x4000_0000, vm.GiB),)), "no kernel for arm64-4k-48 used bootmem"),
        (
            vm.Machine(arch="amd64", ram=(vm.Region(0, vm.GiB),), config=vm.Config(format="x86-64-5")),
            "no kernel for x86-64-5 used bootmem",
        ),
        (vm.Machine(arch="amd64", ram=(vm.Region(0, vm.GiB),)), "not for SPARSEMEM_VMEMMAP; use boot_allocator="),
    ],
)
def test_kernels_that_never_ran_bootmem_are_refused(machine: vm.Machine, message: str):
    with pytest.raises(vm.VmlabError, match=message):
        vm.boot(dataclasses.replace(machine, boot_allocator="bootmem"))


def test_every_32_bit_record_could_have_booted_with_it(recorded: vm.Machine):
    if recorded.config.format not in ("x86-32", "x86-pae", "arm-short", "arm-lpae"):
        with pytest.raises(vm.VmlabError, match="boot_allocator"):
            vm.boot(dataclasses.replace(recorded, boot_allocator="bootmem"))
        return
    kernel = vm.boot(dataclasses.replace(recorded, boot_allocator="bootmem"))
    highest = max(run.stop for run in kernel.mem_map.frames)

    assert vm.boot(recorded).mem_map.bytes == kernel.mem_map.bytes
    assert highest <= kernel.bounds.max_low_pfn
    assert kernel.mem_map.va < vm.boot(recorded).mem_map.va, "bottom up is below top down"


CALLS = st.lists(
    st.tuples(
        st.one_of(st.integers(1, 300), st.integers(1, 40 << 12)),
        st.sampled_from([4, 32, 64, 4096, 8192, 16384]),
        st.sampled_from([0, 20 << 12, 100 << 12, 10_000 << 12]),
    ),
    max_size=30,
)
TAKEN = st.lists(st.tuples(st.integers(0, 200 << 12), st.integers(1, 30 << 12)), max_size=5)


@settings(max_examples=300)
@example([(1, 4, 0), (1, 4, 100 << 12), (1, 4, 0), (1, 8192, 0), (1, 4, 100 << 12)], [], 37, 64)
@given(CALLS, TAKEN, st.integers(1, 40), st.integers(50, 180))
def test_every_allocation_is_where_the_bitmap_search_of_2_6_32_puts_it(calls, taken, low: int, pages: int):
    memblock = Memblock()
    memblock.add(low << 12, (low + pages) << 12)
    naive = NaiveBootmem(low, low + pages)
    naive.free(low, low + pages)
    for start, size in taken:
        memblock.reserve(start, start + size)
        for pfn in range(max(low, pfn_down(start)), min(low + pages, pfn_up(start + size))):
            naive.bitmap[pfn - low] = 1
    real = Bootmem(Bounds(low, low + pages, low + pages, None, 0), memblock)
    assume(calls)
    for size, align, goal in calls:
        expected = naive.alloc(size, align, goal)
        try:
            assert expected == real.alloc(size, align, goal, "", "test")
        except BootOutOfMemory:
            assert expected is None
