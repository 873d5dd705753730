"""Which zones a request may try, in which order, and when a zone says no.

The zonelist of a node holds all its populated zones from the highest down, then those of other nodes,
nearest first. A request starts at the highest zone that its gfp flags allow, never goes up, and takes the first
zone that stays above its watermark (Linux 6.1, mm/page_alloc.c: build_zonelists, get_page_from_freelist,
__zone_watermark_ok). A zone added to be somebody's own is in no list.

Left out: cpusets, dirty page limits, watermark boost, and what is let through for a task that is being killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..units import VmlabError
from . import gfp as flags
from .zones import Node, Zone

LOCAL_DISTANCE, REMOTE_DISTANCE = 10, 20  # include/linux/topology.h, where the firmware gives no table
MAX_NUMNODES = 1024
ALLOC_CMA, ALLOC_NOFRAGMENT, ALLOC_HIGHATOMIC, ALLOC_RESERVE = 1, 2, 4, 8  # as the compiled code reads them


@dataclass(frozen=True, slots=True)
class Page:
    """2**order frames from `pfn`, handed out by a zone that stayed above `mark` ("low", "min" or "none")."""

    pfn: int
    order: int
    node: int
    zone: str
    mark: str

    def __index__(self) -> int:  # so that hex(page) and int(page) are its frame number
        return self.pfn


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one zone did not serve a request."""

    node: int
    zone: str
    why: str


@dataclass(frozen=True, slots=True)
class NoPage:
    """Out of memory: no zone of the list served the request. False in a condition."""

    order: int
    gfp: str
    refusals: tuple[Refusal, ...]

    def __bool__(self) -> bool:
        return False

    def tell(self) -> str:
        """What the kernel's "page allocation failure" says, with the reason of every zone tried."""
        lines = [f"page allocation failure: order:{self.order}, mode:{self.gfp}"]
        lines += [f"  node {refusal.node} {refusal.zone}: {refusal.why}" for refusal in self.refusals]
        return "\n".join(lines)


def equal_distance(one: int, other: int) -> int:
    """node_distance where every other node is equally far."""
    return LOCAL_DISTANCE if one == other else REMOTE_DISTANCE


def node_order(nodes: Iterable[int], distance: Callable[[int, int], int] = equal_distance) -> dict[int, list[int]]:
    """Every node's fallback order: itself, then nearest first; equals take turns (find_next_best_node).

    All nodes are taken to have CPUs, so the penalty for those that do makes no difference.
    """
    known = sorted(nodes)
    load = dict.fromkeys(known, 0)
    orders = {}
    for local in known:
        order = [local]
        while left := [node for node in known if node not in order]:
            worth = {n: (distance(local, n) + (n < local)) * MAX_NUMNODES + load[n] for n in left}
            best = min(left, key=lambda node: worth[node])
            if distance(local, best) != distance(local, order[-1]):
                load[best] += 1
            order.append(best)
        orders[local] = order
    return orders


def zonelist(nodes: list[Node], local: int, *, this_node: bool = False) -> list[Zone]:
    """Zones in the order in which a request on node `local` tries them (ZONELIST_FALLBACK or _NOFALLBACK)."""
    by_id = {node.id: node for node in nodes}
    if local not in by_id:
        raise VmlabError(f"node: expected one of {', '.join(map(str, by_id))}, got {local!r}")
    order = [local] if this_node else node_order(by_id)[local]
    return [
        zone for node in order for zone in reversed(list(by_id[node].zones)) if zone.populated and not zone.excluded
    ]


@dataclass(frozen=True, slots=True)
class AllocFlags:
    """What a request may do about a watermark (the ALLOC_* flags)."""

    min_reserve: bool = False  # ALLOC_MIN_RESERVE, from __GFP_HIGH: half of the mark
    non_block: bool = False  # ALLOC_NON_BLOCK: with the former, a quarter of what is left, too
    oom: bool = False  # ALLOC_OOM: a task that is being killed
    cma: bool = False  # ALLOC_CMA: movable pages may live in the contiguous area
    highatomic: bool = False  # ALLOC_HIGHATOMIC: an atomic request for more than one page
    nofragment: bool = False  # ALLOC_NOFRAGMENT: rather another zone than another type's pageblock

    @classmethod
    def of(cls, gfp: int, order: int = 0) -> AllocFlags:
        """gfp_to_alloc_flags."""
        high = flags.has(gfp, "__GFP_HIGH")
        non_block = not flags.has(gfp, "__GFP_DIRECT_RECLAIM") and not flags.has(gfp, "__GFP_NOMEMALLOC")
        movable = flags.has(gfp, "__GFP_MOVABLE") and not flags.has(gfp, "__GFP_RECLAIMABLE")
        return cls(high, non_block, False, movable, non_block and high and order > 0)

    @property
    def reserves(self) -> bool:
        """ALLOC_RESERVES: whether the request may go below the mark at all, and into the highatomic reserve."""
        return self.min_reserve or self.non_block or self.oom

    @property
    def bits(self) -> int:
        """The flags that the free lists are searched with."""
        reserve = ALLOC_RESERVE if self.oom or self.non_block else 0
        rest = ALLOC_NOFRAGMENT * self.nofragment | ALLOC_HIGHATOMIC * self.highatomic
        return ALLOC_CMA * self.cma | rest | reserve


def watermark_ok(
    nr_free: list[int],
    order: int,
    mark: int,
    reserve: int,
    alloc: AllocFlags,
    cma_nr_free: Sequence[int] = (),
    highatomic: Sequence[int] = (),
    nr_highatomic: int = 0,
) -> bool:
    """__zone_watermark_ok: whether a zone may give 2**order pages and stay above `mark` plus `reserve`.

    `nr_free` are the zone's free blocks by order, `reserve` its lowmem_reserve entry for the request's
    highest zone (not for this zone), `cma_nr_free` and `highatomic` those of its free blocks that are in the
    contiguous area and in the atomic reserve, `nr_highatomic` the pages of that reserve, free or not.
    """
    return not shortage(nr_free, order, mark, reserve, alloc, cma_nr_free, highatomic, nr_highatomic)


def shortage(
    nr_free: list[int],
    order: int,
    mark: int,
    reserve: int,
    alloc: AllocFlags,
    cma_nr_free: Sequence[int],
    highatomic: Sequence[int] = (),
    nr_highatomic: int = 0,
) -> str:
    """What is missing, in words; empty where nothing is."""
    if not alloc.cma and cma_nr_free:
        nr_free = [count - of_cma for count, of_cma in zip(nr_free, cma_nr_free, strict=True)]
    free = sum(count << o for o, count in enumerate(nr_free)) - ((1 << order) - 1)
    free -= 0 if alloc.reserves else nr_highatomic
    least = _lowered(mark, alloc)
    if free <= least + reserve:
        return f"{free} usable free pages, not more than watermark {least} + lowmem_reserve {reserve}"
    if highatomic and not (alloc.highatomic or alloc.oom):
        nr_free = [count - kept for count, kept in zip(nr_free, highatomic, strict=True)]
    if order and not any(nr_free[order:]):
        return f"no free block of order {order} or above"
    return ""


def _lowered(mark: int, alloc: AllocFlags) -> int:
    if alloc.min_reserve:
        mark -= mark // 2
        if alloc.non_block:
            mark -= mark // 4
    if alloc.oom:
        mark -= mark // 2
    return mark
