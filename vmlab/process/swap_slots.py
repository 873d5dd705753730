"""One swap area: a byte for every slot, and which slot is handed out next.

    0        free                      0x3f     never to be used (the header, bad blocks)
    1..0x3e  entries that name it      | 0x40   the page is in the swap cache too

Three ways of looking for a slot, as scan_swap_map_slots has them (Linux 6.1, mm/swapfile.c). On a disk that must seek:
one slot after the other, a new start after 256. On others: inside a cluster of 256 that was free as a whole; and
where no such cluster is left (an area smaller than two clusters has none: the header lies in the first), from the slot
*after* the one where the last search said to begin. That is why slots of a small zram area go up in steps of two.

Left out: the per-CPU cache of 64 slots (it is off while fewer than 320 slots a CPU are free), slots taken back from
pages that only the swap cache holds while more than half of swap is used (__try_to_reclaim_swap), counts above 0x3e
(COUNT_CONTINUED), bad blocks, discard, clusters of other CPUs, and slots for whole huge pages.
"""

from __future__ import annotations

from collections import deque

from ..units import PAGE_SIZE, VmlabError

SWAP_MAP_MAX, SWAP_MAP_BAD, SWAP_HAS_CACHE = 0x3E, 0x3F, 0x40
SWAPFILE_CLUSTER = 256  # 512 where huge pages are swapped whole (CONFIG_THP_SWAP)
CLUSTER_COLUMNS = 64  # SWAP_ADDRESS_SPACE_PAGES / SWAPFILE_CLUSTER


class SwapArea:
    """struct swap_info_struct: area number `type`, of `pages` slots with the header (`max`).

    `synchronous`: writing is done when the call returns (zram, pmem). `start` is where the first search begins on a
    device that does not seek: the kernel draws it at random, between 1 and the last slot.
    """

    def __init__(
        self,
        type: int,
        pages: int,
        prio: int,
        *,
        rotational: bool = True,
        synchronous: bool = False,
        start: int | None = None,
        cluster: int = SWAPFILE_CLUSTER,
        name: str = "",
    ) -> None:
        if not isinstance(pages, int) or isinstance(pages, bool) or pages < 2:
            raise VmlabError(f"pages of a swap area: expected at least 2 (a header and a slot), got {pages!r}")
        if start is not None and (rotational or not 1 <= start < pages):
            raise VmlabError(f"start: expected a slot from 1 to {pages - 1} of an area that does not seek, got {start}")
        self.type, self.max, self.prio, self.cluster = type, pages, prio, cluster
        self.rotational, self.synchronous = rotational, synchronous
        self.name = name or f"/dev/swap{type}"
        self.swap_map = bytearray(pages)
        self.swap_map[0] = SWAP_MAP_BAD
        self.data: dict[int, bytes] = {}
        self.lowest_bit, self.highest_bit = 1, pages - 1
        self.cluster_next, self.cluster_nr = (start or 1), 0
        self.inuse_pages, self.writable = 0, True
        self._used = [0] * -(-pages // cluster)  # used slots of each cluster
        for offset in (0, *range(pages, len(self._used) * cluster)):
            self._used[offset // cluster] += 1
        self._clusters = deque() if rotational else deque(self._free_clusters())
        self._mine: int | None = None  # next slot of this CPU's cluster
        self.reads = self.writes = 0

    @property
    def pages(self) -> int:
        """Slots that can be used."""
        return self.max - 1

    def _free_clusters(self) -> list[int]:
        """setup_swap_map_and_extents: columns first, so that CPUs do not meet in one part of the swap cache."""
        column = self.cluster_next // self.cluster % CLUSTER_COLUMNS
        order = [
            number
            for step in range(CLUSTER_COLUMNS)
            for number in range((step + column) % CLUSTER_COLUMNS, len(self._used), CLUSTER_COLUMNS)
        ]
        return [number for number in order if not self._used[number]]

    # --- taking a slot ---

    def take(self) -> int | None:
        """A free slot, marked SWAP_HAS_CACHE; None if the area is full."""
        offset = self._seeking() if self.rotational else self._clustered()
        if offset is None:
            return None
        self.swap_map[offset] = SWAP_HAS_CACHE
        self._count_cluster(offset, +1)
        self.inuse_pages += 1
        self.lowest_bit += offset == self.lowest_bit
        self.highest_bit -= offset == self.highest_bit
        if self.inuse_pages == self.pages:
            self.lowest_bit, self.highest_bit = self.max, 0
        self.cluster_next = offset + 1
        return offset

    def _seeking(self) -> int | None:
        """si->cluster_info is NULL: after the last slot, or from a new cluster."""
        offset = self.cluster_next
        if not self.cluster_nr and self.pages - self.inuse_pages >= self.cluster:
            offset = self._empty_run() or self.lowest_bit
        self.cluster_nr = self.cluster_nr - 1 if self.cluster_nr else self.cluster - 1
        return self._check(offset, offset)

    def _empty_run(self) -> int | None:
        """The lowest 256 free slots in a row, unaligned."""
        run = 0
        for offset in range(self.lowest_bit, self.highest_bit + 1):
            run = 0 if self.swap_map[offset] else run + 1
            if run == self.cluster:
                return offset - self.cluster + 1
        return None

    def _clustered(self) -> int | None:
        """scan_swap_map_try_ssd_cluster, and where it finds nothing, the slots after cluster_next."""
        while self._mine is not None or self._clusters:
            if self._mine is None:
                self._mine = self._clusters[0] * self.cluster
            end = min(self.max, (self._mine // self.cluster + 1) * self.cluster)
            free = next((offset for offset in range(self._mine, end) if not self.swap_map[offset]), None)
            if free is not None:
                self._mine = free + 1 if free + 1 < end else None
                return self._check(free, free)
            self._mine = None
        return self._scan(self.cluster_next, self.cluster_next)

    def _check(self, offset: int, base: int) -> int | None:
        """The label `checks`: the slot itself if it is free."""
        if not self.highest_bit:
            return None
        if offset > self.highest_bit:
            base = offset = self.lowest_bit
        return self._scan(offset, base) if self.swap_map[offset] else offset

    def _scan(self, offset: int, base: int) -> int | None:
        """The label `scan`: those after `offset`, then from the lowest up to `base`."""
        after = range(offset + 1, self.highest_bit + 1)
        before = range(self.lowest_bit, min(base, self.max))
        return next((each for part in (after, before) for each in part if not self.swap_map[each]), None)

    def _count_cluster(self, offset: int, change: int) -> None:
        number = offset // self.cluster
        self._used[number] += change
        if self.rotational:
            return
        if change > 0 and number in self._clusters:
            self._clusters.remove(number)
        elif change < 0 and not self._used[number]:
            self._clusters.append(number)

    # --- counting ---

    def count(self, offset: int) -> int:
        """Entries that name the slot."""
        return self.swap_map[self._checked(offset)] & SWAP_MAP_BAD

    def has_cache(self, offset: int) -> bool:
        """Whether the page is in the swap cache too."""
        return bool(self.swap_map[self._checked(offset)] & SWAP_HAS_CACHE)

    def duplicate(self, offset: int) -> None:
        """swap_duplicate: one more entry names the slot."""
        if self.count(offset) >= SWAP_MAP_MAX:
            raise VmlabError(f"slot {offset} of area {self.type} is named {SWAP_MAP_MAX} times: the model stops here")
        self.swap_map[offset] += 1

    def drop(self, offset: int) -> None:
        """swap_free: one entry less."""
        if not self.count(offset):
            raise VmlabError(f"slot {offset} of area {self.type}: no entry names it")
        self.swap_map[offset] -= 1
        self._release_if_unused(offset)

    def set_cache(self, offset: int, held: bool) -> None:
        """The page goes into the swap cache, or leaves it."""
        old = self.swap_map[self._checked(offset)]
        self.swap_map[offset] = old | SWAP_HAS_CACHE if held else old & ~SWAP_HAS_CACHE
        self._release_if_unused(offset)

    def _release_if_unused(self, offset: int) -> None:
        """swap_entry_free, swap_range_free: the slot can be handed out again."""
        if self.swap_map[offset]:
            return
        self.data.pop(offset, None)
        self._count_cluster(offset, -1)
        self.lowest_bit, self.highest_bit = min(self.lowest_bit, offset), max(self.highest_bit, offset)
        self.inuse_pages -= 1

    def _checked(self, offset: int) -> int:
        if not 0 < offset < self.max:
            raise VmlabError(f"offset: area {self.type} has slots 1 to {self.max - 1}, got {offset}")
        return offset

    # --- content ---

    def write(self, offset: int, data: bytes) -> None:
        """The page's bytes to the slot."""
        self.writes += 1
        self.data[self._checked(offset)] = bytes(data)

    def read(self, offset: int) -> bytearray:
        """The slot's bytes."""
        self.reads += 1
        return bytearray(self.data.get(self._checked(offset), bytes(PAGE_SIZE)))
