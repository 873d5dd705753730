"""Formats: how addresses split, what entries mean, which codes faults have. Numbers from the manuals."""

from __future__ import annotations

import pytest

import vmlab as vm
from vmlab.arch.format import NON_CANONICAL, NOT_PRESENT, OUTSIDE, PERMISSION, RESERVED, UNACCESSED, Access
from vmlab.arch.formats import format_names, page_format
from vmlab.virtual.page_table import PageTable

READ, WRITE, FETCH = Access("read"), Access("write"), Access("fetch")


@pytest.mark.parametrize(
    ("name", "va", "parts"),
    [
        ("x86-32", 0xF1_1001, (3, 785, 1)),  # the seed's own address
        ("x86-32", 0xC123_4567, (772, 564, 0x567)),
        ("x86-pae", 0xC123_4567, (3, 9, 52, 0x567)),
        ("x86-64-4", 0xFFFF_8880_1234_5678, (273, 0, 145, 325, 0x678)),
        ("x86-64-4", 0x7F12_3456_7ABC, (254, 72, 418, 359, 0xABC)),
        ("x86-64-5", 0xFF11_0000_1234_5678, (273, 0, 0, 145, 325, 0x678)),
        ("arm-short", 0xC010_4ABC, (3073, 4, 0xABC)),
        ("arm-lpae", 0xC123_4567, (3, 9, 52, 0x567)),
        ("arm64-4k-48", 0xFFFF_0000_1234_5678, (0, 0, 145, 325, 0x678)),
        ("arm64-4k-39", 0xFFFF_FF80_4567_8ABC, (1, 43, 120, 0xABC)),
        ("arm64-16k-47", 0x7FFF_FFFF_FFFF, (2047, 2047, 2047, 0x3FFF)),
        ("arm64-16k-36", 0xF_FFFF_FFFF, (2047, 2047, 0x3FFF)),
        ("arm64-64k-42", 0x3FF_FFFF_FFFF, (8191, 8191, 0xFFFF)),
        ("arm64-64k-48", 0xFFFF_FFFF_FFFF, (63, 8191, 8191, 0xFFFF)),
        ("arm64-64k-52", 0xF_FFFF_FFFF_FFFF, (1023, 8191, 8191, 0xFFFF)),
        ("sv32", 0xC123_4567, (772, 564, 0x567)),
        ("sv39", 0xFFFF_FFC8_1234_5678, (288, 145, 325, 0x678)),
        ("sv48", 0xFFFF_8000_0020_1003, (256, 0, 1, 1, 3)),
        ("sv57", 0xFF00_0000_0020_1003, (256, 0, 0, 1, 1, 3)),
    ],
)
def test_an_address_splits_as_the_manual_draws_it(name, va, parts):
    assert parts == page_format(name).split(va)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("x86-64-4", (0x7FFF_FFFF_FFFF, 0xFFFF_8000_0000_0000), (0x8000_0000_0000, 0xFFFF_7FFF_FFFF_FFFF)),
        ("x86-64-5", (0x00FF_FFFF_FFFF_FFFF, 0xFF00 << 48), (0x0100_0000_0000_0000, 0xFEFF_FFFF_FFFF_FFFF)),
        ("x86-32", (0, 0xFFFF_FFFF), (1 << 32, 1 << 63)),
        ("arm64-4k-48", (0xFFFF_FFFF_FFFF, 0xFFFF << 48), (1 << 48, 0xFFFE_FFFF_FFFF_FFFF)),
        ("arm64-4k-39", (0x7F_FFFF_FFFF, 0xFFFF_FF80_0000_0000), (0x80_0000_0000, 0xFFFF_FF7F_FFFF_FFFF)),
        ("sv39", (0x3F_FFFF_FFFF, 0xFFFF_FFC0_0000_0000), (0x40_0000_0000, 0xFFFF_FFBF_FFFF_FFFF)),
        ("sv32", (0, 0xFFFF_FFFF), (1 << 32,)),
    ],
)
def test_addresses_that_are_none(name, good, bad):
    fmt = page_format(name)

    assert all(map(fmt.is_canonical, good))
    assert not any(map(fmt.is_canonical, bad))
    assert "non-canonical address" == PageTable(fmt).walk(bad[0]).fault.kind


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("x86-32", "4K 4M"),
        ("x86-pae", "4K 2M"),
        ("x86-64-4", "4K 2M 1G"),
        ("arm-short", "4K 64K 1M 16M"),
        ("arm-lpae", "4K 2M 1G"),
        ("arm64-4k-48", "4K 2M 1G"),
        ("arm64-4k-52", "4K 2M 1G 512G"),
        ("arm64-16k-47", "16K 32M"),
        ("arm64-64k-42", "64K 512M"),
        ("arm64-64k-52", "64K 512M 4T"),
        ("sv39", "4K 2M 1G"),
        ("sv57", "4K 2M 1G 512G 256T"),
    ],
)
def test_page_sizes(name, sizes):
    assert [vm.units.memparse(size) for size in sizes.split()] == list(page_format(name).page_sizes)


@pytest.mark.parametrize(
    ("name", "kind", "depth", "access", "value"),
    [
        # asm/trap_pf.h; the usual Linux outcomes stand in arch/x86/mm/fault.c
        ("x86-64-4", NOT_PRESENT, 3, READ, 0x04),
        ("x86-64-4", NOT_PRESENT, 3, WRITE, 0x06),
        ("x86-64-4", PERMISSION, 3, WRITE, 0x07),
        ("x86-64-4", NOT_PRESENT, 0, FETCH, 0x14),
        ("x86-64-4", PERMISSION, 3, FETCH, 0x15),
        ("x86-64-4", RESERVED, 3, READ, 0x0D),
        ("x86-64-4", NOT_PRESENT, 3, Access("read", user=False), 0x00),
        ("x86-64-4", OUTSIDE, 1, READ, None),
        # arch/arm/mm/fsr-2level.c and fsr-3level.c: the index of each table is the status
        ("arm-short", NOT_PRESENT, 0, READ, 0x5),
        ("arm-short", NOT_PRESENT, 1, READ, 0x7),
        ("arm-short", NOT_PRESENT, 1, WRITE, 0x807),
        ("arm-short", PERMISSION, 0, READ, 0xD),
        ("arm-short", PERMISSION, 1, READ, 0xF),
        ("arm-short", OUTSIDE, 0, READ, 0xC),
        ("arm-short", OUTSIDE, 1, READ, 0xE),
        ("arm-lpae", NOT_PRESENT, 0, READ, 0x205),
        ("arm-lpae", NOT_PRESENT, 2, READ, 0x207),
        ("arm-lpae", UNACCESSED, 2, READ, 0x20B),
        ("arm-lpae", PERMISSION, 2, WRITE, 0xA0F),
        # asm/esr.h: class 0x24 data abort from EL0, 0x25 from EL1, 0x20 fetch; bit 25 always, bit 6 a write
        ("arm64-4k-48", NOT_PRESENT, 3, READ, 0x9200_0007),
        ("arm64-4k-48", NOT_PRESENT, 0, READ, 0x9200_0004),
        ("arm64-4k-39", NOT_PRESENT, 0, READ, 0x9200_0005),
        ("arm64-64k-42", NOT_PRESENT, 0, READ, 0x9200_0006),
        ("arm64-4k-48", PERMISSION, 3, WRITE, 0x9200_004F),
        ("arm64-4k-48", UNACCESSED, 3, Access("read", user=False), 0x9600_000B),
        ("arm64-4k-48", PERMISSION, 3, FETCH, 0x8200_000F),
        ("arm64-4k-52", NOT_PRESENT, 0, READ, 0x9200_002B),
        ("arm64-4k-48", NON_CANONICAL, 0, READ, 0x9200_0004),
        # privileged specification, table of scause
        ("sv39", NOT_PRESENT, 2, FETCH, 12),
        ("sv39", NOT_PRESENT, 2, READ, 13),
        ("sv39", PERMISSION, 2, WRITE, 15),
        ("sv39", OUTSIDE, 1, READ, 5),
    ],
)
def test_each_fault_has_the_architectures_own_code(name, kind, depth, access, value):
    assert value == page_format(name).fault(kind, depth, access).value


@pytest.mark.parametrize(
    ("name", "page_bytes", "entry"),
    [
        ("x86-32", 4096, 0x1067),  # P RW US A D, as in a process's page
        ("x86-32", 4 << 20, 0x40_00E7),
        ("x86-64-4", 2 << 20, 0x20_00E7),
        ("arm-short", 1 << 20, 0x12_0C02),  # AP = 3, not global
        ("arm-short", 16 << 20, 0x106_0C02),  # the same with bit 18
        ("sv39", 4096, 0x4DF),  # V R W X U A D
    ],
)
def test_entries_are_those_of_the_manual(name, page_bytes, entry):
    assert entry == PageTable(name).map(page_bytes, page_bytes, page_bytes).steps[-1].entry


def test_a_page_of_36_bit_physical_addresses_in_two_levels():
    """PSE-36: address bits 39 to 32 of a 4 MiB page stand in bits 20 to 13 of its entry."""
    found = PageTable("x86-32").map(0x40_0000, 0xA5_0040_0000, 4 << 20)

    assert 0xA5 == found.steps[0].entry >> 13 & 0xFF
    assert 0xA5_0040_0000 == found.pa


def test_a_supersection_is_repeated_sixteen_times_and_reaches_40_bits():
    table = PageTable("arm-short")
    first = table.map(0x1000_0000, 0xFF_8100_0000, 16 << 20)
    last = table.walk(0x10FF_FFFF)

    assert 0xFF_81FF_FFFF == last.pa
    assert first.steps[0].index + 15 == last.steps[0].index
    assert first.steps[0].entry == last.steps[0].entry


def test_52_bit_addresses_of_64_kib_pages_wrap_into_the_low_bits():
    table = PageTable("arm64-64k-52")
    found = table.map(0x1_0000, 0xA_1234_5678_0000)

    assert 0xA == found.steps[-1].entry >> 12 & 0xF
    assert 0xA_1234_5678_0000 == found.pa


def test_upper_levels_can_only_take_rights_away():
    """Effective write and user are the AND of all levels, no-execute the OR (SDM 4.6; APTable and XNTable on ARM)."""
    for name, level_bits in (("x86-64-4", (1 << 1, 1 << 2, 1 << 63)), ("arm64-4k-48", (1 << 62, 1 << 61, 1 << 60))):
        for number, (bit, flag) in enumerate(zip(level_bits, ("write", "user", "nx"), strict=True)):
            table = PageTable(name)
            before = table.map(0x40_0000, 0x1000)
            place, entry = before.steps[number].entry_pa, before.steps[number].entry
            table.frames.write(place, entry ^ bit)
            after = table.walk(0x40_0000)

            assert before.flags[flag] != after.flags[flag]
            assert before.entry_flags == after.entry_flags
            assert after.pa == before.pa


def test_reserved_bits_fault():
    table = PageTable("x86-64-4")
    place = table.map(0x20_0000, 0x20_0000, 2 << 20).steps[-1].entry_pa
    table.frames.write(place, table.frames.read(place) | 1 << 13)

    fault = table.walk(0x20_0000).fault
    assert ("reserved bit set", 0xD) == (fault.kind, fault.error_code)


def test_an_old_page_is_mapped_but_faults_where_software_keeps_the_accessed_bit():
    for name in ("arm64-4k-48", "arm-lpae", "sv39"):
        table = PageTable(name)
        table.map(0x1000, 0x5000, accessed=False)

        assert 0x5000 == table.walk(0x1000).pa
        assert "access flag clear" == table.walk(0x1000, "read").fault.kind
    table = PageTable("x86-64-4")
    table.map(0x1000, 0x5000, accessed=False)
    assert 0x5000 == table.walk(0x1000, "read").pa


def test_an_unknown_format_lists_those_there_are():
    with pytest.raises(vm.VmlabError, match="expected one of x86-32, x86-pae"):
        page_format("x86")
    assert 20 == len(format_names())
