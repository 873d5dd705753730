"""Lesson 05's functions to write: which frames hold mem_map, and which frames of a zone may be used."""

from __future__ import annotations

import ast
import functools
import random

from ...kernel import Kernel
from ...physical.page_list import PageList
from ...units import PAGE_SHIFT, align_down, align_up
from ..plain import Plain
from ..question import Misconception
from ..task import Given, Task
from .boards import Banks, Board, arm_banks, booted, in_bytes

MIB_SHIFT = 20 - PAGE_SHIFT  # a number of MiB as a number of frames

# --- frames_of: all five steps ---


def _draw_board(rng: random.Random, size: float) -> Given:
    return {"banks": arm_banks(rng, size), "struct_page_bytes": rng.choice((32, 36, 40, 44))}


def _flat(banks: Banks, struct_page_bytes: int) -> Board:
    return Board("arm", banks, config=(("struct_page_bytes", struct_page_bytes),))


def _frames_args(banks: Banks, struct_page_bytes: int) -> list[Plain]:
    kernel = booted(_flat(banks, struct_page_bytes))
    block = 1 << ((kernel.machine.config.max_order or 1) - 1)
    top = kernel.mem_map.allocations[0][1]  # the end of the stretch it was taken from: sizes are multiples of 64 bytes
    return [in_bytes(banks), struct_page_bytes, block, top]


def _frames(banks: Banks, struct_page_bytes: int) -> Plain:
    kernel = booted(_flat(banks, struct_page_bytes))
    start, end = kernel.mem_map.allocations[0]
    return [start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT]


def _placed(entries: int, struct_page_bytes: int, top: int) -> Plain:
    """The frames of an array of so many entries that ends below `top`."""
    total = entries * struct_page_bytes
    place = align_down(top - total, 64)
    return [place >> PAGE_SHIFT, (place + total - 1) >> PAGE_SHIFT]


def _span(banks: Plain, block: int) -> tuple[int, int]:
    ends = [start + size for start, size in banks]
    return align_down(banks[0][0] >> PAGE_SHIFT, block), align_up(max(ends) >> PAGE_SHIFT, block)


def _entries(banks: Plain, block: int) -> int:
    low, high = _span(banks, block)
    return high - low


def _without_holes(banks: Plain, size: int, block: int, top: int) -> Plain:
    gaps = max(start + bank for start, bank in banks) - banks[0][0] - sum(bank for _, bank in banks)
    return _placed(_entries(banks, block) - (gaps >> PAGE_SHIFT), size, top)


def _not_rounded(banks: Plain, size: int, block: int, top: int) -> Plain:
    first, last = banks[0][0], max(start + bank for start, bank in banks)
    return _placed((last - first) >> PAGE_SHIFT, size, top)


def _upwards(banks: Plain, size: int, block: int, top: int) -> Plain:
    return [top >> PAGE_SHIFT, (top + _entries(banks, block) * size - 1) >> PAGE_SHIFT]


def _one_too_many(banks: Plain, size: int, block: int, top: int) -> Plain:
    first, _ = _placed(_entries(banks, block), size, top)
    return [first, top >> PAGE_SHIFT]


FRAMES_OF = Task(
    id="05.frames_of",
    signature="frames_of(banks, struct_page_bytes, block, top)",
    ask="Return [first, last]: the first and the last frame that hold mem_map on a FLATMEM machine. `banks` are "
    "[first byte, bytes] of each bank of RAM, in order; `block` is the page allocator's largest block in frames; `top` "
    "is the end of the highest free stretch of lowmem that has room for the array.",
    draw=_draw_board,
    args=_frames_args,
    answer=_frames,
    loads=lambda banks, struct_page_bytes: _flat(banks, struct_page_bytes).loads(),
    beliefs=(
        Misconception("a hole between two banks has no entries", _without_holes, "Which entry has a frame beyond it?"),
        Misconception("the span is not rounded out to blocks", _not_rounded, "What does step span do with both ends?"),
        Misconception(
            "mem_map describes all memory from physical address 0",
            lambda banks, size, block, top: _placed(_span(banks, block)[1], size, top),
            "Which is the first frame of this node?",
        ),
        Misconception(
            "struct page always has 32 bytes",
            lambda banks, size, block, top: _placed(_entries(banks, block), 32, top),
            "Which argument tells its size?",
        ),
        Misconception("the array begins at the top and grows upwards", _upwards, "Is the byte at top still free?"),
        Misconception(
            "the byte after the array still belongs to it", _one_too_many, "Which frame has the array's last byte?"
        ),
    ),
    hints=(
        "Which of the five steps (span, size, top, place, frames) is given, and which are left?",
        "span: round the first frame down and the end of the last bank up, to whole blocks; holes stay in.",
    ),
)


# --- usable: a bug to find ---


def _draw_newmem(rng: random.Random, size: float) -> Given:
    side = rng.choice(("HighMem", "Normal"))
    first = rng.choice((0x400, 0x600))
    newmem_mib = rng.randrange(4, 40)
    taken = []
    if side == "HighMem":
        pfn = (first + 768) << MIB_SHIFT
        for _ in range(int(1 + 3 * size)):
            pfn += rng.randrange(1, 200)
            taken.append([pfn, pages := rng.randrange(1, 120)])
            pfn += pages
    return {"banks": [[first, 1024]], "newmem": side, "newmem_mib": newmem_mib, "reserved": taken}


def _asked(banks: Banks, newmem: str, newmem_mib: int, reserved: list[list[int]]) -> Board:
    return Board("arm", banks, "", newmem, newmem_mib, reserved, (("zone_dma", False),))


def _taken(kernel: Kernel) -> tuple[list[int], list[list[int]]]:
    """The array's first and last frame, and the other ranges of NewMem that somebody has."""
    start, end = kernel.mem_map.allocations[0]
    array = [start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT]
    others = [[part.start_pfn, part.end_pfn] for part in PageList(kernel, "NewMem").left_out]
    return array, [part for part in others if not array[0] <= part[0] <= array[1]]


@functools.lru_cache(maxsize=256)
def _usable_case(board: str) -> tuple[Plain, Plain]:
    """Arguments and answer: frames at every border in NewMem, and those of them that are free."""
    kernel = booted(Board(*ast.literal_eval(board)))
    array, reserved = _taken(kernel)
    zone = kernel.zones["NewMem"]
    edges = {zone.start_pfn, zone.end_pfn - 1, *array, *(edge for part in reserved for edge in part)}
    near = {edge + step for edge in edges for step in (-1, 0, 1)}
    pfns = sorted(pfn for pfn in near if zone.start_pfn <= pfn < zone.end_pfn)
    return [pfns, array, reserved], [pfn for pfn in pfns if kernel.may_write(pfn)[0]]


def _kept(pfns: Plain, mem_map: Plain, reserved: Plain) -> Plain:
    """Frames outside."""
    ranges = [[mem_map[0], mem_map[1] + 1], *reserved]
    return [pfn for pfn in pfns if not any(start <= pfn < end for start, end in ranges)]


USABLE = Task(
    id="05.usable",
    signature="usable(pfns, mem_map, reserved)",
    ask="Return the frames of `pfns` that the owner of NewMem may use. `mem_map` is [first, last] of the array's "
    "frames; `reserved` are the other ranges that are taken, [first, end): `end` is the first frame after the range.",
    draw=_draw_newmem,
    args=lambda **given: _usable_case(repr(tuple(_asked(**given))))[0],
    answer=lambda **given: _usable_case(repr(tuple(_asked(**given))))[1],
    loads=lambda **given: _asked(**given).loads(),
    beliefs=(
        Misconception(
            "the first and the last frame of a range lie outside it",
            lambda pfns, mem_map, reserved: [
                pfn
                for pfn in pfns
                if not (mem_map[0] < pfn < mem_map[1] or any(start < pfn < end for start, end in reserved))
            ],
            "Who owns the frame that a range begins with?",
        ),
        Misconception(
            "mem_map begins after its first frame and ends before its last",
            lambda pfns, mem_map, reserved: _kept(pfns, [mem_map[0] + 1, mem_map[1] - 1], reserved),
            "Whose are the two frames that the argument names?",
        ),
        Misconception(
            "a reserved range begins after its first frame",
            lambda pfns, mem_map, reserved: _kept(pfns, mem_map, [[start + 1, end] for start, end in reserved]),
            "Who owns the frame that a range begins with?",
        ),
        Misconception(
            "the end of each range still belongs to it",
            lambda pfns, mem_map, reserved: [
                pfn
                for pfn in pfns
                if not (mem_map[0] <= pfn <= mem_map[1] or any(start <= pfn <= end for start, end in reserved))
            ],
            "How many frames has a range from 8 to 8 in which the end does not count?",
        ),
        Misconception(
            "both ranges end before their second number",
            lambda pfns, mem_map, reserved: _kept(pfns, [mem_map[0], mem_map[1] - 1], reserved),
            "Which of the two arguments gives a last frame, and which an end?",
        ),
        Misconception(
            "only mem_map is in the way",
            lambda pfns, mem_map, reserved: _kept(pfns, mem_map, []),
            "Who else took frames at boot?",
        ),
        Misconception(
            "mem_map is never in a zone of one's own",
            lambda pfns, mem_map, reserved: [
                pfn for pfn in pfns if not any(start <= pfn < end for start, end in reserved)
            ],
            "What if the zone was cut from lowmem?",
        ),
    ),
    hints=(
        "Try it with one range of one frame: which comparison lets that frame through?",
        "mem_map's second number is the last frame (<=), a reserved range's second number is the end (<).",
    ),
)
