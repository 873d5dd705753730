"""The page allocator of Linux 6.1 as the source reads, one Python list a free list: slow, obvious, line by line.

Frames are numbers of the whole machine; a list's first element is its head. One zone; mm/page_alloc.c.
"""

from __future__ import annotations

UNMOVABLE, MOVABLE, RECLAIMABLE, HIGHATOMIC, CMA = range(5)
FALLBACKS = {
    UNMOVABLE: (RECLAIMABLE, MOVABLE),
    MOVABLE: (RECLAIMABLE, UNMOVABLE),
    RECLAIMABLE: (UNMOVABLE, MOVABLE),
}
ALLOC_CMA, ALLOC_NOFRAGMENT, ALLOC_HIGHATOMIC, ALLOC_RESERVE = 1, 2, 4, 8


def whole_blocks(free: set[int], max_order: int) -> list[tuple[int, int]]:
    """(first, order) of the largest aligned blocks that frames make up, ascending."""
    left, found = set(free), []
    for order in reversed(range(max_order)):
        size = 1 << order
        for first in sorted(pfn for pfn in left if pfn % size == 0):
            if all(pfn in left for pfn in range(first, first + size)):
                found.append((first, order))
                left -= set(range(first, first + size))
    return sorted(found)


class NaiveZone:
    def __init__(self, start, end, free, cma, max_order, pageblock_order, batch, high, huge_pages, cpus):
        self.start, self.end = start, end
        self.max_order, self.pageblock_order = max_order, pageblock_order
        self.batch, self.high, self.huge_pages = batch, high, huge_pages
        self.lists = {(order, mt): [] for order in range(max_order) for mt in range(6)}
        self.type = {}  # pageblock -> migratetype; MOVABLE where none is written
        self.where = {}  # first frame of a free block -> (order, list's migratetype)
        self.used = {}  # first frame of a block in use -> (order, movable)
        self.on_pcp = {}  # first frame -> (order, migratetype)
        self.pcppage_type = {}  # first frame -> migratetype of the free list it was taken from last
        self.pcp = [{"lists": {p: [] for p in range(14)}, "count": 0, "factor": 0} for _ in range(cpus)]
        self.nr_highatomic, self.managed = 0, 0
        for pfn in sorted(free & cma):
            self.type[pfn >> pageblock_order] = CMA
        for mt, frames in ((MOVABLE, free - cma), (CMA, free & cma)):
            for first, order in whole_blocks(frames, max_order):
                self.add(first, order, mt, tail=True)

    # lists

    def block_type(self, pfn):
        return self.type.get(pfn >> self.pageblock_order, MOVABLE)

    def add(self, first, order, mt, tail=False):
        self.lists[order, mt].insert(len(self.lists[order, mt]) if tail else 0, first)
        self.where[first] = order, mt

    def remove(self, first):
        self.lists[self.where.pop(first)].remove(first)

    def free_pages(self):
        return sum(1 << order for order, _ in self.where.values())

    def free_cma(self):
        return sum(1 << order for order, mt in self.where.values() if mt == CMA)

    # allocation

    def smallest(self, order, mt):
        for current in range(order, self.max_order):
            if self.lists[current, mt]:
                first = self.lists[current, mt][0]
                self.remove(first)
                while current > order:
                    current -= 1
                    self.add(first + (1 << current), current, mt)
                self.pcppage_type[first] = mt  # set_pcppage_migratetype
                return first
        return None

    def rmqueue(self, order, mt, flags):
        if flags & ALLOC_CMA and self.free_cma() > self.free_pages() // 2:
            first = self.smallest(order, CMA)
            if first is not None:
                return first
        while True:
            first = self.smallest(order, mt)
            if first is None:
                if flags & ALLOC_CMA:
                    first = self.smallest(order, CMA)
                if first is None and self.fallback(order, mt, flags):
                    continue
            return first

    def suitable(self, order, mt):
        for other in FALLBACKS[mt]:
            if self.lists[order, other]:
                return other, order >= self.pageblock_order // 2 or mt in (RECLAIMABLE, UNMOVABLE)
        return None, False

    def fallback(self, order, mt, flags):
        least = order
        if order < self.pageblock_order and flags & ALLOC_NOFRAGMENT:
            least = self.pageblock_order
        for current in range(self.max_order - 1, least - 1, -1):
            other, can_steal = self.suitable(current, mt)
            if other is None:
                continue
            if not can_steal and mt == MOVABLE and current > order:
                for current in range(order, self.max_order):
                    other, can_steal = self.suitable(current, mt)
                    if other is not None:
                        break
            self.steal(self.lists[current, other][0], mt, can_steal)
            return True
        return False

    def steal(self, first, mt, whole):
        order, _ = self.where[first]
        old = self.block_type(first)
        free_pages = 0
        if old != HIGHATOMIC and order >= self.pageblock_order:
            for pfn in range(first, first + (1 << order), 1 << self.pageblock_order):
                self.type[pfn >> self.pageblock_order] = mt
        elif old != HIGHATOMIC and whole:
            free_pages, movable = self.move_block(first, mt)
            pages = 1 << self.pageblock_order
            alike = movable if mt == MOVABLE else pages - (free_pages + movable) if old == MOVABLE else 0
            if free_pages and free_pages + alike >= pages // 2:
                self.type[first >> self.pageblock_order] = mt
        if not free_pages:
            self.move(first, mt)

    def move(self, first, mt):
        order, _ = self.where[first]
        self.remove(first)
        self.add(first, order, mt, tail=True)

    def move_block(self, pfn, mt):
        pages = 1 << self.pageblock_order
        start = pfn // pages * pages
        end = start + pages
        if start < self.start:
            start = pfn
        if end > self.end:
            return 0, 0
        free = movable = 0
        while start < end:
            if start in self.where:
                order, _ = self.where[start]
                self.move(start, mt)
                free += 1 << order
                start += 1 << order
            else:
                movable += self.is_movable(start)
                start += 1
        return free, movable

    def is_movable(self, pfn):
        return any(first <= pfn < first + (1 << order) and movable for first, (order, movable) in self.used.items())

    # freeing

    def is_buddy(self, pfn, order):
        return self.where.get(pfn, (None, None))[0] == order

    def free_one(self, first, order, mt):
        while order < self.max_order - 1:
            buddy = first ^ (1 << order)
            if not self.is_buddy(buddy, order):
                break
            if order >= self.pageblock_order:
                other = self.block_type(buddy)
                if mt != other and (mt >= HIGHATOMIC or other >= HIGHATOMIC):
                    break
            self.remove(buddy)
            first &= buddy
            order += 1
        tail = False
        if order < self.max_order - 2:
            pair = first & (first ^ (1 << order))
            tail = self.is_buddy(pair ^ (2 << order), order + 1)
        self.add(first, order, mt, tail)

    # per-CPU lists

    def allowed(self, order):
        return order <= 3 or (self.huge_pages and order == self.pageblock_order)

    def pindex(self, order, mt):
        return 3 * order + mt if order <= 3 else 12 + (mt == MOVABLE)

    def pcp_alloc(self, cpu, order, mt, flags):
        pcp = self.pcp[cpu]
        pcp["factor"] >>= 1
        chain = pcp["lists"][self.pindex(order, mt)]
        if not chain:
            batch = max(self.batch >> order, 2) if self.batch > 1 else self.batch
            for _ in range(batch):
                first = self.rmqueue(order, mt, flags)
                if first is None:
                    break
                chain.append(first)
                self.on_pcp[first] = order, self.pcppage_type[first]
                pcp["count"] += 1 << order
            if not chain:
                return None
        first = chain.pop(0)
        del self.on_pcp[first]
        pcp["count"] -= 1 << order
        return first

    def pcp_free(self, cpu, first, order, mt):
        pcp = self.pcp[cpu]
        pindex = self.pindex(order, mt if mt < 3 else MOVABLE)
        pcp["lists"][pindex].insert(0, first)
        self.on_pcp[first] = order, mt
        pcp["count"] += 1 << order
        free_high = pcp["factor"] and 0 < order <= 3
        high = 0 if free_high else self.high
        if pcp["count"] >= high:
            self.bulk(cpu, self.nr_pcp_free(pcp, high, free_high), pindex)

    def nr_pcp_free(self, pcp, high, free_high):
        if free_high:
            return pcp["count"]
        if high < self.batch:
            return 1
        most, batch = high - self.batch, self.batch << pcp["factor"]
        if batch < most and pcp["factor"] < 5:
            pcp["factor"] += 1
        return max(min(batch, most), self.batch) if most >= self.batch else most

    def bulk(self, cpu, count, pindex):
        pcp = self.pcp[cpu]
        count = min(pcp["count"], count)
        pindex -= 1
        while count > 0:
            pindex = 0 if pindex == 13 else pindex + 1
            chain = pcp["lists"][pindex]
            while count > 0 and chain:
                first = chain.pop()
                order, mt = self.on_pcp.pop(first)
                count -= 1 << order
                pcp["count"] -= 1 << order
                self.free_one(first, order, mt)

    # requests

    def alloc(self, order, mt, flags=0, cpu=None):
        first = None
        may_use_pcp = not self.has_cma() or flags & ALLOC_CMA or mt != MOVABLE
        if cpu is not None and self.allowed(order) and may_use_pcp:
            first = self.pcp_alloc(cpu, order, mt, flags)
        if first is None and flags & ALLOC_HIGHATOMIC:
            first = self.smallest(order, HIGHATOMIC)
        if first is None:
            first = self.rmqueue(order, mt, flags)
        if first is None and flags & ALLOC_RESERVE:
            first = self.smallest(order, HIGHATOMIC)
        if first is not None:
            self.used[first] = order, mt == MOVABLE
        return first

    def has_cma(self):
        return CMA in self.type.values()

    def free(self, first, order, cpu=None):
        del self.used[first]
        mt = self.block_type(first)
        if cpu is not None and self.allowed(order):
            self.pcp_free(cpu, first, order, mt)
        else:
            self.free_one(first, order, mt)

    def reserve_highatomic(self, first):
        pages = 1 << self.pageblock_order
        if self.nr_highatomic >= self.managed // 100 + pages or self.block_type(first) >= HIGHATOMIC:
            return
        self.nr_highatomic += pages
        self.type[first >> self.pageblock_order] = HIGHATOMIC
        self.move_block(first, HIGHATOMIC)

    def unreserve_highatomic(self, mt, force):
        pages = 1 << self.pageblock_order
        if not force and self.nr_highatomic <= pages:
            return False
        for order in range(self.max_order):
            if self.lists[order, HIGHATOMIC]:
                first = self.lists[order, HIGHATOMIC][0]
                if self.block_type(first) == HIGHATOMIC:
                    self.nr_highatomic -= min(pages, self.nr_highatomic)
                self.type[first >> self.pageblock_order] = mt
                if self.move_block(first, mt)[0]:
                    return True
        return False
