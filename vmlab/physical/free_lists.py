"""A zone's arrays, made on first use: from the ranges that the page allocator took over to an `Area`, and read.

np.zeros maps memory that costs nothing until it is written, and all-zero is the right beginning everywhere, so what
is touched here are the list heads, the few blocks at the ends of each range, and the types of CMA pageblocks:
1 TiB costs what 1 GiB does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..units import VmlabError, human
from . import buddy_kernels as at
from .buddy_kernels import Area, u64
from .migratetype import Migratetype

if TYPE_CHECKING:
    from .free_area import FreeArea

Block = tuple[int, int, int]  # first frame, order, migratetype
MAX_FRAMES = 1 << 31  # 8 TiB in one zone: list heads must have row numbers of 32 bits, too
KINDS = {"free": (0x10, 0x70), "on a per-CPU list": (0x70, 0xD0), "handed out": (0xD0, 0x100)}


def of_zone(free: FreeArea) -> Area:
    """The arrays of a zone as boot handed it over."""
    zone, shape = free.zone, free.shape
    size = 1 << shape.max_order - 1
    frames = -(-max(zone.end_pfn - free.base, 1) // size) * size
    if frames > MAX_FRAMES:
        raise VmlabError(f"zone {zone.name} spans {human(frames << 12)}: expected at most {human(MAX_FRAMES << 12)}")
    fixed = {"max_order": shape.max_order, "pageblock": shape.pageblock_order, "grouping": int(shape.grouping)}
    fixed |= {"has_cma": int(free.cma.total() > 0), "huge_pages": int(shape.huge_pages)}
    fixed |= {"batch": max(zone.pcp_batch, 1), "high": zone.pcp_high}
    fixed |= {"min_mark": zone.watermark.min, "managed": zone.managed_pages}
    blocks = [(first - free.base, order, int(mt)) for first, order, mt in free.handed]
    fresh = [
        (start - free.base, end - free.base, int(mt)) for mt, spans in free.untouched.items() for start, end in spans
    ]
    start, end = zone.start_pfn - free.base, zone.end_pfn - free.base
    area = build(frames, start, end, blocks, fresh, fixed, shape.cpus)
    for first, last in free.cma:
        set_types(area, first - free.base, last - free.base, Migratetype.CMA)
    return area


def build(
    frames: int,
    start: int,
    end: int,
    blocks: Iterable[Block],
    fresh: Sequence[Block],
    fixed: dict[str, int],
    cpus: int,
) -> Area:
    """An area of `frames` frames, of which `start`..`end` are the zone; `fresh` are (frame, end, migratetype).

    `blocks` are put on their lists in the order in which they come, each at the tail (FPI_TO_TAIL).
    """
    rows = int(at.PCP_HEADS) + cpus * int(at.PCP_LISTS)
    area = Area(
        links=np.zeros(2 * (frames + rows), np.uint32),
        state=np.zeros(frames, np.uint8),
        types=np.zeros(frames >> fixed["pageblock"], np.uint8),
        fresh=np.array(fresh, np.uint64).reshape(-1, 3),
        zone=np.zeros(int(at.PCP_COUNTS) + 2 * cpus, np.uint64),
        rows=u64(frames),
        start=u64(start),
        end=u64(end),
        **{name: u64(value) for name, value in fixed.items()},
    )
    area.links[2 * frames :] = np.repeat(np.arange(frames, frames + rows, dtype=np.uint32), 2)
    for block in blocks:
        append(area, *block)
    top = fixed["max_order"] - 1
    for first, last, mt in fresh:
        area.zone[int(at.COUNTS) + top * int(at.TYPES) + mt] += u64((last - first) >> top)
        area.zone[at.FREE_PAGES] += u64(last - first)
    return area


def append(area: Area, first: int, order: int, mt: int) -> None:
    """Put a free block at the tail of its list, and count it."""
    index = order * int(at.TYPES) + mt
    link_last(area, first, order, mt)
    area.zone[int(at.COUNTS) + index] += at.ONE
    area.zone[at.FREE_PAGES] += u64(1 << order)


def link_last(area: Area, first: int, order: int, mt: int) -> None:
    """The same for a block that is counted already."""
    head = int(area.rows) + order * int(at.TYPES) + mt
    last = int(area.links[2 * head + 1])
    area.links[2 * first : 2 * first + 2] = head, last
    area.links[2 * last] = area.links[2 * head + 1] = first
    area.state[first] = (int(at.FREE_TAG) + mt) << 4 | order


def set_types(area: Area, start: int, end: int, mt: int) -> None:
    """Set the migratetype of the pageblocks of frames `start`..`end`."""
    shift = int(area.pageblock)
    area.types[start >> shift : -(-end >> shift)] = mt ^ int(at.MOVABLE)


def touch(area: Area, start: int, end: int) -> Area:
    """Put the fresh blocks that have a frame in `start`..`end` on their lists; the area with the fresh ranges left."""
    top = int(area.max_order) - 1
    rows = []
    for first, last, mt in area.fresh.tolist():
        low, high = max(first, start & -(1 << top)), min(last, -(-end >> top) << top)
        if low >= high:
            rows.append((first, last, mt))
            continue
        for block in range(low, high, 1 << top):
            link_last(area, block, top, mt)
        rows += [(first, low, mt), (high, last, mt)]
    return area._replace(fresh=np.array([row for row in rows if row[0] < row[1]], np.uint64).reshape(-1, 3))


def counts(area: Area) -> list[list[int]]:
    """Free blocks of each order, by migratetype."""
    begin, orders = int(at.COUNTS), int(area.max_order)
    found: list[list[int]] = area.zone[begin : begin + orders * int(at.TYPES)].reshape(orders, -1).tolist()
    return found


def blocks(free: FreeArea, kinds: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
    """First frame (int64) and order of every block of these kinds, ascending, those of fresh ranges left out."""
    of_kind = np.zeros(256, bool)
    for low, high in (KINDS[kind] for kind in kinds):
        of_kind[low:high] = True
    firsts: list[np.ndarray] = [np.zeros(0, np.int64)]
    orders: list[np.ndarray] = [np.zeros(0, np.uint8)]
    for start, end in free.scanned():
        state = free.area.state[start - free.base : end - free.base]
        places = np.flatnonzero(of_kind[state])
        firsts.append(places + start)
        orders.append(state[places] & 15)
    return np.concatenate(firsts), np.concatenate(orders)


def types(area: Area, frames: range) -> np.ndarray:
    """The migratetype of the pageblock that each of these frames is in."""
    blocks = np.arange(frames.start, frames.stop, frames.step) >> int(area.pageblock)
    return area.types[blocks] ^ int(at.MOVABLE)


def listed(area: Area, row: int) -> list[int]:
    """The frames on the list that begins at `row`, in list order."""
    found, at_row = [], int(area.links[2 * row])
    while at_row != row:
        found.append(at_row)
        at_row = int(area.links[2 * at_row])
    return found


def small_area() -> Area:
    """Sixteen frames on the lists of order 4: enough to compile kernels with."""
    fixed = dict.fromkeys(("has_cma", "huge_pages", "min_mark", "managed"), 0)
    fixed |= {"max_order": 5, "pageblock": 4, "grouping": 1, "batch": 1, "high": 4}
    return build(16, 0, 16, [(0, 4, int(at.MOVABLE))], [], fixed, 1)
