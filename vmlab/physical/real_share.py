"""What was asked of a traced kernel, and how often the model's answer was the kernel's."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """One thing that was asked for: kind is ALLOC, FREE, BULK, CORE, CONTIG, PAGESETS or WATERMARKS.

    CORE and CONTIG are frees past the CPU's list. `count` is of BULK.
    """

    at: int  # the event's number
    kind: int
    pfn: int = 0
    order: int = 0
    migratetype: int = 0
    gfp: int = 0
    count: int = 0


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
