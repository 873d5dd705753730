"""Lesson 04's functions to write: where memblock puts a request, and what each zone keeps from the others."""

from __future__ import annotations

import random

from ...physical.memblock import Memblock
from ...physical.watermarks import LOWMEM_RESERVE_RATIO, lowmem_reserve
from ...physical.zones import Zone
from ...units import PAGE_SIZE, KiB, MiB, align_down, align_up, group_hex
from ..plain import Plain
from ..question import Misconception
from ..task import Given, Task

# --- find: memblock's rule ---

Ranges = list[list[int]]


def _draw_request(rng: random.Random, size: float) -> Given:
    start = rng.choice((0x1000_0000, 0x4000_0000, 0x8000_0000))
    ram = [[start, start + rng.randrange(8, 64) * MiB]]
    for _ in range(int(size * 2.9)):
        low = ram[-1][1] + rng.randrange(1, 32) * MiB
        ram.append([low, low + rng.randrange(1, 64) * MiB])
    limit = ram[-1][1] - rng.randrange(1, 1 + (ram[-1][1] - ram[-1][0]) // MiB) * MiB
    reserved, at = [], limit
    for number in range(1 + int(size * 6)):
        at -= rng.randrange(1, 100) * KiB if number else 0
        low = at - rng.randrange(1, 600) * KiB // 64 * 64
        if low > ram[0][0] + MiB:
            reserved.append([low, at])
            at = low
    align = rng.choice((0x40, 0x1000, 0x4000, 0x10_0000))
    asked = rng.randrange(20, 400) * rng.choice((1000, 1024))
    return {"ram": ram, "reserved": sorted(reserved), "size": asked, "align": align, "limit": limit}


def _memblock(ram: Ranges, reserved: Ranges, limit: int) -> Memblock:
    blocks = Memblock(banks=[(low, high, 0) for low, high in ram], limit=limit)
    for low, high in reserved:
        blocks.reserve(low, high)
    return blocks


def _checked(ram: Ranges, reserved: Ranges, size: int, align: int, limit: int) -> list[Plain]:
    """The arguments, or an error for what no boot would ask: the shrinker tries all sorts."""
    pairs = [*ram, *reserved]
    if size < 1 or align < 1 or align & (align - 1) or any(low >= high for low, high in pairs) or not ram:
        raise ValueError("no request that a kernel makes")
    flat = [edge for pair in ram for edge in pair], [edge for pair in reserved for edge in pair]
    if any(edges != sorted(edges) for edges in flat) or ram[0][0] < PAGE_SIZE:
        raise ValueError("ranges that overlap")
    return [ram, reserved, size, align, limit]


def _gaps(ram: Ranges, reserved: Ranges, limit: int) -> list[tuple[int, int]]:
    """Free stretches below `limit`, ascending: the obvious way."""
    free = []
    for low, high in ram:
        at = low
        for start, end in [*(pair for pair in reserved if pair[1] > low and pair[0] < high), [high, high]]:
            if start > at:
                free.append((at, min(start, high)))
            at = max(at, end)
    return [(low, min(high, limit)) for low, high in free if low < limit]


def _top_down(gaps: list[tuple[int, int]], size: int, align: int) -> int | None:
    places = [(align_down(high - size, align), low) for low, high in gaps]
    return max((place for place, low in places if place >= low), default=None)


def _bottom_up(ram: Ranges, reserved: Ranges, size: int, align: int, limit: int) -> int | None:
    places = [(align_up(low, align), high) for low, high in _gaps(ram, reserved, limit)]
    return min((place for place, high in places if place + size <= high), default=None)


def _first_gap_only(ram: Ranges, reserved: Ranges, size: int, align: int, limit: int) -> int | None:
    """The highest stretch, large enough or not."""
    gaps = _gaps(ram, reserved, limit)
    return align_down(gaps[-1][1] - size, align) if gaps else None


def _tell_memblock(ram: Ranges, reserved: Ranges, size: int, align: int, limit: int) -> str:
    banks = ", ".join(f"({group_hex(low)}, {group_hex(high)}, 0)" for low, high in ram)
    lines = ["from vmlab.physical.memblock import Memblock"]
    lines += [f"blocks = Memblock(banks=[{banks}], limit={group_hex(limit)})"]
    lines += [f"blocks.reserve({group_hex(low)}, {group_hex(high)})" for low, high in reserved]
    return "\n".join(lines)


FIND = Task(
    id="04.find",
    signature="find(ram, reserved, size, align, limit)",
    ask="Return the address that memblock gives to a request of `size` bytes, aligned to `align`: the highest one "
    "below `limit` that lies in RAM and is not reserved; None if there is none. `ram` and `reserved` are [start, end) "
    "in bytes.",
    draw=_draw_request,
    args=_checked,
    answer=lambda ram, reserved, size, align, limit: _memblock(ram, reserved, limit).find(size, align, 0, limit),
    loads=_tell_memblock,
    what="requests",
    beliefs=(
        Misconception("memblock searches from the bottom", _bottom_up, "From which end do kernels allocate at boot?"),
        Misconception(
            "all RAM is there for boot allocations",
            lambda ram, reserved, size, align, limit: _top_down(_gaps(ram, reserved, 1 << 64), size, align),
            "What is the argument `limit` for?",
        ),
        Misconception(
            "what is reserved does not matter",
            lambda ram, reserved, size, align, limit: _top_down(_gaps(ram, [], limit), size, align),
            "Who has the bytes just below the limit?",
        ),
        Misconception("the highest stretch is large enough", _first_gap_only, "And if it is smaller than the request?"),
        Misconception(
            "any byte will do",
            lambda ram, reserved, size, align, limit: _top_down(_gaps(ram, reserved, limit), size, 1),
            "What does the argument `align` ask for?",
        ),
    ),
    hints=(
        "Which stretches of RAM are free and below the limit?",
        "For each of them, from the highest down: end − size, rounded down; the first that is still inside is it.",
    ),
)

# --- protection: a bug to find ---

NAMES = ("DMA", "Normal", "HighMem", "Movable")


def _draw_zones(rng: random.Random, size: float) -> Given:
    count = 2 + int(size * 2.9)
    most = (4000, 220_000, 400_000, 200_000)
    return {"managed": [rng.randrange(most[i] // 2, most[i]) for i in range(count)]}


def _rows(managed: list[int]) -> Plain:
    zones = [
        Zone(0, i, name, managed_pages=n, highmem=i > 1)
        for i, (name, n) in enumerate(zip(NAMES, managed, strict=False))
    ]
    return [list(row) for row in lowmem_reserve(zones)]


def _ratios(managed: list[int]) -> list[int]:
    return [LOWMEM_RESERVE_RATIO[name] for name, _ in zip(NAMES, managed, strict=False)]


def _kept(managed: Plain, ratios: Plain, first: int = 1, last: int = 1, whose: int = 0) -> Plain:
    """Rows of reserves over the zones i + first .. j; the ratio of zone i, or with `whose` of the one above."""
    rows = []
    for i in range(len(managed)):
        ratio = ratios[min(i + whose, len(ratios) - 1)]
        row = [sum(managed[i + first : j + last]) // ratio if ratio and j > i else 0 for j in range(len(managed))]
        rows.append(row)
    return rows


def _own_only(managed: Plain, ratios: Plain) -> Plain:
    rows = []
    for i, ratio in enumerate(ratios):
        rows.append([managed[j] // ratio if ratio and j > i else 0 for j in range(len(managed))])
    return rows


PROTECTION = Task(
    id="04.protection",
    signature="protection(managed, ratios)",
    ask="Return one row for each zone, lowest zone first: how many pages it keeps from a request whose highest zone "
    "is j. `managed` are the zones' pages, `ratios` their lowmem_reserve_ratio; a zone of ratio 0 keeps nothing.",
    draw=_draw_zones,
    args=lambda managed: [managed, _ratios(managed)],
    answer=lambda managed: _rows(managed),
    loads=lambda managed: f"managed, ratios = {managed}, {_ratios(managed)}",
    what="tables of zones",
    beliefs=(
        Misconception(
            "only the request's own zone counts",
            _own_only,
            "Which zones did the request pass on its way down?",
        ),
        Misconception(
            "the keeper's own pages count too",
            lambda managed, ratios: _kept(managed, ratios, first=0),
            "Is a zone above itself?",
        ),
        Misconception(
            "the zone above the keeper sets the ratio",
            lambda managed, ratios: _kept(managed, ratios, whose=1),
            "Whose pages are kept, and whose ratio says how many?",
        ),
        Misconception(
            "the request's own zone does not count",
            lambda managed, ratios: _kept(managed, ratios, last=0),
            "May a request that could use HighMem take HighMem's pages?",
        ),
    ),
    hints=(
        "Which zones lie above the keeper, up to the one that the request may use?",
        "Row i, column j > i: the managed pages of zones i + 1 to j together, divided by the ratio of zone i.",
    ),
)
