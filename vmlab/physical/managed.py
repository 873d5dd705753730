"""From memblock to the page allocator: what is handed over, what comes later, and what is set in between.

The order decides the numbers (Linux 6.1): memblock_free_all, then the CMA area (core_initcall), then
min_free_kbytes, watermarks and lowmem_reserve (postcore_initcall), then the initrd and the init sections.
So /proc/zoneinfo prints a managed count that is newer than the watermarks beside it.
"""

from __future__ import annotations

from ..arch import Arch, Bounds
from ..machine import Machine
from ..units import PAGE_SHIFT, align_down, align_up, pfn_down, pfn_up
from . import mem_map, watermarks
from .boot_calls import BootAllocations
from .mem_map import MemMap
from .memblock import Memblock
from .zones import Node, Zone

Frames = list[tuple[int, int]]  # half-open ranges of frame numbers


def hand_over(machine: Machine, rows: Arch, bounds: Bounds, memblock: Memblock, array: MemMap) -> Frames:
    """memblock_free_all: every whole free frame, lowmem first, HighMem by its own rule (the same one)."""
    if rows.frees_unused_mem_map and array.model != "SPARSEMEM_VMEMMAP":
        section_pages = 1 << (rows.section_shift(machine.config) - PAGE_SHIFT)
        parts = mem_map.unused(machine, array, memblock, section_pages)
        for start, end in parts:
            memblock.free(start, end, "struct pages of a hole, given back", "free_unused_memmap")
        array.freed = tuple(parts)
    if machine.final_reserved is not None:
        memblock = Memblock(banks=memblock.banks)
        for region in machine.final_reserved:
            memblock.reserved.add(region.start, region.end)
    frames = []
    for start, end in memblock.free_ranges():
        low, high = pfn_up(start), min(pfn_down(end), bounds.max_pfn)
        if low < high:
            frames.append((low, high))
    return frames


def settle(
    machine: Machine, rows: Arch, nodes: list[Node], free: Frames, allocations: BootAllocations
) -> int:
    """Fill in managed pages, watermarks, reserves and per-CPU sizes of every zone; returns min_free_kbytes."""
    zones = [zone for node in nodes for zone in node.zones]
    _give(zones, free)
    for start, end in allocations.cma_frames:
        for zone in zones:
            zone.cma_pages += _overlap(zone, start, end)
    _give(zones, allocations.cma_frames)
    early, late = _image_parts(machine, rows, allocations)
    _give(zones, early)
    min_free = watermarks.min_free_kbytes(zones, machine)
    _set_marks(zones, min_free, machine.cpus)
    for node in nodes:
        for zone, row in zip(node.zones, watermarks.lowmem_reserve(list(node.zones)), strict=True):
            zone.lowmem_reserve = row
    _give(zones, late)
    if machine.min_free_kbytes is not None:  # sysctl.*= is applied last of all, with the final counts
        min_free = machine.min_free_kbytes
        _set_marks(zones, min_free, machine.cpus)
    return min_free


def _set_marks(zones: list[Zone], min_free_kbytes: int, cpus: int) -> None:
    for place, mark in watermarks.watermarks(zones, min_free_kbytes).items():
        zone = zones[place]
        zone.watermark = mark
        if zone.populated:
            zone.pcp_batch = watermarks.pcp_batch(zone.managed_pages)
            zone.pcp_high = watermarks.pcp_high(mark.low, zone.pcp_batch, cpus)


def _image_parts(machine: Machine, rows: Arch, allocations: BootAllocations) -> tuple[Frames, Frames]:
    """Frames of the kernel image and the initrd given back: before the watermarks are set, and after."""
    image = machine.image
    if image is None:
        return [], []
    inside = pfn_down(image.init_start)
    sizes = dict(machine.config.freed_late or ())
    alternatives = sizes.pop("SMP alternatives", 0) if machine.cpus == 1 else 0
    early = [(inside, inside + alternatives)]
    late = [(inside, inside + pages) for pages in sizes.values()]
    late.append((pfn_up(image.init_start), pfn_down(image.init_end)))
    late += [(pfn_up(start), pfn_down(end)) for start, end in image.gaps]
    start, end = allocations.initrd
    if end > start:
        whole = pfn_down(align_up(end, 1 << PAGE_SHIFT)) - pfn_down(align_down(start, 1 << PAGE_SHIFT))
        # the recorded initrds end inside a page; free_reserved_area gives only whole pages back
        late.append((pfn_down(start), pfn_down(start) + whole - (0 if rows.frees_whole_initrd else 1)))
    return early, late


def _give(zones: list[Zone], frames: Frames) -> None:
    for start, end in frames:
        for zone in zones:
            zone.managed_pages += _overlap(zone, start, end)


def _overlap(zone: Zone, start: int, end: int) -> int:
    return max(0, min(zone.end_pfn, end) - max(zone.start_pfn, start))
