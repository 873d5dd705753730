"""Every kmem_cache of a kernel, kmalloc on top of them, and which caches are merged into one.

Rules of Linux 6.1: mm/slab_common.c (find_mergeable, slab_unmergeable, create_boot_cache, create_kmalloc_caches,
kmem_cache_create_usercopy, kmem_cache_destroy, kfree) and mm/slub.c (__kmem_cache_alias).

Of the hundred-odd caches of a running kernel, a model has the kmalloc caches and those whose objects' sizes its
machine's description gives. Left out: cgroup accounting, kmalloc on a given node, krealloc.
"""

from __future__ import annotations

from ..units import PAGE_SIZE, VmlabError, group_hex
from . import gfp as flags
from . import kmalloc, slab_size
from .slab import KmemCache
from .slab_page import BadObject, DoubleFree, Frames, ObjectsRemain, Slab
from .slab_size import CpuRules, SlabFlag
from .zonelist import NoPage, Page

NEVER_MERGE = SlabFlag.RED_ZONE | SlabFlag.POISON | SlabFlag.TYPESAFE_BY_RCU | SlabFlag.NOLEAKTRACE
MERGE_SAME = SlabFlag.RECLAIM_ACCOUNT | SlabFlag.CACHE_DMA | SlabFlag.CACHE_DMA32 | SlabFlag.ACCOUNT
NULL = 0


class SlabAllocator:
    """The caches, oldest first, and kmalloc. `seed` decides all that the kernel would draw at random."""

    def __init__(
        self,
        rules: CpuRules,
        frames: Frames,
        *,
        zone_dma: bool = True,
        max_order: int = 11,
        merge: bool = True,
        seed: int = 0,
    ) -> None:
        self.rules, self.frames, self.zone_dma, self.max_order = rules, frames, zone_dma, max_order
        self.merge, self.seed = merge, seed  # merge=False is the kernel parameter slab_nomerge
        self.caches: list[KmemCache] = []
        self.by_name: dict[str, KmemCache] = {}
        self._boot_cache("kmem_cache_node", 8 * rules.word, SlabFlag.HWCACHE_ALIGN)
        for name, size, family in kmalloc.cache_names(rules.kmalloc_minalign, zone_dma):
            self._boot_cache(name, size, family, usersize=size)

    def __repr__(self) -> str:
        return f"<SlabAllocator: {len(self.caches)} caches>"

    def __getitem__(self, name: str) -> KmemCache:
        """The cache called `name`, or the one that it was merged into."""
        if name not in self.by_name:
            raise VmlabError(f"slab cache: expected one of {', '.join(self.by_name)}, got {name!r}")
        return self.by_name[name]

    def _boot_cache(self, name: str, size: int, family: SlabFlag, usersize: int = 0) -> None:
        """create_boot_cache: sizes that are powers of two are aligned to themselves, and never merged."""
        align = max(self.rules.kmalloc_minalign, size if size & (size - 1) == 0 else 0)
        self._add(name, size, align, family, False, usersize).mergeable = False

    def _add(self, name: str, size: int, align: int, family: SlabFlag, ctor: bool, usersize: int) -> KmemCache:
        align = slab_size.calculate_alignment(family, align, size, self.rules)
        sizes = slab_size.calculate_sizes(size, align, family, ctor=ctor, word=self.rules.word)
        cache = KmemCache(name, sizes, family, self.rules, self.frames, ctor=ctor, usersize=usersize, seed=self.seed)
        self.caches.append(cache)
        self.by_name[name] = cache
        return cache

    def create(
        self,
        name: str,
        size: int,
        align: int = 0,
        family: SlabFlag = SlabFlag.NONE,
        *,
        ctor: bool = False,
        usersize: int = 0,
    ) -> KmemCache:
        """kmem_cache_create: a new cache, or an older one that serves as well and now has one more name."""
        most = PAGE_SIZE << (self.max_order - 1)
        if not 0 < size <= most:
            raise VmlabError(f"kmem_cache_create({name}): expected a size of 1 to {most} bytes, got {size}")
        if name in self.by_name:
            raise VmlabError(f"kmem_cache_create({name}): there is a cache of that name")
        slab_size.check_align(align)
        older = None if usersize else self.find_mergeable(size, align, family, ctor=ctor)
        if older is None:
            return self._add(name, size, align, family, ctor, usersize)
        older.aliases.append(name)
        older.object_size = max(older.object_size, size)
        self.by_name[name] = older
        return older

    def find_mergeable(self, size: int, align: int, family: SlabFlag, *, ctor: bool = False) -> KmemCache | None:
        """The oldest cache that would waste less than a word, with the same accounting and a fitting alignment."""
        if not self.merge or ctor or family & NEVER_MERGE:
            return None
        word = self.rules.word
        size = -(-size // word) * word
        align = slab_size.calculate_alignment(family, align, size, self.rules)
        size = -(-size // align) * align
        for cache in self.caches:
            theirs = cache.sizes.size
            if self._unmergeable(cache) or (family ^ cache.flags) & MERGE_SAME:
                continue
            if size <= theirs < size + word and theirs % align == 0:
                return cache
        return None

    def _unmergeable(self, cache: KmemCache) -> bool:
        return bool(not cache.mergeable or cache.flags & NEVER_MERGE or cache.ctor or cache.usersize)

    def destroy(self, name: str) -> None:
        """kmem_cache_destroy: one name less; the last one gives all slabs back, unless objects are in use."""
        cache = self[name]
        if not cache.mergeable:
            raise VmlabError(f"kmem_cache_destroy({name}): the kernel itself needs this cache")
        names = [cache.name, *cache.aliases]
        if len(names) == 1:
            if cache.active_objects:
                raise ObjectsRemain(f"kmem_cache_destroy({name}): {cache.active_objects} objects are in use: free them")
            cache.shrink()
            self.caches.remove(cache)
        names.remove(name)
        del self.by_name[name]
        if names:
            cache.name, cache.aliases = names[0], names[1:]

    def kmalloc(self, size: int, gfp: str | int = "GFP_KERNEL", cpu: int = 0) -> int | NoPage:
        """`size` contiguous bytes of lowmem: their address, or NoPage, which is false.

        Zero bytes are ZERO_SIZE_PTR. More than two pages come straight from the page allocator.
        """
        if size < 0:
            raise VmlabError(f"kmalloc({size}): expected a size of 0 or more bytes")
        if size == 0:
            return kmalloc.ZERO_SIZE_PTR
        bits = self._lowmem(gfp)
        if size > kmalloc.KMALLOC_MAX_CACHE_SIZE:
            return self._large(kmalloc.large_order(size, self.max_order), bits)
        kind = kmalloc.kmalloc_type(bits, self.zone_dma)
        found = kmalloc.size_of(size, self.rules.kmalloc_minalign)
        return self[kmalloc.PREFIX[kind] + kmalloc.short(found)].alloc(bits, cpu)

    def _lowmem(self, gfp: str | int) -> int:
        bits = flags.mask(gfp)
        if bits & flags.mask("__GFP_HIGHMEM | __GFP_DMA32"):
            raise VmlabError(
                f"kmalloc: {gfp}: its memory has an address of its own, so it comes from the direct map: leave out "
                "__GFP_HIGHMEM and __GFP_DMA32 (the kernel warns, and ignores them), or use alloc_pages or vmalloc"
            )
        return bits

    def _large(self, order: int, gfp: int) -> int | NoPage:
        page = self.frames.alloc(order, gfp | flags.mask("__GFP_COMP"))
        if not isinstance(page, Page):
            return page
        self.frames.owner.update(dict.fromkeys(range(page.pfn, page.pfn + (1 << order)), page))
        return self.frames.va(page.pfn)

    def kfree(self, va: int, cpu: int = 0) -> None:
        """Take back what kmalloc, or any cache, handed out; NULL and ZERO_SIZE_PTR are nothing to free."""
        if va in (NULL, kmalloc.ZERO_SIZE_PTR):
            return
        owner = self._owner(va)
        if isinstance(owner, Slab):
            owner.cache.free(va, cpu)
            return
        start = self.frames.va(owner.pfn)
        if va != start:
            raise BadObject(f"kfree({group_hex(va)}): it points into the allocation that starts at {group_hex(start)}")
        for pfn in range(owner.pfn, owner.pfn + (1 << owner.order)):
            del self.frames.owner[pfn]
        self.frames.free(owner)

    def ksize(self, va: int) -> int:
        """Bytes that may really be used of the allocation at `va`: its cache's size, or its pages."""
        owner = self._owner(va)
        if not isinstance(owner, Slab):
            return PAGE_SIZE << owner.order
        owner.cache.slab_of(va)
        return owner.cache.object_size

    def _owner(self, va: int) -> Slab | Page:
        owner = self.frames.owner.get(self.frames.pfn(va))
        if owner is None:
            raise DoubleFree(f"kfree({group_hex(va)}): nothing is allocated there: freed before, or never kmalloc'ed")
        return owner
