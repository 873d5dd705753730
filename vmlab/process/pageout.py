"""Taking pages away from processes: to swap, to their file, or just away. Who chooses the pages is reclaim's business.

    report = shrink_folio_list(memory, pages)      # what became of each: "freed", "writeback", or why it stays

An anonymous page gets a slot, then every entry that maps it is replaced by that slot's, and the count of the slot goes
up with each; then it is written. A synchronous device is done at once and the frame is free; else the page stays in the
swap cache until a later look at it finds it clean. A file's page is never swapped: its entries are emptied and the file
is its backing store; a dirty one is written to the file first (Linux 6.1, mm/vmscan.c:shrink_folio_list, mm/rmap.c:
try_to_unmap_one; in shared memory the slot is kept in the file's own table, mm/shmem.c:shmem_writepage).

Left out: who writes dirty file pages when (flusher threads; here they are written at once), congestion, huge pages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .memory import Memory
from .page import PageFrame
from .swap_entry import SwapEntry

FREED, WRITEBACK = "freed", "writeback"


@dataclass(slots=True)
class Shrunk:
    """What became of each page: (frame number, outcome). Its truth is whether any frame came free."""

    pages: list[tuple[int, str]] = field(default_factory=list)

    @property
    def freed(self) -> int:
        """Frames that are free now."""
        return sum(outcome == FREED for _, outcome in self.pages)

    def __bool__(self) -> bool:
        return self.freed > 0

    def tell(self) -> str:
        """One line a page."""
        return "\n".join(f"frame {pfn:#x}: {outcome}" for pfn, outcome in self.pages)


def shrink_folio_list(memory: Memory, pages: Iterable[PageFrame]) -> Shrunk:
    """Try each page once, in order."""
    found = Shrunk()
    for page in pages:
        found.pages.append((page.pfn, _shrink(memory, page)))
    return found


def _shrink(memory: Memory, page: PageFrame) -> str:
    if page.pfn not in memory.frames:
        return "gone already"
    if page.writeback:
        return "kept: it is being written"
    if page.mlocked:
        return "kept: mlocked"
    if page.pins:
        return "kept: pinned"
    if page.anon and page.swapbacked and page.slot is None and not add_to_swap(memory, page):
        return "kept: no free swap slot"
    if page.anon and not page.swapbacked and not _is_lazyfree(page):
        page.swapbacked = True
        return "kept: written again after MADV_FREE"
    if page.file is not None and page.file.is_shmem:
        return _shrink_shmem(memory, page)
    try_to_unmap(memory, page)
    if page.dirty and not _pageout(memory, page):
        return WRITEBACK
    return _remove(memory, page)


def _is_lazyfree(page: PageFrame) -> bool:
    """Clean in every entry since MADV_FREE."""
    return not page.dirty and not any(mm.table.pte(va).dirty for mm, va in page.rmap)


def add_to_swap(memory: Memory, page: PageFrame) -> bool:
    """A slot for an anonymous page; False if there is none."""
    slot = memory.swap.get_slot()
    if slot is None:
        return False
    memory.swap.add_to_cache(page, slot)
    page.dirty = True  # even a clean one: nothing is in the slot yet
    return True


def try_to_unmap(memory: Memory, page: PageFrame) -> None:
    """Every entry that maps the page: a swap entry instead, or nothing if it is a file's."""
    for mm, va in list(page.rmap):
        pte = mm.table.pte(va)
        swapped = page.anon and page.slot is not None
        mm.forget(va, pte)
        if not swapped:
            memory.changed("drop", mm, va, page.pfn, None, "try_to_unmap_one")
            continue
        assert page.slot is not None
        memory.swap.duplicate(page.slot)
        entry = SwapEntry(*page.slot, exclusive=page.exclusive, soft_dirty=pte.soft_dirty)
        mm.table.put_swap(va, entry)
        mm.swapents += 1
        memory.changed("swap out", mm, va, page.pfn, mm.table.pte(va).swap, "try_to_unmap_one")
    page.exclusive = False


def _pageout(memory: Memory, page: PageFrame) -> bool:
    """Write a dirty page; whether it is clean when this returns."""
    page.dirty = page.referenced = False
    if page.file is not None:
        page.file.write(page.index, bytes(page.data))
        return True
    if page.slot is None:  # lazily freed: nobody wants the bytes
        return True
    area = memory.swap.area(page.slot[0])
    area.write(page.slot[1], bytes(page.data))
    page.writeback = not area.synchronous
    return area.synchronous


def _remove(memory: Memory, page: PageFrame) -> str:
    """__remove_mapping: out of the cache, and the frame is free."""
    if page.slot is not None:
        memory.swap.leave_cache(page)
    if page.file is not None:
        del page.file.cache[page.index]
        page.file = None
    memory.put(page)
    return FREED


def _shrink_shmem(memory: Memory, page: PageFrame) -> str:
    """shmem_writepage: entries are emptied; the file's own table names the slot."""
    file, index = page.file, page.index
    assert file is not None
    slot = memory.swap.get_slot()
    if slot is None:
        return "kept: no free swap slot"
    try_to_unmap(memory, page)
    memory.swap.areas[slot[0]].swap_map[slot[1]] |= 1  # SWAP_MAP_SHMEM: the file's table is its one user
    memory.swap.areas[slot[0]].write(slot[1], bytes(page.data))
    memory.swap.areas[slot[0]].set_cache(slot[1], False)
    file.cache[index] = slot
    page.file = None
    memory.put(page)
    return FREED
