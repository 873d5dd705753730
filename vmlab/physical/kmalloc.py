"""kmalloc's caches: which sizes there are, which one serves a request, and how they are called.

Rules of Linux 6.1: include/linux/slab.h (kmalloc_type, KMALLOC_SHIFT_*), mm/slab_common.c (kmalloc_slab,
setup_kmalloc_cache_index_table, create_kmalloc_caches). Sizes are bytes. The smallest size is the
architecture's ARCH_KMALLOC_MINALIGN, because drivers do DMA into kmalloc'ed memory.

Left out: SLOB and SLAB, kernels without CONFIG_MEMCG_KMEM (they have no kmalloc-cg-*), and the random copies
of 6.6 (CONFIG_RANDOM_KMALLOC_CACHES).
"""

from __future__ import annotations

from collections.abc import Iterator

from ..units import PAGE_SHIFT, VmlabError
from . import gfp as flags
from .slab_size import SlabFlag, get_order

KMALLOC_MAX_CACHE_SIZE = 1 << (PAGE_SHIFT + 1)  # larger requests go to the page allocator
ZERO_SIZE_PTR = 16  # what kmalloc(0) returns: it can be freed, and nothing can be read there

PREFIX = {"normal": "kmalloc-", "cgroup": "kmalloc-cg-", "reclaim": "kmalloc-rcl-", "dma": "dma-kmalloc-"}
TYPE_FLAGS = {
    "normal": SlabFlag.NONE,
    "cgroup": SlabFlag.ACCOUNT,
    "reclaim": SlabFlag.RECLAIM_ACCOUNT,
    "dma": SlabFlag.CACHE_DMA,
}


def sizes(minalign: int) -> tuple[int, ...]:
    """The sizes of the caches, in the order in which they are created.

    >>> sizes(64)
    (64, 128, 192, 256, 512, 1024, 2048, 4096, 8192)
    """
    found = []
    size = minalign
    while size <= KMALLOC_MAX_CACHE_SIZE:
        found.append(size)
        if size == 64 and minalign <= 32:
            found.append(96)
        if size == 128 and minalign <= 64:
            found.append(192)
        size *= 2
    return tuple(found)


def size_of(size: int, minalign: int) -> int:
    """The size of the cache that serves a request for `size` bytes (kmalloc_slab)."""
    if not 0 < size <= KMALLOC_MAX_CACHE_SIZE:
        raise VmlabError(f"kmalloc: no cache holds {size} bytes: expected 1 to {KMALLOC_MAX_CACHE_SIZE}")
    return min(found for found in sizes(minalign) if found >= size)


def short(size: int) -> str:
    """A size as the caches' names have it: 96, 1k."""
    return str(size) if size < 1024 else f"{size >> 10}k"


def kmalloc_type(gfp: int, zone_dma: bool) -> str:
    """Which family of caches serves a request: DMA before reclaimable before accounted."""
    if zone_dma and flags.has(gfp, "__GFP_DMA"):
        return "dma"
    if flags.has(gfp, "__GFP_RECLAIMABLE"):
        return "reclaim"
    return "cgroup" if flags.has(gfp, "__GFP_ACCOUNT") else "normal"


def cache_names(minalign: int, zone_dma: bool) -> Iterator[tuple[str, int, SlabFlag]]:
    """(name, size, flags) of every kmalloc cache, in the order in which they are created."""
    for kind, prefix in PREFIX.items():
        if kind != "dma" or zone_dma:
            for size in sizes(minalign):
                yield prefix + short(size), size, TYPE_FLAGS[kind]


def large_order(size: int, max_order: int) -> int:
    """The order of the pages that serve a request above KMALLOC_MAX_CACHE_SIZE (kmalloc_large)."""
    order = get_order(size)
    if order >= max_order:
        most = 1 << (PAGE_SHIFT + max_order - 1)
        raise VmlabError(f"kmalloc({size}): at most {most} bytes (KMALLOC_MAX_SIZE) are contiguous: use vmalloc")
    return order
