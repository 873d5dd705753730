"""Questions of lesson 06 about the asker's list beside buddy: the same requests for both, and what each did with them.

The zone is the workbench's NewMem; buddy is asked without per-CPU lists, which are lists of single pages themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from ...kernel import boot
from ...physical.page_list import PageList
from ...physical.race import Lane, Request, in_and_out, race, short_lived
from ..question import Facts, Misconception, Question
from ..weigh import Scenario
from ..workbench import MAX_ORDER, PAGEBLOCK_ORDER, board

COUNT, KEPT_EVERY, LONG = 4096, 100, 16_000
TRACES: dict[str, tuple[str, Callable[[], list[Request]]]] = {
    f"{COUNT:,} single pages, then all back in random order": ("LIFO", lambda: in_and_out(COUNT)),
    f"one page at a time, each {KEPT_EVERY}th kept; list LIFO": ("LIFO", lambda: short_lived(LONG, KEPT_EVERY)),
    f"one page at a time, each {KEPT_EVERY}th kept; list FIFO": ("FIFO", lambda: short_lived(LONG, KEPT_EVERY)),
    "512 blocks of 8 pages": ("LIFO", lambda: [Request(slot, 3) for slot in range(512)]),
}
COLUMNS = ("requests", "who", "served", "cannot", "list operations", "most for one", "free, but of no use for order 9")


@cache
def lanes(name: str) -> tuple[Lane, Lane]:
    """What the list and buddy made of one of the TRACES, each on a fresh NewMem."""
    order, requests = TRACES[name]
    mine, theirs = boot(board()), boot(board())
    return race(PageList(mine, "NewMem", order=order, claim=True), theirs.buddy, theirs.zones["NewMem"], requests())


def rows() -> list[tuple[object, ...]]:
    """Both lanes of every trace."""
    found: list[tuple[object, ...]] = []
    for name in TRACES:
        for lane in lanes(name):
            useless = lane.unusable(PAGEBLOCK_ORDER, MAX_ORDER) / 10
            counted = (lane.served, lane.cannot, lane.list_operations, lane.most, f"{useless:.1f} %")
            found.append((name, lane.name, *counted))
    return found


def _facts(_: object) -> Facts:
    mine, theirs = lanes(next(iter(TRACES)))
    ours, buddys = mine.list_operations, theirs.list_operations
    return {"count": COUNT, "list": ours, "buddy": buddys, "max_order": MAX_ORDER, "times": buddys / ours}


RACE = Question(
    id="06.race",
    ask="{count:,} single pages are taken one by one, then all are given back in random order. The list puts a page "
    "on or takes one off {list:,} times: once a request. How many times does buddy, without per-CPU lists, put a "
    "block on a list or take one off?",
    facts=_facts,
    answer=lambda buddy, **_: buddy,
    misconceptions=(
        Misconception(
            "buddy does the same for a single page",
            lambda list, **_: list,
            "What stands on the lists of order 0 at first?",
        ),
        Misconception(
            "every request walks through all orders",
            lambda list, max_order, **_: list * max_order,
            "After one block of order 10 was split for the first page, from where does the second come?",
        ),
        Misconception(
            "only giving back costs more",
            lambda list, max_order, **_: list // 2 * (1 + max_order),
            "Does a split put nothing on a list?",
        ),
    ),
    because="{times:.2f} times as many: half of all pages need no split, a quarter need one, and so on; merging is the "
    "same backwards.",
)

OWN_WAY = Scenario(
    id="06.own-way",
    ask="You own NewMem's 131,072 frames. How do you manage them, and what do you give up for it?",
    ways=(
        (
            "a doubly linked list",
            "a page for the cost of one link, always",
            "never two pages side by side; its own locks",
        ),
        ("buddy", "blocks of any order, merged as they come back", "up to ten splits or merges a request"),
        (
            "buddy with a short list before it (what Linux does)",
            "both, most of the time",
            "pages on the short list merge with nothing",
        ),
        ("a bitmap", "one bit a frame; any run can be looked for", "looking takes time that grows with the zone"),
    ),
)
