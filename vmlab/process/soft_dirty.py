"""Soft-dirty: which pages were written since somebody asked to start over.

Writing 4 to /proc/PID/clear_refs clears bit 55 of every page and takes write permission away, so that the next write
faults and sets it again. It tells of writes, not of moves: the bit travels with a page (Linux 6.1,
fs/proc/task_mmu.c:clear_soft_dirty; Documentation/admin-guide/mm/soft-dirty.rst).

Left out: pages in swap and new areas (VM_SOFTDIRTY), which clear_refs clears too.
"""

from __future__ import annotations

from ..units import VmlabError
from .mm import MmStruct


def clear_refs(mm: MmStruct) -> int:
    """Start over; how many pages were written since the last time."""
    if not mm.table.row.written:
        raise VmlabError(f"soft-dirty: Linux {mm.memory.kernel} keeps no such bit in entries of {mm.memory.format}")
    cleared = 0
    for va, pte in list(mm.pages(0, mm.top)):
        if pte.pfn is not None and pte.soft_dirty:
            mm.table.set(va, pte.pfn, pte._replace(soft_dirty=False, write=False))
            mm.memory.changed("protect", mm, va, pte.pfn, pte.pfn, "clear_soft_dirty")
            cleared += 1
    return cleared
