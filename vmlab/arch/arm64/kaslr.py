"""The random bases of arm64, from one given seed (Linux 6.1).

The boot loader gives a seed of 64 bits. kernel/pi/kaslr_early.c:kaslr_early_init moves the image with it, and what the
image's alignment to 2 MiB cuts off (kernel/head.S) moves the direct map (mm/init.c:arm64_memblock_init).
"""

from __future__ import annotations

from ...units import GiB, MiB, align_down
from .layout import Addresses

MEMSTART_ALIGN = GiB  # ARM64_MEMSTART_ALIGN with pages of 4 KiB
MIN_KIMG_ALIGN = 2 * MiB


def randomized(at: Addresses, va_bits: int, memstart: int, text_va: int, seed: int, pa_bits: int) -> dict[str, int]:
    """memstart_addr and the address of _stext; `memstart` and `text_va` without KASLR, `pa_bits` of the CPU (PARange).

    memstart_addr is a word of 64 bits: with a direct map that begins below RAM it wraps.
    """
    offset = (1 << (va_bits - 3)) + (seed & ((1 << (va_bits - 2)) - 1))
    room = at.page_end - at.page_offset - (1 << pa_bits)
    if room >= MEMSTART_ALIGN:
        memstart -= MEMSTART_ALIGN * ((room // MEMSTART_ALIGN * (offset % MIN_KIMG_ALIGN & 0xFFFF)) >> 16)
    return {"memstart_addr": memstart % (1 << 64), "image_va": text_va + align_down(offset, MIN_KIMG_ALIGN)}


def seed_for(at: Addresses, va_bits: int, plain: tuple[int, int], bases: dict[str, int], pa_bits: int) -> int:
    """A seed that leads to given bases, where the rule can reach them; `plain` are both without KASLR."""
    memstart, text_va = plain
    seed = bases["image_va"] - text_va - (1 << (va_bits - 3))
    room = (at.page_end - at.page_offset - (1 << pa_bits)) // MEMSTART_ALIGN
    steps = (memstart - bases["memstart_addr"]) % (1 << 64) // MEMSTART_ALIGN
    return (seed + (-(-(steps << 16) // room) if room > 0 else 0)) % (1 << 64)
