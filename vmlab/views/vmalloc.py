"""vmalloc space as a ruler: areas, guard pages and freed addresses above, the frames under them below."""

from __future__ import annotations

from collections.abc import Mapping

from ..kernel import Kernel
from ..units import PAGE_SHIFT, PAGE_SIZE, group_hex, human
from ..virtual.area import Area
from . import svg
from .drawing import Drawing, Table
from .labels import Label, draw, place
from .ruler import MARGIN, ROW, WIDTH, Scale
from .svg import FILLS

LEAST_PAGES = 24  # shown even if nothing is allocated
ADDRESSES, FRAMES = 66, 178  # top edges of the two bars
MOST_LINES = 160


def vmalloc_ruler(kernel: Kernel, title: str, names: Mapping[int, str] | None = None) -> Drawing:
    """The lowest part of vmalloc space, up to the last area, and where its frames lie; `names` by start address."""
    space, names = kernel.vmap_areas, names or {}
    areas = [space.areas[start] for start in space.starts]
    last = max([area.end for area in areas] + list(space.lazy.ends) + [space.start])
    near = Scale(space.start, max(last + 2 * PAGE_SIZE, space.start + LEAST_PAGES * PAGE_SIZE))
    parts = [svg.text(MARGIN, 16, title, more='font-weight="bold"')]
    parts.append(
        svg.text(WIDTH - MARGIN, 16, "lines: guard page · squares: freed, not yet flushed · white: unused", "end")
    )
    parts += [svg.rect(MARGIN, ADDRESSES, WIDTH - 2 * MARGIN, 26, "free")]
    words = []
    for area in areas:
        parts += _area(near, area)
        words.append(_label(near, area.start, area.end, names.get(area.start, area.caller)))
    for low, high in space.lazy:
        parts.append(svg.rect(near.x(low), ADDRESSES, near.x(high) - near.x(low), 26, "cma"))
        words.append(_label(near, low, high, "freed"))
    parts += draw(place(words, WIDTH, 2), ADDRESSES, ROW, True)
    parts += _ends(near) + _zones(kernel) + _lines(kernel, near, areas)
    table = Table(("what", "from", "to", "pages mapped", "frames", "zones"), _rows(kernel, areas, names))
    return Drawing(alt=_says(kernel, areas), table=table, svg=svg.picture(WIDTH, FRAMES + 50, parts))


def zone_of(kernel: Kernel, pfn: int) -> str:
    """Name of the zone that a frame lies in."""
    return next((zone.name for zone in kernel.zones if zone.start_pfn <= pfn < zone.end_pfn), "no zone")


def _area(near: Scale, area: Area) -> list[str]:
    low, guard, high = near.x(area.start), near.x(area.end - PAGE_SIZE), near.x(area.end)
    parts = [
        svg.rect(low, ADDRESSES, guard - low, 26, "image"),
        svg.rect(guard, ADDRESSES, high - guard, 26, "Movable"),
    ]
    pages = (area.size >> PAGE_SHIFT) - 1
    if (guard - low) / pages > 6:
        edges = (low + (guard - low) * page / pages for page in range(1, pages))
        parts += [svg.line(x, ADDRESSES, x, ADDRESSES + 26) for x in edges]
    return parts


def _label(near: Scale, low: int, high: int, name: str) -> Label:
    return Label((near.x(low) + near.x(high)) / 2, f"{name} {human(high - low)}", high - low)


def _ends(near: Scale) -> list[str]:
    y = ADDRESSES + 41
    mono = 'font-family="monospace"'
    return [
        svg.text(MARGIN, y, group_hex(near.low), more=mono),
        svg.text(WIDTH - MARGIN, y, group_hex(near.high - 1), "end", mono),
    ]


def _physical(kernel: Kernel) -> Scale:
    zones = [zone for zone in kernel.zones if zone.spanned_pages]
    low, high = min(z.start_pfn for z in zones), max(z.end_pfn for z in zones)
    return Scale(low << PAGE_SHIFT, high << PAGE_SHIFT)


def _zones(kernel: Kernel) -> list[str]:
    """The physical bar: zones to scale."""
    whole, parts = _physical(kernel), []
    for zone in kernel.zones:
        if zone.spanned_pages:
            low, high = whole.x(zone.start_pfn << PAGE_SHIFT), whole.x(zone.end_pfn << PAGE_SHIFT)
            fill = zone.name if zone.name in FILLS else "added"
            parts.append(svg.rect(low, FRAMES, high - low, 22, fill))
            words = f"zone {zone.name}, frames from {zone.start_pfn:#x}"
            if high - low < len(words) * 6.8:
                words = zone.name
            if high - low > len(words) * 6.8:
                parts.append(svg.text((low + high) / 2, FRAMES + 38, words, "middle"))
    return parts


def _lines(kernel: Kernel, near: Scale, areas: list[Area]) -> list[str]:
    """From pages to the frames behind them."""
    whole, parts = _physical(kernel), []
    pairs = [(area, n, page.pfn) for area in areas for n, page in enumerate(area.frames)]
    every = -(-len(pairs) // MOST_LINES) or 1
    for area, n, pfn in pairs[::every]:
        x = near.x(area.start + n * PAGE_SIZE + PAGE_SIZE // 2)
        parts.append(svg.line(x, ADDRESSES + 26, whole.x(pfn << PAGE_SHIFT), FRAMES, 'stroke-opacity=".55"'))
    return parts


def _rows(kernel: Kernel, areas: list[Area], names: Mapping[int, str]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for area in areas:
        pfns = [page.pfn for page in area.frames]
        shown = ", ".join(map(hex, pfns[:8])) + (" …" if len(pfns) > 8 else "")
        zones = ", ".join(sorted({zone_of(kernel, pfn) for pfn in pfns})) or "-"
        ends = group_hex(area.start), group_hex(area.end - 1)
        rows.append((names.get(area.start, area.caller), *ends, len(pfns), shown or "-", zones))
    for low, high in kernel.vmap_areas.lazy:
        rows.append(("freed, not yet flushed", group_hex(low), group_hex(high - 1), 0, "-", "-"))
    return rows or [("nothing allocated", group_hex(kernel.vmap_areas.start), "-", 0, "-", "-")]


def _says(kernel: Kernel, areas: list[Area]) -> str:
    space = kernel.vmap_areas
    zones: dict[str, int] = {}
    for area in areas:
        for page in area.frames:
            name = zone_of(kernel, page.pfn)
            zones[name] = zones.get(name, 0) + 1
    under = " and ".join(f"{count:,} frames of {name}" for name, count in zones.items()) or "no frame"
    lazy = sum(high - low for low, high in space.lazy)
    return (
        f"vmalloc space begins at {group_hex(space.start)} and has {len(areas)} area{'s' * (len(areas) != 1)} "
        f"over {under}; {human(lazy) if lazy else 'no'} freed addresses wait for a TLB flush."
    )
