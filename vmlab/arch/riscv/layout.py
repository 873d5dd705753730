"""The kernel's virtual addresses on 64-bit RISC-V (Linux 6.1, Documentation/riscv/vm-layout.rst), Sv39 and Sv48.

There is no recorded machine, so no boot is modelled: RAM and the image are given. Left out: Sv57, KASLR (6.6), kernels
that execute in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...units import GiB, MiB, TiB, VmlabError
from ..space import IMAGE, Area, PaRule, PointerRules, Space, direct_map, halves, hole, pfns, rounded

TOP = 1 << 64
KERNEL_LINK_ADDR = TOP - 2 * GiB
MODULES = TOP - 4 * GiB


class Addresses(NamedTuple):
    """Where the areas of one format begin."""

    va_bits: int
    page_offset: int
    direct_map_bytes: int
    vmalloc: int
    vmemmap: int
    linear_bytes: int  # KERN_VIRT_SIZE: what __pa takes for the direct map


ROWS = {
    "sv39": Addresses(*(39, 0xFFFF_FFD8_0000_0000, 124 * GiB, 0xFFFF_FFC8_0000_0000, 0xFFFF_FFC7_0000_0000, 128 * GiB)),
    "sv48": Addresses(*(48, 0xFFFF_AF80_0000_0000, 64 * TiB, 0xFFFF_8F80_0000_0000, 0xFFFF_8D80_0000_0000, 64 * TiB)),
}


def space_of(format_name: str, ram: Sequence[tuple[int, int]], image_pa: int, image_bytes: int) -> Space:
    """Areas and tests of a kernel whose image begins at `image_pa`; RAM's first byte is mapped at PAGE_OFFSET."""
    if format_name not in ROWS:
        raise VmlabError(f"format: expected one of {', '.join(ROWS)}, got {format_name!r}")
    at, phys_offset = ROWS[format_name], ram[0][0]
    end = at.page_offset + ram[-1][1] - phys_offset
    image = KERNEL_LINK_ADDR, KERNEL_LINK_ADDR + image_bytes
    offset = KERNEL_LINK_ADDR - image_pa
    areas = (
        Area("fixmap", at.vmemmap - 22 * MiB, at.vmemmap - 16 * MiB, "addresses fixed at compile time"),
        Area("PCI I/O", at.vmemmap - 16 * MiB, at.vmemmap, "I/O ports of PCI devices"),
        Area("vmemmap", at.vmemmap, at.vmalloc, "the array of struct page"),
        Area("vmalloc", at.vmalloc, at.page_offset, "vmalloc, ioremap, kernel stacks: through page tables"),
        direct_map(at.page_offset, end, phys_offset, ram, "all RAM at a constant offset"),
        Area("modules", MODULES, KERNEL_LINK_ADDR, "code and data of loadable modules, and BPF programs"),
        Area(IMAGE, KERNEL_LINK_ADDR, TOP, "the kernel's code and data", offset, (image,)),
    )
    rules = PointerRules(
        pa=(
            PaRule(at.page_offset, at.page_offset + at.linear_bytes, at.page_offset - phys_offset),
            PaRule(0, TOP, offset),
        ),
        valid=((at.page_offset, TOP),),
        vmalloc=(at.vmalloc, at.page_offset - 1),  # VMALLOC_END is the last byte
        modules=(image[1] - 2 * GiB, KERNEL_LINK_ADDR),  # MODULES_VADDR: PFN_ALIGN(&_end) - 2 GiB
        frames=pfns(rounded(ram, 1 << 27)),
        memory=pfns(ram),
        source="Linux 6.1, arch/riscv/include/asm/page.h and pgtable.h",
        vmemmap=at.vmemmap - (phys_offset >> 12) * 64,
    )
    room = hole("KASAN shadow", at.page_offset + at.direct_map_bytes, MODULES, "of kernels built to find bad accesses")
    return Space(64, areas, rules, (*halves(at.va_bits), room), at.page_offset, phys_offset)
