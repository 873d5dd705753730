"""The boot allocations of an ARM kernel (Debian 6.1 armmp), for machines described by hand.

Callers, sizes and order are those of the recorded `arm-virt-armmp-*` machines; what grows with RAM is
computed. Recorded machines replay their own log instead. Left out: device trees with reserved memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...parts import BootCall, Image
from ...units import PAGE_SIZE, KiB
from .. import usual

if TYPE_CHECKING:
    from ...machine import Machine


def _page(caller: str, pages: int = 1) -> BootCall:
    return BootCall("alloc", caller, size=pages * PAGE_SIZE, align=pages * PAGE_SIZE)


def calls(machine: Machine, image: Image) -> tuple[BootCall, ...]:
    """The sequence: image and initrd, CMA, paging_init, mem_map, device tree, per-CPU memory, log, hashes."""
    start = machine.ram[0].start
    rows = [
        BootCall("reserve", "arm_memblock_init", start=image.start, end=image.end),
        BootCall("reserve", "arm_mm_memblock_reserve", start=start + 0x20_4000, end=start + 0x20_8000),
    ]
    if image.initrd_end:
        rows.append(BootCall("reserve", "reserve_initrd_mem", start=image.initrd_start, end=image.initrd_end))
    rows += [
        BootCall("alloc", role="cma"),
        _page("early_alloc", 2),
        _page("early_alloc"),
        BootCall("alloc", "vm_reserve_area_early", size=40, align=4),
        _page("early_alloc"),
        _page("early_alloc"),
        _page("early_alloc"),
        BootCall("alloc", role="mem_map"),
        BootCall("alloc", "setup_arch", size=32, align=64),
        BootCall("alloc", "early_init_dt_alloc_memory_arch", size=0x5110, align=4),
        BootCall("alloc", "pcpu_embed_first_chunk", size=18 * PAGE_SIZE, align=PAGE_SIZE),
    ]
    rows += usual.log_buffers(machine, descriptor_bytes=12, align=4)
    return tuple(rows + usual.swiotlb(machine, 512 * KiB) + usual.hash_tables(512, 256))
