"""How SLUB lays objects out in a slab: size, alignment, free pointer, order, and the lengths of its lists.

Rules of Linux 6.1: mm/slab_common.c (calculate_alignment), mm/slub.c (calculate_sizes, calculate_order,
set_cpu_partial, kmem_cache_open). Sizes are bytes; an order is log2 of the pages of a slab.

Left out: the records of SLAB_STORE_USER and KASAN's metadata, slub_debug=, and the free pointer of kernels before
5.7, which was the object's first word.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, auto

from .. import versions
from ..units import PAGE_SIZE, VmlabError, align_down, align_up

MAX_OBJECTS = 32767  # MAX_OBJS_PER_PAGE: they are counted in 15 bits
MIN_PARTIAL, MAX_PARTIAL = 5, 10


class SlabFlag(Flag):
    """What a cache was created with (include/linux/slab.h: SLAB_*)."""

    NONE = 0
    HWCACHE_ALIGN = auto()
    TYPESAFE_BY_RCU = auto()
    POISON = auto()
    RED_ZONE = auto()
    RECLAIM_ACCOUNT = auto()
    CACHE_DMA = auto()
    CACHE_DMA32 = auto()
    ACCOUNT = auto()
    NOLEAKTRACE = auto()
    PANIC = auto()


@dataclass(frozen=True, slots=True)
class Sizes:
    """Where things lie in one object's place of `size` bytes."""

    object_size: int  # what the owner asked for
    align: int
    inuse: int  # the object, rounded up to a word
    offset: int  # of the free pointer
    size: int  # distance from one object to the next, "objsize" of /proc/slabinfo
    red_left_pad: int = 0

    @property
    def free_pointer_outside(self) -> bool:
        """Whether the free pointer stands behind the object, so that freeing does not overwrite it."""
        return self.offset >= self.inuse


@dataclass(frozen=True, slots=True)
class OrderLimits:
    """slub_min_order=, slub_max_order= and slub_min_objects= of the command line, or what stands for them.

    The highest order is PAGE_ALLOC_COSTLY_ORDER: above it only a single object is tried. 0 objects: by the CPUs.
    """

    min_order: int = 0
    max_order: int = 3
    min_objects: int = 0


USUAL_LIMITS = OrderLimits()


@dataclass(frozen=True, slots=True)
class CpuRules:
    """What sizes depend on, of the architecture and the machine: bytes, and numbers of CPUs."""

    word: int = 8
    cache_line: int = 64
    slab_minalign: int = 8  # ARCH_SLAB_MINALIGN
    kmalloc_minalign: int = 8  # ARCH_KMALLOC_MINALIGN
    present_cpus: int = 1
    possible_cpus: int = 1  # nr_cpu_ids
    limits: OrderLimits = USUAL_LIMITS
    version: str = versions.BASE  # of the kernel whose calculate_order is taken

    @property
    def order_cpus(self) -> int:
        """The number of CPUs that calculate_order trusts: "just 1" may be too early to know."""
        return self.present_cpus if self.present_cpus > 1 else self.possible_cpus


def calculate_alignment(flags: SlabFlag, align: int, size: int, rules: CpuRules) -> int:
    """The alignment of objects: a small one needs only a fraction of a cache line to never straddle two."""
    check_align(align)
    if SlabFlag.HWCACHE_ALIGN in flags:
        line = rules.cache_line
        while size <= line // 2:
            line //= 2
        align = max(align, line)
    return align_up(max(align, rules.slab_minalign), rules.word)


def check_align(align: int) -> None:
    """Refuse an alignment that is no power of two; 0 means none asked for."""
    if align < 0 or align & (align - 1):
        raise VmlabError(f"align: expected 0 or a power of two in bytes, got {align}")


def calculate_sizes(
    object_size: int, align: int, flags: SlabFlag = SlabFlag.NONE, *, ctor: bool = False, word: int = 8
) -> Sizes:
    """Place the object, its free pointer and its red zones; `align` is calculate_alignment's answer.

    >>> calculate_sizes(100, 8)
    Sizes(object_size=100, align=8, inuse=104, offset=48, size=104, red_left_pad=0)
    """
    if object_size <= 0:
        raise VmlabError(f"object size: expected at least 1 byte, got {object_size}")
    has_red_zone = SlabFlag.RED_ZONE in flags
    size = align_up(object_size, word)
    if has_red_zone and size == object_size:
        size += word
    inuse = size
    keeps_object = ctor or bool(flags & (SlabFlag.TYPESAFE_BY_RCU | SlabFlag.POISON))
    if keeps_object or (has_red_zone and object_size < word):
        offset, size = size, size + word
    else:  # the middle, away from a neighbour's overflow
        offset = align_down(object_size // 2, word)
    pad = align_up(word, align) if has_red_zone else 0
    if has_red_zone:
        size += word + pad
    return Sizes(object_size, align, inuse, offset, align_up(size, align), pad)


def get_order(size: int) -> int:
    """The smallest order whose pages hold `size` bytes."""
    return ((size - 1) // PAGE_SIZE).bit_length()


def order_objects(order: int, size: int) -> int:
    """Objects of `size` bytes in a slab of that order."""
    return (PAGE_SIZE << order) // size


def _least_waste(least: int, size: int, most: int, fraction: int) -> int:
    """The first order from `least` that wastes at most a `fraction`-th of the slab; above `most` if none does."""
    order = least
    while order <= most and (PAGE_SIZE << order) % size > (PAGE_SIZE << order) // fraction:
        order += 1
    return order


def _min_objects(size: int, cpus: int, limits: OrderLimits) -> int:
    return min(limits.min_objects or 4 * (cpus.bit_length() + 1), order_objects(limits.max_order, size))


def order_6_1(size: int, cpus: int, limits: OrderLimits) -> int:
    """Linux 6.1: give up objects one by one, and for each number accept more and more waste (calc_slab_order)."""
    if order_objects(limits.min_order, size) > MAX_OBJECTS:
        return get_order(size * MAX_OBJECTS) - 1
    for objects in range(_min_objects(size, cpus, limits), 1, -1):
        least = max(limits.min_order, get_order(objects * size))
        for fraction in (16, 8, 4):
            order = _least_waste(least, size, limits.max_order, fraction)
            if order <= limits.max_order:
                return order
    return max(limits.min_order, get_order(size))


def order_6_12(size: int, cpus: int, limits: OrderLimits) -> int:
    """Linux 6.12: the least order is fixed once; then half of a slab may be wasted, too."""
    least = max(limits.min_order, get_order(max(_min_objects(size, cpus, limits), 1) * size))
    if order_objects(least, size) > MAX_OBJECTS:
        return get_order(size * MAX_OBJECTS) - 1
    for fraction in (16, 8, 4, 2):
        order = _least_waste(least, size, limits.max_order, fraction)
        if order <= limits.max_order:
            return order
    return get_order(size)


ORDER_RULES: dict[str, Callable[[int, int, OrderLimits], int]] = {"6.1": order_6_1, "6.12": order_6_12}


def calculate_order(size: int, cpus: int, version: str = "6.1", limits: OrderLimits = USUAL_LIMITS) -> int:
    """Order of a cache's slabs, for objects `size` bytes apart on a machine with `cpus` CPUs.

    >>> [calculate_order(size, cpus=4) for size in (64, 512, 2048, 8192)]
    [0, 1, 3, 3]
    """
    if size <= 0 or cpus <= 0:
        raise VmlabError(f"calculate_order: expected a positive size and number of CPUs, got {size} and {cpus}")
    return versions.pick(ORDER_RULES, version, "version")(size, cpus, limits)


def cpu_partial_objects(size: int) -> int:
    """Free objects that a CPU may hold in partial slabs (set_cpu_partial)."""
    for least, objects in ((PAGE_SIZE, 6), (1024, 24), (256, 52)):
        if size >= least:
            return objects
    return 120


def cpu_partial_slabs(size: int, objects_per_slab: int) -> int:
    """The same as a number of slabs, taken to be half full (slub_set_cpu_partial)."""
    return -(-2 * cpu_partial_objects(size) // objects_per_slab)


def min_partial(size: int) -> int:
    """Slabs that a node keeps on its partial list even when they are empty."""
    return max(MIN_PARTIAL, min(MAX_PARTIAL, (size.bit_length() - 1) // 2))
