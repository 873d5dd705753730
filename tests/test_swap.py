"""Swap entries of every format, the slots of an area, and recorded kernels played again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mm_parts import FORMATS, a_memory

import vmlab as vm
from vmlab.arch.formats import page_format
from vmlab.arch.swap_formats import swap_format, swap_rows
from vmlab.judge.swap import SWAP_FIELDS, Replay
from vmlab.process.swap_entry import SwapEntry
from vmlab.process.swap_slots import SwapArea

ROWS = [pytest.param(row, id=f"{row.format}-{row.since}") for row in swap_rows()]


@pytest.mark.parametrize(
    ("fmt", "kernel", "type", "offset", "pte"),
    [
        # type 1, slot 0x1234, by hand from asm/pgtable*.h of each version
        ("x86-32", "2.6.20", 1, 0x1234, 0x12_3402),
        ("x86-32", "6.1", 1, 0x1234, 0x24_6802),
        ("x86-pae", "2.6.32", 1, 0x1234, 0x2_4681 << 32),
        ("x86-pae", "6.1", 1, 0x1234, 0x0FFF_FFFF_FFDB_9600),
        ("x86-64-4", "3.10", 1, 0x1234, 0x24_6802),
        ("x86-64-4", "4.9", 1, 0x1234, 0x48D_0200),
        ("x86-64-5", "6.1", 1, 0x1234, 0x0FFF_FFFF_FFDB_9600),
        ("arm-short", "2.6.20", 1, 0x1234, 0x24_6804),
        ("arm-short", "2.6.32", 1, 0x1234, 0x24_6808),
        ("arm-short", "6.1", 1, 0x1234, 0x9_1A04),
        ("arm-lpae", "6.12", 1, 0x1234, 0x12_3404),
        ("arm64-4k-48", "4.9", 1, 0x1234, 0x12_3404),
        ("arm64-4k-48", "6.1", 1, 0x1234, 0x12_3408),
        ("arm64-4k-48", "6.12", 1, 0x1234, 0x123_4040),
        ("sv39", "6.1", 1, 0x1234, 0x9_1A040),
        # recorded: i386-pc-686-1g and arm-virt-armmp-1g
        ("x86-32", "6.1", 0, 41, 0x5200),
        ("arm-short", "6.1", 0, 53, 0x1A80),
    ],
)
def test_entries_are_those_that_the_kernels_headers_make(fmt, kernel, type, offset, pte):
    assert pte == SwapEntry(type, offset).encode(fmt, kernel)
    assert SwapEntry(type, offset) == SwapEntry.decode(fmt, pte, kernel)


@pytest.mark.parametrize("row", ROWS)
@settings(max_examples=25)
@given(data=st.data())
def test_every_slot_survives_the_way_through_an_entry(row, data):
    slot = data.draw(st.integers(0, row.max_swapfiles - 1)), data.draw(st.integers(1, row.max_offset))
    marks = {name: data.draw(st.booleans()) for name in row.marks}
    entry = SwapEntry(*slot, **marks)
    pte = entry.encode(row.format, row.since)
    assert entry == SwapEntry.decode(row.format, pte, row.since)
    assert pte < 1 << 8 * page_format(row.format).entry_bytes
    assert pte, "a swap entry is never empty"


@pytest.mark.parametrize("row", ROWS)
def test_fields_of_an_entry_do_not_overlap(row):
    used = [row.type.most << row.type.low, row.offset.most << row.offset.low, *row.marks.values()]
    assert sum(used) == used[0] | used[1] | sum(used[2:])


def test_inverted_offsets_point_above_all_ram_as_l1tf_demands():
    for fmt in ("x86-pae", "x86-64-4", "x86-64-5"):
        pte = SwapEntry(0, 100).encode(fmt)
        assert (pte & (1 << 52) - 1) >> 12 > (1 << 39), "the frame that a CPU with the fault would look for"
    assert SwapEntry(0, 100).encode("x86-32") >> 12 < 1 << 10, "no room for it in 4 bytes"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: SwapEntry.decode("x86-32", 0x5A067), "present"),
        (lambda: SwapEntry.decode("x86-32", 0), "empty"),
        (lambda: SwapEntry.decode("x86-32", 1 << 32), "4 bytes"),
        (lambda: SwapEntry.decode("x86-32", "0x200"), "expected an entry"),
        (lambda: SwapEntry.decode("x86-33", 0x200), "expected one of x86-32"),
        (lambda: SwapEntry.decode("x86-32", 0x200, "two"), "a version such as"),
        (lambda: SwapEntry.decode("sv39", 0x200, "2.4"), "known are the rules of Linux 6.1 to 6.12"),
        (lambda: SwapEntry.decode("x86-64-4", 0x200, "7.0"), "known are the rules of Linux 2.6.32 to 6.12"),
        (lambda: SwapEntry.decode("x86-32", 28 << 1 | 5 << 9), "migration read"),
        (lambda: SwapEntry(27, 1).encode("x86-32"), "0 to 26"),
        (lambda: SwapEntry(0, 0).encode("x86-32"), "1 to"),
        (lambda: SwapEntry(0, 1 << 23).encode("x86-32"), "0x7fffff"),
        (lambda: SwapEntry(0, 1, exclusive=True).encode("x86-32"), "no bit for it"),
        (lambda: SwapEntry(1, 1 << 27).swp_entry_t(32), "26 bits"),
    ],
)
def test_what_is_no_entry_is_refused_in_words(call, words):
    with pytest.raises(vm.VmlabError, match=words):
        call()


def test_the_kernels_own_word_has_the_type_on_top():
    assert (0x400_0000_0000_1234, 0x400_1234) == tuple(SwapEntry(1, 0x1234).swp_entry_t(bits) for bits in (64, 32))


def test_areas_with_the_highest_priority_come_first_and_equals_take_turns():
    memory, _ = a_memory(pages=0)
    for pages, prio in ((9, 1), (5, 7), (5, 7)):
        memory.swapon(pages, prio)
    taken = [memory.swap.get_slot() for _ in range(10)]
    assert [(1, 1), (2, 1), (1, 2), (2, 2), (1, 3), (2, 3), (1, 4), (2, 4), (0, 1), (0, 2)] == taken
    memory.swapon(5)
    memory.swapon(5)
    assert [-2, -3] == [area.prio for area in memory.swap.areas.values()][3:]


def test_swapoff_of_an_area_without_a_priority_of_its_own_moves_the_later_ones_up():
    """mm/swapfile.c:swapoff: si->prio++ for those below, and least_priority++."""
    memory, _ = a_memory(pages=0)
    for prio in (None, None, 5, None):
        memory.swapon(9, prio)
    prios = lambda: {number: area.prio for number, area in memory.swap.areas.items()}  # noqa: E731
    assert {0: -2, 1: -3, 2: 5, 3: -4} == prios()
    assert memory.swapoff(1)
    assert {0: -2, 2: 5, 3: -3} == prios()
    assert memory.swapoff(2)
    assert {0: -2, 3: -3} == prios()
    memory.swapon(9)
    assert {0: -2, 1: -4, 3: -3} == prios()
    memory.swap.areas[0].writable = False
    assert 3 == memory.swap.get_slot()[0]


def test_a_small_area_that_does_not_seek_gives_every_second_slot():
    area = SwapArea(0, 150, 10, rotational=False, start=130)
    assert [131, 133, 135, 137, 139, 141, 143, 145, 147, 149, 1, 3] == [area.take() for _ in range(12)]


def test_a_slot_is_named_62_times_at_most():
    """include/linux/swap.h: SWAP_MAP_MAX is 0x3e; beyond it Linux goes on in a page of its own (COUNT_CONTINUED)."""
    area = SwapArea(0, 8, 0)
    slot = area.take()
    for _ in range(62):
        area.duplicate(slot)
    assert (62, True, 0x7E) == (area.count(slot), area.has_cache(slot), area.swap_map[slot])
    with pytest.raises(vm.VmlabError, match="named 62 times"):
        area.duplicate(slot)


def test_swap_is_full_when_more_than_half_is_used():
    """vm_swap_full: nr_swap_pages * 2 < total_swap_pages."""
    memory, _ = a_memory(pages=11)
    found = []
    for _ in range(10):
        memory.swap.get_slot()
        found.append(memory.swap.is_full)
    assert [False] * 5 + [True] * 5 == found


def test_a_disk_gives_one_slot_after_the_other_and_a_full_area_says_so():
    area = SwapArea(0, 8, 0)
    assert [1, 2, 3, 4, 5, 6, 7, None, None] == [area.take() for _ in range(9)]
    area.set_cache(4, False)
    assert 4 == area.take()


def test_a_large_area_fills_a_free_cluster_before_it_begins_another():
    area = SwapArea(0, 4 * 256, 0, rotational=False)
    taken = [area.take() for _ in range(300)]
    assert [*range(256, 512), *range(512, 556)] == taken, "the first cluster holds the header, so it is not free"


@settings(max_examples=60)
@given(st.lists(st.integers(0, 40)), st.booleans(), st.integers(2, 70))
def test_no_slot_is_handed_out_twice(moves, rotational, pages):
    area, held = SwapArea(0, pages, 0, rotational=rotational, cluster=16), []
    for move in moves:
        if move % 3 or not held:
            offset = area.take()
            assert offset is not None or len(held) >= area.pages - 1, "at most the one slot where it began is missed"
            if offset is not None:
                assert 0 < offset < pages
                assert offset not in held
                held.append(offset)
        else:
            area.set_cache(held.pop(move % len(held)), False)
    assert area.inuse_pages == len(held)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda memory: memory.swapon(1), "at least 2"),
        (lambda memory: memory.swapon(2.5), "at least 2"),
        (lambda memory: memory.swapon(9, 40_000), "0 to 32767"),
        (lambda memory: memory.swapon(1 << 24), "can name slots"),
        (lambda memory: memory.swapon(9, start=3), "start"),
        (lambda memory: memory.swapoff(3), "expected one of 0"),
        (lambda memory: memory.swap.areas[0].drop(1), "no entry names it"),
        (lambda memory: memory.swap.areas[0].count(65), "slots 1 to 64"),
        (lambda memory: [memory.swapon(9) for _ in range(27)], "room for 27"),
    ],
)
def test_areas_that_cannot_be_are_refused(call, words):
    memory, _ = a_memory("x86-32")
    with pytest.raises(vm.VmlabError, match=words):
        call(memory)
    assert 64 == memory.swap.areas[0].pages
    assert not memory.swap.areas[0].inuse_pages


@pytest.mark.parametrize("name", ["amd64-pc-2g-pti", "arm-vexpress-a9-512m", "i386-pc-686-1g", "arm64-virt-1g"])
def test_a_recorded_story_is_predicted_to_the_bit(name, request):
    path = request.config.rootpath / "tests" / "records" / f"{name}.json.gz"
    machine = vm.load_machine(str(path) if path.exists() else name)
    rows = [row for field in SWAP_FIELDS.values() for row in field(machine, None, machine.recorded)]
    assert len(rows) > 400
    assert [] == [row.what for row in rows if row.predicted != row.recorded]


def test_another_first_slot_is_another_story(request):
    recorded = vm.load_machine("amd64-pc-4g").recorded
    replay = Replay(recorded)
    next(replay.play())
    first = replay.process["p0"].page_table.pte(0x40_0000).swap
    assert first.slot == tuple(recorded.data["swap"]["swap1"]["cases"][0]["swap_decoded"])
    replay.stages["swap1"]["cases"][0]["swap_decoded"][1] += 2
    moved = Replay(recorded)
    next(moved.play())
    assert moved.process["p0"].page_table.pte(0x40_0000).swap.offset == first.offset + 2


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_model_refuses_areas_larger_than_an_entry_can_name(fmt):
    row = swap_format(fmt)
    memory, _ = a_memory(fmt)
    assert memory.swap.max_offset == row.max_offset
    assert memory.swap.max_types == row.max_swapfiles
