"""The kernel's virtual addresses on x86-32 (Linux 6.1, arch/x86/include/asm/pgtable_32_areas.h).

Everything above VMALLOC_END is stacked downwards from the top of the address space, and lowmem gets what
is left: that is why it is 875 MiB on Debian's kernel and not the 896 MiB of older books.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...units import PAGE_SIZE, MiB, align_down
from ..base import Bounds
from ..space import Area, PaRule, PointerRules, Space, Spans, direct_map, pfns, user

if TYPE_CHECKING:
    from ...machine import Machine
    from ...physical.memblock import Memblock

FIXADDR_TOP = 0xFFFF_F000
CPU_ENTRY_AREA_PAGES = 43  # a CPU (sizeof(struct cpu_entry_area) in pages)
VMALLOC_OFFSET = 8 * MiB
VMALLOC_RESERVE = 128 * MiB
ISA_END = MiB  # arch/x86/mm/init.c:init_mem_mapping maps all of the first MiB, RAM or not
KM_MAX_IDX = 16
INIT_PGT_BUF_PAGES = 6  # arch/x86/mm/init.c:early_alloc_pgt_buf


def pmd_size(machine: Machine) -> int:
    """Bytes under one entry of the middle (or top) table."""
    return 2 * MiB if machine.config.format == "x86-pae" else 4 * MiB


def last_pkmap(machine: Machine) -> int:
    """Slots of kmap's window: one page table."""
    return 512 if machine.config.format == "x86-pae" else 1024


def stack_down(machine: Machine) -> dict[str, int]:
    """The areas above VMALLOC_END, from the top down."""
    pmd = pmd_size(machine)
    fixaddr_start = FIXADDR_TOP - (machine.config.fixmap_slots or 0) * PAGE_SIZE
    entry_pages = CPU_ENTRY_AREA_PAGES * (machine.config.nr_cpus or 1) + 1
    cpu_entry_area = align_down(fixaddr_start - entry_pages * PAGE_SIZE, pmd)
    ldt = align_down(cpu_entry_area - PAGE_SIZE, pmd)
    pkmap = align_down(ldt - PAGE_SIZE, pmd)
    vmalloc_end = (pkmap if machine.config.highmem else ldt) - 2 * PAGE_SIZE
    return {
        "fixaddr_start": fixaddr_start,
        "cpu_entry_area": cpu_entry_area,
        "ldt": ldt,
        "pkmap_base": pkmap,
        "vmalloc_end": vmalloc_end,
    }


def maxmem(machine: Machine) -> int:
    """MAXMEM: the most bytes lowmem can have. vmalloc= adds 8 MiB to its value, the default does not."""
    asked = machine.size_parameter("vmalloc")
    reserve = VMALLOC_RESERVE if asked is None else asked + VMALLOC_OFFSET
    return stack_down(machine)["vmalloc_end"] - (machine.config.page_offset or 0) - reserve


def constants(machine: Machine, bounds: Bounds) -> dict[str, int]:
    """Names of records/SCHEMA.md's `layout` to values."""
    at = stack_down(machine)
    begin = machine.config.fix_kmap_begin or 0
    rows = {
        "page_offset": machine.config.page_offset or 0,
        "dram_base": 0,
        "high_memory": bounds.high_memory,
        "lowmem_end_pa": bounds.high_memory - (machine.config.page_offset or 0),
        "vmalloc_start": bounds.high_memory + VMALLOC_OFFSET,
        "vmalloc_end": at["vmalloc_end"],
        "fixaddr_top": FIXADDR_TOP,
        "fixaddr_start": at["fixaddr_start"],
        "fix_kmap_begin": begin,
        "fix_kmap_end": begin + KM_MAX_IDX * (machine.config.nr_cpus or 1) - 1,
    }
    if machine.config.highmem:
        rows |= {"pkmap_base": at["pkmap_base"], "last_pkmap": last_pkmap(machine)}
    return rows


def pkmap_page_table(machine: Machine, memblock: Memblock, brk_end: int) -> int | None:
    """Physical address of kmap's page table: the next free page of the six that end the kernel's brk.

    Before it the kernel took one page for every huge page of the direct map that RAM fills only in part
    (init_mem_mapping), and the fixmap's tables (init_32.c:early_ioremap_page_table_range_init); the first
    block of RAM and two blocks of the fixmap have static tables. None where six pages are not enough.
    """
    pmd = pmd_size(machine)
    limit = memblock.limit or 0
    edges = {edge // pmd for bank in memblock.memory() for edge in bank if edge <= limit and edge % pmd}
    if limit % pmd and any(start < limit <= end for start, end in memblock.memory()):
        edges.add(limit // pmd)
    used = len(edges - {0}) + _fixmap_tables(machine, pmd)
    return brk_end - (INIT_PGT_BUF_PAGES - used) * PAGE_SIZE if used < INIT_PGT_BUF_PAGES else None


def _fixmap_tables(machine: Machine, pmd: int) -> int:
    """Tables made for the fixmap; kmap_local's slots need theirs side by side, so they are allocated anew."""
    slots = machine.config.fixmap_slots or 0
    first = (FIXADDR_TOP - slots * PAGE_SIZE) // pmd
    early_ioremap = (FIXADDR_TOP - (slots - 2) * PAGE_SIZE) // pmd
    missing = set(range(first, FIXADDR_TOP // pmd + 1)) - {early_ioremap, FIXADDR_TOP // pmd}
    begin = machine.config.fix_kmap_begin or 0
    end = begin + KM_MAX_IDX * (machine.config.nr_cpus or 1) - 1
    low, high = (FIXADDR_TOP - end * PAGE_SIZE) // pmd, (FIXADDR_TOP - begin * PAGE_SIZE) // pmd
    return len(missing) + (high - low + 1 if high > low else 0)


def space(machine: Machine, bounds: Bounds, ram: Sequence[tuple[int, int]], frames: Spans) -> Space:
    """Every area; `ram` is memblock.memory in bytes, `frames` what pfn_valid is true for."""
    at, page_offset = stack_down(machine), machine.config.page_offset or 0
    start, end = bounds.high_memory + VMALLOC_OFFSET, at["vmalloc_end"]
    lowmem = [(low, min(high, bounds.limit or high)) for low, high in (*ram, (0, ISA_END)) if low < (bounds.limit or 0)]
    rows = [
        direct_map(page_offset, bounds.high_memory, 0, lowmem, "lowmem at a constant offset, kernel image included"),
        Area("vmalloc", start, end, "vmalloc, ioremap, modules: through page tables"),
        Area(
            *("LDT", at["ldt"], at["ldt"] + pmd_size(machine)),
            "a process's own segment table, for page-table isolation",
        ),
        Area("cpu entry area", at["cpu_entry_area"], at["fixaddr_start"], "what a CPU needs on entry to the kernel"),
        # slot 0 stands at FIXADDR_TOP itself (asm-generic/fixmap.h:__fix_to_virt)
        Area(
            *("fixmap", at["fixaddr_start"], FIXADDR_TOP + PAGE_SIZE),
            "addresses fixed at compile time, kmap_local slots among them",
        ),
    ]
    if machine.config.highmem:
        slots = last_pkmap(machine)
        window = at["pkmap_base"], at["pkmap_base"] + slots * PAGE_SIZE
        rows.insert(2, Area("pkmap", *window, f"kmap's window onto HighMem, {slots} slots"))
    permanent = machine.config.fixmap_permanent_slots or machine.config.fixmap_slots or 0
    rules = PointerRules(
        pa=(PaRule(0, 1 << 32, page_offset),),
        valid=((page_offset, start), (end, FIXADDR_TOP - permanent * PAGE_SIZE)),
        vmalloc=(start, end),
        modules=(start, end),  # MODULES_VADDR is VMALLOC_START
        frames=frames,
        memory=pfns(ram),
        source="Linux 6.1, arch/x86/mm/physaddr.c and asm/pgtable_32_areas.h",
        pa_bits=32,
        struct_page_bytes=machine.config.struct_page_bytes or 0,
    )
    return Space(32, tuple(rows), rules, (user(page_offset),), page_offset)
