"""The range check against the truth: what a layout's rules say of addresses, beside the page tables.

A range says what an address is meant for. Whether anything is there only the tables tell: holes in the direct map, a
window larger than the image in it, memory that was taken out of the direct map after boot.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..arch.format import Level
from ..units import VmlabError, group_hex
from .address_space import AddressSpace
from .layout import WORD, Layout


class Run(NamedTuple):
    """Addresses `start`..`end` that the tables map to consecutive physical addresses from `pa`."""

    start: int
    end: int
    pa: int


class Difference(NamedTuple):
    """Addresses of one area for which rule and tables do not say the same."""

    start: int
    end: int
    area: str
    what: str


class Route(NamedTuple):
    """An address followed through the page tables to its frame, and up again to the direct map's address of it."""

    va: int
    pa: int | None  # None: the tables map nothing
    alias: int | None  # None: the direct map does not reach the frame, as with HighMem and devices' registers
    why: str = ""

    def tell(self) -> str:
        """Down and up in one line."""
        if self.pa is None:
            return f"{group_hex(self.va)}: {self.why}"
        up = self.why if self.alias is None else group_hex(self.alias)
        return f"{group_hex(self.va)} → physical {group_hex(self.pa)} → {up}"


NOT_MAPPED = "a rule gives the frame, the tables map nothing"
ELSEWHERE = "the tables map another frame than the rule gives"
NO_RULE = "the tables map it, no rule gives the frame"
IN_HOLE = "the tables map it where no area is"


def there_and_back(layout: Layout, space: AddressSpace, va: int) -> Route:
    """Where any kernel address leads by the page tables, whatever its area, and its alias in the direct map."""
    walk = space.walk(va)
    if walk.pa is None:
        return Route(va, None, None, f"the tables map nothing: {walk.fault.kind if walk.fault else 'no entry'}")
    try:
        alias = layout.phys_to_virt(walk.pa)
    except VmlabError as bad:
        return Route(va, walk.pa, None, str(bad))
    if layout.classify(alias).pa is None:
        return Route(va, walk.pa, None, layout.classify(alias).reason)
    return Route(va, walk.pa, alias)


def runs(space: AddressSpace, low: int, high: int) -> Iterator[Run]:
    """Everything that the tables map in `low`..`high`, ascending, neighbours joined."""
    last: Run | None = None
    for start, end, pa in _leaves(space, 0, space.root_for(low), _base(space, low), low, high):
        if last and (last.end, last.pa + last.end - last.start) == (start, pa):
            last = Run(last.start, end, last.pa)
            continue
        if last:
            yield last
        last = Run(start, end, pa)
    if last:
        yield last


def _base(space: AddressSpace, low: int) -> int:
    """The address that entry 0 of the top table stands for, in the half that `low` is in."""
    top = space.format.levels[0]
    return low - (low % (1 << (top.shift + top.bits)))


def _leaves(
    space: AddressSpace, depth: int, table: int, base: int, low: int, high: int
) -> Iterator[tuple[int, int, int]]:
    """(start, end, pa) of every entry below `table` that maps memory in `low`..`high`."""
    level = space.format.levels[depth]
    first = max(low - base, 0) >> level.shift
    last = min((high - 1 - base) >> level.shift, (1 << level.bits) - 1)
    for index in range(first, last + 1):
        entry = space.frames.read(table + index * space.format.entry_bytes)
        if not entry:
            continue
        at = base + (index << level.shift)
        if level.table is not None and level.is_table(entry):
            yield from _leaves(space, depth + 1, level.table.pa.of(entry), at, low, high)
        else:
            yield from _leaf(level, entry, at, low, high)


def _leaf(level: Level, entry: int, at: int, low: int, high: int) -> Iterator[tuple[int, int, int]]:
    leaf = level.leaf_of(entry)
    if leaf is not None:
        start, end = max(at, low), min(at + level.size, high)
        page = leaf.pa.of(entry)
        yield start, end, page + (start & ((1 << leaf.shift) - 1))


def differences(layout: Layout, space: AddressSpace, areas: tuple[str, ...] = ()) -> Iterator[Difference]:
    """Where rule and tables part, ascending; in the named areas, or in every part of the kernel's half.

    Areas that are mapped page by page have no rule and nothing to differ from.
    """
    for number, stretch in enumerate(layout.stretches):
        area = layout.whole[stretch.area]
        end = layout.stretches[number + 1].start if number + 1 < len(layout.stretches) else layout.top
        if (
            (areas and area.name not in areas)
            or end <= layout.space.others[0].end
            or not _translates(space, stretch[0])
        ):
            continue
        if stretch.offset is not None:
            yield from _against_rule(space, stretch.start, end, stretch.offset, area.name)
        elif area.offset is not None or area.hole:
            what = IN_HOLE if area.hole else NO_RULE
            yield from (Difference(run.start, run.end, area.name, what) for run in runs(space, stretch.start, end))


def _translates(space: AddressSpace, va: int) -> bool:
    return space.format.is_canonical(va)


def _against_rule(space: AddressSpace, low: int, high: int, offset: int, name: str) -> Iterator[Difference]:
    at = low
    for run in runs(space, low, high):
        if at < run.start:
            yield Difference(at, run.start, name, NOT_MAPPED)
        if run.pa != (run.start - offset) % WORD:
            yield Difference(run.start, run.end, name, ELSEWHERE)
        at = run.end
    if at < high:
        yield Difference(at, high, name, NOT_MAPPED)
