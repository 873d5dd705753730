"""Reclaim: which pages the kernel gives up when frames are short, and who asks (Linux 6.1, mm/vmscan.c).

    scan = Scan(lists, pages)                   # the lists, and how to look at a page and free it
    scan.reclaim(32)                            # direct reclaim: the task that wants frames does the work itself
    Kswapd(scan, free_pages, watermark).balance()      # wakes below low, sleeps above high

`pages` says how often a page was referenced since the last look, and frees one (`PageOps`): `trace_pages.py` does it
for a trace of page numbers, `user_pages.py` for the pages of processes (k.reclaim). A page at the end of the inactive
list is judged by folio_check_references:

    entries with the accessed bit   PG_referenced      what happens
    none                            either             it goes
    one                             no                 PG_referenced is set; it goes round once more (second chance)
    one                             yes                it becomes active
    two or more                     either             it becomes active
    one, executable file            no                 it becomes active

Left out: writeback that is waited for (RECLAIM_CLEAN and congestion), shrinkers of slab caches, memory cgroups, boosted
watermarks, proportional scanning after the goal is reached (shrink_lruvec stops), the second try that deactivates by
force where nothing was freed (skipped_deactivate), the OOM killer. Where there are pages of one kind only, all the
pressure falls on them; Linux takes its share of them all the same, so it needs a priority more.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from ..units import VmlabError
from .lruvec import ANON, FILE, KINDS, Lruvec

DEF_PRIORITY = 12
SWAP_CLUSTER_MAX = 32
SWAPPINESS = 60  # vm.swappiness, 0 to 200


class Look(NamedTuple):
    """What rmap found at a page: entries with the accessed bit (cleared by looking), and of what areas."""

    references: int
    executable: bool = False
    locked: bool = False


class PageOps(Protocol):
    """How reclaim looks at pages and frees them."""

    def look(self, page: Any) -> Look:
        """folio_referenced."""

    def evict(self, page: Any) -> bool:
        """shrink_folio_list's end: free the frame; False if the page has to stay."""

    def key(self, page: Any) -> Hashable:
        """What the page's contents are known by where the frame is gone."""

    def written(self) -> int:
        """Pages that `evict` had to write to swap since this was last asked (reclaim_stat.nr_pageout)."""


@dataclass
class Report:
    """What one round of reclaim did."""

    wanted: int
    scanned: int = 0
    freed: list[Any] = field(default_factory=list)
    kept: int = 0
    activated: int = 0
    deactivated: int = 0
    priority: int = DEF_PRIORITY

    def __bool__(self) -> bool:
        return bool(self.freed)

    def __int__(self) -> int:
        return len(self.freed)

    def __add__(self, more: Report) -> Report:
        """Two rounds for one wish."""
        counts = ("scanned", "freed", "kept", "activated", "deactivated")
        return Report(self.wanted, **{name: getattr(self, name) + getattr(more, name) for name in counts})

    def tell(self) -> str:
        """One line."""
        return (
            f"{len(self.freed)} of {self.wanted} wanted pages freed; {self.scanned} scanned, {self.kept} got a second "
            f"chance, {self.activated} became active, {self.deactivated} inactive"
        )


class Scan:
    """shrink_lruvec and what it calls. `exact` stops at the page that is wanted and not at the end of a batch."""

    def __init__(self, lists: Lruvec, pages: PageOps, swappiness: int = SWAPPINESS, exact: bool = False) -> None:
        if not 0 <= swappiness <= 200:
            raise VmlabError(f"swappiness: expected 0 to 200, got {swappiness}")
        self.lists, self.pages, self.swappiness, self.exact = lists, pages, swappiness, exact

    def reclaim(self, wanted: int, who: str = "direct", free: int = 0, high: int = 0) -> Report:
        """Look harder and harder, from 1 page in 4096 to all of them, until so many pages are free."""
        if wanted < 1:
            raise VmlabError(f"reclaim: expected at least 1 page, got {wanted}")
        report = Report(wanted)
        for priority in range(DEF_PRIORITY, -1, -1):
            report.priority = priority
            self._shrink_lruvec(report, who, free + len(report.freed), high)
            if len(report.freed) >= wanted:
                break
        self.lists.snapshot_refaults()
        return report

    def scan_count(self, priority: int, free: int = 0, high: int = 0) -> dict[tuple[bool, bool], int]:
        """get_scan_count: how many pages of each list to look at, after prepare_scan_count."""
        lists = self.lists
        share, whole = self._shares(priority, free, high)
        return {
            (kind, active): (lists.size(kind, active) >> priority) * share[kind] // whole
            for kind in (ANON, FILE)
            for active in (False, True)
        }

    def _shares(self, priority: int, free: int, high: int) -> tuple[dict[bool, int], int]:
        """How the pressure is divided between anonymous and file pages: each kind's part, and of how many."""
        lists = self.lists
        sizes = {kind: lists.size(kind, False) + lists.size(kind, True) for kind in KINDS}
        only_file, only_anon = ({ANON: 0, FILE: 1}, 1), ({ANON: 1, FILE: 0}, 1)
        if not lists.can_swap or not sizes[ANON]:
            return only_file
        if not sizes[FILE]:
            return only_anon  # nothing to divide
        if priority == 0 and self.swappiness:
            return {ANON: 1, FILE: 1}, 1  # SCAN_EQUAL: all of both
        plenty = lists.size(ANON, False) >> priority
        if sizes[FILE] + free <= high and not lists.may_deactivate(ANON) and plenty:
            return only_anon  # file_is_tiny
        if lists.size(FILE, False) >> priority and not lists.may_deactivate(FILE):
            return only_file  # cache_trim_mode
        total = sum(lists.cost.values())
        cost = {kind: total + lists.cost[kind] for kind in KINDS}
        both = sum(cost.values())
        wish = {ANON: self.swappiness, FILE: 200 - self.swappiness}
        share = {kind: wish[kind] * (both + 1) // (cost[kind] + 1) for kind in KINDS}
        return share, sum(share.values())

    def _shrink_lruvec(self, report: Report, who: str, free: int, high: int) -> None:
        lists = self.lists
        left = self.scan_count(report.priority, free, high)
        allowed = {kind: lists.may_deactivate(kind) for kind in KINDS}
        while left[ANON, False] or left[FILE, True] or left[FILE, False]:
            for (kind, active), most in left.items():
                batch = min(most, SWAP_CLUSTER_MAX)
                left[kind, active] -= batch
                if not active:
                    self._shrink_inactive(report, kind, batch, who)
                elif allowed[kind]:
                    self._shrink_active(report, kind, batch)
            if len(report.freed) >= report.wanted:
                break
        if lists.has_swap and lists.inactive_is_low(ANON):
            self._shrink_active(report, ANON, SWAP_CLUSTER_MAX)

    def _shrink_inactive(self, report: Report, kind: bool, batch: int, who: str) -> None:
        """shrink_inactive_list: judge the oldest pages, one by one."""
        lists = self.lists
        before = report.scanned
        for _ in range(min(batch, lists.size(kind, False))):
            if self.exact and len(report.freed) >= report.wanted:
                break
            page = lists.oldest(kind, False)
            report.scanned += 1
            lists.stat[f"pgscan_{who}"] += 1
            what = self._check_references(page)
            if what == "activate":
                report.activated += 1
                lists.activate(page)
            elif what == "keep" or not self._evict(page):
                report.kept += 1
                lists.put(page)
            else:
                report.freed.append(page)
                lists.stat[f"pgsteal_{who}"] += 1
        if report.scanned > before:
            lists.note_cost(kind, self.pages.written())

    def _check_references(self, page: Any) -> str:
        """folio_check_references: "activate", "keep" or "reclaim"."""
        seen = self.pages.look(page)
        was_referenced, page.referenced = page.referenced, seen.references > 0
        if seen.locked:
            return "keep"  # it would go to the unevictable list
        if not seen.references:
            return "reclaim"
        if was_referenced or seen.references > 1 or (seen.executable and page.is_file):
            return "activate"
        return "keep"

    def _evict(self, page: Any) -> bool:
        key = self.pages.key(page)
        known = page in self.lists.workingset
        if not self.pages.evict(page):
            return False
        if known:
            self.lists.workingset.add(page)
        self.lists.shadow(page, self.pages.key(page) if key is None else key)
        return True

    def _shrink_active(self, report: Report, kind: bool, batch: int) -> None:
        """shrink_active_list: the oldest active pages become inactive, but for executable file pages in use."""
        lists = self.lists
        for _ in range(min(batch, lists.size(kind, True))):
            page = lists.oldest(kind, True)
            seen = self.pages.look(page)
            if seen.references and seen.executable and page.is_file:
                lists.put(page)
            else:
                report.deactivated += 1
                lists.deactivate(page)


@dataclass
class Kswapd:
    """The thread that keeps frames free: woken below `low`, it works until `high` are free."""

    scan: Scan
    free_pages: Callable[[], int]
    low: int
    high: int
    woken: int = 0

    def wake(self) -> list[Report]:
        """wakeup_kswapd and balance_pgdat, if fewer than `low` pages are free; the rounds that it took."""
        rounds: list[Report] = []
        if self.free_pages() >= self.low:
            return rounds
        self.woken += 1
        while self.free_pages() < self.high:
            rounds.append(self.scan.reclaim(SWAP_CLUSTER_MAX, "kswapd", self.free_pages(), self.high))
            if not rounds[-1]:
                break  # nothing could be freed: the next allocation reclaims for itself, or fails
        return rounds
