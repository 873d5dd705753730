"""The model speaks /proc: the same text, the same reader, for a modelled kernel and for a real one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vmlab as vm
from vmlab import procfs

SAMPLES = [(machine, kind) for machine in ("amd64-pc-4g", "arm-virt-armmp-1g") for kind in ("zoneinfo", "buddyinfo")]
PARSE = {"zoneinfo": procfs.parse_zoneinfo, "buddyinfo": procfs.parse_buddyinfo, "iomem": procfs.parse_iomem}
FORMAT = {"zoneinfo": procfs.format_zoneinfo, "buddyinfo": procfs.format_buddyinfo, "iomem": procfs.format_iomem}
ALL = [*SAMPLES, ("amd64-pc-4g", "iomem"), ("arm-virt-armmp-1g", "iomem")]


@pytest.mark.parametrize(("machine", "kind"), ALL)
def test_a_real_file_read_and_written_again_is_the_same_to_the_byte(machine: str, kind: str):
    text = procfs.sample(kind, machine).read_text()

    assert text == FORMAT[kind](PARSE[kind](text))


def test_the_models_files_are_read_back_unchanged(booted: vm.Kernel):
    assert procfs.zoneinfo(booted) == procfs.parse_zoneinfo(procfs.print_zoneinfo(booted))
    rows = procfs.parse_buddyinfo(procfs.print_buddyinfo(booted))
    assert [tuple(booted.buddy.nr_free(zone)) for zone in booted.zones if zone.populated] == [r.nr_free for r in rows]
    ram = [(row.start, row.end) for row in procfs.parse_iomem(procfs.print_iomem(booted)) if row.depth == 0]
    assert booted.memblock.memory() == ram


def test_the_model_prints_every_line_of_the_kernels_zoneinfo_that_it_can_know():
    """Same zones, same lines in the same order; counters left out are those of things a model at rest has not."""
    modelled = procfs.print_zoneinfo(vm.boot(vm.load_machine("arm-virt-armmp-1g"))).splitlines()
    real = procfs.sample("zoneinfo", "arm-virt-armmp-1g").read_text().splitlines()

    labels = [line.rstrip("0123456789") for line in real]
    at = 0
    for line in modelled:
        label = line.rstrip("0123456789")
        assert label in labels[at:], line
        at = labels.index(label, at) + 1
    for same in (
        "spanned",
        "present",
        "managed",
        "min",
        "low",
        "high:",
        "batch",
        "protection",
        "start_pfn",
        "threshold",
    ):
        assert [line for line in real if same in line] == [line for line in modelled if same in line]


def test_the_model_agrees_with_the_recorded_zones(recorded: vm.Machine):
    rows = procfs.parse_zoneinfo(procfs.print_zoneinfo(vm.boot(recorded)))
    real = recorded.recorded.zones

    assert [(zone["node"], zone["name"], zone["spanned"], zone["present"]) for zone in real] == [
        (row.node, row.name, row.spanned_pages, row.present_pages) for row in rows
    ]


def test_a_zone_read_has_the_models_names():
    zone = next(
        row for row in procfs.read_zoneinfo(procfs.sample("zoneinfo", "arm-virt-armmp-1g")) if row.name == "DMA"
    )

    assert (864, 1080, 1296) == (zone.watermark.min, zone.watermark.low, zone.watermark.high)
    assert (0, 0, 256, 256) == zone.lowmem_reserve
    assert (262144, 458752) == (zone.start_pfn, zone.end_pfn)
    assert (183718, 196608, 196608, 187349) == (
        zone.free_pages,
        zone.spanned_pages,
        zone.present_pages,
        zone.managed_pages,
    )
    assert ({"cpu": 0, "count": 1016, "high": 1080, "batch": 63, "vm stats threshold": 8},) == zone.pagesets
    assert 1423 == zone.node_stats["nr_slab_reclaimable"]


def test_buddyinfo_adds_up_to_zoneinfo():
    zones = {row.name: row for row in procfs.read_zoneinfo(procfs.sample("zoneinfo", "arm-virt-armmp-1g"))}

    rows = procfs.read_buddyinfo(procfs.sample("buddyinfo", "arm-virt-armmp-1g"))
    assert ["DMA", "HighMem"] == [row.name for row in rows]
    for row in rows:
        assert abs(row.free_pages - zones[row.name].free_pages) <= 8, "but for what the CPU has not told yet"


def test_allocating_shows_in_the_files():
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-1g"))
    before = procfs.parse_buddyinfo(procfs.print_buddyinfo(kernel))
    page = kernel.alloc_pages(3, "GFP_HIGHUSER")
    after = procfs.parse_buddyinfo(procfs.print_buddyinfo(kernel))

    changed = [(one.name, one.free_pages - other.free_pages) for one, other in zip(before, after, strict=True)]
    assert [("DMA", 0), ("HighMem", 16)] == changed, "the CPU's list fetched two blocks and kept one"
    assert page.zone == "HighMem"
    high = next(row for row in procfs.parse_zoneinfo(procfs.print_zoneinfo(kernel)) if row.name == "HighMem")
    assert [8] == [pageset["count"] for pageset in high.pagesets]


def test_lines_of_newer_kernels_are_kept_under_their_own_names():
    text = procfs.sample("zoneinfo").read_text().replace("        spanned ", "        promo    77\n        spanned ")
    newer = text.replace("              batch: 63", "              batch: 63\n              high_min: 5082")
    rows = procfs.parse_zoneinfo(newer)

    assert all(row.pages["promo"] == 77 for row in rows)
    assert 5082 in [pageset.get("high_min") for row in rows for pageset in row.pagesets]


def test_iomem_ends_are_one_past_the_last_byte():
    rows = procfs.read_iomem(procfs.sample("iomem"))

    assert (0, 0x10_0000, 0xBFFD_D000, "System RAM") in [(r.depth, r.start, r.end, r.name) for r in rows]
    assert (1, 0x100_0000, 0x1E0_1D32, "Kernel code") in [(r.depth, r.start, r.end, r.name) for r in rows]


def test_hidden_addresses_are_an_error_that_says_who_sees_them(tmp_path: Path):
    hidden = tmp_path / "iomem"
    hidden.write_text("00000000-00000000 : System RAM\n  00000000-00000000 : Kernel code\n")

    with pytest.raises(vm.VmlabError, match=r"reads as zero, because only root .*sudo.*procfs.sample\('iomem'\)"):
        procfs.read_iomem(hidden)


@pytest.mark.parametrize("read", [procfs.read_zoneinfo, procfs.read_buddyinfo, procfs.read_iomem])
def test_a_file_that_is_not_there_is_named_with_what_to_do(read):
    with pytest.raises(vm.VmlabError, match=r"/proc/absent: cannot be read: No such file.* exists on Linux only"):
        read("/proc/absent")
    with pytest.raises(vm.VmlabError, match=r"absent: cannot be read.* check the path, or read a saved file"):
        read("absent")


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("zoneinfo", "", "expected lines about zones, got an empty file"),
        ("zoneinfo", "hello", "line 1: expected a line like 'Node 0, zone      DMA', got 'hello'"),
        ("zoneinfo", "Node 0, zone\n", "line 1: expected a line like"),
        ("zoneinfo", "Node 0, zone DMA\n  pages free lots\n", "line 2: expected a counter and its value"),
        ("zoneinfo", "Node 0, zone DMA\n  pages free     3\n", "zone DMA of node 0 has no line 'high'"),
        ("buddyinfo", "", "got an empty file"),
        ("buddyinfo", "Node 0, zone DMA\n", "line 1: expected 'Node 0, zone      DMA' and a count for every order"),
        ("iomem", "", "expected address ranges, got an empty file"),
        ("iomem", "00001000-0009fbff : System RAM\n0009-0008 : Upside down", "line 2: expected a range like"),
    ],
)
def test_what_is_no_such_file_is_refused_with_the_line(kind: str, text: str, message: str):
    with pytest.raises(vm.VmlabError, match=message):
        PARSE[kind](text)


@settings(max_examples=200)
@given(st.sampled_from(ALL), st.data())
def test_a_damaged_file_is_read_or_refused_in_words(which: tuple[str, str], data: st.DataObject):
    text = procfs.sample(which[1], which[0]).read_text()
    cut = data.draw(st.integers(0, len(text)))
    junk = data.draw(st.text(max_size=5))
    try:
        PARSE[which[1]](text[:cut] + junk + text[cut + data.draw(st.integers(0, 40)) :])
    except vm.VmlabError as refusal:
        assert which[1] in str(refusal)  # noqa: PT017


def test_an_unknown_sample_lists_those_that_ship():
    with pytest.raises(vm.VmlabError, match=r"expected one of amd64-pc-4g/buddyinfo, .* got amd64-pc-4g/kpageflags"):
        procfs.sample("kpageflags")


def test_this_machines_own_files_are_read_where_there_are_any():
    if not Path("/proc/zoneinfo").exists():
        with pytest.raises(vm.VmlabError, match="exists on Linux only"):
            procfs.read_zoneinfo()
        return
    zones = procfs.read_zoneinfo()
    free = {(row.node, row.name) for row in procfs.read_buddyinfo()}

    assert free == {(zone.node, zone.name) for zone in zones if zone.present_pages}
    assert all(zone.managed_pages <= zone.present_pages <= zone.spanned_pages for zone in zones)
