"""Who has the frames of a zone after boot: boot itself, the page allocator, or somebody it handed them to.

Left out: what drivers took with the help of firmware tables, which no recorded input tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from ..ranges import Ranges
from ..units import pfn_down, pfn_up
from .boot_calls import BootAllocations
from .buddy import Buddy
from .mem_map import MemMap
from .memblock import Memblock
from .zones import Zone, Zones

CMA = "the contiguous memory area (CMA)"


class Booted(Protocol):
    """What is asked of a booted kernel here (vmlab.kernel.Kernel is one)."""

    memblock: Memblock
    allocations: BootAllocations
    mem_map: MemMap
    buddy: Buddy

    @property
    def zones(self) -> Zones:
        """Every zone of every node."""


@dataclass(frozen=True, slots=True)
class Held:
    """Frames `start_pfn`..`end_pfn` (half open) that somebody has, and what for."""

    start_pfn: int
    end_pfn: int
    why: str

    @property
    def pages(self) -> int:
        """How many frames."""
        return self.end_pfn - self.start_pfn


def ram(kernel: Booted, zone: Zone) -> Ranges:
    """The zone's frames that are RAM (its present pages)."""
    found = Ranges()
    for start, end in kernel.memblock.memory():
        found.add(max(pfn_up(start), zone.start_pfn), min(pfn_down(end), zone.end_pfn))
    return found


def reserved(kernel: Booted, zone: Zone) -> tuple[Held, ...]:
    """The zone's RAM that the page allocator never got, each stretch with its purpose; and the CMA area.

    The initrd and the init sections are not among them: boot gave them to the page allocator at its end.
    """
    frames = ram(kernel, zone)
    owned = kernel.buddy.handed_out(zone)
    for start, end in kernel.buddy.free_ranges(zone, per_cpu=True):
        owned.add(start, end)
    found = [Held(low, high, CMA) for area in kernel.allocations.cma_frames for low, high in frames.shared(*area)]
    for start, end in frames:
        for low, high in owned.gaps_down(start, end):
            found += _named(kernel, low, high)
    return tuple(sorted(found, key=lambda part: part.start_pfn))


def _named(kernel: Booted, start: int, end: int) -> list[Held]:
    """Cut a reserved stretch at the borders of the boot allocations in it."""
    edges = {edge for low, high, _ in kernel.allocations.got for edge in (pfn_down(low), pfn_up(high))}
    cuts = [start, *sorted(edge for edge in edges if start < edge < end), end]
    found: list[Held] = []
    for low, high in pairwise(cuts):
        why = _why(kernel, low)
        if found and found[-1].why == why:
            low = found.pop().start_pfn
        found.append(Held(low, high, why))
    return found


def _why(kernel: Booted, pfn: int) -> str:
    if kernel.mem_map.holds(pfn):
        return "mem_map, the array of struct page"
    return "taken at boot: " + kernel.allocations.why(pfn, kernel.memblock.reserved.holding(pfn) or 0)
