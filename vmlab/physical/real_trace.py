"""What a real kernel's page allocator was asked for and gave: its trace events as one array, its free lists before
and after.

An event is a row of (kind, first frame, order, migratetype, gfp mask, context). Context is 0 in a task, 1 in a
softirq, 2 in an interrupt. The kinds, and the trace event each stands for
(include/trace/events/kmem.h, 6.1):

    ALLOC    mm_page_alloc              what a request got
    FREE     mm_page_free               a block given back; those of a batch count when BATCHED says so
    BATCHED  mm_page_free_batched       one page of a batch goes to the CPU's list
    LOCKED   mm_page_alloc_zone_locked  a block leaves the free lists, for a request or a CPU's list
    DRAIN    mm_page_pcpu_drain         a block goes from a CPU's list back to the free lists
    STEAL    mm_page_alloc_extfrag      another migratetype's block is taken
    BULK     __alloc_pages_bulk entered: the pages it takes have no event of their own; instead of the frame stands
             how many those are, which a debugger saw when it returned
    PAGESETS setup_per_cpu_pageset: from now on CPUs have lists;   WATERMARKS setup_per_zone_wmarks
    CORE     __free_pages_core entered: the next FREE goes to the tail of a free list, past the CPU's list
    EXACT    __free_pages_ok, called for alloc_pages_exact: the same for what it asked for and does not need
    CONTIG   split_page, called for alloc_contig_range: it took a pageblock, and gives back what FREE says next

Left out: who asked; time; more than one CPU.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..units import MiB, VmlabError
from . import gfp

if TYPE_CHECKING:
    import numpy as np

ALLOC, FREE, BATCHED, LOCKED, DRAIN, STEAL, BULK, PAGESETS, WATERMARKS, CORE, CONTIG, EXACT = range(12)
NAMES = "alloc free batched locked drain steal bulk pagesets watermarks core contig exact".split()  # noqa: SIM905
FORMAT = 2
MAX_BYTES = 64 * MiB
MOST_BULK = 1 << 20  # pages of one call
COLUMNS = {"events": 6, "before": 5, "after": 5, "zones": 7, "owned": 2, "cma": 2}
Blocks = dict[tuple[int, int], list[int]]  # (order, migratetype) -> first frames, in list order


@dataclass(frozen=True, slots=True)
class RealZone:
    """A zone of the traced machine: frames `start`..`end`, what its per-CPU lists may hold."""

    node: int
    index: int
    start: int
    end: int
    batch: int
    high: int  # as /proc/zoneinfo says it when boot is over
    managed: int


@dataclass(frozen=True, slots=True, eq=False)
class RealTrace:
    """One boot. `owned` are spans of frames that boot handed to the page allocator, before anybody asked."""

    about: dict[str, Any]  # name, kernel, max_order, pageblock_order, events lost
    events: np.ndarray  # int64
    before: np.ndarray  # int64: (node, zone index, order, migratetype, first frame), in list order
    after: np.ndarray
    zones: tuple[RealZone, ...]
    owned: np.ndarray
    cma: np.ndarray  # spans of the contiguous memory area

    def __len__(self) -> int:
        return len(self.events)

    def count(self, kind: int) -> int:
        """How many events of a kind."""
        return int((self.events[:, 0] == kind).sum())

    @property
    def deferred_from(self) -> int:
        """The first frame whose struct page was made late; beyond all frames where none was."""
        kinds = self.events[:, 0]
        late = self.events[1:][(kinds[:-1] == CORE) & (kinds[1:] == FREE)]
        return int(late[:, 1].min()) if len(late) else 1 << 62

    def early_batch(self, zone: RealZone) -> int:
        """The batch of a zone's per-CPU lists until watermarks are set: struct pages made late do not count yet."""
        from .watermarks import pcp_batch

        kinds = self.events[:, 0]
        late = self.events[1:][(kinds[:-1] == CORE) & (kinds[1:] == FREE)]
        mine = late[(late[:, 1] >= zone.start) & (late[:, 1] < zone.end)]
        return pcp_batch(zone.managed - int((1 << mine[:, 2]).sum()))

    def zone_of(self, pfn: int) -> RealZone:
        """The zone of a frame."""
        for zone in self.zones:
            if zone.start <= pfn < zone.end:
                return zone
        raise VmlabError(f"{self.about.get('name')}: frame {pfn:#x} lies in none of the traced machine's zones")

    def zones_for(self, mask: int) -> list[RealZone]:
        """The zones that may serve a request, in the order in which they are tried."""
        index = {name: number for number, name in enumerate(self.about["zone_names"])}
        names = gfp.ZONE_TABLE.get(mask & gfp.ZONE_BITS, ("Normal",))
        highest = next((index[name] for name in names if name in index), len(index))
        return sorted((zone for zone in self.zones if zone.index <= highest), key=lambda zone: -zone.index)

    def lists(self, zone: RealZone, *, at_end: bool = False) -> Blocks:
        """A zone's free lists as they were read out of RAM; empty ones are left out."""
        rows = self.after if at_end else self.before
        found: Blocks = {}
        mine = rows[(rows[:, 0] == zone.node) & (rows[:, 1] == zone.index)]
        for order, mt, pfn in mine[:, 2:].tolist():
            found.setdefault((order, mt), []).append(pfn)
        return found


def save(path: Path, trace: RealTrace) -> None:
    """Write a trace, whole or not at all."""
    import numpy as np

    part = path.with_name(f".{path.name}.part.npz")
    zones = [(z.node, z.index, z.start, z.end, z.batch, z.high, z.managed) for z in trace.zones]
    about = json.dumps({**trace.about, "format": FORMAT}).encode()
    try:
        np.savez_compressed(
            part,
            about=np.frombuffer(about, np.uint8),
            events=_columns(trace.events),
            before=trace.before.astype(np.int32),
            after=trace.after.astype(np.int32),
            zones=np.array(zones, np.int64).reshape(-1, 7),
            owned=trace.owned,
            cma=trace.cma,
        )
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _columns(events: np.ndarray) -> np.ndarray:
    """Events with frames and masks of 32 bits: they pack better column by column."""
    import numpy as np

    return np.asfortranarray(events.astype(np.int32))


def load(path: Path) -> RealTrace:
    """Read a trace that `save` wrote. A damaged file is a VmlabError."""
    import numpy as np

    try:
        with zipfile.ZipFile(path) as packed:
            if sum(entry.file_size for entry in packed.infolist()) > MAX_BYTES:
                raise VmlabError(f"{path.name}: more than {MAX_BYTES >> 20} MiB unpacked: that is no allocation trace")
        with np.load(path, allow_pickle=False) as arrays:
            about = json.loads(bytes(arrays["about"]))
            parts = {name: arrays[name].astype(np.int64) for name in COLUMNS}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise VmlabError(f"{path.name}: expected an allocation trace of `vmlab record --trace`: {error}") from error
    for name, columns in COLUMNS.items():
        if parts[name].ndim != 2 or parts[name].shape[1] != columns:
            raise VmlabError(f"{path.name}: {name}: expected rows of {columns} numbers, got {parts[name].shape}")
    return _checked(path, about, parts)


def _checked(path: Path, about: Any, parts: dict[str, np.ndarray]) -> RealTrace:
    numbers = {"max_order": (1, 16), "pageblock_order": (0, 15)}
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise VmlabError(f"{path.name}: expected format {FORMAT}")
    for name, (low, high) in numbers.items():
        if not isinstance(about.get(name), int) or not low <= about[name] <= high:
            raise VmlabError(f"{path.name}: {name}: expected {low} to {high}, got {about.get(name)!r}")
    zones = tuple(RealZone(*row) for row in parts["zones"].tolist())
    trace = RealTrace(about, parts["events"], parts["before"], parts["after"], zones, parts["owned"], parts["cma"])
    events = trace.events
    framed = events[events[:, 0] < BULK]
    limits = {"kind": (events[:, 0], 0, EXACT), "order": (framed[:, 2], 0, about["max_order"] - 1)}
    limits |= {"migratetype": (framed[:, 3], 0, 5), "context": (events[:, 5], 0, 2)}
    limits |= {"pages": (events[events[:, 0] == BULK][:, 1], 0, MOST_BULK)}
    for lists in (trace.before, trace.after):
        limits |= {f"{len(limits)} order of a free block": (lists[:, 2], 0, about["max_order"] - 1)}
        limits |= {f"{len(limits)} migratetype of a free block": (lists[:, 3], 0, 5)}
    for name, (values, low, high) in limits.items():
        if values.size and not (low <= values.min() and values.max() <= high):
            raise VmlabError(f"{path.name}: {name.lstrip('0123456789 ')}: expected {low} to {high}")
    frames = [framed[:, 1], trace.before[:, 4], trace.after[:, 4]]
    for zone in zones:
        if not 0 <= zone.start <= zone.end <= zone.start + (1 << 24):
            raise VmlabError(f"{path.name}: zone {zone}: expected at most 64 GiB of frames")
        frames = [part[(part < zone.start) | (part >= zone.end)] for part in frames]
    if any(part.size for part in frames):
        raise VmlabError(f"{path.name}: a frame lies in none of the zones")
    return trace
