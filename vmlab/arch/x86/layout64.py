"""The kernel's virtual addresses on x86-64 (Linux 6.1, Documentation/x86/x86_64/mm.rst), KASLR off.

With KASLR the direct map, vmalloc and vmemmap keep their order and start at random multiples of 1 GiB,
and the image at a random multiple of 2 MiB: nothing predicts them, so the tables here are the defaults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...units import GiB, MiB, TiB
from ..base import Area, Bounds

if TYPE_CHECKING:
    from ...machine import Machine

PAGE_OFFSET_L4 = 0xFFFF_8880_0000_0000
PAGE_OFFSET_L5 = 0xFF11_0000_0000_0000
START_KERNEL_MAP = 0xFFFF_FFFF_8000_0000

_ROWS = {
    "x86-64-4": {
        "page_offset": PAGE_OFFSET_L4,
        "direct_map_bytes": 64 * TiB,
        "vmalloc_base": 0xFFFF_C900_0000_0000,
        "vmalloc_bytes": 32 * TiB,
        "vmemmap_base": 0xFFFF_EA00_0000_0000,
        "vmemmap_bytes": TiB,
    },
    "x86-64-5": {
        "page_offset": PAGE_OFFSET_L5,
        "direct_map_bytes": 32 * 1024 * TiB,
        "vmalloc_base": 0xFFA0_0000_0000_0000,
        "vmalloc_bytes": 12800 * TiB,
        "vmemmap_base": 0xFFD4_0000_0000_0000,
        "vmemmap_bytes": 512 * TiB,
    },
}


def rows(machine: Machine) -> dict[str, int]:
    """The bases and sizes of this machine's format."""
    return _ROWS[machine.config.format or "x86-64-4"]


def modules_start(machine: Machine) -> int:
    """MODULES_VADDR: after the image's window, 1 GiB with RANDOMIZE_BASE and 512 MiB without."""
    return START_KERNEL_MAP + (GiB if machine.config.kaslr else 512 * MiB)


def constants(machine: Machine, bounds: Bounds) -> dict[str, int]:
    """Names of records/SCHEMA.md's `layout` to values."""
    at = rows(machine)
    found = {
        "page_offset": at["page_offset"],
        "dram_base": 0,
        "high_memory": bounds.high_memory,
        "lowmem_end_pa": bounds.high_memory - at["page_offset"],
        "vmalloc_base": at["vmalloc_base"],
        "vmemmap_base": at["vmemmap_base"],
        "kernel_image_base": START_KERNEL_MAP,
        "modules_start": modules_start(machine),
    }
    if machine.image and machine.image.text_va:
        found["phys_base"] = machine.image.start - (machine.image.text_va - START_KERNEL_MAP)
    return found


def areas(machine: Machine, bounds: Bounds) -> list[Area]:
    """The kernel's half, ascending."""
    at = rows(machine)
    modules = modules_start(machine)
    return [
        Area("direct map", at["page_offset"], bounds.high_memory, "all RAM at a constant offset"),
        Area(
            "vmalloc",
            at["vmalloc_base"],
            at["vmalloc_base"] + at["vmalloc_bytes"],
            "vmalloc, ioremap, kernel stacks",
        ),
        Area(
            "vmemmap",
            at["vmemmap_base"],
            at["vmemmap_base"] + at["vmemmap_bytes"],
            "the array of struct page",
        ),
        Area(
            "cpu entry area",
            0xFFFF_FE00_0000_0000,
            0xFFFF_FE80_0000_0000,
            "what a CPU needs on entry to the kernel",
        ),
        Area("espfix", 0xFFFF_FF00_0000_0000, 0xFFFF_FF80_0000_0000, "stacks for returns to 16-bit code"),
        Area("EFI", 0xFFFF_FFEF_0000_0000, 0xFFFF_FFFF_0000_0000, "EFI runtime services"),
        Area(
            "kernel image",
            START_KERNEL_MAP,
            modules,
            "the kernel's code and data: a second mapping of its frames",
        ),
        Area("modules", modules, 0xFFFF_FFFF_FF00_0000, "code and data of loadable modules"),
        Area("fixmap", 0xFFFF_FFFF_FF57_9000, 0xFFFF_FFFF_FF60_0000, "addresses fixed at compile time"),
        Area("vsyscall", 0xFFFF_FFFF_FF60_0000, 0xFFFF_FFFF_FF60_1000, "the old system-call page"),
    ]
