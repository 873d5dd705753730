"""Recall for lesson 11: three questions about what came before, three about the lesson; and a choice to make."""

from __future__ import annotations

import random

from ...process.replacement import misses
from ...units import PAGE_SHIFT, KiB, human
from ..question import Facts, Misconception, Question
from ..weigh import Scenario
from .reclaim import missed, scan_misses
from .tlb_steps import apart


def _text(rng: random.Random) -> Facts:
    return {"text": rng.randrange(20, 90), "data": rng.randrange(100, 400)}


TEXT = apart(
    Question(
        id="11.recall.text",
        ask="A process loses {text} clean pages of its program text and {data} anonymous pages that it has written "
        "to. How many slots of the swap area does that take?",
        facts=_text,
        answer=lambda text, data: data,
        misconceptions=(
            Misconception(
                "all that goes, goes to swap", lambda text, data: text + data, "Where is text read from again?"
            ),
            Misconception("text is what is swapped", lambda text, data: text, "Which of the two is nowhere else?"),
            Misconception("pages are dropped", lambda text, data: 0, "Where would the written bytes be?"),
        ),
        because="text is dropped and read again from its file; only what is nowhere else needs a slot.",
    )
)


def _marks(rng: random.Random) -> Facts:
    least = rng.randrange(1000, 4000)
    return {"min": least, "low": least * 5 // 4, "high": least * 3 // 2}


MARKS = Question(
    id="11.recall.marks",
    ask="A zone's watermarks are min {min:,}, low {low:,} and high {high:,} pages. kswapd sleeps, and pages are "
    "taken. Below how many free pages is it woken?",
    facts=_marks,
    answer=lambda **marks: marks["low"],
    misconceptions=(
        Misconception(
            "it is woken when nearly all is gone", lambda **marks: marks["min"], "Who works below that mark?"
        ),
        Misconception(
            "it works up to where it wakes", lambda **marks: marks["high"], "Where does it go to sleep again?"
        ),
    ),
    because="woken below low, asleep above high; below min tasks reclaim for themselves.",
)

FRAMES = Question(
    id="11.recall.frames",
    ask="A program touches {kib:,} KiB of memory, all of it, in pages of 4 KiB. How many frames hold it whole?",
    facts=lambda rng: {"kib": 4 * rng.randrange(100, 900)},
    answer=lambda kib: (kib * KiB) >> PAGE_SHIFT,
    misconceptions=(
        Misconception("a frame has 1 KiB", lambda kib: kib, "How many bytes has a page?"),
        Misconception("a frame has 4,000 bytes", lambda kib: -(-kib * KiB // 4000), "Is 4 KiB a power of two?"),
    ),
    because="{kib:,} / 4.",
)


def _stack(rng: random.Random) -> Facts:
    frames, string = rng.randrange(3, 6), [rng.randrange(8) for _ in range(60)]
    found = {name: misses(name, frames, string) for name in ("lru", "opt")}
    return {"frames": frames, "more": frames + 1, "here": found["lru"], "opt": found["opt"]}


STACK = Question(
    id="11.recall.stack",
    ask="LRU misses {here} times with {frames} frames. What is the largest number of misses it can have on the same "
    "references with {more}?",
    facts=_stack,
    answer=lambda here, **_: here,
    misconceptions=(
        Misconception("every policy may do worse with more", lambda here, **_: here + 1, "Is LRU a stack algorithm?"),
        Misconception(
            "a frame more must save a miss", lambda here, **_: here - 1, "What if nothing is used again in time?"
        ),
    ),
    because="what LRU keeps with n frames it keeps with n + 1: never more misses, perhaps as many.",
)


def _circle(rng: random.Random) -> Facts:
    frames = rng.randrange(20, 60)
    return {"frames": frames, "pages": frames + 1, "rounds": rng.randrange(4, 9)}


def _loop(name: str, frames: int, pages: int, rounds: int) -> int:
    return misses(name, frames, list(range(pages)) * rounds)


CIRCLE = apart(
    Question(
        id="11.recall.circle",
        ask="{pages} pages in a circle, {rounds} rounds, {frames} frames. How many misses does LRU have?",
        facts=_circle,
        answer=lambda **facts: _loop("lru", **facts),
        misconceptions=(
            Misconception(
                "LRU is OPT", lambda **facts: _loop("opt", **facts), "Which page is needed next in a circle?"
            ),
            Misconception("one miss a page", lambda frames, pages, rounds: pages, "Do all of them fit?"),
        ),
        because="each page goes just before it is needed.",
    )
)

BITS = Question(
    id="11.recall.bits",
    ask="Between two looks of the kernel one process reads a page {times:,} times. How many accessed bits does the "
    "kernel find set for it?",
    facts=lambda rng: {"times": rng.randrange(3, 5000)},
    answer=lambda times: 1,
    misconceptions=(
        Misconception("each read is counted", lambda times: times, "Where would the count be?"),
        Misconception("reading leaves no trace", lambda times: 0, "What does the MMU write into the entry?"),
    ),
    because="one entry, one bit: used or not.",
)

START = (TEXT, MARKS, FRAMES)
END = (STACK, CIRCLE, BITS)


def backup() -> Scenario:
    """A server whose nightly backup pushes its hot pages out."""
    ask = (
        "A server answers requests from a hot set of file pages. Each night a backup reads every file once, and each "
        "morning the first requests are slow: their pages have gone. What do you change?"
    )
    lru, arc, linux, mglru = (f"{scan_misses(name):,}" for name in ("lru", "arc", "linux", "mglru"))
    ways = (
        ("nothing", "no work", f"in the lesson's run LRU misses {lru} times where {scan_misses('opt'):,} would do"),
        (
            "the backup says POSIX_FADV_DONTNEED, or reads with O_DIRECT",
            "its pages are not kept, whatever the policy",
            "a change to the backup program, and to the next one",
        ),
        (
            "a memory cgroup for the backup",
            "its pages compete among themselves; any program, unchanged",
            "a limit to choose: too low and it reads the same pages twice",
        ),
        (
            "mlock the hot set",
            "it stays for certain",
            "who knows the hot set? and locked pages are lost to everybody else",
        ),
        (
            "another policy: a file system with ARC, or Linux's generations",
            f"under ARC what is used once hardly disturbs: {arc} misses; Linux's two lists have {linux}, its "
            f"generations {mglru}",
            f"measured on one pattern; on the Python program ARC has {missed('arc'):,} misses and LRU "
            f"{missed('lru'):,}",
        ),
        (
            "more memory",
            f"helps every program; a page is {human(4 * KiB)} whoever uses it",
            "the scan is larger than any memory you buy",
        ),
    )
    return Scenario("11.backup", ask, ways)
