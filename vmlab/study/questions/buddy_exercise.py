"""The questions of lesson 06's exercise: merging with one step open, a line of buddyinfo to read, a choice."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from ..claim import claim
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from ..trade import Way, trade_off
from ..weigh import Scenario
from .buddy_steps import MERGE_STEP
from .tlb_steps import apart


def _run_start(pfn: int, free: tuple[int, ...], **_: Any) -> int:
    """The first of the free pages that lie side by side around a page."""
    while pfn - 1 in free:
        pfn -= 1
    return pfn


WALK = apart(
    replace(
        MERGE_STEP,
        id="06.walk",
        ask="The step free? is open, and what follows it. A zone of frames {start:#x} to {end:#x} (that one "
        "excluded), all in use but {ranges}. Now page {pfn:#x} is given back as well. Which is the first frame of "
        "the free block that it ends up in?",
        answer=lambda first, **_: first,
        misconceptions=(
            Misconception(
                "a merged block begins where the page was",
                lambda pfn, **_: pfn,
                "Which of two buddies is the lower one?",
            ),
            Misconception("all free neighbours are joined", _run_start, "May a block of two begin at an odd frame?"),
            Misconception(
                "the block is named by its upper half",
                lambda first, order, **_: first + (1 << order - 1),
                "Which bit of the frame does a merge clear?",
            ),
        ),
        because="each merge clears one bit of the frame, up to order {order}; then {stop}.",
        show=hex,
    )
)


def _a_line(rng: random.Random) -> Facts:
    largest = rng.randrange(5, 9)
    counts = [rng.randrange(2, 60) if order <= largest else 0 for order in range(11)]
    counts[largest] = rng.randrange(1, 3)
    wanted = rng.randrange(3, largest - 1)
    return {"counts": counts, "line": " ".join(f"{count:6}" for count in counts), "order": wanted}


def _served(counts: list[int], order: int, **_: Any) -> int:
    """Blocks of `order` that can be had without any page coming back."""
    return sum(count << number - order for number, count in enumerate(counts) if number >= order)


def _line_steps(counts: list[int], order: int, **facts: Any) -> Steps:
    each = ", ".join(
        f"{count} × {1 << number - order}" for number, count in enumerate(counts) if number >= order and count
    )
    return Steps.of(
        (
            Step(
                "column", "column n counts the free blocks of 2^n pages", f"from column {order} on", "these can serve"
            ),
            Step("split", "a block of order n has 2^(n − order) of the wanted ones", each, f"{_served(counts, order)}"),
        )
    )


READ = apart(
    Question(
        id="06.read",
        ask="A zone's line in /proc/buddyinfo, orders 0 to 10: {line}. Nobody gives anything back, and nothing is "
        "compacted. How many requests of order {order} can be served?",
        facts=_a_line,
        answer=_served,
        misconceptions=(
            Misconception(
                "only the list of that order serves it",
                lambda counts, order, **_: counts[order],
                "What happens to a larger block when that list is empty?",
            ),
            Misconception(
                "every free page counts",
                lambda counts, order, **_: sum(count << number for number, count in enumerate(counts)) >> order,
                "Can two single pages that are no buddies make a block?",
            ),
            Misconception(
                "a larger block serves one request",
                lambda counts, order, **_: sum(counts[order:]),
                "Where does the upper half go when a block is halved?",
            ),
            Misconception(
                "each order is one page more",
                lambda counts, order, **_: sum(
                    count * (number + 1) // (order + 1) for number, count in enumerate(counts) if number >= order
                ),
                "How many pages has a block of order 3?",
            ),
        ),
        because="lists below the order do not help; a block of order n serves 2^(n − {order}) requests.",
        hints=(
            "Which lists can serve such a request at all?",
            "split: a block of order n holds 2^(n − order) of them.",
        ),
        steps=_line_steps,
    )
)


def _a_request(rng: random.Random) -> Facts:
    order = rng.randrange(3, 8)
    top = rng.randrange(order, 9) if rng.random() < 0.5 else order - 1
    counts = [rng.randrange(2, 90) if number <= top else 0 for number in range(11)]
    counts[0] += 2 << order  # enough pages in any case
    pages = sum(count << number for number, count in enumerate(counts))
    return {"order": order, "wanted": 1 << order, "pages": pages, "line": " ".join(f"{n}" for n in counts), "top": top}


CLAIM = claim(
    "06.claim",
    "A zone's free blocks, orders 0 to 10: {line}. That makes {pages:,} pages. Judge this: 'A request of order "
    "{order} that may not wait gets its {wanted} pages, since {pages:,} are free.'",
    _a_request,
    {
        "right": "right: enough pages are free",
        "block": "it gets them, but for another reason: a block of that order or a larger one is free",
        "fragment": "wrong: no free block is large enough",
        "compact": "it gets them: the allocator moves pages together first",
    },
    lambda order, top, **_: "block" if top >= order else "fragment",
    {
        "right": ("free pages can be put together as they are needed", "Must the pages of a block lie side by side?"),
        "compact": ("compaction is always there to help", "May a request that must not wait have pages moved?"),
    },
    "the largest free block has order {top}, and order {order} is asked for.",
    ("Which is the largest order that has a free block?", "order {top} free, order {order} wanted"),
    "it makes no difference which orders have free blocks",
)

WAY = trade_off(
    "06.way",
    "A driver needs buffers of 4 MiB now and then. Which way is left if these three matter?",
    {
        "late": "it works after weeks of uptime, when memory is fragmented",
        "contiguous": "the frames of a buffer are contiguous, as the device needs it",
        "interrupt": "a buffer can be had in an interrupt, which must not sleep",
        "idle": "memory is not lost to others while there is no buffer",
    },
    {
        "pages": Way("alloc_pages() of order 10", "late", "no such block is left once memory is fragmented"),
        "vmalloc": Way(
            "single pages in a mapping of their own, atomic allocations", "contiguous", "its frames lie anywhere"
        ),
        "cma": Way("cma_alloc() from an area that is lent out meanwhile", "interrupt", "migration has to sleep"),
        "pool": Way("a pool of buffers, taken at boot", "idle", "the pool is taken whether used or not"),
    },
)

OWN_JUMBO = Scenario(
    id="06.own-jumbo",
    ask="A network driver takes frames of 9,000 bytes, in interrupts, after weeks of uptime. From where do its buffers "
    "come, and what do you give up?",
    ways=(
        (
            "blocks of order 2, one a frame",
            "each buffer in one piece, the simplest code",
            "7,384 bytes lost each; once memory is in pieces, packets are lost",
        ),
        (
            "blocks of order 3, three frames in each",
            "5,768 bytes lost for three",
            "order 3 is rarer than order 2, and a block comes back only when all three are done",
        ),
        (
            "three single pages for a frame",
            "never fails because memory is in pieces",
            "the device has to gather them, and so does whoever reads the packet",
        ),
        (
            "a pool, filled at boot and used again and again",
            "always there, nothing to ask for in the interrupt",
            "gone for everybody else, and too small on the worst day",
        ),
        (
            "order 2, and single pages where there is none",
            "fast on good days, right on bad ones",
            "two ways to test, and the second is rarely tried",
        ),
    ),
)
