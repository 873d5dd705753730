"""A page allocator of one's own: a doubly linked list over the frames of one zone.

The list of somebody who added a zone to "manage all its page frames in my own way": `next` and `prev`, one
entry a frame, where the kernel's own lists use the struct page's `lru`. Leaving the zone out of the
zonelists keeps other users away, but the zone's free frames still stand on buddy's lists, and frames that
were reserved at boot hold what boot put there. `conflicts` finds every frame with two owners and says
what a kernel would do (Linux 6.1, mm/page_alloc.c:check_new_page and bad_page, lib/list_debug.c).

Left out: locks, per-CPU lists, reference counts, blocks larger than a page; and a frame that was claimed,
freed behind the list's back and handed out again counts as the list's own.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from ..ranges import Ranges
from ..units import VmlabError, human
from . import owners
from .owners import CMA, Booted, Held
from .refusals import BadFree, DoubleFree
from .zones import Zone

MAX_FRAMES = 1 << 24  # 64 GiB; the links take 16 bytes a frame, as page->lru does on a 64-bit kernel

ON_LIST, IN_USE = "free on this list", "handed out by this list"
BUDDY_FREE, BUDDY_USED = "free in buddy", "handed out by buddy"
CONSEQUENCE = {
    (ON_LIST, BUDDY_FREE): "both lists link the frame through page->lru: list_del corruption, and either "
    "allocator then walks into the other's list",
    (IN_USE, BUDDY_FREE): "buddy will hand it out again: if its _refcount was raised, check_new_page reports "
    "'BUG: Bad page state' and the frame is lost; if not, its data is overwritten",
    (ON_LIST, BUDDY_USED): "the list's next user overwrites the data of buddy's user",
    (IN_USE, BUDDY_USED): "two users write to one frame: each overwrites the other's data",
}
CMA_LOST = "a driver that asks for contiguous memory is given these frames and overwrites them"
MEM_MAP_LOST = "struct pages are overwritten: the kernel loses track of the frames that they describe"
BOOT_LOST = "what boot put there is overwritten"


@dataclass(frozen=True, slots=True)
class Conflict:
    """Frames `start_pfn`..`end_pfn` (half open) with two owners, and what that leads to."""

    start_pfn: int
    end_pfn: int
    list_owner: str
    other_owner: str
    consequence: str

    @property
    def pages(self) -> int:
        """How many frames."""
        return self.end_pfn - self.start_pfn

    def tell(self) -> str:
        """One line for a person."""
        span = f"{self.start_pfn:#x}" if self.pages == 1 else f"{self.start_pfn:#x}..{self.end_pfn - 1:#x}"
        owners = f"{self.list_owner}, and {self.other_owner}"
        return f"pfn {span} ({self.pages:,} pages): {owners}: {self.consequence}"


class PageList:
    """A doubly linked list of the frames of `zone`; hands out one frame at a time.

    `order` is "LIFO" (the last frame freed goes out first) or "FIFO". `claim` first takes the frames out of
    buddy, as one must. Frames that boot reserved are not put on the list but named in `left_out`;
    `take_reserved` puts them on the list all the same, to see what happens.
    """

    def __init__(
        self,
        kernel: Booted,
        zone: str | Zone,
        *,
        order: str = "LIFO",
        claim: bool = False,
        take_reserved: bool = False,
    ) -> None:
        if order not in ("LIFO", "FIFO"):
            raise VmlabError(f"order: expected 'LIFO' or 'FIFO', got {order!r}")
        self.kernel, self.order = kernel, order
        self.zone = kernel.zones[zone] if isinstance(zone, str) else zone
        if self.zone.spanned_pages > MAX_FRAMES:
            raise VmlabError(
                f"zone {self.zone.name} has {self.zone.spanned_pages} frames: expected at most {MAX_FRAMES} "
                f"({human(MAX_FRAMES << 12)}) for a list that links every frame; cut a smaller zone"
            )
        self.in_use: set[int] = set()
        self.reserved = owners.reserved(kernel, self.zone)
        self.frames = owners.ram(kernel, self.zone)
        self.left_out = () if take_reserved else self.reserved
        for part in self.left_out:
            self.frames.remove(part.start_pfn, part.end_pfn)
        self.claimed = Ranges()
        if claim:
            self._claim()
        self._link()

    def _claim(self) -> None:
        """Take the frames out of buddy; those that it had handed out before belong to their users."""
        for start, end in list(self.frames):
            for first, order in self.kernel.buddy.take(self.zone, start, end):
                self.claimed.add(first, first + (1 << order))
        for low, high in self.kernel.buddy.handed_out(self.zone):
            for start, end in sorted(self.claimed.gaps_down(low, high)):
                self.left_out += (Held(start, end, BUDDY_USED),)
                self.frames.remove(start, end)

    def _link(self) -> None:
        """Chain all frames, lowest first, into a ring that begins and ends at the head (struct list_head)."""
        self._head = self.zone.spanned_pages
        self._next = array("q", bytes(8 * (self._head + 1)))
        self._prev = array("q", bytes(8 * (self._head + 1)))
        self._nr_free = 0
        last = self._head
        for start, end in self.frames:
            low, high = start - self.zone.start_pfn, end - self.zone.start_pfn
            self._next[low:high] = array("q", range(low + 1, high + 1))
            self._prev[low:high] = array("q", range(low - 1, high - 1))
            self._next[last], self._prev[low] = low, last
            last = high - 1
            self._nr_free += high - low
        self._next[last], self._prev[self._head] = self._head, last

    def __len__(self) -> int:
        return self._nr_free

    def __iter__(self) -> Iterator[int]:
        """Free frames in list order."""
        at = self._next[self._head]
        while at != self._head:
            yield at + self.zone.start_pfn
            at = self._next[at]

    def __reversed__(self) -> Iterator[int]:
        """The same from the other end, along `prev`."""
        at = self._prev[self._head]
        while at != self._head:
            yield at + self.zone.start_pfn
            at = self._prev[at]

    def alloc(self) -> int | None:
        """Unlink the first frame of the list and hand it out; None when the list is empty."""
        first = self._next[self._head]
        if first == self._head:
            return None
        self._next[self._head] = self._next[first]
        self._prev[self._next[first]] = self._head
        self._nr_free -= 1
        self.in_use.add(first + self.zone.start_pfn)
        return first + self.zone.start_pfn

    def free(self, pfn: int) -> None:
        """Link a frame in again: at the front for LIFO, at the back for FIFO."""
        if pfn not in self.in_use:
            self._refuse(pfn)
        self.in_use.remove(pfn)
        at = pfn - self.zone.start_pfn
        before = self._head if self.order == "LIFO" else self._prev[self._head]
        after = self._next[before]
        self._next[before] = self._prev[after] = at
        self._prev[at], self._next[at] = before, after
        self._nr_free += 1

    def free_ranges(self) -> Iterator[tuple[int, int]]:
        """The frames on the list as ascending half-open ranges; finding neighbours is what the list cannot do."""
        found = Ranges()
        for pfn in sorted(self):
            found.add(pfn, pfn + 1)
        return iter(found)

    def _refuse(self, pfn: int) -> None:
        if self.frames.holds(pfn):
            raise DoubleFree(f"free of pfn {pfn:#x}: it is on the list already")
        raise BadFree(f"free of pfn {pfn:#x}: this list of zone {self.zone.name} never handed it out")

    def conflicts(self) -> list[Conflict]:
        """Every stretch of frames that this list and somebody else own, ascending."""
        used = Ranges()
        for pfn in sorted(self.in_use):
            used.add(pfn, pfn + 1)
        found = []
        for start, end, other, consequence in self._others():
            for low, high in self.frames.shared(start, end):
                sides = [(ON_LIST, used.gaps_down(low, high)), (IN_USE, used.shared(low, high))]
                for mine, parts in sides:
                    why = consequence or CONSEQUENCE[mine, other]
                    found += [Conflict(first, last, mine, other, why) for first, last in parts]
        return sorted(found, key=lambda conflict: conflict.start_pfn)

    def _others(self) -> Iterator[tuple[int, int, str, str]]:
        """(first frame, end, owner, consequence or "" if it depends on the list's side) of all other owners."""
        for start, end in self.kernel.buddy.free_ranges(self.zone, per_cpu=True):
            yield start, end, BUDDY_FREE, ""
        for low, high in self.kernel.buddy.handed_out(self.zone):
            for start, end in self.claimed.gaps_down(low, high):
                yield start, end, BUDDY_USED, ""
        for part in self.reserved:
            holds = self.kernel.mem_map.holds(part.start_pfn)
            lost = CMA_LOST if part.why == CMA else MEM_MAP_LOST if holds else BOOT_LOST
            yield part.start_pfn, part.end_pfn, part.why, lost
