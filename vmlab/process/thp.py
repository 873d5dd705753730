"""Transparent huge pages: 512 small pages collapse into one block of frames, and the block is split again.

khugepaged (or MADV_COLLAPSE) takes a free block of order 9, copies what is there, fills the holes with zeros, and
changes every entry: all frames change. A split changes no frame (Linux 6.1, mm/khugepaged.c:collapse_huge_page,
mm/huge_memory.c:split_huge_page_to_list). The block goes back to the page allocator when its last page is gone.

Left out: the huge entry itself (here 512 small entries lead to the block, so a walk has one step more than on a real
machine), pages of files, and frames of a split block that come free one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..units import PAGE_SHIFT, PAGE_SIZE, group_hex
from .fault import fresh
from .memory import Memory
from .mm import MmStruct
from .page import PageFrame
from .pte import NoFrames, Pte

HPAGE_PMD_ORDER = 9  # with 4 KiB pages and tables of 512 entries
MAX_PTES_NONE, MAX_PTES_SHARED = 511, 256  # khugepaged's defaults: HPAGE_PMD_NR - 1, and half


@dataclass(frozen=True, slots=True)
class Collapsed:
    """The block's first frame; false in a condition if the pages stayed as they were, and why."""

    base: int | None
    moved: int = 0
    filled: int = 0
    why: str = ""

    def __bool__(self) -> bool:
        return self.base is not None

    def tell(self) -> str:
        """One line."""
        if self.base is None:
            return f"not collapsed: {self.why}"
        return f"{self.moved} pages moved and {self.filled} holes filled: frames {self.base:#x} on"


def collapse(mm: MmStruct, va: int, order: int = HPAGE_PMD_ORDER) -> Collapsed:
    """Collapse the 2**order pages around `va`; a refusal changes nothing."""
    size = PAGE_SIZE << order
    start = mm.page_of(va) // size * size
    if why := _refuses(mm, start, size):
        return Collapsed(None, why=why)
    memory = mm.memory
    try:
        base = memory.take(order)
    except NoFrames as none:
        return Collapsed(None, why=str(none))
    _keep_whole(memory, base, order)
    moved = filled = 0
    for number in range(1 << order):
        pte = mm.table.pte(start + (number << PAGE_SHIFT))
        if pte.pfn in memory.frames:
            _move(mm, start + (number << PAGE_SHIFT), pte, base + number)
            moved += 1
        else:
            _fill(mm, start + (number << PAGE_SHIFT), pte, base + number)
            filled += 1
    return Collapsed(base, moved, filled)


def _refuses(mm: MmStruct, start: int, size: int) -> str:
    area = mm.vmas.find(start)
    if area is None or area.kind != "anonymous" or area.end < start + size or "w" not in area.prot:
        return f"{group_hex(start)}..{group_hex(start + size)} does not lie in one writable anonymous area"
    entries = [pte for _, pte in mm.pages(start, start + size)]
    pages = [page for pte in entries if pte.pfn is not None and (page := mm.memory.frames.get(pte.pfn))]
    if any(pte.swap is not None for pte in entries):
        return "a page is in swap (the model brings none in: touch it first)"
    if any(page.pins for page in pages):
        return "a page is pinned: it has more references than entries"
    if any(page.writeback or page.slot is not None for page in pages):
        return "a page is on its way to swap"
    if sum(page.mapcount > 1 for page in pages) > MAX_PTES_SHARED:
        return f"more than {MAX_PTES_SHARED} pages are shared with another process (max_ptes_shared)"
    if size // PAGE_SIZE - len(pages) > MAX_PTES_NONE or not pages:
        return f"more than {MAX_PTES_NONE} pages were never touched (max_ptes_none)"
    return ""


def _move(mm: MmStruct, va: int, pte: Pte, pfn: int) -> None:
    """The bytes go to the block; the old frame goes free unless another process has it too."""
    assert pte.pfn is not None
    memory, area = mm.memory, mm.vmas.find(va)
    old = memory.page(pte.pfn)
    assert area is not None
    new = _page(memory, pfn, bytes(old.data))
    mm.forget(va, pte)
    entry = fresh(area, True)._replace(soft_dirty=pte.soft_dirty)
    mm.map_page(area, va, new, entry, "collapse", "collapse_huge_page", old=pte.pfn)
    memory.put(old)


def _fill(mm: MmStruct, va: int, pte: Pte, pfn: int) -> None:
    """Zeros, where nothing was or the zero page."""
    area = mm.vmas.find(va)
    assert area is not None
    if pte.raw:
        mm.forget(va, pte)
    mm.map_page(area, va, _page(mm.memory, pfn), fresh(area, True), "collapse", "collapse_huge_page", old=mm.place(pte))


def _page(memory: Memory, pfn: int, data: bytes = b"") -> PageFrame:
    page = PageFrame(pfn, anon=True, exclusive=True)
    page.data[: len(data)] = data
    memory.frames[pfn] = page
    memory._tell("new", page)
    return page


def _keep_whole(memory: Memory, base: int, order: int) -> None:
    """Give the block back when its last frame is: the allocator handed it out as one."""
    give, live = memory._free, set(range(base, base + (1 << order)))

    def free(pfn: int, of_order: int) -> None:
        if pfn not in live:
            give(pfn, of_order)
            return
        live.discard(pfn)
        if not live:
            give(base, order)

    memory._free = free


def split(mm: MmStruct, va: int, order: int = HPAGE_PMD_ORDER) -> int:
    """Split the block around `va`: no frame changes, and everybody is told all the same; how many entries."""
    size = PAGE_SIZE << order
    start = mm.page_of(va) // size * size
    here = [(at, pte.pfn) for at, pte in mm.pages(start, start + size) if pte.pfn is not None]
    for at, pfn in here:
        mm.memory.changed("split", mm, at, pfn, pfn, "split_huge_pmd")
    return len(here)
