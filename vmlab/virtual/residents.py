"""What may live in HighMem and what may not: the gfp that each kind of page is asked for with (Linux 6.1).

A page may be in HighMem if the kernel needs it only now and then, and one page at a time: then a window is enough.
What holds pointers to other things, or is reached through a pointer kept somewhere, must have an address for good.

Left out: drivers' own buffers, huge pages, and kinds that few machines have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..physical import gfp as flags
from ..physical.zonelist import NoPage, Page


@dataclass(frozen=True, slots=True)
class Resident:
    """One kind of page: what it is asked for with, how the kernel reaches it, and where that is written."""

    what: str
    gfp: str  # "" where boot takes it from memblock, whose limit is the end of lowmem
    reached: str
    source: str

    @property
    def highmem(self) -> bool:
        """Whether the page allocator may serve it from HighMem."""
        return bool(self.gfp) and flags.has(flags.mask(self.gfp), "__GFP_HIGHMEM")


RESIDENTS = (
    Resident("a process's own page", "GFP_HIGHUSER_MOVABLE", "kmap_local", "mm/memory.c: do_anonymous_page"),
    Resident("page cache, a file's page", "GFP_HIGHUSER_MOVABLE", "kmap_local", "fs/inode.c: inode_init_always"),
    Resident("a pipe's buffer", "GFP_HIGHUSER | __GFP_ACCOUNT", "kmap_local", "fs/pipe.c: pipe_write"),
    Resident(
        "last level of a process's page table (CONFIG_HIGHPTE)",
        "GFP_KERNEL | __GFP_ZERO | __GFP_ACCOUNT | __GFP_HIGHMEM",
        "kmap_atomic, in pte_offset_map",
        "arch/x86/mm/pgtable.c: __userpte_alloc_gfp; arch/arm/include/asm/pgalloc.h: pte_alloc_one",
    ),
    Resident("a frame behind vmalloc", "GFP_KERNEL | __GFP_HIGHMEM", "its vmalloc address", "mm/vmalloc.c"),
    Resident("per-CPU variables", "GFP_KERNEL | __GFP_HIGHMEM", "their vmalloc address", "mm/percpu-vm.c"),
    Resident("task_struct", "GFP_KERNEL", "a pointer", "kernel/fork.c: alloc_task_struct_node"),
    Resident("any other slab object, or kmalloc", "GFP_KERNEL", "a pointer", "mm/slab_common.c: GFP_SLAB_BUG_MASK"),
    Resident(
        "top level of a page table", "GFP_KERNEL", "a pointer, mm->pgd", "arch/arm/mm/pgd.c; arch/x86/mm/pgtable.c"
    ),
    Resident("struct page: mem_map", "", "pointers everywhere", "mm/page_alloc.c: alloc_node_mem_map"),
    Resident("the kernel's code and data", "", "its own addresses", "the boot loader's choice"),
)


@dataclass(frozen=True, slots=True)
class Exhausted:
    """What a kind of request could get until it was refused: pages, and the refusal."""

    pages: int
    refused: NoPage


def exhaust(alloc: Callable[[int, str], Page | NoPage], gfp: str, order: int) -> Exhausted:
    """Ask for blocks of 2**order pages, then for smaller ones, until not even one page is given."""
    pages = 0
    while True:
        got = alloc(order, gfp)
        if isinstance(got, Page):
            pages += 1 << order
        elif order:
            order -= 1
        else:
            return Exhausted(pages, got)
