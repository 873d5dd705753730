"""Swap areas together: which one gives the next slot, and the pages that are in RAM and in a slot at once.

The area with the highest priority gives slots until it is full; areas of one priority take turns, slot by slot (Linux
6.1, mm/swapfile.c:get_swap_pages). The swap cache finds a page by its slot, never by an address. From an address the
way goes through the page table of that mm; from a slot to addresses there is no way but to search all of them.

Left out: zswap, frontswap, swap files with extents, the shadows that a page leaves behind, memory cgroups, and that an
area which was full comes after its equals when it has a free slot again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..units import VmlabError
from .page import PageFrame, Slot
from .swap_entry import SwapEntry
from .swap_slots import SwapArea

if TYPE_CHECKING:
    from .mm import MmStruct

READAHEAD_HITS = 4  # swapin_readahead_hits at boot (mm/swap_state.c)


def nr_pages(before: int, now: int, hits: int, most: int, last: int) -> int:
    """__swapin_nr_pages: how many slots or addresses to read at once, `now` among them.

    More where pages that were read ahead were used since the last time (`hits`), or where the last place (`before`) is
    next to this one; at most `most`, and at least half of the `last` window.
    """
    is_next = abs(now - before) == 1
    wanted = max(4, 1 << (hits + 1).bit_length()) if hits else 1 + is_next
    return max(min(wanted, most), last // 2)


@dataclass(frozen=True, slots=True)
class Where:
    """The way from (mm, va) to where the page is: the entry, and the slot or frame that it names."""

    mm: MmStruct
    va: int
    pte: int
    pfn: int | None
    entry: SwapEntry | None
    users: int  # entries that name the slot; 0 if the page is not in swap
    cached: PageFrame | None  # the page in the swap cache

    def __bool__(self) -> bool:
        return self.entry is not None


class Swap:
    """All swap areas and the swap cache. `max_types` is MAX_SWAPFILES of the kernel."""

    def __init__(self, max_types: int = 26, max_offset: int = (1 << 50) - 1, page_cluster: int = 3) -> None:
        self.areas: dict[int, SwapArea] = {}
        self.cache: dict[Slot, PageFrame] = {}
        self.max_types, self.max_offset, self.page_cluster = max_types, max_offset, page_cluster
        self._turns: list[int] = []  # types, in the order in which they are asked
        self._next_auto = -2  # least_priority
        self.prev_offset, self.last_readahead, self.hits = 0, 0, READAHEAD_HITS

    def __repr__(self) -> str:
        areas = ", ".join(f"area {number} of {area.pages} pages" for number, area in self.areas.items())
        return f"<Swap: {areas or 'no area'}>"

    # --- areas ---

    def swapon(self, pages: int, prio: int | None = None, **device: Any) -> SwapArea:
        """A new area of `pages` pages, header included; without a priority, one below all others.

        `device`: rotational, synchronous, start, cluster and name, as SwapArea has them.
        """
        free = next((number for number in range(self.max_types) if number not in self.areas), None)
        if free is None:
            raise VmlabError(f"swapon: this kernel has room for {self.max_types} areas, all in use: swapoff one")
        if prio is not None and not 0 <= prio <= 32767:
            raise VmlabError(f"prio: expected 0 to 32767, or None for the next below all others; got {prio}")
        if isinstance(pages, int) and pages - 1 > self.max_offset:
            raise VmlabError(f"pages: an entry of this format can name slots up to {self.max_offset}, got {pages}")
        area = SwapArea(free, pages, self._next_auto if prio is None else prio, **device)
        self._next_auto -= prio is None
        self.areas[free] = area
        self._queue(free)
        return area

    def _queue(self, type: int) -> None:
        """plist_add: after all with the same priority."""
        self._turns = [each for each in self._turns if each != type]
        prio = self.areas[type].prio
        place = sum(self.areas[each].prio >= prio for each in self._turns)
        self._turns.insert(place, type)

    def forget(self, type: int) -> None:
        """The end of swapoff: the area is empty and goes; those that got a lower priority by themselves move up."""
        prio = self.areas.pop(type).prio
        self._turns.remove(type)
        if prio < 0:
            self._next_auto += 1
            for area in self.areas.values():
                area.prio += area.prio < prio

    def area(self, type: int) -> SwapArea:
        """The area of a type; refuses one that is not there."""
        if type not in self.areas:
            known = ", ".join(map(str, self.areas)) or "none (call swapon)"
            raise VmlabError(f"swap type: expected one of {known}, got {type}")
        return self.areas[type]

    @property
    def total_pages(self) -> int:
        """Slots of all areas."""
        return sum(area.pages for area in self.areas.values())

    @property
    def free_pages(self) -> int:
        """nr_swap_pages."""
        return sum(area.pages - area.inuse_pages for area in self.areas.values() if area.writable)

    @property
    def is_full(self) -> bool:
        """vm_swap_full: more than half is in use, so slots are given up early."""
        return self.free_pages * 2 < self.total_pages

    def table(self) -> list[dict[str, Any]]:
        """Rows of /proc/swaps, sizes in KiB."""
        return [
            {
                "file": a.name,
                "kind": "partition",
                "size_kib": a.pages * 4,
                "used_kib": a.inuse_pages * 4,
                "prio": a.prio,
            }
            for a in self.areas.values()
        ]

    # --- slots ---

    def get_slot(self) -> Slot | None:
        """get_swap_pages for one page; None when every area is full."""
        for type in tuple(self._turns):
            if not self.areas[type].writable:
                continue
            self._queue(type)
            offset = self.areas[type].take()
            if offset is not None:
                return type, offset
        return None

    def duplicate(self, slot: Slot) -> None:
        """One more entry names the slot."""
        self.area(slot[0]).duplicate(slot[1])

    def drop(self, slot: Slot) -> None:
        """One entry less; the slot is free when nothing names it and the cache does not hold it."""
        self.area(slot[0]).drop(slot[1])

    def count(self, slot: Slot) -> int:
        """Entries that name the slot."""
        return self.area(slot[0]).count(slot[1])

    def add_to_cache(self, page: PageFrame, slot: Slot) -> None:
        """The page is in the swap cache from now on."""
        self.cache[slot] = page
        page.slot = slot
        self.areas[slot[0]].set_cache(slot[1], True)

    def leave_cache(self, page: PageFrame) -> Slot:
        """delete_from_swap_cache: the slot keeps only the entries that name it."""
        slot = page.slot
        assert slot is not None
        del self.cache[slot]
        page.slot = None
        self.areas[slot[0]].set_cache(slot[1], False)
        return slot

    def window(self, offset: int) -> int:
        """swapin_nr_pages: how many slots around `offset` are read at once."""
        most = 1 << self.page_cluster
        if most <= 1:
            return 1
        hits, self.hits = self.hits, 0
        pages = nr_pages(self.prev_offset, offset, hits, most, self.last_readahead)
        if not hits:
            self.prev_offset = offset
        self.last_readahead = pages
        return pages

    # --- who ---

    def find(self, process: Any, va: int) -> Where:
        """(mm, va) to entry to slot, by that mm's page table. False in a condition if the page is not in swap."""
        mm = getattr(process, "mm", process)
        page_va = mm.page_of(va)
        pte = mm.table.pte(page_va)
        entry = pte.swap
        users = self.count(entry.slot) if entry else 0
        return Where(mm, page_va, pte.raw, pte.pfn, entry, users, self.cache.get(entry.slot) if entry else None)

    def holders(self, slot: Slot, mms: Any) -> list[tuple[Any, int]]:
        """Every (mm, va) whose entry names the slot: all tables are searched, as swapoff does (try_to_unuse)."""
        return self.all_holders(mms).get(tuple(slot), [])  # type: ignore[arg-type]

    def all_holders(self, mms: Any) -> dict[Slot, list[tuple[Any, int]]]:
        """The same of every slot that some entry names."""
        found: dict[Slot, list[tuple[Any, int]]] = {}
        for mm in mms:
            for va in mm.table.populated:
                entry = mm.table.pte(va).swap
                if entry is not None:
                    found.setdefault(entry.slot, []).append((mm, va))
        return found
