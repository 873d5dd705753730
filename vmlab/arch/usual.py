"""Boot calls that several architectures make alike, for the usual sequences of machines described by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..parts import BootCall
from ..units import PAGE_SIZE, GiB, KiB, MiB, memparse
from . import get

if TYPE_CHECKING:
    from ..machine import Machine

DMA32_LIMIT = 0xFFFF_FFFF
HUGE_PAGE = "__alloc_bootmem_huge_page"
SWIOTLB_BYTES = 64 * MiB  # the default; swiotlb= is left out


def cma_attempt(size: int, align: int, min_addr: int, max_addr: int) -> BootCall:
    """One attempt to place the default contiguous memory area."""
    return BootCall(
        "alloc", "cma_declare_contiguous_nid", size=size, align=align, min_addr=min_addr, max_addr=max_addr, phys=True
    )


def swiotlb(machine: Machine, slots_bytes: int) -> list[BootCall]:
    """Bounce buffers below 4 GiB, where there is RAM above it (kernel/dma/swiotlb.c:swiotlb_init_remap)."""
    if max(region.end for region in machine.ram) <= 4 * GiB:
        return []
    return [
        BootCall("alloc", "swiotlb_init_remap", size=SWIOTLB_BYTES, align=PAGE_SIZE, max_addr=DMA32_LIMIT),
        BootCall("alloc", "swiotlb_init_remap", size=slots_bytes, align=PAGE_SIZE),
    ]


def node_data(machine: Machine, pglist_data_bytes: int) -> list[BootCall]:
    """struct pglist_data of every node, near its memory."""
    rows = get(machine.arch)
    nodes = sorted({rows.node_of(machine, region) for region in machine.ram})
    return [BootCall("alloc", "alloc_node_data", size=pglist_data_bytes, align=64, nid=nid, phys=True) for nid in nodes]


def log_buffers(machine: Machine, descriptor_bytes: int, align: int) -> list[BootCall]:
    """kernel/printk/printk.c:setup_log_buf: text, descriptors and infos, one record for every 32 bytes of text."""
    log_bytes = machine.size_parameter("log_buf_len")
    if not log_bytes:
        return []
    records = log_bytes // 32
    sizes = (log_bytes, records * descriptor_bytes, records * 88)
    return [BootCall("alloc", "setup_log_buf", size=size, align=align) for size in sizes]


def gigantic_pages(machine: Machine) -> list[BootCall]:
    """Huge pages of sizes that the page allocator never has, taken while the words are read, from node after node.

    mm/hugetlb.c (hugepagesz_setup, hugepages_setup, default_hugepagesz_setup): a size that the architecture does not
    have is ignored, and so is the number that belongs to it.
    """
    rows = get(machine.arch)
    size = usual = 0
    calls: list[BootCall] = []
    nodes = sorted({rows.node_of(machine, region) for region in machine.ram})
    for name, _, value in (word.partition("=") for word in machine.cmdline.split()):
        if name in ("hugepagesz", "default_hugepagesz"):
            size = memparse(value)
            usual = size if name == "default_hugepagesz" else usual
        elif name == "hugepages" and value.isdecimal() and (size or usual) in rows.gigantic_bytes:
            count = size or usual
            most = min(int(value), machine.ram_bytes // count)  # more there cannot be
            turns = (nodes[number % len(nodes)] for number in range(most))
            calls += [BootCall("alloc", HUGE_PAGE, size=count, align=count, nid=nid) for nid in turns]
    return calls


def hash_tables(*kib: int) -> list[BootCall]:
    """The dentry and inode hash tables, sizes in KiB."""
    return [BootCall("alloc", "alloc_large_system_hash", size=size * KiB, align=64) for size in kib]
