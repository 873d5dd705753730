"""A pointer of each kind from one booted kernel: what gave it, and where it must lie.

    for each in worked(kernel): print(each.name, hex(each.va), kernel.layout.classify(each.va).area.name)

Pointers that the model hands out are asked for and given back. Others follow from where
boot put things. Left out: per-CPU chunks of machines with many nodes, stacks of interrupts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from .. import arch
from ..arch.space import DIRECT_MAP, IMAGE
from ..physical.zonelist import Page
from ..units import KiB, align_down

if TYPE_CHECKING:
    from ..kernel import Kernel

FIRST_CHUNK = ("pcpu_embed_first_chunk", "pcpu_fc_alloc", "setup_per_cpu_areas")  # the three that allocate it


class Worked(NamedTuple):
    """One pointer: what it points to, the call or rule that gave it, its address, and the area it must be in."""

    name: str
    how: str
    va: int
    area: str


def worked(kernel: Kernel) -> tuple[Worked, ...]:
    """Every kind that this kernel has."""
    return (*_handed_out(kernel), *_placed(kernel), *_by_layout(kernel))


def _handed_out(kernel: Kernel) -> Iterator[Worked]:
    """What the model's allocators return."""
    rows = arch.get(kernel.machine.arch)
    va = kernel.kmalloc(100)
    if isinstance(va, int) and va:
        pfn = kernel.virt_to_phys(va) >> 12
        page = kernel.mem_map.pfn_to_page(pfn)
        is_virtual = kernel.mem_map.model == "SPARSEMEM_VMEMMAP"
        yield Worked("kmalloc", "kmalloc(100)", va, DIRECT_MAP)
        yield Worked("struct page", "virt_to_page of that", page, "vmemmap" if is_virtual else DIRECT_MAP)
        kernel.kfree(va)
    areas = kernel.vmap_areas
    for name, how, size, align in (
        ("vmalloc", "vmalloc(64 KiB)", 64 * KiB, 4096),
        *([("stack", "a task's stack, CONFIG_VMAP_STACK", rows.thread_bytes, rows.thread_align)] * rows.vmap_stack),
    ):
        made = areas.vmalloc(size, align=align)
        if isinstance(made, int):
            yield Worked(name, how, made, "vmalloc")
            areas.vfree(made)
    if not rows.vmap_stack:
        pages = kernel.alloc_pages((rows.thread_bytes >> 12).bit_length() - 1)
        if isinstance(pages, Page):
            yield Worked("stack", "a task's stack, two pages", kernel.phys_to_virt(pages.pfn << 12), DIRECT_MAP)
            kernel.free_pages(pages)


def _placed(kernel: Kernel) -> Iterator[Worked]:
    """What boot put somewhere."""
    chunks = [(end - start, start) for start, end, caller in kernel.allocations.got if caller.startswith(FIRST_CHUNK)]
    if chunks:
        va = kernel.phys_to_virt(max(chunks)[1])
        yield Worked("per-CPU", "a variable of the kernel's own, first chunk", va, DIRECT_MAP)
    image = arch.get(kernel.machine.arch).image(kernel.machine)
    own = [area for area in kernel.layout.areas if area.name == IMAGE]
    va = own[0].mapped[0][0] if own else kernel.phys_to_virt(image.start)
    yield Worked("kernel text", "_stext, the first function", va, IMAGE if own else DIRECT_MAP)


def _by_layout(kernel: Kernel) -> Iterator[Worked]:
    """What the layout alone decides."""
    there = {area.name: area for area in kernel.layout.areas}
    rules, end = kernel.layout.space.rules, there["vmalloc"].end
    yield Worked("late per-CPU", "alloc_percpu, a chunk made later: from the top", align_down(end - 1, 4096), "vmalloc")
    module = rules.modules[0] if rules.modules else rules.vmalloc[0]
    yield Worked("module", "a module's code: MODULES_VADDR", module, "modules" if "modules" in there else "vmalloc")
    yield Worked("fixmap", "a slot of the fixmap", there["fixmap"].start, "fixmap")
    if "pkmap" in there:
        yield Worked("kmap", "kmap of a HighMem page, slot 0", there["pkmap"].start, "pkmap")
    yield Worked("user", "a pointer from a process", 0x40_0000, "user")
