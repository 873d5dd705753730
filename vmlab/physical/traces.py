"""Whole traces of requests to the page allocator, run in one compiled loop; and taking a range of frames.

A trace puts blocks into numbered slots and gives back what a slot holds, so the same trace can be run on any machine
and by any allocator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..units import VmlabError
from . import free_lists
from . import pcp as per_cpu
from .compaction_kernels import take_range
from .request_kernels import FREE as FREE_OP
from .request_kernels import run as run_kernel
from .request_kernels import u64

if TYPE_CHECKING:
    from .buddy import Buddy
    from .free_area import FreeArea

ALLOC, FREE = 0, int(FREE_OP)


@dataclass(frozen=True)
class Requests:
    """Arrays of equal length. `op` is ALLOC or FREE, `order` and `migratetype` those of an ALLOC, `slot` where its
    block is kept and what a FREE gives back.
    """

    op: np.ndarray
    order: np.ndarray
    migratetype: np.ndarray
    slot: np.ndarray

    def __len__(self) -> int:
        return len(self.op)

    def arrays(self, max_order: int) -> tuple[np.ndarray, ...]:
        """The four arrays as compiled code takes them, checked."""
        op, order, kind = (np.ascontiguousarray(a, np.uint8) for a in (self.op, self.order, self.migratetype))
        slot = np.ascontiguousarray(self.slot, np.uint32)
        if len({len(a) for a in (op, order, kind, slot)}) != 1:
            raise VmlabError(
                f"requests: expected four arrays of one length, got {[len(a) for a in (op, order, kind, slot)]}"
            )
        for name, array, most in (("op", op, FREE), ("order", order, max_order - 1), ("migratetype", kind, 2)):
            if len(array) and array.max() > most:
                raise VmlabError(f"requests: expected {name} 0 to {most}, got {array.max()}")
        return op, order, kind, slot


@dataclass(frozen=True)
class Served:
    """What came of a trace: `pfn` of the block that each request got or gave back, or a negative number.

    -1: no block was left; -2: the slot was in use; -3: the slot was empty. `held` is what the slots hold at the end,
    as frame numbers, -1 for none.
    """

    pfn: np.ndarray
    held: np.ndarray
    refused: int


def run(buddy: Buddy, free: FreeArea, requests: Requests, cpu: int | None) -> Served:
    """Run a trace on one zone's lists, through a CPU's lists if `cpu` is one."""
    op, order, kind, slot = requests.arrays(buddy.max_order)
    if not buddy.shape.grouping:
        kind = np.zeros_like(kind)  # gfp_migratetype: everything is UNMOVABLE
    held = np.zeros(int(slot.max(initial=0)) + 1, np.uint64)
    out = np.zeros(len(op), np.int64)
    refused = run_kernel(free.area, buddy.cpu(cpu), op, order, kind, slot, held, out)
    out[out >= 0] += free.base
    pfns = held.astype(np.int64) - 1
    pfns[pfns >= 0] += free.base
    return Served(out, pfns, int(refused))


def take(buddy: Buddy, free: FreeArea, start: int, end: int) -> list[tuple[int, int]]:
    """Hand out every free frame of `start`..`end`; the per-CPU lists are drained first."""
    start, end = max(start, free.zone.start_pfn), min(end, free.zone.end_pfn)
    if start >= end:
        return []
    per_cpu.drain(buddy, free.zone)
    free.area = free_lists.touch(free.area, start - free.base, end - free.base)
    blocks = int(free.area.zone[free_lists.at.COUNTS : free_lists.at.PCP_COUNTS].sum()) + 2 * buddy.max_order
    out = np.zeros((min(blocks, end - start), 2), np.uint64)
    count = take_range(free.area, u64(start - free.base), u64(end - free.base), out)
    return [(first + free.base, order) for first, order in out[:count].tolist()]
