"""The kernel's virtual addresses on x86-64 (Linux 6.1, Documentation/x86/x86_64/mm.rst).

With KASLR the direct map, vmalloc and vmemmap keep their order and start at random multiples of 1 GiB, and the
image at a random multiple of 2 MiB. Nothing predicts them: `bases` gives what was drawn (`kaslr.py` has the rule).

Left out: KASAN and KMSAN kernels, 32 MiB less for modules with CONFIG_DEBUG_KMAP_LOCAL_FORCE_MAP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...units import PAGE_SIZE, GiB, MiB, TiB
from ..base import Bounds
from ..space import IMAGE, Area, PaRule, PointerRules, Space, direct_map, halves, hole, pfns, rounded

if TYPE_CHECKING:
    from ...machine import Machine
    from ...parts import Image

PAGE_OFFSET_L4 = 0xFFFF_8880_0000_0000
PAGE_OFFSET_L5 = 0xFF11_0000_0000_0000
START_KERNEL_MAP = 0xFFFF_FFFF_8000_0000
CPU_ENTRY_AREA = 0xFFFF_FE00_0000_0000
KASAN_END = 0xFFFF_FC00_0000_0000
MODULES_END = 0xFFFF_FFFF_FF00_0000
FIXADDR_TOP = 0xFFFF_FFFF_FF7F_F000
VSYSCALL = 0xFFFF_FFFF_FF60_0000
FIXMAP_SLOTS = 1537  # __end_of_fixed_addresses of Debian's kernel
ISA_END = MiB  # arch/x86/mm/init.c:init_mem_mapping maps all of the first MiB, RAM or not

_ROWS = {
    "x86-64-4": {
        "guard_hole": 0xFFFF_8000_0000_0000,
        "guard_end": 0xFFFF_8800_0000_0000,  # where the LDT remap begins
        "ldt_bytes": TiB // 2,
        "page_offset": PAGE_OFFSET_L4,
        "direct_map_bytes": 64 * TiB,
        "vmalloc_base": 0xFFFF_C900_0000_0000,
        "vmalloc_bytes": 32 * TiB,
        "vmemmap_base": 0xFFFF_EA00_0000_0000,
        "vmemmap_bytes": TiB,
        "kasan": 0xFFFF_EC00_0000_0000,
        "va_bits": 48,
        "phys_bits": 46,
    },
    "x86-64-5": {
        "guard_hole": 0xFF00_0000_0000_0000,
        "guard_end": 0xFF10_0000_0000_0000,  # where the LDT remap begins
        "ldt_bytes": 256 * TiB,
        "page_offset": PAGE_OFFSET_L5,
        "direct_map_bytes": 32 * 1024 * TiB,
        "vmalloc_base": 0xFFA0_0000_0000_0000,
        "vmalloc_bytes": 12800 * TiB,
        "vmemmap_base": 0xFFD4_0000_0000_0000,
        "vmemmap_bytes": 512 * TiB,
        "kasan": 0xFFDF_0000_0000_0000,
        "va_bits": 57,
        "phys_bits": 52,
    },
}
# 4.19 (to 4.19.4) and before: no room for the LDT below the direct map (moved by d52888aa2753 in 4.20, and in 4.19.5)
BEFORE_4_20 = {"page_offset": 0xFFFF_8800_0000_0000, "ldt_bytes": 0}


def rows(machine: Machine) -> dict[str, int]:
    """The bases and sizes of this machine's format."""
    return _ROWS[machine.config.format or "x86-64-4"]


def image_bytes(machine: Machine) -> int:
    """KERNEL_IMAGE_SIZE: the image's window, 1 GiB with RANDOMIZE_BASE and 512 MiB without."""
    return GiB if machine.config.kaslr else 512 * MiB


def modules_start(machine: Machine) -> int:
    """MODULES_VADDR: after the image's window."""
    return START_KERNEL_MAP + image_bytes(machine)


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


def space(
    machine: Machine, bounds: Bounds, image: Image, ram: Sequence[tuple[int, int]], bases: Mapping[str, int]
) -> Space:
    """Every area and test; `bases` may hold page_offset, vmalloc_base, vmemmap_base and image_va (of _text)."""
    at = rows(machine) | dict(bases)
    is_random = "vmalloc_base" in bases
    high_memory = at["page_offset"] + (bounds.max_pfn << 12)
    text = bases.get("image_va") or image.text_va or START_KERNEL_MAP + image.start
    phys_base = image.start - (text - START_KERNEL_MAP)
    # KASAN turns KASLR off; where areas moved, they may stand where its shadow would be
    kasan = [] if is_random else [hole("KASAN shadow", at["kasan"], KASAN_END, "of kernels built to find bad accesses")]
    what = "all RAM at a constant offset"
    areas = (
        direct_map(at["page_offset"], high_memory, 0, (*ram, (0, ISA_END)), what),
        _sized("vmalloc", at["vmalloc_base"], at["vmalloc_bytes"], "vmalloc, ioremap, kernel stacks"),
        _sized("vmemmap", at["vmemmap_base"], at["vmemmap_bytes"], "the array of struct page"),
        *_top(
            machine,
            Area(
                *(IMAGE, START_KERNEL_MAP, modules_start(machine)),
                "the kernel's code and data: a second mapping of its frames",
                *((START_KERNEL_MAP - phys_base) % (1 << 64), ((text, text + image.end - image.start),)),
            ),
        ),
    )
    others = (
        *halves(at["va_bits"]),
        hole("guard hole", at["guard_hole"], at["guard_end"], "kept free for a hypervisor"),
        _sized("LDT remap", at["guard_end"], at["ldt_bytes"], "a process's segment table, for page-table isolation"),
        *kasan,
    )
    rules = PointerRules(
        pa=(PaRule(START_KERNEL_MAP, 1 << 64, START_KERNEL_MAP - phys_base), PaRule(0, 1 << 64, at["page_offset"])),
        valid=(
            (START_KERNEL_MAP, modules_start(machine)),
            (at["page_offset"], at["page_offset"] + (1 << at["phys_bits"])),
        ),
        vmalloc=(at["vmalloc_base"], at["vmalloc_base"] + at["vmalloc_bytes"] - 1),  # VMALLOC_END is the last byte
        modules=(modules_start(machine), MODULES_END),
        frames=pfns(rounded(ram, 1 << 27)),  # whole sections
        memory=pfns(ram),
        source="Linux 6.1, arch/x86/mm/physaddr.c and asm/pgtable_64_types.h",
        vmemmap=at["vmemmap_base"],
        struct_page_bytes=machine.config.struct_page_bytes or 64,
    )
    return Space(64, areas, rules, others, at["page_offset"])


def _sized(name: str, start: int, size: int, what: str) -> Area:
    return Area(name, start, start + size, what)


def _top(machine: Machine, image: Area) -> tuple[Area, ...]:
    """What stands above the vmemmap, from cpu_entry_area up: KASLR moves none of it but the image in its window."""
    fixmap = FIXADDR_TOP - (machine.config.fixmap_slots or FIXMAP_SLOTS) * PAGE_SIZE
    return (
        _sized("cpu entry area", CPU_ENTRY_AREA, TiB // 2, "what a CPU needs on entry to the kernel"),
        _sized("espfix", 0xFFFF_FF00_0000_0000, TiB // 2, "stacks for returns to 16-bit code"),
        _sized("EFI", 0xFFFF_FFEF_0000_0000, 64 * GiB, "EFI runtime services"),
        image,
        Area("modules", image.end, MODULES_END, "code and data of loadable modules"),
        Area("fixmap", fixmap, VSYSCALL, "addresses fixed at compile time"),
        _sized("vsyscall", VSYSCALL, PAGE_SIZE, "the old system-call page"),
    )
