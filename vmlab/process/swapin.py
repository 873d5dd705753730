"""Bringing pages back from swap: the fault, the neighbours read with it, shared memory's own way, and swapoff.

Source: Linux 6.1, mm/memory.c:do_swap_page, mm/swap_state.c (swap_cluster_readahead, swap_vma_readahead),
mm/swapfile.c:try_to_unuse. Left out: entries that wait for a migration (the model's is done at once), poisoned pages,
and the moments in which two CPUs fault on one slot.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..units import PAGE_SHIFT
from .events import Fault
from .fault import MAJOR, MINOR, do_wp_page
from .file import File
from .memory import Memory
from .mm import MmStruct
from .page import PageFrame, Slot
from .pte import NoFrames, Pte
from .swap import nr_pages
from .swap_entry import SwapEntry
from .vma import Vma

RA_ORDER_CEILING, RA_HITS_MAX = 5, 63  # mm/swap_state.c: SWAP_RA_ORDER_CEILING (3 on 32 bits), SWAP_RA_HITS_MAX


def do_swap_page(mm: MmStruct, area: Vma, va: int, access: str, pte: Pte, fault: Fault) -> None:
    """The page that a swap entry names: from the swap cache, or read from its slot."""
    assert pte.swap is not None
    memory, entry, slot = mm.memory, pte.swap, pte.swap.slot
    device = memory.swap.area(slot[0])
    fault.step("do_swap_page", f"pte_to_swp_entry: slot {slot[1]} of area {slot[0]} ({device.name})")
    page, result = memory.swap.cache.get(slot), MINOR
    fresh_page = False
    if page is not None:
        _note_hit(memory, area, va, page)
        fault.step("swap_cache_get_folio", f"the page is still in the swap cache: frame {page.pfn:#x}, nothing to read")
    elif device.synchronous and device.count(slot[1]) == 1:
        page, result, fresh_page = memory.new_page(bytes(device.read(slot[1]))), MAJOR, True
        fault.step("swap_readpage", f"a synchronous device, and one user: read to frame {page.pfn:#x}, no swap cache")
    else:
        page, result = swapin_readahead(mm, area, va, slot, fault), MAJOR
    exclusive = entry.exclusive or fresh_page
    memory.swap.drop(slot)
    mm.swapents -= 1
    wrote = access == "write"
    if page.slot is not None and (memory.swap.is_full or area.locked or (wrote and page.refcount == 1)):
        memory.free_swap(page)
    if not page.cached:
        page.dirty = True  # no slot has its bytes any more: MADV_FREE by one of several owners must not lose them
    alone = exclusive or page.refcount == 0
    page.exclusive |= alone
    new = Pte(
        0, None, wrote and alone, wrote and alone, True, "x" not in area.prot, entry.soft_dirty or (wrote and alone)
    )
    mm.table.clear(va)
    mm.map_page(area, va, page, new, "swap in", "do_swap_page", old=entry)
    left = device.count(slot[1]) if device.swap_map[slot[1]] else 0
    fault.step("swap_free", f"one entry less names slot {slot[1]}: {left} left")
    fault.end(result, "read from swap" if result == MAJOR else "found in the swap cache")
    if wrote and not alone:
        do_wp_page(mm, area, va, mm.table.pte(va), fault)
        fault.end(result, fault.why)


def swapin_readahead(mm: MmStruct, area: Vma, va: int, slot: Slot, fault: Fault) -> PageFrame:
    """Read the slot, and neighbours: by slot number if some device seeks, else by address."""
    memory = mm.memory
    seeks = _any_seeks(memory)
    name = "swap_cluster_readahead" if seeks else "swap_vma_readahead"
    slots = _cluster(memory, slot) if seeks else _neighbours(mm, area, va)
    read = [each for each in slots if _read_ahead(memory, each, each != slot)]  # in order, the wanted one in its place
    page = read_swap_cache(memory, slot)
    others = len(read) - (slot in read)
    fault.step(name, f"read slot {slot[1]} to frame {page.pfn:#x}, and {others} neighbours, into the swap cache")
    return page


def _any_seeks(memory: Memory) -> bool:
    """nr_rotate_swap: whether slots lie next to each other for a reason (else swap_use_vma_readahead)."""
    return any(each.rotational for each in memory.swap.areas.values())


def _note_hit(memory: Memory, area: Vma, va: int, page: PageFrame) -> None:
    """swap_cache_get_folio: a page that was read ahead is used now, so the next window may be larger."""
    used, page.readahead = page.readahead, False
    if _any_seeks(memory):
        memory.swap.hits += used
    else:
        _, window, hits = area.readahead
        area.readahead = va, window, min(hits + used, RA_HITS_MAX)


def _cluster(memory: Memory, slot: Slot) -> list[Slot]:
    """The aligned group of slots around one."""
    size, area = memory.swap.window(slot[1]), memory.swap.area(slot[0])
    first = slot[1] & -size
    return [(slot[0], offset) for offset in range(max(1, first), min(first + size, area.max))]


def _neighbours(mm: MmStruct, area: Vma, va: int) -> list[Slot]:
    """swap_ra_info: slots of the pages after, before or around an address, in the same area and the same table."""
    most = 1 << min(mm.memory.swap.page_cluster, RA_ORDER_CEILING)
    if most == 1:
        return []
    page, (before, last, hits) = va >> PAGE_SHIFT, area.readahead
    before >>= PAGE_SHIFT
    window = nr_pages(before, page, hits, most, last)
    area.readahead = va, window, 0
    if window == 1:
        return []
    first = page if page == before + 1 else page - window + 1 if page == before - 1 else page - (window - 1) // 2
    table = mm.table.pages_of_table
    start = max(first, area.start >> PAGE_SHIFT, page & -table)
    end = min(first + window, area.end >> PAGE_SHIFT, (page & -table) + table)
    entries = (mm.table.pte(at << PAGE_SHIFT).swap for at in range(start, end))
    return [entry.slot for entry in entries if entry is not None]


def read_swap_cache(memory: Memory, slot: Slot) -> PageFrame:
    """read_swap_cache_async: the page, in the swap cache; raises NoFrames."""
    if (found := memory.swap.cache.get(slot)) is not None:
        return found
    page = memory.new_page(bytes(memory.swap.area(slot[0]).read(slot[1])))
    memory.swap.add_to_cache(page, slot)
    return page


def _read_ahead(memory: Memory, slot: Slot, ahead: bool) -> bool:
    """A slot that is in use and not here yet, marked if nobody asked for it; no frame for it is no reason to fail."""
    area = memory.swap.area(slot[0])
    if not area.count(slot[1]) or slot in memory.swap.cache:
        return False
    try:
        read_swap_cache(memory, slot).readahead = ahead
    except NoFrames:
        return False
    return True


def shmem_swapin(memory: Memory, file: File, index: int, slot: Slot, fault: Fault) -> tuple[PageFrame, str]:
    """shmem_swapin_folio: the file's own table named the slot; it names the page again."""
    result = MINOR if slot in memory.swap.cache else MAJOR
    page = read_swap_cache(memory, slot)
    page.anon = False
    memory.swap.leave_cache(page)
    page.file, page.index, page.dirty = file, index, True
    file.cache[index] = page
    memory.swap.drop(slot)
    fault.step("shmem_swapin_folio", f"page {index} was in slot {slot[1]} of area {slot[0]}: frame {page.pfn:#x}")
    return page, result


@dataclass(frozen=True, slots=True)
class SwapOff:
    """What swapoff did; false in a condition if it had to stop for lack of memory."""

    type: int
    brought_back: int
    left: int

    def __bool__(self) -> bool:
        return not self.left

    def tell(self) -> str:
        """One line."""
        if self:
            return f"area {self.type} is gone; {self.brought_back} pages were brought back"
        return f"ENOMEM: {self.left} slots of area {self.type} are still in use, {self.brought_back} pages came back"


def swapoff(memory: Memory, type: int) -> SwapOff:
    """Bring everything back, by searching every mm's table and every shared memory: no slot knows who names it."""
    area = memory.swap.area(type)
    area.writable = False
    memory.end_writeback()
    brought = 0
    try:
        for mm in tuple(memory.mms):
            for va, pte in list(mm.pages(0, mm.top)):
                if pte.swap is not None and pte.swap.type == type:
                    _unuse_pte(memory, mm, va, mm.table.pte(va))
                    brought += 1
            brought += _unuse_shmem(memory, mm, type)
    except NoFrames:
        area.writable = True
        return SwapOff(type, brought, area.inuse_pages)
    for page in [page for slot, page in memory.swap.cache.items() if slot[0] == type]:
        memory.free_swap(page)
        memory.put(page)
    if area.inuse_pages:
        area.writable = True
        return SwapOff(type, brought, area.inuse_pages)
    memory.swap.forget(type)
    return SwapOff(type, brought, 0)


def _unuse_pte(memory: Memory, mm: MmStruct, va: int, pte: Pte) -> None:
    """unuse_pte: the page, mapped again, read-only; a write will reuse it if it is exclusive."""
    entry, area = pte.swap, mm.vmas.find(va)
    assert entry is not None
    assert area is not None
    page = read_swap_cache(memory, entry.slot)
    memory.swap.drop(entry.slot)
    mm.swapents -= 1
    page.exclusive |= entry.exclusive
    page.dirty = True
    mm.table.clear(va)
    new = Pte(0, accessed=False, nx="x" not in area.prot, soft_dirty=entry.soft_dirty, none=area.prot == "")
    mm.map_page(area, va, page, new, "swap in", "unuse_pte", old=SwapEntry(*entry.slot))
    memory.free_swap(page)


def _unuse_shmem(memory: Memory, mm: MmStruct, type: int) -> int:
    brought = 0
    for file in {area.file for area in mm.vmas if area.file is not None and area.file.is_shmem}:
        for index, slot in list(file.cache.items()):
            if not isinstance(slot, PageFrame) and slot[0] == type:
                shmem_swapin(memory, file, index, slot, Fault(0, "read"))
                brought += 1
    return brought
