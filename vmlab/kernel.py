"""Boot a machine: firmware map → memblock → zones → mem_map → buddy, from the machine's inputs alone.

The order is the kernel's (arch setup, mm/page_alloc.c:free_area_init, mm/memblock.c:memblock_free_all, then
the initcalls that set watermarks). Everything is kept in `Kernel`, with a ledger of every step.

Left out: the boot of other CPUs, memory given back or taken by drivers, and whatever runs after init starts.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from . import arch
from .ledger import Ledger
from .machine import Machine
from .parts import Image
from .physical import bootmem, managed, zone_limits
from .physical.boot_calls import BootAllocations, replay
from .physical.buddy import Buddy
from .physical.mem_map import MemMap
from .physical.memblock import Memblock
from .physical.migratetype import grouping
from .physical.movable import movable_starts
from .physical.page_alloc import PageAllocator
from .physical.slab_boot import boot_slab
from .physical.slab_caches import SlabAllocator
from .physical.slab_page import Frames
from .physical.zonelist import NoPage, Page, node_order
from .physical.zones import Node, Zones
from .process.user_memory import UserMemory
from .units import PAGE_SHIFT, VmlabError, group_hex, human, pfn_up
from .virtual.highmem import HighMem
from .virtual.layout import Layout, kernel_layout
from .virtual.pkmap import Waits, Woken
from .virtual.vmalloc import NoArea, VmallocSpace, vmalloc_space


@dataclass(slots=True, repr=False)
class Kernel(UserMemory):
    """A booted machine and its parts."""

    machine: Machine
    bounds: arch.Bounds
    nodes: list[Node]
    memblock: Memblock
    allocations: BootAllocations
    mem_map: MemMap
    layout: Layout
    buddy: Buddy
    page_allocator: PageAllocator
    min_free_kbytes: int
    slab: SlabAllocator = field(init=False)
    vmap_areas: VmallocSpace = field(init=False)
    _memory: Any = field(init=False, default=None)  # see UserMemory.memory
    _user_pages: Any = field(init=False, default=None)  # see UserMemory.user_pages
    highmem: HighMem = field(init=False)

    def __post_init__(self) -> None:
        rows = arch.get(self.machine.arch)
        nodes = tuple(node_order(node.id for node in self.nodes)[self.nodes[0].id])
        offset = self.layout.page_offset - self.layout.phys_offset
        self.slab = boot_slab(self.machine, rows, Frames(self.alloc_pages, self.free_pages, offset, nodes))
        managed_pages = sum(zone.managed_pages for zone in self.zones)
        self.vmap_areas = vmalloc_space(
            self.machine,
            rows,
            self.layout,
            self.alloc_pages,
            self.free_pages,
            managed_pages,
            self.page_allocator.alloc_bulk,
        )
        self.highmem = HighMem(self.zones, self.layout, self.mem_map, self.machine.cpus)

    def __repr__(self) -> str:
        zones = ", ".join(zone.name for zone in self.zones if zone.populated)
        return f"<Kernel on {self.machine.name}: {human(self.machine.ram_bytes)}, zones {zones}>"

    @property
    def log(self) -> Ledger:
        """Every boot reservation and allocation, in order."""
        return self.memblock.ledger

    @property
    def zones(self) -> Zones:
        """Every zone of every node."""
        return Zones([zone for node in self.nodes for zone in node.zones])

    def virt_to_phys(self, va: int) -> int:
        """The kernel's __pa: refuses, with the reason, where the macro's arithmetic would be wrong."""
        found = self.layout.classify(va)
        if found.pa is None:
            raise VmlabError(f"virt_to_phys({group_hex(va)}) would be wrong: {found.reason}")
        return found.pa

    def phys_to_virt(self, pa: int) -> int:
        """The kernel's __va: refuses a physical address that the direct map does not reach."""
        return self.layout.phys_to_virt(pa)

    def alloc_pages(
        self, order: int = 0, gfp: str | int = "GFP_KERNEL", node: int | None = None, cpu: int = 0
    ) -> Page | NoPage:
        """2**order frames, as far as gfp and the watermarks allow; NoPage, which is false, says why not.

        Up to 8 pages come from the list of the CPU that asks, `cpu`.
        """
        return self.page_allocator.alloc(order, gfp, node, cpu)

    def free_pages(self, page: Page | NoPage | int, order: int | None = None, cpu: int = 0) -> None:
        """Give back what alloc_pages returned: the page, or its frame number and order."""
        if isinstance(page, NoPage):
            raise VmlabError("free_pages: expected a page, got a failed allocation: test `if page:` first")
        if not isinstance(page, (Page, int)):
            raise VmlabError(f"free_pages: expected a page or a frame number, got {page!r}")
        if isinstance(page, Page):
            order = page.order if order is None else order
        self.page_allocator.free(int(page), order or 0, cpu)

    def kmalloc(self, size: int, gfp: str | int = "GFP_KERNEL", cpu: int = 0) -> int | NoPage:
        """`size` contiguous bytes in the direct map: their address, or NoPage, which is false, and says why not."""
        return self.slab.kmalloc(size, gfp, cpu)

    def kfree(self, va: int | NoPage, cpu: int = 0) -> None:
        """Give back what kmalloc returned; refuses, with the reason, every other address."""
        if isinstance(va, NoPage):
            raise VmlabError("kfree: expected an address, got a failed allocation: test `if va:` first")
        if self.vmap_areas.find(va):
            raise VmlabError(f"kfree({group_hex(va)}): that is an address in vmalloc space: use vfree")
        self.slab.kfree(va, cpu)

    def vmalloc(self, size: int, gfp: str | int = "GFP_KERNEL") -> int | NoArea:
        """`size` bytes with contiguous addresses over any frames: the address, or NoArea, which is false."""
        return self.vmap_areas.vmalloc(size, gfp)

    def vfree(self, va: int | NoArea) -> None:
        """Give back what vmalloc returned; refuses, with the reason, every other address."""
        if isinstance(va, NoArea):
            raise VmlabError("vfree: expected an address, got a failed allocation: test `if va:` first")
        self.vmap_areas.vfree(va)

    def vmalloc_to_pfn(self, va: int) -> int:
        """The frame under an address in vmalloc space; refuses an address at which nothing is mapped."""
        return self.vmap_areas.to_phys(va) >> PAGE_SHIFT

    def kmap(self, page: Page | NoPage | int, task: str = "current") -> int | Waits:
        """An address for a page: its own in lowmem, else a window's; Waits, which is false, if the task must sleep."""
        return self.highmem.kmap(page, task)

    def kunmap(self, page: Page | NoPage | int, task: str = "current") -> tuple[Woken, ...]:
        """Give the page's window back; returns what became of the tasks that this woke."""
        return self.highmem.kunmap(page, task)

    def kmap_local(self, page: Page | NoPage | int, cpu: int = 0) -> AbstractContextManager[int]:
        """`with k.kmap_local(page) as va:` a window for the task that runs on `cpu`, the last one given back first."""
        return self.highmem.kmap_local(page, cpu)

    def may_write(self, pfn: int) -> tuple[bool, str]:
        """Whether frame `pfn` of the freshly booted machine may be written to at will, and why."""
        zone = self.zones.of(pfn)
        is_ram = any(start >> PAGE_SHIFT <= pfn < pfn_up(end) for start, end in self.memblock.memory())
        if self.mem_map.holds(pfn):
            return False, "it holds struct pages: the kernel would lose track of the frames they describe"
        if zone is None or not is_ram:
            return False, "no RAM is there"
        if any(start <= pfn < end for start, end in self.allocations.cma_frames):
            return False, "it belongs to the contiguous memory area (CMA): a driver may ask for it"
        if self.buddy.user_block(pfn) is not None:
            return False, "the page allocator has handed it out: only whoever asked for it may"
        if not self.buddy.owns(pfn):  # what boot took and gave back (the initrd, init sections) is free by now
            return False, "it was taken at boot: " + self.allocations.why(pfn, self.memblock.reserved.holding(pfn) or 0)
        if zone.excluded:
            return True, f"it is free, and only the owner of {zone.name} allocates from that zone"
        return False, "it is free, but the page allocator owns it: ask for it with alloc_pages first"


def boot(machine: Machine) -> Kernel:
    """Run the whole chain. Time does not grow with RAM: frames stay ranges until something touches them."""
    rows = arch.get(machine.arch)
    memblock = Memblock()
    for start, end, node in rows.firmware_memory(machine):
        memblock.add(start, end, node, "RAM in the firmware's map")
    _check_image(rows.image(machine), memblock)
    bounds = rows.bounds(machine, memblock)
    memblock.limit = bounds.limit
    nodes = _nodes(machine, rows, bounds, memblock)
    run = bootmem.replay if machine.boot_allocator == "bootmem" else replay
    allocations = run(machine, rows, bounds, nodes, memblock)
    free = managed.hand_over(machine, rows, bounds, memblock, allocations.mem_map)
    min_free_kbytes, owned = managed.settle(machine, rows, nodes, free, allocations)
    everything = [zone for node in nodes for zone in node.zones]
    pageblock_order = machine.config.pageblock_order
    buddy = Buddy(
        everything,
        owned,
        machine.config.max_order or 11,
        allocations.cma_frames,
        pageblock_order=pageblock_order,
        grouping=grouping(everything, pageblock_order or 0),
        huge_pages=bool(machine.config.transparent_hugepage),
        cpus=machine.cpus,
    )
    return Kernel(
        machine=machine,
        bounds=bounds,
        nodes=nodes,
        memblock=memblock,
        allocations=allocations,
        mem_map=allocations.mem_map,
        layout=kernel_layout(machine, bounds, memblock, got=allocations.got, mem_map=allocations.mem_map),
        buddy=buddy,
        page_allocator=PageAllocator(nodes, buddy),
        min_free_kbytes=min_free_kbytes,
    )


def _check_image(image: Image, memblock: Memblock) -> None:
    """The kernel must lie in RAM: without that nothing else means anything."""
    if not any(start <= image.start < image.end <= end for start, end in memblock.memory()):
        raise VmlabError(
            f"image: the kernel at {group_hex(image.start)}..{group_hex(image.end)} does not lie in RAM: "
            "give the machine more RAM there, or an image= that fits"
        )


def _nodes(machine: Machine, rows: arch.Arch, bounds: arch.Bounds, memblock: Memblock) -> list[Node]:
    """free_area_init: limits, the added zones, ZONE_MOVABLE, then every node's zones."""
    names = rows.zone_names(machine.config)
    first = -(-memblock.start_of_dram >> PAGE_SHIFT)
    highmem_from = bounds.max_low_pfn if machine.config.highmem else None
    found = zone_limits.limits(names, rows.max_zone_pfns(machine, bounds), first, highmem_from)
    for want in machine.splits:
        zone_limits.split(found, want, rows.bits_per_long)
    return zone_limits.build(found, movable_starts(found, machine, memblock), memblock)
