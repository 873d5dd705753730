"""Counting tables: against tables that were built page by page, and on every recorded kernel."""

from __future__ import annotations

import pytest

import vmlab as vm
from vmlab.arch.formats import page_format
from vmlab.units import MiB
from vmlab.virtual.census import census, depth_of, tables_bytes
from vmlab.virtual.page_table import PageTable


def filled(name: str, total: int, page: int) -> PageTable:
    table = PageTable(name)
    for va in range(0, total, page):
        table.map(va, va, page)
    return table


@pytest.mark.parametrize(
    ("name", "large"),
    [("x86-32", 4 * MiB), ("x86-pae", 2 * MiB), ("x86-64-4", 2 * MiB), ("sv39", 2 * MiB), ("arm-lpae", 2 * MiB)],
)
def test_what_large_pages_save_is_the_difference_of_two_tables_that_were_built(name: str, large: int) -> None:
    total = 12 * MiB
    small, big = census(filled(name, total, 4096)), census(filled(name, total, large))
    assert {4096: total} == dict(small.mapped)
    assert {large: total} == dict(big.mapped)
    assert big.saved_bytes == small.tables_bytes - big.tables_bytes
    assert 0 == small.saved_bytes


def test_sections_of_arm_save_a_kibibyte_of_hardware_table_each() -> None:
    big = census(filled("arm-short", 8 * MiB, MiB))
    assert 8 * 1024 == big.saved_bytes
    assert big.saved_bytes == tables_bytes(page_format("arm-short"), 8 * MiB, MiB)


def test_a_page_whose_entry_stands_sixteen_times_is_counted_once() -> None:
    table = PageTable("arm-short")
    table.map(0x1000_0000, 0x1000_0000, 16 * MiB)
    assert {16 * MiB: 16 * MiB} == dict(census(table).mapped)


def test_a_table_that_points_to_itself_is_counted_once() -> None:
    table = PageTable("x86-64-4")
    table.frames.write(table.root_pa + 8 * 511, table.root_pa | 3)
    assert {"pgd": 1, "pud": 1, "pmd": 1, "pte": 1} == dict(census(table).tables)


@pytest.mark.parametrize("name", vm.machines())
def test_the_tables_of_a_recorded_kernel_fill_no_more_than_the_recorded_pages(name: str) -> None:
    space = vm.load_machine(name).recorded.kernel_space()
    found = census(space)
    assert 0 < found.tables_bytes <= space.tables_bytes
    assert sum(found.mapped.values()) > 256 * MiB, "a kernel maps its RAM"


def test_a_size_that_the_format_lacks_is_refused_with_those_that_it_has() -> None:
    with pytest.raises(vm.VmlabError, match="maps 4 KiB, 4 MiB"):
        depth_of(page_format("x86-32"), 2 * MiB)
