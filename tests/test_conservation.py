"""No frame is lost and none is counted twice, from the firmware's map to the free lists."""

from __future__ import annotations

import dataclasses

import pytest
from described import machines
from hypothesis import given, settings

import vmlab as vm
from vmlab.physical import owners, pcp
from vmlab.physical.migratetype import Migratetype
from vmlab.ranges import Ranges
from vmlab.units import pfn_down, pfn_up


def whole_frames(kernel: vm.Kernel) -> int:
    """RAM in whole frames, as memblock ended up with it."""
    return sum(pfn_down(end) - pfn_up(start) for start, end in kernel.memblock.memory())


def check(kernel: vm.Kernel) -> None:
    ram = whole_frames(kernel)
    outside = ram - sum(zone.present_pages for zone in kernel.zones)
    above = sum(
        max(0, pfn_down(end) - max(pfn_up(start), kernel.bounds.max_pfn)) for start, end in kernel.memblock.memory()
    )
    assert above == outside, "RAM is present in a zone, unless the kernel decided not to use it"
    assert sum(node.present_pages for node in kernel.nodes) == ram - above
    for zone in kernel.zones:
        taken = sum(part.pages for part in owners.reserved(kernel, zone) if part.why != owners.CMA)
        assert zone.present_pages == zone.managed_pages + taken, zone.name
        assert zone.managed_pages == kernel.buddy.free_pages(zone), zone.name
        assert zone.managed_pages <= zone.present_pages <= zone.spanned_pages
        assert zone.present_pages == owners.ram(kernel, zone).total()
    if kernel.machine.final_reserved is None:
        check_reservations(kernel)


def check_reservations(kernel: vm.Kernel) -> None:
    """What boot reserved and what buddy never got are the same frames, but for those given back at the end."""
    reserved, given_back = Ranges(), Ranges()
    for start, end in kernel.memblock.reserved:
        reserved.add(pfn_down(start), pfn_up(end))
    image = kernel.machine.image
    late = [kernel.allocations.initrd, *kernel.allocations.given_up, *([(image.start, image.end)] if image else [])]
    for start, end in late:
        given_back.add(pfn_down(start), pfn_up(end))
    for start, end in kernel.allocations.cma_frames:
        given_back.add(start, end)
    for zone in kernel.zones:
        for part in owners.reserved(kernel, zone):
            assert list(reserved.gaps_down(part.start_pfn, part.end_pfn)) == [], part
        for start, end in kernel.buddy.free_ranges(zone):
            for low, high in reserved.shared(start, end):
                assert list(given_back.gaps_down(low, high)) == [], (zone.name, hex(low), hex(high))


def test_every_frame_of_every_record_is_accounted_for(booted: vm.Kernel):
    check(booted)


def test_every_frame_of_every_record_is_accounted_for_after_a_split(recorded: vm.Machine):
    donor = max((zone for zone in vm.boot(recorded).zones if zone.name != "Movable"), key=lambda z: z.present_pages)
    machine = recorded.with_config(zone_dma=False) if recorded.arch in ("arm", "i386") else recorded
    donor_name = donor.name if donor.name != "DMA" or machine is recorded else "Normal"
    before, after = vm.boot(machine), vm.boot(machine.with_zone("NewMem", size=32 * vm.MiB, below=donor_name))

    check(after)
    assert whole_frames(before) == whole_frames(after)
    assert sum(z.present_pages for z in before.zones) == sum(z.present_pages for z in after.zones)
    assert sum(z.managed_pages for z in before.zones) == sum(z.managed_pages for z in after.zones)


@settings(max_examples=150)
@given(machines())
def test_no_described_machine_loses_a_frame(machine: vm.Machine):
    check(vm.boot(machine))


@settings(max_examples=60)
@given(machines(archs=("arm", "i386")))
def test_the_bootmem_era_loses_none_either(machine: vm.Machine):
    check(vm.boot(dataclasses.replace(machine, boot_allocator="bootmem")))


def test_frames_handed_out_and_given_back_are_all_free_again(booted: vm.Kernel):
    before = {(zone.node, zone.name): booted.buddy.nr_free(zone) for zone in booted.zones}
    pages = [page for order in (0, 3, 1, 5, 0) for gfp in GFP if (page := booted.alloc_pages(order, gfp))]
    taken = sum(1 << page.order for page in pages)
    assert taken > 0
    kept = sum(pcp.pages(booted.buddy, zone, 0).count for zone in booted.zones)
    free = sum(map(booted.buddy.free_pages, booted.zones))
    assert sum(z.managed_pages for z in booted.zones) == taken + kept + free

    for page in pages:
        booted.free_pages(page)
    booted.page_allocator.drain()
    assert before == {(zone.node, zone.name): booted.buddy.nr_free(zone) for zone in booted.zones}


GFP = ("GFP_KERNEL", "GFP_HIGHUSER", "GFP_HIGHUSER_MOVABLE", "GFP_ATOMIC")


def test_a_one_tebibyte_machine_is_held_in_a_handful_of_ranges():
    kernel = vm.boot(vm.Machine(arch="amd64", ram=(vm.Region(0, 3 * vm.GiB), vm.Region(4 * vm.GiB, vm.TiB))))

    check(kernel)
    area = kernel.buddy.areas[[zone.name for zone in kernel.zones].index("Normal")]
    assert len(area.untouched[Migratetype.MOVABLE]) <= 4
    assert len(area.handed) < 64
    assert kernel.buddy.nr_free(kernel.zones["Normal"])[10] > 250_000


@pytest.mark.parametrize("name", ["arm-virt-armmp-1g", "amd64-pc-4g", "i386-pc-686-1g", "arm64-virt-1g"])
def test_the_initrd_and_the_init_sections_end_on_the_free_lists(name):
    kernel = vm.boot(vm.load_machine(name))
    image = kernel.machine.image
    start, end = kernel.allocations.initrd

    assert end > start
    assert kernel.buddy.owns(pfn_up(start))
    assert kernel.buddy.owns(pfn_up(image.init_start))
    assert kernel.buddy.owns(pfn_down(image.init_end) - 1)
    assert not kernel.buddy.owns(pfn_down(image.start)), "the rest of the kernel stays"
