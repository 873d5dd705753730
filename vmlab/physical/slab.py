"""One kmem_cache as SLUB keeps it: objects of one size, cut from slabs that the page allocator gives.

A CPU takes objects from its own slab without a lock; when that is used up, from its partial slabs, then from
the node's, then from a new slab. A freed object goes back to its own slab, whoever frees it. Full slabs are on
no list (Linux 6.1, mm/slub.c: ___slab_alloc, get_partial_node, do_slab_free, __slab_free, put_cpu_partial,
__unfreeze_partials, shuffle_freelist). What the kernel draws at random comes from one seed.

Left out: constructors' work, debugging caches (red zones are only laid out), the rule that skips other nodes in
24 of 1024 cases, frees delayed by SLAB_TYPESAFE_BY_RCU, and memory cgroups.
"""

from __future__ import annotations

from collections import OrderedDict
from random import Random

from ..units import VmlabError, group_hex
from . import slab_flush, slab_size
from .slab_page import BadObject, CpuSlab, DoubleFree, Frames, Slab, WrongCache
from .slab_size import CpuRules, SlabFlag
from .zonelist import NoPage, Page


class KmemCache:
    """Objects of one size. `cpu` below is the CPU that the caller runs on."""

    def __init__(
        self,
        name: str,
        sizes: slab_size.Sizes,
        flags: SlabFlag,
        rules: CpuRules,
        frames: Frames,
        *,
        ctor: bool = False,
        usersize: int = 0,
        seed: int = 0,
    ) -> None:
        self.name, self.sizes, self.flags, self.rules, self.frames = name, sizes, flags, rules, frames
        self.ctor, self.usersize = ctor, usersize
        self.object_size = sizes.object_size  # grows when another cache is merged into this one
        self.aliases: list[str] = []
        self.mergeable = True
        self.order = slab_size.calculate_order(sizes.size, rules.order_cpus, rules.version, rules.limits)
        self.objects_per_slab = slab_size.order_objects(self.order, sizes.size)
        self.min_partial = slab_size.min_partial(sizes.size)
        self.cpu_partial_slabs = slab_size.cpu_partial_slabs(sizes.size, self.objects_per_slab)
        self.cpus = [CpuSlab() for _ in range(rules.present_cpus)]
        self.partial: dict[int, OrderedDict[int, Slab]] = {node: OrderedDict() for node in frames.nodes}
        self.slabs: dict[int, Slab] = {}  # by address, every one
        self.seed_text = f"{name} {seed}"
        self._random = Random(self.seed_text)
        self.random = self._random.getrandbits(8 * rules.word)
        self._sequence: list[int] = []  # offsets in the order in which a new slab hands them out

    def __repr__(self) -> str:
        return f"<KmemCache {self.name}: {self.sizes.size} bytes, {self.objects_per_slab} in {1 << self.order} pages>"

    @property
    def active_objects(self) -> int:
        """Objects that an owner has."""
        return sum(len(slab.used) for slab in self.slabs.values())

    def coded(self, pointer: int, at: int) -> int:
        """freelist_ptr: the same operation hides and reveals a pointer that is kept at address `at`."""
        return pointer ^ self.random ^ int.from_bytes(at.to_bytes(self.rules.word, "little"), "big")

    def alloc(self, gfp: str | int = "GFP_KERNEL", cpu: int = 0) -> int | NoPage:
        """Hand out one object: its address, or NoPage, which is false, if no slab could be had."""
        own = self._cpu(cpu)
        if not own.freelist:
            failed = self._load(own, gfp)
            if failed is not None:
                return failed
        assert own.slab is not None
        va = own.freelist
        own.freelist = own.slab.free_pointer(va)
        own.slab.hand_out(va)
        return va

    def _load(self, own: CpuSlab, gfp: str | int) -> NoPage | None:
        """___slab_alloc: give the CPU a slab with free objects, the cheapest that can be had."""
        while own.slab is not None or own.partial:
            if own.slab is None:
                own.slab = own.partial.pop()
            if own.slab.freelist:
                self._take_list(own, own.slab)
                return None
            own.slab.frozen = False  # used up: from now on on no list
            own.slab = None
        slab = self._from_nodes(own) or self._new_slab(gfp)
        if not isinstance(slab, Slab):
            return slab
        self._take_list(own, slab)
        return None

    def _take_list(self, own: CpuSlab, slab: Slab) -> None:
        """get_freelist: all free objects of the slab become the CPU's own."""
        own.slab, own.freelist = slab, slab.freelist
        slab.freelist, slab.inuse, slab.frozen = 0, slab.objects, True

    def _from_nodes(self, own: CpuSlab) -> Slab | None:
        """get_partial: the own node first; another one only if it has more than it wants to keep."""
        for number, node in enumerate(self.frames.nodes):
            if number and len(self.partial[node]) <= self.min_partial:
                continue
            if found := self._from_node(own, self.partial[node]):
                return found
        return None

    def _from_node(self, own: CpuSlab, partial: OrderedDict[int, Slab]) -> Slab | None:
        """get_partial_node: the head of the node's list, and some more for the CPU's partial list."""
        found, more = None, 0
        while partial and more <= self.cpu_partial_slabs // 2:
            _, slab = partial.popitem(last=False)
            slab.frozen = True
            if found is None:
                found = slab
            else:
                own.partial.append(slab)
                more += 1
        return found

    def _new_slab(self, gfp: str | int) -> Slab | NoPage:
        """allocate_slab: frames, and the free list through them."""
        page = self.frames.for_slab(self.order, self.sizes.size, self.flags, gfp)
        if not isinstance(page, Page):
            return page
        slab = Slab(self, page, self.frames.va(page.pfn), slab_size.order_objects(page.order, self.sizes.size))
        self.slabs[slab.va] = slab
        self.frames.owner.update(dict.fromkeys(range(page.pfn, page.pfn + (1 << page.order)), slab))
        following = 0
        for va in reversed(self._shuffled(slab)):
            slab.set_free_pointer(va, following)
            following = va
        slab.freelist = following
        return slab

    def _shuffled(self, slab: Slab) -> list[int]:
        """shuffle_freelist: one random sequence a cache, begun at a random place for each slab."""
        if not self._sequence:
            numbers = list(range(self.objects_per_slab))
            self._random.shuffle(numbers)
            self._sequence = [number * self.sizes.size for number in numbers]
        start = self._random.randrange(len(self._sequence))
        turned = self._sequence[start:] + self._sequence[:start]
        first, end = slab.va + self.sizes.red_left_pad, slab.objects * self.sizes.size
        return [first + offset for offset in turned if offset < end]

    def free(self, va: int, cpu: int = 0) -> None:
        """Take back an object that `alloc` handed out; anything else is refused and named, and changes nothing."""
        own, slab = self._cpu(cpu), self.slab_of(va)
        slab.used.remove(va)
        if slab is own.slab:
            slab.set_free_pointer(va, own.freelist)
            own.freelist = va
        else:
            self._free_slow(own, slab, va)

    def slab_of(self, va: int) -> Slab:
        """The slab of an object in use; refuses every other pointer, and says what it is."""
        what = f"free of {group_hex(va)} to {self.name}"
        slab = self.frames.owner.get(self.frames.pfn(va))
        if not isinstance(slab, Slab):
            raise BadObject(f"{what}: the frame there belongs to no slab; free only what the cache handed out")
        if slab.cache is not self:
            raise WrongCache(f"{what}: it lies in a slab of {slab.cache.name}: give it back to that cache")
        if slab.object_at(va) is None:
            raise BadObject(f"{what}: no object starts there: {slab.around(va)}")
        if va not in slab.used:
            raise DoubleFree(f"{what}: the object is free already")
        return slab

    def _free_slow(self, own: CpuSlab, slab: Slab, va: int) -> None:
        """__slab_free: to the slab's own list; a slab that was full goes to this CPU's partial list."""
        prior = slab.freelist
        slab.set_free_pointer(va, prior)
        slab.freelist = va
        slab.inuse -= 1
        if slab.frozen:
            return
        if not prior:
            slab.frozen = True
            self._put_cpu_partial(own, slab)
        elif not slab.inuse and len(self.partial_of(slab)) >= self.min_partial:
            del self.partial_of(slab)[slab.va]
            self.discard(slab)

    def _put_cpu_partial(self, own: CpuSlab, slab: Slab) -> None:
        """A CPU with its fill of partial slabs gives all of them to their nodes first."""
        if len(own.partial) >= self.cpu_partial_slabs:
            self.unfreeze_partials(own)
        own.partial.append(slab)

    def unfreeze_partials(self, own: CpuSlab) -> None:
        """__unfreeze_partials: what nobody needs goes at the end, the last one first."""
        gone = []
        while own.partial:
            slab = own.partial.pop()
            slab.frozen = False
            if not self.keep(slab):
                gone.append(slab)
        for slab in reversed(gone):
            self.discard(slab)

    def keep(self, slab: Slab, *, at_tail: bool = True) -> bool:
        """Put a slab on its node's list, unless it is empty and the node has min_partial slabs; whether it is there."""
        partial = self.partial_of(slab)
        if not slab.inuse and len(partial) >= self.min_partial:
            return False
        partial[slab.va] = slab
        partial.move_to_end(slab.va, last=at_tail)
        return True

    def partial_of(self, slab: Slab) -> OrderedDict[int, Slab]:
        """The partial list of the slab's node."""
        return self.partial[slab.page.node]

    def discard(self, slab: Slab) -> None:
        """Give an empty slab's frames back."""
        for pfn in range(slab.page.pfn, slab.page.pfn + (1 << slab.page.order)):
            del self.frames.owner[pfn]
        del self.slabs[slab.va]
        self.frames.free(slab.page)

    def flush(self, cpu: int) -> None:
        """Take a CPU's slabs away from it."""
        slab_flush.flush(self, self._cpu(cpu))

    def shrink(self) -> None:
        """Give every empty slab back, as writing to /sys/kernel/slab/NAME/shrink does; fullest slabs come first."""
        for cpu in self.cpus:
            slab_flush.flush(self, cpu)
        slab_flush.sort_partial(self)

    def _cpu(self, cpu: int) -> CpuSlab:
        if not 0 <= cpu < len(self.cpus):
            raise VmlabError(f"cpu: expected 0 to {len(self.cpus) - 1} on this machine, got {cpu}")
        return self.cpus[cpu]
