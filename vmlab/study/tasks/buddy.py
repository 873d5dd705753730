"""Lesson 06's functions to write: what is free after a page came back, and after a block was split."""

from __future__ import annotations

import functools
import random

from ..plain import Plain
from ..question import Misconception
from ..questions.buddy_steps import one_block
from ..task import Given, Task
from ..workbench import Workbench

Blocks = list[list[int]]  # [first frame, order] of each free block


def _free_blocks(bench: Workbench) -> Blocks:
    """All free blocks of the zone, ascending, as the allocator has them."""
    zone = bench.zone
    found = {bench.buddy.block_of(pfn) for pfn in range(zone.start_pfn, zone.end_pfn)}
    return sorted(list(block) for block in found if block is not None)


# --- give_back ---


def _draw_free(rng: random.Random, size: float) -> Given:
    top = 3 + int(size * 3.9)
    start = rng.randrange(1, 64) << top
    pages = list(range(1 << top))
    page = rng.choice(pages)
    near = [page ^ 1 << order for order in range(top)]
    free = {
        n for order, first in enumerate(near) for n in range(first >> order << order, (first >> order) + 1 << order)
    }
    free = {n for n in free if rng.random() < 0.93} | set(rng.sample(pages, rng.randrange(1 << top - 1)))
    if rng.random() < 0.4:  # a free neighbour that is no buddy
        beside = page + 1 if page & 1 else page - 1
        free = (free | {beside}) - {page ^ 1, beside ^ 1}
    free &= set(pages)
    return {"start": start, "top": top, "free": sorted(start + n for n in free if n != page), "pfn": start + page}


@functools.lru_cache(maxsize=256)
def _merged(start: int, top: int, free: tuple[int, ...], pfn: int) -> tuple[Blocks, Blocks]:
    """Free blocks before and after the page comes back, by the allocator itself."""
    bench = one_block(start, top)
    bench.fill(0)
    for page in free:
        bench.free(page)
    before = _free_blocks(bench)
    bench.free(pfn)
    return before, _free_blocks(bench)


def _case(start: int, top: int, free: list[int], pfn: int) -> tuple[Blocks, Blocks]:
    if not 1 <= top <= 7 or start % (1 << top) or start < 1:
        raise ValueError("no zone of one largest block")
    return _merged(start, top, tuple(free), pfn)


def _tell_free(start: int, top: int, free: list[int], pfn: int) -> str:
    return "\n".join(
        (
            "from vmlab.study.questions.buddy_steps import one_block",
            f"bench = one_block({start:#x}, {top})  # a zone that is one block; take all its pages, give some back",
            "bench.fill(0)",
            f"[bench.free(page) for page in {free}]",
            "print(bench.buddy.nr_free(bench.zone))",
        )
    )


def _joined(blocks: Plain, pfn: int, most: int, *, once: bool = False, keep_first: bool = False) -> Plain:
    free = {(first, order) for first, order in blocks}
    first, order = pfn, 0
    while order < most and (first ^ 1 << order, order) in free:
        free.remove((first ^ 1 << order, order))
        first = first if keep_first else first & ~(1 << order)
        order += 1
        if once:
            break
    return sorted([list(block) for block in free] + [[first, order]])


def _neighbours(blocks: Plain, pfn: int, most: int) -> Plain:
    """Join with whatever block of the same order lies beside it."""
    free = {(first, order) for first, order in blocks}
    first, order = pfn, 0
    while order < most:
        below, above = (first - (1 << order), order), (first + (1 << order), order)
        if below in free:
            free.remove(below)
            first = below[0]
        elif above in free:
            free.remove(above)
        else:
            break
        order += 1
    return sorted([list(block) for block in free] + [[first, order]])


GIVE_BACK = Task(
    id="06.give_back",
    signature="give_back(blocks, pfn, most)",
    ask="Page `pfn` comes back. Return the free blocks after that, ascending: [first frame, order]. `blocks` are those "
    "that were free before; `most` is the largest order.",
    draw=_draw_free,
    args=lambda start, top, free, pfn: [_case(start, top, free, pfn)[0], pfn, top],
    answer=lambda start, top, free, pfn: _case(start, top, free, pfn)[1],
    loads=_tell_free,
    what="zones",
    beliefs=(
        Misconception(
            "free pages stay single",
            lambda blocks, pfn, most: sorted([*blocks, [pfn, 0]]),
            "What is the buddy of the page, and is it free?",
        ),
        Misconception(
            "a page merges once",
            lambda blocks, pfn, most: _joined(blocks, pfn, most, once=True),
            "Is the block that you got free too, and has it no buddy?",
        ),
        Misconception(
            "any free block beside it will do",
            _neighbours,
            "May a block of two pages begin at an odd frame?",
        ),
        Misconception(
            "the merged block begins where the page was",
            lambda blocks, pfn, most: _joined(blocks, pfn, most, keep_first=True),
            "Which of two buddies is the lower one?",
        ),
    ),
    hints=(
        "Which one block may the page merge with, and in which bit does its first frame differ?",
        "buddy, free?, merge: first ^ (1 << order) of the same order; the lower first frame; then one order more.",
    ),
)

# --- split: a broken allocator ---


def _draw_split(rng: random.Random, size: float) -> Given:
    top = 2 + int(size * 6.9)
    return {"start": rng.randrange(1, 64) << top, "top": top, "order": rng.randrange(top)}


@functools.lru_cache(maxsize=256)
def _split(start: int, top: int, order: int) -> tuple[int, Blocks]:
    if not 1 <= top <= 10 or start % (1 << top) or start < 1 or not 0 <= order <= top:
        raise ValueError("no zone of one largest block")
    bench = one_block(start, top)
    pfn = bench.alloc(order)
    if pfn is None:
        raise ValueError("the block is too small")
    return pfn, _free_blocks(bench)


def _halves(first: int, order: int, wanted: int) -> Blocks:
    return [[first + (1 << number), number] for number in range(wanted, order)]


SPLIT = Task(
    id="06.split_block",
    signature="split_block(first, order, wanted)",
    ask="A block of order `order` that begins at frame `first` is the only free one; a block of order `wanted` is "
    "asked for. Return [frame, blocks]: the first frame handed out, and the blocks that are free then, ascending: "
    "[first frame, order].",
    draw=_draw_split,
    args=lambda start, top, order: [start, top, order],
    answer=lambda start, top, order: [_split(start, top, order)[0], _split(start, top, order)[1]],
    loads=lambda start, top, order: (
        "from vmlab.study.questions.buddy_steps import one_block\n"
        f"bench = one_block({start:#x}, {top})\nprint(bench.alloc({order}), bench.buddy.nr_free(bench.zone))"
    ),
    what="requests",
    beliefs=(
        Misconception(
            "the whole block is cut into pieces of the size asked for",
            lambda first, order, wanted: [
                first,
                [[first + (n << wanted), wanted] for n in range(1, 1 << order - wanted)],
            ],
            "Which half is cut again, and what happens to the other?",
        ),
        Misconception(
            "the upper half is handed out",
            lambda first, order, wanted: [
                first + (1 << order) - (1 << wanted),
                sorted([first + (1 << order) - (2 << number), number] for number in range(wanted, order)),
            ],
            "Which half does expand() put on the list?",
        ),
        Misconception(
            "the rest stays one block",
            lambda first, order, wanted: [first, [[first + (1 << wanted), order - 1]]],
            "How many pages would that rest have: a power of two?",
        ),
        Misconception(
            "each half goes on the list of the order that was cut",
            lambda first, order, wanted: [first, [[one, number + 1] for one, number in _halves(first, order, wanted)]],
            "How many pages has a half?",
        ),
    ),
    hints=(
        "How often must the block be halved, and which half is kept each time?",
        "split: order − 1 down to wanted; the upper half of each cut, first + (1 << order), goes on its list.",
    ),
)
