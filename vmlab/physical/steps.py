"""What the page allocator did for one request, step by step: read from the trace that the compiled code wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .migratetype import Migratetype

KINDS = ("take", "split", "merge", "put", "put tail", "move", "claim", "moved", "refill", "to pcp", "from pcp", "drain")


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `kind` is one of KINDS, `pfn` a block's first frame (or a count), `order` its order."""

    kind: str
    order: int
    pfn: int
    type: int

    def tell(self) -> str:
        """One line for a person."""
        return TELL[self.kind](self)


def _list(step: Step) -> str:
    return f"the order-{step.order} list of {Migratetype(step.type).name}"


def _block(step: Step) -> str:
    return f"block {step.pfn:#x} of order {step.order}"


TELL: dict[str, Callable[[Step], str]] = {
    "take": lambda s: f"take {_block(s)} off {_list(s)}",
    "split": lambda s: f"split: the upper half, {_block(s)}, becomes free",
    "merge": lambda s: f"merge with its buddy, {_block(s)}, which is free",
    "put": lambda s: f"put {_block(s)} at the head of {_list(s)}",
    "put tail": lambda s: f"put {_block(s)} at the tail of {_list(s)}: it will probably merge soon",
    "move": lambda s: f"no block of this type is left: move {_block(s)} to the list of {Migratetype(s.type).name}",
    "claim": lambda s: f"the pageblock of {s.pfn:#x} is for {Migratetype(s.type).name} from now on",
    "moved": lambda s: f"move all {s.order} free pages of the pageblock of {s.pfn:#x} to {Migratetype(s.type).name}",
    "refill": lambda s: f"the CPU's list is empty: fetch {s.pfn} blocks of order {s.order}",
    "to pcp": lambda s: f"put {_block(s)} on the CPU's list",
    "from pcp": lambda s: f"take {_block(s)} off the CPU's list",
    "drain": lambda s: f"the CPU has too many: give {s.pfn} pages back to the free lists",
}


def read(rows: Iterable[list[int]], base: int) -> list[Step]:
    """Steps of a trace's rows; frames are counted from `base` there."""
    found = []
    for step, order, x, mt in rows:
        kind = KINDS[step]
        found.append(Step(kind, order, x if kind in ("refill", "drain") else x + base, mt))
    return found
