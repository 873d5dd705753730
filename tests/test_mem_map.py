"""Frame number to struct page and back, on every machine that ships: flat array, sections, or vmemmap."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vmlab as vm
from vmlab.units import VmlabError


@pytest.fixture(scope="module")
def kernels() -> dict[str, vm.Kernel]:
    return {name: vm.boot(vm.load_machine(name)) for name in vm.machines()}


@pytest.mark.parametrize("name", vm.machines())
def test_page_to_pfn_undoes_pfn_to_page(kernels: dict[str, vm.Kernel], name: str) -> None:
    mem_map = kernels[name].mem_map
    assert mem_map.pieces
    for piece in mem_map.pieces:
        for pfn in (piece.first_pfn, (piece.first_pfn + piece.end_pfn) // 2, piece.end_pfn - 1):
            page = mem_map.pfn_to_page(pfn)
            assert pfn == mem_map.page_to_pfn(page)
            with pytest.raises(VmlabError, match=re.escape("1 bytes into a struct page")):
                mem_map.page_to_pfn(page + 1)


@pytest.mark.parametrize("name", ["amd64-pc-1g", "arm-virt-armmp-1g"])
@given(data=st.data())
@settings(max_examples=50)
def test_every_address_inside_the_array_belongs_to_the_frame_of_the_struct_page_it_starts(
    kernels: dict[str, vm.Kernel], name: str, data: st.DataObject
) -> None:
    mem_map = kernels[name].mem_map
    piece = data.draw(st.sampled_from(mem_map.pieces))
    pfn = data.draw(st.integers(piece.first_pfn, piece.end_pfn - 1))
    assert piece.va + (pfn - piece.first_pfn) * mem_map.struct_page_bytes == mem_map.pfn_to_page(pfn)
    assert pfn == mem_map.page_to_pfn(mem_map.pfn_to_page(pfn))


def test_an_address_outside_the_array_is_refused(kernels: dict[str, vm.Kernel]) -> None:
    for kernel in kernels.values():
        first = min(piece.va for piece in kernel.mem_map.pieces)
        with pytest.raises(VmlabError, match="is not the address of a struct page"):
            kernel.mem_map.page_to_pfn(first - kernel.mem_map.struct_page_bytes)


MIB = 256  # pages


@pytest.mark.parametrize(
    ("model", "banks", "given_back"),
    [
        ("SPARSEMEM", [(0, 600)], [(600, 768)]),  # from the end of RAM to that of its section
        ("SPARSEMEM", [(0, 512)], []),
        (
            "SPARSEMEM",
            [(0, 300), (448, 64)],
            [(304, 448)],
        ),  # a hole inside a section, but for whole pageblocks of 8 MiB
        ("SPARSEMEM", [(0, 300), (768, 256)], [(304, 512)]),  # section 2 has no struct pages to give back
        ("FLATMEM", [(0, 600)], []),
        ("FLATMEM", [(0, 300), (768, 256)], [(304, 768)]),
        ("FLATMEM", [(0, 299), (770, 254)], [(304, 768)]),
    ],
)
def test_arm_gives_back_the_struct_pages_of_holes(
    model: str, banks: list[tuple[int, int]], given_back: list[tuple[int, int]]
) -> None:
    """mm/memblock.c:free_unused_memmap; sections of 256 MiB (arch/arm/include/asm/sparsemem.h); numbers are MiB."""
    ram = tuple(vm.Region(0x4000_0000 + (start << 20), size << 20) for start, size in banks)
    mem_map = vm.boot(vm.Machine(arch="arm", ram=ram, config=vm.Config(memory_model=model))).mem_map
    assert len(given_back) == len(mem_map.freed)
    for (start, end), (low, high) in zip(given_back, mem_map.freed, strict=True):
        first, last = mem_map.pa_of_page(0x40000 + start * MIB), mem_map.pa_of_page(0x40000 + end * MIB - 1)
        assert 0 <= low - first < 4096
        assert 0 <= last + mem_map.struct_page_bytes - high < 4096
        assert low % 4096 == high % 4096 == 0
