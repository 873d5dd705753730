"""The questions of lesson 05's exercise: a walk with one step open, a figure, a claim, a choice."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from ...kernel import Kernel, boot
from ...machine import Machine
from ...parts import Config, Region
from ...units import PAGE_SHIFT, PAGE_SIZE, MiB, group_hex
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from ..trade import Way, trade_off
from ..weigh import Scenario
from .mem_map_steps import FIRST_FRAME, ROUNDED, top_of_free

WALK = replace(
    FIRST_FRAME,
    id="05.walk",
    ask="The step place is open. RAM is " + ROUNDED + "; lowmem ends at {lowmem_end:#x}, of which {taken:,} bytes "
    "were taken before; mem_map has {entries:,} entries of {struct_page_bytes} bytes. At which physical address does "
    "it begin?",
    answer=lambda kernel, **_: kernel.mem_map.allocations[0][0],
    misconceptions=(
        Misconception(
            "nothing was allocated before mem_map",
            lambda kernel, lowmem_end, **_: lowmem_end - kernel.mem_map.bytes,
            "What does step top subtract?",
        ),
        Misconception(
            "the array begins at the top and grows upwards",
            lambda top, **_: top,
            "Would the array's last byte still be free lowmem?",
        ),
        Misconception(
            "mem_map ends where RAM ends",
            lambda kernel, ram_end, **_: ram_end - kernel.mem_map.bytes,
            "Is the end of RAM in the direct map?",
        ),
        Misconception(
            "RAM starts at physical address 0",
            lambda kernel, ram_start, **_: kernel.mem_map.allocations[0][0] - ram_start,
            "Where does the RAM of this board start?",
        ),
        Misconception(
            "an entry is a pointer of 4 bytes",
            lambda top, entries, **_: top - entries * 4,
            "What does one entry hold besides a place in a list?",
        ),
    ),
    blank="place",
    because="top − size, rounded down to 64 bytes.",
    show=group_hex,
)


def _asked_board(ram_start: int, ram_mib: int, newmem_mib: int, side: str) -> Machine:
    board = Machine(arch="arm", ram=(Region(ram_start, ram_mib * MiB),), config=Config(zone_dma=False))
    if side == "Normal":
        return board.with_zone("NewMem", size=newmem_mib * MiB, above="Normal")
    return board.with_zone("NewMem", size=newmem_mib * MiB, below="HighMem")


def _held(kernel: Kernel, first: int, end: int) -> int:
    return sum(len(range(max(part.start, first), min(part.stop, end))) for part in kernel.mem_map.frames)


def _cut_from_lowmem(rng: random.Random) -> Facts:
    ram_start, ram_mib = rng.choice((0x4000_0000, 0x6000_0000, 0x8000_0000)), rng.randrange(1024, 1984, 32)
    newmem_mib = rng.randrange(4, 8)  # less than mem_map takes, so that a part of it lies below
    kernel = boot(_asked_board(ram_start, ram_mib, newmem_mib, "Normal"))
    zone = kernel.zones["NewMem"]
    in_zone = _held(kernel, zone.start_pfn, zone.end_pfn)
    return {"kernel": kernel, "in_zone": in_zone, "ram_start": ram_start, "ram_mib": ram_mib, "newmem_mib": newmem_mib}


def _read_steps(kernel: Kernel, in_zone: int, **_: Any) -> Steps:
    zone, array = kernel.zones["NewMem"], kernel.mem_map.frames[0]
    first = max(zone.start_pfn, array.start)
    return Steps.of(
        (
            Step("zone", "first frame of NewMem", "end of lowmem − its frames", f"{zone.start_pfn:#x}"),
            Step("array", "last frame of mem_map, and its first", "from the lens", f"{array[-1]:#x}, {array[0]:#x}"),
            Step("both", "frames that are in both", f"{array[-1]:#x} − {first:#x} + 1", f"{in_zone:,}"),
        )
    )


READ = Question(
    id="05.read",
    ask="The figure shows a board with {ram_mib:,} MiB of RAM from {ram_start:#x}. A zone NewMem of {newmem_mib} MiB "
    "will be cut from the top of Normal, so from the end of lowmem. How many of NewMem's frames will hold mem_map?",
    facts=_cut_from_lowmem,
    answer=lambda in_zone, **_: in_zone,
    misconceptions=(
        Misconception(
            "a zone that was added holds none of it",
            lambda **_: 0,
            "Was it added that kept mem_map out of NewMem, or what NewMem was cut from?",
        ),
        Misconception(
            "the array lies in one zone from end to end",
            lambda kernel, **_: sum(map(len, kernel.mem_map.frames)),
            "On which frame does the array begin, and on which the zone?",
        ),
        Misconception(
            "each zone stores the struct pages of its own frames",
            lambda kernel, **_: kernel.zones["NewMem"].present_pages * kernel.mem_map.struct_page_bytes // PAGE_SIZE,
            "What does memblock know of zones?",
        ),
        Misconception(
            "all of the zone is taken",
            lambda kernel, **_: kernel.zones["NewMem"].present_pages,
            "What lies above mem_map, below the end of lowmem?",
        ),
        Misconception(
            "the frame with the array's last byte is not counted",
            lambda in_zone, **_: in_zone - 1,
            "How many frames are there from 8 to 8, both included?",
        ),
    ),
    because="memblock knows addresses and no zones: NewMem has the part of the array above its first frame.",
    hints=("At which frame will NewMem begin?", "both: count from the zone's first frame to the array's last one."),
    steps=_read_steps,
)


def _claimed(rng: random.Random) -> Facts:
    side = rng.choice(("HighMem", "Normal"))
    ram_start, ram_mib = rng.choice((0x4000_0000, 0x6000_0000)), rng.randrange(1536, 2048, 32)
    kernel = boot(_asked_board(ram_start, ram_mib, newmem_mib := rng.randrange(64, 256, 16), side))
    zone = kernel.zones["NewMem"]
    return {
        "side": side,
        "cut": "the bottom of HighMem" if side == "HighMem" else "the top of Normal",
        "ram_mib": ram_mib,
        "newmem_mib": newmem_mib,
        "size": kernel.mem_map.struct_page_bytes,
        "own": zone.present_pages * kernel.mem_map.struct_page_bytes // PAGE_SIZE,
        "in_zone": _held(kernel, zone.start_pfn, zone.end_pfn),
        "top": top_of_free(kernel) >> PAGE_SHIFT,
    }


def _claim_steps(cut: str, own: int, in_zone: int, newmem_mib: int, size: int, **_: Any) -> Steps:
    pages = newmem_mib * MiB >> PAGE_SHIFT
    return Steps.of(
        (
            Step("number", "frames × sizeof(struct page) / 4096", f"{pages:,} × {size} / 4096", f"{own:,} frames"),
            Step("place", "is the zone below the end of lowmem?", f"cut from {cut}", f"{in_zone:,} frames of mem_map"),
        )
    )


CLAIM = Question(
    id="05.claim",
    ask="Judge this: 'NewMem, {newmem_mib} MiB cut from {cut} of a board with {ram_mib:,} MiB, needs struct pages "
    "of {size} bytes for its frames. That makes {own:,} frames, and so {own:,} frames of NewMem are lost to mem_map.'",
    facts=_claimed,
    choices=lambda **_: {
        "all": "right: the number and the place",
        "elsewhere": "the number is right, but no frame of NewMem is lost: lowmem outside it pays",
        "more": "NewMem does hold struct pages, but other ones too: those of all zones are one array",
        "free": "nothing is lost: struct pages are virtual, and take no frames",
    },
    answer=lambda in_zone, own, **_: "elsewhere" if in_zone == 0 else "more" if in_zone > own else "all",
    misconceptions=(
        Misconception(
            "each zone stores the struct pages of its own frames",
            lambda **_: "all",
            "Is mem_map one array, or one for each zone?",
        ),
        Misconception(
            "it makes no difference which zone NewMem was cut from",
            lambda in_zone, **_: "more" if in_zone == 0 else "elsewhere",
            "Up to which address may memblock allocate, and on which side of it is NewMem?",
        ),
        Misconception(
            "what has a virtual address takes no memory",
            lambda **_: "free",
            "Which frames are behind the addresses of the array?",
        ),
    ),
    because="memblock takes the top of lowmem for the one array of the whole node.",
    hints=("Is the number wrong, or the place?", "place: is NewMem below the end of lowmem?"),
    steps=_claim_steps,
)

WAY = trade_off(
    "05.way",
    "A device needs a large buffer. Four ways are open, and each gives up one thing. Which one is left if these three "
    "matter?",
    {
        "unpatched": "the kernel is the distribution's, unpatched",
        "pages": "every frame has a struct page, as get_user_pages() and others need it",
        "sure": "the memory is there whenever the device asks",
        "range": "it is one physical range, known before boot",
    },
    {
        "zone": Way("a zone of its own, cut from HighMem", "unpatched", "a zone is compiled in"),
        "no-map": Way("reserved-memory with no-map in the device tree", "pages", "no-map memory has no struct pages"),
        "cma": Way("a CMA area at a fixed address", "sure", "pages lent out may fail to move away"),
        "early": Way("alloc_pages() in large blocks, in an early initcall", "range", "buddy hands out what it has"),
    },
)

OWN_TABLE = Scenario(
    id="05.own-table",
    ask="A module of yours has to remember 8 bytes about each frame of RAM, on boards with 1 GiB and on servers with "
    "64. Where do you keep them, and what do you give up?",
    ways=(
        (
            "a field of struct page",
            "there before anybody can ask, found with one addition",
            "a kernel of your own; all frames pay, and a struct page of 64 bytes leaves its cache line",
        ),
        (
            "page_ext, the kernel's own side table",
            "made for this, at boot, with a look-up by frame",
            "kernels that are built with it only, and your part of it is compiled in",
        ),
        (
            "one vmalloc'ed array, indexed by frame",
            "a module can do it at any time: 2 MiB for 1 GiB, 128 MiB for 64 GiB",
            "holes have entries, too; on 32-bit boards it takes some of few addresses",
        ),
        (
            "a tree or hash with the frame as key",
            "only the frames that you have seen",
            "a search each time, and memory is asked for at the moment when you look",
        ),
        (
            "page->private",
            "no memory at all",
            "only while the page is yours: whoever owns it uses that field",
        ),
    ),
)
