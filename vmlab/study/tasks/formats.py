"""Lesson 02's functions to write: an address taken apart by any format, and which addresses are canonical."""

from __future__ import annotations

import random

from ...arch.format import Format
from ...arch.formats import page_format
from ..plain import Plain
from ..question import Misconception
from ..task import Given, Task

FORMATS = (
    "x86-32", "x86-pae", "x86-64-4", "x86-64-5", "arm-short", "arm-lpae", "sv39", "sv48",
    "arm64-4k-48", "arm64-16k-47", "arm64-64k-48",
)  # fmt: skip
SIGNED = ("x86-64-4", "x86-64-5", "sv39", "sv48")


def _levels(fmt: Format) -> list[list[int]]:
    return [[level.shift, level.bits] for level in fmt.levels]


def _tell(name: str, **_: object) -> str:
    return f'from vmlab.arch.formats import page_format\nfmt = page_format("{name}")'


# --- split ---


def _draw_address(rng: random.Random, size: float) -> Given:
    name = rng.choice(FORMATS)
    fmt = page_format(name)
    top = fmt.levels[0]
    va = rng.randrange(1 << max(fmt.page_shift + 2, int((top.shift + top.bits) * (0.5 + size / 2))))
    if name in SIGNED and rng.random() < 0.4:
        va = (1 << 64) - 1 - va if va >> fmt.va_bits - 1 == 0 else va & (1 << fmt.va_bits - 1) - 1
    return {"name": name, "va": va}


def _nines(va: int, levels: Plain) -> Plain:
    """x86-64's nine bits a level and twelve of offset, for as many levels."""
    count = len(levels)
    return [*(va >> 12 + 9 * (count - 1 - i) & 511 for i in range(count)), va & 4095]


SPLIT = Task(
    id="02.split",
    signature="split(va, levels)",
    ask="Return the index at every level, from the root down, and then the offset in the smallest page. `levels` are "
    "[shift, bits] from the root down: an index is that many bits of the address from bit `shift` on.",
    draw=_draw_address,
    args=lambda name, va: [va, _levels(page_format(name))],
    answer=lambda name, va: list(page_format(name).split(va)),
    loads=_tell,
    what="addresses",
    beliefs=(
        Misconception("every level has nine bits", _nines, "How many bits has a level of ARM's short format?"),
        Misconception(
            "an index is all that is left above the shift",
            lambda va, levels: [*(va >> shift for shift, _ in levels), va & (1 << levels[-1][0]) - 1],
            "Which bits did the level above use up?",
        ),
        Misconception(
            "the lowest level is read first",
            lambda va, levels: [
                *(va >> shift & (1 << bits) - 1 for shift, bits in reversed(levels)),
                va & (1 << levels[-1][0]) - 1,
            ],
            "At which table does the base register point?",
        ),
        Misconception(
            "the offset is the page number's rest",
            lambda va, levels: [*(va >> shift & (1 << bits) - 1 for shift, bits in levels), va >> levels[-1][0]],
            "Which bits has no index taken?",
        ),
    ),
    hints=(
        "How do you cut the bits from `shift` on, and no more than `bits` of them, out of a number?",
        "index: va >> shift & (1 << bits) - 1; the offset is what lies below the last shift.",
    ),
)

# --- canonical: a bug to find ---


def _draw_edges(rng: random.Random, size: float) -> Given:
    name = rng.choice(SIGNED)
    half = 1 << page_format(name).va_bits - 1
    edges = (0, half, 2 * half, (1 << 64) - half, (1 << 64) - 2 * half, (1 << 64) - 1)
    near = [edge + rng.randrange(-0x1000, 0x1000) for edge in edges for _ in range(1 + int(size * 2))]
    vas = [*near, half - 1, half, (1 << 64) - half, (1 << 64) - half - 1]
    rng.shuffle(vas)
    return {"name": name, "vas": [va for va in vas if 0 <= va < 1 << 64]}


CANONICAL = Task(
    id="02.canonical",
    signature="canonical(vas, bits)",
    ask="Return those of `vas` that are canonical, in their order: all bits from bit `bits - 1` up to bit 63 are "
    "equal. `bits` is how many bits of an address the format translates.",
    draw=_draw_edges,
    args=lambda name, vas: [vas, page_format(name).va_bits],
    answer=lambda name, vas: [va for va in vas if page_format(name).is_canonical(va)],
    loads=_tell,
    what="lists of addresses",
    beliefs=(
        Misconception(
            "all addresses of so many bits are canonical, and no others",
            lambda vas, bits: [va for va in vas if va >> bits == 0],
            "Where are the kernel's addresses?",
        ),
        Misconception(
            "the bits above the translated ones must be equal among themselves",
            lambda vas, bits: [va for va in vas if va >> bits in (0, (1 << 64 - bits) - 1)],
            "Which bit do the upper ones have to repeat?",
        ),
        Misconception(
            "canonical addresses are those of the lower half",
            lambda vas, bits: [va for va in vas if va >> bits - 1 == 0],
            "What if bit 63 and all the others above are 1?",
        ),
        Misconception(
            "bit 63 says it all",
            lambda vas, bits: [va for va in vas if va >> 63 == va >> bits - 1 & 1],
            "And the bits between the two?",
        ),
    ),
    hints=(
        "How many of the 64 bits have to be equal: 64 - bits, or one more?",
        "va >> (bits - 1) leaves those bits alone: all 0, or all 1.",
    ),
)
