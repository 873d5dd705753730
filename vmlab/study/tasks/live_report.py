"""Lesson 13's second function to write: which number of a zone's report contradicts the others. Real reports."""

from __future__ import annotations

import functools
import random
from typing import Any

from ...record import load_machine
from ...units import PAGE_SIZE, VmlabError
from ..plain import Plain
from ..question import Misconception
from ..task import Given, Task
from .live import BARRED, RAM

RECORDS = (
    "amd64-pc-4g", "amd64-pc-1g", "arm-virt-armmp-1g", "arm-virt-armmp-1g-hole", "arm-virt-armmp-2g",
    "arm-virt-lpae-4g", "arm64-virt-1g", "i386-pc-686-512m", "i386-pc-686pae-4g",
)  # fmt: skip
COUNTS = ("spanned", "present", "managed", "free", "min", "low", "high")
WHATS = ("", "present", "", "spanned", "managed", "", "free", "marks")  # what is changed in a report; "" is nothing
TURNS = 29  # cases of growing size take the rows of WHATS in turn: no check is without some of each


@functools.cache
def zones_of(record: str) -> list[dict[str, Any]]:
    """The reports of a record's zones: zoneinfo's counts, buddyinfo's line, and the zone's frames in iomem."""
    recorded = load_machine(record).recorded
    assert recorded is not None
    data = recorded.data
    ram = [[-(-row["start"] // PAGE_SIZE), row["end"] // PAGE_SIZE] for row in data["iomem"] if row["name"] == RAM]
    blocks = {(row["node"], row["zone"]): row["nr_free"] for row in data["buddyinfo"]}
    found = []
    for zone in recorded.zones:
        start, end = zone.get("start_pfn", 0), zone.get("start_pfn", 0) + zone["spanned"]
        mine = [[max(low, start), min(high, end)] for low, high in ram if low < end and high > start]
        if mine:
            counts = {name: zone[name] for name in COUNTS}
            found.append(counts | {"ram": mine, "blocks": list(blocks[zone["node"], zone["name"]])})
    return found


@functools.cache
def _by_kind() -> dict[str, list[tuple[str, int]]]:
    """Zones (record, number) by what is odd about them, though true: a hole, marks that are cut, neither."""
    kinds: dict[str, list[tuple[str, int]]] = {"hole": [], "cut": [], "plain": []}
    for record in RECORDS:
        for number, zone in enumerate(zones_of(record)):
            has_hole, is_cut = zone["spanned"] != zone["present"], zone["low"] != zone["min"] * 5 // 4
            kinds["hole" if has_hole else "cut" if is_cut else "plain"].append((record, number))
    return kinds


def _draw_report(rng: random.Random, size: float) -> Given:
    record, number = rng.choice(_by_kind()[rng.choice(("hole", "cut", "cut", "plain"))])
    what = WHATS[round(size * TURNS) % len(WHATS)]
    return {"record": record, "number": number, "what": what, "by": rng.randrange(1, 2 + int(size * 500))}


def _report(record: str, number: int, what: str, by: int) -> dict[str, Any]:
    """A zone's report with `what` wrong by `by` pages: by so many that it contradicts the others."""
    zones = zones_of(record)
    if by < 1 or number >= len(zones):
        raise VmlabError("expected a zone that is there, and a number that is wrong by a page or more")
    zone = dict(zones[number])
    if what == "marks":
        zone["low"] += by
    elif what == "spanned":
        zone["spanned"] = zone["ram"][-1][1] - zone["ram"][0][0] - by
    elif what == "managed":
        zone["managed"] = zone["present"] + by
    elif what:
        zone[what] += by
    return zone


def _odd(
    zone: dict[str, Any],
    *,
    spanned: str = "",
    managed: bool = False,
    pages: bool = False,
    marks: bool = False,
    last: int = 0,
) -> Plain:
    """The obvious judge, with what a belief changes."""
    ram = zone["ram"]
    present = sum(end - first + last for first, end in ram)
    span = {"": ram[-1][1] - ram[0][0], "present": zone["present"]}[spanned]
    low, gap = zone["low"], zone["high"] - zone["low"]
    blocks = zone["blocks"] if pages else [count << order for order, count in enumerate(zone["blocks"])]
    rules = {
        "present": zone["present"] == present,
        "spanned": zone["spanned"] == span if spanned else zone["spanned"] >= span,
        "managed": zone["managed"] == zone["present"] if managed else zone["managed"] <= zone["present"],
        "free": sum(blocks) == zone["free"],
        "marks": low == zone["min"] * 5 // 4 if marks else low - zone["min"] == gap,
    }
    return next((name for name, holds in rules.items() if not holds), None)


ODD_ONE = Task(
    id="13.odd_one",
    signature="odd_one(zone)",
    ask="Return the name of what contradicts the rest of a zone's report: 'present', 'spanned', 'managed', 'free' "
    "(against blocks) or 'marks' (min, low, high); None if nothing does. At most one is wrong, and `ram`, the ranges "
    "[first, end) of the zone's frames, never is. `blocks` is buddyinfo's line: free blocks of order 0, 1, 2 ....",
    draw=_draw_report,
    args=lambda record, number, what, by: [_report(record, number, what, by)],
    answer=lambda record, number, what, by: what or None,
    loads=lambda record, number, what, by: (
        f'zones = vm.load_machine("{record}").recorded.zones  # as the kernel said it; a number may differ below'
    ),
    what="reports",
    barred=BARRED,
    beliefs=(
        Misconception(
            "all that a zone spans is RAM",
            lambda zone: _odd(zone, spanned="present"),
            "What may lie between the first and the last frame?",
        ),
        Misconception(
            "all RAM of a zone is handed to the page allocator",
            lambda zone: _odd(zone, managed=True),
            "Where are the kernel's code and mem_map?",
        ),
        Misconception(
            "buddyinfo counts pages",
            lambda zone: _odd(zone, pages=True),
            "How many pages has a block of order 3?",
        ),
        Misconception(
            "low is min and a quarter in every zone",
            lambda zone: _odd(zone, marks=True),
            "HighMem's and Movable's min is cut down, and low is not. What do all zones' marks share?",
        ),
        Misconception(
            "the end of a range is in it",
            lambda zone: _odd(zone, last=1),
            "How many frames are in [0x40000, 0x40001)?",
        ),
    ),
    hints=(
        "Which two numbers tell the same in two ways, and which pairs only have an order?",
        "Exact: present is the sum of ram; free is the sum of count × 2^order; low − min is high − low. An order: "
        "managed ≤ present, and spanned reaches at least from ram's start to its end.",
    ),
)
