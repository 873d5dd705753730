"""The usual Debian 6.1 kernels of x86: what their configuration says of memory."""

from __future__ import annotations

from ...parts import Config
from . import layout64

I386_CONFIG = Config(
    format="x86-32",
    page_offset=0xC000_0000,
    memory_model="FLATMEM",
    struct_page_bytes=40,
    highmem=True,
    zone_dma=True,
    zone_dma32=False,
    zone_device=False,
    max_order=11,
    pageblock_order=10,
    transparent_hugepage=True,
    cma_bytes=0,
    nr_cpus=32,
    fixmap_slots=1537,
    fixmap_permanent_slots=583,
    fix_kmap_begin=68,
    task_struct_bytes=6528,
    mm_struct_bytes=560,
    kaslr=True,
    freed_late=(("SMP alternatives", 8),),
)
AMD64_CONFIG = Config(
    format="x86-64-4",
    page_offset=layout64.PAGE_OFFSET_L4,
    memory_model="SPARSEMEM_VMEMMAP",
    struct_page_bytes=64,
    highmem=False,
    zone_dma=True,
    zone_dma32=True,
    zone_device=True,
    max_order=11,
    pageblock_order=9,
    transparent_hugepage=True,
    cma_bytes=0,
    nr_cpus=8192,
    fixmap_slots=0,
    fix_kmap_begin=0,
    task_struct_bytes=9792,
    mm_struct_bytes=1088,
    kaslr=True,
    freed_late=(("SMP alternatives", 9), ("decrypted memory", 509)),
)
