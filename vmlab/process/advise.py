"""What a program tells the kernel about its pages: madvise and mlock (Linux 6.1, mm/madvise.c, mm/mlock.c).

    DONTNEED   entries go now; anonymous bytes are lost, a file's are read again
    FREE       anonymous bytes may be lost whenever memory is needed, unless written before
    COLD       not used lately: first to go when somebody must
    PAGEOUT    go now, as reclaim would do it; pages that others map too are left alone

Left out: the other forty or so kinds of advice, and mlock's limit.
"""

from __future__ import annotations

from ..units import VmlabError
from .mm import MmStruct
from .page import PageFrame
from .pageout import Shrunk, shrink_folio_list
from .pte import Pte

ADVICE = ("DONTNEED", "PAGEOUT", "COLD", "FREE")


def madvise(mm: MmStruct, va: int, length: int, advice: str) -> Shrunk:
    """Carry out advice for a range; what became of each page that was looked at."""
    name = advice.removeprefix("MADV_") if isinstance(advice, str) else advice
    if name not in ADVICE:
        raise VmlabError(f"advice: expected one of {', '.join(ADVICE)}, got {advice!r}")
    start, end = mm.mapped(va, length)
    areas = mm.vmas.within(start, end)
    if any(area.locked for area in areas):
        raise VmlabError(f"madvise({name}): part of the range is mlocked (EINVAL): munlock it first")
    if name == "FREE" and any(area.kind != "anonymous" for area in areas):
        raise VmlabError("madvise(FREE): only for private anonymous memory (EINVAL)")
    if name == "DONTNEED":
        return Shrunk([(0, "unmapped")] * mm.zap(start, end, "madvise(MADV_DONTNEED)"))
    found = Shrunk()
    for area in areas:
        for at, pte in list(mm.pages(max(start, area.start), min(end, area.end))):
            _one(mm, at, pte, name, found)
    return found


def _one(mm: MmStruct, va: int, pte: Pte, advice: str, found: Shrunk) -> None:
    page = mm.memory.frames.get(pte.pfn) if pte.pfn is not None else None
    if advice == "FREE":
        _free(mm, va, pte, page, found)
    elif page is None or pte.pfn is None:
        return
    elif page.mapcount != 1:
        found.pages.append((page.pfn, f"kept: {page.mapcount} entries map it"))
    elif advice == "PAGEOUT":
        _make_old(mm, va, pte, page)
        found.pages += shrink_folio_list(mm.memory, [page]).pages
    else:
        _make_old(mm, va, pte, page)
        found.pages.append((page.pfn, "cold: inactive, its accessed bit cleared"))


def _make_old(mm: MmStruct, va: int, pte: Pte, page: PageFrame) -> None:
    """madvise_cold_or_pageout_pte_range: not accessed, not referenced, not active."""
    assert pte.pfn is not None
    mm.table.set(va, pte.pfn, pte._replace(accessed=False))
    page.active = page.referenced = False


def _free(mm: MmStruct, va: int, pte: Pte, page: PageFrame | None, found: Shrunk) -> None:
    """madvise_free_pte_range: clean, old, and no longer worth a slot; a swapped page is forgotten at once.

    Of a shared page only this entry is made clean: reclaim frees it once nobody's says that it was written.
    """
    if pte.swap is not None:
        mm.zap(va, va + 4096, "madvise(MADV_FREE)")
        found.pages.append((0, "its slot is given up"))
        return
    if page is None or pte.pfn is None:
        return
    if page.slot is not None or page.dirty:
        if page.mapcount != 1 or (page.slot is not None and not mm.memory.free_swap(page)):
            return
        page.dirty = False
    if not page.mlocked:
        page.swapbacked = page.active = page.referenced = False  # lru_lazyfree_fn
    mm.table.set(va, pte.pfn, pte._replace(accessed=False, dirty=False))
    found.pages.append((page.pfn, "may be lost unless it is written again"))


def mlock(mm: MmStruct, va: int, length: int) -> list[object]:
    """Bring every page of a range in and keep it in RAM (it may still move); the faults that did not succeed."""
    from .fault import handle_mm_fault

    start, end = mm.mapped(va, length)
    for area in mm.vmas.isolate(start, end):
        area.locked = True
    mm.vmas.merge(start)
    failed: list[object] = []
    for at in range(start, end, 4096):
        here, pte = mm.vmas.find(at), mm.table.pte(at)
        wants_write = here is not None and here.allows("write") and not here.shared
        if pte.pfn is None or (wants_write and not pte.write):
            fault = handle_mm_fault(mm, at, "write" if wants_write else "read")  # __mm_populate
            if not fault:
                failed.append(fault)
    return failed


def munlock(mm: MmStruct, va: int, length: int) -> None:
    """Let pages of a range be taken again."""
    start, end = mm.mapped(va, length)
    for area in mm.vmas.isolate(start, end):
        area.locked = False
    mm.vmas.merge(start)
