"""/proc/pagetypeinfo, and the two files about fragmentation of /sys/kernel/debug/extfrag.

Linux 6.1, mm/vmstat.c: pagetypeinfo_show, extfrag_show_print, unusable_show_print. A kernel without
CONFIG_CMA has no row for CMA; CONFIG_MEMORY_ISOLATION is taken to be on, so there always is one for Isolate.

Left out: the count of mixed blocks, which needs CONFIG_PAGE_OWNER.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..kernel import Kernel
from ..physical.fragmentation import fragmentation_index, unusable_free_index
from ..physical.mem_map import MemMap
from ..physical.migratetype import Migratetype
from ..physical.zones import Zone
from ..ranges import Ranges
from ..units import VmlabError
from .read import text_of

MOST_COUNTED = 100_000  # pagetypeinfo_showfree_print stops walking a list there
FREE = re.compile(r"Node +(\d+), zone +(\w+), type +(\w+)((?:[ >]+\d+)+) *")
BLOCKS = re.compile(r"Node +(\d+), zone +(\w+)((?: +\d+)+) *")


@dataclass(frozen=True)
class ZoneTypes:
    """One zone: its free blocks of each order by type, and its pageblocks by type; type names as the file has them."""

    node: int
    name: str
    nr_free: dict[str, tuple[int, ...]]
    blocks: dict[str, int]


@dataclass(frozen=True)
class PageTypeInfo:
    """The file: the zones that have memory, and how large a pageblock is."""

    pageblock_order: int
    zones: tuple[ZoneTypes, ...]


def pagetypeinfo(kernel: Kernel) -> PageTypeInfo:
    """The modelled kernel's rows."""
    types = [mt for mt in Migratetype if mt != Migratetype.CMA or kernel.machine.config.cma_bytes]
    rows = []
    for zone in (zone for zone in kernel.zones if zone.populated):
        by_type = kernel.buddy.nr_free_by_type(zone)
        blocks = _block_types(kernel, zone)
        nr_free = {mt.title: tuple(by_type[mt]) for mt in types}
        rows.append(ZoneTypes(zone.node, zone.name, nr_free, {mt.title: blocks[mt] for mt in types}))
    return PageTypeInfo(kernel.buddy.shape.pageblock_order, tuple(rows))


def _block_types(kernel: Kernel, zone: Zone) -> list[int]:
    """Pageblocks that have struct pages, by type: counted from the zone's first frame on, aligned or not."""
    pages = 1 << kernel.buddy.shape.pageblock_order
    total = [0] * len(Migratetype)
    for start, end in _described(kernel.mem_map):
        low, high = max(start, zone.start_pfn), min(end, zone.end_pfn)
        low += -(low - zone.start_pfn) % pages
        if low < high:
            found = kernel.buddy.area_of(zone).block_types(low, high)
            total = [one + other for one, other in zip(total, found, strict=True)]
    return total


def _described(mem_map: MemMap) -> Iterator[tuple[int, int]]:
    """Frames that have a struct page; ARM gives back those of holes between banks."""
    size = mem_map.struct_page_bytes
    for piece in mem_map.pieces:
        kept = Ranges()
        kept.add(piece.first_pfn, piece.end_pfn)
        for start, end in mem_map.freed:
            kept.remove(piece.first_pfn - (piece.pa - start) // size, piece.first_pfn - (piece.pa - end) // size)
        yield from kept


def print_pagetypeinfo(kernel: Kernel) -> str:
    """/proc/pagetypeinfo of the modelled kernel, right now."""
    return format_pagetypeinfo(pagetypeinfo(kernel))


def format_pagetypeinfo(info: PageTypeInfo) -> str:
    """The file's text; each node begins anew."""
    text = ""
    for node in dict.fromkeys(zone.node for zone in info.zones):
        text += _node_text(info.pageblock_order, [zone for zone in info.zones if zone.node == node])
    return text


def _node_text(order: int, zones: Sequence[ZoneTypes]) -> str:
    orders = range(len(next(iter(zones[0].nr_free.values()))))
    lines = [f"Page block order: {order}", f"Pages per block:  {1 << order}", ""]
    lines.append(f"{'Free pages count per migrate type at order':<43} " + "".join(f"{o:6} " for o in orders))
    for zone in zones:
        for name, counts in zone.nr_free.items():
            numbers = "".join(_capped(count) for count in counts)
            lines.append(f"Node {zone.node:4}, zone {zone.name:>8}, type {name:>12} {numbers}")
    lines += ["", f"{'Number of blocks type ':<23}" + "".join(f"{name:>12} " for name in zones[0].blocks)]
    for zone in zones:
        counted = "".join(f"{count:12} " for count in zone.blocks.values())
        lines.append(f"Node {zone.node}, zone {zone.name:>8} {counted}")
    return "".join(line + "\n" for line in lines)


def _capped(count: int) -> str:
    return f">{MOST_COUNTED:6} " if count >= MOST_COUNTED else f"{count:6} "


def read_pagetypeinfo(path: str | Path = "/proc/pagetypeinfo") -> PageTypeInfo:
    """This machine's (only root may read it), or a saved file."""
    remedy = "as root (sudo), or read a saved file: read_pagetypeinfo(procfs.sample('pagetypeinfo'))"
    return parse_pagetypeinfo(text_of(path, remedy), str(path))


def parse_pagetypeinfo(text: str, name: str = "pagetypeinfo") -> PageTypeInfo:
    """The rows of a pagetypeinfo text."""
    order: int | None = None
    types: list[str] = []
    free: dict[tuple[int, str], dict[str, tuple[int, ...]]] = {}
    blocks: dict[tuple[int, str], dict[str, int]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("Page block order:"):
            order = int(line.split(":")[1])
        elif line.startswith("Number of blocks type"):
            types = line.split()[4:]
        elif found := FREE.fullmatch(line):
            counts = tuple(int(count) for count in found[4].replace(">", " ").split())
            free.setdefault((int(found[1]), found[2]), {})[found[3]] = counts
        elif (found := BLOCKS.fullmatch(line)) and len(types) == len(found[3].split()):
            blocks[int(found[1]), found[2]] = dict(zip(types, map(int, found[3].split()), strict=True))
        elif line.strip() and not line.startswith(("Pages per block", "Free pages count")):
            raise VmlabError(f"{name}, line {number}: expected a zone's free or pageblock counts, got {line[:60]!r}")
    if order is None or not free or free.keys() != blocks.keys():
        raise VmlabError(f"{name}: expected a page block order, and for each zone free and pageblock counts")
    rows = (ZoneTypes(*key, nr_free, blocks[key]) for key, nr_free in free.items())
    return PageTypeInfo(order, tuple(rows))


def print_extfrag_index(kernel: Kernel) -> str:
    """extfrag_index: why a request of each order would fail; -1.000 where it would not."""
    return _indices(kernel, fragmentation_index, 2)


def print_unusable_index(kernel: Kernel) -> str:
    """unusable_index: how much of free memory is of no use for a request of each order."""
    return _indices(kernel, unusable_free_index, 1)


def _indices(kernel: Kernel, measure: Callable[[Sequence[int], int], int], width: int) -> str:
    lines = []
    for zone in (zone for zone in kernel.zones if zone.populated):
        nr_free = kernel.buddy.nr_free(zone)
        values = [measure(nr_free, order) for order in range(len(nr_free))]
        numbers = "".join(f"{_whole(value):>{width}}.{abs(value) % 1000:03} " for value in values)
        lines.append(f"Node {zone.node}, zone {zone.name:>8} {numbers}\n")
    return "".join(lines)


def _whole(value: int) -> int:
    """C's index / 1000: towards zero."""
    return int(value / 1000)
