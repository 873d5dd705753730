"""vmalloc space as a ruler: areas, guard pages and freed addresses above, the frames under them below.

The frames stand on a lens, to scale between the lowest and the highest; under it are all zones, to scale too.
"""

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
ADDRESSES, LENS, ZONES = 66, 170, 246  # top edges of the three bars
MOST_LINES = 160


def vmalloc_ruler(kernel: Kernel, title: str, names: Mapping[int, str] | None = None) -> Drawing:
    """The lowest part of vmalloc space, up to the last area, and where its frames lie; `names` by start address."""
    space, names = kernel.vmap_areas, names or {}
    areas = [space.areas[start] for start in space.starts]
    last = max([area.end for area in areas] + list(space.lazy.ends) + [space.start])
    near = Scale(space.start, max(last + 2 * PAGE_SIZE, space.start + LEAST_PAGES * PAGE_SIZE))
    parts = [svg.text(MARGIN, 16, title, more='font-weight="bold"')]
    parts.append(
        svg.text(WIDTH - MARGIN, 16, "lines: guard page · rings: freed, not yet flushed · white: unused", "end")
    )
    parts += [svg.rect(MARGIN, ADDRESSES, WIDTH - 2 * MARGIN, 26, "free")]
    words = []
    for area in areas:
        parts += _area(near, area)
        pages = human(area.size - PAGE_SIZE)
        words.append(_label(near, area.start, area.end, f"{names.get(area.start, area.caller)} {pages} + guard"))
    for low, high in space.lazy:
        parts.append(svg.rect(near.x(low), ADDRESSES, near.x(high) - near.x(low), 26, "cma"))
        words.append(_label(near, low, high, f"freed {human(high - low)}"))
    parts += draw(place(words, WIDTH, 2), ADDRESSES, ROW, True)
    parts += _lens(kernel, near, areas) + _ends(near) + _zones(kernel)
    table = Table(("what", "from", "to", "pages mapped", "frames", "zones"), _rows(kernel, areas, names))
    return Drawing(alt=_says(kernel, areas), table=table, svg=svg.picture(WIDTH, ZONES + 46, parts))


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
    return Label((near.x(low) + near.x(high)) / 2, name, high - low)


def _ends(near: Scale) -> list[str]:
    y = ADDRESSES + 41
    mono = f'font-family="monospace" {svg.HALO}'
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
            parts.append(svg.rect(low, ZONES, high - low, 22, fill))
            words = f"zone {zone.name}, frames from {zone.start_pfn:#x}"
            if high - low < len(words) * 6.8:
                words = zone.name
            if high - low > len(words) * 6.8:
                parts.append(svg.text((low + high) / 2, ZONES + 38, words, "middle"))
    return parts


def _lens(kernel: Kernel, near: Scale, areas: list[Area]) -> list[str]:
    """The frames behind the pages, magnified, with lines from the pages; dashed lines go on to their zone."""
    pairs = [(area, n, page.pfn) for area in areas for n, page in enumerate(area.frames)]
    if not pairs:
        return [svg.text(MARGIN, LENS + 16, "No frame is mapped.")]
    low, end = min(pfn for *_, pfn in pairs), max(pfn for *_, pfn in pairs) + 1
    lens, whole = Scale(low << PAGE_SHIFT, end << PAGE_SHIFT), _physical(kernel)
    faint = 'stroke-opacity=".35" stroke-dasharray="3 3"'
    parts = [
        svg.line(lens.x(pfn << PAGE_SHIFT), LENS + 20, whole.x(pfn << PAGE_SHIFT), ZONES, faint) for pfn in (low, end)
    ]
    every = -(-len(pairs) // MOST_LINES) or 1
    for area, n, pfn in pairs[::every]:
        x, at = near.x(area.start + n * PAGE_SIZE + PAGE_SIZE // 2), lens.x((pfn << PAGE_SHIFT) + PAGE_SIZE // 2)
        parts.append(svg.line(x, ADDRESSES + 26, at, LENS, 'stroke-opacity=".55"'))
    parts.append(svg.rect(MARGIN, LENS, WIDTH - 2 * MARGIN, 20, "free"))
    for first, last in _runs(sorted(pfn for *_, pfn in pairs)):
        left, right = lens.x(first << PAGE_SHIFT), lens.x(last + 1 << PAGE_SHIFT)
        parts.append(svg.rect(left, LENS, max(right - left, 1), 20, "image"))
    words = f"frames {low:#x} to {end - 1:#x}, magnified; white: not of these areas"
    return [*parts, svg.text(WIDTH / 2, LENS + 36, words, "middle", svg.HALO)]


def _runs(pfns: list[int]) -> list[tuple[int, int]]:
    """First and last of each stretch of frames side by side."""
    found: list[tuple[int, int]] = []
    for pfn in pfns:
        if found and found[-1][1] + 1 == pfn:
            found[-1] = found[-1][0], pfn
        else:
            found.append((pfn, pfn))
    return found


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
