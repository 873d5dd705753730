"""Lesson 07's functions to write: what a kmalloc really takes, and where vmalloc finds room."""

from __future__ import annotations

import functools
import random

from ...physical.zonelist import Page
from ...units import PAGE_SIZE, GiB, group_hex
from ...virtual.vmalloc import VmallocSpace
from ..plain import Plain
from ..question import Misconception
from ..questions.slab_steps import MINALIGN, served
from ..task import Given, Task

START = 0xF080_0000


def _draw_size(rng: random.Random, size: float) -> Given:
    small = (rng.randrange(1, 200), rng.randrange(65, 97), rng.randrange(129, 193))
    large = (rng.randrange(193, 8193), rng.randrange(8193, 200_000))
    return {"size": rng.choice(small if rng.random() > size * 0.7 else large), "minalign": rng.choice((8, 64))}


def _power(size: int, minalign: int) -> int:
    return max(minalign, 1 << (size - 1).bit_length())


def _cached(size: int, minalign: int) -> int:
    """The obvious rule: powers of two from the smallest cache on, and 96 and 192 where they exist."""
    between = [96] * (minalign <= 32) + [192] * (minalign <= 64)
    return min(found for found in (_power(size, minalign), *between) if found >= size)


def _taken(size: int, minalign: int) -> int:
    if size < 1 or minalign not in MINALIGN.values():
        raise ValueError("no request")
    return served(size, minalign)


TAKEN = Task(
    id="07.taken",
    signature="taken(size, minalign)",
    ask="Return how many bytes kmalloc(size) really takes. There are caches for each power of two from `minalign` to "
    "8,192 bytes, one of 96 bytes if minalign is at most 32, and one of 192 if it is at most 64. What is larger than "
    "8,192 bytes comes from the page allocator: the smallest power of two of pages of 4,096 bytes.",
    draw=_draw_size,
    args=lambda size, minalign: [size, minalign],
    answer=_taken,
    loads=lambda size, minalign: f"from vmlab.physical import kmalloc\nprint(kmalloc.sizes({minalign}))",
    what="requests",
    beliefs=(
        Misconception("all caches are powers of two", _power, "Which two caches lie between 64 and 256?"),
        Misconception(
            "kmalloc takes as many bytes as were asked for",
            lambda size, minalign: size,
            "From which cache does the object come?",
        ),
        Misconception(
            "every allocation takes whole pages",
            lambda size, minalign: PAGE_SIZE << ((size - 1) // PAGE_SIZE).bit_length(),
            "What is a slab for?",
        ),
        Misconception(
            "every machine has the cache of 96 bytes",
            lambda size, minalign: _cached(size, 8),
            "Which is the smallest distance of two objects if DMA needs 64 bytes of its own?",
        ),
    ),
    hints=(
        "Which caches are there on this machine, and which is the first that is large enough?",
        "cache: the smallest that holds the request; 96 and 192 count where they exist; pages above 8,192.",
    ),
)

# --- place: a bug to find ---

Areas = list[list[int]]  # [start, end) in bytes, guard page included


def _draw_space(rng: random.Random, size: float) -> Given:
    count = 2 + int(size * 8)
    pages = [rng.randrange(1, 40) for _ in range(count)]
    freed = sorted(rng.sample(range(count), max(1, count // 2)))
    room = max(pages[number] for number in freed) + 1  # the largest hole, where no two are neighbours
    return {"pages": pages, "freed": freed, "wanted": max(1, room - rng.choice((0, 0, 1, 1, 4)))}


@functools.lru_cache(maxsize=256)
def _placed(pages: tuple[int, ...], freed: tuple[int, ...], wanted: int) -> tuple[Areas, int]:
    """The areas that there are, and where the next one goes, by the allocator itself."""
    frame = Page(1, 0, 0, "Normal", "low")
    space = VmallocSpace(START, START + GiB // 8, lambda gfp: frame, lambda page: None, 1 << 20, 1)
    given = [space.vmalloc(count * PAGE_SIZE) for count in pages]
    for number in freed:
        space.vfree(int(given[number]))  # type: ignore[arg-type]
    space.purge()
    areas = [[area.start, area.end] for area in sorted(space.areas.values(), key=lambda area: area.start)]
    return areas, int(space.vmalloc(wanted * PAGE_SIZE))  # type: ignore[arg-type]


def _case(pages: list[int], freed: list[int], wanted: int) -> tuple[Areas, int]:
    if wanted < 1 or min(pages, default=0) < 1 or len(set(freed)) < len(freed):
        raise ValueError("no space that calls have made")
    return _placed(tuple(pages), tuple(freed), wanted)


def _lowest(areas: Plain, start: int, size: int) -> int:
    """The lowest hole of `size` bytes."""
    at = start
    for low, high in areas:
        if low - at >= size:
            return at
        at = high
    return at


def _tell_space(pages: list[int], freed: list[int], wanted: int) -> str:
    kept, at = _case(pages, freed, wanted)[0], group_hex(START)
    return f"areas = {[[hex(low), hex(high)] for low, high in kept]}  # of vmalloc, guard pages included, from {at} on"


PLACE = Task(
    id="07.place",
    signature="place(areas, start, pages)",
    ask="Return the address that vmalloc gives to a request of `pages` pages: the lowest hole from `start` on that "
    "has room for them and for a guard page behind them. `areas` are those that there are, ascending, as [start, "
    "end) in bytes, their guard pages included; behind the last one there is room enough.",
    draw=_draw_space,
    args=lambda pages, freed, wanted: [_case(pages, freed, wanted)[0], START, wanted],
    answer=lambda pages, freed, wanted: _case(pages, freed, wanted)[1],
    loads=_tell_space,
    what="address spaces",
    beliefs=(
        Misconception(
            "an area needs only its own pages",
            lambda areas, start, pages: _lowest(areas, start, pages * PAGE_SIZE),
            "What catches an access just behind the area?",
        ),
        Misconception(
            "new areas go behind the last one",
            lambda areas, start, pages: areas[-1][1] if areas else start,
            "What becomes of the addresses of an area that was freed?",
        ),
        Misconception(
            "guard pages stand on both sides",
            lambda areas, start, pages: _lowest(areas, start, (pages + 2) * PAGE_SIZE),
            "Whose guard page lies in front of a new area?",
        ),
    ),
    hints=(
        "Which holes are there, and how large must one be?",
        "place: go through the areas from the lowest on; a hole of pages + 1 pages is enough.",
    ),
)
