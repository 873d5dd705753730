"""Slabs go back: from a CPU that shall hold none to their nodes, and empty ones to the page allocator.

Linux 6.1, mm/slub.c: flush_slab, deactivate_slab, unfreeze_partials, __kmem_cache_do_shrink.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .slab_page import CpuSlab, Slab

if TYPE_CHECKING:
    from .slab import KmemCache

SHRINK_PROMOTE_MAX = 32  # free objects; fuller slabs are sorted to the front of the list


def flush(cache: KmemCache, own: CpuSlab) -> None:
    """Take a CPU's slab and its partial slabs away from it."""
    slab, own.slab, mine, own.freelist = own.slab, None, own.freelist, 0
    if slab is not None:
        _deactivate(cache, slab, mine)
    cache.unfreeze_partials(own)


def _deactivate(cache: KmemCache, slab: Slab, mine: int) -> None:
    """deactivate_slab: the CPU's free objects go in front of those that others freed meanwhile."""
    freed_by_others = bool(slab.freelist)
    if mine:
        taken = slab.free_list(mine)
        slab.set_free_pointer(taken[-1], slab.freelist)
        slab.freelist = mine
        slab.inuse -= len(taken)
    slab.frozen = False
    if slab.freelist and not cache.keep(slab, at_tail=freed_by_others):
        cache.discard(slab)


def sort_partial(cache: KmemCache) -> None:
    """__kmem_cache_do_shrink: empty slabs go, of every node's others the fullest come first."""
    for partial in cache.partial.values():
        slabs = list(partial.values())
        partial.clear()
        used = [slab for slab in slabs if slab.inuse]
        few = [slab for slab in reversed(used) if slab.free_objects <= SHRINK_PROMOTE_MAX]
        many = [slab for slab in used if slab.free_objects > SHRINK_PROMOTE_MAX]
        partial |= {slab.va: slab for slab in [*sorted(few, key=lambda slab: slab.free_objects), *many]}
        for slab in reversed(slabs):
            if not slab.inuse:
                cache.discard(slab)
