"""Counting what page tables hold and what they cost: tables, leaves of each size, bytes mapped.

Counted in bytes of the hardware's own tables. Left out: what Linux keeps beside them (on ARM's short descriptors a
second table for each one of pages), and tables that stand ready but are not reached from the root.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ..arch.format import Format, Level
from ..units import VmlabError, human
from .address_space import AddressSpace


@dataclass
class Census:
    """Tables of each level and entries that map memory, by bytes mapped."""

    format: Format
    tables: Counter[str] = field(default_factory=Counter)  # level name -> different tables
    mapped: Counter[int] = field(default_factory=Counter)  # page size -> bytes mapped with it

    @property
    def tables_bytes(self) -> int:
        """Bytes of all tables that were reached, the root's included."""
        return sum(
            self.tables[level.name] * self.format.table_bytes(depth) for depth, level in enumerate(self.format.levels)
        )

    @property
    def saved_bytes(self) -> int:
        """Bytes of further tables that the same memory would need if it were mapped with the smallest pages."""
        return sum(tables_bytes(self.format, total, size) for size, total in self.mapped.items())


def tables_bytes(fmt: Format, mapped: int, page_bytes: int) -> int:
    """Bytes of tables that pages of `page_bytes` save over `mapped` bytes, against the format's smallest page.

    >>> from vmlab.arch.formats import page_format
    >>> tables_bytes(page_format("x86-32"), 4 << 20, 4 << 20)
    4096
    """
    depth = depth_of(fmt, page_bytes)
    below = range(depth + 1, len(fmt.levels))
    return sum(-(-mapped // fmt.levels[lower - 1].size) * fmt.table_bytes(lower) for lower in below)


def depth_of(fmt: Format, page_bytes: int) -> int:
    """Index of the level whose entries map `page_bytes`."""
    for depth, level in enumerate(fmt.levels):
        if any(1 << leaf.shift == page_bytes for leaf in level.leaves):
            return depth
    sizes = ", ".join(human(size) for size in fmt.page_sizes)
    raise VmlabError(f"page_bytes: {fmt.name} maps {sizes}; got {page_bytes}")


def census(space: AddressSpace) -> Census:
    """Everything that can be reached from the root of `space`; a table that is reached twice counts once."""
    found = Census(space.format)
    seen: set[tuple[int, int]] = set()
    todo = [(0, root) for root in {space.root_pa, space.high_root_pa}]
    while todo:
        depth, table = todo.pop()
        if (depth, table) in seen or space.frames.read(table) is None:
            continue
        seen.add((depth, table))
        level = space.format.levels[depth]
        found.tables[level.name] += 1
        todo += [(depth + 1, below) for below in _below(space, level, table, found)]
    return found


def _below(space: AddressSpace, level: Level, table: int, found: Census) -> list[int]:
    """Tables that the entries of one table point to; what its other entries map is added to `found`."""
    below = []
    for place in range(table, table + (space.format.entry_bytes << level.bits), space.format.entry_bytes):
        entry = space.frames.read(place)
        if not entry:
            continue
        if level.table is not None and level.is_table(entry):
            below.append(level.table.pa.of(entry))
        elif leaf := level.leaf_of(entry):
            found.mapped[1 << leaf.shift] += min(1 << leaf.shift, level.size)
    return below
