"""The boot allocations of an ARM kernel (Debian 6.1 armmp), for machines described by hand.

Callers, sizes and order are those of the recorded `arm-virt-armmp-*` machines; what grows with RAM is
computed. Recorded machines replay their own log instead. Left out: device trees with reserved memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...parts import BootCall, Image
from ...units import PAGE_SIZE, KiB

if TYPE_CHECKING:
    from ...machine import Machine


def cma(size: int, align: int, min_addr: int, max_addr: int) -> BootCall:
    """One attempt to place the default contiguous memory area."""
    return BootCall(
        "alloc",
        "cma_declare_contiguous_nid",
        size=size,
        align=align,
        min_addr=min_addr,
        max_addr=max_addr,
        phys=True,
    )


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
    log_bytes = machine.size_parameter("log_buf_len")
    if log_bytes:
        rows += [BootCall("alloc", "setup_log_buf", size=n, align=4) for n in _log_buffers(log_bytes)]
    rows += [BootCall("alloc", "alloc_large_system_hash", size=n * KiB, align=64) for n in (512, 256)]
    return tuple(rows)


def _log_buffers(log_bytes: int) -> tuple[int, int, int]:
    """kernel/printk/printk.c:setup_log_buf: text, descriptors (24 B) and infos (88 B per record on 64-bit fields)."""
    records = log_bytes // 32
    return log_bytes, records * 12, records * 88
