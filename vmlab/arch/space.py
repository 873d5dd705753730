"""One kernel's address space as data: its areas, and what its tests of a pointer compute.

An architecture fills a `Space`; `virtual/layout.py` classifies addresses with it and `virtual/pointer_tests.py` runs
the tests. Addresses are plain ints. Spans are half open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

DIRECT_MAP, IMAGE, USER = "direct map", "kernel image", "user"

Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Area:
    """One stretch of an address space: `start`..`end`, half open.

    Where one constant gives the physical address, `offset` is va - pa (mod 2**64), and `mapped` the parts of the
    area in which that holds. `hole`: nothing is ever mapped there.
    """

    name: str
    start: int
    end: int
    what: str
    offset: int | None = None
    mapped: Spans = ()
    hole: bool = False


class PaRule(NamedTuple):
    """__pa: addresses in `start`..`end` less `offset`, whatever is there. It asks nothing."""

    start: int
    end: int
    offset: int


@dataclass(frozen=True, slots=True)
class PointerRules:
    """What virt_addr_valid and its relatives compute on one kernel.

    `valid` are the spans in which virt_addr_valid goes on to ask about the frame; `asks` is what it asks;
    `frames` the frames for which pfn_valid is true, `memory` those for which pfn_is_map_memory is.
    """

    pa: tuple[PaRule, ...]  # the first row that holds the address counts
    valid: Spans
    vmalloc: tuple[int, int]
    modules: tuple[int, int] | None  # MODULES_VADDR..MODULES_END, where the kernel defines them
    frames: Spans
    memory: Spans
    source: str  # kernel version and files
    asks: str = "pfn_valid"
    pa_bits: int = 64  # of phys_addr_t
    vmemmap: int | None = None  # the struct page of frame 0, where the array is virtual
    page_by_va: tuple[int, int] | None = None  # (PAGE_OFFSET, VMEMMAP_START), where virt_to_page skips __pa
    struct_page_bytes: int = 64


@dataclass(frozen=True, slots=True)
class Space:
    """The areas that a kernel names, ascending and apart from each other, and its tests of a pointer."""

    bits: int  # 32 or 64: of a pointer
    areas: tuple[Area, ...]
    rules: PointerRules
    others: tuple[Area, ...] = ()  # the user's half, addresses that no table can translate, guard holes
    page_offset: int = 0
    phys_offset: int = 0  # the physical address that page_offset maps; above 2**63 with KASLR on arm64


def direct_map(page_offset: int, end: int, phys_offset: int, ram: Iterable[tuple[int, int]], what: str) -> Area:
    """The direct map from `page_offset` to `end`; `ram` are the physical spans that it maps, in any order."""
    offset = (page_offset - phys_offset) % (1 << 64)
    mapped = []
    for low, high in joined(ram):
        start, stop = max((low + offset) % (1 << 64), page_offset), min((high + offset - 1) % (1 << 64) + 1, end)
        if start < stop:
            mapped.append((start, stop))
    return Area(DIRECT_MAP, page_offset, end, what, offset, tuple(mapped))


def joined(spans: Iterable[tuple[int, int]]) -> Spans:
    """The same bytes as ascending spans that do not touch."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if found and low <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], high)
        else:
            found.append((low, high))
    return tuple(found)


def rounded(spans: Iterable[tuple[int, int]], unit: int) -> Spans:
    """Spans widened to multiples of `unit` and joined: whole sections, whole pageblocks."""
    return joined((low // unit * unit, -(-high // unit) * unit) for low, high in spans)


def pfns(spans: Iterable[tuple[int, int]]) -> Spans:
    """Spans of bytes as spans of whole frames."""
    return tuple((-(-low >> 12), high >> 12) for low, high in joined(spans) if -(-low >> 12) < high >> 12)


def halves(va_bits: int) -> tuple[Area, Area]:
    """The user's half and the addresses that are not canonical, where bit `va_bits` - 1 must be repeated upwards."""
    half = 1 << (va_bits - 1)
    return user(half), Area(
        *("non-canonical", half, (1 << 64) - half),
        f"bits 63 to {va_bits - 1} differ: no table translates it, the CPU refuses it",
        hole=True,
    )


def user(end: int) -> Area:
    """The user's part of the address space."""
    return Area(USER, 0, end, "a process's own memory: its own page table decides")


def hole(name: str, start: int, end: int, what: str) -> Area:
    """A stretch in which nothing is ever mapped."""
    return Area(name, start, end, what, hole=True)
