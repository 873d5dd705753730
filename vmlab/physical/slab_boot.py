"""The slab caches of a booted machine: kmalloc's, and those whose objects' sizes the machine's description gives.

Who creates them (Linux 6.1): mm/vmalloc.c:vmalloc_init, lib/maple_tree.c, mm/rmap.c:anon_vma_init,
kernel/fork.c:fork_init and proc_caches_init, fs/dcache.c:vfs_caches_init, block/bio.c:biovec_init_pool.

Left out: all other caches. The sizes of their structs are not in a machine's description.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .. import arch, versions
from ..machine import Machine
from .slab_caches import SlabAllocator
from .slab_page import Frames
from .slab_size import CpuRules, OrderLimits, SlabFlag

PATH_MAX = 4096  # bytes of a name while it is looked up (names_cache)
BIO_MAX_VECS = 256
BIOVEC_COUNTS = {"16": 16, "64": 64, "128": 128, "max": BIO_MAX_VECS}


@dataclass(frozen=True, slots=True)
class Struct:
    """One cache that the kernel creates while booting."""

    name: str
    size: int
    align: int = 0
    family: SlabFlag = SlabFlag.PANIC
    usersize: int = 0  # bytes that may be copied to user space; such a cache is never merged


def cpu_rules(machine: Machine, rows: arch.Arch) -> CpuRules:
    """What sizes depend on, of this machine."""
    return CpuRules(
        word=rows.bits_per_long // 8,
        cache_line=rows.cache_line_bytes(machine),
        slab_minalign=rows.slab_minalign,
        kmalloc_minalign=versions.pick(rows.kmalloc_minalign, machine.config.rules, "config.version"),
        present_cpus=machine.cpus,
        possible_cpus=machine.possible_cpus,
        limits=order_limits(machine),
        version=machine.config.rules,
    )


def order_limits(machine: Machine) -> OrderLimits:
    """setup_slub_min_order and its like; the highest order stays below MAX_ORDER."""
    usual, most = OrderLimits(), (machine.config.max_order or 11) - 1
    asked = {name: machine.number_parameter(f"slub_{name}") for name in ("min_order", "max_order", "min_objects")}
    limits = replace(usual, **{name: number for name, number in asked.items() if number is not None})
    return replace(limits, max_order=min(limits.max_order, most))


def structs(machine: Machine, rows: arch.Arch) -> list[Struct]:
    """The caches of known size, in the order in which the kernel creates them."""
    word = rows.bits_per_long // 8
    cpumask_bytes = -(-machine.possible_cpus // rows.bits_per_long) * word
    mm_bytes = (machine.config.mm_struct_bytes or 0) + cpumask_bytes
    task_bytes, accounted = rows.task_struct_bytes(machine), SlabFlag.PANIC | SlabFlag.ACCOUNT
    lined = SlabFlag.PANIC | SlabFlag.HWCACHE_ALIGN
    bio_vec = word + 8  # a page, a length, an offset
    return [
        Struct("vmap_area", 8 * word),
        Struct("maple_node", 256, 256),
        Struct("anon_vma_chain", 8 * word, 0, accounted),
        Struct("task_struct", task_bytes, rows.task_align, accounted),
        Struct("mm_struct", mm_bytes, 0, accounted | lined, usersize=mm_bytes),
        Struct("names_cache", PATH_MAX, 0, lined, usersize=PATH_MAX),
        *(Struct(f"biovec-{name}", count * bio_vec, 0, lined) for name, count in BIOVEC_COUNTS.items()),
    ]


def boot_slab(machine: Machine, rows: arch.Arch, frames: Frames, seed: int = 0) -> SlabAllocator:
    """kmem_cache_init, and the caches that follow. No frame is taken before the first object is."""
    slab = SlabAllocator(
        cpu_rules(machine, rows),
        frames,
        zone_dma=bool(machine.config.zone_dma),
        max_order=machine.config.max_order or 11,
        merge=not any(machine.has_flag(word) for word in ("slab_nomerge", "slub_nomerge")),
        seed=seed,
    )
    for row in structs(machine, rows):
        slab.create(row.name, row.size, row.align, row.family, usersize=row.usersize)
    return slab
