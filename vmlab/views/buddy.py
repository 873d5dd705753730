"""The free lists of one zone, order by order with the blocks nearest the head, and the map of its frames.

A block on a list is written as its first frame's number with a letter for its migratetype; the length of a bar is the
share of the zone's free pages that stand on the lists of that order.
"""

from __future__ import annotations

from itertools import islice

from ..physical.buddy import Buddy
from ..physical.migratetype import Migratetype
from ..physical.zones import Zone
from ..units import PAGE_SHIFT, human
from . import svg
from .drawing import Drawing, Table
from .frame_map import IS_FREE, IS_ON_PCP, IS_USED, WIDTH, grid, kinds, legend

MARGIN, ROW, BAR_X, BAR, LIST_X, SHOWN = 14, 20, 240, 130, 430, 5
COLUMNS = ("order", "block of", "free blocks", "free pages", "Unmovable", "Movable", "Reclaimable", "first blocks")
PLAIN = (Migratetype.UNMOVABLE, Migratetype.MOVABLE, Migratetype.RECLAIMABLE)


def free_lists(buddy: Buddy, zone: Zone) -> Drawing:
    """The zone's free lists: how many blocks each has, and which come next."""
    parts, height = _lists(buddy, zone, 0)
    return Drawing(describe(buddy, zone), table(buddy, zone), svg.picture(WIDTH, height + 6, parts))


def frame_map(buddy: Buddy, zone: Zone) -> Drawing:
    """Every frame of the zone as a pixel."""
    blocks, height = grid(buddy, zone, 46)
    whole = svg.picture(WIDTH, height + 52, [*legend(buddy, zone, 36), *blocks])
    return Drawing(describe(buddy, zone), _uses(buddy, zone), whole)


def buddy_zone(buddy: Buddy, zone: Zone) -> Drawing:
    """Free lists above, the map of frames below."""
    parts, height = _lists(buddy, zone, 0)
    blocks, map_height = grid(buddy, zone, height + 50)
    whole = svg.picture(WIDTH, height + 56 + map_height, [*parts, *legend(buddy, zone, height + 38), *blocks])
    return Drawing(describe(buddy, zone), table(buddy, zone), whole)


def describe(buddy: Buddy, zone: Zone) -> str:
    """One sentence: how much is free, and how large the largest free block is."""
    counts = buddy.nr_free(zone)
    free = sum(count << order for order, count in enumerate(counts))
    if not free:
        return f"No page of {zone.name} is free on a list."
    top = max(order for order, count in enumerate(counts) if count)
    blocks = f"{counts[top]:,} block{'s' * (counts[top] != 1)} of order {top} ({human(1 << top + PAGE_SHIFT)})"
    share = f"{100 * free / zone.managed_pages:.1f}"
    if share == "100.0" and free < zone.managed_pages:
        share = "over 99.9"
    return f"{free:,} pages of {zone.name} are free ({share} %); the largest free: {blocks}."


def table(buddy: Buddy, zone: Zone) -> Table:
    """One row an order, highest first."""
    by_type, rows = buddy.nr_free_by_type(zone), []
    for order in reversed(range(buddy.max_order)):
        count = sum(counts[order] for counts in by_type.values())
        first = " ".join(f"{pfn:#x}" for pfn, _ in _first(buddy, zone, order))
        each = [by_type[kind][order] for kind in PLAIN]
        rows.append((order, human(1 << order + PAGE_SHIFT), count, count << order, *each, first))
    return Table(COLUMNS, rows)


def blocks_on_list(buddy: Buddy, zone: Zone, order: int, type: Migratetype, most: int = SHOWN) -> list[int]:
    """First frames of the blocks on one free list, from its head on, at most so many."""
    free = buddy.area_of(zone)
    found: list[int] = []
    top = buddy.max_order - 1
    if free.touched:
        from ..physical import buddy_kernels as at

        links, head = free.area.links, int(free.area.rows) + order * int(at.TYPES) + type
        row = int(links[2 * head])
        while row != head and len(found) < most:
            found.append(row + free.base)
            row = int(links[2 * row])
        fresh = [(free.base + a, free.base + b, kind) for a, b, kind in free.area.fresh.tolist()]
    else:
        found = [first for first, size, kind in free.handed if (size, kind) == (order, type)][:most]
        fresh = [(a, b, int(kind)) for kind, spans in free.untouched.items() for a, b in spans]
    if order == top:
        rest = (pfn for a, b, kind in fresh if kind == type for pfn in range(a, b, 1 << top))
        found += islice(rest, most - len(found))
    return found


def _first(buddy: Buddy, zone: Zone, order: int) -> list[tuple[int, Migratetype]]:
    """The first blocks of an order's lists, a few of each type."""
    found = [(pfn, kind) for kind in PLAIN for pfn in blocks_on_list(buddy, zone, order, kind)]
    few = [[item for item in found if item[1] == kind] for kind in PLAIN]
    share = SHOWN if sum(map(bool, few)) == 1 else SHOWN // 2
    return [item for items in few for item in items[:share]][:SHOWN]


def _lists(buddy: Buddy, zone: Zone, y: int) -> tuple[list[str], int]:
    bold = 'font-weight="bold"'
    counts, free = buddy.nr_free(zone), max(1, buddy.free_pages(zone))
    parts = [
        svg.text(MARGIN, y + 16, f"Free lists of {zone.name}", more=bold),
        svg.text(BAR_X - 12, y + 16, "blocks", "end", bold),
        svg.text(BAR_X, y + 16, "share of free pages", more=bold),
        svg.text(LIST_X, y + 16, "next to be handed out (U, M, R: the list's type)", more=bold),
    ]
    for row, order in enumerate(reversed(range(buddy.max_order))):
        base = y + 38 + row * ROW
        parts.append(svg.text(MARGIN, base, f"order {order}  ({human(1 << order + PAGE_SHIFT)})"))
        parts.append(svg.text(BAR_X - 12, base, f"{counts[order]:,}", "end"))
        share = (counts[order] << order) / free
        parts.append(svg.rect(BAR_X, base - 11, BAR, 13, "#fff", "#999"))
        if counts[order]:
            parts.append(svg.rect(BAR_X, base - 11, max(2, BAR * share), 13, "#56b4e9", "#17375e"))
        percent = "<1" if 0 < share < 0.005 else f"{100 * share:.0f}"
        parts.append(svg.text(BAR_X + BAR + 8, base, f"{percent} %"))
        parts += _boxes(_first(buddy, zone, order), base)
    return parts, 38 + buddy.max_order * ROW


def _boxes(blocks: list[tuple[int, Migratetype]], base: int) -> list[str]:
    parts = []
    for number, (pfn, kind) in enumerate(blocks):
        x = LIST_X + number * 96
        parts.append(svg.rect(x, base - 13, 90, 16, "#fff"))
        parts.append(svg.text(x + 45, base - 1, f"{kind.name[0]} {pfn:#x}", "middle", 'font-family="monospace"'))
    return parts


def _uses(buddy: Buddy, zone: Zone) -> Table:
    found = kinds(buddy, zone)
    rows = [(name, int((found == kind).sum())) for kind, name in _NAMES]
    return Table(("what", "frames"), rows)


_NAMES = ((IS_FREE, "free"), (IS_ON_PCP, "on a per-CPU list"), (IS_USED, "in use"))
