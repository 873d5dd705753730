"""The trace's lines, as our agent prints them, to the array of events that `physical.real_trace` describes.

A line is a letter, the CPU, the context, then what the trace event printed (include/trace/events/kmem.h, 6.1). The
text comes from a guest and is not trusted: a line that is none of these is refused by number.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .. import boot
from ..physical import gfp
from ..physical.migratetype import of_gfp
from ..physical.real_trace import (
    ALLOC,
    BATCHED,
    BULK,
    CONTIG,
    CORE,
    DRAIN,
    EXACT,
    FREE,
    LOCKED,
    PAGESETS,
    STEAL,
    WATERMARKS,
    RealTrace,
    RealZone,
)
from ..record.answers import Recorded
from ..record.inputs import machine_from
from ..units import VmlabError
from .console import GuestFailed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

    from .alloc_trace import Traced

KINDS = {"A": ALLOC, "F": FREE, "B": BATCHED, "L": LOCKED, "D": DRAIN, "X": STEAL}
FUNCTIONS = {
    "__alloc_pages_bulk": BULK,
    "setup_per_cpu_pageset": PAGESETS,
    "setup_per_zone_wmarks": WATERMARKS,
    "__free_pages_core": CORE,
}
CONTEXTS = {".": 0, "s": 1, "h": 2, "H": 2, "z": 2, "Z": 2}  # kernel/trace/trace_output.c: trace_print_lat_fmt
CALLS = {
    ("split_page", "split_map_pages"): CONTIG,
    ("__free_pages_ok", "alloc_pages_exact"): EXACT,
    ("__free_pages_ok", "make_alloc_exact"): EXACT,
}
LINE = re.compile(
    r"([AFBLDX]) (\d+) ([.shHzZ]) pfn=0x([0-9a-f]{1,12}) (?:alloc_)?order=(\d{1,2})"
    r"(?:.*?migratetype=(\d))?(?:.*?gfp_flags=(\S+))?.*"
)
FUNCTION = re.compile(r"N (\d+) (\w+) <-(\w+).*")
WRITTEN = re.compile(r"# entries-in-buffer/entries-written: (\d+)/(\d+)")
HUGE = {"GFP_TRANSHUGE": "GFP_HIGHUSER_MOVABLE", "GFP_TRANSHUGE_LIGHT": "GFP_HIGHUSER_MOVABLE"}


def events(text: str, calls: Sequence[tuple[int, int]]) -> np.ndarray:
    """Rows as `real_trace` describes them; `calls` has the pages and the gfp mask of each BULK."""
    import numpy as np

    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if written := WRITTEN.match(line):
            if written[1] != written[2]:
                raise GuestFailed(
                    f"the trace lost events: {written[1]} of {written[2]} are left: it needs a larger buffer"
                )
        elif not line.startswith("#"):
            row = _row(line)
            if row is None:
                raise GuestFailed(f"the trace's line {number} is no event of ours: {line[:80]!r}")
            rows.append(row)
    found = np.array([row for row in rows if row[0] >= 0], np.int64).reshape(-1, 6)
    bulk = np.flatnonzero(found[:, 0] == BULK)
    if len(bulk) != len(calls):
        raise GuestFailed(
            f"the trace has {len(bulk)} calls of alloc_pages_bulk, {len(calls)} were seen to return: one interrupted "
            "another. Try again"
        )
    for place, (pages, words) in zip(bulk, calls, strict=True):
        found[place, 1:5] = pages, 0, of_gfp(words), words
    return found


def _row(line: str) -> tuple[int, ...] | None:
    if match := FUNCTION.fullmatch(line):
        kind = CALLS.get((match[2], match[3]), FUNCTIONS.get(match[2], -1))
        return (kind, 0, 0, 0, 0, 0) if match[1] == "0" else None
    match = LINE.fullmatch(line)
    if match is None or match[2] != "0":
        return None
    letter, _, context, pfn, order, migratetype, words = match.groups()
    return KINDS[letter], int(pfn, 16), int(order), int(migratetype or 0), mask(words or ""), CONTEXTS[context]


def mask(words: str) -> int:
    """The known bits of a request's flags, as the kernel prints them.

    >>> hex(mask("GFP_KERNEL|__GFP_ZERO"))
    '0xdc0'
    """
    known = [HUGE.get(word, word) for word in words.split("|")]
    return gfp.mask("|".join(word for word in known if word in gfp.BITS or word in gfp.COMBINED))


def build(traced: Traced, path: Path) -> RealTrace:
    """The whole trace; the machine's zones are predicted from the record of its other boot."""
    import numpy as np

    data = traced.record.data
    machine = machine_from(data, Recorded(data, path))
    kernel, printed = boot(machine), {(row["node"], row["name"]): row for row in data["zones"]}
    zones = []
    for zone in kernel.zones:
        if zone.populated:
            row = printed[zone.node, zone.name]
            pcp = row["pcp"][0] if row["pcp"] else {"batch": zone.pcp_batch, "high": zone.pcp_high}
            numbers = zone.node, zone.index, zone.start_pfn, zone.end_pfn, pcp["batch"], pcp["high"], zone.managed_pages
            zones.append(RealZone(*numbers))
    if any(zone.node for zone in zones):
        raise VmlabError("an allocation trace: expected a machine of one node")
    shape = kernel.buddy.shape
    owned = [span for area in kernel.buddy.areas for span in area.owned]
    about = {
        "name": data["name"],
        "kernel": data["kernel"]["version"],
        "cmdline": data["kernel"]["cmdline"],
        "max_order": shape.max_order,
        "pageblock_order": shape.pageblock_order,
        "huge_pages": shape.huge_pages,
        "zone_names": [zone.name for zone in kernel.nodes[0].zones],
    }
    reserved = [(start >> 12, -(-end >> 12)) for start, end in kernel.memblock.reserved]
    spans = [
        np.array(part, np.int64).reshape(-1, 2) for part in (_less(owned, reserved), kernel.allocations.cma_frames)
    ]
    return RealTrace(about, events(traced.text, traced.calls), traced.before, traced.after, tuple(zones), *spans)


def _less(spans: list[tuple[int, int]], taken: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans without the frames that were reserved when boot handed memory over (some are freed later)."""
    from ..ranges import Ranges

    left = Ranges()
    for span in spans:
        left.add(*span)
    for span in taken:
        left.remove(*span)
    return list(left)
