"""Where the array of struct page lies, and which frames hold it.

Three models (Linux 6.1): FLATMEM, one array a node from mm/page_alloc.c:alloc_node_mem_map; SPARSEMEM, one
array a section from mm/sparse.c:sparse_init_nid; SPARSEMEM_VMEMMAP, the same frames seen at one fixed
virtual place. All are boot allocations, so the boot allocator's rule decides the place.

Left out: memory hotplug (memmap_on_memory), ZONE_DEVICE's altmap, huge-page vmemmap optimisation, and the
page tables that map a vmemmap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..arch import Arch, Bounds
from ..machine import Machine
from ..parts import BootCall
from ..ranges import Ranges
from ..units import PAGE_SHIFT, PAGE_SIZE, MiB, VmlabError, align_down, align_up, group_hex, pfn_up
from .memblock import Memblock
from .zones import Node

SMP_CACHE_BYTES = 64
PMD_SIZE = 2 * MiB


@dataclass(frozen=True, slots=True)
class Piece:
    """Struct pages of frames `first_pfn`..`end_pfn`, at physical `pa` and virtual `va`, without a gap."""

    first_pfn: int
    end_pfn: int
    pa: int
    va: int
    described: tuple[int, int]  # the part of first_pfn..end_pfn that the node spans


@dataclass(frozen=True, slots=True)
class Cover:
    """A stretch of one allocation: the struct pages of `first_pfn`..`end_pfn`, in `bytes` bytes."""

    first_pfn: int
    end_pfn: int
    bytes: int
    described: tuple[int, int]  # what of it the node's first and last frame leave


@dataclass(frozen=True, slots=True)
class Request:
    """One allocation of struct pages and the stretches it is made of, in order."""

    call: BootCall
    covers: tuple[Cover, ...]


class MemMap:
    """The array of struct page of a booted kernel. Addresses are plain ints, in bytes."""

    def __init__(self, model: str, struct_page_bytes: int, pieces: Iterable[Piece], allocations: list[tuple[int, int]]):
        self.model = model
        self.struct_page_bytes = struct_page_bytes
        self.pieces = tuple(sorted(pieces, key=lambda piece: piece.first_pfn))
        self.allocations = tuple(sorted(allocations))  # physical (start, end) of each boot allocation
        self.freed: tuple[tuple[int, int], ...] = ()  # parts given back (free_unused_memmap)

    def __repr__(self) -> str:
        return f"<MemMap: {self.model}, {self.struct_page_bytes} bytes a frame from {group_hex(self.va)} on>"

    @property
    def va(self) -> int:
        """Virtual address of the first struct page."""
        return self.pieces[0].va

    @property
    def bytes(self) -> int:
        """Bytes allocated for struct pages."""
        return sum(end - start for start, end in self.allocations)

    @property
    def physical_ranges(self) -> list[tuple[int, int]]:
        """Physical (start, end) of the struct pages of the machine's frames, a piece each."""
        size = self.struct_page_bytes
        return [
            (piece.pa + (low - piece.first_pfn) * size, piece.pa + (high - piece.first_pfn) * size)
            for piece in self.pieces
            for low, high in [piece.described]
        ]

    @property
    def frames(self) -> tuple[range, ...]:
        """The frames that hold the struct pages of the machine's frames, as the kernel placed them."""
        return tuple(_joined([range(low >> PAGE_SHIFT, pfn_up(high)) for low, high in self.physical_ranges]))

    def holds(self, pfn: int) -> bool:
        """Whether frame `pfn` belongs to the array: write to it and the kernel loses track of its memory.

        Counts the whole allocation, the struct pages beyond the last frame too, but not what ARM gave back
        because it described a hole between banks (`freed`).
        """
        low, high = pfn << PAGE_SHIFT, (pfn + 1) << PAGE_SHIFT
        inside = any(start < high and low < end for start, end in self.allocations)
        return inside and not any(start <= low and high <= end for start, end in self.freed)

    def pfn_to_page(self, pfn: int) -> int:
        """Virtual address of the struct page that describes frame `pfn`."""
        for piece in self.pieces:
            if piece.first_pfn <= pfn < piece.end_pfn:
                return piece.va + (pfn - piece.first_pfn) * self.struct_page_bytes
        raise VmlabError(f"pfn {pfn:#x} has no struct page: expected a frame in {self._described()}")

    def page_to_pfn(self, va: int) -> int:
        """Frame described by the struct page at `va`."""
        for piece in self.pieces:
            offset = va - piece.va
            if 0 <= offset < (piece.end_pfn - piece.first_pfn) * self.struct_page_bytes:
                index, inside = divmod(offset, self.struct_page_bytes)
                if inside:
                    raise VmlabError(f"{group_hex(va)} is {inside} bytes into a struct page: expected its first byte")
                return piece.first_pfn + index
        raise VmlabError(f"{group_hex(va)} is not the address of a struct page of this machine")

    def pa_of_page(self, pfn: int) -> int:
        """Physical address of the struct page of `pfn`."""
        for piece in self.pieces:
            if piece.first_pfn <= pfn < piece.end_pfn:
                return piece.pa + (pfn - piece.first_pfn) * self.struct_page_bytes
        raise VmlabError(f"pfn {pfn:#x} has no struct page: expected a frame in {self._described()}")

    def _described(self) -> str:
        return ", ".join(f"{piece.first_pfn:#x}..{piece.end_pfn - 1:#x}" for piece in self.pieces[:4])


def requests(machine: Machine, rows: Arch, nodes: list[Node], memblock: Memblock) -> list[Request]:
    """What the kernel asks the boot allocator for, node by node."""
    if machine.config.memory_model == "FLATMEM":
        return [_flat(machine, node) for node in nodes]
    owned = _sections(rows.section_shift(machine.config), memblock)
    return [_sparse(machine, rows, node, owned[node.id]) for node in nodes if node.id in owned]


def _flat(machine: Machine, node: Node) -> Request:
    """alloc_node_mem_map: both ends on MAX_ORDER_NR_PAGES, holes included."""
    block = 1 << ((machine.config.max_order or 1) - 1)
    start, end = align_down(node.start_pfn, block), align_up(node.end_pfn, block)
    size = (end - start) * (machine.config.struct_page_bytes or 0)
    call = BootCall("alloc", size=size, align=SMP_CACHE_BYTES, nid=node.id)
    return Request(call, (Cover(start, end, size, (node.start_pfn, node.end_pfn)),))


def section_map_bytes(machine: Machine, rows: Arch) -> int:
    """Bytes of one section's struct pages: whole pages, and on vmemmap kernels whole 2 MiB blocks."""
    pages = 1 << (rows.section_shift(machine.config) - PAGE_SHIFT)
    unit = PMD_SIZE if machine.config.memory_model == "SPARSEMEM_VMEMMAP" else PAGE_SIZE
    return align_up(pages * (machine.config.struct_page_bytes or 0), unit)


def _sections(shift: int, memblock: Memblock) -> dict[int, Ranges]:
    """Each node's sections that have any memory: one with memory of two nodes is the lower node's (memory_present)."""
    owned: dict[int, Ranges] = {}
    known = Ranges()
    for start, end, node in sorted(memblock.banks):
        first, last = start >> shift, ((end - 1) >> shift) + 1
        for low, high in known.gaps_down(first, last):
            owned.setdefault(node, Ranges()).add(low, high)
        known.add(first, last)
    return owned


def _sparse(machine: Machine, rows: Arch, node: Node, present: Ranges) -> Request:
    """sparse_buffer_init: one block for all sections of the node."""
    shift = rows.section_shift(machine.config)
    unit = section_map_bytes(machine, rows)
    call = BootCall(
        "alloc",
        size=present.total() * unit,
        align=unit,
        nid=node.id,
        min_addr=rows.memmap_min_addr(machine),
        exact_nid=True,
    )
    return Request(
        call, tuple(_section_covers(present, unit, shift - PAGE_SHIFT, machine.config.struct_page_bytes or 0))
    )


def _section_covers(present: Ranges, unit: int, frames_shift: int, size: int) -> Iterator[Cover]:
    """Sections one by one, or whole runs of them where their arrays join without padding."""
    joined = unit == size << frames_shift
    for first, last in present:
        for low in (first,) if joined else range(first, last):
            high = last if joined else low + 1
            frames = (low << frames_shift, high << frames_shift)
            yield Cover(*frames, (high - low) * unit, frames)


def place(machine: Machine, rows: Arch, bounds: Bounds, placed: list[tuple[Request, int]]) -> MemMap:
    """The array, once the boot allocator has said where: `placed` pairs each request with its address."""
    size = machine.config.struct_page_bytes or 0
    to_va = rows.page_offset(machine) - rows.phys_offset(machine)
    virtual = machine.config.memory_model == "SPARSEMEM_VMEMMAP"
    vmemmap = rows.mem_map_place(machine, bounds) if virtual else 0
    pieces = []
    for request, start in placed:
        pa = start
        for cover in request.covers:
            va = vmemmap + cover.first_pfn * size if virtual else pa + to_va
            pieces.append(Piece(cover.first_pfn, cover.end_pfn, pa, va, cover.described))
            pa += cover.bytes
    allocations = [(start, start + request.call.size) for request, start in placed]
    return MemMap(machine.config.memory_model or "", size, pieces, allocations)


def unused(machine: Machine, mem_map: MemMap, memblock: Memblock, section_pages: int) -> list[tuple[int, int]]:
    """Parts of the array that describe holes between banks, given back on ARM (mm/memblock.c:free_unused_memmap)."""
    block = 1 << (machine.config.pageblock_order or 0)
    sparse = machine.config.memory_model == "SPARSEMEM"
    parts = []
    previous_end = end = 0
    for low, high in memblock.memory():
        start, end = pfn_up(low), high >> PAGE_SHIFT
        if sparse:
            start = min(start, align_up(previous_end, section_pages))
        start = align_down(start, block)
        if previous_end and previous_end < start:
            parts.append((previous_end, start))
        previous_end = align_up(end, block)
    if sparse and previous_end % section_pages:
        parts.append((previous_end, align_up(previous_end, section_pages)))
    return [freed for low, high in parts if (freed := _whole_pages(mem_map, low, high))[0] < freed[1]]


def _whole_pages(mem_map: MemMap, low_pfn: int, high_pfn: int) -> tuple[int, int]:
    size = mem_map.struct_page_bytes
    start = mem_map.pa_of_page(low_pfn - 1) + size
    end = mem_map.pa_of_page(high_pfn - 1) + size
    return align_up(start, PAGE_SIZE), align_down(end, PAGE_SIZE)


def _joined(runs: list[range]) -> list[range]:
    joined: list[range] = []
    for run in sorted(runs, key=lambda run: run.start):
        if joined and run.start <= joined[-1].stop:
            joined[-1] = range(joined[-1].start, max(joined[-1].stop, run.stop))
        else:
            joined.append(run)
    return joined
