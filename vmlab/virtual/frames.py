"""What stands in the few frames that hold page tables, out of all of RAM.

The bytes of those frames lie in a pool; `slots` says for each frame of RAM where in the pool it is, and 0 where it
holds no table: the pool's first page, which stays empty. Memory that nobody touched costs nothing: both
arrays are zero from the start, and the operating system gives a page when one is written.

As long as the frames lie close together, the pool keeps them in the order of their numbers, with room for those
between: a walk then needs no slot, only a subtraction (`origin`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..units import PAGE_SHIFT, PAGE_SIZE, VmlabError, group_hex

MAX_FRAMES = 1 << 30  # 4 TiB; the slots then take 4 GiB of addresses, though hardly any memory
WINDOW = 768  # frames from the first to the last that may be kept in order, however few they are
SPARE = 4  # and how many times as many as hold tables


class FrameStore:
    """Raw bytes of the frames that hold tables, read and written as entries of `entry_bytes`."""

    def __init__(self, entry_bytes: int) -> None:
        self.entry_bytes = entry_bytes
        self.per_frame = PAGE_SIZE // entry_bytes
        self.slots = np.zeros(1, np.uint32)  # frame number -> first word in the pool
        self.nr_frames = 0  # frames that hold tables
        self._pool = np.zeros((8, PAGE_SIZE), np.uint8)
        self._used = 1  # pages of the pool up to the last in use, the empty one included
        self._first: int | None = None  # while in order: the frame that has the pool's page 1
        self._free: list[int] = []
        self._view()

    def _view(self) -> None:
        self.words = self._pool.reshape(-1).view(f"<u{self.entry_bytes}")
        self.plain_words, self.plain_slots = self.words.data, self.slots.data

    @property
    def origin(self) -> int | None:
        """While the frames are in order: the word of physical memory that is word 0 of `words`; else None."""
        return None if self._first is None else (self._first - 1) * self.per_frame

    @property
    def nr_slots(self) -> int:
        """Frames that `slots` can answer for: those above hold no table."""
        return self.slots.size

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
        self._take(np.array([pfn]))
        self._pool[int(self.slots[pfn]) // self.per_frame] = 0

    def remove(self, pfn: int) -> None:
        """Forget frame `pfn`: it holds no table any more."""
        if self._first is None:
            self._free.append(int(self.slots[pfn]) // self.per_frame)
        self._pool[int(self.slots[pfn]) // self.per_frame] = 0
        self.slots[pfn] = 0
        self.nr_frames -= 1

    def fill(self, pfns: np.ndarray, data: np.ndarray) -> None:
        """Take over many frames at once: `data` is one row of PAGE_SIZE bytes for each of `pfns`; known ones stay."""
        new = np.array([pfn not in self for pfn in pfns.tolist()], bool)
        pfns, data = pfns[new], data[new]
        if not len(pfns):
            return
        if int(pfns.max()) >= MAX_FRAMES:
            raise VmlabError(f"frame {int(pfns.max()):#x}: expected frame numbers below {MAX_FRAMES:#x} (4 TiB)")
        self._take(pfns)
        self._pool[self.slots[pfns] // self.per_frame] = data

    def _take(self, pfns: np.ndarray) -> None:
        """Give each frame a page of the pool: in order if that takes little room, else wherever one is free."""
        low, high = int(pfns.min()), int(pfns.max())
        if self.nr_frames == 0 and self._used == 1:
            self._first = max(1, low - WINDOW // 4) if len(pfns) == 1 else max(1, low)
        if self._first is not None:
            span = high - self._first + 1
            if low < self._first or span > max(WINDOW, SPARE * (self.nr_frames + len(pfns))):
                self._first = None
        if self._first is not None:
            pages = pfns - (self._first - 1)
        else:
            reused = [self._free.pop() for _ in range(min(len(self._free), len(pfns)))]
            fresh = np.arange(self._used, self._used + len(pfns) - len(reused))
            pages = np.concatenate([np.array(reused, np.int64), fresh])
        self._used = max(self._used, int(pages.max()) + 1)
        self._pool, self.slots = _grown(self._pool, self._used), _grown(self.slots, high + 1)
        self.slots[pfns] = pages * self.per_frame
        self.nr_frames += len(pfns)
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
