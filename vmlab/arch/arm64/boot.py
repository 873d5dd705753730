"""The boot allocations of an arm64 kernel (Debian 6.1), for machines described by hand.

The order is that of the recorded `arm64-virt-*` machines. With rodata=full, the default, the kernel maps
the direct map with 4 KiB pages, so it needs one page table for every 2 MiB of RAM before mem_map is placed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...parts import BootCall, Image
from ...units import PAGE_SIZE, GiB, KiB, MiB, align_up
from .. import usual

if TYPE_CHECKING:
    from ...machine import Machine

PGLIST_DATA_BYTES = 0x2C80  # sizeof(pg_data_t) in whole cache lines


def calls(machine: Machine, image: Image) -> tuple[BootCall, ...]:
    """The sequence: image and initrd, the direct map's tables, CMA, mem_map, per-CPU memory, hashes."""
    rows = [BootCall("reserve", "arm64_memblock_init", start=image.start, end=image.end)]
    if image.initrd_end:
        rows.append(BootCall("reserve", "arm64_memblock_init", start=image.initrd_start, end=image.initrd_end))
    # page after page downwards is the same place as one block of as many pages
    tables = _tables(machine) * PAGE_SIZE
    rows.append(BootCall("alloc", "early_pgtable_alloc", size=tables, align=PAGE_SIZE, phys=True))
    rows += usual.node_data(machine, PGLIST_DATA_BYTES)
    rows += [
        BootCall("alloc", role="mem_map"),
        BootCall("alloc", role="cma"),
        BootCall("alloc", "pcpu_fc_alloc", size=31 * PAGE_SIZE, align=PAGE_SIZE),
    ]
    rows += usual.gigantic_pages(machine)
    return tuple(rows + usual.hash_tables(1024) + usual.swiotlb(machine, 768 * KiB))


def _tables(machine: Machine) -> int:
    """Page-table pages for the direct map and the image's own mapping."""
    if machine.parameter("rodata") in ("off", "on"):
        per_bank = [align_up(region.size, GiB) // GiB for region in machine.ram]
    else:
        per_bank = [align_up(region.size, 2 * MiB) // (2 * MiB) + region.size // GiB for region in machine.ram]
    return sum(per_bank) + 8
