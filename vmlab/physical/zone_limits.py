"""From zone limits to zones, added zones included: what mm/page_alloc.c:free_area_init does in Linux 6.1.

Left out: memoryless nodes, ZONE_DEVICE's own pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..parts import ZoneSplit
from ..units import PAGE_SHIFT, VmlabError, human, pfn_down, pfn_up
from .memblock import Memblock
from .zones import Node, Zone, Zones

BITS_OF_ZONE_TABLE_ENTRY = 16  # GFP_ZONE_TABLE has 16 entries of ZONES_SHIFT bits in one unsigned long


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
