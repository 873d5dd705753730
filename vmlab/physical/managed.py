"""From memblock to the page allocator: what is handed over, what comes later, and what is set in between.

The order decides the numbers (Linux 6.1): memblock_free_all, then the CMA area (core_initcall), then
min_free_kbytes, watermarks and lowmem_reserve (postcore_initcall), then huge pages that boot reserved are counted
(hugetlb_init) and khugepaged sets the watermarks anew (subsys_initcall), then the initrd and the init sections.
So /proc/zoneinfo prints a managed count that is newer than the watermarks beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ..arch import Arch, Bounds
from ..machine import Machine
from ..parts import Image
from ..ranges import Ranges
from ..units import PAGE_SHIFT, MiB, VmlabError, align_down, align_up, pfn_down, pfn_up
from . import mem_map, watermarks
from .boot_calls import BootAllocations
from .mem_map import MemMap
from .memblock import Memblock
from .zones import Node, Zone

Frames = list[tuple[int, int]]  # half-open ranges of frame numbers
KNOBS = ("min_free_kbytes", "watermark_scale_factor", "percpu_pagelist_high_fraction", "lowmem_reserve_ratio")


@dataclass(frozen=True, slots=True)
class Knobs:
    """What can be set of /proc/sys/vm beside min_free_kbytes."""

    scale: int = watermarks.WATERMARK_SCALE_FACTOR
    fraction: int = 0  # percpu_pagelist_high_fraction; 0 is the low mark's pages
    ratios: dict[str, int] = field(default_factory=lambda: dict(watermarks.LOWMEM_RESERVE_RATIO))


USUAL = Knobs()


def hand_over(machine: Machine, rows: Arch, bounds: Bounds, memblock: Memblock, array: MemMap) -> Frames:
    """memblock_free_all: every whole free frame, lowmem first, HighMem by its own rule (the same one)."""
    if rows.frees_unused_mem_map and array.model != "SPARSEMEM_VMEMMAP":
        section_pages = 1 << (rows.section_shift(machine.config) - PAGE_SHIFT)
        parts = mem_map.unused(machine, array, memblock, section_pages)
        for start, end in parts:
            memblock.free(start, end, "struct pages of a hole, given back", "free_unused_memmap")
        array.freed = tuple(parts)
    if machine.final_reserved is not None and machine.boot_allocator == "memblock":
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
) -> tuple[int, Frames]:
    """Fill in managed pages, watermarks, reserves and per-CPU sizes of every zone.

    Returns min_free_kbytes, and all the frames that the page allocator owns at the end.
    """
    zones = [zone for node in nodes for zone in node.zones]
    given = Ranges()
    _give(zones, free, given)
    _give(zones, allocations.cma_frames, given)
    _activate_cma(zones, allocations)
    early, late = _image_parts(machine, rows, allocations)
    _give(zones, early, given)
    min_free = watermarks.min_free_kbytes(zones)
    _set_marks(zones, min_free, machine)
    _set_reserves(nodes)
    _count(zones, allocations.gigantic_frames, "managed_pages")
    if watermarks.has_huge_pages(zones, machine):
        min_free = watermarks.recommended_min_free_kbytes(zones, machine, min_free)
        _set_marks(zones, min_free, machine)
    _give(zones, late, given)
    return tune(machine, nodes, min_free), list(given)


def _activate_cma(zones: list[Zone], allocations: BootAllocations) -> None:
    """mm/cma.c:cma_activate_area: an area across two zones is of no use, and its frames are free as all others."""

    def in_one_zone(area: tuple[int, int]) -> bool:
        low, high = area[0] >> PAGE_SHIFT, area[1] >> PAGE_SHIFT
        return any(_overlap(zone, low, high) == high - low for zone in zones)

    allocations.given_up = [area for area in allocations.cma if not in_one_zone(area)]
    allocations.cma = [area for area in allocations.cma if in_one_zone(area)]
    _count(zones, allocations.cma_frames, "cma_pages")


def _set_marks(zones: list[Zone], min_free_kbytes: int, machine: Machine, knobs: Knobs = USUAL) -> None:
    """setup_per_zone_wmarks."""
    spares = machine.config.is_since("6.12")
    marks = watermarks.watermarks(zones, min_free_kbytes, spares_movable=spares, scale=knobs.scale)
    for place, mark in marks.items():
        zones[place].watermark = mark
    _set_lists(zones, machine, knobs)


def _set_lists(zones: list[Zone], machine: Machine, knobs: Knobs) -> None:
    """zone_set_pageset_high_and_batch."""
    for zone in zones:
        if zone.populated:
            pages = zone.managed_pages // knobs.fraction if knobs.fraction else zone.watermark.low
            zone.pcp_batch = watermarks.pcp_batch(zone.managed_pages)
            zone.pcp_high = watermarks.pcp_high(pages, zone.pcp_batch, machine.cpus)


def _set_reserves(nodes: list[Node], knobs: Knobs = USUAL) -> None:
    """setup_per_zone_lowmem_reserve."""
    for node in nodes:
        for zone, row in zip(node.zones, watermarks.lowmem_reserve(list(node.zones), knobs.ratios), strict=True):
            zone.lowmem_reserve = row


def tune(machine: Machine, nodes: list[Node], min_free_kbytes: int) -> int:
    """sysctl.vm.NAME=NUMBER, applied in their order last of all, with the final counts (fs/proc/proc_sysctl.c).

    Returns min_free_kbytes. lowmem_reserve_ratio=N is the first of its numbers, that of the lowest zone.
    """
    zones, knobs = [zone for node in nodes for zone in node.zones], USUAL
    for name, number in _sysctls(machine):
        if name == "min_free_kbytes":
            min_free_kbytes = number
        elif name == "watermark_scale_factor" and number in range(1, 3001):
            knobs = replace(knobs, scale=number)
        elif name == "percpu_pagelist_high_fraction" and (number == 0 or number >= 8):
            knobs = replace(knobs, fraction=number)
            _set_lists(zones, machine, knobs)
        elif name == "lowmem_reserve_ratio":
            knobs = replace(knobs, ratios=knobs.ratios | {zones[0].name: number})
            _set_reserves(nodes, knobs)
        if name in ("min_free_kbytes", "watermark_scale_factor"):
            _set_marks(zones, min_free_kbytes, machine, knobs)
    return min_free_kbytes


def _sysctls(machine: Machine) -> Iterator[tuple[str, int]]:
    """The numbers that sysctl.vm.* sets, in order."""
    for word in machine.cmdline.split():
        name, _, value = word.partition("=")
        if name.startswith("sysctl.vm.") and name[10:] in KNOBS:
            if not value.isdecimal():
                raise VmlabError(f"kernel parameter {name}=: expected a number, got {value!r}")
            yield name[10:], int(value)


def _image_parts(machine: Machine, rows: Arch, allocations: BootAllocations) -> tuple[Frames, Frames]:
    """Frames of the kernel image and the initrd given back: before the watermarks are set, and after."""
    image = machine.image
    if image is None:
        return [], []
    early, late = _sections(machine, image)
    late.append((pfn_up(image.init_start), pfn_down(image.init_end)))
    if rows.frees_section_gaps:
        late += [(pfn_up(start), pfn_down(end)) for start, end in image.gaps]
    start, end = allocations.initrd
    if end > start:
        whole = pfn_down(align_up(end, 1 << PAGE_SHIFT)) - pfn_down(align_down(start, 1 << PAGE_SHIFT))
        # the recorded initrds end inside a page; free_reserved_area gives only whole pages back
        late.append((pfn_down(start), pfn_down(start) + whole - (0 if rows.frees_whole_initrd else 1)))
    return early, late


def _sections(machine: Machine, image: Image) -> tuple[Frames, Frames]:
    """Sections that x86 gives back, where arch/x86/kernel/vmlinux.lds.S puts them: early ones and late ones.

    .smp_locks begins where the init sections end (_keeps_smp_locks). .bss..decrypted fills up the 2 MiB that end
    .bss, and .brk, the last section, is smaller than that.
    """
    early, late = [], []
    for name, pages in machine.config.freed_late or ():
        if name == "SMP alternatives":
            start = pfn_up(image.init_end)
            early += [(start, start + pages)] if image.init_end and not _keeps_smp_locks(machine) else []
        elif name == "decrypted memory":
            end = pfn_down(align_down(image.end, 2 * MiB))
            late.append((max(pfn_up(image.start), end - pages), end))
        else:
            raise VmlabError(f"config.freed_late: expected 'SMP alternatives' or 'decrypted memory', got {name!r}")
    return early, late


def _keeps_smp_locks(machine: Machine) -> bool:
    """Whether locks were taken out of the code, and may have to go back: one CPU runs, and more could come.

    arch/x86/kernel/alternative.c:alternative_instructions. With several CPUs the code keeps its locks, with only one
    possible they never come back: either way the list of their places is given back.
    """
    return machine.cpus == 1 and machine.possible_cpus > 1 and not machine.has_flag("noreplace-smp")


def _count(zones: list[Zone], frames: Frames, what: str) -> None:
    """Add frames to a zone's count `what`; gigantic pages are managed though no list of free pages ever has them."""
    for start, end in frames:
        for zone in zones:
            setattr(zone, what, getattr(zone, what) + _overlap(zone, start, end))


def _give(zones: list[Zone], frames: Frames, given: Ranges) -> None:
    """Count frames that join the page allocator; what it was given before is not counted twice."""
    for start, end in frames:
        for low, high in given.gaps_down(start, end):
            for zone in zones:
                zone.managed_pages += _overlap(zone, low, high)
        given.add(start, end)


def _overlap(zone: Zone, start: int, end: int) -> int:
    return max(0, min(zone.end_pfn, end) - max(zone.start_pfn, start))
