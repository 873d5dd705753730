"""What each zone keeps back: the three watermarks, and above them what lowmem_reserve adds for richer requests.

Every zone's bar is a share of its own managed pages, because zones differ a hundredfold in size.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..physical.zones import Zone
from ..procfs import ZoneInfo
from . import svg
from .ruler import MARGIN, WIDTH

AnyZone = Zone | ZoneInfo  # of the model, or read from a file: the same names

LEFT = 132  # where the bars begin, px
RIGHT = 210  # kept free for words
PITCH = 44
BARS = (("min", "#8c8c8c"), ("low", "#c4c4c4"), ("high", "#ececec"))


def kept_back(zone: AnyZone) -> int:
    """Pages that lowmem_reserve keeps from the request with the widest choice of zones."""
    return max(zone.lowmem_reserve, default=0)


def rows(named: Sequence[tuple[str, AnyZone]], y: int) -> list[str]:
    """SVG parts: one bar a zone from `y` down, PITCH apart, on one scale of shares."""
    most = max(max(_share(zone, zone.watermark.high), _share(zone, _needed(zone))) for _, zone in named)
    parts = []
    for number, (name, zone) in enumerate(named):
        parts += _row(name, zone, y + number * PITCH, (WIDTH - MARGIN - LEFT - RIGHT) / max(most, 1e-9))
    return parts


def tell(zones: Sequence[AnyZone]) -> str:
    """One sentence about the zone that keeps the largest share from others."""
    strict = max(zones, key=lambda zone: _share(zone, _needed(zone)))
    needed = _needed(strict)
    if needed >= strict.managed_pages:
        return (
            f"{strict.name} serves no ordinary request that could go higher: {needed:,} pages would have to stay free, "
            f"and it has {strict.managed_pages:,}."
        )
    return (
        f"{strict.name} keeps the largest share: an ordinary request that could go higher gets nothing from it while "
        f"{needed:,} pages or fewer, {100 * _share(strict, needed):.1f} % of it, are free."
    )


def _row(name: str, zone: AnyZone, y: int, per_share: float) -> list[str]:
    parts = [svg.text(MARGIN, y + 14, name, more='font-weight="bold"')]
    start = 0
    for (_, colour), mark in zip(BARS, _marks(zone), strict=True):
        low, high = (LEFT + _share(zone, pages) * per_share for pages in (start, mark))
        parts.append(svg.rect(low, y, high - low, 18, colour))
        start = mark
    end = LEFT + _share(zone, zone.watermark.high) * per_share
    parts.append(svg.text(end + 6, y + 13, "min {:,} · low {:,} · high {:,}".format(*_marks(zone))))
    if kept_back(zone):
        low, high = (LEFT + _share(zone, pages) * per_share for pages in (zone.watermark.min, _needed(zone)))
        parts.append(svg.rect(low, y + 21, high - low, 12, "DMA"))
        parts.append(svg.text(high + 6, y + 31, f"+ {kept_back(zone):,} (lowmem_reserve)"))
    return parts


def _needed(zone: AnyZone) -> int:
    return zone.watermark.min + kept_back(zone)


def _marks(zone: AnyZone) -> tuple[int, int, int]:
    return zone.watermark.min, zone.watermark.low, zone.watermark.high


def _share(zone: AnyZone, pages: int) -> float:
    return pages / max(1, zone.managed_pages)
