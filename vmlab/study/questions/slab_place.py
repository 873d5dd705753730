"""Where the next area of vmalloc space goes, step by step; practice."""

from __future__ import annotations

import random
from dataclasses import replace

from ...kernel import boot
from ...machine import Machine
from ...parts import Region
from ...physical.slab_size import get_order
from ...units import PAGE_SIZE, GiB, KiB, align_up
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from .tlb_steps import apart


def _areas(rng: random.Random) -> Facts:
    first, second = (rng.randrange(3, 30) * KiB + rng.randrange(1, 900) for _ in range(2))
    return {"start": 0xF080_0000, "first": first, "second": second}


def third(start: int, first: int, second: int) -> int:
    """Where a third area begins after two others: a fresh kernel is asked."""
    machine = Machine(arch="arm", ram=(Region(0x4000_0000, GiB),))
    space = boot(machine).vmap_areas
    assert space.start == start, hex(space.start)
    for size in (first, second):
        space.vmalloc(size)
    found = space.vmalloc(PAGE_SIZE)
    assert isinstance(found, int)
    return found


def _pages(size: int) -> int:
    return align_up(size, PAGE_SIZE)


def place_steps(start: int, first: int, second: int) -> Steps:
    """Two areas from the bottom of vmalloc space, and where the next one begins."""
    one, two = _pages(first) + PAGE_SIZE, _pages(second) + PAGE_SIZE
    return Steps.of(
        (
            Step(
                "pages",
                "each size rounded up to pages",
                f"{first:,} and {second:,}",
                f"{one - 4096:,} and {two - 4096:,}",
            ),
            Step("guard", "one page more for each", "+ 4,096", f"{one:,} and {two:,}"),
            Step("place", "lowest free address", f"{start:#_x} + {one:#x} + {two:#x}", f"{start + one + two:#_x}"),
        )
    )


NEXT = apart(
    Question(
        id="07.next",
        ask="vmalloc space begins at {start:#_x} and is empty. vmalloc({first:,}), then vmalloc({second:,}). At which "
        "address does a third area begin?",
        facts=_areas,
        answer=third,
        misconceptions=(
            Misconception(
                "areas stand wall to wall",
                lambda start, first, second: start + _pages(first) + _pages(second),
                "What catches a write behind the end of an area?",
            ),
            Misconception(
                "vmalloc rounds up to a power of two, as the page allocator does",
                lambda start, first, second: start + sum(PAGE_SIZE << get_order(n) for n in (first, second)),
                "Do the frames have to be one block?",
            ),
            Misconception(
                "the guard page is counted once",
                lambda start, first, second: start + _pages(first) + _pages(second) + PAGE_SIZE,
                "Which of the two areas would have no guard page?",
            ),
        ),
        hints=("How many pages of addresses does one area take?", "guard: one page more for each area, then place."),
        steps=place_steps,
        because="each area takes its pages and one guard page, from the lowest free address on.",
        show=hex,
    )
)

NEXT_STEP = replace(NEXT, id="07.next-step", ask="One step is open, and what follows it. " + NEXT.ask, blank="guard")
