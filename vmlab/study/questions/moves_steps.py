"""Practice of lesson 12: words of pagemap, where they stand in the file, what asking again costs and misses."""

from __future__ import annotations

import random

from ...procfs import PagemapEntry
from ...units import PAGE_SHIFT, MiB, group_hex
from ..question import Facts, Misconception, Question, always
from ..steps import Step, Steps
from .tlb_steps import apart

NUMBER = (1 << 55) - 1


def _present(rng: random.Random) -> Facts:
    entry = PagemapEntry(
        present=True, exclusive=True, soft_dirty=rng.random() < 0.5, pfn=rng.randrange(1 << 16, 1 << 22)
    )
    return {"raw": entry.encode(), "shown": f"{entry.encode():#018x}"}


def _pfn(raw: int, shown: str) -> int:
    return PagemapEntry.decode(raw).pfn or 0


def present_steps(raw: int, shown: str) -> Steps:
    """A present page's word, from the top bit down."""
    return Steps.of(
        (
            Step("present", "bit 63", f"{raw >> 63}", "in RAM: the low bits are a frame number"),
            Step("marks", "bits 62 to 55: not part of the number", f"{raw >> 55 & 0xFF:08b}", "put aside"),
            Step("frame", "bits 54 to 0", f"{shown} & {NUMBER:#x}", f"{raw & NUMBER:#x}"),
        )
    )


FRAME = apart(
    Question(
        id="12.frame",
        ask="One step is open. A word of /proc/PID/pagemap is {shown}. In which frame is the page?",
        facts=_present,
        answer=_pfn,
        misconceptions=(
            Misconception(
                "the word holds an address",
                lambda raw, shown: (raw & NUMBER) << PAGE_SHIFT,
                "Is a frame counted in bytes?",
            ),
            Misconception(
                "the word holds an address, whose low bits are flags",
                lambda raw, shown: (raw & NUMBER) >> PAGE_SHIFT,
                "Where are the flags of this word: below the number, or above it?",
            ),
            Misconception(
                "only bit 63 is a flag", lambda raw, shown: raw & ~(1 << 63), "Which bits stand between 63 and 55?"
            ),
        ),
        hints=("At which bit does the number end?", "frame: bits 54 to 0; all above are marks."),
        steps=present_steps,
        blank="frame",
        because="bits 54 to 0 of the word of a present page are its frame number.",
        show=hex,
    )
)


def _swapped(rng: random.Random) -> Facts:
    entry = PagemapEntry(swapped=True, swap_type=rng.randrange(1, 4), swap_offset=rng.randrange(100, 1 << 16))
    return {"raw": entry.encode(), "shown": f"{entry.encode():#018x}"}


def swapped_steps(raw: int, shown: str) -> Steps:
    """A swapped page's word."""
    number = raw & NUMBER
    return Steps.of(
        (
            Step("present", "bit 63", f"{raw >> 63}", "not in a frame of this process"),
            Step("swapped", "bit 62", f"{raw >> 62 & 1}", "the low bits are area and slot"),
            Step("area", "bits 4 to 0", f"{number:#x} & 0x1f", f"{number & 31}"),
            Step("slot", "bits 54 to 5", f"{number:#x} >> 5", f"{number >> 5:,}"),
        )
    )


SLOT = apart(
    Question(
        id="12.slot",
        ask="On your own. A word of /proc/PID/pagemap is {shown}. In which slot of its swap area is the page?",
        facts=_swapped,
        answer=lambda raw, shown: PagemapEntry.decode(raw).swap_offset,
        misconceptions=(
            Misconception("the low bits are one number", lambda raw, shown: raw & NUMBER, "How is the area told?"),
            Misconception(
                "the area stands above the slot", lambda raw, shown: raw & 31, "How many areas can there be?"
            ),
            Misconception(
                "the slot is counted in bytes",
                lambda raw, shown: (raw & NUMBER) >> PAGE_SHIFT,
                "What is a slot's size?",
            ),
        ),
        hints=("What do the lowest five bits say?", "slot: bits 54 to 5, after the five bits of the area."),
        steps=swapped_steps,
        because="five bits for the swap area, then the slot.",
    )
)


def place_steps(va: int, shown: str) -> Steps:
    """From an address to a place in the file."""
    return Steps.of(
        (
            Step("page", "address / 4,096", f"{shown} >> 12", f"{va >> PAGE_SHIFT:#x}"),
            Step("byte", "eight bytes a page", f"{va >> PAGE_SHIFT:#x} × 8", f"{(va >> PAGE_SHIFT) * 8:#x}"),
        )
    )


def _address(rng: random.Random) -> Facts:
    va = rng.randrange(0x1000, 0x7_0000_0000) << PAGE_SHIFT | rng.randrange(8, 4096)
    return {"va": va, "shown": group_hex(va)}


PLACE = apart(
    Question(
        id="12.place",
        ask="At which byte of /proc/PID/pagemap does the word of the page at {shown} begin?",
        facts=_address,
        answer=lambda va, shown: (va >> PAGE_SHIFT) * 8,
        misconceptions=(
            Misconception(
                "a word has four bytes", lambda va, shown: (va >> PAGE_SHIFT) * 4, "How many bits has a word?"
            ),
            Misconception("the file is read at the address", lambda va, shown: va, "What does one word stand for?"),
            Misconception("one byte a page", lambda va, shown: va >> PAGE_SHIFT, "How large is one entry?"),
        ),
        hints=("Which page is it?", "byte: the page's number, times eight."),
        steps=place_steps,
        because="the number of the page, times eight bytes.",
        show=hex,
    )
)


def cost_steps(mib: int) -> Steps:
    """What one look at a whole buffer reads."""
    pages = mib * MiB >> PAGE_SHIFT
    return Steps.of(
        (
            Step("pages", "buffer / 4,096", f"{mib} MiB", f"{pages:,}"),
            Step("bytes", "eight a page", f"{pages:,} × 8", f"{pages * 8:,}"),
        )
    )


COST = apart(
    Question(
        id="12.cost",
        ask="You cache the frame numbers of a buffer of {mib} MiB. How many bytes of pagemap do you read to check all?",
        facts=lambda rng: {"mib": rng.choice((16, 24, 32, 48, 64, 96, 128, 256))},
        answer=lambda mib: (mib * MiB >> PAGE_SHIFT) * 8,
        misconceptions=(
            Misconception("a word a byte of memory", lambda mib: mib * MiB * 8, "What does one word stand for?"),
            Misconception("one byte a page", lambda mib: mib * MiB >> PAGE_SHIFT, "How many bytes has a word?"),
            Misconception("one word is enough for all", always(8), "Are neighbours in neighbouring frames?"),
        ),
        hints=("How many pages has the buffer?", "bytes: pages times eight."),
        steps=cost_steps,
        because="eight bytes for each page: a 512th of the buffer.",
    )
)


def late_steps(every: int, after: int) -> Steps:
    """Uses between a move and the next look."""
    last = after - after % every
    return Steps.of(
        (
            Step("last", "the last look before the move: before use", f"{last} + 1", f"{last + 1}"),
            Step("next", "the next look: before use", f"{last + 1} + {every}", f"{last + every + 1}"),
            Step(
                "wrong", "uses after the move, before that look", f"{last + every} − {after}", f"{last + every - after}"
            ),
        )
    )


def _late(rng: random.Random) -> Facts:
    every = rng.randrange(6, 20)
    return {"every": every, "after": every * rng.randrange(2, 9) + rng.randrange(1, every)}


LATE = apart(
    Question(
        id="12.late",
        ask="You read pagemap before uses 1, {every} + 1, 2 × {every} + 1 and so on. The page moves between use "
        "{after} and the next one. How many uses take the wrong frame?",
        facts=_late,
        answer=lambda every, after: every - after % every,
        misconceptions=(
            Misconception("the whole interval is wrong", lambda every, after: every, "Were the uses before it wrong?"),
            Misconception(
                "the uses since the last look are wrong",
                lambda every, after: after % every,
                "Where was the page at that time?",
            ),
            Misconception("the next use notices", always(1), "Who would tell it?"),
        ),
        hints=("Before which use is the next look?", "next: the last look before the move, plus the interval."),
        steps=late_steps,
        because="all uses from the move to the next look.",
    )
)
