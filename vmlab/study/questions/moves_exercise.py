"""The questions of lesson 12's exercise: an address to work out, a claim, a choice."""

from __future__ import annotations

import random

from ...process.prevents import hold
from ...procfs import PagemapEntry
from ...units import PAGE_SHIFT, PAGE_SIZE, group_hex
from ..question import Facts, Misconception, Question, always
from ..steps import Step, Steps
from ..trade import Way, trade_off
from ..weigh import Scenario
from .moves_steps import NUMBER
from .tlb_steps import apart


def _a_word(rng: random.Random) -> Facts:
    va = rng.randrange(0x1000, 0x7_0000_0000) << PAGE_SHIFT | rng.randrange(8, 4096)
    word = PagemapEntry(
        present=True, exclusive=True, soft_dirty=rng.random() < 0.5, pfn=rng.randrange(1 << 16, 1 << 22)
    ).encode()
    return {"address": va, "va": group_hex(va), "raw": word, "word": f"{word:#018x}"}


def _physical(address: int, raw: int, **_: object) -> int:
    return (PagemapEntry.decode(raw).pfn or 0) << PAGE_SHIFT | address % PAGE_SIZE


def _physical_steps(address: int, raw: int, word: str, **_: object) -> Steps:
    frame, inside = raw & NUMBER, address % PAGE_SIZE
    return Steps.of(
        (
            Step("present", "bit 63", f"{raw >> 63}", "in RAM"),
            Step("frame", "bits 54 to 0", f"{word} & {NUMBER:#x}", f"{frame:#x}"),
            Step("byte", "the address within its page", "bits 11 to 0", f"{inside:#x}"),
            Step(
                "physical", "frame × 4,096 + byte", f"{frame:#x} << 12 | {inside:#x}", f"{_physical(address, raw):#x}"
            ),
        )
    )


WALK = apart(
    Question(
        id="12.walk",
        ask="The step frame is open, and what follows it. A program asks for its address {va}; the word of that page "
        "in /proc/PID/pagemap is {word}. At which physical address is the byte?",
        facts=_a_word,
        answer=_physical,
        misconceptions=(
            Misconception(
                "a page is all one address",
                lambda address, raw, **_: _physical(address, raw) >> PAGE_SHIFT << PAGE_SHIFT,
                "Which byte of the page is it?",
            ),
            Misconception(
                "the word holds an address",
                lambda address, raw, **_: (raw & NUMBER) | address % PAGE_SIZE,
                "Is a frame counted in bytes?",
            ),
            Misconception(
                "only bits 63 and 62 are marks",
                lambda address, raw, **_: (raw & (1 << 62) - 1) << PAGE_SHIFT | address % PAGE_SIZE,
                "Which bits stand between 61 and 55?",
            ),
            Misconception(
                "the word is the answer", lambda address, raw, **_: raw & NUMBER, "Is that a frame, or an address?"
            ),
        ),
        hints=("At which bit does the number end?", "frame: bits 54 to 0; then 4,096 times as far, and the byte."),
        steps=_physical_steps,
        blank="frame",
        because="the frame × 4,096, and the byte within the page, which translation does not change.",
        show=hex,
    )
)

HELD = {"mlock": "is locked by mlock()", "long-term pin": "is pinned by a driver for long (FOLL_LONGTERM)"}
CHANGES = {
    "swap out": "memory gets short, and the kernel looks for pages to swap out",
    "migrate": "memory is compacted",
    "unmap": "the program unmaps it and maps something else at the address",
}


def _held(rng: random.Random) -> Facts:
    name, kind = rng.choice((("mlock", "swap out"), ("mlock", "migrate"), *(("long-term pin", c) for c in CHANGES)))
    return {"held": HELD[name], "change": CHANGES[kind], "name": name, "kind": kind}


def _stands(name: str, kind: str, **_: object) -> str:
    return "right" if kind in hold(name).stops else "address" if kind == "unmap" else "moved"


def _held_steps(name: str, kind: str, **facts: object) -> Steps:
    return Steps.of(
        (
            Step("holds", f"what {name} prevents", ", ".join(sorted(hold(name).stops)), hold(name).note),
            Step("look", "is this change among them?", kind, _stands(name, kind)),
        )
    )


CLAIM = Question(
    id="12.claim",
    ask="A page {held}, and its frame number was read after that. Then {change}. Judge this: 'The number is still "
    "right for that address, as the page cannot go anywhere.'",
    facts=_held,
    choices=lambda **_: {
        "right": "right: against this change, it is held",
        "moved": "wrong: it stays in RAM, but maybe in another frame",
        "address": "wrong: the page stays in its frame, but the address does not lead to it any more",
        "advice": "wrong: the kernel takes this as advice only",
    },
    answer=_stands,
    misconceptions=(
        Misconception(
            "to lock and to pin are wishes that the kernel may ignore", always("advice"), "What is promised?"
        ),
        Misconception(
            "whatever holds a page holds everything about it, or nothing",
            lambda name, kind, **_: "moved" if _stands(name, kind) == "right" else "right",
            "Does it hold the page in RAM, the page in its frame, or the address?",
        ),
        Misconception(
            "being in RAM, in a frame and at an address are one and the same",
            lambda name, kind, **_: "moved" if _stands(name, kind) == "address" else "address",
            "Which of the three does this change take away?",
        ),
    ),
    because="mlock keeps a page in RAM; a pin keeps it in its frame; neither keeps the mapping.",
    hints=("What is held: being in RAM, the frame, or the mapping?", "holds: find what it prevents; is this among it?"),
    steps=_held_steps,
)

WAY = trade_off(
    "12.way",
    "A program feeds frame numbers of its own buffer to a measuring device. Which way is left if these three matter?",
    {
        "right": "the device never sees a frame that is not the buffer's",
        "movable": "the kernel can still move the buffer, so that memory can be compacted",
        "module": "no module of one's own is loaded into the kernel",
        "device": "the device stays as it is and takes frame numbers",
    },
    {
        "again": Way("the program reads pagemap again before each use", "right", "it may move right after that"),
        "pin": Way(
            "the buffer is pinned by a driver that the kernel has (VFIO, io_uring)", "movable", "pins hold frames"
        ),
        "notifier": Way("a module with an mmu_interval_notifier stops the device in time", "module", "it is a module"),
        "iommu": Way(
            "a new device that asks the IOMMU for pages by address, and waits (shared virtual addressing)",
            "device",
            "it takes no frame numbers",
        ),
    },
)

OWN_BUFFER = Scenario(
    id="12.own-buffer",
    ask="A tool of yours shows which frames a running database uses, once a minute, on machines of other people. How "
    "does it come by the numbers, and what do you promise to whoever reads them?",
    ways=(
        (
            "pagemap, once a minute, as root",
            "8 bytes a page; nothing else is changed",
            "true at the time of reading only",
        ),
        (
            "pagemap without rights",
            "no root needed: present, swapped, soft-dirty",
            "no frame numbers, only which and how",
        ),
        (
            "a module with notifiers",
            "every change, at its time",
            "nobody lets you load it; each change costs a callback",
        ),
        (
            "tracepoints of migration and swap",
            "how much moves, and why",
            "no address with its frame; costs at each event",
        ),
    ),
)
