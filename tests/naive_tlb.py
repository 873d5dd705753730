"""A slow, obvious TLB: every set is a list of its ways, every entry a tuple that says all of it."""

from __future__ import annotations


class NaiveSet:
    def __init__(self, ways: int, policy: str, draws) -> None:
        self.ways = [None] * ways  # each way is an entry or None
        self.used = {}  # entry: when it was last referenced
        self.filled = {}  # entry: when it came
        self.older_half = {}  # (first way, number of ways): the half to give up next, 0 or 1
        self.policy, self.draws = policy, draws

    def look(self, entry, now: int):
        """(hit, evicted entry or None)"""
        hit, evicted = entry in self.ways, None
        if not hit:
            way = self.ways.index(None) if None in self.ways else self.victim()
            evicted, self.ways[way] = self.ways[way], entry
            self.filled[entry] = now
        self.used[entry] = now
        self.touch(0, len(self.ways), self.ways.index(entry))
        return hit, evicted

    def victim(self) -> int:
        if self.policy == "lru":
            return min(range(len(self.ways)), key=lambda way: self.used[self.ways[way]])
        if self.policy == "fifo":
            return min(range(len(self.ways)), key=lambda way: self.filled[self.ways[way]])
        if self.policy == "random":
            return next(self.draws) % len(self.ways)
        return self.tree_victim(0, len(self.ways))

    def tree_victim(self, first: int, count: int) -> int:
        if count == 1:
            return first
        half = self.older_half.get((first, count), 0)
        return self.tree_victim(first + half * count // 2, count // 2)

    def touch(self, first: int, count: int, way: int) -> None:
        if self.policy == "plru" and count > 1:
            half = int(way >= first + count // 2)
            self.older_half[first, count] = 1 - half
            self.touch(first + half * count // 2, count // 2, way)

    def remove(self, wanted) -> list:
        gone = [entry for entry in self.ways if entry is not None and wanted(entry)]
        self.ways = [None if entry in gone else entry for entry in self.ways]
        return gone


class NaiveTlb:
    """Entries are (first address, page bytes, ASID or None for a global one)."""

    def __init__(self, structures, draws=()) -> None:
        self.structures = structures
        self.now = 0
        supply = self.endless(list(draws))
        self.sets = {row.name: [NaiveSet(row.ways, row.policy, supply) for _ in range(row.sets)] for row in structures}

    @staticmethod
    def endless(draws):
        while draws:
            yield from draws

    def access(self, asid, va, page_bytes=4096, kind="data", is_global=False):
        """(level that had it or None, evicted entries in the order of levels)"""
        self.now += 1
        entry = (va - va % page_bytes, page_bytes, None if is_global else asid)
        evicted = []
        for level in range(1, max(row.level for row in self.structures) + 1):
            for row in self.structures:
                if row.level == level and page_bytes in row.page_bytes and kind in row.holds:
                    hit, old = self.sets[row.name][va // page_bytes % row.sets].look(entry, self.now)
                    evicted += [old] if old else []
                    if hit:
                        return level, evicted
        return None, evicted

    def entries(self):
        return [
            (*entry, name, number)
            for name, sets in self.sets.items()
            for number, each in enumerate(sets)
            for entry in each.ways
            if entry is not None
        ]

    def remove(self, wanted):
        return [entry for sets in self.sets.values() for each in sets for entry in each.remove(wanted)]

    def flush(self, asid=None, keep_global=True):
        return self.remove(lambda e: not keep_global if e[2] is None else asid in (None, e[2]))

    def flush_range(self, asid, start, end):
        return self.remove(lambda e: e[2] in (None, asid) and e[0] < end and start < e[0] + e[1])


def stack_distance_misses(pages, capacity: int) -> int:
    """Mattson's stack: a reference misses in a fully associative LRU of `capacity` if its distance is larger."""
    stack, misses = [], 0
    for page in pages:
        distance = stack.index(page) + 1 if page in stack else None
        misses += distance is None or distance > capacity
        if distance:
            stack.remove(page)
        stack.insert(0, page)
    return misses
