"""A prediction of lesson 03 that the learner's own machine can be asked: cache lines packed, or one a page."""

from __future__ import annotations

import random

from ...units import PAGE_SHIFT
from ...virtual.tlb import Tlb
from ..question import Facts, Misconception, Question, always

USER = 0x40_0000


def _measured(rng: random.Random) -> Facts:
    packed, spread = (Tlb("Skylake").run(_circle(8192, apart)).total for apart in (64, 4096))
    return {"packed": packed.misses, "spread": spread.misses, "lines": 8192}


def _circle(lines: int, distance: int) -> list[int]:
    """Page numbers of three rounds through so many cache lines in a random order."""
    order = random.Random(1).sample(range(lines), lines)
    return [(USER + line * distance) >> PAGE_SHIFT for line in order] * 3


STRIDES = Question(
    id="03.strides",
    ask="{lines:,} cache lines, read in a random circle. One a page instead of packed: the data caches have as many "
    "lines to keep. On the TLB of a Skylake, how many walks do three rounds make, packed and spread?",
    facts=_measured,
    choices=lambda packed, spread, lines: {
        "same": "equally many: as many lines, as many reads",
        "first": f"{lines // 64:,} and {lines:,}: one for each page, the first time",
        "always": f"{lines // 64:,} packed; spread, most of the {3 * lines:,} reads walk",
        "never": f"{3 * lines:,} in both: a random order defeats a TLB",
    },
    answer=lambda packed, spread, lines: (
        "same" if spread == packed else "first" if spread == lines else "never" if packed > lines else "always"
    ),
    misconceptions=(
        Misconception("the TLB keeps lines, as a data cache does", always("same"), "How many lines share an entry?"),
        Misconception("a page that was walked for once is kept", always("first"), "Are 8,192 pages within the reach?"),
        Misconception("order alone decides", always("never"), "How many pages are the packed lines on?"),
    ),
    because="packed they are {packed} pages, within reach after the first round; spread they are {lines:,} pages for "
    "1,536 entries ({spread:,} walks). Your own machine, measured below, pays for it in nanoseconds.",
)
