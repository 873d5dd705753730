"""fork: the areas are copied, the entries are copied, the frames are not.

Every entry that may be written becomes read-only in parent and child; a swap entry is copied and its slot counts one
user more. Areas that never held a private page (no anon_vma: a file's, shared memory, or anonymous memory of which only
the zero page was read) are left for faults to fill (Linux 6.1, kernel/fork.c:dup_mmap, mm/memory.c: vma_needs_copy,
copy_present_pte, copy_nonpresent_pte).

Left out: MADV_DONTFORK and WIPEONFORK, and everything of a process that is not memory.
"""

from __future__ import annotations

from dataclasses import replace

from .fault import fresh
from .mm import MmStruct
from .pte import NoFrames, Pte
from .vma import Vma


def dup_mm(parent: MmStruct, name: str) -> MmStruct:
    """The child's mm; raises NoFrames with nothing left behind."""
    child = MmStruct(parent.memory, name)
    try:
        for area in parent.vmas:
            copy = child.vmas.add(replace(area, locked=False))
            if area.has_anon:
                for va, _ in list(parent.pages(area.start, area.end)):
                    child.table.reach(va)  # may reclaim, so the entry is read after it
                    if (pte := parent.table.pte(va)).raw:
                        _copy_pte(parent, child, copy, va, pte)
    except NoFrames:
        child.exit()
        raise
    return child


def _copy_pte(parent: MmStruct, child: MmStruct, area: Vma, va: int, pte: Pte) -> None:
    """copy_present_pte or copy_nonpresent_pte; a shared area never comes here, since it has no anon_vma."""
    if pte.swap is not None:
        _copy_nonpresent(parent, child, va, pte)
        return
    assert pte.pfn is not None
    page = parent.memory.frames.get(pte.pfn)
    if page is not None and page.anon and page.pins:  # page_try_dup_anon_rmap: a device writes there for the parent
        copy = parent.memory.new_page(bytes(page.data))
        copy.exclusive = True
        new = fresh(area, True)._replace(write=area.allows("write"))  # maybe_mkwrite
        child.map_page(area, va, copy, new, "fork", "copy_present_page")
        return
    if page is not None and page.anon:
        page.exclusive = False
    if pte.write:
        pte = pte._replace(write=False)
        parent.table.set(va, pte.pfn or 0, pte)
        parent.memory.changed("protect", parent, va, pte.pfn, pte.pfn, "copy_present_pte")
    new = pte._replace(accessed=False)
    if page is None:  # the zero page
        child.table.set(va, parent.memory.zero_pfn, new)
        parent.memory.changed("fork", child, va, None, pte.pfn, "copy_present_pte")
    else:
        child.map_page(area, va, page, new, "fork", "copy_present_pte")


def _copy_nonpresent(parent: MmStruct, child: MmStruct, va: int, pte: Pte) -> None:
    """One slot, two entries, and neither is exclusive any more."""
    entry = pte.swap
    assert entry is not None
    parent.memory.swap.duplicate(entry.slot)
    shared = entry._replace(exclusive=False)
    if entry.exclusive:
        parent.table.put_swap(va, shared)
        parent.memory.changed("share", parent, va, entry, shared, "copy_nonpresent_pte")
    child.table.put_swap(va, shared)
    child.swapents += 1
    parent.memory.changed("fork", child, va, None, shared, "copy_nonpresent_pte")
