"""What stands in the few frames that hold page tables, out of all of RAM.

The bytes of those frames lie one after the other in a pool; `slots` says for each frame of RAM where in
the pool it is, and 0 where it holds no table: the pool's first page, which stays empty. Memory that nobody touched
costs nothing: both arrays are zero from the start, and the operating system gives a page when one is written.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..units import PAGE_SHIFT, PAGE_SIZE, VmlabError, group_hex

MAX_FRAMES = 1 << 30  # 4 TiB; the slots then take 4 GiB of addresses, though hardly any memory


class FrameStore:
    """Raw bytes of the frames that hold tables, read and written as entries of `entry_bytes`."""

    def __init__(self, entry_bytes: int) -> None:
        self.entry_bytes = entry_bytes
        self.per_frame = PAGE_SIZE // entry_bytes
        self.slots = np.zeros(1, np.uint32)  # frame number -> first word in the pool
        self._pool = np.zeros((8, PAGE_SIZE), np.uint8)
        self._used = 1  # pages of the pool in use, the empty one included
        self._free: list[int] = []
        self._view()

    def _view(self) -> None:
        self.words = self._pool.reshape(-1).view(f"<u{self.entry_bytes}")
        self.plain_words, self.plain_slots = self.words.data, self.slots.data

    @property
    def nr_slots(self) -> int:
        """Frames that `slots` can answer for: those above hold no table."""
        return self.slots.size

    @property
    def nr_frames(self) -> int:
        """Frames that hold tables."""
        return self._used - 1 - len(self._free)

    def __contains__(self, pfn: int) -> bool:
        return 0 <= pfn < self.slots.size and self.slots[pfn] != 0

    def __iter__(self) -> Iterator[int]:
        """The frames that hold tables, ascending."""
        return iter(np.flatnonzero(self.slots).tolist())

    def add(self, pfn: int) -> None:
        """Make room for frame `pfn`, all zeros."""
        if not 0 <= pfn < MAX_FRAMES:
            raise VmlabError(f"frame {pfn:#x}: expected a frame number below {MAX_FRAMES:#x} (4 TiB)")
        if pfn in self:
            raise VmlabError(f"frame {pfn:#x} holds a table already")
        if pfn >= self.slots.size:
            self.slots = _grown(self.slots, pfn + 1)
        page = self._free.pop() if self._free else self._used
        if page == self._used:
            self._used += 1
            if page >= len(self._pool):
                self._pool = _grown(self._pool, page + 1)
        self._pool[page] = 0
        self.slots[pfn] = page * self.per_frame
        self._view()

    def remove(self, pfn: int) -> None:
        """Forget frame `pfn`: it holds no table any more."""
        self._free.append(int(self.slots[pfn]) // self.per_frame)
        self.slots[pfn] = 0

    def fill(self, pfns: np.ndarray, data: np.ndarray) -> None:
        """Take over many frames at once: `data` is one row of PAGE_SIZE bytes for each of `pfns`; known ones stay."""
        new = np.array([pfn not in self for pfn in pfns.tolist()], bool)
        pfns, data = pfns[new], data[new]
        if not len(pfns):
            return
        if int(pfns.max()) >= MAX_FRAMES:
            raise VmlabError(f"frame {int(pfns.max()):#x}: expected frame numbers below {MAX_FRAMES:#x} (4 TiB)")
        self.slots = _grown(self.slots, int(pfns.max()) + 1)
        self._pool = _grown(self._pool, self._used + len(pfns))
        pages = np.arange(self._used, self._used + len(pfns))
        self._pool[pages] = data
        self.slots[pfns] = pages * self.per_frame
        self._used += len(pfns)
        self._view()

    def read(self, pa: int) -> int | None:
        """The entry at byte address `pa`; None where no table is."""
        pfn = pa >> PAGE_SHIFT
        if pfn not in self:
            return None
        return self.plain_words[self.plain_slots[pfn] + (pa % PAGE_SIZE) // self.entry_bytes]

    def write(self, pa: int, entry: int) -> None:
        """Store an entry."""
        pfn = pa >> PAGE_SHIFT
        if pfn not in self:
            raise VmlabError(f"no table is at {group_hex(pa)}: frame {pfn:#x} is not one of the frames given to tables")
        self.plain_words[self.plain_slots[pfn] + (pa % PAGE_SIZE) // self.entry_bytes] = entry

    def holds_entries(self, pfn: int) -> bool:
        """Whether any byte of frame `pfn` is not zero."""
        return pfn in self and bool(self._pool[int(self.slots[pfn]) // self.per_frame].any())


def _grown(array: np.ndarray, least: int) -> np.ndarray:
    """`array` with at least `least` rows, the new ones zero; it doubles, so that growing costs little."""
    if least <= len(array):
        return array
    bigger = np.zeros((max(least, 2 * len(array)), *array.shape[1:]), array.dtype)
    bigger[: len(array)] = array
    return bigger
