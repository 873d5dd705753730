"""The kernel's virtual addresses on 32-bit ARM (Linux 6.1, arch/arm/include/asm/{memory,pgtable,fixmap,highmem}.h)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...units import PAGE_SHIFT, PAGE_SIZE, MiB, align_down
from ..base import Bounds
from ..space import Area, PaRule, PointerRules, Space, direct_map, pfns, rounded, user

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


def space(machine: Machine, bounds: Bounds, phys_offset: int, ram: Sequence[tuple[int, int]]) -> Space:
    """Every area and test; `ram` is memblock.memory, bytes."""
    at = constants(machine, bounds, phys_offset)
    start, high_memory = at["page_offset"], at["high_memory"]
    lowmem = [(low, min(high, bounds.limit or high)) for low, high in ram if low < (bounds.limit or 0)]
    areas = [
        Area("modules", at["modules_start"], at["modules_end"], "code and data of loadable modules"),
        direct_map(start, high_memory, phys_offset, lowmem, "lowmem at a constant offset, kernel image included"),
        Area("vmalloc", at["vmalloc_start"], VMALLOC_END, "vmalloc, ioremap, kernel stacks: through page tables"),
        Area("device tree", VMALLOC_END, 0xFFC0_0000, "the boot loader's device tree, two sections"),
        # slot 0 stands at FIXADDR_TOP itself (asm-generic/fixmap.h:__fix_to_virt)
        Area(
            *("fixmap", FIXADDR_START, FIXADDR_TOP + PAGE_SIZE),
            "addresses fixed at compile time, kmap_local slots among them",
        ),
        Area("vectors", VECTORS, VECTORS + (2 << PAGE_SHIFT), "exception vectors and their stubs"),
    ]
    if "pkmap_base" in at:
        pkmap = at["pkmap_base"], at["pkmap_base"] + PKMAP_BYTES
        areas.append(Area("pkmap", *pkmap, f"kmap's window onto HighMem, {LAST_PKMAP} slots"))
    is_lpae = machine.config.format == "arm-lpae"
    rules = PointerRules(
        pa=(PaRule(0, 1 << 32, start - phys_offset),),
        valid=((start, high_memory),),
        vmalloc=(at["vmalloc_start"], VMALLOC_END),
        modules=(at["modules_start"], at["modules_end"]),
        # mm/init.c:pfn_valid: whole pageblocks around RAM
        frames=pfns(rounded(ram, PAGE_SIZE << (machine.config.pageblock_order or 0))),
        memory=pfns(ram),
        source="Linux 6.1, arch/arm/include/asm/memory.h and arch/arm/mm/init.c",
        pa_bits=64 if is_lpae else 32,
        struct_page_bytes=machine.config.struct_page_bytes or 0,
    )
    below = user(at["modules_start"])  # TASK_SIZE is 16 MiB below the direct map
    return Space(32, tuple(sorted(areas, key=lambda area: area.start)), rules, (below,), start, phys_offset)
