"""Linux's two lists over a trace of page numbers, page by page: what the compiled policy `linux` does, to look into.

    pages = TracePages(Lruvec(), frames=4)
    pages.reference(7)                       # the page that had to go, or None
    pages.lists.stat, pages.lists.lists      # what /proc/vmstat would count, and the lists

Every page is anonymous and mapped once. When all frames are in use a miss frees one page, not SWAP_CLUSTER_MAX of
them, so that a small memory can be compared with other policies.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .lruvec import Lruvec
from .reclaim import Look, Report, Scan


@dataclass(eq=False)
class TracePage:
    """A page of a trace: anonymous, mapped once."""

    number: int
    is_file: bool = False
    active: bool = False
    referenced: bool = False
    young: bool = True  # the accessed bit


class TracePages:
    """A trace of page numbers on the lists: each reference sets the accessed bit, a miss needs a frame."""

    def __init__(self, lists: Lruvec, frames: int) -> None:
        self.lists, self.frames = lists, frames
        self.scan = Scan(lists, self, exact=True)
        self.resident: dict[int, TracePage] = {}

    def look(self, page: TracePage) -> Look:
        """The one entry's accessed bit, which is clear afterwards."""
        seen, page.young = page.young, False
        return Look(int(seen))

    def evict(self, page: TracePage) -> bool:
        """A page of a trace can always go."""
        del self.resident[page.number]
        return True

    def key(self, page: TracePage) -> int:
        """Its number."""
        return page.number

    def written(self) -> int:
        """None: a trace does not say what was written to."""
        return 0

    def reference(self, number: int) -> TracePage | None:
        """One reference; returns the page that had to go, if one had."""
        if number in self.resident:
            self.resident[number].young = True
            return None
        report = Report(0)
        while len(self.resident) == self.frames and not report:
            report = self.scan.reclaim(1)
        page = TracePage(number)
        self.resident[number] = page
        self.lists.add(page, number)
        return report.freed[0] if report else None

    def run(self, trace: Iterable[int]) -> list[int | None]:
        """For each miss the page that had to go, or None."""
        out: list[int | None] = []
        for number in trace:
            is_miss = number not in self.resident
            gone = self.reference(number)
            if is_miss:
                out.append(gone.number if gone else None)
        return out
