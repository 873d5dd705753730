"""User memory of a whole machine: frames in use, address spaces, swap, and the one hook that hears every change.

    memory = Memory("x86-64-4", alloc, free)        # or k.memory of a booted kernel
    memory.swapon(128)
    memory.on_change.append(lambda change: print(change.tell()))

`alloc(order)` gives the number of the first of 2**order frames, or None; `free(pfn, order)` takes them back. When there
are none, `reclaimer(nr_pages)` is called once, if one is set, and may free some (`process/pageout.py` frees pages; who
chooses which is `process/reclaim.py`). `on_page` hears of pages that come and go: ("new" | "gone", page).

Left out: NUMA, memory cgroups, the OOM killer (out of memory is a result), huge pages, KSM.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..arch.swap_formats import swap_format
from ..units import PAGE_SHIFT, VmlabError
from .events import Change, Place
from .page import PageFrame, Slot
from .pte import NoFrames
from .swap import Swap

if TYPE_CHECKING:
    from ..virtual.context import Cpu
    from .file import File
    from .mm import MmStruct

SWAP_CLUSTER_MAX = 32  # pages that one direct reclaim tries to free


class Memory:
    """Every frame that user memory has, by number, and every mm that lives. `kernel` is a version: it picks entries."""

    def __init__(
        self,
        fmt: str,
        alloc: Callable[[int], int | None],
        free: Callable[[int, int], object],
        kernel: str = "6.1",
    ) -> None:
        self.format, self.kernel = fmt, kernel
        row = swap_format(fmt, kernel)
        self.swap = Swap(row.max_swapfiles, row.max_offset)
        self.frames: dict[int, PageFrame] = {}
        self.mms: list[MmStruct] = []
        self.on_change: list[Callable[[Change], None]] = []
        self.on_page: list[Callable[[str, PageFrame], None]] = []
        self.reclaimer: Callable[[int], int] | None = None
        self.cpu: Cpu | None = None
        self._alloc, self._free = alloc, free
        self.zero_pfn = self.take(0)  # empty_zero_page: every first read of anonymous memory sees it
        self.next_pid = 1

    # --- frames ---

    def take(self, order: int) -> int:
        """Frames, if need be after reclaim; raises NoFrames, which ends as a result."""
        pfn = self._alloc(order)
        if pfn is None and self.reclaimer is not None and self.reclaimer(SWAP_CLUSTER_MAX):
            pfn = self._alloc(order)
        if pfn is None:
            raise NoFrames(f"no free frame of order {order}")
        return pfn

    def give(self, pfn: int, order: int) -> None:
        """Frames go back to the allocator."""
        self._free(pfn, order)

    def new_page(self, data: bytes | None = None, anon: bool = True) -> PageFrame:
        """A page in a new frame, zeroed or with a copy of `data`; raises NoFrames."""
        page = PageFrame(self.take(0), anon)
        if data is not None:
            page.data[: len(data)] = data
        self.frames[page.pfn] = page
        self._tell("new", page)
        return page

    def put(self, page: PageFrame) -> None:
        """A reference was dropped: give the frame back if it was the last."""
        if page.refcount == 0 and page.pfn in self.frames:
            del self.frames[page.pfn]
            self._tell("gone", page)
            self.give(page.pfn, 0)

    def page(self, pfn: int) -> PageFrame:
        """The user page in a frame; refuses frames that hold something else."""
        if pfn not in self.frames:
            raise VmlabError(f"frame {pfn:#x} holds no user page: nothing that a process can lose")
        return self.frames[pfn]

    def _tell(self, what: str, page: PageFrame) -> None:
        for listener in tuple(self.on_page):
            listener(what, page)

    # --- entries ---

    def changed(self, what: str, mm: MmStruct, va: int, old: Place, new: Place, cause: str) -> None:
        """The one place that every change of an entry goes through: forget it in the TLB, tell who listens."""
        if isinstance(old, int) and self.cpu is not None:
            self.cpu.flush_tlb_mm_range(mm, va, va + (1 << PAGE_SHIFT))
        if self.on_change:
            change = Change(what, mm, va, old, new, cause)
            for listener in tuple(self.on_change):
                listener(change)

    def frames_at(self, pfn: int) -> list[tuple[MmStruct, int]]:
        """Who maps a frame: (mm, va) of every entry (rmap_walk); nothing for a frame that holds no user page."""
        return list(self.frames[pfn].rmap) if pfn in self.frames else []

    # --- swap ---

    def swapon(self, pages: int, prio: int | None = None, **device: Any) -> Any:
        """A new swap area (see Swap.swapon)."""
        return self.swap.swapon(pages, prio, **device)

    def swapoff(self, type: int) -> Any:
        """Bring every page of an area back and remove it; a result that is false if memory runs out."""
        from .swapin import swapoff

        return swapoff(self, type)

    def drop_entry(self, slot: Slot) -> None:
        """free_swap_and_cache: an entry goes; a page that only the swap cache still held goes with the last one."""
        self.swap.drop(slot)
        page = self.swap.cache.get(slot)
        if page is not None and (not page.mapcount or self.swap.is_full) and not page.pins:
            self.free_swap(page)
            self.put(page)

    def free_swap(self, page: PageFrame) -> bool:
        """folio_free_swap: give up the slot of a page that is in RAM, if no entry names it any more."""
        if page.slot is None or page.writeback or self.swap.count(page.slot):
            return False
        self.swap.leave_cache(page)
        page.dirty = True
        return True

    def end_writeback(self) -> int:
        """Let every page that is being written reach its device; how many there were."""
        busy = [page for page in self.frames.values() if page.writeback]
        for page in busy:
            page.writeback = False
            if page.slot is not None and not self.swap.count(page.slot) and not page.mapcount:
                self.free_swap(page)
                self.put(page)
        return len(busy)

    def evict(self, file: File) -> int:
        """Give up what a file has in RAM and nobody maps (drop_caches); of shared memory, its slots too. How much."""
        gone = 0
        for index, held in list(file.cache.items()):
            if not isinstance(held, PageFrame):
                self.drop_entry(held)
            elif held.mapcount or (held.pins and not file.is_deleted):
                continue
            else:
                if held.dirty and not file.is_shmem:
                    file.write(index, bytes(held.data))
                held.file = None
                self.put(held)
            del file.cache[index]
            gone += 1
        return gone

    def reclaim_pages(self, pages: list[PageFrame]) -> Any:
        """shrink_folio_list: try to free these pages, and say of each what happened."""
        from .pageout import shrink_folio_list

        return shrink_folio_list(self, pages)

    def migrate(self, pfn: int, new: int | None = None) -> Any:
        """Move a page to another frame, `new` or one from the allocator (see migrate.py)."""
        from .migrate import migrate_page

        return migrate_page(self, pfn, new)

    def __iter__(self) -> Iterator[PageFrame]:
        return iter(tuple(self.frames.values()))
