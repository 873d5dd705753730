"""The bits of an address, as the hardware cuts them: one index a level, and the offset in the page."""

from __future__ import annotations

from ..arch.format import Format
from ..units import VmlabError, group_hex
from . import svg
from .drawing import Drawing, Table

WIDTH, MARGIN = 940, 10
HEIGHT = 92


def fields(fmt: Format, va: int) -> list[tuple[str, int, int, int]]:
    """(name, highest bit, lowest bit, value) of each part, from the top; the offset last."""
    if not 0 <= va < 1 << 64:
        raise VmlabError(f"address: expected 0 <= address < 2**64, got {va:#x}")
    rows = [(level.name, level.shift + level.bits - 1, level.shift, level.index_of(va)) for level in fmt.levels]
    return [*rows, ("offset", fmt.page_shift - 1, 0, fmt.split(va)[-1])]


def address_bits(fmt: Format, va: int) -> Drawing:
    """The address as a strip of bits under the names of its parts."""
    rows = fields(fmt, va)
    words = ", ".join(f"{name} {_value(name, value)}" for name, _, _, value in rows)
    table = Table(
        ("part", "bits", "binary", "value"),
        [(name, f"{high}..{low}", _binary(high, low, value), _value(name, value)) for name, high, low, value in rows],
    )
    picture = svg.picture(WIDTH, HEIGHT, bit_strip(fmt, va))
    return Drawing(alt=f"{group_hex(va)} in {fmt.title}: {words}.", table=table, svg=picture)


def bit_strip(fmt: Format, va: int) -> list[str]:
    """The pieces of that drawing, for a picture that has it at its top."""
    rows = fields(fmt, va)
    top = rows[0][1]
    per_bit = (WIDTH - 2 * MARGIN) / (top + 1)
    parts = [svg.text(MARGIN, 16, f"Virtual {group_hex(va)} · {fmt.title}", more='font-weight="bold"')]
    parts.append(svg.text(WIDTH - MARGIN, 16, _above(fmt, va, top), "end"))
    for number, (name, high, low, value) in enumerate(rows):
        x, wide = MARGIN + (top - high) * per_bit, (high - low + 1) * per_bit
        parts.append(svg.rect(x, 42, wide, 22, ("#ffffff", "#e4e4e4")[number % 2]))
        parts.append(svg.text(x + wide / 2, 36, _title(name, high, low, wide), "middle"))
        parts += _digits(_binary(high, low, value), x, per_bit)
        parts.append(svg.text(x + wide / 2, 80, _under(name, value, wide), "middle"))
    return parts


def _digits(digits: str, x: float, per_bit: float) -> list[str]:
    """One text with a place for every digit."""
    places = " ".join(f"{x + (n + 0.5) * per_bit:.0f}" for n in range(len(digits)))
    return [f'<text y="57" x="{places}" text-anchor="middle" font-family="monospace">{digits}</text>']


def _above(fmt: Format, va: int, top: int) -> str:
    if not fmt.is_canonical(va):
        return f"the bits above {top} are not what they must be: the CPU refuses the address"
    return f"bits 63..{fmt.va_bits - 1} are all equal" if fmt.signed else ""


def _title(name: str, high: int, low: int, wide: float) -> str:
    long = f"{name}, bits {high}..{low}"
    return long if len(long) * 6.7 < wide else name


def _under(name: str, value: int, wide: float) -> str:
    long = f"offset {value:#x}" if name == "offset" else f"entry {value}"
    return long if len(long) * 6.7 < wide else str(value)


def _value(name: str, value: int) -> str:
    return f"{value:#x}" if name == "offset" else str(value)


def _binary(high: int, low: int, value: int) -> str:
    return f"{value:0{high - low + 1}b}"
