"""The questions of lesson 10's exercise: an entry to make, a story to read, a claim, a choice."""

from __future__ import annotations

import random

from ...arch.swap_formats import swap_format
from ...process.story import play
from ...process.swap_entry import SwapEntry
from ..claim import claim
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from ..trade import Way, trade_off
from ..weigh import Scenario
from .swap_steps import FORMATS, NAMES
from .tlb_steps import apart


def _a_slot(rng: random.Random) -> Facts:
    fmt = rng.choice(FORMATS)
    row = swap_format(fmt)
    return {
        "fmt": fmt,
        "name": NAMES[fmt],
        "area": rng.randrange(1, 5),
        "slot": rng.randrange(3, 4000),
        "area_bit": row.type.low,
        "slot_bit": row.offset.low,
        "wide": row.offset.width,
        "stored": "inverted" if row.offset.inverted else "as it is",
    }


def _entry(fmt: str, area: int, slot: int, **_: object) -> int:
    return SwapEntry(area, slot).encode(fmt)


def _field(slot: int, slot_bit: int, wide: int, stored: str, **_: object) -> int:
    """The slot's bits where they stand."""
    return (slot ^ ((1 << wide) - 1 if stored == "inverted" else 0)) << slot_bit


def _entry_steps(**facts: object) -> Steps:
    entry, field = _entry(**facts), _field(**facts)  # type: ignore[arg-type]
    return Steps.of(
        (
            Step("present", "bit 0", "the page is not in RAM", "0"),
            Step("area", "the number at its bit", f"{facts['area']} << {facts['area_bit']}", f"{entry - field:#x}"),
            Step(
                "slot",
                f"{facts['wide']} bits, {facts['stored']}, at their bit",
                f"{facts['slot']} << {facts['slot_bit']}",
                f"{field:#x}",
            ),
            Step("entry", "area and slot together", "or", f"{entry:#x}"),
        )
    )


WALK = apart(
    Question(
        id="10.walk",
        ask="The step slot is open, and what follows it. {name}, Linux 6.1: the area stands from bit {area_bit} on; "
        "the slot takes {wide} bits from bit {slot_bit} on, stored {stored}. Nothing else is marked. What is the entry "
        "of a page in slot {slot} of area {area}?",
        facts=_a_slot,
        answer=_entry,
        misconceptions=(
            Misconception(
                "a slot stands where a frame's number does",
                lambda area, area_bit, slot, **_: slot << 12 | area << area_bit,
                "Who reads this entry: the CPU, or Linux?",
            ),
            Misconception(
                "the entry names the slot and no area",
                lambda **facts: _field(**facts),
                "How many swap areas may there be?",
            ),
            Misconception(
                "the entry is marked present",
                lambda **facts: _entry(**facts) | 1,
                "What would the CPU do with bit 0 set?",
            ),
            Misconception(
                "the slot comes first and the area behind it",
                lambda area, slot, **_: slot << 5 | area,
                "At which bits do the two stand here?",
            ),
        ),
        hints=(
            "Which bits has the slot's number, and at which bit do they begin?",
            "slot: invert if told, then shift.",
        ),
        steps=_entry_steps,
        blank="slot",
        because="area and slot, each at its bits, and bit 0 clear.",
        show=hex,
    )
)


def _an_order(rng: random.Random) -> Facts:
    order = ["P0", "P1", "P2"]
    while len(order) < rng.randrange(6, 10):
        order.append(rng.choice([name for name in ("P0", "P1", "P2") if name != order[-1]]))
    return {"order": " ".join(order), "frames": rng.choice((1, 2))}


def _outs(order: str, frames: int) -> int:
    return sum(len(scene.page_outs) for scene in play(tuple(order.split()), frames=frames))


def _order_steps(order: str, frames: int) -> Steps:
    scenes = play(tuple(order.split()), frames=frames)[1:]
    rows = [
        Step(f"{number}: {scene.who}", "does a page have to go?", f"in RAM: {scene.frame}", f"{len(scene.page_outs)}")
        for number, scene in enumerate(scenes, 1)
    ]
    return Steps.of((*rows, Step("count", "all that went", "the sum", f"{_outs(order, frames)}")))


READ = apart(
    Question(
        id="10.read",
        ask="The figure shows the story after its third step. P0, P1 and P2 touch 0x400000 in this order: {order}. "
        "Frames: {frames}; the page that came first goes first, and its slot is given up when it comes back. How many "
        "times is a page written to swap in the whole story?",
        facts=_an_order,
        answer=_outs,
        misconceptions=(
            Misconception(
                "each step writes one page", lambda order, frames: len(order.split()), "Was a frame free at first?"
            ),
            Misconception(
                "each process's page is written once",
                lambda order, frames: 3 - frames,
                "Is the copy in swap kept when the page comes back?",
            ),
            Misconception(
                "only pages that come back have been written",
                lambda order, frames: sum(
                    scene.kind == "major" for scene in play(tuple(order.split()), frames=frames)[1:]
                ),
                "Where are the pages that are in swap at the end?",
            ),
        ),
        hints=(
            "At which steps does somebody need a frame, and none is free?",
            "count: one page goes at each of those.",
        ),
        steps=_order_steps,
        because="every fault but the first {frames} pushes a page out, and it has to be written each time.",
    )
)


def _three_programs(rng: random.Random) -> Facts:
    processes, text, heap = rng.randrange(3, 12), rng.randrange(4, 20), rng.randrange(20, 90)
    need = processes * heap
    area = need + rng.randrange(30, 200) if rng.random() < 0.5 else need - rng.randrange(10, need // 2)
    return {
        "processes": processes,
        "text": text,
        "heap": heap,
        "area": area,
        "claimed": processes * (text + heap),
        "need": need,
    }


CLAIM = claim(
    "10.claim",
    "{processes} processes run one program with {text} MiB of text. Each has written {heap} MiB of data of its own. "
    "Memory gets so short that the kernel takes all it can; the swap area has {area} MiB. Judge this: 'Then "
    "{processes} × ({text} + {heap}) = {claimed} MiB go to swap.'",
    _three_programs,
    {
        "all": "right: what is evicted goes to swap",
        "once": "wrong: the text goes there once, as all share it, and the data of each",
        "data": "wrong: only the data goes there, and all of it",
        "full": "wrong: only data goes there, and not all of it: there is no room",
    },
    lambda need, area, **_: "data" if need <= area else "full",
    {
        "all": ("each process has a copy of the text, and evicted pages go to swap", "Where did the text come from?"),
        "once": ("shared text is swapped once", "Is there another copy of an instruction on disk?"),
    },
    "text is dropped and read from its file again; data takes {need} MiB of {area}.",
    ("What of all this has no other copy on disk?", "{need} MiB of data, {area} MiB of swap"),
    "it makes no difference how large the swap area is",
)

WAY = trade_off(
    "10.way",
    "The programs of a server hold more memory than it has RAM, and much of it sleeps. Which way is left if these "
    "three matter?",
    {
        "fast": "what comes back is there within microseconds",
        "whole": "all of the RAM is left for pages in use: nothing that sleeps takes any",
        "sleep": "programs that sleep make room, and go on later where they were",
        "money": "nothing has to be bought",
    },
    {
        "disk": Way("swap on the disk that is there", "fast", "a disk takes milliseconds"),
        "zram": Way("zram: swap that is compressed into RAM", "whole", "what is compressed lies in RAM"),
        "kill": Way("no swap: end programs that sleep", "sleep", "what is ended has lost its state"),
        "nvme": Way("a new device for swap alone, that answers in microseconds", "money", "it has to be bought"),
    },
)

OWN_SWAP = Scenario(
    id="10.own-swap",
    ask="Your laptop has 8 GiB of RAM and a fast disk. A browser, an editor and a compiler share it. How much swap do "
    "you give it, on what, and what do you give up?",
    ways=(
        ("none", "nothing ever waits for swap", "idle data stays in RAM; when it is full, text is read over and over"),
        ("a file of 4 GiB on the disk", "idle data makes room; easy to change", "a page that comes back takes a read"),
        ("zram of 4 GiB", "back in microseconds, no disk needed", "compressed pages take RAM; costs CPU time"),
        ("8 GiB and more on the disk", "room for hibernation", "a program that leaks makes the machine crawl for long"),
    ),
)
