"""A zone to work on: blocks are asked for, given back, scattered and compacted, and every action can be replayed.

The zone is the asker's NewMem as a kernel has it whose largest block is 2**10 frames and whose pageblocks are 2**9
(Linux 6.1 with MAX_ORDER 11, pageblock_order 9 as with LPAE or on a PC). Requests go to the buddy allocator itself:
watermarks stand before it, in `Kernel.alloc_pages`.

Left out: who the pages belong to; a block stays with the list of blocks here until it is given back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from ..kernel import boot
from ..machine import Machine
from ..parts import Config, Region
from ..physical import compaction, pcp
from ..physical.buddy import Buddy
from ..physical.migratetype import Migratetype
from ..physical.zones import Zone
from ..units import GiB, MiB, VmlabError

MAX_ORDER, PAGEBLOCK_ORDER = 11, 9


class Action(NamedTuple):
    """Something done to the zone; `name` is one of ACTIONS."""

    name: str
    order: int = 0
    type: int = int(Migratetype.MOVABLE)
    cpu: int | None = None


def board() -> Machine:
    """The asker's board: 2 GiB, of which 512 MiB are the zone NewMem."""
    config = Config(zone_dma=False, max_order=MAX_ORDER, pageblock_order=PAGEBLOCK_ORDER)
    plain = Machine(arch="arm", ram=(Region(0x4000_0000, 2 * GiB),), config=config)
    return plain.with_zone("NewMem", size=512 * MiB, below="HighMem")


@cache
def newmem() -> Zone:
    """The zone NewMem as boot leaves it."""
    return boot(board()).zones["NewMem"]


@dataclass
class Workbench:
    """A zone's buddy allocator, and the blocks it handed out: (first frame, order), in the order of the requests."""

    zone: Zone = field(default_factory=newmem)
    max_order: int = MAX_ORDER
    pageblock_order: int = PAGEBLOCK_ORDER
    blocks: list[tuple[int, int]] = field(default_factory=list)
    said: str = "Nothing has been asked for yet."

    def __post_init__(self) -> None:
        whole = [(self.zone.start_pfn, self.zone.end_pfn)]
        self.buddy = Buddy([self.zone], whole, self.max_order, pageblock_order=self.pageblock_order)

    @classmethod
    def after(cls, actions: Iterable[Action]) -> Workbench:
        """A fresh NewMem after these actions."""
        bench = cls()
        for action in actions:
            bench.do(action)
        return bench

    def do(self, action: Action) -> None:
        """Run one action; `said` tells what it did."""
        if action.name not in ACTIONS:
            raise VmlabError(f"action: expected one of {', '.join(ACTIONS)}, got {action.name!r}")
        self.said = ACTIONS[action.name](self, action)

    def alloc(self, order: int = 0, type: int = Migratetype.MOVABLE, cpu: int | None = None) -> int | None:
        """One block; None if there is none."""
        pfn = self.buddy.alloc(self.zone, order, type, cpu=cpu)
        if pfn is not None:
            self.blocks.append((pfn, order))
        return pfn

    def free(self, pfn: int, cpu: int | None = None) -> None:
        """Give back the block that begins at `pfn`."""
        block = next((block for block in self.blocks if block[0] == pfn), None)
        if block is None:
            raise VmlabError(f"free of pfn {pfn:#x}: no block that was handed out begins there")
        self.buddy.free(*block, cpu=cpu)
        self.blocks.remove(block)

    def fill(self, order: int = 0, type: int = Migratetype.MOVABLE, count: int | None = None) -> int:
        """Ask for `count` blocks of one order, or until there is no more; how many came."""
        import numpy as np

        from ..physical.traces import ALLOC, Requests

        most = self.buddy.free_pages(self.zone) >> order
        wanted = most if count is None else min(count, most)
        every = np.arange(wanted)
        served = self.buddy.run(self.zone, Requests(every * 0 + ALLOC, every * 0 + order, every * 0 + type, every))
        got = [(int(pfn), order) for pfn in served.pfn if pfn >= 0]
        self.blocks += got
        return len(got)

    def scatter(self, keep: int = 2) -> int:
        """Give back all blocks but each `keep`-th in order of their frames; how many were given back."""
        ordered = sorted(self.blocks)
        for number, block in enumerate(ordered):
            if number % keep:
                self.buddy.free(*block)
        self.blocks = ordered[::keep]
        return len(ordered) - len(self.blocks)

    def compact(self) -> int:
        """Compact the whole zone, as a write to /proc/sys/vm/compact_memory does; how many pages were moved."""
        moved = compaction.compact(self.buddy, self.zone).new_frame
        self.blocks = [(moved.get(pfn, pfn), order) for pfn, order in self.blocks]
        return len(moved)

    def largest(self) -> int:
        """The largest order that has a free block, -1 if nothing is free."""
        return max((order for order, count in enumerate(self.buddy.nr_free(self.zone)) if count), default=-1)


def _alloc(bench: Workbench, action: Action) -> str:
    pfn = bench.alloc(action.order, action.type, action.cpu)
    name = Migratetype(action.type).name
    if pfn is None:
        return f"No block of order {action.order} is left for {name}."
    return f"Handed out block {pfn:#x} of order {action.order} for {name}: {_told(bench)}."


def _free(bench: Workbench, action: Action, place: int) -> str:
    if not bench.blocks:
        return "Nothing is handed out: there is nothing to give back."
    pfn, order = bench.blocks[place]
    bench.free(pfn, action.cpu)
    return f"Gave back block {pfn:#x} of order {order}: {_told(bench)}."


def _told(bench: Workbench, most: int = 4) -> str:
    """The steps of the last request; if there are many, the first of each kind and how many followed."""
    steps = bench.buddy.steps
    if len(steps) <= most:
        return "; ".join(step.tell() for step in steps)
    kinds = Counter(step.kind for step in steps)
    first = {step.kind: step for step in reversed(steps)}
    more = {kind: f" ({count - 1} more like this)" if count > 1 else "" for kind, count in kinds.items()}
    return "; ".join(first[kind].tell() + more[kind] for kind in kinds)


def _fill_half(bench: Workbench, action: Action) -> str:
    pages = bench.buddy.free_pages(bench.zone) // 2
    got = bench.fill(action.order, action.type, max(1, pages >> action.order))
    return f"Handed out {got:,} blocks of order {action.order}: half of what was free."


ACTIONS = {
    "allocate": _alloc,
    "free newest": lambda bench, action: _free(bench, action, -1),
    "free oldest": lambda bench, action: _free(bench, action, 0),
    "fill half": _fill_half,
    "fill": lambda bench, action: f"Handed out {bench.fill(action.order, action.type):,} blocks until none was left.",
    "free every second": lambda bench, _: f"Gave back {bench.scatter():,} blocks, every second one by its frame.",
    "drain": lambda bench, _: f"Gave {pcp.drain(bench.buddy):,} pages of the per-CPU list back to the free lists.",
    "compact": lambda bench, _: f"Compaction moved {bench.compact():,} pages upwards in the zone.",
}
