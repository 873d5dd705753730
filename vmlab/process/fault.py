"""A page fault, as Linux serves it: which area, which case, which frame; told step by step.

    handle_mm_fault(mm, va, "write")     # a Fault: minor, major, or SIGSEGV, SIGBUS, OOM; never an exception

Minor: the page was in RAM somewhere, or is new. Major: somebody waited for a device. Source: Linux 6.1,
mm/memory.c (handle_pte_fault and what it calls), arch/x86/mm/fault.c:do_user_addr_fault.

Left out: huge pages, fault-around and file readahead, locks and retries, userfaultfd, NUMA hinting faults, and
uninterrupted walks by other CPUs in between.
"""

from __future__ import annotations

from contextlib import nullcontext

from .events import Fault
from .file import File
from .mm import MmStruct
from .page import PageFrame
from .pte import NoFrames, Pte
from .vma import Vma

SIGSEGV, SIGBUS, OOM, MINOR, MAJOR = "SIGSEGV", "SIGBUS", "OOM", "minor", "major"


def handle_mm_fault(mm: MmStruct, va: int, access: str) -> Fault:
    """Serve a fault at `va` ("read", "write" or "fetch"); nothing but a result comes out of it."""
    va = mm.page_of(va)
    fault = Fault(va, access)
    area = mm.vmas.find(va)
    if area is None:
        fault.step("do_user_addr_fault", "find_vma: no area holds this address")
        return fault.end(SIGSEGV, "no area is mapped there")
    fault.step("do_user_addr_fault", f"find_vma: {area.describe()}")
    if not area.allows(access):
        fault.step("access_error", f"the area allows {area.prot or 'nothing'}, not {access}")
        return fault.end(SIGSEGV, f"the area does not allow {access}")
    try:
        _handle_pte_fault(mm, area, va, access, fault)
    except NoFrames as none:
        fault.step("pagefault_out_of_memory", str(none))
        return fault.end(OOM, "no frame is free and none could be reclaimed")
    mm.major += fault.result == MAJOR
    mm.minor += fault.result == MINOR
    return fault


def _handle_pte_fault(mm: MmStruct, area: Vma, va: int, access: str, fault: Fault) -> None:
    pte = mm.table.pte(va)
    if not pte.raw:
        mm.table.reach(va)
        fault.step("handle_pte_fault", "the entry is empty")
        do_anonymous_page(mm, area, va, access, fault) if area.file is None else do_fault(mm, area, va, access, fault)
    elif pte.swap is not None:
        from .swapin import do_swap_page

        fault.step("handle_pte_fault", f"the entry {pte.raw:#x} is not present and not empty: a swap entry")
        do_swap_page(mm, area, va, access, pte, fault)
    elif access == "write" and not pte.write:
        fault.step("handle_pte_fault", f"the page is present (frame {pte.pfn:#x}) and read-only")
        do_wp_page(mm, area, va, pte, fault)
    else:
        fault.step("handle_pte_fault", "pte_mkyoung: the entry allows it, the CPU leaves the accessed bit to software")
        touch(mm, va, pte, access == "write")
        fault.end(MINOR, "accessed" + (" and dirty" if access == "write" else "") + " now")


def touch(mm: MmStruct, va: int, pte: Pte, wrote: bool) -> None:
    """Accessed, and dirty after a write: set by the CPU, or here where it does not."""
    assert pte.pfn is not None
    dirty = pte.dirty or wrote
    if not pte.accessed or dirty != pte.dirty or (wrote and not pte.soft_dirty):
        mm.table.set(va, pte.pfn, pte._replace(accessed=True, dirty=dirty, soft_dirty=pte.soft_dirty or wrote))


def fresh(area: Vma, write: bool) -> Pte:
    """A new present entry with the area's rights; writable and dirty only if a write is why it is made."""
    return Pte(0, None, write, write, accessed=True, nx="x" not in area.prot, soft_dirty=write)


# --- anonymous memory ---


def do_anonymous_page(mm: MmStruct, area: Vma, va: int, access: str, fault: Fault) -> None:
    """First touch: the zero page for a read, a zeroed frame for a write."""
    if access != "write":
        zero = mm.memory.zero_pfn
        fault.step("do_anonymous_page", f"a read: map the zero page, frame {zero:#x}, read-only")
        mm.table.set(va, zero, fresh(area, False))
        mm.memory.changed("map", mm, va, None, zero, "do_anonymous_page")
        fault.end(MINOR, "the zero page serves every first read")
        return
    page = mm.memory.new_page()
    fault.step("do_anonymous_page", f"alloc_zeroed_user_highpage_movable: frame {page.pfn:#x}")
    page.exclusive = True
    mm.map_page(area, va, page, fresh(area, True), "map", "do_anonymous_page")
    fault.end(MINOR, "a zeroed frame of its own")


# --- files and shared memory ---


def do_fault(mm: MmStruct, area: Vma, va: int, access: str, fault: Fault) -> None:
    """The page of a file: shared as it is, or copied at once for a private write."""
    assert area.file is not None
    index = area.index(va)
    if index >= area.file.pages:
        fault.step("filemap_fault", f"page {index} lies beyond the file's {area.file.pages} pages")
        fault.end(SIGBUS, "the area goes beyond the end of its file")
        return
    page, result = filemap_fault(mm, area.file, index, fault)
    if access == "write" and not area.shared:
        with page.held():
            copy = mm.memory.new_page(bytes(page.data))
        copy.exclusive = True
        fault.step("do_cow_fault", f"a private write: copy to frame {copy.pfn:#x}, anonymous from now on")
        mm.map_page(area, va, copy, fresh(area, True), "map", "do_cow_fault")
    else:
        name = "do_shared_fault" if access == "write" else "do_read_fault"
        fault.step(name, f"map the file's own frame {page.pfn:#x}")
        new = fresh(area, access == "write")
        if not area.wants_writenotify:
            new = new._replace(write=area.shared and area.allows("write"))
        mm.map_page(area, va, page, new, "map", name)
        page.dirty |= access == "write"
    fault.end(result, "read from disk" if result == MAJOR else "the page was in RAM, or is new")


def filemap_fault(mm: MmStruct, file: File, index: int, fault: Fault) -> tuple[PageFrame, str]:
    """The page from the page cache, from disk, or from swap (shmem); and whether that waited for a device."""
    name = "shmem_fault" if file.is_shmem else "filemap_fault"
    if page := file.page(index):
        fault.step(name, f"page {index} of {file.name} is in the page cache: frame {page.pfn:#x}")
        return page, MINOR
    if slot := file.cache.get(index):
        from .swapin import shmem_swapin

        return shmem_swapin(mm.memory, file, index, slot, fault)  # type: ignore[arg-type]
    page = mm.memory.new_page(None if file.is_shmem else bytes(file.read(index)), anon=False)
    page.file, page.index = file, index
    file.cache[index] = page
    if file.is_shmem:
        page.dirty = True
        fault.step(name, f"page {index} of shared memory is new: frame {page.pfn:#x}, zeroed")
        return page, MINOR
    fault.step(name, f"page {index} of {file.name} is not in the page cache: read it to frame {page.pfn:#x}, and wait")
    return page, MAJOR


# --- writes to pages that are present and read-only ---


def do_wp_page(mm: MmStruct, area: Vma, va: int, pte: Pte, fault: Fault) -> None:
    """Copy-on-write: reuse the frame if nobody else can see it, else copy."""
    assert pte.pfn is not None
    page = mm.memory.frames.get(pte.pfn)
    if page is not None and not page.anon and area.shared:
        fault.step("do_wp_page", "a shared file's page that is clean: page_mkwrite, writable again")
        page.dirty = True
        _wp_page_reuse(mm, area, va, pte, fault)
    elif page is not None and page.anon and _can_reuse(mm, page):
        fault.step("do_wp_page", f"frame {pte.pfn:#x} is this mm's alone ({page.refcount} reference): no copy")
        page.exclusive = True
        _wp_page_reuse(mm, area, va, pte, fault)
    else:
        who = "the zero page" if page is None else f"{page.mapcount} entries, {page.refcount} references"
        fault.step("do_wp_page", f"frame {pte.pfn:#x} has others: {who}")
        wp_page_copy(mm, area, va, pte, page, fault)


def _can_reuse(mm: MmStruct, page: PageFrame) -> bool:
    """PageAnonExclusive, or one reference once the swap cache's is given up."""
    if page.exclusive:
        return True
    if page.refcount > 1 + (page.slot is not None):
        return False
    if page.slot is not None:
        mm.memory.free_swap(page)
    return page.refcount == 1


def _wp_page_reuse(mm: MmStruct, area: Vma, va: int, pte: Pte, fault: Fault) -> None:
    assert pte.pfn is not None
    fault.step("wp_page_reuse", f"make the entry writable; frame {pte.pfn:#x} stays")
    mm.table.set(va, pte.pfn, fresh(area, True))
    mm.memory.changed("reuse", mm, va, pte.pfn, pte.pfn, "wp_page_reuse")
    fault.end(MINOR, "the same frame, writable")


def wp_page_copy(mm: MmStruct, area: Vma, va: int, pte: Pte, old: PageFrame | None, fault: Fault) -> None:
    """A frame of its own with the same bytes; the old frame keeps its other users."""
    assert pte.pfn is not None
    with old.held() if old else nullcontext():
        page = mm.memory.new_page(bytes(old.data) if old else None)
    page.exclusive = True
    fault.step("wp_page_copy", f"copy frame {pte.pfn:#x} to frame {page.pfn:#x}")
    mm.forget(va, pte)
    mm.map_page(area, va, page, fresh(area, True), "copy", "wp_page_copy", old=pte.pfn)
    if old is not None:
        if old.slot is not None and not old.mapcount:
            mm.memory.free_swap(old)
        mm.memory.put(old)
    fault.end(MINOR, "a copy of its own")
