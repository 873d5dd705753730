"""Machines unlike the other recorded ones: each was predicted before anybody looked, and showed a rule of its own.

Recorded no further than their boot, with Debian's Linux 6.1: no translations, no swap, no windows.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import vmlab as vm
from vmlab.judge import verify
from vmlab.parts import Image
from vmlab.record import SUFFIX

CORNERS = Path(__file__).parent / "records" / "corners"
NAMES = sorted(path.name.removesuffix(SUFFIX) for path in CORNERS.glob(f"*{SUFFIX}"))

UNDECIDED = {"arm64-virt-numa-3-cma": 5}  # its page tables are not kept


def load(name: str) -> vm.Machine:
    return vm.load_machine(str(CORNERS / f"{name}{SUFFIX}"))


@pytest.mark.parametrize("name", NAMES)
def test_a_machine_unlike_the_others_is_predicted_too(name: str):
    scores = verify.verify(load(name))

    assert {} == {score.name: score.mismatches for score in scores if score.mismatches}
    assert sum(score.total for score in scores) > 150
    assert UNDECIDED.get(name, 0) == sum(len(score.undecided) for score in scores)


def test_ten_are_kept():
    assert 10 == len(NAMES)


def test_a_gigantic_page_is_managed_but_nobody_may_allocate_it():
    """mm/hugetlb.c:gather_bootmem_prealloc gives its pages back to the count, not to a free list."""
    kernel = vm.boot(load("amd64-pc-3g-gigantic"))
    zone = kernel.zones["DMA32"]
    ((low, high),) = kernel.allocations.gigantic_frames

    assert high - low == vm.GiB >> 12
    assert low % (1 << 18) == 0
    assert zone.managed_pages - (high - low) >= sum(n << order for order, n in enumerate(kernel.buddy.nr_free(zone)))
    assert not kernel.buddy.owns(low)
    assert "huge page" in kernel.may_write(low)[1]


def test_marks_are_set_again_after_gigantic_pages_were_counted():
    """init_per_zone_wmark_min is a postcore_initcall, hugetlb_init and hugepage_init are subsys_initcalls."""
    zones = vm.boot(load("amd64-pc-3g-gigantic")).zones

    assert zones["DMA"].lowmem_reserve[1] < zones["DMA32"].managed_pages // 256  # of what was managed before
    assert [57, 11206] == [zones[name].watermark.min for name in ("DMA", "DMA32")]


@pytest.mark.parametrize(
    ("cpus", "possible", "words", "is_kept"),
    [(1, 1, "", False), (2, 2, "", False), (1, 2, "", True), (1, 2, "noreplace-smp", False), (4, 8, "", False)],
)
def test_the_list_of_locks_is_kept_only_where_one_cpu_runs_and_more_could(cpus, possible, words, is_kept):
    """arch/x86/kernel/alternative.c:alternative_instructions."""
    ram = (vm.Region(0, 639 << 10), vm.Region(vm.MiB, 767 * vm.MiB))
    image = Image(16 * vm.MiB, 32 * vm.MiB, init_start=28 * vm.MiB, init_end=29 * vm.MiB)

    def managed(freed: tuple[tuple[str, int], ...]) -> int:
        machine = vm.Machine(
            "i386", ram, vm.Config(freed_late=freed), words, image=image, cpus=cpus, possible_cpus=possible
        )
        return sum(zone.managed_pages for zone in vm.boot(machine).zones)

    assert managed((("SMP alternatives", 8),)) - managed(()) == (0 if is_kept else 8)


def test_cpus_that_may_not_run_are_not_counted():
    machine = load("amd64-pc-513m-maxcpus1")

    assert (1, 4) == (machine.cpus, machine.possible_cpus)


def test_a_section_with_memory_of_two_nodes_is_the_lower_nodes():
    """mm/sparse.c:memory_present; 512, 257 and 1030 MiB in sections of 128 MiB."""
    kernel = vm.boot(load("amd64-numa-3-movable-node"))

    assert [4, 3, 8] == [request.call.size // (2 * vm.MiB) for request in kernel.allocations.requests]


def test_an_area_across_two_zones_is_no_contiguous_memory_area():
    """mm/cma.c:cma_activate_area; the area was reserved, and its frames are free like all others."""
    kernel = vm.boot(load("arm64-virt-numa-3-cma"))
    start = 0x8320_0000

    assert [] == kernel.allocations.cma
    assert 0 == sum(zone.cma_pages for zone in kernel.zones)
    assert kernel.zones.of(start >> 12) is not kernel.zones.of((start + 64 * vm.MiB - 1) >> 12)
    assert kernel.buddy.owns(start >> 12)


def test_without_numa_all_memory_is_of_one_node():
    machine = load("amd64-numa-off")

    assert {0, 1} == {region.node for region in machine.ram}
    assert {0} == {zone.node for zone in vm.boot(machine).zones}


def test_emulated_nodes_are_refused_in_words():
    machine = vm.Machine("amd64", (vm.Region(0, vm.GiB),), cmdline="numa=fake=2")
    with pytest.raises(vm.VmlabError, match="numa=fake=2 is left out"):
        vm.boot(machine)


def test_kernelcore_mirror_moves_what_lies_above_4_gib_where_nothing_is_mirrored():
    """mm/page_alloc.c:find_zone_movable_pfns_for_nodes; movablecore=400M on the same command line is ignored."""
    zones = [zone for zone in vm.boot(load("amd64-numa-5g-mirror")).zones if zone.name == "Movable" and zone.populated]

    assert all(zone.start_pfn >= 1 << 20 for zone in zones)
    assert len(zones) == 2


def test_a_boost_of_a_mark_is_taken_off_before_it_is_compared():
    """mm/page_alloc.c:boost_watermark; /proc/zoneinfo prints min, low and high with it."""
    machine = load("amd64-numa-4-kernelcore200m")
    row = machine.recorded.zones[0] if machine.recorded else {}

    assert 512 == row["boost"]
    assert row["min"] - 512 == vm.boot(machine).zones["DMA"].watermark.min


@pytest.mark.parametrize(
    ("arch", "words", "pages"),
    [
        ("amd64", "hugepagesz=1G hugepages=2", [1 << 18, 1 << 18]),
        ("amd64", "hugepagesz=2M hugepages=2 hugepages=3", []),
        ("amd64", "default_hugepagesz=1G hugepages=1", [1 << 18]),
        ("amd64", "hugepagesz=1G hugepages=100", [1 << 18] * 3),  # as many as there is room for
        ("arm64", "hugepagesz=32M hugepages=2 hugepagesz=64K hugepages=5", [1 << 13, 1 << 13]),
        ("i386", "hugepagesz=1G hugepages=1", []),
    ],
)
def test_a_machine_described_by_hand_sets_its_gigantic_pages_aside(arch: str, words: str, pages: list[int]):
    """mm/hugetlb.c:hugepages_setup takes those that the page allocator could never make while it reads the words."""
    start, end = 1 << 30 if arch == "arm64" else 1 << 20, 3 << 30 if arch == "i386" else 5 << 30
    without = vm.boot(vm.Machine(arch, (vm.Region(start, end - start),)))
    kernel = vm.boot(vm.Machine(arch, (vm.Region(start, end - start),), cmdline=words))

    assert pages == [high - low for low, high in kernel.allocations.gigantic_frames]
    managed = [sum(zone.managed_pages for zone in each.zones) for each in (without, kernel)]
    assert managed[0] == managed[1]


def test_numbers_of_sysctl_are_applied_last_of_all_and_in_their_order():
    """fs/proc/proc_sysctl.c:do_sysctl_args; the reserves are worked out anew with all that is managed by then."""
    zones = vm.boot(load("amd64-pc-900m-sysctl")).zones
    plain = vm.boot(dataclasses.replace(load("amd64-pc-900m-sysctl"), cmdline="nokaslr")).zones

    assert zones["DMA"].lowmem_reserve[1] == zones["DMA32"].managed_pages // 64
    assert zones["DMA32"].pcp_high == zones["DMA32"].managed_pages // 16 // 2
    assert plain["DMA32"].pcp_high == plain["DMA32"].watermark.low // 2


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("sysctl.vm.min_free_kbytes=lots", "sysctl.vm.min_free_kbytes=: expected a number, got 'lots'"),
        ("sysctl.vm.lowmem_reserve_ratio=", "sysctl.vm.lowmem_reserve_ratio=: expected a number, got ''"),
    ],
)
def test_a_sysctl_that_is_no_number_is_named(word: str, message: str):
    with pytest.raises(vm.VmlabError, match=message):
        vm.boot(vm.Machine("amd64", (vm.Region(0, vm.GiB),), cmdline=word))


def test_values_that_the_kernel_refuses_change_nothing():
    """kernel/sysctl.c: watermark_scale_factor is 1 to 3000; a fraction below 8 is EINVAL (page_alloc.c)."""
    words = "sysctl.vm.watermark_scale_factor=0 sysctl.vm.watermark_scale_factor=3001 "
    ram = (vm.Region(0, vm.GiB),)
    odd = vm.Machine("amd64", ram, cmdline=words + "sysctl.vm.percpu_pagelist_high_fraction=7")

    assert list(vm.boot(vm.Machine("amd64", ram)).zones) == list(vm.boot(odd).zones)
