"""The boot allocations of an x86 kernel (Debian 6.1), for machines described by hand.

Callers, sizes and order are those of the recorded `i386-pc-*` and `amd64-pc-*` machines; what grows with
RAM is computed. Recorded machines replay their own log instead. Left out: ACPI tables, crash kernels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...parts import BootCall, Image
from ...units import PAGE_SIZE, KiB, MiB

if TYPE_CHECKING:
    from ...machine import Machine


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
    log_bytes = machine.size_parameter("log_buf_len")
    if log_bytes:
        records = log_bytes // 32
        sizes = (log_bytes, records * descriptor_bytes, records * 88)
        rows += [BootCall("alloc", "setup_log_buf", size=n, align=8) for n in sizes]
    if image.initrd_end and moves_initrd:
        size = image.initrd_end - image.initrd_start
        rows.append(BootCall("alloc", "relocate_initrd", size=size, align=PAGE_SIZE))
    rows += [
        BootCall("alloc", role="mem_map"),
        BootCall("alloc", "e820__reserve_resources", size=224, align=64),
        BootCall("alloc", "pcpu_embed_first_chunk", size=33 * PAGE_SIZE, align=PAGE_SIZE, min_addr=16 * MiB),
    ]
    rows += [BootCall("alloc", "alloc_large_system_hash", size=n * KiB, align=64) for n in (512, 256)]
    return tuple(rows)
