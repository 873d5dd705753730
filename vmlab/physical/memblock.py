"""memblock, the boot allocator: two sorted lists, memory and reserved, and one search.

An allocation is the highest (or, bottom up, the lowest) aligned place that is memory and not reserved
(Linux 6.1, mm/memblock.c:memblock_find_in_range_node). It knows nothing of zones.

Left out: MEMBLOCK_MIRROR and HOTPLUG flags, growing the arrays themselves, and memory marked
MEMBLOCK_NOMAP (no recorded machine has any; it is treated as reserved).
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field

from ..ledger import Ledger
from ..ranges import Ranges
from ..units import PAGE_SIZE, VmlabError, align_down, align_up, group_hex

ANYWHERE = 0  # MEMBLOCK_ALLOC_ACCESSIBLE: up to current_limit
NOLEAKTRACE = 1  # MEMBLOCK_ALLOC_NOLEAKTRACE: the same limit
ANY_NODE = -1  # NUMA_NO_NODE


class BootOutOfMemory(VmlabError):
    """No place was left for a boot allocation: the real kernel would panic."""


@dataclass(slots=True)
class Memblock:
    """The boot allocator's state: `banks` of memory as (start, end, node), and what is reserved.

    All addresses are physical bytes. `limit` is memblock.current_limit; None means no limit.
    """

    banks: list[tuple[int, int, int]] = field(default_factory=list)
    reserved: Ranges = field(default_factory=Ranges)
    limit: int | None = None
    bottom_up: bool = False
    ledger: Ledger = field(default_factory=Ledger)

    def add(self, start: int, end: int, node: int = 0, why: str = "RAM", caller: str = "") -> None:
        """Add a bank of memory; overlap with what is there already is kept once."""
        known = Ranges()
        for low, high, _ in self.banks:
            known.add(low, high)
        for low, high in sorted(known.gaps_down(start, end)):
            insort(self.banks, (low, high, node))
        self._merge_banks()
        self.ledger.add("add", start, end, why, caller)

    def remove(self, start: int, end: int, why: str = "", caller: str = "") -> None:
        """Take memory away: the kernel will not know of it."""
        if start >= end:
            return
        kept = []
        for low, high, node in self.banks:
            if low < start:
                kept.append((low, min(high, start), node))
            if high > end:
                kept.append((max(low, end), high, node))
        self.banks = sorted(bank for bank in set(kept) if bank[0] < bank[1])
        self.ledger.add("remove", start, end, why, caller)

    def reserve(self, start: int, end: int, why: str = "", caller: str = "") -> None:
        """Mark `start`..`end` as taken; it need not be memory."""
        self.reserved.add(start, end)
        self.ledger.add("reserve", start, end, why, caller)

    def free(self, start: int, end: int, why: str = "", caller: str = "") -> None:
        """Give `start`..`end` back."""
        self.reserved.remove(start, end)
        if start < end:
            self.ledger.add("free", start, end, why, caller)

    def alloc(
        self,
        size: int,
        align: int,
        *,
        min_addr: int = 0,
        max_addr: int = ANYWHERE,
        nid: int = ANY_NODE,
        exact_nid: bool = False,
        phys: bool = False,
        why: str = "",
        caller: str = "",
    ) -> int:
        """Reserve `size` bytes and return their address.

        Tried in the kernel's order (memblock_alloc_range_nid, memblock_alloc_internal): the node, any
        node, and both again without the lower bound. `phys` is memblock_phys_alloc_range, which takes
        `max_addr` as given and never gives up the lower bound.
        """
        if size <= 0 or align <= 0:
            raise VmlabError(f"boot allocation: expected size > 0 and align > 0, got {size} and {align}")
        nodes = [nid] if exact_nid or nid == ANY_NODE else [nid, ANY_NODE]
        floors = [min_addr] if phys or min_addr == 0 else [min_addr, 0]
        ceiling = self._ceiling(max_addr, phys)
        for floor in floors:
            for node in nodes:
                start = self.find(size, align, floor, ceiling, node)
                if start is not None:
                    self.reserved.add(start, start + size)
                    self.ledger.add("alloc", start, start + size, why, caller)
                    return start
        raise BootOutOfMemory(
            f"no room for {why or caller or 'a boot allocation'}: {size} bytes aligned to {align:#x} "
            f"below {group_hex(ceiling)}; add RAM, or shrink what is reserved"
        )

    def _ceiling(self, max_addr: int, phys: bool) -> int:
        top = max((end for _, end, _ in self.banks), default=0)
        limit = top if self.limit is None else self.limit
        if max_addr in (ANYWHERE, NOLEAKTRACE):
            return limit
        return max_addr if phys else min(max_addr, limit)

    def find(self, size: int, align: int, floor: int, ceiling: int, nid: int = ANY_NODE) -> int | None:
        """The place an allocation would get, or None; nothing is reserved.

        The first page is never given out (memblock_find_in_range_node raises `start` to PAGE_SIZE).
        """
        floor = max(floor, PAGE_SIZE)
        if self.bottom_up:
            return self._find_up(size, align, floor, ceiling, nid)
        for low, high, node in reversed(self.banks):
            if nid not in (ANY_NODE, node):
                continue
            for start, end in self.reserved.gaps_down(max(low, floor), min(high, ceiling)):
                place = align_down(end - size, align)
                if place >= start:
                    return place
        return None

    def _find_up(self, size: int, align: int, floor: int, ceiling: int, nid: int) -> int | None:
        for low, high, node in self.banks:
            if nid not in (ANY_NODE, node):
                continue
            for start, end in sorted(self.reserved.gaps_down(max(low, floor), min(high, ceiling))):
                place = align_up(start, align)
                if place + size <= end:
                    return place
        return None

    def free_ranges(self) -> list[tuple[int, int]]:
        """Memory that is not reserved, ascending: what the buddy allocator will take over."""
        return [gap for low, high, _ in self.banks for gap in sorted(self.reserved.gaps_down(low, high))]

    def memory(self, nid: int = ANY_NODE) -> list[tuple[int, int]]:
        """Banks as (start, end), ascending, of one node or of all."""
        return [(low, high) for low, high, node in self.banks if nid in (ANY_NODE, node)]

    def nodes(self) -> list[int]:
        """Nodes that have memory, ascending."""
        return sorted({node for _, _, node in self.banks})

    @property
    def start_of_dram(self) -> int:
        """First byte of the lowest bank."""
        return self.banks[0][0]

    @property
    def end_of_dram(self) -> int:
        """One past the last byte of the highest bank."""
        return self.banks[-1][1]

    def _merge_banks(self) -> None:
        merged: list[tuple[int, int, int]] = []
        for low, high, node in self.banks:
            if merged and merged[-1][1] == low and merged[-1][2] == node:
                merged[-1] = (merged[-1][0], high, node)
            else:
                merged.append((low, high, node))
        self.banks = merged
