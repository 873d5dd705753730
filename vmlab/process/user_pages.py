"""Reclaim over the pages of processes: which of them go is chosen by `reclaim.py`, how they go is `pageout.py`.

A page joins the lists when reclaim first looks after it came (lru_add_drain: until then it is in a batch of its CPU).
What came back from swap or was read again from its file is compared with the shadow that it left. Linux 6.1, mm/rmap.c:
folio_referenced_one reads and clears the accessed bit of every entry that maps the page.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from .events import Change
from .lruvec import Lruvec
from .memory import Memory
from .page import PageFrame
from .pageout import FREED
from .reclaim import SWAPPINESS, Kswapd, Look, Report, Scan
from .swap_entry import SwapEntry

MAX_RECLAIM_RETRIES = 16  # mm/page_alloc.c


class ListedPage:
    """A frame's page as the lists see it; PG_active and PG_referenced are the frame's own."""

    def __init__(self, page: PageFrame) -> None:
        self.page = page
        self.is_file = not page.anon and (page.file is None or not page.file.is_shmem)

    @property
    def active(self) -> bool:
        """PG_active."""
        return self.page.active

    @active.setter
    def active(self, value: bool) -> None:
        self.page.active = value

    @property
    def referenced(self) -> bool:
        """PG_referenced."""
        return self.page.referenced

    @referenced.setter
    def referenced(self, value: bool) -> None:
        self.page.referenced = value


class UserPages:
    """The lists of one machine's user memory, and the two who ask for frames: a task, and kswapd."""

    def __init__(
        self,
        memory: Memory,
        free_pages: Callable[[], int] = lambda: 0,
        low: int = 0,
        high: int = 0,
        swappiness: int = SWAPPINESS,
    ) -> None:
        self.memory, self.lists = memory, Lruvec()
        self.scan = Scan(self.lists, self, swappiness)
        self.free_pages = free_pages
        self.kswapd = Kswapd(self.scan, free_pages, low, high)
        self.arriving: dict[PageFrame, Hashable] = dict.fromkeys(memory)
        self.listed: dict[PageFrame, ListedPage] = {}
        self._left: Hashable = None  # the slot of the page that went last
        self._written = 0  # pages to swap since Scan last asked
        memory.on_page.append(self._heard)
        memory.on_change.append(self._changed)
        memory.reclaimer = self._direct

    # --- who asks ---

    def reclaim(self, wanted: int) -> Report:
        """Direct reclaim of so many pages; again, where a round frees too few (__alloc_pages_slowpath)."""
        self.drain()
        report = self.scan.reclaim(wanted, "direct", self.free_pages(), self.kswapd.high)
        for _ in range(MAX_RECLAIM_RETRIES):
            if len(report.freed) >= wanted or not len(self.lists):
                break
            self.memory.end_writeback()  # the round before waited for what it had begun to write
            report += self.scan.reclaim(wanted - len(report.freed), "direct", self.free_pages(), self.kswapd.high)
        return report

    def wake_kswapd(self) -> list[Report]:
        """Let kswapd run, if fewer pages are free than the low watermark."""
        self.drain()
        return self.kswapd.wake()

    def _direct(self, wanted: int) -> int:
        return int(self.reclaim(wanted))

    # --- pages come and go ---

    def drain(self) -> None:
        """lru_add_drain: what came since the last time joins the lists, in order."""
        self._see_swap()
        for page, key in self.arriving.items():
            listed = self.listed[page] = ListedPage(page)
            self.lists.add(listed, key if key is not None else _file_key(page))
        self.arriving.clear()

    def _heard(self, what: str, page: PageFrame) -> None:
        if what == "new":
            self.arriving[page] = None
        else:
            self.arriving.pop(page, None)
            listed = self.listed.pop(page, None)
            if listed is not None:
                self.lists.remove(listed)

    def _changed(self, change: Change) -> None:
        """A page that goes to swap, and one that comes back, is known by its slot."""
        if change.what == "swap out" and isinstance(change.new, SwapEntry):
            self._left = ("slot", *change.new.slot)
        if change.what == "swap in" and isinstance(change.old, SwapEntry) and isinstance(change.new, int):
            page = self.memory.frames.get(change.new)
            if page in self.arriving:
                self.arriving[page] = ("slot", *change.old.slot)

    # --- what reclaim asks of a page ---

    def look(self, listed: ListedPage) -> Look:
        """folio_referenced: count and clear the accessed bits."""
        count, executable, page = 0, False, listed.page
        for mm, va in page.rmap:
            pte, area = mm.table.pte(va), mm.vmas.find(va)
            executable |= area is not None and "x" in area.prot
            if pte.accessed and pte.pfn is not None:
                count += 1
                mm.table.set(va, pte.pfn, pte._replace(accessed=False))
        return Look(count, executable, page.mlocked)

    def evict(self, listed: ListedPage) -> bool:
        """Free the frame, if nothing forbids it."""
        self._left = None
        before = self._writes()
        outcome: Any = self.memory.reclaim_pages([listed.page])
        self._written += self._writes() - before
        self._see_swap()
        return bool(outcome.pages[0][1] == FREED)

    def written(self) -> int:
        """Pages that went to swap areas since this was last asked."""
        count, self._written = self._written, 0
        return count

    def _writes(self) -> int:
        return sum(area.writes for area in self.memory.swap.areas.values())

    def _see_swap(self) -> None:
        """total_swap_pages and nr_swap_pages, as the lists ask for them."""
        self.lists.has_swap = bool(self.memory.swap.areas)
        self.lists.swap_is_full = not self.memory.swap.free_pages

    def key(self, listed: ListedPage) -> Hashable:
        """The place in the file, or None for an anonymous page that is still here; after that its slot."""
        page = listed.page
        return _file_key(page) if page.file is not None else None if page.mapcount else self._left


def _file_key(page: PageFrame) -> Hashable:
    return None if page.file is None else ("file", id(page.file), page.index)
