"""The kernel's virtual addresses on 32-bit ARM (Linux 6.1, arch/arm/include/asm/{memory,pgtable,fixmap,highmem}.h)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...units import PAGE_SHIFT, PAGE_SIZE, MiB, align_down
from ..base import Area, Bounds

if TYPE_CHECKING:
    from ...machine import Machine

VMALLOC_END = 0xFF80_0000
VMALLOC_OFFSET = 8 * MiB  # hole after the direct map, so that running off its end faults
LAST_PKMAP = 512  # slots; one page table of 2 MiB
PKMAP_BYTES = LAST_PKMAP * PAGE_SIZE
MODULES_BYTES = 16 * MiB
FIXADDR_START = 0xFFC8_0000
FIXADDR_TOP = 0xFFEF_F000
VECTORS = 0xFFFF_0000
KM_MAX_IDX = 16  # kmap_local slots a CPU


def constants(machine: Machine, bounds: Bounds, phys_offset: int) -> dict[str, int]:
    """Names of records/SCHEMA.md's `layout` to values."""
    page_offset = machine.config.page_offset or 0
    rows = {
        "page_offset": page_offset,
        "dram_base": phys_offset,
        "high_memory": bounds.high_memory,
        "lowmem_end_pa": bounds.high_memory - page_offset + phys_offset,
        "vmalloc_start": align_down(bounds.high_memory + VMALLOC_OFFSET, VMALLOC_OFFSET),
        "vmalloc_end": VMALLOC_END,
        "modules_start": page_offset - MODULES_BYTES,
        "modules_end": page_offset - PKMAP_BYTES if machine.config.highmem else page_offset,
        "vectors": VECTORS,
        "fixaddr_start": FIXADDR_START,
        "fixaddr_top": FIXADDR_TOP,
        "fix_kmap_begin": machine.config.fix_kmap_begin or 0,
        "fix_kmap_end": (machine.config.fix_kmap_begin or 0) + KM_MAX_IDX * (machine.config.nr_cpus or 1) - 1,
    }
    if machine.config.highmem:
        rows |= {"pkmap_base": page_offset - PKMAP_BYTES, "last_pkmap": LAST_PKMAP}
    return rows


def areas(machine: Machine, bounds: Bounds, phys_offset: int) -> list[Area]:
    """The kernel's half, ascending."""
    at = constants(machine, bounds, phys_offset)
    rows = [
        Area("modules", at["modules_start"], at["modules_end"], "code and data of loadable modules"),
        Area(
            "direct map",
            at["page_offset"],
            at["high_memory"],
            "lowmem at a constant offset, kernel image included",
        ),
        Area(
            "vmalloc",
            at["vmalloc_start"],
            at["vmalloc_end"],
            "vmalloc, ioremap, kernel stacks: through page tables",
        ),
        Area("device tree", 0xFF80_0000, 0xFFC0_0000, "the boot loader's device tree, two sections"),
        Area(
            "fixmap",
            FIXADDR_START,
            FIXADDR_TOP,
            "addresses fixed at compile time, kmap_local slots among them",
        ),
        Area("vectors", VECTORS, VECTORS + (2 << PAGE_SHIFT), "exception vectors and their stubs"),
    ]
    if "pkmap_base" in at:
        start = at["pkmap_base"]
        rows.append(Area("pkmap", start, start + PKMAP_BYTES, "kmap's window onto HighMem, 512 slots"))
    return sorted(rows, key=lambda area: area.start)
