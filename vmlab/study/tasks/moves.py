"""Lesson 12's first function to write: what words of pagemap say, with the rights to know and without."""

from __future__ import annotations

import random

from ...procfs import PagemapEntry
from ..plain import Plain
from ..question import Misconception
from ..task import Given, Task

BARRED = (*Task.barred, "vmlab.process", "vmlab.procfs")
NUMBER = (1 << 55) - 1


def _a_word(rng: random.Random, rights: bool) -> int:
    soft_dirty, exclusive = rng.random() < 0.5, rng.random() < 0.5
    kind = rng.random()
    if kind < 0.45:
        pfn = rng.randrange(1 << 12, 1 << 22) if rights else 0
        return PagemapEntry(present=True, pfn=pfn, soft_dirty=soft_dirty, exclusive=exclusive).encode()
    if kind < 0.8:
        area, slot = (rng.randrange(1, 4), rng.randrange(1, 1 << 16)) if rights else (0, 0)
        return PagemapEntry(swapped=True, swap_type=area, swap_offset=slot, soft_dirty=soft_dirty).encode()
    return PagemapEntry(soft_dirty=soft_dirty).encode()


def _draw_words(rng: random.Random, size: float) -> Given:
    rights = rng.random() < 0.65
    return {"words": [_a_word(rng, rights) for _ in range(2 + int(size * 5))]}


def _place(word: int) -> Plain:
    entry = PagemapEntry.decode(word)
    if entry.present:
        return ["frame", entry.pfn] if entry.pfn else ["hidden"]
    if entry.swapped:
        return ["swap", entry.swap_type, entry.swap_offset] if word & NUMBER else ["hidden"]
    return ["nothing"]


def _read(words: Plain, *, mask: int = NUMBER, hidden: bool = True, upside: bool = False) -> Plain:
    """The obvious reader, with what a belief changes."""
    found = []
    for word in words:
        number = word & mask
        if not word >> 62:
            found.append(["nothing"])
        elif hidden and not word & NUMBER:
            found.append(["hidden"])
        elif word >> 63:
            found.append(["frame", number])
        else:
            found.append(
                ["swap", number >> 50, number & (1 << 50) - 1] if upside else ["swap", number & 31, number >> 5]
            )
    return found


PLACES = Task(
    id="12.places",
    signature="places(words)",
    ask="Return for each word of /proc/PID/pagemap what it tells: ['frame', number], ['swap', area, slot], ['hidden'] "
    "if a page is in RAM or in swap and the kernel does not tell us where, or ['nothing']. Bit 63: present. Bit 62: "
    "swapped. Bits 0 to 54: the frame, or the area (5 bits) and above it the slot; all 0 to who lacks the rights. The "
    "bits between are marks.",
    draw=_draw_words,
    args=lambda words: [words],
    answer=lambda words: [_place(word) for word in words],
    loads=lambda words: (
        "from vmlab.procfs import PagemapEntry\n"
        + "\n".join(f"print(PagemapEntry.decode({word:#x}).tell())" for word in words)
    ),
    what="rows of words",
    barred=BARRED,
    beliefs=(
        Misconception(
            "number 0 is frame 0, and slot 0 of area 0",
            lambda words: _read(words, hidden=False),
            "What does the kernel say to those without CAP_SYS_ADMIN?",
        ),
        Misconception(
            "all bits below 62 are the number",
            lambda words: _read(words, mask=(1 << 62) - 1),
            "What do bits 55 to 61 say?",
        ),
        Misconception(
            "the area stands above the slot",
            lambda words: _read(words, upside=True),
            "Which five bits hold the area?",
        ),
        Misconception(
            "what is not present is nowhere",
            lambda words: [["nothing"] if not word >> 63 else _read([word])[0] for word in words],
            "What does bit 62 say?",
        ),
    ),
    hints=(
        "Which two bits tell the kind of a word, and which bits are the number?",
        "number: word & (2**55 - 1); 0 although bit 63 or 62 is set: hidden. Area: number & 31, slot: number >> 5.",
    ),
)
