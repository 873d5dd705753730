"""Recorded areas of vmalloc space against the model, and /proc/vmallocinfo read and printed."""

from __future__ import annotations

import pytest

import vmlab as vm
from vmlab import procfs
from vmlab.judge.vmalloc import VMALLOC_FIELDS, lowest_first

PAGE = 4096


# Recorded areas, and /proc/vmallocinfo


def test_every_recorded_area_is_as_predicted(booted, recorded):
    wrong = []
    for name, compare in VMALLOC_FIELDS.items():
        rows = list(compare(recorded, booted, recorded.recorded))
        assert rows or name == "vmalloc alignment"  # a few kernels have no area that wants more than a page
        wrong += [(name, row) for row in rows if not row.undecided and row.predicted != row.recorded]

    assert wrong == []


def test_no_recorded_area_stands_above_a_hole_that_fits(booted, recorded):
    """Decided where freed areas still wait for their flush: every ARM and arm64 record."""
    rows = list(lowest_first(recorded, booted, recorded.recorded))
    decided = [row for row in rows if not row.undecided]

    assert rows
    assert bool(decided) == any("unpurged" in row["caller"] for row in recorded.recorded.data["vmallocinfo"])
    assert [row.recorded for row in decided] == [row.predicted for row in decided]


@pytest.mark.parametrize(("name", "digits", "phys"), [("amd64-pc-4g", 16, 16), ("arm-virt-armmp-1g", 8, 8)])
def test_a_real_vmallocinfo_is_read_and_printed_back(name, digits, phys):
    text = procfs.sample("vmallocinfo", name).read_text()

    assert procfs.format_vmallocinfo(procfs.parse_vmallocinfo(text), digits, phys) == text


@pytest.mark.parametrize("name", ["amd64-pc-4g", "arm-virt-armmp-1g", "i386-pc-686pae-4g"])
def test_the_models_vmallocinfo_reads_back(name):
    kernel = vm.boot(vm.load_machine(name))
    kept, freed = kernel.vmalloc(3 * PAGE), kernel.vmalloc(PAGE)
    kernel.vmap_areas.ioremap(0xFEC0_0000, PAGE, caller="ioapic_init")
    kernel.vfree(freed)
    rows = procfs.parse_vmallocinfo(procfs.print_vmallocinfo(kernel))

    assert [(row.start, row.size, row.pages) for row in rows if row.pages] == [(kept, 4 * PAGE, 3)]
    assert [(row.caller, row.phys, row.flags) for row in rows if row.phys] == [
        ("ioapic_init", 0xFEC0_0000, ("ioremap",))
    ]
    assert [(row.start, row.size) for row in rows if row.unpurged] == [(freed, 2 * PAGE)]


@pytest.mark.parametrize(
    ("text", "match"), [("nonsense\n", "line 1: expected"), ("0x00001000-0x00001001    8192 f pages=1\n", "hides")]
)
def test_a_file_that_is_no_vmallocinfo_is_refused_by_line(text, match):
    with pytest.raises(vm.VmlabError, match=match):
        procfs.parse_vmallocinfo(text)
