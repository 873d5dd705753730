"""The boot allocations of an x86 kernel (Debian 6.1), for machines described by hand.

Callers, sizes and order are those of the recorded `i386-pc-*` and `amd64-pc-*` machines; what grows with
RAM is computed. Recorded machines replay their own log instead. Left out: ACPI tables, crash kernels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...parts import BootCall, Image
from ...units import PAGE_SIZE, KiB, MiB, align_up
from .. import usual

if TYPE_CHECKING:
    from ...machine import Machine

PGLIST_DATA_BYTES = 43 * PAGE_SIZE  # amd64: 174208 bytes in whole pages (arch/x86/mm/numa.c:alloc_node_data)


def calls(machine: Machine, image: Image, descriptor_bytes: int, moves_initrd: bool) -> tuple[BootCall, ...]:
    """The sequence: first MiB and image, log buffer, mem_map, per-CPU memory, hashes.

    `descriptor_bytes` is the log's struct prb_desc; an initrd above lowmem is moved (relocate_initrd).
    """
    rows = [
        BootCall("reserve", "early_reserve_memory", start=0, end=MiB),
        BootCall("reserve", "early_reserve_memory", start=image.start, end=image.end),
    ]
    if image.initrd_end:
        rows.append(BootCall("reserve", "early_reserve_initrd", start=image.initrd_start, end=image.initrd_end))
    rows += usual.log_buffers(machine, descriptor_bytes, align=8)
    if image.initrd_end and moves_initrd:
        size = align_up(image.initrd_end - image.initrd_start, PAGE_SIZE)
        rows.append(BootCall("alloc", "relocate_initrd", size=size, align=PAGE_SIZE, role="initrd"))
    rows += usual.node_data(machine, PGLIST_DATA_BYTES) if machine.config.memory_model == "SPARSEMEM_VMEMMAP" else []
    rows += [
        BootCall("alloc", role="mem_map"),
        BootCall("alloc", "e820__reserve_resources", size=224, align=64),
        BootCall("alloc", "pcpu_embed_first_chunk", size=33 * PAGE_SIZE, align=PAGE_SIZE, min_addr=16 * MiB),
    ]
    rows += usual.gigantic_pages(machine)
    return tuple(rows + usual.swiotlb(machine, 768 * KiB) + usual.hash_tables(512, 256))
