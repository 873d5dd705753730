"""Zones as pictures: where they lie, how much of each is RAM and how much the page allocator got, what they keep.

The rows of a modelled kernel and those read from /proc/zoneinfo have the same names, so one picture takes both.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

from ..kernel import Kernel
from ..units import PAGE_SHIFT, group_hex, human
from . import svg, watermarks
from .drawing import Drawing, Table
from .labels import Label, Placed, draw, place
from .ruler import MARGIN, ROW, WIDTH, Scale
from .svg import FILLS
from .watermarks import LEFT, PITCH, AnyZone

BOLD = 'font-weight="bold"'
EDGE = 8  # kept free at the right: a font may be wider than the one that was measured
LEAST_ROWS = 3  # room for so many zones, so that the picture's height changes seldom
COUNT_PITCH = 28
COUNT_RIGHT = 380  # kept free for the three numbers


def zone_map(kernel: Kernel, marks: bool = True) -> Drawing:
    """Every zone of a booted machine on the ruler; below, its pages and, with `marks`, what it keeps back."""
    zones = populated(kernel.zones)
    parts = [svg.text(MARGIN, 16, f"Zones of {human(kernel.machine.ram_bytes)} of RAM", more=BOLD)]
    parts.append(svg.text(WIDTH - MARGIN, 16, "upper bar: zones · lower bar: RAM (dotted: a hole)", "end"))
    parts += _ruler(kernel, zones)
    y = 162
    parts += _counts(zones, y)
    y += COUNT_PITCH * max(len(zones), LEAST_ROWS) + 34
    if not marks:
        return Drawing(tell(zones, False), table(zones, False), svg.picture(WIDTH, y - 20, parts))
    parts += _marks(zones, y)
    height = y + 16 + PITCH * max(len(zones), LEAST_ROWS)
    return Drawing(tell(zones), table(zones), svg.picture(WIDTH, height, parts))


def zone_counts(rows: Iterable[AnyZone], source: str) -> Drawing:
    """The same without the ruler, for zones read from a file; `source` says whose they are."""
    zones = populated(rows)
    parts = [svg.text(MARGIN, 16, source, more=BOLD), *_counts(zones, 40)]
    y = 74 + COUNT_PITCH * len(zones)
    parts += _marks(zones, y)
    return Drawing(f"{source}. {tell(zones)}", table(zones), svg.picture(WIDTH, y + 16 + PITCH * len(zones), parts))


def zone_rows(kernels: Mapping[str, Kernel]) -> Drawing:
    """Several machines, one ruler each on the same scale: how the same RAM is cut into zones."""
    spans = [zone for kernel in kernels.values() for zone in populated(kernel.zones)]
    scale = Scale(min(z.start_pfn for z in spans) << PAGE_SHIFT, max(z.end_pfn for z in spans) << PAGE_SHIFT)
    parts, rows = [svg.text(WIDTH - MARGIN, 16, "dotted: no RAM of this machine", "end")], []
    for number, (name, kernel) in enumerate(kernels.items()):
        zones, y = populated(kernel.zones), 74 + number * 108
        parts.append(svg.text(MARGIN, y - 58, name, more=BOLD))
        parts += _zone_bar(scale, zones, y, 3)
        rows += [(name, *row[:3]) for row in _table_rows(zones)]
    alt = "; ".join(f"{name}: {_sizes(populated(kernel.zones))}" for name, kernel in kernels.items())
    columns = ("machine", *COUNTS[:3])
    return Drawing(f"{alt}.", Table(columns, rows), svg.picture(WIDTH, len(kernels) * 108 + 4, parts))


def populated(rows: Iterable[AnyZone]) -> list[AnyZone]:
    """Zones that have any RAM, in their order."""
    return [zone for zone in rows if zone.present_pages]


COUNTS = ("zone", "first frame", "spanned", "present", "managed")
COLUMNS = (*COUNTS, "min", "low", "high", "protection")


def table(zones: Sequence[AnyZone], marks: bool = True) -> Table:
    """One row a zone, in pages; without `marks` only where it is and what it has."""
    columns = COLUMNS if marks else COUNTS
    return Table(columns, [row[: len(columns)] for row in _table_rows(zones)])


def tell(zones: Sequence[AnyZone], marks: bool = True) -> str:
    """Two sentences: what RAM the page allocator did not get, and which zone keeps most back."""
    present, managed = (sum(getattr(z, f"{kind}_pages") for z in zones) for kind in ("present", "managed"))
    counts = (
        f"{_sizes(zones)}. Of {present:,} present pages {managed:,} are managed: "
        f"{human((present - managed) << PAGE_SHIFT)} did not go to the page allocator."
    )
    return f"{counts} {watermarks.tell(zones)}" if marks else counts


def _sizes(zones: Sequence[AnyZone]) -> str:
    return ", ".join(f"{name} {human(zone.spanned_pages << PAGE_SHIFT)}" for name, zone in _named(zones))


def _table_rows(zones: Sequence[AnyZone]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for name, z in _named(zones):
        counts = (z.spanned_pages, z.present_pages, z.managed_pages, z.watermark.min, z.watermark.low, z.watermark.high)
        rows.append((name, f"{z.start_pfn:#x}", *counts, ", ".join(map(str, z.lowmem_reserve))))
    return rows


def _named(zones: Sequence[AnyZone]) -> list[tuple[str, AnyZone]]:
    """Each zone with its name, and its node where there is more than one."""
    several = len({zone.node for zone in zones}) > 1
    return [(f"node {zone.node} {zone.name}" if several else zone.name, zone) for zone in zones]


def _ruler(kernel: Kernel, zones: Sequence[AnyZone]) -> list[str]:
    scale = Scale(min(z.start_pfn for z in zones) << PAGE_SHIFT, max(z.end_pfn for z in zones) << PAGE_SHIFT)
    parts = [*_zone_bar(scale, zones, 62), svg.rect(MARGIN, 92, WIDTH - 2 * MARGIN, 14, "hole")]
    for start, end in kernel.memblock.memory():
        if start < scale.high:
            parts.append(svg.rect(scale.x(start), 92, max(scale.x(end) - scale.x(start), 1), 14, "#b9b9b9"))
    edges = dict.fromkeys([pa for z in zones for pa in (z.start_pfn << PAGE_SHIFT, z.end_pfn << PAGE_SHIFT)])
    ticks = place([Label(scale.x(pa), group_hex(pa), scale.x(pa)) for pa in edges], WIDTH - EDGE, 2)
    return parts + draw(ticks, 106, ROW, False)


def _zone_bar(scale: Scale, zones: Sequence[AnyZone], y: int, rows: int = 2) -> list[str]:
    parts = [svg.rect(MARGIN, y, WIDTH - 2 * MARGIN, 30, "hole")]
    words = []
    for name, zone in _named(zones):
        low, high = scale.x(zone.start_pfn << PAGE_SHIFT), scale.x(zone.end_pfn << PAGE_SHIFT)
        parts.append(svg.rect(low, y, max(high - low, 1), 30, zone.name if zone.name in FILLS else "added"))
        size = human(zone.spanned_pages << PAGE_SHIFT)
        words.append(Label((low + high) / 2, f"{name} {size}", zone.spanned_pages))
    return parts + draw(_placed(words, rows), y, ROW, True)


def _placed(words: Sequence[Label], rows: int) -> list[Placed]:
    """Places for all the words if any order of placing finds them, else for as many as can be had."""
    best = place(words, WIDTH - EDGE, rows)
    for order in itertools.islice(itertools.permutations(range(len(words))), 120):
        if len(best) == len(words):
            break
        ranked = [word._replace(weight=rank) for word, rank in zip(words, order, strict=True)]
        best = max(best, place(ranked, WIDTH - EDGE, rows), key=len)
    return best


def _counts(zones: Sequence[AnyZone], y: int) -> list[str]:
    """Three bars in one for each zone: what it spans, in it what is present, in it what is managed."""
    legend = "pages, to scale: outline spanned · pale present · dark managed"
    parts = [svg.text(MARGIN, y, "Pages of each zone", more=BOLD), svg.text(WIDTH - MARGIN, y, legend, "end")]
    per_page = (WIDTH - MARGIN - LEFT - COUNT_RIGHT) / max(zone.spanned_pages for zone in zones)
    for number, (name, zone) in enumerate(_named(zones)):
        top = y + 10 + number * COUNT_PITCH
        parts.append(svg.text(MARGIN, top + 14, name, more=BOLD))
        for count, inset, fill in (
            (zone.spanned_pages, 0, "hole"),
            (zone.present_pages, 0, "Normal"),
            (zone.managed_pages, 5, "image"),
        ):
            parts.append(svg.rect(LEFT, top + inset, max(count * per_page, 1), 20 - 2 * inset, fill))
        told = f"spanned {zone.spanned_pages:,} · present {zone.present_pages:,} · managed {zone.managed_pages:,}"
        parts.append(svg.text(LEFT + zone.spanned_pages * per_page + 8, top + 14, told))
    return parts


def _marks(zones: Sequence[AnyZone], y: int) -> list[str]:
    words = "grey: below min, low, high · lines: kept from requests that could go higher"
    parts = [svg.text(MARGIN, y, "What each zone keeps back, as a share of its pages", more=BOLD)]
    return [*parts, svg.text(WIDTH - MARGIN, y, words, "end"), *watermarks.rows(_named(zones), y + 10)]
