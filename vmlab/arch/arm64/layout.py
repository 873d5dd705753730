"""The kernel's virtual addresses on arm64, 48 bits and 4 KiB pages, Linux 5.4 to 6.8 (asm/memory.h)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...units import PAGE_SHIFT, PAGE_SIZE, MiB
from ..base import Area, Bounds

if TYPE_CHECKING:
    from ...machine import Machine

PAGE_OFFSET = 0xFFFF_0000_0000_0000
PAGE_END = 0xFFFF_8000_0000_0000  # end of the direct map's half, start of modules
MODULES_END = PAGE_END + 128 * MiB
KIMAGE_VADDR = MODULES_END
VMEMMAP_START = 0xFFFF_FC00_0000_0000  # -(1 << (48 - 6))
VMEMMAP_BYTES = ((PAGE_END - PAGE_OFFSET) >> PAGE_SHIFT) * 64
FIXADDR_TOP = VMEMMAP_START - 32 * MiB


def constants(machine: Machine, bounds: Bounds, phys_offset: int) -> dict[str, int]:
    """Names of records/SCHEMA.md's `layout` to values."""
    rows = {
        "page_offset": PAGE_OFFSET,
        "dram_base": phys_offset,
        "memstart_addr": phys_offset,
        "high_memory": bounds.high_memory,
        "lowmem_end_pa": bounds.high_memory - PAGE_OFFSET + phys_offset,
        "vmemmap_start": VMEMMAP_START,
    }
    if machine.image and machine.image.text_va:
        rows["kimage_voffset"] = machine.image.text_va - machine.image.start
    return rows


def areas(machine: Machine, bounds: Bounds, phys_offset: int) -> list[Area]:
    """The kernel's half, ascending."""
    image = machine.image
    image_end = KIMAGE_VADDR + (image.end - image.start if image else 32 * MiB)
    return [
        Area("direct map", PAGE_OFFSET, bounds.high_memory, "all RAM at a constant offset"),
        Area("modules", PAGE_END, MODULES_END, "code and data of loadable modules"),
        Area(
            "kernel image",
            KIMAGE_VADDR,
            image_end,
            "the kernel's code and data, mapped apart from the direct map",
        ),
        Area(
            "vmalloc",
            image_end,
            FIXADDR_TOP - 16 * MiB,
            "vmalloc, ioremap, kernel stacks: through page tables",
        ),
        Area("fixmap", FIXADDR_TOP - 16 * MiB, FIXADDR_TOP, "addresses fixed at compile time"),
        Area("vmemmap", VMEMMAP_START, VMEMMAP_START + VMEMMAP_BYTES, "the array of struct page, with holes"),
    ]


__all__ = ["PAGE_SIZE", "areas", "constants"]
