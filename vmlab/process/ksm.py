"""Kernel samepage merging: pages with equal bytes become one, read-only; the first write makes a copy again.

ksmd finds the candidates in areas that asked for it (MADV_MERGEABLE); here the caller names two frames. One of them
stays and is write-protected, every entry of the other is pointed to it, the other frame goes free (Linux 6.1,
mm/ksm.c: try_to_merge_one_page, write_protect_page, replace_page). Unmerging is an ordinary copy-on-write fault.

Left out: the two trees and their scan, pages of zeros, and that Linux never reuses a merged page whose other users
are gone, but copies it even then (here it is reused).
"""

from __future__ import annotations

from dataclasses import dataclass

from .memory import Memory
from .page import PageFrame


@dataclass(frozen=True, slots=True)
class Merged:
    """The frame that both are in now; false in a condition if nothing was merged, and why."""

    kept: int | None
    gone: int
    entries: int = 0
    why: str = ""

    def __bool__(self) -> bool:
        return self.kept is not None

    def tell(self) -> str:
        """One line."""
        if self.kept is None:
            return f"frame {self.gone:#x} stays: {self.why}"
        return f"frame {self.gone:#x} is free; its {self.entries} entries lead to frame {self.kept:#x}, read-only"


def merge_pages(memory: Memory, keep: int, drop: int) -> Merged:
    """Merge the page in frame `drop` into the one in frame `keep`; a refusal changes nothing."""
    kept, gone = memory.page(keep), memory.page(drop)
    if why := _refuses(kept, gone):
        return Merged(None, drop, why=why)
    _write_protect(memory, kept)
    entries = list(gone.rmap)
    for mm, va in entries:
        area = mm.vmas.find(va)
        assert area is not None
        pte = mm.table.pte(va)
        mm.forget(va, pte)
        mm.map_page(area, va, kept, pte._replace(write=False, dirty=False), "merge", "replace_page", old=drop)
    kept.dirty = True
    if gone.slot is not None:
        memory.free_swap(gone)
    memory.put(gone)
    return Merged(keep, drop, len(entries))


def _refuses(kept: PageFrame, gone: PageFrame) -> str:
    if kept is gone:
        return "it is the same frame already"
    if not (kept.anon and gone.anon):
        return "only anonymous pages are merged"
    if kept.pins or gone.pins:
        return "a page is pinned: it has more references than entries"
    if kept.writeback or gone.writeback:
        return "a page is being written"
    if not (kept.mapcount and gone.mapcount):
        return "a page is in no process"
    return "" if kept.data == gone.data else "the bytes differ"


def _write_protect(memory: Memory, page: PageFrame) -> None:
    """write_protect_page: nobody may change what others are about to see."""
    page.exclusive = False
    for mm, va in page.rmap:
        pte = mm.table.pte(va)
        if pte.write:
            page.dirty |= pte.dirty
            mm.table.set(va, page.pfn, pte._replace(write=False, dirty=False))
            memory.changed("protect", mm, va, page.pfn, page.pfn, "write_protect_page")
