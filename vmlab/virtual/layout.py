"""Every area of the kernel's half, and what kind of address a number is."""

from __future__ import annotations

from dataclasses import dataclass

from ..arch import Arch, Area, Bounds
from ..machine import Machine
from ..physical.memblock import Memblock
from ..units import VmlabError, group_hex

Got = list[tuple[int, int, str]]  # boot allocations: (start, end, caller)


@dataclass(frozen=True, slots=True)
class Classified:
    """What an address is: its area, whether it is logical (at a constant offset), and where that leads."""

    va: int
    area: Area
    logical: bool
    pa: int | None
    reason: str


class Layout:
    """The kernel's virtual addresses on one booted machine."""

    def __init__(self, machine: Machine, rows: Arch, bounds: Bounds, memblock: Memblock, got: Got) -> None:
        self.constants = rows.constants(machine, bounds) | rows.placed_constants(machine, memblock, got)
        self.areas = tuple(rows.areas(machine, bounds))
        self.page_offset = rows.page_offset(machine)
        self.phys_offset = rows.phys_offset(machine)
        self._top = 1 << rows.bits_per_long
        self._memblock = memblock

    def area(self, name: str) -> Area:
        """The area called `name`."""
        for area in self.areas:
            if area.name == name:
                return area
        raise VmlabError(f"area: expected one of {', '.join(area.name for area in self.areas)}, got {name!r}")

    def classify(self, va: int) -> Classified:
        """Which area `va` is in, by the address alone."""
        if not 0 <= va < self._top:
            raise VmlabError(f"address {va:#x}: expected 0 <= address < {self._top:#x} on this machine")
        for area in self.areas:
            if area.start <= va < area.end:
                return self._in_area(va, area)
        if va < self.areas[0].start:
            user = Area("user", 0, self.areas[0].start, "a process's own half")
            return Classified(va, user, False, None, "a user address: ask that process's page table")
        gap = Area("gap", va, va + 1, "nothing")
        return Classified(va, gap, False, None, "no area of the kernel is there")

    def _in_area(self, va: int, area: Area) -> Classified:
        if area.name != "direct map":
            why = f"{area.name} is mapped page by page: no constant offset gives the frame"
            return Classified(va, area, False, None, why)
        pa = va - self.page_offset + self.phys_offset
        if not any(start <= pa < end for start, end in self._memblock.memory()):
            return Classified(va, area, True, None, f"the direct map has a hole there: {group_hex(pa)} is not RAM")
        return Classified(va, area, True, pa, f"direct map: {group_hex(va)} less the offset is {group_hex(pa)}")

    def phys_to_virt(self, pa: int) -> int:
        """Address of byte `pa` in the direct map."""
        area = self.area("direct map")
        va = pa - self.phys_offset + self.page_offset
        if area.start <= va < area.end:
            return va
        top = area.end - self.page_offset + self.phys_offset
        raise VmlabError(
            f"physical {group_hex(pa)} is not in the direct map, which ends at {group_hex(top)}: "
            "map it first (kmap, ioremap)"
        )
