"""One address under many kernels: a ruler of addresses for each, and what the address is there."""

from __future__ import annotations

from collections.abc import Mapping

from ..units import group_hex
from ..virtual.layout import Classified, Layout
from . import svg
from .address_ruler import LogScale, kind_of, kind_words
from .drawing import Drawing, Table
from .ruler import MARGIN, WIDTH

LINE = 27
NAME_END, RULER_END = 200, 560
KEY = (  # what the fills mean, left to right: fill, words, px
    ("free", "user", 62),
    ("Normal", "direct map", 98),
    ("cma", "vmalloc", 80),
    ("mem_map", "vmemmap", 90),
    ("image", "kernel image", 112),
    ("boot", "another area", 112),
    ("hole", "nothing is mapped", 140),
)


def side_by_side(va: int, layouts: Mapping[str, Layout]) -> Drawing:
    """`va` on the ruler of each layout; kernels whose pointers are too short for it say so."""
    parts = [svg.text(MARGIN, 16, f"{group_hex(va)} under each kernel", more='font-weight="bold"')]
    rows: list[tuple[object, ...]] = []
    for number, (name, layout) in enumerate(layouts.items()):
        y = 30 + number * LINE
        found = layout.classify(va) if va < layout.top else None
        parts.append(svg.text(MARGIN, y + 14, name))
        parts += _ruler(layout, y, va if found else None)
        parts.append(svg.text(RULER_END + 12, y + 14, _answer(found)))
        rows.append(_row(name, found))
    parts += _key(40 + len(layouts) * LINE)
    table = Table(("kernel", "area", "logical", "physical", "why"), rows)
    return Drawing(alt=_says(va, rows), table=table, svg=svg.picture(WIDTH, 68 + len(layouts) * LINE, parts))


def _ruler(layout: Layout, y: int, va: int | None) -> list[str]:
    scale, parts = LogScale(layout, NAME_END, RULER_END), []
    for area in layout.whole:
        low, high = scale.x(area.start), scale.x(area.end - 1)
        parts.append(svg.rect(low, y + 4, max(high - low, 0.5), 14, kind_of(area), more='stroke-width="0.5"'))
    if va is not None:
        x = scale.x(va)
        parts.append(f'<path d="M{x:.1f} {y + 7}l-6 -10h12z" fill="#000" stroke="#fff"/>')
        parts.append(svg.line(x, y + 4, x, y + 18, 'stroke-width="2"'))
    return parts


def _key(y: int) -> list[str]:
    """What the fills mean."""
    parts, x = [], MARGIN + 2
    for fill, words, wide in KEY:
        parts += [svg.rect(x, y, 16, 14, fill), svg.text(x + 22, y + 12, words)]
        x += wide + 12
    return parts


def _answer(found: Classified | None) -> str:
    if found is None:
        return "a pointer has 32 bits here"
    if found.pa is None:
        return f"{found.area.name}, no RAM there" if found.logical else found.area.name
    return f"{found.area.name}, physical {group_hex(found.pa)}"


def _row(name: str, found: Classified | None) -> tuple[object, ...]:
    if found is None:
        return name, "-", "-", "-", "a pointer has 32 bits here"
    pa = "-" if found.pa is None else group_hex(found.pa)
    return name, found.area.name, {"logical": "yes"}.get(kind_words(found), "no"), pa, found.reason


def _says(va: int, rows: list[tuple[object, ...]]) -> str:
    kinds = sorted({str(row[1]) for row in rows} - {"-"})
    logical = sum(row[2] == "yes" for row in rows)
    return (
        f"{group_hex(va)} is logical under {logical} of {len(rows)} kernels; "
        f"over all of them it lies in: {', '.join(kinds)}."
    )
