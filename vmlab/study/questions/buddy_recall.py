"""Questions of lesson 06 that are asked from memory: at its end, and in later lessons."""

from __future__ import annotations

import random

from ..question import Facts, Misconception, Question
from . import mem_map_recall


def _choice(rng: random.Random) -> Facts:
    return {"order": rng.randrange(5, 11)}


BYTES = Question(
    id="06.recall.bytes",
    ask="How many KiB has a block of order {order}, with pages of 4 KiB?",
    facts=_choice,
    answer=lambda order: 4 << order,
    misconceptions=(
        Misconception("the order counts pages", lambda order: 4 * order, "How many pages has order 0?"),
        Misconception("a block has 2^order KiB", lambda order: 1 << order, "In which unit does 2^order count?"),
    ),
    because="2^{order} pages of 4 KiB.",
)
SPLITS = Question(
    id="06.recall.splits",
    ask="The only free block has order {order}. How many splits does a request for one page need?",
    facts=_choice,
    answer=lambda order: order,
    misconceptions=(
        Misconception("every page is cut off", lambda order: (1 << order) - 1, "Which half is cut again?"),
        Misconception("one cut is enough", lambda order: 1, "How large is the half?"),
    ),
    because="each split lowers the order by one.",
)
ROUNDED = Question(
    id="06.recall.rounded",
    ask="Somebody needs {pages} contiguous pages. How many does a block from alloc_pages() have for them?",
    facts=lambda rng: {"pages": rng.choice((3, 5, 6, 9, 11, 17, 33, 65, 100))},
    answer=lambda pages: 1 << (pages - 1).bit_length(),
    misconceptions=(
        Misconception("a block may have any number of pages", lambda pages: pages, "Which sizes have a free list?"),
        Misconception("the order is rounded down", lambda pages: 1 << pages.bit_length() - 1, "Is that enough?"),
    ),
    because="an order is a power of two.",
)
START = (mem_map_recall.KEPT, mem_map_recall.COST, mem_map_recall.WHY_LOW)
END = (BYTES, SPLITS, ROUNDED)
