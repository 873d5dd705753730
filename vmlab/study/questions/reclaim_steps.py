"""Who has to go, step by step, under LRU, OPT and CLOCK; and what a refault's distance decides. For practice."""

from __future__ import annotations

import random

from ...process.lruvec import Lruvec
from ...process.replay import Replay, replay
from ...process.trace_pages import TracePage
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from .tlb_steps import apart

FRAMES = 4


def _string(rng: random.Random) -> Facts:
    """Four pages in memory, a few hits, and then a page that is not there; some pages come again later."""
    first = rng.sample(range(1, 10), FRAMES)
    hits = [rng.choice(first) for _ in range(rng.randrange(3, 6))]
    new = next(page for page in range(1, 10) if page not in first)
    later = [*rng.sample(first, FRAMES)[: FRAMES - 1], new]
    rng.shuffle(later)
    string = (*first, *hits, new, *later)
    return {
        "string": string,
        "text": _words(string),
        "miss": FRAMES + len(hits),
        "place": FRAMES + len(hits) + 1,
        "new": new,
    }


def _words(pages: tuple[int, ...]) -> str:
    return " ".join(map(str, pages))


def run(name: str, string: tuple[int, ...]) -> Replay:
    """The policy with FRAMES frames."""
    return replay(name, FRAMES, list(string))


def victim(name: str, string: tuple[int, ...], miss: int) -> int:
    """The page that goes at the miss."""
    gone = run(name, string).references[miss].victim
    assert gone is not None
    return gone


def last_uses(string: tuple[int, ...], miss: int) -> dict[int, int]:
    """For each page in memory the place of its last use before the miss, counted from 1."""
    return {page: miss - string[:miss][::-1].index(page) for page in dict.fromkeys(string[:miss])}


def next_uses(string: tuple[int, ...], miss: int) -> dict[int, int | None]:
    """For each page in memory the place of its next use after the miss, from 1; None: there is none."""
    rest = string[miss + 1 :]
    return {page: miss + 2 + rest.index(page) if page in rest else None for page in dict.fromkeys(string[:miss])}


def lru_steps(string: tuple[int, ...], miss: int, new: int, text: str, place: int) -> Steps:
    """Residents, their last uses, the oldest of these."""
    uses = last_uses(string, miss)
    return Steps.of(
        (
            Step("resident", "pages in memory", f"before reference {place}", _words(tuple(uses))),
            Step("last use", "place of each one's last use", f"in {text}", _pairs(uses)),
            Step(
                "victim", "the page whose last use is longest ago", f"{min(uses.values())} is least", f"{_oldest(uses)}"
            ),
        )
    )


def opt_steps(string: tuple[int, ...], miss: int, new: int, text: str, place: int) -> Steps:
    """Residents, their next uses, the latest of these."""
    uses = next_uses(string, miss)
    return Steps.of(
        (
            Step("resident", "pages in memory", f"before reference {place}", _words(tuple(uses))),
            Step("next use", "place of each one's next use", f"in {text}", _pairs(uses)),
            Step(
                "victim",
                "the page that is needed latest, or never",
                "never is latest",
                f"{victim('opt', string, miss)}",
            ),
        )
    )


def _pairs(uses: dict[int, int | None] | dict[int, int]) -> str:
    return ", ".join(f"page {page}: {'never' if at is None else at}" for page, at in uses.items())


def _oldest(uses: dict[int, int]) -> int:
    return min(uses, key=uses.__getitem__)


def _newest(string: tuple[int, ...], miss: int, **_: object) -> int:
    uses = last_uses(string, miss)
    return max(uses, key=uses.__getitem__)


LRU_VICTIM = apart(
    Question(
        id="11.lru-victim",
        ask="One step is open. Four frames, LRU, references {text}. At reference {place} page {new} comes and "
        "all frames are in use. Which page goes?",
        facts=_string,
        answer=lambda string, miss, **_: victim("lru", string, miss),
        misconceptions=(
            Misconception(
                "what came first goes first",
                lambda string, miss, **_: victim("fifo", string, miss),
                "That is FIFO. Was that page used again since it came?",
            ),
            Misconception(
                "the page used last has had its turn", _newest, "Which use does LRU look at: the newest or the oldest?"
            ),
            Misconception(
                "what is needed latest goes",
                lambda string, miss, **_: victim("opt", string, miss),
                "That is OPT. Who knows what comes later?",
            ),
        ),
        hints=("When was each page in memory used last?", "victim: the page whose last use is longest ago."),
        steps=lru_steps,
        blank="victim",
        because="of the pages in memory its last use is longest ago.",
    )
)

OPT_VICTIM = apart(
    Question(
        id="11.opt-victim",
        ask="On your own. Four frames, OPT, references {text}. At reference {place} page {new} comes and all "
        "frames are in use. Which page goes?",
        facts=_string,
        answer=lambda string, miss, **_: victim("opt", string, miss),
        misconceptions=(
            Misconception(
                "what was used longest ago goes",
                lambda string, miss, **_: victim("lru", string, miss),
                "That is LRU. In which direction does OPT look?",
            ),
            Misconception(
                "what is needed soonest goes",
                lambda string, miss, **_: min((at, page) for page, at in next_uses(string, miss).items() if at)[1],
                "How many references would pass before it misses again?",
            ),
            Misconception(
                "what came first goes first",
                lambda string, miss, **_: victim("fifo", string, miss),
                "Does OPT care when a page came?",
            ),
        ),
        hints=("When is each page in memory needed next?", "victim: the page that is needed latest, or never."),
        steps=opt_steps,
        because="no other page in memory is needed as late.",
    )
)


def _refault(rng: random.Random) -> Facts:
    evicted, active = rng.randrange(300, 900), rng.randrange(60, 200)
    return {"evicted": evicted, "refault": evicted + rng.randrange(20, 400), "active": active}


def distance(evicted: int, refault: int, active: int) -> int:
    """The model's own refault distance."""
    lists = _lists(evicted, active)
    lists.nonresident_age = refault
    return lists.refault_distance("page")


def is_activated(evicted: int, refault: int, active: int) -> bool:
    """Whether the page is active when it comes back."""
    lists = _lists(evicted, active)
    lists.nonresident_age = refault
    return lists.add(TracePage(-1), "page")


def _lists(evicted: int, active: int) -> Lruvec:
    lists = Lruvec()
    for number in range(active):
        lists.put(TracePage(number, active=True))
    lists.nonresident_age = evicted
    lists.shadow(TracePage(-1), "page")
    return lists


def refault_steps(evicted: int, refault: int, active: int) -> Steps:
    """Distance, workingset, decision."""
    gap, verdict = distance(evicted, refault, active), is_activated(evicted, refault, active)
    return Steps.of(
        (
            Step("shadow", "the counter when it went, left in its place", "read at eviction", f"{evicted}"),
            Step("distance", "the counter now − the shadow", f"{refault} − {evicted}", f"{gap}"),
            Step(
                "decide",
                "active at once if the distance is at most the active pages",
                f"{gap} ≤ {active}?",
                "active" if verdict else "inactive",
            ),
        )
    )


REFAULT = apart(
    Question(
        id="11.refault",
        ask="Anonymous pages only. When a page was evicted the counter of evictions and activations (nonresident_age) "
        "stood at {evicted}; when it comes back, at {refault}. {active} pages are active. What is its refault "
        "distance?",
        facts=_refault,
        answer=distance,
        misconceptions=(
            Misconception(
                "the distance is the counter itself",
                lambda evicted, refault, active: refault,
                "What has happened since the page went?",
            ),
            Misconception(
                "the shadow is the distance", lambda evicted, refault, active: evicted, "What is read when it returns?"
            ),
            Misconception(
                "active pages count twice",
                lambda evicted, refault, active: refault - evicted + active,
                "Are the active pages part of the distance, or what it is compared with?",
            ),
        ),
        hints=("What did the counter do while the page was away?", "distance: the counter now − the shadow."),
        steps=refault_steps,
        because="{refault} − {evicted}: so many frames more would have kept it.",
    )
)
