"""What was asked of a traced kernel, and how often the model's answer was the kernel's."""

from __future__ import annotations

from dataclasses import dataclass, field

from .real_trace import Blocks, RealZone


@dataclass(frozen=True, slots=True)
class Request:
    """One thing that was asked for: kind is ALLOC, FREE, BULK, CORE, EXACT, CONTIG, PAGESETS or WATERMARKS.

    CORE, EXACT and CONTIG are frees past the CPU's list. `count` and `frames` are of BULK: how many it took, and which.
    """

    at: int  # the event's number
    kind: int
    pfn: int = 0
    order: int = 0
    migratetype: int = 0
    gfp: int = 0
    count: int = 0
    frames: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Difference:
    """Where model and kernel parted: event number, what was asked, the real frame and the model's (-1: none)."""

    at: int
    order: int
    migratetype: int
    real: int
    model: int


@dataclass(slots=True)
class Share:
    """How often two agree, and the first times they did not."""

    total: int = 0
    same: int = 0
    differences: list[Difference] = field(default_factory=list)

    def count(self, at: int, order: int, migratetype: int, real: int, model: int) -> bool:
        """Note one comparison; whether they agree."""
        self.total += 1
        self.same += real == model
        if real != model and len(self.differences) < 100:
            self.differences.append(Difference(at, order, migratetype, real, model))
        return bool(real == model)


@dataclass(slots=True)
class Followed:
    """What following a trace brought: both shares, the requests, and the free lists the model ends with."""

    blocks: Share
    pages: Share
    requests: list[Request]
    bulk_pages: int  # taken by alloc_pages_bulk
    lost_pages: int  # gone from a CPU's list, and no event says where to
    early: list[int]  # events of requests that came between the call of alloc_pages_bulk and its taking
    after_lost: list[int]  # events of requests that found those gone
    unseen_refills: list[int]  # events before which a list was refilled without any
    lists: dict[RealZone, Blocks]
