"""Lesson 11's functions to write: LRU's misses at every size, and who goes at a second chance."""

from __future__ import annotations

import functools
import random

from ...process.replacement import misses
from ...process.replay import replay
from ...process.sweep import curve
from ...units import VmlabError
from ..plain import Plain
from ..question import Misconception
from ..task import Given, Task

BARRED = (*Task.barred, "vmlab.process")

# --- missed: a curve from stack distances ---


def _draw_trace(rng: random.Random, size: float) -> Given:
    pool = rng.sample(range(1, 40), 3 + int(size * 5))
    pages = [rng.choice(pool[: 2 + index // 3]) for index in range(6 + int(size * 24))]
    return {"pages": pages, "sizes": [2, 3, 4 + int(size * 2)]}


@functools.lru_cache(maxsize=512)
def _missed(pages: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[int, ...]:
    whole = curve("lru", list(pages))
    return tuple(whole.at(size) for size in sizes)


def _curve(pages: list[int], sizes: list[int]) -> Plain:
    if not pages or not sizes:
        raise VmlabError("expected references and sizes, got none")
    return list(_missed(tuple(pages), tuple(sizes)))


def _by_distance(pages: Plain, sizes: Plain, *, distinct: bool = True, beyond: int = 0) -> Plain:
    """A reference hits if its distance is at most the size; `beyond` is added to every distance."""
    last: dict[int, int] = {}
    distances = []
    for at, page in enumerate(pages):
        between = pages[last[page] : at] if page in last else None
        if between is not None:
            distances.append((len(set(between)) if distinct else len(between)) + beyond)
        last[page] = at
    return [len(pages) - sum(distance <= size for distance in distances) for size in sizes]


MISSED = Task(
    id="11.missed",
    signature="missed(pages, sizes)",
    ask="Return how often LRU misses with each number of frames in `sizes`, as a list. `pages` are the references in "
    "order; memory is empty at first.",
    draw=_draw_trace,
    args=lambda pages, sizes: [pages, sizes],
    answer=_curve,
    loads=lambda pages, sizes: (
        "from vmlab.process.replay import replay\n"
        f"story = replay('lru', {sizes[0]}, {pages})  # with {sizes[0]} frames\nprint(story.tell())"
    ),
    what="traces",
    barred=BARRED,
    beliefs=(
        Misconception(
            "what came first goes first",
            lambda pages, sizes: [misses("fifo", size, pages) for size in sizes],
            "Does a page that is used become younger?",
        ),
        Misconception(
            "all references between two uses count, the same page each time anew",
            lambda pages, sizes: _by_distance(pages, sizes, distinct=False),
            "How many frames does a page take that is used twice in between?",
        ),
        Misconception(
            "the page itself takes no frame",
            lambda pages, sizes: _by_distance(pages, sizes, beyond=-1),
            "With two other pages in between and two frames: is the page still there?",
        ),
        Misconception(
            "only the first use of a page misses",
            lambda pages, sizes: [len(set(pages)) for _ in sizes],
            "Do all the pages fit at once?",
        ),
        Misconception(
            "first uses are no misses",
            lambda pages, sizes: [found - len(set(pages)) for found in _by_distance(pages, sizes)],
            "Where is a page before its first use?",
        ),
    ),
    hints=(
        "How many different pages have been used since the page's last use, itself included?",
        "distance: that number; the reference hits with every size from it up. A first use always misses.",
    ),
)

# --- second_chance: a bug to find ---


def _draw_ring(rng: random.Random, size: float) -> Given:
    frames = 3 + int(size * 4)
    pool = range(1, 2 * frames + 2)
    pages = [rng.choice(pool) for _ in range(frames * 4)]
    return {"frames": frames, "pages": [*pool[:frames], *pages]}


@functools.lru_cache(maxsize=512)
def ring_at(frames: int, pages: tuple[int, ...]) -> tuple[list[int], list[int], int]:
    """CLOCK's ring, its R bits and its hand after these references; VmlabError while a frame is free."""
    moment = replay("clock", frames, list(pages)).at(len(pages))
    (ring,) = moment.queues.values()
    if len(ring) < frames:
        raise VmlabError(f"expected {frames} different pages and more, got {len(ring)}")
    return ring, [int(moment.marks[page] == _SET) for page in ring], moment.hand


_SET = 2  # replacement_kernels.REFERENCED


def _chosen(frames: int, pages: list[int]) -> Plain:
    """The victim when a page comes that is not there, and the bits that the hand leaves."""
    new = max(pages) + 1
    story = replay("clock", frames, [*pages, new])
    victim = story.references[-1].victim
    moment = story.at(len(pages) + 1)
    ring = ring_at(frames, tuple(pages))[0]
    assert victim is not None
    return [victim, [0 if page == victim else int(moment.marks[page] == _SET) for page in ring]]


def _second(ring: Plain, bits: Plain, hand: int, *, start: int | None = None, clears: bool = True) -> Plain:
    """The obvious clock, with what a belief changes."""
    left, at = list(bits), hand if start is None else start
    for _ in range(2 * len(ring)):
        if not left[at] or (not clears and all(bits)):
            break
        left[at] = 0 if clears else 1
        at = (at + 1) % len(ring)
    return [ring[at], left]


def _args(frames: int, pages: list[int]) -> list[Plain]:
    if frames < 2 or not pages:
        raise VmlabError("expected two frames or more, and references")
    ring, bits, hand = ring_at(frames, tuple(pages))
    return [ring, bits, hand]


SECOND_CHANCE = Task(
    id="11.second_chance",
    signature="second_chance(ring, bits, hand)",
    ask="A page comes that is not in memory, and all frames are in use. Return [victim, bits]: the page that goes "
    "by CLOCK, and the R bits as the hand leaves them. `ring` are the pages frame by frame, `bits` their R bits (0 or "
    "1), `hand` the frame that the hand points at.",
    draw=_draw_ring,
    args=_args,
    answer=_chosen,
    loads=lambda frames, pages: (
        "from vmlab.process.replay import replay\n"
        f"moment = replay('clock', {frames}, {pages}).at({len(pages)})\nprint(moment.queues, moment.marks, moment.hand)"
    ),
    what="rings",
    barred=BARRED,
    beliefs=(
        Misconception(
            "a second chance costs nothing: the bit stays",
            lambda ring, bits, hand: _second(ring, bits, hand, clears=False),
            "When would a page that was used once ever go?",
        ),
        Misconception(
            "each search begins at frame 0",
            lambda ring, bits, hand: _second(ring, bits, hand, start=0),
            "What is the hand for?",
        ),
        Misconception(
            "the page at the hand goes",
            lambda ring, bits, hand: [ring[hand], list(bits)],
            "That is FIFO. What does its R bit say?",
        ),
        Misconception(
            "all bits are cleared at each search",
            lambda ring, bits, hand: [_second(ring, bits, hand)[0], [0] * len(bits)],
            "Which pages has the hand not come to?",
        ),
    ),
    hints=(
        "At which frame does the hand stand, and what does it do with a bit that is set?",
        "hand: bit set: clear it and go on, round the ring; bit clear: this page goes. Bits not passed stay.",
    ),
)
