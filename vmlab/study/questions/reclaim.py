"""Predictions of lesson 11 about policies: more frames, circles, counting, scans, sizes. All are run."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterable

from ...process.policies import POLICIES
from ...process.replacement import Dense, dense, misses
from ...process.sweep import Curve, curve
from ...trace import LOAD, STORE, load_trace
from ..question import Facts, Misconception, Question, always
from .tlb_steps import apart

BELADY = (1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5)
PROGRAM, FRAMES = "python", 100
SCANNERS = ("fifo", "lru", "clock", "arc", "sieve", "s3fifo", "linux", "mglru", "opt")


def titled(names: Iterable[str], missed: Callable[[str], int]) -> list[tuple[str, int]]:
    """Rows of a table: each policy by the name that people know, and its misses."""
    return [(POLICIES[name].title, missed(name)) for name in names]


@functools.cache
def program(name: str = PROGRAM) -> Dense:
    """The loads and stores of a recorded program."""
    return dense(load_trace(name).only(LOAD, STORE))


@functools.cache
def touched() -> int:
    """Pages that the program's loads and stores touch: each is missed once at least."""
    return int(whole().misses[-1])


@functools.cache
def missed(policy: str, frames: int = FRAMES, name: str = PROGRAM) -> int:
    """Misses of a recorded program."""
    return misses(policy, frames, program(name))


@functools.cache
def whole(name: str = PROGRAM) -> Curve:
    """LRU's misses at every size."""
    return curve("lru", program(name))


@functools.cache
def hot_and_scan() -> tuple[int, ...]:
    """A hot set of 8 pages in turns with pages that are used once and never again; 4,000 references."""
    rng = random.Random(1)
    return tuple(rng.randrange(8) if n % 2 else 1000 + n for n in range(4000))


@functools.cache
def scan_misses(policy: str) -> int:
    """Misses of that with 16 frames."""
    return misses(policy, 16, list(hot_and_scan()))


def _belady(rng: random.Random) -> Facts:
    return {"three": misses("fifo", 3, list(BELADY)), "four": misses("fifo", 4, list(BELADY))}


ANOMALY = Question(
    id="11.anomaly",
    ask="FIFO, 3 frames, pages 1 2 3 4 1 2 5 1 2 3 4 5: {three} misses. How many with 4 frames?",
    facts=_belady,
    answer=lambda three, four: four,
    misconceptions=(
        Misconception(
            "a frame more saves a miss", lambda three, four: three - 1, "Which page went to make room for 5?"
        ),
        Misconception("five pages miss once each, then all fit", always(5), "How many frames would five pages need?"),
        Misconception(
            "a page that fits is never given up", lambda three, four: three - 3, "Does FIFO look at what is used?"
        ),
        Misconception(
            "the policy does not see the difference", lambda three, four: three, "Play it: what is in memory?"
        ),
    ),
    because="with 4 frames the hits on 1 and 2 do not make them younger, and 5 pushes out what comes next (Belady "
    "1969).",
)


def _loop(rng: random.Random) -> Facts:
    frames, rounds = rng.randrange(5, 12), rng.randrange(6, 15)
    return {"frames": frames, "pages": frames + 1, "rounds": rounds}


def loop_misses(policy: str, frames: int, pages: int, rounds: int) -> int:
    """Misses of a program that goes through its pages in a circle."""
    return misses(policy, frames, list(range(pages)) * rounds)


LOOP = apart(
    Question(
        id="11.loop",
        ask="A program goes {rounds} times through {pages} pages, in order. Memory has {frames} frames: one too "
        "few. How many misses does LRU have?",
        facts=_loop,
        answer=lambda **facts: loop_misses("lru", **facts),
        misconceptions=(
            Misconception(
                "one frame too few is one miss a round",
                lambda frames, pages, rounds: pages + rounds - 1,
                "After the first round: which page is the one used longest ago, and which is needed next?",
            ),
            Misconception("LRU is as good as OPT", lambda **facts: loop_misses("opt", **facts), "Can LRU see ahead?"),
            Misconception(
                "after the first round all is there", lambda frames, pages, rounds: pages, "Do all pages fit at once?"
            ),
        ),
        because="the page used longest ago is the one needed next: every reference misses.",
    )
)

COUNTING = Question(
    id="11.counting",
    ask="A recorded Python program makes {references:,} loads and stores to {pages} pages. With {frames} frames LRU "
    "misses {lru:,} times. LFU gives up the page that was used least often since it came. How often does it miss?",
    facts=lambda rng: {
        "references": len(program().trace),
        "pages": touched(),
        "frames": FRAMES,
        "lru": missed("lru"),
        "lfu": missed("lfu"),
    },
    choices=lambda references, pages, frames, lru, lfu: {
        "fewer": f"about {lru // 2:,} times: it keeps what is used most",
        "same": f"about {lru:,} times, as LRU",
        "twice": f"about {2 * lru:,} times: it is a little slow to notice changes",
        "many": "more than a hundred times as often as LRU",
    },
    answer=lambda references, pages, frames, lru, lfu: min(
        {"fewer": lru // 2, "same": lru, "twice": 2 * lru, "many": 150 * lru}.items(),
        key=lambda pair: abs(pair[1] - lfu),
    )[0],
    misconceptions=(
        Misconception("what was used most is needed most", always("fewer"), "And when the program is done with it?"),
        Misconception("to count or to look at the clock is all the same", always("same"), "Whose count is lowest?"),
        Misconception("an old count fades", always("twice"), "What lowers the count of a page in memory?"),
    ),
    because="pages of the start keep their high counts for ever, and each new page, used once, is the next to go.",
)

SCAN = Question(
    id="11.scan",
    ask="A hot set of 8 pages, and between each two of its references a page that is read once and never again (a "
    "backup runs). 16 frames. Of 4,000 references OPT misses {opt:,}. How many does LRU miss?",
    facts=lambda rng: {policy: scan_misses(policy) for policy in ("opt", "lru", "arc")},
    choices=lambda opt, lru, arc: {
        "same": f"about {opt:,} as well: 8 hot pages fit into 16 frames with room to spare",
        "some": f"some hundred more than {opt:,}",
        "all": "nearly all 4,000",
    },
    answer=lambda opt, lru, arc: min(
        {"same": opt, "some": opt + 500, "all": 4000}.items(), key=lambda pair: abs(pair[1] - lru)
    )[0],
    misconceptions=(
        Misconception(
            "what fits stays", always("same"), "How many different pages come between two uses of a hot page?"
        ),
        Misconception("a scan empties every cache", always("all"), "How soon is each of the hot pages used again?"),
    ),
    because="a hot page whose turn is late by chance has gone; ARC, SIEVE and S3-FIFO, which ask whether a page was "
    "used twice, lose almost none.",
)


CLIFF = Question(
    id="11.cliff",
    ask="The Python program under LRU misses {small:,} times with {few} frames. With {many} frames, twice as many, "
    "how often?",
    facts=lambda rng: {"few": 100, "many": 200, "small": whole().at(100), "large": whole().at(200)},
    choices=lambda few, many, small, large: {
        "half": f"about {small // 2:,} times: twice the memory, half the misses",
        "same": f"about {small:,} times: what is hot fits already",
        "third": f"about {small // 3:,} times, a third",
        "first": "once for each page: all fits now",
    },
    answer=lambda few, many, small, large: min(
        {"half": small / 2, "same": small, "third": small / 3, "first": touched()}.items(),
        key=lambda pair: abs(pair[1] - large),
    )[0],
    misconceptions=(
        Misconception("misses fall as memory grows", always("half"), "Is the curve a straight line?"),
        Misconception("more memory does not help a hot program", always("same"), "Is the curve flat there?"),
        Misconception("all of it fits", always("first"), "How many pages has the program?"),
    ),
    because="only the program's own curve says: it is read off one pass, for all sizes at once.",
)
