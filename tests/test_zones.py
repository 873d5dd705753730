"""From zone limits to zones; and the what-if: a zone cut from another one, everything counted again."""

from __future__ import annotations

import dataclasses

import naive
import pytest
from described import banks
from hypothesis import assume, given
from hypothesis import strategies as st

import vmlab as vm
from vmlab.physical import watermarks
from vmlab.physical.zones import Zone


def asker(newmem: int = 512 * vm.MiB, ram: int = 2 * vm.GiB, **where: object) -> vm.Kernel:
    """The machine of the question: ARM, 2 GiB, ZONE_DMA given up, NewMem at the bottom of HighMem."""
    machine = vm.Machine(arch="arm", ram=(vm.Region(0x4000_0000, ram),), config=vm.Config(zone_dma=False))
    return vm.boot(machine.with_zone("NewMem", size=newmem, **(where or {"below": "HighMem"})))


def counted(kernel: vm.Kernel) -> dict[str, tuple[int, int, int]]:
    return {zone.name: (zone.start_pfn, zone.spanned_pages, zone.present_pages) for zone in kernel.zones}


def test_a_pc_with_24_gib_has_the_zones_that_its_kernel_printed():
    """e820 usable 0-0x9fbff, 1 MiB-3 GiB, 4 GiB-25 GiB, on a 6.18 kernel: three zones, two holes."""
    ram = (vm.Region(0, 0x9FC00), vm.Region(vm.MiB, 0xBFF0_0000), vm.Region(4 * vm.GiB, 21 * vm.GiB))
    zones = counted(vm.boot(vm.Machine(arch="amd64", ram=ram)))

    assert (1, 4095, 3998) == zones["DMA"], "page 0 and the hole 0x9f..0x100 are not present"
    assert (4096, 1044480, 782336) == zones["DMA32"]
    assert (1048576, 5505024, 5505024) == zones["Normal"]


@pytest.mark.parametrize(
    ("cmdline", "lowmem_end", "highmem_pages"),
    [("", 0x7000_0000, 65536), ("vmalloc=512M", 0x5F00_0000, 135168), ("vmalloc=128M", 0x7700_0000, 36864)],
)
def test_vmalloc_moves_the_border_to_highmem_on_arm(cmdline: str, lowmem_end: int, highmem_pages: int):
    kernel = vm.boot(vm.Machine(arch="arm", ram=(vm.Region(0x4000_0000, vm.GiB),), cmdline=cmdline))

    assert lowmem_end >> 12 == kernel.zones["DMA"].end_pfn == kernel.zones["HighMem"].start_pfn
    assert highmem_pages == kernel.zones["HighMem"].present_pages


def test_the_askers_zone_has_131072_pages_and_not_131084():
    kernel = asker()
    new = kernel.zones["NewMem"]

    assert (0x70000, 131072, 131072) == counted(kernel)["NewMem"]
    assert 131072 == new.managed_pages == kernel.buddy.free_pages(new)
    assert 24 == watermarks.stat_threshold(131072, 4), "a count read on 4 CPUs may be off by 4 * 24 pages"


def test_the_split_moves_frames_and_loses_none():
    before = vm.boot(vm.Machine(arch="arm", ram=(vm.Region(0x4000_0000, 2 * vm.GiB),)))
    after = asker()

    assert ["Normal", "NewMem", "HighMem", "Movable"] == [zone.name for zone in after.zones]
    assert (0x70000, 327680, 327680) == counted(before)["HighMem"]
    assert (0x90000, 196608, 196608) == counted(after)["HighMem"]
    assert counted(before)["DMA"] == counted(after)["Normal"]


def test_the_split_changes_watermarks_and_reserves_as_predicted():
    """NewMem: min clamp(131072/1024, 32, 128) = 128, batch 31; Normal keeps (131072 + 196608) / 32 for HighMem."""
    kernel = asker()

    assert 128 == kernel.zones["NewMem"].watermark.min
    assert 31 == kernel.zones["NewMem"].pcp_batch
    assert (0, 4096, 10240, 10240) == kernel.zones["Normal"].lowmem_reserve
    assert (0, 0, 0, 0) == kernel.zones["NewMem"].lowmem_reserve, "it is HighMem: ratio 0"
    assert kernel.zones["NewMem"].highmem


def test_the_split_does_not_move_mem_map():
    whole = vm.boot(dataclasses.replace(asker().machine, splits=()))

    assert whole.mem_map.frames == asker().mem_map.frames
    assert not any(asker().zones["NewMem"].holds(pfn) for run in whole.mem_map.frames for pfn in run)


def test_a_zone_from_the_top_of_lowmem_holds_mem_map():
    kernel = asker(64 * vm.MiB, above="Normal")

    assert ["Normal", "NewMem", "HighMem"] == [zone.name for zone in kernel.zones if zone.populated]
    assert all(kernel.zones["NewMem"].holds(pfn) for run in kernel.mem_map.frames for pfn in run)
    assert not kernel.zones["NewMem"].highmem
    assert kernel.zones["NewMem"].managed_pages < kernel.zones["NewMem"].present_pages


@given(st.integers(1, 327680), st.booleans())
def test_any_size_up_to_the_donors_is_cut_exactly(pages: int, top: bool):
    kernel = asker(pages << 12, **({"above": "HighMem"} if top else {"below": "HighMem"}))
    new, high = kernel.zones["NewMem"], kernel.zones["HighMem"]

    assert pages == new.spanned_pages == new.present_pages
    assert 327680 - pages == high.present_pages
    assert (0xC0000 if top else 0x70000) == (new.end_pfn if top else new.start_pfn)


def test_a_32_bit_kernel_has_room_for_four_zones_and_says_which_to_give_up():
    """include/linux/gfp.h: 16 entries of ZONES_SHIFT bits in 32 bits, so ZONES_SHIFT is at most 2."""
    machine = vm.Machine(arch="arm", ram=(vm.Region(0x4000_0000, 2 * vm.GiB),))
    with pytest.raises(
        vm.VmlabError, match=r"5 zones .*at most 4 zones; give up ZONE_DMA, with_config\(zone_dma=False\)"
    ):
        vm.boot(machine.with_zone("NewMem", size=vm.MiB, below="HighMem"))

    two = machine.with_config(zone_dma=False).with_zone("A", size=vm.MiB, below="HighMem")
    with pytest.raises(vm.VmlabError, match="CONFIG_HIGHMEM"):
        vm.boot(two.with_zone("B", size=vm.MiB, below="HighMem"))


def test_a_64_bit_kernel_has_room_for_more():
    machine = vm.Machine(arch="amd64", ram=(vm.Region(0, vm.GiB), vm.Region(4 * vm.GiB, vm.GiB)))
    kernel = vm.boot(machine.with_zone("A", size=vm.MiB, below="Normal").with_zone("B", size=vm.MiB, above="DMA32"))

    assert ["DMA", "DMA32", "B", "A", "Normal", "Movable", "Device"] == [zone.name for zone in kernel.zones]


@pytest.mark.parametrize(
    ("want", "message"),
    [
        ({"size": 4 * vm.GiB, "below": "HighMem"}, "4 GiB .* cannot be cut from HighMem, which has 327680 pages"),
        (
            {"size": vm.MiB, "below": "Upper"},
            "zone NewMem: expected to be cut from one of Normal, HighMem, got 'Upper'",
        ),
        ({"size": vm.MiB, "below": "Movable"}, "expected to be cut from one of Normal, HighMem, got 'Movable'"),
        ({"size": 768 * vm.MiB, "above": "Normal"}, "with all of Normal gone no lowmem is left"),
    ],
)
def test_a_cut_that_cannot_be_is_refused_when_the_machine_boots(want: dict, message: str):
    with pytest.raises(vm.VmlabError, match=message):
        asker(want.pop("size"), **want)


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(vm.VmlabError, match="zone NewMem: there is already a zone of that name"):
        vm.boot(asker().machine.with_zone("NewMem", size=vm.MiB, below="HighMem"))


@pytest.mark.parametrize(
    ("name", "want", "message"),
    [
        ("NewMem", {"size": vm.MiB}, "either below= or above=, .* got neither"),
        ("NewMem", {"size": vm.MiB, "below": "HighMem", "above": "Normal"}, "got both"),
        ("NewMem", {"size": 5000, "below": "HighMem"}, "multiple of the page size 4096, got 5000"),
        ("NewMem", {"size": 1.5 * vm.MiB, "below": "HighMem"}, "multiple of the page size 4096, got 1572864.0"),
        ("NewMem", {"size": 0, "below": "HighMem"}, "multiple of the page size 4096, got 0"),
        ("New Mem", {"size": vm.MiB, "below": "HighMem"}, "expected a word such as NewMem, got 'New Mem'"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_at_once(name: str, want: dict, message: str):
    with pytest.raises(vm.VmlabError, match=message):
        asker().machine.with_zone(name, **want)


def test_an_unknown_zone_lists_those_there_are():
    with pytest.raises(vm.VmlabError, match="zone: expected one of Normal, NewMem, HighMem, Movable, got 'DMA'"):
        asker().zones["DMA"]


def test_a_name_that_two_nodes_have_must_be_asked_of_one():
    kernel = vm.boot(vm.load_machine("amd64-pc-numa-1g-4g"))

    with pytest.raises(vm.VmlabError, match=r"zone 'DMA32' exists on 2 nodes: .*k.nodes\[0\].zones"):
        kernel.zones["DMA32"]
    assert kernel.nodes[0].zones["DMA32"].node == 0


@given(
    st.lists(st.tuples(st.integers(1, 9000), st.integers(1, 9000)), max_size=4),
    st.integers(64 << 8, 128 << 8),
    st.sampled_from(["kernelcore", "movablecore"]),
    st.one_of(st.integers(0, 120_000).map(lambda pages: f"{pages * 4}K"), st.integers(0, 99).map(lambda n: f"{n}%")),
)
def test_movable_begins_where_giving_frames_away_one_by_one_ends(more, first: int, parameter: str, value: str):
    ram = banks(0x40000, first, more, 0)
    kernel = vm.boot(vm.Machine(arch="arm64", ram=tuple(ram), cmdline=f"{parameter}={value}"))
    frames = [pfn for region in ram for pfn in range(region.start >> 12, region.end >> 12)]
    asked = len(frames) * int(value[:-1]) // 100 if value.endswith("%") else int(value[:-1]) // 4
    block = 1 << (kernel.machine.config.max_order - 1)
    core = asked
    if parameter == "movablecore":
        core = len(frames) - min(len(frames), -(-asked // block) * block) if asked else 0
    start = naive.movable_start(frames, core, frames[0], block)
    movable = kernel.zones["Movable"]

    assert (start or 0) == movable.start_pfn
    assert sum(pfn >= start for pfn in frames) == movable.present_pages if start else not movable.populated


@pytest.mark.parametrize(
    ("arch", "gib", "percent", "kept"),
    [
        ("i386", 2, 50, 262016),  # 524,032 pages * 100 * 50 is 2,620,160,000: fits in 32 bits
        ("i386", 4, 30, 314496),  # 1,048,320 * 100 * 30 is 3,144,960,000: fits
        ("i386", 4, 50, 94663),  # 5,241,600,000 does not, 946,632,704 is left: 369 MiB instead of 2 GiB
        ("i386", 4, 90, 84494),  # 9,434,880,000 wraps twice
        ("amd64", 4, 50, 524160),
    ],
)
def test_a_share_of_many_pages_wraps_where_a_long_has_32_bits(arch: str, gib: int, percent: int, kept: int):
    """find_zone_movable_pfns_for_nodes, all unsigned long:
    "required_kernelcore = (totalpages * 100 * required_kernelcore_percent) / 10000UL"."""
    config = vm.Config(format="x86-pae") if arch == "i386" else vm.Config()
    ram = (vm.Region(vm.MiB, gib * vm.GiB - vm.MiB),)
    by_share, by_size = (
        counted(vm.boot(vm.Machine(arch=arch, ram=ram, config=config, cmdline=f"kernelcore={asked}")))
        for asked in (f"{percent}%", f"{kept * 4}K")
    )

    assert by_size == by_share
    assert by_share["Movable"][2], "what is not kept is Movable"


def test_half_of_4_gib_is_what_debians_pae_kernel_made_of_it():
    """Zones of Debian's 6.1 686-pae in a PC of 4 GiB and kernelcore=50%: HighMem keeps two pages, not 298,000."""
    top = 0xBFFD_D000
    ram = (vm.Region(0, 0x9FC00), vm.Region(vm.MiB, top - vm.MiB), vm.Region(4 * vm.GiB, vm.GiB))
    machine = vm.Machine(arch="i386", ram=ram, config=vm.Config(format="x86-pae"), cmdline="kernelcore=50%")
    zones = counted(vm.boot(machine))

    assert (4096, 221182, 221182) == zones["Normal"]
    assert (225278, 2, 2) == zones["HighMem"]
    assert (225280, 1085440, 823261) == zones["Movable"]


@pytest.mark.parametrize(("missing", "first"), [(1, 0x84000), (2, 0x84400), (1023, 0x84400), (1025, 0x84800)])
def test_what_one_node_lacks_of_kernelcore_another_gives_if_it_is_more_than_a_page(missing: int, first: int):
    """find_zone_movable_pfns_for_nodes: 16,384 frames of each node; another pass if more is left than nodes are."""
    ram = (vm.Region(0x4000_0000, (16384 - missing) << 12), vm.Region(0x8000_0000, 512 * vm.MiB, node=1))
    kernel = vm.boot(vm.Machine(arch="arm64", ram=ram, cmdline="kernelcore=128M"))

    assert not kernel.nodes[0].zones["Movable"].populated
    assert first == kernel.nodes[1].zones["Movable"].start_pfn


def test_with_no_more_kernelcore_than_lower_zones_have_all_of_normal_is_movable():
    """adjust_zone_range_for_zone_movable: a zone that would begin where ZONE_MOVABLE does is empty."""
    ram = (vm.Region(0x10_0000, 3 * vm.GiB), vm.Region(4 * vm.GiB, 4 * vm.GiB))
    zones = counted(vm.boot(vm.Machine(arch="amd64", ram=ram, cmdline="kernelcore=1G")))

    assert (0, 0, 0) == zones["Normal"]
    assert (1 << 20, 1 << 20, 1 << 20) == zones["Movable"]


@pytest.mark.parametrize(("asked", "low"), [("0", 1), ("4096", 1024)])
def test_min_free_kbytes_of_the_command_line_is_taken_as_it_is(asked: str, low: int):
    """sysctl.*= is applied last; 0 is a value, too: only what the scale factor keeps is left."""
    ram = (vm.Region(0x4000_0000, 512 * vm.MiB),)
    kernel = vm.boot(vm.Machine(arch="arm64", ram=ram, cmdline=f"sysctl.vm.min_free_kbytes={asked}"))

    assert int(asked) == kernel.min_free_kbytes
    mark = kernel.zones["DMA"].watermark
    assert int(asked) >> 2 == mark.min
    assert low <= mark.low
    assert mark.high - mark.low == mark.low - mark.min > 0


PAGES = st.one_of(st.just(0), st.integers(0, 1 << 22))


@given(st.lists(PAGES, min_size=4, max_size=4), st.integers(128, 262144))
def test_marks_and_reserves_are_the_kernels_arithmetic(managed: list[int], min_free_kbytes: int):
    names = ["DMA", "Normal", "HighMem", "Movable"]
    highmem = [False, False, True, True]
    zones = [
        Zone(0, index, name, managed_pages=pages, highmem=high)
        for index, (name, pages, high) in enumerate(zip(names, managed, highmem, strict=True))
    ]

    assert naive.lowmem_reserve(names, managed) == watermarks.lowmem_reserve(zones)
    assume(managed[0] + managed[1])  # the kernel divides by it
    marks = watermarks.watermarks(zones, min_free_kbytes).values()
    assert naive.watermarks(highmem, managed, min_free_kbytes) == [(m.min, m.low, m.high) for m in marks]


@pytest.mark.parametrize(
    ("mebibytes", "kilobytes"),
    [
        (16, 512),
        (32, 724),
        (64, 1024),
        (128, 1448),
        (256, 2048),
        (512, 2896),
        (1024, 4096),
        (4096, 8192),
        (16384, 16384),
        (4 << 20, 262144),
        (16 << 20, 262144),  # never more, and never less than 128
        (1 << 20, 131072),
    ],
)
def test_min_free_kbytes_grows_with_the_square_root_of_lowmem(mebibytes: int, kilobytes: int):
    zone = Zone(0, 0, "Normal", present_pages=mebibytes << 8, managed_pages=mebibytes << 8)

    assert kilobytes == watermarks.min_free_kbytes([zone])
