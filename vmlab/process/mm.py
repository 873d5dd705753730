"""An address space: its areas, its page table, its counters; and the system calls that change them.

What an entry says is always in real page-table bytes (`process/pte.py`); what a frame holds and who maps it is in
`process/page.py`. Who wants to hear of changes hangs a function into `memory.on_change` (`process/events.py` lists
what is told). A page is only made when it is touched: `process/fault.py`.

Sources, Linux 6.1: mm/mmap.c, mm/mprotect.c, mm/mremap.c, mm/memory.c (zap_pte_range). Left out: huge pages,
userfaultfd, stacks and brk, limits, the file's own i_mmap, and the time anything takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..arch.formats import page_format
from ..units import PAGE_SHIFT, PAGE_SIZE, VmlabError, align_down, align_up, group_hex
from ..virtual.asid import Mm
from .file import File
from .memory import Memory
from .page import PageFrame
from .pte import NoFrames, ProcessTable, Pte
from .vma import Vma, VmaTree

if TYPE_CHECKING:
    from .events import Place


class MmStruct(Mm):
    """struct mm_struct. Counters are pages: `anon`, `file` (shmem too) and `swapents`, as in /proc/PID/status."""

    def __init__(self, memory: Memory, name: str) -> None:
        self.memory = memory
        self.table = ProcessTable(memory.format, memory.take, memory.give, memory.kernel)
        super().__init__(name, self.table.root_pa)
        self.vmas = VmaTree()
        self.users = 0  # threads
        self.anon = self.file = self.swapents = 0
        self.minor = self.major = 0
        self.alive = True
        self.top = page_format(memory.format).user_end
        memory.mms.append(self)

    def __repr__(self) -> str:
        resident = self.anon + self.file
        return f"<mm of {self.name}: {len(self.vmas)} areas, {resident} pages in RAM, {self.swapents} in swap>"

    # --- addresses ---

    def page_of(self, va: int) -> int:
        """The first byte of the page that holds `va`; refuses what is no user address."""
        if not isinstance(va, int) or isinstance(va, bool) or not 0 <= va < self.top:
            shown = group_hex(va) if isinstance(va, int) else repr(va)
            raise VmlabError(f"va: expected a user address below {group_hex(self.top)}, got {shown}")
        return align_down(va, PAGE_SIZE)

    def range(self, va: int, length: int) -> tuple[int, int]:
        """(start, end) of a system call's range: the address must be a page's first byte, the length is rounded up."""
        if self.page_of(va) != va:
            raise VmlabError(
                f"va {group_hex(va)}: expected the first byte of a page (EINVAL): {group_hex(va & -PAGE_SIZE)}?"
            )
        if not isinstance(length, int) or isinstance(length, bool) or length < 1:
            raise VmlabError(f"length: expected a number of bytes from 1 up, got {length!r}")
        end = va + align_up(length, PAGE_SIZE)
        if end > self.top:
            raise VmlabError(f"{group_hex(va)}..{group_hex(end)}: beyond the last user address {group_hex(self.top)}")
        return va, end

    def mapped(self, va: int, length: int) -> tuple[int, int]:
        """The same, of which every page belongs to some area."""
        start, end = self.range(va, length)
        if not self.vmas.covers(start, end):
            raise VmlabError(f"{group_hex(start)}..{group_hex(end)}: not all of it is mapped (ENOMEM): mmap it first")
        return start, end

    def pages(self, start: int, end: int) -> Iterator[tuple[int, Pte]]:
        """(va, entry) of every entry in a range that is not empty, ascending."""
        for va in sorted(va for va in self.table.populated if start <= va < end):
            yield va, self.table.pte(va)

    def place(self, pte: Pte) -> Place:
        """Where an entry leads."""
        return pte.swap if pte.swap is not None else pte.pfn

    # --- system calls ---

    def mmap(
        self, va: int, pages: int, prot: str = "rw", file: File | None = None, pgoff: int = 0, shared: bool = False
    ) -> Vma:
        """A new area; no page of it exists until it is touched. Shared memory without a file is shmem."""
        if not isinstance(pages, int) or isinstance(pages, bool) or pages < 1:
            raise VmlabError(f"pages: expected a number from 1 up, got {pages!r}")
        start, end = self.range(va, pages << PAGE_SHIFT)
        rights = check_prot(prot)
        if not isinstance(pgoff, int) or isinstance(pgoff, bool) or pgoff < 0 or (pgoff and file is None):
            raise VmlabError(f"pgoff: expected the number of a page of the file, 0 without one; got {pgoff!r}")
        if shared and file is None:
            file = File("/dev/zero (deleted)", pages, is_shmem=True, is_deleted=True)
        return self.vmas.add(Vma(start, end, rights, file, pgoff, shared or bool(file and file.is_shmem)))

    def munmap(self, va: int, length: int, cause: str = "munmap") -> int:
        """Take areas away, as far as there are any; how many pages were given up."""
        start, end = self.range(va, length)
        gone = self.zap(start, end, cause)
        for area in self.vmas.isolate(start, end):
            self.vmas.remove(area)
            self._last_close(area.file)
        return gone

    def _last_close(self, file: File | None) -> None:
        """Shared memory without a name ends with the last area that maps it."""
        if file is None or not file.is_deleted:
            return
        if not any(area.file is file for mm in self.memory.mms for area in mm.vmas):
            self.memory.evict(file)

    def mprotect(self, va: int, length: int, prot: str) -> int:
        """Change what may be done in a range; how many entries that are present changed."""
        start, end = self.mapped(va, length)
        rights = check_prot(prot)
        changed = 0
        for area in self.vmas.isolate(start, end):
            if area.prot == rights:
                continue  # mprotect_fixup: nothing is looked at
            area.prot = rights
            for at, pte in self.pages(area.start, area.end):
                if pte.pfn is not None:
                    changed += self._change_protection(area, at, pte)
        self.vmas.merge(start)
        return changed

    def _change_protection(self, area: Vma, va: int, pte: Pte) -> bool:
        """change_pte_range: rights go at once; writing comes back by a fault, unless that would have nothing to do.

        So it is for a dirty page that is shared, or nobody else's (can_change_pte_writable), and for shared memory.
        """
        assert pte.pfn is not None
        page = self.memory.frames.get(pte.pfn)
        granted = pte.dirty and (area.shared or (page is not None and page.exclusive))
        writable = area.allows("write") and (granted or (area.shared and not area.wants_writenotify))
        new = pte._replace(write=writable, nx="x" not in area.prot, none=area.prot == "")
        if new == pte:
            return False
        self.table.set(va, pte.pfn, new)
        self.memory.changed("protect", self, va, pte.pfn, pte.pfn, "mprotect")
        return True

    def mremap(self, va: int, length: int, to: int) -> Vma:
        """Move an area to free addresses: the entries move, the frames stay."""
        start, end = self.mapped(va, length)
        low, high = self.range(to, end - start)
        if self.vmas.within(low, high):
            raise VmlabError(f"to {group_hex(to)}: something is mapped there: unmap it first")
        inside = self.vmas.within(start, end)
        if len(inside) > 1:
            raise VmlabError(
                f"{group_hex(start)}: mremap moves pages of one area, this range lies in {len(inside)} (EFAULT)"
            )
        (area,) = self.vmas.isolate(start, end)
        for at, _ in list(self.pages(start, end)):  # tables first: nothing is lost if there are none
            self.table.reach(at - start + to)
        moving = list(self.pages(start, end))
        self.vmas.remove(area)
        moved = area.cut(start, end)
        moved.start, moved.end = low, high
        for at, pte in moving:
            self._move_pte(at, at - start + to, pte)
        return self.vmas.add(moved)

    def _move_pte(self, old: int, new: int, pte: Pte) -> None:
        """move_ptes: the same entry at another address."""
        place = self.place(pte)
        self.table.clear(old)
        self.memory.changed("move", self, old, place, None, "mremap")
        if pte.swap is not None:
            self.table.put_swap(new, pte.swap)
        else:
            assert pte.pfn is not None
            self.table.set(new, pte.pfn, pte)
            if page := self.memory.frames.get(pte.pfn):
                del page.rmap[self, old]
                page.rmap[self, new] = None
        self.memory.changed("move", self, new, None, place, "mremap")

    # --- entries come and go ---

    def map_page(self, area: Vma, va: int, page: PageFrame, pte: Pte, what: str, cause: str, old: Place = None) -> None:
        """Write a present entry for `page`, count it, tell it. What was there has been taken away before."""
        self.table.set(va, page.pfn, pte)
        page.rmap[self, va] = None
        if page.anon:
            self.anon += 1
            area.has_anon = True
        else:
            self.file += 1
        self.memory.changed(what, self, va, old, page.pfn, cause)

    def forget(self, va: int, pte: Pte) -> PageFrame | None:
        """Take an entry away and its count; the page that it led to, which may have lost its last reference."""
        self.table.clear(va)
        if pte.swap is not None:
            self.swapents -= 1
            return None
        page = self.memory.frames.get(pte.pfn or 0)
        if page is None:  # the zero page
            return None
        del page.rmap[self, va]
        self.anon -= page.anon
        self.file -= not page.anon
        page.dirty |= pte.dirty
        return page

    def zap(self, start: int, end: int, cause: str) -> int:
        """zap_pte_range: every entry of a range goes, and what only it kept."""
        gone = 0
        for va, pte in self.pages(start, end):
            page, place = self.forget(va, pte), self.place(pte)
            self.memory.changed("unmap", self, va, place, None, cause)
            if pte.swap is not None:
                self.memory.drop_entry(pte.swap.slot)
            elif page is not None:
                page.referenced |= pte.accessed and not page.anon  # mark_page_accessed
                if page.slot is not None and not page.mapcount:
                    self.memory.free_swap(page)  # free_page_and_swap_cache
                self.memory.put(page)
            self.table.prune(va)
            gone += 1
        return gone

    def exit(self) -> None:
        """exit_mmap: everything goes, tables and root too."""
        self.zap(0, self.top, "exit_mmap")
        for area in self.vmas:
            self.vmas.remove(area)
            self._last_close(area.file)
        self.table.release()
        self.alive = False
        self.memory.mms.remove(self)


def check_prot(prot: str) -> str:
    """Rights as letters in the order rwx; "" and "---" are PROT_NONE."""
    letters = prot.replace("-", "") if isinstance(prot, str) else None
    if letters is None or set(letters) - set("rwx"):
        raise VmlabError(f"prot: expected letters of 'rwx', '' for none; got {prot!r}")
    return "".join(letter for letter in "rwx" if letter in letters)


__all__ = ["MmStruct", "NoFrames", "check_prot"]
