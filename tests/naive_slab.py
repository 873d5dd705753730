"""A slow, obvious SLUB for one CPU and one node: every object is a cell that says where it is.

Where an object can be: with its owner ("used"), on the CPU's list ("cpu"), or on its slab's list ("slab"). Where a
slab can be: the CPU's own, on the CPU's partial list, on the node's, or on none because it is full.
"""

from __future__ import annotations


class NaiveCache:
    """Slabs are numbered as they are made; `where` maps (slab, object) to the object's place."""

    def __init__(self, objects: int, cpu_partial_slabs: int, min_partial: int) -> None:
        self.objects, self.cpu_partial_slabs, self.min_partial = objects, cpu_partial_slabs, min_partial
        self.where: dict[int, list[str]] = {}
        self.own: int | None = None
        self.cpu_partial: list[int] = []
        self.node: list[int] = []
        self.made = 0

    def count(self, slab: int, place: str) -> int:
        return self.where[slab].count(place)

    def alloc(self) -> int:
        """The slab that the next object comes from."""
        if self.own is None or not self.count(self.own, "cpu"):
            self.own = self.next_slab()
            self.where[self.own] = ["cpu" if place == "slab" else place for place in self.where[self.own]]
        return self.own

    def next_slab(self) -> int:
        """The CPU's own with objects that others freed; its partial slabs; the node's; a new one."""
        if self.own is not None and self.count(self.own, "slab"):
            return self.own
        if self.cpu_partial:
            return self.cpu_partial.pop()
        if self.node:
            more = self.cpu_partial_slabs // 2 + 1
            first, self.cpu_partial, self.node = self.node[0], self.node[1 : more + 1], self.node[more + 1 :]
            return first
        self.made += 1
        self.where[self.made] = ["slab"] * self.objects
        return self.made

    def hand_out(self, slab: int, number: int) -> None:
        assert self.where[slab][number] == "cpu"
        self.where[slab][number] = "used"

    def free(self, slab: int, number: int) -> None:
        assert self.where[slab][number] == "used"
        if slab == self.own:
            self.where[slab][number] = "cpu"
            return
        was_full = not self.count(slab, "slab")
        self.where[slab][number] = "slab"
        if slab in self.cpu_partial:
            return
        if was_full:
            if len(self.cpu_partial) >= self.cpu_partial_slabs:
                for old in reversed(self.cpu_partial):
                    self.to_node(old)
                self.cpu_partial = []
            self.cpu_partial.append(slab)
        elif self.count(slab, "slab") == self.objects and len(self.node) >= self.min_partial:
            self.node.remove(slab)
            del self.where[slab]

    def to_node(self, slab: int) -> None:
        """An empty slab is thrown away where the node has enough."""
        if self.count(slab, "slab") == self.objects and len(self.node) >= self.min_partial:
            del self.where[slab]
        else:
            self.node.append(slab)


def order(size: int, cpus: int, min_order: int = 0, slub_max_order: int = 3, min_objects: int = 0) -> int:
    """calculate_order of Linux 6.1, statement by statement (mm/slub.c)."""

    def calc_slab_order(min_objects: int, max_order: int, fraction: int) -> int:
        found = 0
        if (4096 << min_order) // size > 32767:
            while (4096 << found) < size * 32767:
                found += 1
            return found - 1
        while (4096 << found) < min_objects * size:
            found += 1
        found = max(min_order, found)
        while found <= max_order:
            slab_size = 4096 << found
            if slab_size % size <= slab_size // fraction:
                break
            found += 1
        return found

    if not min_objects:
        fls = len(bin(cpus)) - 2
        min_objects = 4 * (fls + 1)
    min_objects = min(min_objects, (4096 << slub_max_order) // size)
    while min_objects > 1:
        fraction = 16
        while fraction >= 4:
            found = calc_slab_order(min_objects, slub_max_order, fraction)
            if found <= slub_max_order:
                return found
            fraction //= 2
        min_objects -= 1
    found = calc_slab_order(1, slub_max_order, 1)
    return found if found <= slub_max_order else calc_slab_order(1, 20, 1)
