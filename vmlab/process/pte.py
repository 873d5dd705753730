"""A process's page table as Linux uses it: entries that are present, that name a swap slot, or that are empty.

Linux's own entry is read and written: the hardware's where there is only one, the one beside it on ARM's short
format, whose hardware entry then follows from it: nothing if the page is old, read-only while it is clean (Linux 6.1,
arch/arm/mm/proc-v7-2level.S:cpu_v7_set_pte_ext). A page without any rights (PROT_NONE) stays present for Linux alone.

Left out: huge pages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..arch.format import Flag, Leaf
from ..arch.swap_format import SwapFormat
from ..arch.swap_formats import swap_format
from ..units import PAGE_SHIFT, PAGE_SIZE
from ..virtual.address_space import Walk
from ..virtual.page_table import PageTable, _with
from .swap_entry import SwapEntry


class Pte(NamedTuple):
    """One entry. `pfn` is None unless the page is present; `swap` unless it is in swap."""

    raw: int
    pfn: int | None = None
    write: bool = False
    dirty: bool = False
    accessed: bool = False
    nx: bool = False
    soft_dirty: bool = False
    none: bool = False  # PROT_NONE: present for Linux, not for the hardware
    swap: SwapEntry | None = None


class NoFrames(Exception):
    """No frame for a table or a page: caught where a fault or a system call ends, and told as its result."""


class ProcessTable(PageTable):
    """The page table of one mm. `populated` holds the address of every entry that is not empty."""

    def __init__(
        self, fmt: str, alloc: Callable[[int], int], free: Callable[[int, int], object], kernel: str = "6.1"
    ) -> None:
        self.kernel = kernel
        self.row: SwapFormat = swap_format(fmt, kernel)
        self.blocks: dict[int, int] = {}  # tables: first frame -> order
        self.populated: dict[int, None] = {}
        self._tables: dict[int, int] = {}  # what one last-level table maps (its number) -> that table, as far as known

        def take(order: int) -> int:
            pfn = alloc(order)
            self.blocks[pfn] = order
            return pfn

        def give(pfn: int, order: int) -> None:
            del self.blocks[pfn]
            free(pfn, order)

        self._give = give
        try:
            super().__init__(fmt, take, give)
        except NoFrames:  # a format with two roots may have got one of them
            self.release()
            raise

    @property
    def pages_of_table(self) -> int:
        """Pages that one of Linux's last-level tables maps (PTRS_PER_PTE); it may share a frame with the hardware's."""
        software = self.format.software
        return PAGE_SIZE // self.format.entry_bytes >> bool(software and software.offset)

    def release(self) -> None:
        """Give every table back, the root last: the process has ended."""
        for pfn, order in reversed(list(self.blocks.items())):
            self._give(pfn, order)

    def entry(self, va: int) -> int:
        """Linux's entry for `va`; 0 where there is none."""
        if va >> self.format.levels[-2].shift not in self._tables:
            trace = self._descend(va)[2] if self.format.is_canonical(va) else []
            if len(trace) < len(self.format.levels):
                return 0
        software = self.format.software
        return self.frames.read(self._place(va) + (software.offset if software else 0)) or 0

    def pte(self, va: int) -> Pte:
        """Linux's entry for `va`, read."""
        raw = self.entry(va)
        software = self.format.software
        assert software is not None
        if not raw:
            return Pte(0)
        if not software.present.of(raw):
            return Pte(raw, swap=SwapEntry.decode(self.format.name, raw, self.kernel))
        rows, none = self._flags, self._is_none(raw)
        held = {row.name: row.of(raw) for row in rows}
        pa = software.pa.of(raw ^ software.inverted if none else raw)
        soft = bool(raw & self.row.written)
        names = ("write", "dirty", "accessed", "nx")
        write, dirty, accessed, nx = (held.get(name, False) for name in names)
        return Pte(raw, pa >> PAGE_SHIFT, write, dirty, accessed, nx, soft, none)

    def set(self, va: int, pfn: int, pte: Pte) -> None:
        """Write a present entry for frame `pfn` with the rights and marks of `pte`."""
        self.reach(va)
        self.clear(va)
        flags = {"write": pte.write, "dirty": pte.dirty, "accessed": pte.accessed, "nx": pte.nx}
        if not any(row.name == "nx" for row in self.format.levels[-1].leaves[0].flags):
            flags.pop("nx")
        place = self._map(va, pfn << PAGE_SHIFT, PAGE_SIZE, flags)
        self.populated[va] = None
        software, entry = self.format.software, self.frames.read(place) or 0
        assert software is not None
        if pte.none:
            self._make_none(place, pfn, pte)
        elif software.offset:
            if not pte.accessed:
                self.frames.write(place, 0)
            elif not pte.dirty:
                self.frames.write(place, _with(entry, self._leaf.flags, {"write": False}))
        elif pte.soft_dirty and self.row.written:
            self.frames.write(place, entry | self.row.written)

    def put_swap(self, va: int, slot: SwapEntry) -> None:
        """Write the entry of a page that went to `slot`; marks that this kernel cannot keep are dropped."""
        marks = self.row.marks
        kept = slot._replace(
            exclusive=slot.exclusive and "exclusive" in marks, soft_dirty=slot.soft_dirty and "soft_dirty" in marks
        )
        raw = kept.encode(self.format.name, self.kernel)
        self.reach(va)
        self.clear(va)
        self._write(va, raw, 0)
        self.populated[va] = None

    def reach(self, va: int) -> None:
        """Make the tables above `va` (pte_alloc): raises NoFrames before anything is lost."""
        self._reach(va, len(self.format.levels) - 1)

    def clear(self, va: int) -> None:
        """Empty the entry; tables stay until the process ends, or `prune`."""
        if self.populated.pop(va, 0) is None:
            self._write(va, 0, 0)

    def prune(self, va: int) -> None:
        """Give back tables above `va` that hold nothing any more (free_pgtables)."""
        found = self.walk(va)
        if len(found.steps) == len(self.format.levels):
            self._prune(found)

    # --- bits ---

    @property
    def _leaf(self) -> Leaf:
        return self.format.levels[-1].leaves[0]

    @property
    def _flags(self) -> tuple[Flag, ...]:
        software = self.format.software
        assert software is not None
        return software.flags if software.offset else self._leaf.flags

    def _is_none(self, raw: int) -> bool:
        software = self.format.software
        assert software is not None
        return bool(raw & L_PTE_NONE) if software.offset else not raw & self.format.levels[-1].present

    def _make_none(self, place: int, pfn: int, pte: Pte) -> None:
        software = self.format.software
        assert software is not None
        if software.offset:
            linux = self.frames.read(place + software.offset) or 0
            self.frames.write(place + software.offset, linux | L_PTE_NONE)
            self.frames.write(place, 0)
            return
        ones, zeros = software.present.ways[1]
        entry = self.frames.read(place) or 0
        frame = software.pa.put(pfn << PAGE_SHIFT)
        entry = (entry & ~software.pa.put(-1 & (1 << 64) - 1)) | (frame ^ software.inverted)
        entry = (entry & ~self.format.levels[-1].present | ones) & ~zeros
        self.frames.write(place, entry | (self.row.written if pte.soft_dirty else 0))

    def _place(self, va: int) -> int:
        """The hardware's entry for `va`, in a table that is there, or is made."""
        last = len(self.format.levels) - 1
        return self._reach(va, last) + self.format.levels[last].index_of(va) * self.format.entry_bytes

    def _reach(self, va: int, depth: int) -> int:
        if depth < len(self.format.levels) - 1:
            return super()._reach(va, depth)
        number = va >> self.format.levels[-2].shift
        if number not in self._tables:
            self._tables[number] = super()._reach(va, depth)
        return self._tables[number]

    def _prune(self, found: Walk) -> None:
        had = self.frames.nr_frames
        super()._prune(found)
        if self.frames.nr_frames < had:
            self._tables.clear()

    def _write(self, va: int, linux: int, hardware: int) -> None:
        place = self._place(va)
        offset = self.format.software.offset if self.format.software else 0
        self.frames.write(place + offset, linux)
        if offset:
            self.frames.write(place, hardware)


L_PTE_NONE = 1 << 11  # arch/arm/include/asm/pgtable-2level.h
