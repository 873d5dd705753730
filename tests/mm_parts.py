"""What tests of processes share: a machine of few frames, and what must always hold."""

from __future__ import annotations

from collections import Counter

from vmlab.process.memory import Memory
from vmlab.process.mm import MmStruct
from vmlab.process.page import PageFrame

FORMATS = ("x86-32", "x86-pae", "x86-64-4", "x86-64-5", "arm-short", "arm-lpae", "arm64-4k-48", "sv39")
PAGE = 4096


class Pool:
    """Frames for pages, `nr` of them, and as many for tables as anybody wants; who has what is kept."""

    def __init__(self, nr: int = 1 << 20) -> None:
        self.free = list(range(0x1000 + nr - 1, 0xFFF, -1)) if nr < 1 << 20 else []
        self.nr, self.next, self.table, self.out = nr, 0x1000, 0x200_0000 >> 8, dict[int, int]()

    def alloc(self, order: int) -> int | None:
        if self.nr < 1 << 20:
            if order:
                self.table += 1 << order
                pfn = self.table & -(1 << order)
            elif not self.free:
                return None
            else:
                pfn = self.free.pop()
        else:
            self.next += 1 << order
            pfn = self.next & -(1 << order)
            self.next = pfn + (1 << order)
        assert pfn not in self.out
        self.out[pfn] = order
        return pfn

    def give(self, pfn: int, order: int) -> None:
        assert self.out.pop(pfn) == order, "given back as what it was taken"
        if self.nr < 1 << 20 and not order:
            self.free.append(pfn)


def a_memory(fmt: str = "x86-64-4", frames: int = 1 << 20, **area: object) -> tuple[Memory, Pool]:
    """Memory with `frames` frames and one swap area of 64 slots that is written at once, unless told otherwise."""
    pool = Pool(frames)
    memory = Memory(fmt, pool.alloc, pool.give)
    settings = {"pages": 65, "rotational": True, "synchronous": True, **area}
    if settings["pages"]:
        memory.swapon(**settings)  # type: ignore[arg-type]
    return memory, pool


def content(mm: MmStruct, va: int) -> bytes:
    """What a read at `va` would find, without reading: by the entry alone, or from where a fault would fetch it."""
    memory, pte = mm.memory, mm.table.pte(va)
    if pte.pfn is not None:
        return bytes(PAGE) if pte.pfn == memory.zero_pfn else bytes(memory.frames[pte.pfn].data)
    if pte.swap is not None:
        return _slot(mm, pte.swap.slot)
    area = mm.vmas.find(va)
    assert area is not None
    if area.file is None:
        return bytes(PAGE)
    held = area.file.cache.get(area.index(va))
    if isinstance(held, PageFrame):
        return bytes(held.data)
    return _slot(mm, held) if held else area.file.disk.get(area.index(va), b"").ljust(PAGE, b"\0")


def _slot(mm: MmStruct, slot: tuple[int, int]) -> bytes:
    swap = mm.memory.swap
    return bytes(swap.cache[slot].data) if slot in swap.cache else swap.areas[slot[0]].data[slot[1]]


def check_counts(memory: Memory, pool: Pool, files: tuple = ()) -> None:
    """Every count equals what it counts; every frame that was taken is somebody's."""
    names: Counter[tuple[int, int]] = Counter()
    mapped: Counter[int] = Counter()
    for mm in memory.mms:
        anon = in_file = swapents = 0
        for va, _ in list(mm.pages(0, mm.top)):
            pte = mm.table.pte(va)
            assert pte.raw
            assert mm.vmas.find(va), "an entry without an area"
            if pte.swap is not None:
                names[pte.swap.slot] += 1
                swapents += 1
            elif pte.pfn != memory.zero_pfn:
                page = memory.frames[pte.pfn]
                assert (mm, va) in page.rmap
                mapped[page.pfn] += 1
                anon, in_file = anon + page.anon, in_file + (not page.anon)
                assert not (pte.write and page.anon and page.mapcount > 1), "two may write to one private frame"
        assert (mm.anon, mm.file, mm.swapents) == (anon, in_file, swapents)
    for file in files:
        names.update(held for held in file.cache.values() if not isinstance(held, PageFrame))
    for area in memory.swap.areas.values():
        for offset in range(1, area.max):
            slot = (area.type, offset)
            assert area.count(offset) == names[slot]
            assert area.has_cache(offset) == (slot in memory.swap.cache)
        assert area.inuse_pages == sum(map(bool, area.swap_map[1:]))
    for pfn, page in memory.frames.items():
        assert page.pfn == pfn
        assert page.mapcount == mapped[pfn]
        assert page.refcount > 0, "a frame that nobody has was not given back"
        assert page.slot is None or memory.swap.cache[page.slot] is page
    tables = [pfn for mm in memory.mms for pfn in mm.table.blocks]
    assert sorted(pool.out) == sorted([*memory.frames, *tables, memory.zero_pfn]), "frames leaked, or used twice"
