"""Steps of the buddy allocator by name: order, free_area, split, take; and buddy, free?, merge, place.

What the steps say is read from the trace that the allocator itself wrote; practice leaves one of them open.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from ...physical.buddy import Buddy
from ...physical.migratetype import Migratetype
from ...physical.zones import Zone
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from ..workbench import Workbench

MOVABLE = Migratetype.MOVABLE
PAGEBLOCK_ORDER = 9


def one_block(start: int, top: int) -> Workbench:
    """A zone that is one free block of order `top`, as few pages as make it."""
    pages = 1 << top
    zone = Zone(0, 0, "toy", start_pfn=start, spanned_pages=pages, present_pages=pages, managed_pages=pages)
    return Workbench(zone, max_order=top + 1, pageblock_order=min(PAGEBLOCK_ORDER, top))


def lists(buddy: Buddy, zone: Zone) -> str:
    """The orders that have free blocks, and how many each: "0: 1, 3: 2"."""
    found = ", ".join(f"{order}: {count}" for order, count in enumerate(buddy.nr_free(zone)) if count)
    return found or "none"


def alloc_facts(rng: random.Random) -> Facts:
    """One free block, and a request for a few pages of it; what the model did with it."""
    top = rng.randrange(6, 11)
    return request_facts(rng.randrange(1, 64) << top, top, rng.randrange(2, top - 2), rng.randrange(1 << 16))


def request_facts(start: int, top: int, order: int, odd: int = 0) -> Facts:
    """The facts of a request for between 2**(order-1) and 2**order pages."""
    bench = one_block(start, top)
    pfn = bench.alloc(order)
    pages = (1 << order) - odd % max(1, (1 << order) // 2)
    blocks = bench.buddy.nr_free(bench.zone)
    return {"start": start, "top": top, "order": order, "pages": pages, "pfn": pfn, "blocks": blocks}


def alloc_steps(start: int, top: int, order: int, pages: int, pfn: int, blocks: list[int], **_: Any) -> Steps:
    """The four steps of a request."""
    left = f"order {order}" if top == order + 1 else f"orders {order} to {top - 1}"
    return Steps.of(
        (
            Step("order", "the smallest power of two that is enough", f"{pages} ≤ 2^{order}", f"order {order}"),
            Step(
                "free_area",
                "the first list from that order upwards that is not empty; its head",
                f"orders {order} to {top}",
                f"block {start:#x} of order {top}",
            ),
            Step(
                "split",
                "halve until the order is right; each upper half goes on its list",
                f"from order {top} down to {order}",
                f"{sum(blocks)} free blocks, {left}",
            ),
            Step(
                "take", "what is left at the bottom is handed out", f"the lower half {top - order} times", f"{pfn:#x}"
            ),
        )
    )


def free_facts(rng: random.Random) -> Facts:
    """A zone of single pages in use; some are free, and one more is given back: what the model merged."""
    while True:
        top = rng.randrange(6, 8)
        start = rng.randrange(1, 512) << top
        pfn = start + rng.randrange(1 << top)
        want = rng.randrange(1, 3)
        facts = given_back(start, top, pfn, want)
        if len({_run(facts), facts["order"], _pages(facts), 0}) == 4:
            return facts


def given_back(start: int, top: int, pfn: int, order: int) -> Facts:
    """Free the block of `order` round `pfn`, and pages on either side that cannot join it; `pfn` comes last."""
    bench = one_block(start, top)
    bench.fill(0)
    low, end = pfn >> order << order, ((pfn >> order) + 1) << order
    buddy = low ^ 1 << order
    in_use = buddy if buddy < low else buddy + (1 << order) - 1  # the buddy's page on the far side
    near = range(max(start, low - (1 << order) + 1), min(start + (1 << top), end + (1 << order)))
    open_pages = [page for page in near if page not in (pfn, in_use)]
    lonely = [page for page in range(start, start + (1 << top), 2) if not near.start - 2 < page < near.stop + 1]
    open_pages += lonely[: max(0, (4 << order) - len(open_pages) - 1)]
    for page in open_pages:
        bench.free(page)
    bench.free(pfn)
    first, merged = bench.buddy.block_of(pfn) or (pfn, 0)
    return {
        "start": start,
        "end": start + (1 << top),
        "pfn": pfn,
        "free": tuple(sorted({*open_pages, pfn})),
        "first": first,
        "order": merged,
        "trace": tuple(step.kind for step in bench.buddy.steps),
        "ranges": _ranges(open_pages),
        "stop": f"not all of the buddy, {first ^ 1 << merged:#x}, is free",
    }


def free_steps(pfn: int, first: int, order: int, stop: str, trace: tuple[str, ...], **_: Any) -> Steps:
    """The four steps of giving a page back; the first three are repeated until something stops them, `stop`."""
    merges = trace.count("merge")
    block = pfn >> order << order
    firsts = " → ".join(f"{pfn >> o << o:#x}" for o in range(order + 1))
    end = "the tail" if "put tail" in trace else "the head"
    return Steps.of(
        (
            Step(
                "buddy",
                "the block's first frame with one bit changed: pfn ^ (1 << order)",
                f"{pfn:#x} ^ 1",
                hex(pfn ^ 1),
            ),
            Step(
                "free?",
                "may they merge: same zone, all of the buddy free as one block, order below the largest?",
                f"orders 0 to {order}",
                f"yes {merges} times, then no: {stop}",
            ),
            Step("merge", "pfn & buddy is the new block; order + 1; again", firsts, f"{block:#x} of order {order}"),
            Step(
                "place",
                "head of the list; the tail if the next merge is likely",
                f"list of order {order}",
                f"{first:#x} at {end}",
            ),
        )
    )


def _ranges(pages: list[int]) -> str:
    found: list[list[int]] = []
    for page in sorted(pages):
        if found and found[-1][1] == page - 1:
            found[-1][1] = page
        else:
            found.append([page, page])
    return ", ".join(f"{a:#x} to {b:#x}" if a != b else f"{a:#x}" for a, b in found)


def _run(facts: Facts) -> int:
    """The order that the length of the run of free neighbours around the page would give."""
    low = high = facts["pfn"]
    free = set(facts["free"])
    while low - 1 in free:
        low -= 1
    while high + 1 in free:
        high += 1
    return (high - low + 1).bit_length() - 1


def _pages(facts: Facts) -> int:
    """The order that the number of free pages would give."""
    return len(facts["free"]).bit_length() - 1


SPLIT = Question(
    id="06.split",
    ask="One step is open. A toy zone is one free block of order {top}, first frame {start:#x}; {pages} pages are "
    "asked for. How many free blocks are there after the split?",
    facts=alloc_facts,
    answer=lambda blocks, **_: sum(blocks),
    misconceptions=(
        Misconception(
            "the whole block is cut into pieces of the size asked for",
            lambda top, order, **_: (1 << top - order) - 1,
            "Which half is cut again, and what happens to the other?",
        ),
        Misconception(
            "the rest stays one block", lambda **_: 1, "How many pages would that rest have: a power of two?"
        ),
        Misconception(
            "the block handed out is among the free ones",
            lambda blocks, **_: sum(blocks) + 1,
            "On which list does a block stand that somebody uses?",
        ),
    ),
    hints=("How often must the block be halved?", "split: each halving leaves one upper half on its list."),
    steps=alloc_steps,
    blank="split",
    because="each halving leaves one free upper half, from order {top} − 1 down to {order}.",
)

MERGE = Question(
    id="06.merge",
    ask="On your own. A toy zone of frames {start:#x} to {end:#x} (that one excluded), all in use but {ranges}. Now "
    "page {pfn:#x} is given back as well. What is the order of the free block that it ends up in?",
    facts=free_facts,
    answer=lambda order, **_: order,
    misconceptions=(
        Misconception("free pages stay single", lambda **_: 0, "What is the buddy of the page, and is it free?"),
        Misconception(
            "all free neighbours are joined",
            lambda **facts: _run(facts),
            "May a block of two pages begin at an odd frame?",
        ),
        Misconception(
            "it is the number of free pages that counts",
            lambda **facts: _pages(facts),
            "Which pages are buddies of which?",
        ),
    ),
    hints=(
        "Write the frame in binary: which bit does each order change?",
        "buddy, free?, merge: pfn ^ (1 << order), again with the next order as long as all of the buddy is free.",
    ),
    steps=free_steps,
    because="with the next order the buddy is not free as a whole: merging stops at order {order}.",
)

MERGE_STEP = replace(
    MERGE,
    id="06.merge-step",
    ask="One step is open, and what follows it. A toy zone of frames {start:#x} to {end:#x} (that one excluded), all "
    "in use but {ranges}. Now page {pfn:#x} is given back as well. How often may it merge?",
    blank="free?",
    because="a merge for each order below {order}; then {stop}.",
)
