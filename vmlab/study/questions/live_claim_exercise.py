"""A question of lesson 13's exercise: what a prediction was told, and whether its agreement means anything.

Which values a prediction has, told a boot's requests or not, is asked of two records.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from ..question import Facts, Misconception, Question, always
from ..steps import Step, Steps
from .live import KASLR_RECORD, RECORD, wrong

SMALL = "arm-virt-armmp-512m"


class Value(NamedTuple):
    """A compared value: its name in the comparison, its record, in words, and which answer would give it away."""

    what: str
    record: str
    words: str
    leak: str


VALUES = {
    "border": Value("node 0 HighMem start_pfn", RECORD, "the first frame of HighMem", "how many pages lowmem spans"),
    "managed": Value(
        "node 0 DMA managed", RECORD, "the managed pages of lowmem", "how many of its pages stayed reserved"
    ),
    "place": Value(
        "mem_map first frame", SMALL, "the first frame of mem_map", "the address that each boot allocation got"
    ),
    "pages": Value(
        "node 0 DMA32 managed", KASLR_RECORD, "the managed pages of DMA32", "how many of its pages stayed reserved"
    ),
    "base": Value(
        "layout page_offset", KASLR_RECORD, "where the direct map begins", "one address of it, with the frame behind"
    ),
}
BOARDS = {
    RECORD: "A 32-bit ARM board",
    SMALL: "A 32-bit ARM board of 512 MiB",
    KASLR_RECORD: "A PC whose kernel draws addresses at random (KASLR)",
}
BEFORE = "the RAM, the command line and how the kernel was built"
ASKED = f"{BEFORE}, and what boot asked the boot allocator for: sizes and order, no addresses"
NEXT = {"right": "circular", "circular": "right", "luck": "right"}
OTHER = {"right": "luck", "circular": "luck", "luck": "circular"}


def _a_comparison(rng: random.Random) -> Facts:
    name = rng.choice(sorted(VALUES))
    told = rng.choice(("before", "asked", "leak"))
    value = VALUES[name]
    words = {"before": BEFORE, "asked": ASKED, "leak": f"{ASKED}; also {value.leak}"}[told]
    return {"board": BOARDS[value.record], "compared": value.words, "inputs": words, "name": name, "told": told}


def _verdict(name: str, told: str, **_: object) -> str:
    value = VALUES[name]
    if told == "leak":
        return "circular"
    return "luck" if value.what in wrong(value.record, told == "asked") else "right"


def _told_steps(name: str, told: str, compared: str, inputs: str, **_: object) -> Steps:
    value = VALUES[name]
    reach = "no" if value.what in wrong(value.record, told=True) else "only with boot's requests"
    if value.what not in wrong(value.record):
        reach = "yes, before the boot"
    said = "yes" if told == "leak" else "no"
    return Steps.of(
        (
            Step("leak", "was the answer among what was told?", inputs.rpartition("; also ")[2], said),
            Step("reach", "does the value follow from inputs?", compared, reach),
            Step("judge", "both together", f"leak: {said}; reach: {reach}", _verdict(name, told)),
        )
    )


CLAIM = Question(
    id="13.claim",
    ask="{board}. A program was told {inputs}. Its value for {compared} equals the kernel's in every digit. Judge "
    "this: 'So the program predicted it.'",
    facts=_a_comparison,
    choices=lambda **_: {
        "right": "right: what it was told are inputs, and the value follows from them",
        "circular": "wrong: it was told the answer in other words",
        "luck": "wrong: that does not follow from what it was told; it guessed, or somebody looked",
        "never": "wrong: nothing calculated can equal a real kernel in every digit",
    },
    answer=_verdict,
    misconceptions=(
        Misconception(
            "it makes no difference where a number was read, before the boot or after it",
            lambda name, told, **_: NEXT[_verdict(name, told)],
            "Which of the things that it was told does only a kernel that has booted know?",
        ),
        Misconception(
            "all values of a boot follow from the same inputs",
            lambda name, told, **_: OTHER[_verdict(name, told)],
            "Does this one depend on what the boot takes, or on a random number?",
        ),
        Misconception("a boot is random all through", always("never"), "What in it draws a random number?"),
    ),
    because="inputs are what was there before the kernel ran, and what it asked for; what it got is the answer.",
    hints=(
        "Was anything that it was told the kernel's answer?",
        "reach: borders need RAM and words alone, managed pages and places boot's requests too, and a drawn base "
        "follows from neither.",
    ),
    steps=_told_steps,
)
