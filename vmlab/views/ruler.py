"""The physical ruler: all of a machine's memory on one line, and a lens on the stretch around mem_map.

Above, to scale: every zone, and below it what boot took. The lens under it is to scale too, magnified, so
that an array of 9 MiB in 4 GiB can be seen with its neighbours. What each kind is stands in words.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..kernel import Kernel
from ..physical.zones import Zone
from ..units import PAGE_SHIFT, group_hex, human
from . import svg
from .drawing import Drawing, Table
from .labels import Label, draw, place
from .svg import FILLS
from .uses import Use, uses

WIDTH = 920
MARGIN = 14
ROW = 16


def ruler(kernel: Kernel, frame: int | None = None) -> Drawing:
    """Zones, reservations and mem_map's frames of a booted machine; `frame` is marked if it is given."""
    used = uses(kernel)
    zones = [zone for zone in kernel.zones if zone.spanned_pages]
    whole = Scale(zones[0].start_pfn << PAGE_SHIFT, max(zone.end_pfn for zone in zones) << PAGE_SHIFT)
    for zone in zones:
        whole = Scale(min(whole.low, zone.start_pfn << PAGE_SHIFT), whole.high)
    near = Scale(*_neighbourhood(kernel, whole))
    shown = _shown(used)
    parts = [
        svg.text(
            MARGIN,
            16,
            f"Physical memory, {human(kernel.machine.ram_bytes)} of RAM",
            more='font-weight="bold"',
        )
    ]
    asked = "" if frame is None else " · triangle: the frame you ask for"
    meaning = f"upper bar: zones · lower bar: what boot took (white is free){asked}"
    parts += [svg.text(WIDTH - MARGIN, 16, meaning, "end")]
    parts += _lens_edges(whole, near, 108, 212)
    parts += _zone_bar(whole, zones, 56, 30, kernel)
    parts += _use_bar(whole, shown, 86, 22)
    parts += draw(place([_use_label(whole, use) for use in shown if _worth(whole, use)], WIDTH, 3), 108, ROW, False)
    lens = f"The lens: {human(near.high - near.low)} around mem_map"
    parts += [svg.text(MARGIN, 184, lens, more=f'font-weight="bold" {svg.HALO}')]
    parts += _zone_bar(near, zones, 212, 18, kernel, labels=False)
    parts += _use_bar(near, shown, 230, 34)
    parts += draw(place([_use_label(near, use, True) for use in shown if near.sees(use)], WIDTH, 2), 264, ROW, False)
    parts += _ticks(near, _edges(near, zones, used), 322)
    parts += _lowmem_end(near, kernel.bounds.max_low_pfn << PAGE_SHIFT)
    parts += _mark(whole, near, frame)
    return Drawing(alt=describe(kernel), table=table(zones, used), svg=svg.picture(WIDTH, 334, parts))


def describe(kernel: Kernel) -> str:
    """One sentence: where mem_map lies, in which zone, and whether an added zone holds any of it."""
    frames = kernel.mem_map.frames
    total = sum(map(len, frames))
    where = ", ".join(f"{run.start:#x} to {run.stop - 1:#x}" for run in frames)
    shares = zone_shares(kernel)
    parts = " and ".join(f"{count:,} in zone {name}" for name, count in shares.items())
    added = [zone.name for zone in kernel.zones if zone.excluded and zone.name not in shares]
    none = "".join(f"; none lies in {name}" for name in added)
    return f"mem_map fills {total:,} frames, {where}: {parts}{none}."


def zone_shares(kernel: Kernel) -> dict[str, int]:
    """How many of mem_map's frames lie in each zone; zones without any are left out."""
    shares: dict[str, int] = {}
    for zone in kernel.zones:
        count = sum(_overlap(run, zone) for run in kernel.mem_map.frames)
        if count:
            shares[zone.name] = shares.get(zone.name, 0) + count
    return shares


def table(zones: Iterable[Zone], used: Iterable[Use]) -> Table:
    """Every zone and every stretch that boot took, with addresses, frames and pages."""
    rows: list[tuple[object, ...]] = []
    for zone in zones:
        rows.append(
            (
                f"zone {zone.name}",
                *_place(zone.start_pfn << PAGE_SHIFT, zone.end_pfn << PAGE_SHIFT),
                zone.present_pages,
            )
        )
    for use in used:
        rows.append((use.name, *_place(use.start, use.end), len(use.frames)))
    return Table(("what", "from", "to", "first frame", "last frame", "pages"), rows)


class Scale:
    """Physical bytes `low`..`high` spread over the width of the drawing."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high
        self._per_byte = (WIDTH - 2 * MARGIN) / (high - low)

    def x(self, pa: int) -> float:
        """Where byte `pa` is, in px; addresses outside are at the nearest edge."""
        return MARGIN + (min(max(pa, self.low), self.high) - self.low) * self._per_byte

    def sees(self, use: Use) -> bool:
        """Whether any of it is inside."""
        return use.start < self.high and use.end > self.low


def _zone_bar(scale: Scale, zones: list[Zone], y: int, height: int, kernel: Kernel, labels: bool = True) -> list[str]:
    parts = [svg.rect(MARGIN, y, WIDTH - 2 * MARGIN, height, "hole")]
    several = len(kernel.nodes) > 1
    words = []
    for zone in zones:
        low, high = scale.x(zone.start_pfn << PAGE_SHIFT), scale.x(zone.end_pfn << PAGE_SHIFT)
        if high <= low:
            continue
        fill = zone.name if zone.name in FILLS else "added"
        edge = 'stroke-width="2.5"' if zone.excluded else ""
        parts.append(svg.rect(low, y, high - low, height, fill, more=edge))
        name = f"{f'node {zone.node} ' if several else ''}{zone.name}"
        if labels:
            words.append(Label(low, f"{name} {human(zone.spanned_pages << PAGE_SHIFT)}", zone.spanned_pages))
        elif high - low > len(name) * 7 + 12:
            parts.append(_tag((low + high) / 2, y + height - 5, name))
    return parts + draw(place(words, WIDTH, 2), y, ROW, True)


def _tag(x: float, y: int, words: str) -> str:
    """Words on a white ground, so that a pattern behind them does not hide them."""
    wide = len(words) * 6.7 + 8
    return svg.rect(x - wide / 2, y - 11, wide, 14, "#fff", "none") + svg.text(x, y, words, "middle")


def _use_bar(scale: Scale, shown: list[Use], y: int, height: int) -> list[str]:
    parts = [svg.rect(MARGIN, y, WIDTH - 2 * MARGIN, height, "free")]
    for use in shown:
        if scale.sees(use):
            low, high = scale.x(use.start), scale.x(use.end)
            wide = max(high - low, 3 if use.kind == "mem_map" else 1)
            parts.append(svg.rect(low, y, wide, height, use.kind, FILLS[use.kind].ink))
    return parts


def _shown(used: list[Use]) -> list[Use]:
    """The same with mem_map last, so that nothing is drawn over it."""
    return sorted(used, key=lambda use: use.kind == "mem_map")


def _worth(scale: Scale, use: Use) -> bool:
    return use.kind != "boot" and scale.x(use.end) - scale.x(use.start) > 0.2


def _use_label(scale: Scale, use: Use, frames: bool = False) -> Label:
    words = f"{use.name} {human(use.end - use.start)}"
    if frames and use.kind == "mem_map":
        words += f", frames {use.frames.start:#x} to {use.frames.stop - 1:#x}"
    weight = (use.kind == "mem_map") * (1 << 60) + use.end - use.start
    return Label((scale.x(use.start) + scale.x(use.end)) / 2, words, weight)


def _neighbourhood(kernel: Kernel, whole: Scale) -> tuple[int, int]:
    """What the lens shows: the first array of struct pages, and up to the end of lowmem if that is near."""
    start, end = kernel.mem_map.allocations[0]
    size = end - start
    low, high = start - size // 4, end + size // 4
    lowmem_end = kernel.bounds.max_low_pfn << PAGE_SHIFT
    if end <= lowmem_end < end + 3 * size:
        high = max(high, lowmem_end + size // 4)
    return max(low, whole.low), min(high, whole.high)


def _lens_edges(whole: Scale, near: Scale, y1: int, y2: int) -> list[str]:
    faint = 'stroke-opacity=".35" stroke-dasharray="3 3"'
    return [
        svg.line(whole.x(near.low), y1, near.x(near.low), y2, faint),
        svg.line(whole.x(near.high), y1, near.x(near.high), y2, faint),
    ]


def _edges(near: Scale, zones: list[Zone], used: list[Use]) -> list[tuple[int, int]]:
    """Addresses worth a tick, with their weight: ends of mem_map, borders of zones, the lens's own ends."""
    mine = [(use.start, use.end) for use in used if use.kind == "mem_map" and near.sees(use)]
    edges = [(pa, 3) for pair in mine for pa in pair]
    edges += [(zone.start_pfn << PAGE_SHIFT, 2) for zone in zones] + [(near.low, 1), (near.high, 1)]
    return [(pa, weight) for pa, weight in edges if near.low <= pa <= near.high]


def _ticks(scale: Scale, edges: list[tuple[int, int]], y: int) -> list[str]:
    placed = place([Label(scale.x(pa), group_hex(pa), weight) for pa, weight in dict(edges).items()], WIDTH, 1)
    parts = []
    for label in placed:
        parts.append(svg.text(label.left, y, label.words, more='font-family="monospace"'))
        parts.append(svg.line(label.x, y - 10, label.x, y + 2))
    return parts


def _lowmem_end(near: Scale, pa: int) -> list[str]:
    """Where the direct map of a 32-bit kernel ends, if the lens shows it: the array's place is counted from there."""
    if not near.low < pa < near.high:
        return []
    x = near.x(pa)
    words = svg.text(x - 4, 204, f"end of lowmem {group_hex(pa)}", "end")
    return [svg.line(x, 194, x, 268, 'stroke-width="2" stroke-dasharray="6 3"'), words]


def _mark(whole: Scale, near: Scale, frame: int | None) -> list[str]:
    """A triangle above the frame that the reader asks about."""
    parts = []
    if frame is not None:
        pa = frame << PAGE_SHIFT
        for scale, y in ((whole, 86), (near, 230)):
            if scale.low <= pa < scale.high:
                x = scale.x(pa)
                parts.append(f'<path d="M{x:.1f} {y}l-6 -11h12z" fill="#000" stroke="#fff"/>')
    return parts


def _overlap(run: range, zone: Zone) -> int:
    return max(0, min(run.stop, zone.end_pfn) - max(run.start, zone.start_pfn))


def _place(start: int, end: int) -> tuple[str, str, str, str]:
    last = end - 1
    return group_hex(start), group_hex(last), f"{start >> PAGE_SHIFT:#x}", f"{last >> PAGE_SHIFT:#x}"
