"""Every area of one kernel's address space, and what kind of address a number is.

The areas and the gaps between them cover every address once: `whole` is that ruler, ascending, and `classify` reads
it. An answer follows from the address alone, as the kernel was told at boot; what the page tables say is another
question (`virtual/layout_truth.py`), and what the kernel's own tests would say a third (`virtual/pointer_tests.py`).

Left out: memory that a running kernel takes out of the direct map (secretmem, debug_pagealloc, set_memory_np), and
MEMBLOCK_NOMAP.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .. import arch
from ..arch import Arch, Area, Bounds
from ..arch.space import DIRECT_MAP, IMAGE, USER, Space
from ..machine import Machine
from ..physical.mem_map import MemMap
from ..physical.memblock import Memblock
from ..units import VmlabError, group_hex

Got = list[tuple[int, int, str]]  # boot allocations: (start, end, caller)
WORD = 1 << 64


class Classified(NamedTuple):
    """What an address is: its area, whether it is logical (in the direct map), and where a constant offset leads."""

    va: int
    area: Area
    logical: bool
    pa: int | None
    reason: str


class Stretch(NamedTuple):
    """Addresses from `start` up to the next stretch that all get the same answer; `area` is a number in `whole`."""

    start: int
    area: int
    logical: bool
    offset: int | None  # va - pa, mod 2**64


class Layout:
    """The virtual addresses of one kernel."""

    def __init__(self, space: Space, constants: Mapping[str, int], mem_map: MemMap | None = None) -> None:
        self.space = space
        self.constants = dict(constants)
        self.areas = space.areas
        self.page_offset, self.phys_offset = space.page_offset, space.phys_offset
        self.mem_map = mem_map
        self.top = 1 << space.bits
        self.whole = tuple(_whole(space))
        self.stretches = tuple(stretch for number, area in enumerate(self.whole) for stretch in _cut(number, area))
        self._starts = [stretch.start for stretch in self.stretches]

    def __repr__(self) -> str:
        return f"<Layout: {', '.join(f'{area.name} {group_hex(area.start)}' for area in self.areas)}>"

    def area(self, name: str) -> Area:
        """The area called `name`."""
        for area in self.whole:
            if area.name == name:
                return area
        raise VmlabError(f"area: expected one of {', '.join(area.name for area in self.whole)}, got {name!r}")

    def classify(self, va: int) -> Classified:
        """Which area `va` is in, by the address alone."""
        if not isinstance(va, int) or isinstance(va, bool) or not 0 <= va < self.top:
            shown = f"{va:#x}" if isinstance(va, int) else repr(va)
            raise VmlabError(f"address {shown}: expected 0 <= address < {self.top:#x} on this machine")
        stretch = self.stretches[bisect_right(self._starts, va) - 1]
        area = self.whole[stretch.area]
        pa = None if stretch.offset is None else (va - stretch.offset) % WORD
        return Classified(va, area, stretch.logical, pa, _reason(va, area, pa))

    def phys_to_virt(self, pa: int) -> int:
        """Address of byte `pa` in the direct map."""
        area = self.area(DIRECT_MAP)
        va = (pa + (area.offset or 0)) % WORD
        if 0 <= pa < WORD and area.start <= va < area.end:
            return va
        top = (area.end - (area.offset or 0)) % WORD
        raise VmlabError(
            f"physical {group_hex(pa)} is not in the direct map, which ends at {group_hex(top)}: "
            "map it first (kmap, ioremap)"
        )

    def alias(self, va: int) -> int:
        """The direct map's address of the byte that `va` reaches by a constant offset: there and back.

        The kernel image's address and its alias differ on 64-bit kernels; elsewhere an address is its own alias.
        """
        found = self.classify(va)
        if found.pa is None:
            raise VmlabError(f"{group_hex(va)} has no physical address that a rule gives: {found.reason}")
        return self.phys_to_virt(found.pa)


def kernel_layout(
    machine: Machine,
    bounds: Bounds,
    memblock: Memblock,
    *,
    got: Got | None = None,
    mem_map: MemMap | None = None,
    bases: Mapping[str, int] | None = None,
) -> Layout:
    """The layout of a booted kernel; with `bases`, of the same kernel where KASLR drew those."""
    rows = arch.get(machine.arch)
    space = rows.space(machine, bounds, memblock.memory(), bases or {})
    constants = rows.constants(machine, bounds) | rows.placed_constants(machine, memblock, got or [])
    return Layout(space, constants | dict(bases or {}), mem_map)


def layout_of(machine: Machine, bases: Mapping[str, int] | None = None) -> Layout:
    """The layout of a machine's kernel without booting it: firmware's map and lowmem are enough."""
    bounds, memblock = _lowmem(machine, arch.get(machine.arch))
    return kernel_layout(machine, bounds, memblock, bases=bases)


def drawn(machine: Machine, words: list[int]) -> dict[str, int]:
    """The bases that KASLR computes on this machine from random words of 64 bits; for `layout_of`."""
    rows = arch.get(machine.arch)
    if any(not 0 <= word < WORD for word in words):
        raise VmlabError(f"words: expected random words from 0 to 2**64 - 1, got {words!r}")
    return rows.draw(machine, _lowmem(machine, rows)[0], words)


def _lowmem(machine: Machine, rows: Arch) -> tuple[Bounds, Memblock]:
    memblock = Memblock()
    for start, end, node in rows.firmware_memory(machine):
        memblock.add(start, end, node, "RAM in the firmware's map")
    return rows.bounds(machine, memblock), memblock


def _whole(space: Space) -> Iterator[Area]:
    """Every area and, between them, every gap with a name: each address once."""
    known = [area for area in (*space.areas, *space.others) if area.start < area.end]
    end, above = 0, ""
    for area in sorted(known, key=lambda area: area.start):
        if area.start < end:
            raise VmlabError(f"{area.name} at {group_hex(area.start)} begins before {group_hex(end)}: areas overlap")
        if end < area.start:
            yield _gap(end, area.start, above or f"hole below {area.name}")
        yield area
        end, above = area.end, "hole above the direct map" if area.name == DIRECT_MAP else ""
    if end < 1 << space.bits:
        yield _gap(end, 1 << space.bits, above or "hole at the top")


def _gap(start: int, end: int, name: str) -> Area:
    return Area(name, start, end, "no area of this kernel is there", hole=True)


def _cut(number: int, area: Area) -> Iterator[Stretch]:
    """The stretches of one area: where its offset holds, and between those."""
    logical, at = area.name == DIRECT_MAP, area.start
    for low, high in area.mapped if area.offset is not None else ():
        if at < low:
            yield Stretch(at, number, logical, None)
        yield Stretch(low, number, logical, area.offset)
        at = high
    if at < area.end:
        yield Stretch(at, number, logical, None)


def _reason(va: int, area: Area, pa: int | None) -> str:
    if pa is not None:
        return f"{area.name}: {group_hex(va)} less the offset is {group_hex(pa)}"
    if area.name == USER:
        return "a user address: ask that process's page table"
    if area.hole:
        return f"{area.name}: {area.what}"
    if area.offset is None:
        return f"{area.name} is mapped page by page: no constant offset gives the frame"
    if area.name == IMAGE:
        return "the window of the kernel image, but not the image: no constant offset gives the frame"
    reached = (va - area.offset) % WORD
    return f"the direct map has a hole there: {group_hex(reached)} is not RAM"
