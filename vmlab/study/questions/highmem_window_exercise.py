"""Lesson 08's exercise: a window to read, and a claim about a pointer that was kept."""

from __future__ import annotations

import random

from ...virtual.pkmap import Pkmap
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from .highmem_exercise import MINE, OTHERS, read_pages
from .highmem_steps import WINDOWS
from .tlb_steps import apart

BASE, SLOTS = WINDOWS["an ARM board"]

# --- read: a small window ---


def _a_window(rng: random.Random) -> Facts:
    slots = rng.randrange(9, 12)
    pages = rng.randrange(5, slots - 1)
    back = sorted(rng.sample(range(1, pages + 1), rng.randrange(2, pages - 1)))
    untouched = slots - 1 - pages
    return {
        "slots": slots,
        "pages": pages,
        "back": ", ".join(map(str, back)),
        "more": rng.randrange(untouched + 2, untouched + 1 + len(back)),
    }


def window_before(slots: int, pages: int, back: str, **_: object) -> Pkmap:
    """Task A maps pages, one after the other from slot 1 on, and gives some of them back."""
    pool = Pkmap(BASE, slots)
    for slot in range(1, pages + 1):
        pool.kmap(OTHERS + slot, "A")
    for slot in _given(back):
        pool.kunmap(OTHERS + slot, "A")
    return pool


def _lands(more: int, **facts: object) -> int:
    pool = window_before(**facts)  # type: ignore[arg-type]
    for pfn in range(MINE, MINE + more):
        pool.kmap(pfn, "B")
    return pool.last_pkmap_nr


def _in_order(slots: int, pages: int, back: str, more: int, *, first: list[int]) -> int:
    """The slot of B's last page if slots are handed out in this order, then the others in the round's."""
    order = [*first, *(slot for slot in _free(slots, pages, back) if slot not in first)]
    return order[more - 1]


def _free(slots: int, pages: int, back: str) -> list[int]:
    """Slots without a user, in the order of the round."""
    return [*range(pages + 1, slots), 0, *_given(back)]


def _given(back: str) -> list[int]:
    return [int(slot) for slot in back.split(", ")]


def _window_steps(slots: int, pages: int, back: str, more: int) -> Steps:
    free = _free(slots, pages, back)
    return Steps.of(
        (
            Step(
                "scan", "on from the thick edge, count 0", f"slots {pages + 1} to {slots - 1}", f"{slots - 1 - pages}"
            ),
            Step("wrap", "slot 0: every count of 1 becomes 0", f"slots {back}", f"{len(free)} slots to hand out"),
            Step(
                "pass",
                "slots in use stay",
                ", ".join(map(str, free)),
                f"{_lands(more, slots=slots, pages=pages, back=back)}",
            ),
        )
    )


READ = apart(
    Question(
        id="08.read",
        ask="A window of {slots} slots. Task A has mapped {pages} pages and given back those in slots {back}; the "
        "figure shows the window after that. Now task B maps {more} new pages, one after the other, and keeps them. "
        "In which slot is the last one?",
        facts=_a_window,
        answer=_lands,
        misconceptions=(
            Misconception(
                "slots that were given back are used first",
                lambda slots, pages, back, more: _in_order(slots, pages, back, more, first=_given(back)),
                "Which count do they have in the figure?",
            ),
            Misconception(
                "the wrap takes every window away",
                lambda slots, pages, back, more: (pages + more) % slots,
                "Which slots does A still use?",
            ),
            Misconception(
                "slot 0 is never handed out",
                lambda slots, pages, back, more: [*range(pages + 1, slots), *_given(back), 0][more - 1],
                "What does the scan do when it comes to slot 0?",
            ),
        ),
        hints=(
            "Which slots can be handed out before the scan wraps, and which after that?",
            "pass: after the wrap slot 0 and those whose count was 1, in their order; those with 2 are passed over.",
        ),
        steps=_window_steps,
        because="the round takes slots of count 0 only, and at slot 0 the idle ones become free.",
    )
)

# --- claim: a pointer that was kept ---


def _a_pointer(rng: random.Random) -> Facts:
    slot, held = rng.randrange(150, 400), rng.random() < 0.4
    few = rng.random() < 0.5
    others = rng.randrange(20, SLOTS - slot) if few else rng.randrange(SLOTS + 10, 2 * SLOTS - slot)
    done = "has not called kunmap yet" if held else "has called kunmap, but still has p"
    return {"slots": SLOTS, "slot": slot, "held": held, "done": done, "others": others}


def _seen(slot: int, held: bool, others: int, **_: object) -> str:
    """What the pointer to that slot shows in the model after so many other reads."""
    pool = Pkmap(BASE, SLOTS)
    pool.last[0] = slot - 1
    pool.kmap(MINE)
    if not held:
        pool.kunmap(MINE)
    read_pages(pool, others)
    if pool.frames[slot] == MINE:
        return "held" if pool.counts[slot] > 1 else "luck"
    return "fault" if pool.frames[slot] is None else "other"


def _whatever_was_given_back(slot: int, held: bool, others: int, **_: object) -> str:
    return _seen(slot, not held, others)


def _however_many_were_read(slot: int, held: bool, others: int, **_: object) -> str:
    seen = _seen(slot, not held, others) if held else _seen(slot, held, others)
    return "luck" if seen == "other" else "other"


def _claim_steps(slot: int, held: bool, others: int, **_: object) -> Steps:
    count = "2: in use" if held else "1: idle"
    rounds = f"{slot} + {others} = {slot + others}; {SLOTS} slots"
    return Steps.of(
        (
            Step("count", "has the driver called kunmap?", "no" if held else "yes", count),
            Step("round", "has the scan come by this slot again?", rounds, "yes" if others >= SLOTS else "no"),
            Step("look", "what does the slot show?", "idle and passed by: another page", _seen(slot, held, others)),
        )
    )


CLAIM = Question(
    id="08.claim",
    ask="A window of {slots} slots. A driver called p = kmap(page) and got slot {slot}; it {done}. Since then {others} "
    "other pages were read, each with kmap and kunmap. Judge this: 'The kernel maps and unmaps pages as it needs them, "
    "so p is meaningless by now: a read through it gives bytes of another page.'",
    facts=_a_pointer,
    choices=lambda slot, **_: {
        "other": f"right: slot {slot} was handed out again",
        "held": "wrong: p shows the driver's page, and will until the driver gives it back",
        "luck": "wrong so far: p still shows the driver's page, but nobody has promised that",
        "fault": "wrong: nothing is mapped at p, so the read faults",
    },
    answer=_seen,
    misconceptions=(
        Misconception(
            "it makes no difference whether the window was given back",
            _whatever_was_given_back,
            "What is the count of the driver's slot?",
        ),
        Misconception(
            "it makes no difference how many pages were read since",
            _however_many_were_read,
            "Has the scan come by the driver's slot again, and might it take it?",
        ),
        Misconception(
            "old windows are unmapped, and then stay empty",
            lambda **_: "fault",
            "When is an entry taken out, and who gets that slot then?",
        ),
    ),
    because="a slot in use is never taken; an idle one shows its page until the wrap, and another one's later.",
    hints=(
        "What is the count of the driver's slot, and how far did the round go?",
        "count: above 1, nobody takes the slot; at 1 the wrap frees it, and the scan hands it out when it comes there.",
    ),
    steps=_claim_steps,
)
