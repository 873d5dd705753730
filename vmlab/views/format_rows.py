"""One number under several page-table formats: where each of them cuts it, on one scale of 64 bits."""

from __future__ import annotations

from collections.abc import Iterable

from ..arch.format import Format
from ..units import group_hex, human
from . import svg
from .address_bits import MARGIN, WIDTH, fields
from .drawing import Drawing, Table

TOP, PITCH, BAR = 40, 62, 22
PER_BIT = (WIDTH - 2 * MARGIN) / 64
MONO = 'font-family="monospace"'


def format_rows(va: int, formats: Iterable[Format]) -> Drawing:
    """A row for each format: its indices and offset over the bits they are cut from."""
    rows = list(formats)
    parts = [svg.text(MARGIN, 16, f"The number {group_hex(va)}", more='font-weight="bold"')]
    parts += [svg.text(x_of(bit) + PER_BIT / 2, 32, str(bit), "middle") for bit in (63, 48, 39, 30, 21, 12, 0)]
    for number, fmt in enumerate(rows):
        parts += _row(fmt, va, TOP + number * PITCH)
    picture = svg.picture(WIDTH, TOP + PITCH * len(rows) + 4, parts)
    return Drawing(describe(va, rows), table(va, rows), picture)


def x_of(bit: int) -> float:
    """The left edge of bit `bit`."""
    return MARGIN + (63 - bit) * PER_BIT


def describe(va: int, formats: Iterable[Format]) -> str:
    """One sentence: the indices in each format."""
    said = [f"{fmt.name} {' '.join(map(str, fmt.split(va)[:-1]))}" for fmt in formats]
    return f"Indices of {group_hex(va)}, from the root down: {'; '.join(said)}."


def table(va: int, formats: Iterable[Format]) -> Table:
    """A row for each part of each format: its bits, its value, and what one entry covers."""
    found: list[tuple[str, ...]] = []
    for fmt in formats:
        sizes = [*(human(level.size) for level in fmt.levels), ""]
        for (name, high, low, value), size in zip(fields(fmt, va), sizes, strict=True):
            shown = hex(value) if name == "offset" else str(value)
            found.append((fmt.name, name, f"{high}..{low}", shown, size))
    return Table(("format", "part", "bits", "value", "one entry covers"), found)


def _row(fmt: Format, va: int, y: int) -> list[str]:
    parts = [svg.text(MARGIN, y + 14, f"{fmt.name}: {fmt.title}")]
    if not fmt.is_canonical(va):
        parts.append(svg.text(WIDTH - MARGIN, y + 14, "not an address here", "end", 'font-weight="bold"'))
    cut = fields(fmt, va)
    if cut[0][1] < 63:
        parts += _unused(fmt, cut[0][1], y + 20)
    for number, (name, high, low, value) in enumerate(cut):
        wide = (high - low + 1) * PER_BIT
        parts.append(svg.rect(x_of(high), y + 20, wide, BAR, ("#ffffff", "#e4e4e4")[number % 2]))
        parts.append(svg.text(x_of(high) + wide / 2, y + 35, _words(name, value, wide), "middle"))
    return parts


def _unused(fmt: Format, top: int, y: int) -> list[str]:
    wide = (63 - top) * PER_BIT
    if fmt.va_bits <= 32:
        words = "a 32-bit CPU has no such bits"
    else:
        words = f"repeat bit {fmt.va_bits - 1}" if wide > 100 else "sign"
    dashed = 'stroke-dasharray="3 3"'
    return [
        svg.rect(MARGIN, y, wide, BAR, "#ffffff", more=dashed),
        svg.text(MARGIN + wide / 2, y + 15, words, "middle"),
    ]


def _words(name: str, value: int, wide: float) -> str:
    """The part's name and value, as much of it as fits."""
    shown = hex(value) if name == "offset" else str(value)
    return next((words for words in (f"{name} {shown}", shown) if len(words) * 6.9 < wide), shown)
