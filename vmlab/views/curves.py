"""Lines on two logarithmic scales: how a cost grows with a size. Each line has its own dashes, mark and words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from . import svg
from .drawing import Drawing, Table
from .ruler import MARGIN, WIDTH

LEFT, RIGHT, TOP, BOTTOM = 84, 190, 34, 46  # kept free around the plot, px
HEIGHT = 300
STYLES = (  # colour, dashes, mark: any one of the three tells lines apart
    ("#1a1a1a", "", "M-4 -4h8v8h-8z"),
    ("#0072b2", "7 3", "M0 -5L5 4H-5z"),
    ("#d55e00", "2 3", "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z"),
    ("#777777", "9 3 2 3", "M-5 0L0 -5L5 0L0 5z"),
)


class Curve(NamedTuple):
    """One line: its name, and a value for each x."""

    name: str
    values: Sequence[float]


class Axis(NamedTuple):
    """What a scale counts, in words, and how one of its numbers is written."""

    words: str
    show: str = "{:,.0f}"


def curves(title: str, alt: str, xs: Sequence[float], lines: Sequence[Curve], x: Axis, y: Axis) -> Drawing:
    """The lines over `xs`; both scales logarithmic, so equal steps are equal factors. Values must be above 0."""
    low, high, base = _decades([value for line in lines for value in line.values])
    parts = [svg.text(MARGIN, 16, title, more='font-weight="bold"')]
    parts += _scales(xs, low, high, base, x, y)
    ends = _spread([_at(line.values[-1], low, high) for line in lines])
    for line, (colour, dashes, mark), end in zip(lines, STYLES, ends, strict=False):
        points = [(_along(at, xs), _at(value, low, high)) for at, value in zip(xs, line.values, strict=True)]
        path = "L".join(f"{px:.1f} {py:.1f}" for px, py in points)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>')
        parts += [f'<path d="{mark}" fill="{colour}" transform="translate({px:.1f} {py:.1f})"/>' for px, py in points]
        parts.append(f'<path d="{mark}" fill="{colour}" transform="translate({WIDTH - RIGHT + 20} {end:.1f})"/>')
        parts.append(svg.text(WIDTH - RIGHT + 32, round(end + 4, 1), line.name))
    rows = [(x.show.format(at), *(y.show.format(line.values[i]) for line in lines)) for i, at in enumerate(xs)]
    table = Table((x.words, *(line.name for line in lines)), rows)
    return Drawing(alt=alt, table=table, svg=svg.picture(WIDTH, HEIGHT, parts))


def _scales(xs: Sequence[float], low: float, high: float, base: float, x: Axis, y: Axis) -> list[str]:
    """Both axes, their words, a faint line for each power."""
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = [svg.text(LEFT, bottom + 36, x.words), svg.text(right, 16, y.words, "end")]
    value = low
    while value <= high * 1.001:
        level = _at(value, low, high)
        parts.append(svg.line(LEFT, round(level, 1), right, round(level, 1), 'stroke-opacity=".2"'))
        parts.append(svg.text(LEFT - 8, round(level + 4, 1), y.show.format(value), "end"))
        value *= base
    every = math.ceil(len(xs) / 10)
    for at in xs[::every]:
        place = _along(at, xs)
        parts.append(svg.line(place, bottom, place, bottom + 5))
        parts.append(svg.text(place, bottom + 18, x.show.format(at), "middle"))
    return [*parts, svg.line(LEFT, bottom, right, bottom)]


def _decades(values: Sequence[float]) -> tuple[float, float, float]:
    """Round ends of the scale, and its step: powers of ten, or of two where values are near each other."""
    least, most = min(values), max(values)
    base = 10.0 if most / least > 20 else 2.0
    low, high = math.floor(math.log(least, base) + 1e-9), math.ceil(math.log(most, base) - 1e-9)
    return base**low, base ** max(high, low + 1), base


def _at(value: float, low: float, high: float) -> float:
    share = math.log(value / low) / math.log(high / low)
    return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)


def _along(at: float, xs: Sequence[float]) -> float:
    share = math.log(at / xs[0]) / math.log(xs[-1] / xs[0])
    return LEFT + 12 + share * (WIDTH - RIGHT - LEFT - 12)


def _spread(levels: Sequence[float], gap: float = 16) -> list[float]:
    """The same heights, moved down where words would lie on each other."""
    placed: dict[int, float] = {}
    last = -gap
    for which in sorted(range(len(levels)), key=lambda i: levels[i]):
        last = placed[which] = max(levels[which], last + gap)
    over = max(0.0, last - (HEIGHT - 12))
    return [placed[which] - over for which in range(len(levels))]
