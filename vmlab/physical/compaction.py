"""Compaction: move pages in use together, so that a large free block appears.

Two scanners walk one zone: one upwards, collecting movable pages in use, one downwards, collecting free pages to
put them in; where they meet, all is done (Linux 6.1, mm/compaction.c). `suitable` says beforehand whether it is
worth trying.

A page of a movable request (GFP_HIGHUSER_MOVABLE) of order 0 is taken to be a user's page that can move. It gets
another frame, so who remembers frame numbers must look at `moves`.

Left out: hints that let the scanners skip pageblocks (fast_find_migrateblock, fast_isolate_freepages, pageblock
skip bits, cached positions), pages that turn out to be pinned, watermark boosts, and kcompactd.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..units import VmlabError
from . import pcp
from .buddy import Buddy
from .fragmentation import fragmentation_index
from .migratetype import Migratetype
from .zones import Zone

EXTFRAG_THRESHOLD = 500  # /proc/sys/vm/extfrag_threshold
RESULTS = {1: "complete", 2: "success", 3: "contended"}
ROOM = 1 << 16  # moves recorded in one call of the compiled loop


@dataclass(frozen=True)
class Compacted:
    """What came of it. `result` is "success" (a block is there), "complete" (the scanners met) or "contended" (no
    free page was left to move to); `moves` are (old frame, new frame) in order.
    """

    result: str
    moves: list[tuple[int, int]]
    migrate_scanned: int
    free_scanned: int

    def where(self, pfn: int) -> int:
        """The frame that now holds what frame `pfn` held before."""
        return self.new_frame.get(pfn, pfn)

    @property
    def new_frame(self) -> dict[int, int]:
        """Old frame -> new frame; nothing moves twice, since the scanners never cross."""
        return dict(self.moves)


def suitable(buddy: Buddy, zone: Zone, order: int) -> tuple[bool, str]:
    """compaction_suitable: whether compaction could help a request for a block of `order`, and why.

    The request is one that this zone is the highest for; the highatomic reserve is not there for it.
    """
    buddy.check_order(order)
    nr_free = buddy.nr_free(zone)
    kept = buddy.nr_free_by_type(zone)[Migratetype.HIGHATOMIC]
    free = sum(count << lower for lower, count in enumerate(nr_free)) - buddy.nr_highatomic(zone)
    if free - (1 << order) + 1 > zone.watermark.low and sum(nr_free[order:]) > sum(kept[order:]):
        return False, f"a free block of order {order} or above is there"
    mark = zone.watermark.low if order > pcp.COSTLY_ORDER else zone.watermark.min
    if free <= mark + (2 << order):
        return (
            False,
            f"{free} free pages, not more than watermark {mark} + {2 << order} (compact_gap) to move things with",
        )
    index = fragmentation_index(nr_free, order)
    if order > pcp.COSTLY_ORDER and 0 <= index <= EXTFRAG_THRESHOLD:
        return False, f"fragmentation index {index}: it is rather memory that is lacking than order (500 or less)"
    return True, f"fragmentation index {index}: there is enough free memory, in pieces that are too small"


def compact(
    buddy: Buddy,
    zone: Zone,
    order: int | None = None,
    migratetype: Migratetype = Migratetype.MOVABLE,
    *,
    direct: bool = False,
) -> Compacted:
    """Compact a zone until a block of `order` for `migratetype` is free; without an order, all of it.

    `direct` is the quick attempt of a request that waits for it (MIGRATE_ASYNC): it moves pages out of pageblocks of
    the request's own type only, and looks at every 32nd frame for free pages. The zone's per-CPU lists are drained.
    """
    if order is not None:
        buddy.check_order(order)
    if not zone.populated:
        raise VmlabError(f"zone {zone.name} has no memory: nothing to compact")
    pcp.drain(buddy, zone)
    import numpy as np

    from . import compaction_kernels as compiled
    from .buddy_kernels import NONE, u64

    free = buddy.area_of(zone)
    pages = 1 << buddy.shape.pageblock_order
    start, last = zone.start_pfn - free.base, zone.end_pfn - free.base - 1
    control = np.zeros(6, u64)
    control[compiled.MIGRATE_AT], control[compiled.FREE_AT] = start, last & -pages
    sources, waiting, buffer = np.zeros(32, u64), np.zeros(32 + pages, u64), np.zeros((ROOM, 2), u64)
    moves: list[tuple[int, int]] = []
    result = compiled.CONTINUE
    wanted = NONE if order is None else u64(order)
    stride = compiled.CLUSTER if direct else compiled.Z + u64(1)
    while result == compiled.CONTINUE:
        control[compiled.MOVES] = 0
        result = compiled.compact(
            free.area, wanted, u64(migratetype), direct, stride, control, sources, waiting, buffer
        )
        moves += [(old + free.base, new + free.base) for old, new in buffer[: int(control[compiled.MOVES])].tolist()]
    scanned = control[[compiled.MIGRATE_SCANNED, compiled.FREE_SCANNED]].tolist()
    return Compacted(RESULTS[int(result)], moves, *scanned)
