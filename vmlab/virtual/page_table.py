"""Building page tables: `map`, `unmap` and `protect`, in frames that an allocator gives.

Tables are made when the first page below them is mapped and given back when the last one goes, as Linux does
when a process ends (mm/memory.c: pte_alloc, free_pgtables), though Linux keeps them longer than a single unmap.
On ARM's short descriptors one frame serves two neighbouring hardware tables and Linux's own two.

Left out: kernel entries copied into each process's root, the four tables that PAE kernels make beforehand,
reverse maps, and the flush that every change needs in a TLB (`virtual/tlb.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from ..arch.format import FORBIDS, Flag, Format, Leaf, Level
from ..arch.formats import page_format
from ..units import PAGE_SHIFT, PAGE_SIZE, VmlabError, group_hex, human
from .address_space import AddressSpace, Walk, checked_address
from .frames import FrameStore

Alloc = Callable[[int], int | None]  # order -> number of the first of 2**order frames, None if there are none
Free = Callable[[int, int], object]  # (first frame, order)

FIRST_FRAME = 0x100  # where frames come from if no allocator is given: from 1 MiB up


class PageTable(AddressSpace):
    """A page table that can be changed. `alloc` and `free` are those of a buddy allocator, or of nobody."""

    def __init__(self, fmt: Format | str, alloc: Alloc | None = None, free: Free | None = None) -> None:
        fmt = page_format(fmt) if isinstance(fmt, str) else fmt
        self._alloc = alloc or _endless()
        self._free = free
        store = FrameStore(fmt.entry_bytes)
        roots = [self._table_frames(fmt, store, 0) for _ in range(1 + fmt.two_roots)]
        super().__init__(fmt, store, *roots)

    def map(self, va: int, pa: int, page_bytes: int | None = None, **flags: bool) -> Walk:
        """Map one page of `page_bytes` (the format's smallest if not given) and return the walk that finds it.

        Flags are write, user, nx, global, accessed, dirty and pxn, as far as the format has them. A page is
        writable, for user mode, executable and accessed unless told otherwise; dirty if it is writable.
        """
        va, pa = checked_address(va, "va"), checked_address(pa, "pa")
        self._map(va, pa, page_bytes or 1 << self.format.page_shift, flags)
        return self.walk(va)

    def _map(self, va: int, pa: int, page_bytes: int, flags: dict[str, bool]) -> int:
        """The same without the walk: the address of the (first) entry."""
        depth, leaf = self._leaf_of(page_bytes)
        self._check_mapping(va, pa, leaf)
        table = self._reach(va, depth)
        level = self.format.levels[depth]
        places = self._places(level, table, va, leaf)
        taken = next((place for place in places if self.frames.read(place)), None)
        if taken is not None:
            raise VmlabError(f"{group_hex(va)}: the {level.name} entry at {group_hex(taken)} is in use: unmap it first")
        entry = leaf.value | leaf.pa.put(pa)
        self._store(places, _with(entry, leaf.flags, _wanted(flags, leaf.flags)))
        self._store_linux(places, depth, pa, flags)
        return places[0]

    def unmap(self, va: int) -> Walk:
        """Take a page away and return the walk that found it; tables that are empty now are given back."""
        found = self._mapped(va)
        assert found.leaf is not None
        depth = len(found.steps) - 1
        places = self._places(self.format.levels[depth], found.steps[-1].table_pa, found.va, found.leaf)
        self._store(places, 0)
        if found.linux:
            offset = found.linux[0] - found.steps[-1].entry_pa
            self._store([place + offset for place in places], 0)
        self._prune(found)
        return found

    def protect(self, va: int, **flags: bool) -> Walk:
        """Change flags of a mapped page and return the new walk; those not named stay as they are."""
        found = self._mapped(va)
        assert found.leaf is not None
        depth = len(found.steps) - 1
        _wanted(flags, found.leaf.flags)
        places = self._places(self.format.levels[depth], found.steps[-1].table_pa, found.va, found.leaf)
        self._store(places, _with(found.steps[-1].entry or 0, found.leaf.flags, flags))
        if found.linux and self.format.software:
            offset = found.linux[0] - found.steps[-1].entry_pa
            entry = _with(found.linux[1], self.format.software.flags, flags)
            self._store([place + offset for place in places], entry)
        return self.walk(found.va)

    # --- which entries ---

    def _leaf_of(self, page_bytes: int) -> tuple[int, Leaf]:
        for depth, level in enumerate(self.format.levels):
            for leaf in level.leaves:
                if 1 << leaf.shift == page_bytes:
                    return depth, leaf
        sizes = ", ".join(human(size) for size in self.format.page_sizes)
        raise VmlabError(f"page_bytes: {self.format.name} maps {sizes}; got {page_bytes}")

    def _check_mapping(self, va: int, pa: int, leaf: Leaf) -> None:
        size = 1 << leaf.shift
        for name, address in (("va", va), ("pa", pa)):
            if address % size:
                raise VmlabError(f"{name} {group_hex(address)}: expected a multiple of the page size {human(size)}")
        if not self.format.is_canonical(va):
            raise VmlabError(f"va {group_hex(va)}: not an address of {self.format.title}")
        if not leaf.pa.holds(pa):
            raise VmlabError(f"pa {group_hex(pa)}: an entry of {self.format.name} has no room for it")

    def _places(self, level: Level, table: int, va: int, leaf: Leaf) -> list[int]:
        """Addresses of the entries that map a page: more than one where ARM repeats an entry 16 times."""
        first = level.index_of(va & -(1 << leaf.shift))
        return [table + (first + i) * self.format.entry_bytes for i in range(max(1, 1 << leaf.shift - level.shift))]

    def _mapped(self, va: int) -> Walk:
        found = self.walk(va)
        if found.fault:
            raise VmlabError(f"{group_hex(va)} is not mapped ({found.fault.kind} at {found.fault.level}): map it first")
        return found

    def _store(self, places: list[int], entry: int) -> None:
        for place in places:
            self.frames.write(place, entry)

    def _store_linux(self, places: list[int], depth: int, pa: int, flags: dict[str, bool]) -> None:
        """Linux's own entry beside each hardware entry of the last level, where it keeps them."""
        software = self.format.software
        if software is None or not software.offset or depth < len(self.format.levels) - 1:
            return
        wanted = _wanted({**flags, "present": True}, software.flags)
        for number, place in enumerate(places):
            entry = software.pa.put(pa + number * PAGE_SIZE)
            self.frames.write(place + software.offset, _with(entry, software.flags, wanted))

    # --- tables ---

    def _reach(self, va: int, depth: int) -> int:
        """The table of `levels[depth]` that translates `va`, made if need be."""
        table = self.root_for(va)
        for above in range(depth):
            level = self.format.levels[above]
            place = table + level.index_of(va) * self.format.entry_bytes
            entry = self.frames.read(place) or 0
            if not entry:
                self._new_table(above, place)
                entry = self.frames.read(place) or 0
            if level.table is None or not level.is_table(entry):
                raise VmlabError(f"{group_hex(va)} lies in a page of {human(level.size)}: unmap that first")
            table = level.table.pa.of(entry)
        return table

    def _new_table(self, depth: int, place: int) -> None:
        """A table below the entry at `place`; where tables share a frame, below its empty neighbours too."""
        pointer = self.format.levels[depth].table
        assert pointer is not None
        base, size = self._table_frames(self.format, self.frames, depth + 1), self.format.table_bytes(depth + 1)
        shift, shared = self._sharing(depth + 1)
        first = place & -(shared * self.format.entry_bytes)
        for number in range(shared):
            at = first + number * self.format.entry_bytes
            if at == place or not self.frames.read(at):
                entry = pointer.value | pointer.pa.put(base + shift + number * size)
                permissive = {flag.name: flag.name not in FORBIDS for flag in pointer.flags}
                self.frames.write(at, _with(entry, pointer.flags, permissive))

    def _sharing(self, depth: int) -> tuple[int, int]:
        """(offset of the first table in its frame, tables that share the frame): ARM's pairs, else (0, 1)."""
        software = self.format.software
        if software is None or not software.offset or depth < len(self.format.levels) - 1:
            return 0, 1
        return -software.offset, -software.offset // self.format.table_bytes(depth)

    def _table_frames(self, fmt: Format, store: FrameStore, depth: int) -> int:
        """Take the frames of one table: its physical address."""
        order = _order(fmt, depth)
        pfn = self._alloc(order)
        if pfn is None:
            raise VmlabError(f"no {1 << order} free frames for a table of level {fmt.levels[depth].name}")
        for frame in range(pfn, pfn + (1 << order)):
            store.add(frame)
        return pfn << PAGE_SHIFT

    def _prune(self, found: Walk) -> None:
        """Give back the tables on the way that hold nothing any more, lowest first; the root stays."""
        for depth in range(len(found.steps) - 1, 0, -1):
            first = found.steps[depth].table_pa >> PAGE_SHIFT
            order = _order(self.format, depth)
            frames = range(first, first + (1 << order))
            if any(self.frames.holds_entries(frame) for frame in frames):
                return
            _, shared = self._sharing(depth)
            place = found.steps[depth - 1].entry_pa & -(shared * self.format.entry_bytes)
            for at in range(place, place + shared * self.format.entry_bytes, self.format.entry_bytes):
                if self._points_to(depth - 1, at, frames):
                    self.frames.write(at, 0)
            for frame in frames:
                self.frames.remove(frame)
            if self._free:
                self._free(first, order)

    def _points_to(self, depth: int, place: int, frames: range) -> bool:
        level, entry = self.format.levels[depth], self.frames.read(place) or 0
        return level.table is not None and level.is_table(entry) and level.table.pa.of(entry) >> PAGE_SHIFT in frames


def _order(fmt: Format, depth: int) -> int:
    return max(0, (fmt.table_bytes(depth) - 1).bit_length() - PAGE_SHIFT)


def _wanted(flags: dict[str, bool], rows: tuple[Flag, ...]) -> dict[str, bool]:
    """Every flag's value: as asked, or the usual one; a flag that does not exist anywhere is an error."""
    unknown = sorted(set(flags) - {*DEFAULTS, "present", "dirty", "pxn"})
    if unknown:
        raise VmlabError(f"flag {unknown[0]!r}: expected one of {', '.join(sorted([*DEFAULTS, 'dirty', 'pxn']))}")
    full = {**DEFAULTS, **flags}
    full.setdefault("dirty", full["write"])
    full.setdefault("pxn", full["user"] or full["nx"])  # the kernel never runs a process's code
    return {row.name: full[row.name] for row in rows if row.name in full}


DEFAULTS = {"write": True, "user": True, "nx": False, "accessed": True, "global": False}


def _with(entry: int, rows: tuple[Flag, ...], wanted: dict[str, bool]) -> int:
    for row in rows:
        if row.name in wanted:
            entry = row.put(entry, wanted[row.name])
    return entry


def _endless() -> Alloc:
    """Frames one after the other, each block aligned to its size."""
    numbers = count(FIRST_FRAME)

    def alloc(order: int) -> int:
        while (pfn := next(numbers)) % (1 << order):
            pass
        for _ in range((1 << order) - 1):
            next(numbers)
        return pfn

    return alloc
