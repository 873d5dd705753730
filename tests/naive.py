"""Slow, obvious models of what vmlab does quickly: one cell a frame, every place tried in turn."""

from __future__ import annotations

PAGE = 4096


class NaiveMemblock:
    """memblock over cells of `unit` bytes: each cell has a node or none, and is taken or not."""

    def __init__(self, cells: int, unit: int) -> None:
        self.unit = unit
        self.node: list[int | None] = [None] * cells
        self.taken = [False] * cells

    def cells(self, start: int, end: int) -> range:
        return range(start // self.unit, end // self.unit)

    def add(self, start: int, end: int, node: int) -> None:
        for cell in self.cells(start, end):
            if self.node[cell] is None:
                self.node[cell] = node

    def remove(self, start: int, end: int) -> None:
        for cell in self.cells(start, end):
            self.node[cell] = None

    def reserve(self, start: int, end: int, taken: bool = True) -> None:
        for cell in self.cells(start, end):
            self.taken[cell] = taken

    def fits(self, place: int, size: int, node: int) -> bool:
        """Whether `size` bytes at `place` are free memory of one node (any node: -1)."""
        cells = self.cells(place, place + size)
        if cells.stop > len(self.node):
            return False
        owners = {self.node[cell] for cell in cells}
        one_node = len(owners) == 1 and None not in owners and node in (-1, *owners)
        return one_node and not any(self.taken[cell] for cell in cells)

    def find(self, size: int, align: int, floor: int, ceiling: int, node: int, bottom_up: bool) -> int | None:
        """Try every place, from the top or from the bottom. Page 0 is never given out."""
        places = range(max(floor, PAGE), min(ceiling, len(self.node) * self.unit) - size + 1)
        places = range(-(-places.start // align) * align, places.stop, align)
        for place in places if bottom_up else reversed(places):
            if self.fits(place, size, node):
                return place
        return None

    def memory(self) -> list[tuple[int, int, int]]:
        """(start, end, node) of every stretch of one node."""
        return [(a, b, node) for a, b, node in stretches(self.node, self.unit) if node is not None]

    def reserved(self) -> list[tuple[int, int]]:
        return [(a, b) for a, b, taken in stretches(self.taken, self.unit) if taken]

    def free(self) -> list[tuple[int, int]]:
        """Memory that is not taken, cut where nodes meet."""
        state = [None if taken else node for node, taken in zip(self.node, self.taken, strict=True)]
        return [(a, b) for a, b, node in stretches(state, self.unit) if node is not None]


def stretches(cells: list, unit: int) -> list[tuple[int, int, object]]:
    """Runs of equal cells, as (start, end, value)."""
    found, start = [], 0
    for cell in range(1, len(cells) + 1):
        if cell == len(cells) or cells[cell] != cells[start]:
            found.append((start * unit, cell * unit, cells[start]))
            start = cell
    return found


def blocks(free: set[int], start: int, end: int, max_order: int) -> list[list[int]]:
    """The free blocks by order that full merging leaves in a zone of frames `start`..`end`.

    The largest first: a block is free if all its frames are, and none of them is in a larger free block.
    """
    left = {pfn for pfn in free if start <= pfn < end}
    found: list[list[int]] = [[] for _ in range(max_order)]
    for order in reversed(range(max_order)):
        size = 1 << order
        for first in sorted(pfn for pfn in left if pfn % size == 0):
            if all(pfn in left for pfn in range(first, first + size)):
                found[order].append(first)
                left -= set(range(first, first + size))
    return found


def watermark_ok(
    free_pages: int,
    nr_free: list[int],
    order: int,
    mark: int,
    lowmem_reserve: int,
    flags: set[str],
    cma_nr_free: list[int],
) -> bool:
    """mm/page_alloc.c:__zone_watermark_ok of Linux 6.1, line by line (C's division of positive numbers)."""
    min_pages = mark
    unusable = (1 << order) - 1
    if "ALLOC_CMA" not in flags:
        unusable += sum(count * 2**lower for lower, count in enumerate(cma_nr_free))
    free_pages -= unusable
    if "ALLOC_MIN_RESERVE" in flags:
        min_pages -= min_pages // 2
        if "ALLOC_NON_BLOCK" in flags:
            min_pages -= min_pages // 4
    if "ALLOC_OOM" in flags:
        min_pages -= min_pages // 2
    if free_pages <= min_pages + lowmem_reserve:
        return False
    if order == 0:
        return True
    for higher in range(order, len(nr_free)):
        if nr_free[higher] - cma_nr_free[higher] > 0:  # a list of another migratetype
            return True
        if "ALLOC_CMA" in flags and cma_nr_free[higher] > 0:
            return True
    return False


class NaiveBootmem:
    """mm/bootmem.c:alloc_bootmem_core of Linux 2.6.32 over a bytearray, one byte a frame instead of one bit."""

    def __init__(self, low: int, high: int) -> None:
        self.low = low
        self.bitmap = bytearray(b"\1" * (high - low))
        self.hint = self.last_end = 0

    def free(self, start: int, end: int) -> None:
        self.bitmap[start - self.low : end - self.low] = bytes(end - start)

    def alloc(self, size: int, align: int, goal: int) -> int | None:
        """Tried with the goal, then without it (___alloc_bootmem_nopanic)."""
        place = self._core(size, align, goal)
        return self._core(size, align, 0) if place is None and goal else place

    def _core(self, size: int, align: int, goal: int) -> int | None:
        low, high, goal = self.low, self.low + len(self.bitmap), goal // PAGE
        step, pages = max(align // PAGE, 1), -(-size // PAGE)
        start = goal if goal and low < goal < high else low
        start = -(-start // step) * step
        starts = [-(-self.hint // step) * step, start] if self.hint > start else [start]
        for begin in starts:
            pfn = begin
            while pfn + pages <= high:
                if not any(self.bitmap[pfn - low : pfn - low + pages]):
                    return self._take(pfn, size, align)
                pfn += step
        return None

    def _take(self, pfn: int, size: int, align: int) -> int:
        place = pfn * PAGE
        if self.last_end % PAGE and self.last_end // PAGE + 1 == pfn:
            place = -(-self.last_end // align) * align
        end = place + size
        for frame in range(place // PAGE, -(-end // PAGE)):
            self.bitmap[frame - self.low] = 1
        self.last_end, self.hint = end, -(-end // PAGE)
        return place


def movable_start(frames: list[int], core: int, usable_from: int, block: int) -> int | None:
    """First frame of ZONE_MOVABLE on a machine of one node, by giving `core` frames away one after the other.

    Frames below `usable_from` cannot be movable and count as given; the start is rounded up to whole blocks.
    """
    above = [pfn for pfn in frames if pfn >= usable_from]
    rest = max(0, core - (len(frames) - len(above)))
    if not core or core >= len(frames) or not above:
        return None
    start = above[rest - 1] + 1 if rest else above[0]
    start = -(-start // block) * block
    return start if start <= frames[-1] else None


RATIO = {"DMA": 256, "DMA32": 256, "Normal": 32, "HighMem": 0, "Movable": 0, "Device": 0}


def lowmem_reserve(names: list[str], managed: list[int]) -> list[tuple[int, ...]]:
    """mm/page_alloc.c:setup_per_zone_lowmem_reserve of Linux 6.1, for one node, line by line."""
    rows = []
    for i, name in enumerate(names):
        clear = not RATIO[name] or not managed[i]
        row = [0] * len(names)
        managed_pages = 0
        for j in range(i + 1, len(names)):
            managed_pages += managed[j]
            row[j] = 0 if clear else managed_pages // RATIO[name]
        rows.append(tuple(row))
    return rows


def watermarks(highmem: list[bool], managed: list[int], min_free_kbytes: int) -> list[tuple[int, int, int]]:
    """mm/page_alloc.c:__setup_per_zone_wmarks of Linux 6.1, line by line."""
    pages_min = min_free_kbytes >> 2
    lowmem_pages = sum(pages for pages, high in zip(managed, highmem, strict=True) if not high)
    rows = []
    for pages, high in zip(managed, highmem, strict=True):
        tmp = pages_min * pages // lowmem_pages
        mark = max(32, min(128, pages // 1024)) if high else tmp
        tmp = max(tmp >> 2, pages // 10000 * 10 + pages % 10000 * 10 // 10000)
        rows.append((mark, mark + tmp, mark + 2 * tmp))
    return rows
