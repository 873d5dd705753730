"""Worked watermarks and reserves of lesson 04, step by step, and practice on them."""

from __future__ import annotations

import random
from dataclasses import replace
from math import isqrt
from typing import Any

from ...physical.watermarks import LOWMEM_RESERVE_RATIO, lowmem_reserve, watermarks
from ...physical.zones import Zone
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps


def marks_steps(min_free: int, dma: int, normal: int, mark: Any, **_: Any) -> Steps:
    """The watermarks of Normal: pages, share, step, low, high."""
    pages, tenth = min_free // 4, normal // 1000
    delta = mark.low - mark.min
    return Steps.of(
        (
            Step("pages", "min_free_kbytes in pages", f"{min_free:,} / 4", f"{pages:,}"),
            Step("share", "min: the zone's share", f"{pages:,} × {normal:,} / {dma + normal:,}", f"{mark.min:,}"),
            Step(
                "step",
                "the larger of min / 4 and 0.1 % of managed",
                f"max({mark.min // 4:,}, {tenth:,})",
                f"{delta:,}",
            ),
            Step("low", "min + step", f"{mark.min:,} + {delta:,}", f"{mark.low:,}"),
            Step("high", "low + step", f"{mark.low:,} + {delta:,}", f"{mark.high:,}"),
        )
    )


def _marks(rng: random.Random) -> Facts:
    normal = rng.randrange(400_000, 800_000)
    zones = [Zone(0, 0, "DMA", managed_pages=3840), Zone(0, 1, "Normal", managed_pages=normal)]
    min_free = isqrt((3840 + normal) * 4 * 16)
    return {"min_free": min_free, "dma": 3840, "normal": normal, "mark": watermarks(zones, min_free)[1]}


LOW = Question(
    id="04.low",
    ask="On your own. Two lowmem zones: DMA with {dma:,} managed pages, Normal with {normal:,}. min_free_kbytes is "
    "{min_free:,}. "
    "What is the low watermark of Normal, in pages?",
    facts=_marks,
    answer=lambda mark, **_: mark.low,
    misconceptions=(
        Misconception(
            "min_free_kbytes counts pages",
            lambda min_free, normal, dma, **_: (share := min_free * normal // (dma + normal)) + share // 4,
            "How many kB has a page?",
        ),
        Misconception(
            "low is always a quarter above min",
            lambda mark, **_: mark.min + mark.min // 4,
            "Which of the two is larger here: min / 4, or 0.1 % of the zone?",
        ),
        Misconception(
            "low is twice min",
            lambda mark, **_: 2 * mark.min,
            "That was the rule of 2.4. What does step say?",
        ),
        Misconception(
            "low is the zone's share of min_free_kbytes",
            lambda mark, **_: mark.min,
            "Which watermark has that name?",
        ),
    ),
    because="min is the zone's share of min_free_kbytes / 4; low lies one step above it (Linux 6.1, "
    "mm/page_alloc.c:__setup_per_zone_wmarks).",
    hints=("What is a kilobyte of min_free_kbytes in pages?", "share, then step: the larger of two; low is their sum."),
    steps=marks_steps,
)
LOW_STEP = replace(
    LOW,
    id="04.low-step",
    ask="One step is open, and low comes after it. DMA has {dma:,} managed pages, Normal {normal:,}; "
    "min_free_kbytes is "
    "{min_free:,}. What is the low watermark of Normal?",
    blank="step",
)


def _three_zones(rng: random.Random) -> Facts:
    counts = (rng.randrange(3000, 4000), rng.randrange(120_000, 220_000), rng.randrange(60_000, 500_000))
    names = ("DMA", "Normal", "HighMem")
    zones = [Zone(0, i, name, managed_pages=counts[i], highmem=i == 2) for i, name in enumerate(names)]
    return {"rows": lowmem_reserve(zones), "dma": counts[0], "normal": counts[1], "highmem": counts[2]}


def keeps_steps(rows: Any, normal: int, highmem: int, **_: Any) -> Steps:
    """What DMA keeps from a request that may use HighMem: above, keep."""
    ratio = LOWMEM_RESERVE_RATIO["DMA"]
    return Steps.of(
        (
            Step("above", "managed pages of the zones above DMA", f"{normal:,} + {highmem:,}", f"{normal + highmem:,}"),
            Step("keep", "divided by DMA's ratio, rounded down", f"{normal + highmem:,} / {ratio}", f"{rows[0][2]:,}"),
        )
    )


KEEPS = Question(
    id="04.keeps",
    ask="When the rule ran, DMA had {dma:,} managed pages, Normal {normal:,}, HighMem {highmem:,}. The ratios are "
    "256, 32 and 0. "
    "How many pages does DMA keep from a request that may use HighMem?",
    facts=_three_zones,
    answer=lambda rows, **_: rows[0][2],
    misconceptions=(
        Misconception(
            "only the request's own zone counts",
            lambda highmem, **_: highmem // LOWMEM_RESERVE_RATIO["DMA"],
            "Which zones could this request use besides HighMem, before it comes to DMA?",
        ),
        Misconception(
            "the zone's own pages count too",
            lambda dma, normal, highmem, **_: (dma + normal + highmem) // LOWMEM_RESERVE_RATIO["DMA"],
            "Is DMA above itself?",
        ),
        Misconception(
            "the ratio of the zone below the request's counts",
            lambda normal, highmem, **_: (normal + highmem) // LOWMEM_RESERVE_RATIO["Normal"],
            "Whose pages are kept?",
        ),
        Misconception(
            "HighMem has ratio 0, so it asks for nothing",
            lambda **_: 0,
            "Whose ratio is divided by: the keeper's, or the asker's?",
        ),
    ),
    because="all managed pages of the zones above, up to the request's, divided by DMA's ratio.",
    hints=("Which zones does the request pass before it reaches DMA?", "Add their managed pages, divide by 256."),
    steps=keeps_steps,
)


def _counts(rng: random.Random) -> Facts:
    spanned = rng.randrange(100, 900) * 1024
    hole = rng.randrange(1, 40) * 512
    kept = rng.randrange(2001, 9999, 2)  # odd, and a hole is even: the two never agree
    return {"spanned": spanned, "present": spanned - hole, "managed": spanned - hole - kept}


def bug_steps(spanned: int, present: int, managed: int) -> Steps:
    """What is wrong with spanned − managed: report, kept, too much."""
    report, kept = spanned - managed, present - managed
    return Steps.of(
        (
            Step("report", "what the script says", f"{spanned:,} − {managed:,}", f"{report:,}"),
            Step("kept", "what boot kept: RAM that is not managed", f"{present:,} − {managed:,}", f"{kept:,}"),
            Step("too much", "report − kept: the holes", f"{report:,} − {kept:,}", f"{report - kept:,}"),
        )
    )


BUG = Question(
    id="04.bug",
    ask="A script reports what boot kept of a zone as spanned − managed. Here spanned is {spanned:,}, present "
    "{present:,}, "
    "managed {managed:,}. By how many pages is its report too large?",
    facts=_counts,
    answer=lambda spanned, present, managed: spanned - present,
    misconceptions=(
        Misconception("the script is right", lambda **_: 0, "Is there RAM in a hole?"),
        Misconception(
            "all that the script reports is too much",
            lambda spanned, managed, **_: spanned - managed,
            "Where are the kernel's image and mem_map?",
        ),
        Misconception(
            "what is present is not kept",
            lambda present, managed, **_: present - managed,
            "Present pages that are not managed: whose are they?",
        ),
    ),
    because="a hole has no RAM to keep: boot kept present − managed.",
    hints=("Which two counts both count RAM?", "Right: present − managed. The script's: spanned − managed. Subtract."),
    steps=bug_steps,
)
