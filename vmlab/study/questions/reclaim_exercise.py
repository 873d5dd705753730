"""The questions of lesson 11's exercise: a hand to follow, a curve to read, a claim, a choice."""

from __future__ import annotations

import random

from ...process.replacement import misses
from ...process.replay import replay
from ...process.sweep import curve
from ..question import Facts, Misconception, Question, always
from ..steps import Step, Steps
from ..trade import Way, trade_off
from ..weigh import Scenario
from .tlb_steps import apart

SET = 2  # the mark of a page whose R bit is set


def _a_ring(rng: random.Random) -> Facts:
    """A ring whose hand stands on a set bit, and where beliefs do not meet."""
    while True:
        frames = rng.randrange(4, 8)
        pool = rng.sample(range(20, 90), frames + 4)
        string = [*pool[:frames], *(rng.choice(pool) for _ in range(3 * frames))]
        moment = replay("clock", frames, string).at(len(string))
        (ring,) = moment.queues.values()
        bits, hand = [int(moment.marks[page] == SET) for page in ring], moment.hand
        found = next((at for at in [*range(hand, frames), *range(hand)] if not bits[at]), hand)
        if 0 in bits and 4 == len({hand, hand - 1 if hand else frames - 1, bits.index(0), found}):
            told = {"ring": " ".join(map(str, ring)), "bits": " ".join(map(str, bits)), "hand": hand}
            return {"frames": frames, "string": tuple(string), "new": 99, **told}


def _gone(policy: str, frames: int, string: tuple[int, ...], new: int, **_: object) -> int:
    victim = replay(policy, frames, [*string, new]).references[-1].victim
    assert victim is not None
    return victim


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split()]


def _from_zero(ring: str, bits: str, **_: object) -> int:
    return _numbers(ring)[_numbers(bits).index(0)]


def _hand_steps(ring: str, bits: str, hand: int, **facts: object) -> Steps:
    pages, marks = _numbers(ring), _numbers(bits)
    order = [*range(hand, len(pages)), *range(hand)]
    passed = [pages[at] for at in order[: next((n for n, at in enumerate(order) if not marks[at]), len(order))]]
    victim = _gone("clock", string=facts["string"], frames=facts["frames"], new=facts["new"])  # type: ignore[arg-type]
    return Steps.of(
        (
            Step("hand", "the page that it points at", f"frame {hand}", f"page {pages[hand]}"),
            Step("pass", "bits that it clears on its way", "until one is clear", " ".join(map(str, passed)) or "none"),
            Step("victim", "the first page whose bit is clear", "round the ring", f"{victim}"),
        )
    )


WALK = apart(
    Question(
        id="11.walk",
        ask="The step victim is open. CLOCK, {frames} frames. The pages in frames 0, 1 and so on: {ring}. Their R "
        "bits: {bits}. The hand points at frame {hand}. Page {new} comes. Which page goes?",
        facts=_a_ring,
        answer=lambda **facts: _gone("clock", **facts),
        misconceptions=(
            Misconception(
                "the page at the hand goes",
                lambda ring, hand, **_: _numbers(ring)[hand],
                "That is FIFO. What does its R bit say?",
            ),
            Misconception("each search begins at frame 0", _from_zero, "What is the hand for?"),
            Misconception(
                "the page that came last has had its turn",
                lambda ring, hand, **_: _numbers(ring)[hand - 1],
                "Which way does the hand go?",
            ),
        ),
        hints=(
            "Where does the hand stand, and what is the first bit it meets?",
            "victim: past all set bits, the next.",
        ),
        steps=_hand_steps,
        blank="victim",
        because="from the hand on, it is the first whose bit is clear; all bits before it are cleared.",
    )
)


def two_loops(small: int, large: int) -> list[int]:
    """A program that reads, in turns, the next page of an index and the next page of a table, both in circles."""
    rounds = 4 * large
    return [page for n in range(rounds) for page in (n % small, 1000 + n % large)]


def _curve_steps(small: int, large: int) -> Steps:
    first = _first_hit(small, large)
    return Steps.of(
        (
            Step("between", "pages of the index between two uses of one", f"{small} in a circle", f"{small}"),
            Step("beside", "and of the table, one for each", "in turns", f"{small}"),
            Step("frames", "all of them have to fit", f"{small} + {small}", f"{first}"),
        )
    )


def _first_hit(small: int, large: int) -> int:
    whole = curve("lru", two_loops(small, large))
    references = len(two_loops(small, large))
    return next(frames for frames in range(1, small + large + 1) if whole.at(frames) < references)


READ = apart(
    Question(
        id="11.read",
        ask="The figure has LRU's misses over the number of frames, for sizes that are multiples of 8. A program reads "
        "in turns the next page of an index of {small} pages and the next page of a table of {large} pages, both in "
        "circles. With how many frames, at least, does LRU hit at all? (Not only multiples of 8 count.)",
        facts=lambda rng: {"small": rng.randrange(6, 24), "large": rng.randrange(60, 110)},
        answer=_first_hit,
        misconceptions=(
            Misconception(
                "the index has to fit, and what is read beside it takes no room",
                lambda small, large: small,
                "What does the program read between two pages of the index?",
            ),
            Misconception("all has to fit", lambda small, large: small + large, "Which page is used again first?"),
            Misconception(
                "the page itself takes no frame",
                lambda small, large: 2 * small - 1,
                "Is the page still there when the others fill all frames?",
            ),
            Misconception(
                "one frame has to be left free",
                lambda small, large: 2 * small + 1,
                "When does LRU give a page up: before a miss, or at it?",
            ),
        ),
        hints=(
            "How many different pages come between two uses of a page of the index?",
            "beside: each brings one more.",
        ),
        steps=_curve_steps,
        because="between two uses of an index page lie all of the index and as many pages of the table.",
    )
)

BELADY = (1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5)


def _one_more(rng: random.Random) -> Facts:
    names, policy = rng.sample(range(1, 30), 5), rng.choice(("LRU", "FIFO"))
    string = [names[page - 1] for page in BELADY]
    return {
        "policy": policy,
        "string": tuple(string),
        "text": " ".join(map(str, string)),
        "few": misses(policy.lower(), 3, string),
        "many": misses(policy.lower(), 4, string),
    }


def _verdict(few: int, many: int, **_: object) -> str:
    return "more" if many > few else "right" if many < few else "same"


def _claim_steps(policy: str, few: int, many: int, **facts: object) -> Steps:
    return Steps.of(
        (
            Step("three", "misses with 3 frames", f"{policy}, played", f"{few}"),
            Step("four", "misses with 4 frames", f"{policy}, played", f"{many}"),
            Step("look", "is what fits in 3 always in 4?", f"{many} and {few}", _verdict(few, many)),
        )
    )


CLAIM = Question(
    id="11.claim",
    ask="{policy}, references {text}: with 3 frames {few} of them miss. Judge this: 'With 4 frames it misses less, as "
    "what is in 3 frames is in 4 as well.'",
    facts=_one_more,
    choices=lambda **_: {
        "right": "right: it misses less, and for that reason",
        "more": "wrong: it misses more with 4 frames",
        "same": "wrong: it misses as often as before, each page being used too seldom",
        "once": "it misses less, but for another reason: with 4 frames all pages stay",
    },
    answer=_verdict,
    misconceptions=(
        Misconception(
            "LRU and FIFO do not differ in this",
            lambda policy, **_: "right" if policy == "FIFO" else "more",
            "Does a hit make a page younger, under this policy?",
        ),
        Misconception("one frame changes nothing", always("same"), "Which page goes at the fifth different page?"),
        Misconception("nearly all fit, so all stay", always("once"), "How many different pages are there?"),
    ),
    because="{few} misses with 3 frames, {many} with 4: under LRU what is in 3 is always in 4, under FIFO not.",
    hints=("Play it with 4 frames: which page goes at the first miss that needs a frame?", "four: count the misses."),
    steps=_claim_steps,
)

WAY = trade_off(
    "11.way",
    "Once an hour a job searches 60 GB of logs, and the pages that a database needs are evicted. Which way is left if "
    "these three matter?",
    {
        "job": "the job's program stays as it is",
        "kernel": "the kernel and its settings stay the distribution's",
        "give": "the database's memory can still be taken when it is idle",
        "hour": "the job runs at any hour",
    },
    {
        "fadvise": Way("the job calls posix_fadvise(DONTNEED) behind itself", "job", "its program has to be changed"),
        "mglru": Way("a kernel with the multi-generational LRU, switched on", "kernel", "it is another kernel"),
        "mlock": Way("the database locks its pages", "give", "locked pages are not reclaimed"),
        "night": Way("the job waits for the night, when nobody asks the database", "hour", "it does not run by day"),
    },
)

OWN_CACHE = Scenario(
    id="11.own-cache",
    ask="You write a cache of web pages with room for 10,000 of them. Which policy do you take, and what do you give "
    "up for it?",
    ways=(
        ("FIFO", "no work at a hit, no lock", "popular pages go in their turn; more room may even be worse"),
        (
            "LRU",
            "what was used lately stays; more room is never worse",
            "each hit moves an entry; a crawler empties it",
        ),
        ("CLOCK or SIEVE", "a hit only sets a bit", "one bit knows no more than used or not"),
        ("ARC or S3-FIFO", "a crawler's pages, asked for once, go soon", "lists of what has gone; more to get wrong"),
    ),
)
