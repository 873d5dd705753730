"""The rows of zoneinfo, buddyinfo and iomem: the same for a modelled kernel and for a real one."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..physical.zones import Watermark


@dataclass(frozen=True)
class ZoneInfo:
    """One zone of /proc/zoneinfo, with the model's names for what both have. Counts are pages."""

    node: int
    name: str
    pages: dict[str, int]  # free, boost, min, low, high, spanned, present, managed, cma ...
    lowmem_reserve: tuple[int, ...]  # the protection: line
    node_stats: dict[str, int] = field(default_factory=dict)
    vm_stat: dict[str, int] = field(default_factory=dict)
    pagesets: tuple[dict[str, int], ...] = ()  # cpu, count, high, batch, vm stats threshold
    last: dict[str, int] = field(default_factory=dict)  # node_unreclaimable, start_pfn

    @property
    def free_pages(self) -> int:
        """Pages on buddy's lists."""
        return self.pages["free"]

    @property
    def spanned_pages(self) -> int:
        """Every frame of the zone's range."""
        return self.pages["spanned"]

    @property
    def present_pages(self) -> int:
        """Frames that are RAM."""
        return self.pages["present"]

    @property
    def managed_pages(self) -> int:
        """Frames that the page allocator got."""
        return self.pages["managed"]

    @property
    def watermark(self) -> Watermark:
        """The three marks."""
        return Watermark(self.pages["min"], self.pages["low"], self.pages["high"])

    @property
    def start_pfn(self) -> int:
        """First frame; 0 for an empty zone, whose start the file does not tell."""
        return self.last.get("start_pfn", 0)

    @property
    def end_pfn(self) -> int:
        """One past the last frame."""
        return self.start_pfn + self.spanned_pages


@dataclass(frozen=True)
class BuddyInfo:
    """One line of /proc/buddyinfo: free blocks of each order."""

    node: int
    name: str
    nr_free: tuple[int, ...]

    @property
    def free_pages(self) -> int:
        """All of them, in pages."""
        return sum(count << order for order, count in enumerate(self.nr_free))


@dataclass(frozen=True)
class Resource:
    """One line of /proc/iomem: physical bytes `start`..`end`, half open; `depth` 0 is the outermost."""

    depth: int
    start: int
    end: int
    name: str
