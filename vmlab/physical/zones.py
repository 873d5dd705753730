"""From zone limits to zones: start, spanned and present pages, and where ZONE_MOVABLE begins.

A zone is a range of frames of one node. Spanned counts every frame of the range, present those that are
RAM, managed those that the page allocator got (Linux 6.1, mm/page_alloc.c:free_area_init).

Left out: kernelcore=mirror, movable_node (hotplug), memoryless nodes, ZONE_DEVICE's own pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..machine import Machine
from ..parts import ZoneSplit
from ..units import PAGE_SHIFT, VmlabError, align_up, human, memparse, pfn_down, pfn_up
from .memblock import Memblock

MIGRATE_TYPES = 6
BITS_OF_ZONE_TABLE_ENTRY = 16  # GFP_ZONE_TABLE has 16 entries of ZONES_SHIFT bits in one unsigned long


@dataclass(frozen=True, slots=True)
class Watermark:
    """Free pages below which the allocator acts: refuses ordinary requests, wakes kswapd, lets it sleep."""

    min: int = 0
    low: int = 0
    high: int = 0


@dataclass(slots=True)
class Zone:
    """struct zone: counts are pages of 4096 bytes, `start_pfn` a frame number."""

    node: int
    index: int
    name: str
    start_pfn: int = 0
    spanned_pages: int = 0
    present_pages: int = 0
    managed_pages: int = 0
    cma_pages: int = 0
    highmem: bool = False
    excluded: bool = False  # in no zonelist: only its owner allocates from it
    watermark: Watermark = Watermark()
    lowmem_reserve: tuple[int, ...] = ()
    pcp_batch: int = 0
    pcp_high: int = 0

    @property
    def end_pfn(self) -> int:
        """One past the last frame."""
        return self.start_pfn + self.spanned_pages

    @property
    def populated(self) -> bool:
        """Whether the zone has any RAM (populated_zone)."""
        return self.present_pages > 0

    def holds(self, pfn: int) -> bool:
        """Whether frame `pfn` lies in the zone's span."""
        return self.start_pfn <= pfn < self.end_pfn


class Zones:
    """The zones of a node or of a machine, in the order of enum zone_type; by index or by name."""

    def __init__(self, zones: list[Zone]) -> None:
        self._zones = zones

    def __iter__(self) -> Iterator[Zone]:
        return iter(self._zones)

    def __len__(self) -> int:
        return len(self._zones)

    def __getitem__(self, key: str | int) -> Zone:
        if isinstance(key, int):
            return self._zones[key]
        found = [zone for zone in self._zones if zone.name == key]
        if not found:
            names = ", ".join(dict.fromkeys(zone.name for zone in self._zones))
            raise VmlabError(f"zone: expected one of {names}, got {key!r}")
        populated = [zone for zone in found if zone.populated] or found
        if len(populated) > 1:
            raise VmlabError(f"zone {key!r} exists on {len(populated)} nodes: ask one node, k.nodes[0].zones[{key!r}]")
        return populated[0]

    def of(self, pfn: int) -> Zone | None:
        """The zone that frame `pfn` belongs to, or None for a frame outside every zone."""
        return next((zone for zone in self._zones if zone.holds(pfn)), None)


@dataclass(slots=True)
class Node:
    """struct pglist_data: a range of frames with its own zones."""

    id: int
    start_pfn: int
    end_pfn: int
    zones: Zones
    present_pages: int = 0

    @property
    def spanned_pages(self) -> int:
        """Frames from the first to the last, holes included."""
        return self.end_pfn - self.start_pfn


@dataclass(slots=True)
class Limits:
    """What free_area_init works with: each zone type's lowest and highest possible frame."""

    names: list[str]
    low: list[int]
    high: list[int]
    movable_zone: int  # index of the zone that ZONE_MOVABLE takes its pages from
    highmem_from: int | None  # first frame outside the direct map
    excluded: set[str] = field(default_factory=set)

    def is_highmem(self, index: int) -> bool:
        """include/linux/mmzone.h:is_highmem_idx, and the same for an added zone outside the direct map."""
        if self.highmem_from is None:
            return False
        if self.names[index] == "Movable":
            index = self.movable_zone
        return self.names[index] == "HighMem" or (
            self.low[index] >= self.highmem_from and self.low[index] < self.high[index]
        )


def limits(names: tuple[str, ...], max_zone_pfns: dict[str, int], first_pfn: int, highmem_from: int | None) -> Limits:
    """Lowest and highest possible frame of each zone type: each begins where the last one ended."""
    low, high = [], []
    start = first_pfn
    for name in names:
        end = start if name in ("Movable", "Device") else max(max_zone_pfns.get(name, 0), start)
        low.append(start)
        high.append(end)
        start = end
    usable = [index for index, name in enumerate(names) if name != "Movable" and high[index] > low[index]]
    if not usable:
        raise VmlabError("ram: no zone has a single whole frame; expected at least one page of RAM in lowmem")
    return Limits(list(names), low, high, max(usable), highmem_from)


def split(found: Limits, want: ZoneSplit, bits_per_long: int) -> None:
    """Cut a new zone out of the bottom (below=) or the top (above=) of another one, in place."""
    donor = want.below or want.above
    if donor not in found.names or donor in ("Movable", "Device"):
        usable = [name for name in found.names if name not in ("Movable", "Device")]
        raise VmlabError(f"zone {want.name}: expected to be cut from one of {', '.join(usable)}, got {donor!r}")
    if want.name in found.names:
        raise VmlabError(f"zone {want.name}: there is already a zone of that name; choose another")
    check_zone_count([*found.names, want.name], bits_per_long)
    index = found.names.index(donor)
    pages, room = want.size >> PAGE_SHIFT, found.high[index] - found.low[index]
    if pages > room:
        remedy = f"ask for at most {human(room << PAGE_SHIFT)}" if room else "cut another zone, or add RAM"
        raise VmlabError(
            f"zone {want.name}: {human(want.size)} ({pages} pages) cannot be cut from {donor}, which has {room} pages; "
            f"{remedy}"
        )
    if want.below:
        cut = found.low[index] + pages
        place, low, high, found.low[index] = index, found.low[index], cut, cut
    else:
        cut = found.high[index] - pages
        place, low, high, found.high[index] = index + 1, cut, found.high[index], cut
    found.names.insert(place, want.name)
    found.low.insert(place, low)
    found.high.insert(place, high)
    if want.excluded:
        found.excluded.add(want.name)
    populated = [i for i, name in enumerate(found.names) if name != "Movable" and found.high[i] > found.low[i]]
    served = [i for i in populated if found.names[i] not in found.excluded]
    if all(found.is_highmem(i) for i in served):
        raise VmlabError(
            f"zone {want.name}: with all of {donor} gone no lowmem is left for the kernel; "
            f"ask for less than {human(room << PAGE_SHIFT)}, or leave the zone in the zonelists (excluded=False)"
        )
    found.movable_zone = max(served)


def check_zone_count(names: list[str], bits_per_long: int) -> None:
    """include/linux/gfp.h: 16 entries of ZONES_SHIFT bits must fit in one long, or the kernel does not build."""
    zones_shift = max(1, (len(names) - 1).bit_length())
    if BITS_OF_ZONE_TABLE_ENTRY * zones_shift <= bits_per_long:
        return
    spare = "DMA" if "DMA" in names else "HighMem"
    remedy = {
        "DMA": "give up ZONE_DMA, with_config(zone_dma=False): lowmem is then ZONE_NORMAL",
        "HighMem": "build a kernel without CONFIG_HIGHMEM, with_config(highmem=False)",
    }[spare]
    raise VmlabError(
        f"{len(names)} zones ({', '.join(names)}) do not fit a {bits_per_long}-bit kernel: GFP_ZONE_TABLE packs 16 "
        f"entries of {zones_shift} bits in one long, so at most 4 zones; {remedy}"
    )


def movable_starts(found: Limits, machine: Machine, memblock: Memblock) -> dict[int, int]:
    """First frame of ZONE_MOVABLE on each node that has one (find_zone_movable_pfns_for_nodes)."""
    max_order_pages = 1 << ((machine.config.max_order or 1) - 1)
    banks = {nid: [(pfn_up(a), pfn_down(b)) for a, b in memblock.memory(nid)] for nid in memblock.nodes()}
    total = sum(b - a for node in banks.values() for a, b in node)
    core = _pages_asked(machine, "kernelcore", total)
    movable = _pages_asked(machine, "movablecore", total)
    if movable:
        core = max(core, total - min(total, align_up(movable, max_order_pages)))
    if not core or core >= total:
        return {}
    start = dict.fromkeys(banks, 0)
    for usable_nodes in range(len(banks), 0, -1):
        core = _spread(core, usable_nodes, found.low[found.movable_zone], banks, start)
        if not (usable_nodes > 1 and core > usable_nodes - 1):
            break
    rounded = {nid: align_up(pfn, max_order_pages) for nid, pfn in start.items() if pfn}
    return {nid: pfn for nid, pfn in rounded.items() if pfn < banks[nid][-1][1]}


def _spread(
    core: int, nodes: int, usable_from: int, banks: dict[int, list[tuple[int, int]]], start: dict[int, int]
) -> int:
    """One pass of the kernel's loop: give every node its share of kernelcore; returns what is still wanted."""
    share = core // nodes
    for nid, ranges in banks.items():
        share = core // nodes if core < share else share
        left = share
        for low, high in ranges:
            low = max(low, start[nid])
            if low >= high:
                continue
            if low < usable_from:
                kernel_only = min(high, usable_from) - low
                left -= min(kernel_only, left)
                core -= min(kernel_only, core)
                if high <= usable_from:
                    start[nid] = high
                    continue
                low = usable_from
            taken = min(high - low, left)
            start[nid] = low + taken
            core -= min(core, taken)
            left -= taken
            if not left:
                break
    return core


def _pages_asked(machine: Machine, parameter: str, total: int) -> int:
    """kernelcore= and movablecore=: a size, or a share of all memory with a per cent sign."""
    text = machine.parameter(parameter)
    if text is None:
        return 0
    if text == "mirror":
        raise VmlabError(
            f"{parameter}=mirror is left out of this model: give a size such as 512M, or a share such as 25%"
        )
    if text.endswith("%") and text[:-1].isdecimal():
        return total * 100 * int(text[:-1]) // 10000
    try:
        return memparse(text) >> PAGE_SHIFT
    except VmlabError as bad:
        raise VmlabError(f"kernel parameter {parameter}=: {bad}; or a share such as 25%") from None


def build(found: Limits, movable: dict[int, int], memblock: Memblock) -> list[Node]:
    """Every node with its zones: zone_spanned_pages_in_node and zone_absent_pages_in_node."""
    nodes = []
    for nid in memblock.nodes():
        banks = [(pfn_up(a), pfn_down(b)) for a, b in memblock.memory(nid)]
        node = Node(nid, banks[0][0], banks[-1][1], Zones([]))
        zones = [_zone(found, index, node, movable.get(nid, 0), banks) for index in range(len(found.names))]
        node.zones = Zones(zones)
        node.present_pages = sum(zone.present_pages for zone in zones)
        # calculate_node_totalpages: RAM beyond the zones' limits (highmem=, no CONFIG_HIGHMEM) is not spanned
        node.end_pfn = node.start_pfn + sum(zone.spanned_pages for zone in zones)
        nodes.append(node)
    return nodes


def grouping(zones: list[Zone], pageblock_order: int) -> bool:
    """Whether pages are kept apart by migratetype: memory for one pageblock of each (build_all_zonelists)."""
    return sum(zone.managed_pages for zone in zones) >= MIGRATE_TYPES << pageblock_order


def _zone(found: Limits, index: int, node: Node, movable_pfn: int, banks: list[tuple[int, int]]) -> Zone:
    name = found.names[index]
    zone = Zone(node.id, index, name, highmem=found.is_highmem(index), excluded=name in found.excluded)
    low, high = found.low[index], found.high[index]
    start, end = min(max(node.start_pfn, low), high), min(max(node.end_pfn, low), high)
    if movable_pfn:
        if name == "Movable":
            start, end = movable_pfn, min(node.end_pfn, found.high[found.movable_zone])
        elif start < movable_pfn < end:
            end = movable_pfn
        elif start >= movable_pfn:
            end = start
    start, end = max(start, node.start_pfn), min(end, node.end_pfn)
    if end > start:
        zone.start_pfn, zone.spanned_pages = start, end - start
        zone.present_pages = sum(max(0, min(b, end) - max(a, start)) for a, b in banks)
    return zone
