"""The public names, used as a learner would meet them: a machine, its boot, its pages, its processes.

What each gives is tested elsewhere; here it is the names that are held, that they go together, and that what a
notebook prints of every part says something about it.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

import vmlab as vm
from vmlab.units import VmlabError


@pytest.fixture(scope="module")
def kernel() -> vm.Kernel:
    return vm.boot(vm.load_machine("arm-virt-armmp-2g"))


def test_a_machine_is_shipped_described_or_a_what_if() -> None:
    assert {"arm-virt-armmp-2g", "amd64-pc-4g"} <= set(vm.machines())
    ram = [vm.Region(0x4000_0000, 2 * vm.GiB)]
    described = vm.Machine(arch="arm", ram=ram, config=vm.Config(), cmdline="vmalloc=256M")
    assert described.recorded is None
    split = described.with_config(zone_dma=False).with_zone("NewMem", size=512 * vm.MiB, below="HighMem")
    assert [512 * vm.MiB >> 12] == [z.present_pages for z in vm.boot(split).zones if z.name == "NewMem"]
    assert ["NewMem"] != [z.name for z in vm.boot(described).zones if z.name == "NewMem"], (
        "a new Machine, not the old one"
    )


def test_zones_and_mem_map(kernel: vm.Kernel) -> None:
    for zone in kernel.zones:
        assert zone.managed_pages <= zone.present_pages <= zone.spanned_pages
        assert zone.watermark.min <= zone.watermark.low <= zone.watermark.high
        assert len(zone.lowmem_reserve) == len(kernel.zones)
    assert kernel.zones["HighMem"].start_pfn == kernel.nodes[0].zones["HighMem"].start_pfn
    assert ("FLATMEM", 36) == (kernel.mem_map.model, kernel.mem_map.struct_page_bytes)
    assert kernel.mem_map.holds(kernel.mem_map.frames[0].start)
    assert kernel.mem_map.va == kernel.mem_map.pfn_to_page(kernel.mem_map.page_to_pfn(kernel.mem_map.va))
    assert "struct page" in kernel.log.tell()


def test_addresses(kernel: vm.Kernel) -> None:
    assert {"direct map", "vmalloc", "pkmap", "fixmap", "modules"} <= {area.name for area in kernel.layout.areas}
    found = kernel.layout.classify(0xC100_0000)
    assert ("direct map", True, 0x4100_0000) == (found.area.name, found.logical, found.pa)
    assert 0xC100_0000 == kernel.phys_to_virt(kernel.virt_to_phys(0xC100_0000))
    with pytest.raises(VmlabError):
        kernel.virt_to_phys(kernel.layout.area("vmalloc").start)


def test_the_page_tables_of_a_real_process(kernel: vm.Kernel) -> None:
    recorded = kernel.machine.recorded
    walk = recorded.address_space("p0").walk(0x40_0000)
    assert f"{walk.page_bytes // 1024} KiB" in walk.explain()
    pas, ok = recorded.address_space("p0").translate(np.array([0x40_0000, 1], np.uint64))
    assert ([walk.pa, 0], [True, False], np.uint64, bool) == (list(pas), list(ok), pas.dtype, ok.dtype)
    assert walk.pa != recorded.address_space("p0", stage="swap1").walk(0x40_0000).pa
    assert recorded.kernel_space().walk(0xC100_0000).pa == 0x4100_0000


def test_pages_windows_and_processes() -> None:
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-2g"))
    page = kernel.alloc_pages(order=0, gfp="GFP_HIGHUSER")
    assert "HighMem" == page.zone
    assert "pkmap" == kernel.layout.classify(kernel.kmap(page)).area.name
    kernel.kunmap(page)
    with kernel.kmap_local(page) as va:
        assert "fixmap" == kernel.layout.classify(va).area.name
    kernel.free_pages(page)
    assert kernel.layout.classify(kernel.kmalloc(100)).logical
    assert "vmalloc" == kernel.layout.classify(kernel.vmalloc(64 * vm.KiB)).area.name

    kernel.swapon(64)
    one = kernel.spawn("a")
    one.mmap(0x40_0000, pages=16)
    one.write(0x40_0000, b"hello")
    other = one.fork()
    kernel.switch(other)
    assert b"hello" == other.read(0x40_0000, 5), "on ARM a copied entry is old, and an old one faults at the first use"
    assert one.page_table.walk(0x40_0000).pa == other.page_table.walk(0x40_0000).pa
    watch = kernel.watch(one, 0x40_0000)
    assert kernel.reclaim(1).freed
    entry = kernel.swap.find(one, 0x40_0000).entry
    assert entry == kernel.swap.find(other, 0x40_0000).entry is not None
    assert watch.moves
    assert b"hello" == other.read(0x40_0000, 5)


def test_a_swap_entry_by_the_name_of_its_format() -> None:
    entry = vm.SwapEntry(type=3, offset=0x1234)
    assert entry == vm.SwapEntry.decode("x86-pae", entry.encode("x86-pae"))


def test_what_a_notebook_prints_of_each_part_says_what_it_is(kernel: vm.Kernel) -> None:
    process = kernel.spawn("a")
    recorded = kernel.machine.recorded
    parts = [kernel, kernel.zones, kernel.mem_map, kernel.layout, kernel.log, kernel.tlb, kernel.swap, kernel.slab]
    parts += [kernel.buddy, process, process.mm, process.page_table, recorded, recorded.address_space("p0")]
    parts += [kernel.machine, *kernel.nodes, *kernel.zones]
    for part in parts:
        assert not re.search(r" object at 0x|<function", repr(part)), type(part)
        assert len(repr(part)) < 2000, type(part)
