"""A page list and the buddy allocator on the same trace: what each did, what it could not do, and what it left.

The list wins where it can be used: one link or unlink a page, whatever the state of memory, and two links a frame
are all it keeps. Buddy pays for splits and merges, and with them it can serve what the list cannot: more than one
page at once. Left alone, buddy also puts memory together again; a list hands out frames in the order in which
they came back, and no user of it can ask which of them are neighbours.

Counted are operations on lists (a block put on one or taken off), since time says more about the machine that
measures. Left out: locks and caches, which per-CPU lists are there for.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..ranges import Ranges
from ..units import VmlabError
from .buddy import Buddy
from .fragmentation import unusable_free_index
from .migratetype import Migratetype
from .page_list import PageList
from .zones import Zone

ON_A_LIST = ("take", "split", "merge", "put", "put tail", "move")  # steps that put a block on a list or take it off


class Request(NamedTuple):
    """Get 2**`order` frames into `slot`, or with `order` None give back what the slot holds."""

    slot: int
    order: int | None = 0


def in_and_out(count: int, kept: float = 0.0, seed: int = 1) -> list[Request]:
    """`count` pages one by one, then all but a share of them back in random order."""
    back = random.Random(seed).sample(range(count), int(count * (1 - kept)))
    return [Request(slot) for slot in range(count)] + [Request(slot, None) for slot in back]


def short_lived(count: int, every: int) -> list[Request]:
    """One page at a time, given back at once, but each `every`-th is kept."""
    there = [(Request(slot), Request(slot, None)) for slot in range(count)]
    return [request for slot, both in enumerate(there) for request in (both if slot % every else both[:1])]


@dataclass
class Lane:
    """What one allocator made of the trace. `list_operations` are all of them, `most` those of its slowest request."""

    name: str
    served: int = 0
    given_back: int = 0
    refused: int = 0
    cannot: int = 0  # requests for more than one frame, to one that has only single frames
    list_operations: int = 0
    most: int = 0
    free: Ranges = field(default_factory=Ranges, repr=False)

    def count(self, operations: int) -> None:
        """Add one request's operations."""
        self.list_operations += operations
        self.most = max(self.most, operations)

    def nr_free(self, max_order: int) -> list[int]:
        """Aligned blocks of each order that the free frames make up, whether the allocator knows them or not."""
        found = [0] * max_order
        for start, end in self.free:
            while start < end:
                order = min(max_order - 1, (start & -start).bit_length() - 1 if start else max_order - 1)
                while start + (1 << order) > end:
                    order -= 1
                found[order] += 1
                start += 1 << order
        return found

    def unusable(self, order: int, max_order: int) -> int:
        """In thousandths, how much of the free memory is in pieces too small for a block of `order`."""
        return unusable_free_index(self.nr_free(max_order), order)


def race(pages: PageList, buddy: Buddy, zone: Zone, requests: Iterable[Request]) -> tuple[Lane, Lane]:
    """Run a trace on the list and on buddy's lists of `zone`; they should begin with the same free frames.

    Buddy is asked without per-CPU lists: those are lists of single pages themselves, put in front of it.
    """
    mine, theirs = Lane(f"page list, {pages.order}"), Lane("buddy")
    on_list: dict[int, int] = {}
    in_buddy: dict[int, tuple[int, int]] = {}
    for request in requests:
        if request.slot < 0:
            raise VmlabError(f"slot: expected 0 or more, got {request.slot}")
        if request.order is None:
            _give_back(pages, buddy, request.slot, on_list, in_buddy, mine, theirs)
        elif request.slot in on_list or request.slot in in_buddy:
            raise VmlabError(f"slot {request.slot} is in use: give back what it holds first")
        else:
            _get(pages, buddy, zone, request.slot, request.order, on_list, in_buddy, mine, theirs)
    for start, end in pages.free_ranges():
        mine.free.add(start, end)
    for start, end in buddy.free_ranges(zone):
        theirs.free.add(start, end)
    return mine, theirs


def _get(
    pages: PageList,
    buddy: Buddy,
    zone: Zone,
    slot: int,
    order: int,
    on_list: dict[int, int],
    in_buddy: dict[int, tuple[int, int]],
    mine: Lane,
    theirs: Lane,
) -> None:
    pfn = buddy.alloc(zone, order, Migratetype.MOVABLE)
    theirs.count(_operations(buddy))
    if pfn is None:
        theirs.refused += 1
    else:
        theirs.served += 1
        in_buddy[slot] = pfn, order
    if order:
        mine.cannot += 1
        return
    frame = pages.alloc()
    mine.count(1 if frame is not None else 0)
    if frame is None:
        mine.refused += 1
    else:
        mine.served += 1
        on_list[slot] = frame


def _give_back(
    pages: PageList,
    buddy: Buddy,
    slot: int,
    on_list: dict[int, int],
    in_buddy: dict[int, tuple[int, int]],
    mine: Lane,
    theirs: Lane,
) -> None:
    if slot in on_list:
        pages.free(on_list.pop(slot))
        mine.count(1)
        mine.given_back += 1
    if slot in in_buddy:
        buddy.free(*in_buddy.pop(slot))
        theirs.count(_operations(buddy))
        theirs.given_back += 1


def _operations(buddy: Buddy) -> int:
    """What the last request did to lists: a move takes a block off one and puts it on another."""
    kinds = Counter(step.kind for step in buddy.steps)
    return sum(kinds[kind] for kind in ON_A_LIST) + kinds["move"]
