"""The kernel's virtual addresses on arm64 with 4 KiB pages, by kernel version and bits of an address.

Sources: asm/memory.h and asm/pgtable.h of 4.9, 5.4, 6.1, 6.5 and 6.9. Until 5.3 the direct map was the upper half of
the kernel's addresses and everything else the lower; 5.4 turned them round so that 52 bits could be chosen while
booting. Left out: KASAN, kernels that fall back from 52 bits to 48, pages of 16 and 64 KiB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ... import versions
from ...units import PAGE_SHIFT, PAGE_SIZE, GiB, MiB, VmlabError, align_up
from ..base import Bounds
from ..space import DIRECT_MAP, IMAGE, Area, PaRule, PointerRules, Space, direct_map, hole, pfns, user

if TYPE_CHECKING:
    from ...machine import Machine
    from ...parts import Image

TOP = 1 << 64
STRUCT_PAGE_SHIFT = 6  # STRUCT_PAGE_MAX_SHIFT
FIXMAP_SLOTS = 1487  # __end_of_fixed_addresses of Debian's kernel
IMAGE_BYTES = 32 * MiB  # of a kernel that nobody described


class Addresses(NamedTuple):
    """Where each area of one version begins and ends (names of asm/memory.h)."""

    page_offset: int
    page_end: int  # end of the direct map's part
    modules: int
    modules_end: int  # KIMAGE_VADDR and VMALLOC_START
    vmalloc_end: int
    fixaddr_top: int
    pci_io: int
    pci_io_end: int
    vmemmap: int
    vmemmap_end: int


def _until_5_3(va_bits: int) -> Addresses:
    start, page_offset = TOP - (1 << va_bits), TOP - (1 << (va_bits - 1))
    vmemmap_bytes = 1 << (va_bits - PAGE_SHIFT - 1 + STRUCT_PAGE_SHIFT)
    vmemmap = page_offset - vmemmap_bytes
    pci_end = vmemmap - 2 * MiB
    pci = pci_end - 16 * MiB
    vmalloc_end = page_offset - GiB - vmemmap_bytes - 64 * 1024  # PUD_SIZE and 64 KiB below it
    modules_end = start + 128 * MiB
    return Addresses(
        *(page_offset, TOP, start, modules_end, vmalloc_end, pci - 2 * MiB, pci, pci_end, vmemmap, page_offset)
    )


def _since_5_4(va_bits: int, modules_bytes: int) -> Addresses:
    page_offset, page_end = TOP - (1 << va_bits), TOP - (1 << (min(va_bits, 48) - 1))
    vmemmap = TOP - (1 << (va_bits - PAGE_SHIFT + STRUCT_PAGE_SHIFT))
    vmemmap_end = vmemmap + ((page_end - page_offset) >> (PAGE_SHIFT - STRUCT_PAGE_SHIFT))
    pci_end = vmemmap - 8 * MiB
    modules_end = page_end + modules_bytes
    return Addresses(
        *(page_offset, page_end, page_end, modules_end, vmemmap - 256 * MiB, vmemmap - 32 * MiB),
        *(pci_end - 16 * MiB, pci_end, vmemmap, vmemmap_end),
    )


def _since_6_9(va_bits: int) -> Addresses:
    page_offset, page_end = TOP - (1 << va_bits), TOP - (1 << (min(va_bits, 48) - 1))
    vmemmap_end = TOP - GiB
    vmemmap = vmemmap_end - ((page_end - page_offset) >> (PAGE_SHIFT - STRUCT_PAGE_SHIFT))
    pci = vmemmap_end + 8 * MiB
    return Addresses(
        *(page_offset, page_end, page_end, page_end + 2 * GiB, vmemmap - 8 * MiB, TOP - 8 * MiB),
        *(pci, pci + 16 * MiB, vmemmap, vmemmap_end),
    )


ROWS = {
    "4.9": _until_5_3,
    "5.4": lambda va_bits: _since_5_4(va_bits, 128 * MiB),
    "6.5": lambda va_bits: _since_5_4(va_bits, 2 * GiB),
    "6.9": _since_6_9,
}  # first version -> its addresses


def addresses(version: str = "6.1", va_bits: int = 48) -> Addresses:
    """The addresses of one kernel version, 4.9 to 6.12."""
    if va_bits not in (39, 48, 52):
        raise VmlabError(f"va_bits: with pages of 4 KiB arm64 has 39, 48 or 52, got {va_bits}")
    row = versions.pick(ROWS, version, "version")
    if va_bits == 52 and versions.numbers(version) < (6, 9):
        raise VmlabError(f"va_bits: 52 with pages of 4 KiB needs Linux 6.9, got {version}")
    return row(va_bits)


PAGE_OFFSET = addresses().page_offset  # of every version with 48 bits since 5.4


def constants(machine: Machine, bounds: Bounds, phys_offset: int) -> dict[str, int]:
    """Names of records/SCHEMA.md's `layout` to values."""
    at = addresses(machine.config.rules)
    rows = {
        "page_offset": at.page_offset,
        "dram_base": phys_offset,
        "memstart_addr": phys_offset,
        "high_memory": bounds.high_memory,
        "lowmem_end_pa": bounds.high_memory - at.page_offset + phys_offset,
        "vmemmap_start": at.vmemmap,
    }
    if machine.image and machine.image.text_va:
        rows["kimage_voffset"] = machine.image.text_va - machine.image.start
    return rows


def space(
    machine: Machine,
    phys_offset: int,
    image: Image,
    ram: Sequence[tuple[int, int]],
    bases: Mapping[str, int],
) -> Space:
    """The areas and tests of the machine's kernel, init memory freed.

    `bases` may hold memstart_addr and image_va (of _stext).
    """
    at = addresses(machine.config.rules)
    text = bases.get("image_va") or image.text_va or at.modules_end + 64 * 1024
    placed = (text, text + image.end - image.start, image.start)
    return space_of(
        *(at, ram, bases.get("memstart_addr", phys_offset), placed),
        freed=(image.init_start - image.start, image.init_end - image.start) if image.init_end else (0, 0),
        slots=machine.config.fixmap_slots or FIXMAP_SLOTS,
        struct_page_bytes=machine.config.struct_page_bytes or 64,
        source=f"Linux {machine.config.rules}, arch/arm64/include/asm/memory.h",
    )


def space_of(
    at: Addresses,
    ram: Sequence[tuple[int, int]],
    memstart: int,
    image: tuple[int, int, int],
    *,
    freed: tuple[int, int] = (0, 0),
    slots: int = FIXMAP_SLOTS,
    struct_page_bytes: int = 64,
    source: str = "Linux 6.1, arch/arm64/include/asm/memory.h",
) -> Space:
    """Areas and tests; `image` is (va of _stext, va of _end, physical address of _stext), `memstart` may wrap.

    `freed` are the bytes of the image, counted from _stext, that free_initmem takes out of the tables after boot.
    """
    text, text_end, text_pa = image
    image_end = align_up(text_end, PAGE_SIZE)
    end = max((high - memstart) % TOP for _, high in ram) + at.page_offset
    voffset = (text - text_pa) % TOP
    parts = (text, text + freed[0]), (text + freed[1], text_end)
    areas = [
        direct_map(at.page_offset, end, memstart, ram, "all RAM at a constant offset"),
        Area("modules", at.modules, at.modules_end, "code and data of loadable modules"),
        Area("vmalloc below the image", at.modules_end, text, "the part of vmalloc space below the kernel image"),
        Area(
            *(IMAGE, text, image_end, "the kernel's code and data, in the middle of vmalloc space"),
            *(voffset, tuple(part for part in parts if part[0] < part[1])),
        ),
        Area("vmalloc", image_end, at.vmalloc_end, "vmalloc, ioremap, kernel stacks: through page tables"),
        Area("fixmap", at.fixaddr_top - slots * PAGE_SIZE, at.fixaddr_top, "addresses fixed at compile time"),
        Area("PCI I/O", at.pci_io, at.pci_io_end, "I/O ports of PCI devices"),
        Area("vmemmap", at.vmemmap, at.vmemmap_end, "the array of struct page, with holes"),
    ]
    signed = memstart - TOP if memstart >> 63 else memstart
    rules = PointerRules(
        pa=(PaRule(at.page_offset, at.page_end, at.page_offset - memstart), PaRule(0, TOP, voffset)),
        valid=((at.page_offset, at.page_end),),
        vmalloc=(at.modules_end, at.vmalloc_end),
        modules=(at.modules, at.modules_end),
        frames=pfns(((low >> 27 << 27, -(-high >> 27) << 27) for low, high in ram)),  # whole sections
        memory=pfns(ram),
        source=source,
        asks="pfn_is_map_memory",
        vmemmap=(at.vmemmap - (signed >> PAGE_SHIFT) * struct_page_bytes) % TOP,
        page_by_va=(at.page_offset, at.vmemmap),
        struct_page_bytes=struct_page_bytes,
    )
    half = min(at.page_offset, at.modules)
    others = (
        user(TOP - half),
        hole("non-canonical", TOP - half, half, "in neither half: neither TTBR0 nor TTBR1 translates it"),
    )
    kept = tuple(sorted((area for area in areas if area.start < area.end), key=lambda area: area.start))
    return Space(64, kept, rules, others, at.page_offset, memstart)


__all__ = ["DIRECT_MAP", "PAGE_OFFSET", "addresses", "constants", "space", "space_of"]
