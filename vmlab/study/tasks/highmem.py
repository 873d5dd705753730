"""Lesson 08's functions to write: the slot that each page was read through, and how the pool finds a free one."""

from __future__ import annotations

import random

from ...units import VmlabError
from ...virtual.pkmap import Pkmap, Waits
from ..plain import Plain
from ..question import Misconception
from ..task import Given, Task

BASE = 0xBFE0_0000  # of an ARM board's window
FIRST, NEW = 100, 1000  # frames that slots show, and one that none shows yet; a real one has larger numbers


def _pool(slots: int, last: int) -> Pkmap:
    if slots < 2 or not 0 <= last < slots:
        raise VmlabError(f"window: expected two slots or more, and last_pkmap_nr among them; got {slots} and {last}")
    pool = Pkmap(BASE, slots)
    pool.restore(last, ())
    return pool


# --- slots_of: pages that are read one after the other ---


def _draw_reads(rng: random.Random, size: float) -> Given:
    slots = 3 + int(size * 5)
    pages = [FIRST + rng.randrange(slots + 2) for _ in range(4 + int(size * 3 * slots))]
    return {"slots": slots, "last": rng.randrange(slots), "pages": pages}


def _read_through(slots: int, last: int, pages: list[int]) -> Plain:
    """kmap and kunmap page after page in the model's pool."""
    if not pages or min(pages) < 1:
        raise VmlabError("pages: expected the frames that are read, each 1 or more")
    pool, found = _pool(slots, last), []
    for pfn in pages:
        va = pool.kmap(pfn)
        assert not isinstance(va, Waits), "every window was given back"
        found.append(pool.number(va))
        pool.kunmap(pfn)
    return found


def _round(
    slots: int, last: int, pages: Plain, *, looks: bool = True, flush: bool = True, moves: bool = True, ahead: int = 1
) -> Plain:
    """The obvious round, with what a belief changes; the first slot looked at is `last` + `ahead`."""
    there: dict[int, int] = {}
    following, found = (last + ahead) % slots, []
    for page in pages:
        if page not in there or not looks:
            if following == 0 and flush:
                there = {}
            there = {other: slot for other, slot in there.items() if slot != following} | {page: following}
            following = (following + moves) % slots
        found.append(there[page])
    return found


SLOTS_OF = Task(
    id="08.slots_of",
    signature="slots_of(slots, last, pages)",
    ask="Return for each page the slot through which it is read. kmap's window has `slots` slots, nobody uses any, and "
    "no page is mapped; `last` is last_pkmap_nr. `pages` are HighMem frames, read one after the other, each with kmap "
    "and kunmap. A page may come again.",
    draw=_draw_reads,
    args=lambda slots, last, pages: [slots, last, pages],
    answer=_read_through,
    loads=lambda slots, last, pages: (
        "from vmlab.virtual.pkmap import Pkmap\n"
        f"pool = Pkmap({BASE:#x}, {slots}); pool.restore(last={last}, slots=[])\n"
        f"pages = {pages}\n"
        "print([(pool.number(pool.kmap(pfn)), pool.kunmap(pfn))[0] for pfn in pages], pool.counts)"
    ),
    what="rows of reads",
    beliefs=(
        Misconception(
            "each kmap takes a new slot",
            lambda slots, last, pages: _round(slots, last, pages, looks=False),
            "What does kmap look up before it looks for a slot?",
        ),
        Misconception(
            "a slot that was given back is used again at once",
            lambda slots, last, pages: _round(slots, last, pages, moves=False),
            "What is its count, and what may a TLB still hold?",
        ),
        Misconception(
            "a page stays where it was until its slot is needed",
            lambda slots, last, pages: _round(slots, last, pages, flush=False),
            "What happens to all idle slots when the scan comes to slot 0?",
        ),
        Misconception(
            "the scan begins with the slot that it came to last",
            lambda slots, last, pages: _round(slots, last, pages, ahead=0),
            "What is done to last_pkmap_nr before the count is looked at?",
        ),
        Misconception(
            "the slot follows from the frame's number",
            lambda slots, last, pages: [page % slots for page in pages],
            "What would two such frames do to each other?",
        ),
    ),
    hints=(
        "Which pages still have a window when the next one is read?",
        "wrap: when the scan comes to slot 0, all idle slots are forgotten. Until then, a page has the slot it had.",
    ),
)

# --- take: a bug to find ---


def _draw_counts(rng: random.Random, size: float) -> Given:
    slots = 3 + int(size * 6)
    choose = (2, 3) if rng.random() < 0.12 else (0, 1, 1, 1, 2, 2, 3)
    return {"counts": [rng.choice(choose) for _ in range(slots)], "last": rng.randrange(slots)}


def _restored(counts: list[int], last: int) -> Pkmap:
    pool = _pool(len(counts), last)
    pool.restore(last, [(slot, FIRST + slot, count) for slot, count in enumerate(counts) if count])
    return pool


def _taken(counts: list[int], last: int) -> Plain:
    """What the model's pool does with one page more."""
    pool = _restored(counts, last)
    va = pool.kmap(NEW)
    return [None if isinstance(va, Waits) else pool.number(va), pool.counts]


def _scan(counts: Plain, last: int, *, usable: int = 0, flushed: str = "idle", users: int = 1) -> Plain:
    """The obvious scan, with what a belief changes. `flushed` at slot 0: "idle", "first" of those, or "all"."""
    left, at = list(counts), last
    for _ in range(2 * len(left)):
        at = (at + 1) % len(left)
        if at == 0:
            gone = [slot for slot, count in enumerate(left) if count == 1 or (flushed == "all" and count)]
            for slot in gone[:1] if flushed == "first" else gone:
                left[slot] = 0
        if left[at] <= usable:
            left[at] = 1 + users
            return [at, left]
    return [None, left]


def _from_the_bottom(counts: Plain) -> Plain:
    """The lowest slot of count 0; where there is none, a flush, and again."""
    left = list(counts) if 0 in counts else [0 if count == 1 else count for count in counts]
    if 0 not in left:
        return [None, left]
    at = left.index(0)
    left[at] = 2
    return [at, left]


def _only_when_none_is_left(counts: Plain, last: int) -> Plain:
    """On from the last slot; a flush only where a whole round found nothing."""
    order = [(last + step) % len(counts) for step in range(1, len(counts) + 1)]
    for left in (list(counts), [0 if count == 1 else count for count in counts]):
        for at in order:
            if not left[at]:
                left[at] = 2
                return [at, left]
    return [None, list(counts)]


TAKE = Task(
    id="08.take",
    signature="take(counts, last)",
    ask="A HighMem page that has no window is mapped with kmap. Return [slot, counts]: the slot that it gets, and all "
    "counts after that. `counts` are the slots' counts (0: free; 1: nobody's, but still in the page table; n: n - 1 "
    "users), `last` is last_pkmap_nr. If every slot has users, the task sleeps: return [None, counts].",
    draw=_draw_counts,
    args=lambda counts, last: [counts, last],
    answer=_taken,
    loads=lambda counts, last: (
        "from IPython.display import display\nfrom vmlab import views\nfrom vmlab.virtual.pkmap import Pkmap\n"
        f"pool = Pkmap({BASE:#x}, {len(counts)})\n"
        f"pool.restore({last}, [(slot, {FIRST} + slot, count) for slot, count in enumerate({counts}) if count])\n"
        'display(views.kmap_window(pool, "Before the kmap"))'
    ),
    what="windows",
    beliefs=(
        Misconception(
            "a slot that nobody uses can be taken at once",
            lambda counts, last: _scan(counts, last, usable=1),
            "Which frame may another CPU's TLB still find at that address?",
        ),
        Misconception(
            "the lowest free slot is taken",
            lambda counts, last: _from_the_bottom(counts),
            "Where does the scan go on?",
        ),
        Misconception(
            "idle slots are flushed only when a whole round found no free one",
            _only_when_none_is_left,
            "What happens each time the scan comes to slot 0?",
        ),
        Misconception(
            "a flush frees one slot, for the page that needs it",
            lambda counts, last: _scan(counts, last, flushed="first"),
            "What costs more: to clear entries, or to make all CPUs forget them?",
        ),
        Misconception(
            "the wrap takes every window away",
            lambda counts, last: _scan(counts, last, flushed="all"),
            "Who still reads through a slot whose count is 2?",
        ),
        Misconception(
            "the count is the number of users",
            lambda counts, last: _scan(counts, last, users=0),
            "Which count says that nobody uses the slot, although it is mapped?",
        ),
    ),
    hints=(
        "Which counts may be handed out, and what makes a 1 into a 0?",
        "wrap: when the scan comes to slot 0, every 1 becomes 0 before it is looked at. Only a 0 is taken; it gets 2.",
    ),
)
