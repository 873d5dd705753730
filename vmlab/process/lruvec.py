"""The lists that reclaim works on: inactive and active, anonymous and file; and how soon a page came back.

    lists = Lruvec()
    lists.add(page, key)          # folio_add_lru; `key` names the page's contents where its frame is gone
    lists.remove(page)            # it was freed
    lists.shadow(page, key)       # workingset_eviction

A page is any object with `is_file`, `active` and `referenced` (PG_active, PG_referenced). A list is a dict in order,
oldest first. Linux 6.1: mm/swap.c (folio_add_lru, lru_note_cost), mm/workingset.c, mm/vmscan.c
(inactive_is_low). Counters have the names of /proc/vmstat.

Left out: memory cgroups and NUMA nodes (one lruvec), isolation, the batches of each CPU, pages used through read() and
write() (folio_mark_accessed, which activates at the second use), shadow entries that are
dropped when there are too many (here they stay), and the buckets that eviction counts are rounded to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from math import isqrt
from typing import Any

ANON, FILE = False, True
GIB_SHIFT = 18  # pages of 4 KiB
KINDS = {ANON: "anon", FILE: "file"}


class Lruvec:
    """Four lists and what they count; `has_swap`: whether there is swap at all, `swap_is_full`: no slot is free."""

    def __init__(self, has_swap: bool = True) -> None:
        self.has_swap, self.swap_is_full = has_swap, False
        self.lists: dict[tuple[bool, bool], dict[Any, None]] = {
            (kind, active): {} for kind in (ANON, FILE) for active in (False, True)
        }
        self.stat: Counter[str] = Counter()
        self.nonresident_age = 0
        self.cost = {ANON: 0, FILE: 0}
        self.snapshot = {ANON: 0, FILE: 0}  # workingset_activate at the last reclaim (snapshot_refaults)
        self.shadows: dict[Hashable, tuple[int, bool]] = {}  # nonresident_age, PG_workingset
        self.workingset: set[Any] = set()  # PG_workingset: was active once

    def __len__(self) -> int:
        return sum(map(len, self.lists.values()))

    def __contains__(self, page: Any) -> bool:
        return any(page in held for held in self.lists.values())

    def size(self, kind: bool, active: bool) -> int:
        """NR_INACTIVE_ANON and its like."""
        return len(self.lists[kind, active])

    @property
    def can_swap(self) -> bool:
        """Whether an anonymous page could go now (can_reclaim_anon_pages)."""
        return self.has_swap and not self.swap_is_full

    # --- pages come and go ---

    def add(self, page: Any, key: Hashable = None) -> bool:
        """folio_add_lru: onto the inactive list; onto the active one if it was given up lately. Returns whether."""
        page.active = key in self.shadows and self._refault(page, key)
        self.put(page)
        return bool(page.active)

    def put(self, page: Any) -> None:
        """Front of the list that the page's flags name."""
        self.lists[page.is_file, page.active][page] = None

    def remove(self, page: Any) -> None:
        """Off every list; a page that is on none is left alone."""
        for held in self.lists.values():
            held.pop(page, None)
        self.workingset.discard(page)

    def oldest(self, kind: bool, active: bool) -> Any:
        """Take the page at the end of a list; it must have one."""
        held = self.lists[kind, active]
        page = next(iter(held))
        del held[page]
        return page

    def activate(self, page: Any) -> None:
        """Front of the active list; everything not in memory is one step older."""
        page.active = True
        self.nonresident_age += 1
        self.stat["pgactivate"] += 1
        self.put(page)

    def deactivate(self, page: Any) -> None:
        """From the active list to the front of the inactive one."""
        page.active = False
        self.workingset.add(page)
        self.stat["pgdeactivate"] += 1
        self.put(page)

    # --- what is remembered of pages that went ---

    def shadow(self, page: Any, key: Hashable) -> None:
        """workingset_eviction: leave the age in the page's place."""
        self.shadows[key] = self.nonresident_age, page in self.workingset
        self.nonresident_age += 1
        self.workingset.discard(page)

    def refault_distance(self, key: Hashable) -> int:
        """Pages that went or became active since this one went."""
        return self.nonresident_age - self.shadows[key][0]

    def workingset_size(self, kind: bool) -> int:
        """Pages that a returning page of this kind would have had to compete with."""
        size = self.size(FILE, True)
        if kind == ANON:
            size += self.size(FILE, False)
        if self.can_swap:
            size += self.size(ANON, True)
            if kind == FILE:
                size += self.size(ANON, False)
        return size

    def _refault(self, page: Any, key: Hashable) -> bool:
        """workingset_refault: active at once, if it would have stayed had the active pages' frames been free."""
        kind, name = page.is_file, KINDS[page.is_file]
        distance = self.refault_distance(key)
        _, was_active = self.shadows.pop(key)
        self.stat[f"workingset_refault_{name}"] += 1
        if distance > self.workingset_size(kind):
            return False
        self.nonresident_age += 1
        self.stat[f"workingset_activate_{name}"] += 1
        if was_active:
            self.workingset.add(page)
            self.stat[f"workingset_restore_{name}"] += 1
            self.note_cost(kind)
        return True

    def note_cost(self, kind: bool, pages: int = 1) -> None:
        """lru_note_cost: a refault, or a page that had to be written, makes its kind dearer; old costs fade."""
        self.cost[kind] += pages
        if sum(self.cost.values()) > len(self) // 4:
            self.cost = {each: cost // 2 for each, cost in self.cost.items()}

    # --- balance ---

    def inactive_is_low(self, kind: bool) -> bool:
        """inactive * ratio < active; the ratio is 1 below a gigabyte and grows with the root of the size."""
        inactive, active = self.size(kind, False), self.size(kind, True)
        gigabytes = (inactive + active) >> GIB_SHIFT
        return inactive * (isqrt(10 * gigabytes) if gigabytes else 1) < active

    def may_deactivate(self, kind: bool) -> bool:
        """Whether active pages are looked at: too few are inactive, or pages come back, so others are in their way."""
        return self.stat[f"workingset_activate_{KINDS[kind]}"] != self.snapshot[kind] or self.inactive_is_low(kind)

    def snapshot_refaults(self) -> None:
        """Remember how many came back, for the next reclaim to compare with."""
        self.snapshot = {kind: self.stat[f"workingset_activate_{name}"] for kind, name in KINDS.items()}
