"""The free lists of real kernels obey the rules of the model; and pagetypeinfo, printed and read."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import vmlab as vm
from vmlab import procfs
from vmlab.physical.buddy import Buddy
from vmlab.physical.free_lists import append, listed
from vmlab.procfs.pagetypeinfo import (
    format_pagetypeinfo,
    pagetypeinfo,
    parse_pagetypeinfo,
    print_extfrag_index,
    print_pagetypeinfo,
    print_unusable_index,
    read_pagetypeinfo,
)

NAMES = {"Highatomic": "HighAtomic", "Cma": "CMA"}  # the record's name -> the file's


def free_lists(machine: vm.Machine) -> np.ndarray:
    """Rows (node, zone index, order, migratetype, pfn) of the record's lists, in list order.

    A pfn has 52 bits; in arm64-virt-2g-kaslr all have bit 52, too, the carry of a subtraction while recording.
    """
    key = machine.recorded.data["free_lists"]["npz_key"]
    with np.load(tables(machine)) as arrays:
        rows = arrays[key]
    rows[:, 4] &= (1 << 52) - 1
    return rows


def tables(machine: vm.Machine) -> Path:
    path = Path(machine.recorded.path)
    return path.with_name(path.name.removesuffix(".json.gz") + ".npz")


@pytest.fixture
def with_lists(recorded: vm.Machine) -> vm.Machine:
    if "free_lists" not in recorded.recorded.data or not tables(recorded).is_file():
        pytest.skip("this record has no free lists")
    return recorded


def test_the_free_lists_of_every_record_are_what_the_model_could_have(with_lists: vm.Machine):
    """Aligned blocks inside one zone, no frame twice, every frame RAM, and no two buddies that should be one block."""
    kernel = vm.boot(with_lists)
    rows = free_lists(with_lists)
    firsts, sizes = rows[:, 4], 1 << rows[:, 2]
    order = np.argsort(firsts)
    assert (firsts % sizes == 0).all()
    assert rows[:, 2].max() < kernel.buddy.max_order
    assert (firsts[order][1:] >= (firsts + sizes)[order][:-1]).all()
    memory = [(start >> 12, end >> 12) for start, end in kernel.memblock.memory()]
    for node, index, _, _, first in rows.tolist():
        zone = kernel.nodes[node].zones[index]
        assert zone.holds(first), zone.name
    assert all(any(low <= a < b <= high for low, high in memory) for a, b in zip(firsts, firsts + sizes, strict=True))
    assert [] == unmerged(kernel, rows)


def unmerged(kernel: vm.Kernel, rows: np.ndarray) -> list[tuple[int, int]]:
    """(pfn, order) of free blocks whose buddy is free, of this order, in this zone: they should have merged."""
    top = kernel.buddy.max_order - 1
    here = {(node, index, order, first): mt for node, index, order, mt, first in rows.tolist()}
    found = []
    for (node, index, order, first), mt in here.items():
        other = here.get((node, index, order, first ^ (1 << order)))
        ordinary = other is not None and other < 3 and mt < 3
        mergeable = order < kernel.buddy.shape.pageblock_order or ordinary or other == mt
        if order < top and other is not None and mergeable:
            found.append((first, order))
    return found


def test_every_recorded_zone_rebuilt_and_freed_into_is_still_fully_merged(with_lists: vm.Machine):
    """The record's lists as the model's own: what is allocated from them and given back finds its place again."""
    kernel, rows = vm.boot(with_lists), free_lists(with_lists)
    types = with_lists.recorded.data["free_lists"]["migratetypes"]
    for node, index in {(node, index) for node, index, *_ in rows.tolist()}:
        zone = kernel.nodes[node].zones[index]
        mine = rows[(rows[:, 0] == node) & (rows[:, 1] == index)]
        buddy = Buddy([zone], [], kernel.buddy.max_order, pageblock_order=kernel.buddy.shape.pageblock_order)
        free = buddy.areas[0]
        for _, _, order, mt, first in mine.tolist():
            if types[str(mt)] in ("Unmovable", "Movable", "Reclaimable"):
                append(free.area, first - free.base, order, mt)
                free.owned.add(first, first + (1 << order))
        before = buddy.nr_free(zone), frames(buddy, zone)
        got = [pfn for order in (0, 0, 3, 1, 5) for mt in (0, 1, 2) if (pfn := buddy.alloc(zone, order, mt))]
        orders = dict(buddy.allocated)
        assert len(got) == len(orders)
        for pfn in got:
            buddy.free(pfn, orders[pfn])
        assert before == (buddy.nr_free(zone), frames(buddy, zone))


def frames(buddy: Buddy, zone) -> list[tuple[int, int]]:
    return list(buddy.free_ranges(zone))


def test_pageblocks_of_every_record_are_as_many_as_the_real_kernel_counted(recorded: vm.Machine):
    """/proc/pagetypeinfo: a pageblock's order, how many a zone has, and those of the contiguous area."""
    theirs = recorded.recorded.data.get("pagetypeinfo")
    if not theirs:
        pytest.skip("this record has no pagetypeinfo")
    mine = pagetypeinfo(vm.boot(recorded))

    assert theirs["pageblock_order"] == mine.pageblock_order
    counts = {(row["node"], row["zone"]): row["count"] for row in theirs["blocks"]}
    assert counts.keys() == {(zone.node, zone.name) for zone in mine.zones}
    for zone in mine.zones:
        count = counts[zone.node, zone.name]
        assert sum(count.values()) == sum(zone.blocks.values())
        assert count.get("CMA") == zone.blocks.get("CMA")
        assert set(count) <= set(zone.blocks), "CONFIG_MEMORY_ISOLATION is not known, so Isolate is always there"


def test_a_real_pagetypeinfo_is_printed_back_to_the_byte():
    text = procfs.sample("pagetypeinfo").read_text()

    assert text == format_pagetypeinfo(parse_pagetypeinfo(text))
    info = read_pagetypeinfo(procfs.sample("pagetypeinfo"))
    assert (9, ["DMA", "DMA32", "Normal"]) == (info.pageblock_order, [zone.name for zone in info.zones])
    assert 1526 == info.zones[1].blocks["Movable"]


def test_the_models_own_is_read_back(booted: vm.Kernel):
    booted.alloc_pages(2, "GFP_HIGHUSER_MOVABLE")
    info = pagetypeinfo(booted)

    assert info == parse_pagetypeinfo(print_pagetypeinfo(booted))
    for row, zone in zip(info.zones, [zone for zone in booted.zones if zone.populated], strict=True):
        by_order = [sum(counts) for counts in zip(*row.nr_free.values(), strict=True)]
        assert by_order == booted.buddy.nr_free(zone)


def test_a_steal_shows_in_pagetypeinfo():
    kernel = vm.boot(vm.load_machine("amd64-pc-4g"))
    before = pagetypeinfo(kernel)
    page = kernel.alloc_pages(0)
    after = pagetypeinfo(kernel)
    changed = next(zone for zone in after.zones if zone.name == page.zone)

    assert 0 == sum(zone.blocks["Unmovable"] for zone in before.zones)
    assert 2 == changed.blocks["Unmovable"], "a block of order 10 was taken from MOVABLE: two pageblocks"


def test_long_lists_are_counted_up_to_a_hundred_thousand():
    """pagetypeinfo_showfree_print stops there, and says so."""
    text = procfs.sample("pagetypeinfo").read_text()
    info = parse_pagetypeinfo(text.replace("    732 \n", ">100000 \n"))
    assert 100_000 == info.zones[1].nr_free["Movable"][10]
    assert ">100000 \n" in format_pagetypeinfo(info)


@pytest.mark.parametrize(
    "text", ["", "Page block order: 9\n", "Page block order: 9\nnonsense\n", "Node 0, zone DMA 1 2 3\n"]
)
def test_a_text_that_is_no_pagetypeinfo_is_refused(text: str):
    with pytest.raises(vm.VmlabError, match="expected"):
        parse_pagetypeinfo(text)


def test_a_missing_file_is_named_with_a_remedy(tmp_path: Path):
    with pytest.raises(vm.VmlabError, match="or read a saved file"):
        read_pagetypeinfo(tmp_path / "none")


def test_the_indices_are_printed_as_the_kernel_prints_them():
    """extfrag_show_print: "%2d.%03d " of index / 1000 and index % 1000; unusable_show_print: "%d.%03d "."""
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-1g"))
    line = print_extfrag_index(kernel).splitlines()[0]
    assert line.startswith("Node 0, zone      DMA -1.000 -1.000 ")
    assert print_unusable_index(kernel).splitlines()[0].startswith("Node 0, zone      DMA 0.000 0.")


def test_the_head_of_each_list_is_its_lowest_block_after_boot():
    """__free_pages_core puts each block to the tail (FPI_TO_TAIL), and memblock gives them lowest first."""
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-1g"))
    area = kernel.buddy.areas[0].area
    rows = int(area.rows)
    for row in range(rows, rows + 6 * int(area.max_order)):
        blocks = listed(area, row)
        assert all(low < high for low, high in itertools.pairwise(blocks))
