"""The random bases of x86-64, from given random words (Linux 6.1).

arch/x86/mm/kaslr.c:kernel_randomize_memory moves the direct map, vmalloc and vmemmap; the decompressor
(boot/compressed/kaslr.c:find_random_virt_addr) moves the image. The kernel draws the words from RDRAND, the time
stamp counter and a pseudo-random generator; here they are given. Left out: where in RAM the image is put.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...units import GiB, MiB, TiB, VmlabError, align_up
from .layout64 import CPU_ENTRY_AREA, START_KERNEL_MAP, image_bytes, rows

if TYPE_CHECKING:
    from ...machine import Machine
    from ...parts import Image

REGIONS = ("page_offset", "vmalloc_base", "vmemmap_base")  # kaslr_regions, in order
PADDING_TB = 10  # CONFIG_RANDOMIZE_MEMORY_PHYSICAL_PADDING where memory can be plugged in
LOAD_PHYSICAL_ADDR, PHYSICAL_ALIGN = 16 * MiB, 2 * MiB


def region_bytes(machine: Machine, max_pfn: int) -> tuple[int, int, int]:
    """get_padding of each region: the direct map shrinks to RAM and 10 TiB unless ZONE_DEVICE wants it whole."""
    at = rows(machine)
    direct = at["direct_map_bytes"] // TiB if at["phys_bits"] == 46 else 1 << (at["phys_bits"] - 40)
    if not machine.config.zone_device:
        direct = min(direct, -(-(max_pfn << 12) // TiB) + PADDING_TB)
    vmemmap = -(-(direct << 28) * (machine.config.struct_page_bytes or 64) // TiB)
    return direct * TiB, at["vmalloc_bytes"], vmemmap * TiB


def randomized(machine: Machine, max_pfn: int, draws: Sequence[int]) -> dict[str, int]:
    """Bases for the three regions, each from one word of 64 bits."""
    if len(draws) < len(REGIONS):
        raise VmlabError(f"draws: expected {len(REGIONS)} random words, one for each region, got {len(draws)}")
    vaddr, sizes, bases = rows(machine)["page_offset"], region_bytes(machine, max_pfn), {}
    remain = CPU_ENTRY_AREA - vaddr - sum(sizes)
    for left, name, size, word in zip((3, 2, 1), REGIONS, sizes, draws, strict=False):
        entropy = word % (remain // left + 1) // GiB * GiB
        bases[name] = vaddr + entropy
        vaddr = align_up(vaddr + entropy + size + 1, GiB)
        remain -= entropy
    return bases


def words_for(machine: Machine, max_pfn: int, bases: Mapping[str, int]) -> list[int]:
    """Random words that lead to given bases, where the rule can reach them: the way back."""
    vaddr, words = rows(machine)["page_offset"], []
    for name, size in zip(REGIONS, region_bytes(machine, max_pfn), strict=True):
        words.append((bases[name] - vaddr) % (1 << 64))
        vaddr = align_up(bases[name] + size + 1, GiB)
    return words


def image_va(machine: Machine, image: Image, word: int) -> int:
    """Virtual address of _text: one of the slots of 2 MiB of the image's window."""
    slots = 1 + (image_bytes(machine) - LOAD_PHYSICAL_ADDR - (image.end - image.start)) // PHYSICAL_ALIGN
    return START_KERNEL_MAP + LOAD_PHYSICAL_ADDR + word % slots * PHYSICAL_ALIGN
