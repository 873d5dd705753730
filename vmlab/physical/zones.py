"""Zones and nodes: ranges of frames, and how many of each range's frames count.

A zone is a range of frames of one node. Spanned counts every frame of the range, present those that are
RAM, managed those that the page allocator got (Linux 6.1, include/linux/mmzone.h).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..units import PAGE_SIZE, VmlabError, human


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

    def __repr__(self) -> str:
        sizes = (f"{zone.name} {human(zone.present_pages * PAGE_SIZE)}" for zone in self._zones if zone.populated)
        return f"<Zones: {', '.join(sizes)}>"

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
