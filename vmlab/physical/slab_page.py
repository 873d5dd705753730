"""What SLUB works with: slabs, the free list through their objects, the frames they come from, and what is refused.

Each free object keeps a pointer to the next one in a word of its own. `words` holds these words as memory would:
hardened as CONFIG_SLAB_FREELIST_HARDENED does it (Linux 6.1, mm/slub.c: freelist_ptr, get_freepointer,
check_valid_pointer; allocate_slab).

Left out: every other byte of the objects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..units import PAGE_SHIFT, VmlabError, group_hex
from . import gfp as flags
from .slab_size import SlabFlag, get_order
from .zonelist import NoPage, Page

if TYPE_CHECKING:
    from .slab import KmemCache


PASSED_ON = flags.mask(  # of a request's flags: GFP_RECLAIM_MASK | GFP_CONSTRAINT_MASK, mm/internal.h
    "__GFP_RECLAIM | __GFP_HIGH | __GFP_IO | __GFP_FS | __GFP_NOWARN | __GFP_RETRY_MAYFAIL | __GFP_NOFAIL | "
    "__GFP_NORETRY | __GFP_MEMALLOC | __GFP_NOMEMALLOC | __GFP_ATOMIC | __GFP_HARDWALL | __GFP_THISNODE"
)
OF_THE_CACHE = {  # allocflags, from what the cache was created with
    SlabFlag.CACHE_DMA: "__GFP_DMA",
    SlabFlag.CACHE_DMA32: "__GFP_DMA32",
    SlabFlag.RECLAIM_ACCOUNT: "__GFP_RECLAIMABLE",
}


class BadObject(VmlabError):
    """A pointer given back that is no object of the cache."""


class WrongCache(BadObject):
    """An object given to a cache that it does not belong to."""


class DoubleFree(BadObject):
    """An object given back that is free already."""


class CorruptFreelist(VmlabError):
    """A free object's word was overwritten: it no longer leads to an object of its slab."""


class ObjectsRemain(VmlabError):
    """A cache that was to be destroyed still has objects in use."""


@dataclass(slots=True)
class Frames:
    """Where slabs come from and go to, and which frame belongs to which slab or large allocation."""

    alloc: Callable[[int, str | int], Page | NoPage]  # (order, gfp)
    free: Callable[[Page], None]
    offset: int = 0  # of the direct map: a physical address plus this is the virtual one
    nodes: tuple[int, ...] = (0,)  # the CPUs' own node first, then by distance
    owner: dict[int, Slab | Page] = field(default_factory=dict)  # by frame number

    def for_slab(self, order: int, size: int, family: SlabFlag, gfp: str | int) -> Page | NoPage:
        """allocate_slab: 2**order frames if they can be had without reclaim, else as few as hold `size` bytes.

        The zone and the migratetype are the cache's, whatever the request says.
        """
        bits = flags.mask(gfp) & PASSED_ON
        for flag, word in OF_THE_CACHE.items():
            bits |= flags.mask(word) if flag in family else 0
        least = get_order(size)
        if least < order:
            first = bits & ~flags.mask("__GFP_NOFAIL")
            if flags.has(bits, "__GFP_DIRECT_RECLAIM"):
                first = first & ~flags.mask("__GFP_RECLAIM") | flags.mask("__GFP_NOMEMALLOC")
            if page := self.alloc(order, first):
                return page
        return self.alloc(least, bits)

    def va(self, pfn: int) -> int:
        """Address of a frame in the direct map."""
        return (pfn << PAGE_SHIFT) + self.offset

    def pfn(self, va: int) -> int:
        """The frame that an address would be in, if it is in the direct map."""
        return (va - self.offset) >> PAGE_SHIFT


@dataclass(slots=True, eq=False)
class Slab:
    """2**order frames cut into objects (struct slab). `inuse` counts what the slab's own list does not have."""

    cache: KmemCache
    page: Page
    va: int
    objects: int
    freelist: int = 0  # first free object, 0 for none
    inuse: int = 0
    frozen: bool = False  # belongs to a CPU: on no list of the node
    used: set[int] = field(default_factory=set)  # objects that an owner has; the kernel does not keep this
    words: dict[int, int] = field(default_factory=dict)  # address -> the word that a free object keeps there

    def __repr__(self) -> str:
        return f"<Slab of {self.cache.name} at {group_hex(self.va)}: {len(self.used)} of {self.objects} objects used>"

    @property
    def free_objects(self) -> int:
        """Objects on the slab's own list, as /proc/slabinfo counts them."""
        return self.objects - self.inuse

    def object_at(self, va: int) -> int | None:
        """Number of the object that starts at `va`, or None (check_valid_pointer)."""
        number, rest = divmod(va - self.va - self.cache.sizes.red_left_pad, self.cache.sizes.size)
        return number if not rest and 0 <= number < self.objects else None

    def around(self, va: int) -> str:
        """What an address in the slab that is no object's start lies in."""
        start = va - (va - self.va - self.cache.sizes.red_left_pad) % self.cache.sizes.size
        if self.object_at(start) is None:
            return "the slab's end is too small for one more object"
        return f"the one around it starts at {group_hex(start)}"

    def free_pointer(self, va: int) -> int:
        """The free object after the free object at `va`, 0 at the end (get_freepointer)."""
        at = va + self.cache.sizes.offset
        following = self.cache.coded(self.words[at], at)
        if following and self.object_at(following) is None:
            raise CorruptFreelist(
                f"{self.cache.name}: the free object at {group_hex(va)} leads to {group_hex(following)}, no object of "
                f"its slab at {group_hex(self.va)}: something wrote to the word at {group_hex(at)} after the free"
            )
        return following

    def set_free_pointer(self, va: int, following: int) -> None:
        """Make `following` the free object after the one at `va` (set_freepointer)."""
        at = va + self.cache.sizes.offset
        self.words[at] = self.cache.coded(following, at)

    def free_list(self, first: int) -> list[int]:
        """The free objects from `first` on, in order."""
        found = []
        while first:
            found.append(first)
            first = self.free_pointer(first)
        return found

    def hand_out(self, va: int) -> None:
        """The object at `va` gets an owner: its word is the owner's now."""
        del self.words[va + self.cache.sizes.offset]
        self.used.add(va)


@dataclass(slots=True)
class CpuSlab:
    """What one CPU has of a cache (struct kmem_cache_cpu)."""

    slab: Slab | None = None
    freelist: int = 0  # first free object, 0 for none: the slab's list, taken over as a whole
    partial: list[Slab] = field(default_factory=list)  # the last one is used next
