"""Questions of lesson 05: where mem_map lies, what it costs, and who may write where.

Every right answer is asked of a booted model. The beliefs are those of the question that the lesson starts
from, and of the answer that was given to it.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from ...kernel import Kernel, boot
from ...machine import Machine
from ...parts import Config, Region
from ...units import PAGE_SHIFT, PAGE_SIZE, GiB, MiB, pfn_up
from ..question import Facts, Misconception, Question, always

ASKERS_PAGES, ASKERS_FREE = 131_072, 131_084


def asker(newmem: int = 512 * MiB, below: str = "HighMem") -> Machine:
    """A board like the asker's: 2 GiB of RAM, no ZONE_DMA, and NewMem cut from the bottom of HighMem."""
    board = Machine(arch="arm", ram=(Region(0x4000_0000, 2 * GiB),), config=Config(zone_dma=False))
    return board.with_zone("NewMem", size=newmem, below=below)


def _fixed(facts: Facts) -> Callable[[random.Random], Facts]:
    return lambda rng: facts


def _in_zone(kernel: Kernel, name: str) -> int:
    zone = kernel.zones[name]
    return sum(len(range(max(r.start, zone.start_pfn), min(r.stop, zone.end_pfn))) for r in kernel.mem_map.frames)


def _for_zone(kernel: Kernel, name: str) -> int:
    """Pages that the struct pages of one zone's frames take, wherever they are."""
    return kernel.zones[name].present_pages * kernel.mem_map.struct_page_bytes // PAGE_SIZE


def place_word(kernel: Kernel) -> str:
    """Where the array lies, in a word: which of the places people name it is nearest to."""
    start, end = kernel.mem_map.allocations[0]
    image = kernel.machine.image
    lowmem_end = kernel.bounds.max_low_pfn << PAGE_SHIFT
    places = {
        "first": abs(start - (image.end if image else 0)),
        "dma": abs(start - kernel.layout.phys_offset - 16 * MiB),
        "top": abs(lowmem_end - end),
        "high": abs((kernel.bounds.max_pfn << PAGE_SHIFT) - end),
    }
    return min(places, key=lambda word: places[word])


PLACES = {
    "first": "at the first address that can be mapped: right behind the kernel image",
    "dma": "at virtual 0xC100_0000, behind the 16 MiB of ZONE_DMA",
    "each": "in pieces: each zone begins with the part of mem_map that describes it",
    "top": "at the end of lowmem, as near to it as there is room",
    "high": "at the end of RAM, in HighMem, where nobody else needs the memory",
}

MORE_FREE = Question(
    id="05.more-free-than-there-is",
    ask="The zone NewMem has {zone_pages:,} pages, and {free_pages:,} of them are reported free. Subtract before "
    "you choose. What follows about mem_map?",
    facts=_fixed({"zone_pages": ASKERS_PAGES, "free_pages": ASKERS_FREE}),
    choices=lambda zone_pages, free_pages: {
        "missing": f"{abs(zone_pages - free_pages)} pages are missing: they hold mem_map",
        "some": "some pages of the zone hold mem_map; how many, the number does not say",
        "nothing": "nothing: no zone has that many free pages, so the number counts something else",
    },
    answer=lambda zone_pages, free_pages: "nothing" if free_pages > zone_pages else "some",
    misconceptions=(
        Misconception(
            "the free pages are fewer than the zone's pages",
            always("missing"),
            "Which of the two numbers is the larger one?",
        ),
        Misconception(
            "a free count that looks odd shows that the zone has lost pages",
            always("some"),
            "A zone that lost pages would have fewer free than it has. Has it?",
        ),
    ),
    because="free ≤ managed ≤ present ≤ spanned always holds, and {free_pages:,} > "
    "{zone_pages:,}. A zone that held struct pages would be short of pages: it could not have some to spare.",
)

WHERE = Question(
    id="05.where",
    ask="An ARM board: 1 GiB of RAM, lowmem is its first 768 MiB, HighMem the rest. Where does Linux 6.1 put mem_map?",
    facts=lambda rng: {"kernel": boot(Machine(arch="arm", ram=(Region(0x4000_0000, GiB),)))},
    choices=lambda kernel: PLACES,
    answer=place_word,
    misconceptions=(
        Misconception(
            "the array comes first because everything else needs it",
            always("first"),
            "In which direction does memblock search?",
        ),
        Misconception(
            "its place is a constant of every kernel",
            always("dma"),
            "Where does the RAM of this board start, and has it a 16 MiB ZONE_DMA?",
        ),
        Misconception(
            "each zone stores the part of mem_map that describes it",
            always("each"),
            "A zone is a window of entries. Does that say where the entries are stored?",
        ),
        Misconception(
            "the kernel can use HighMem for its own arrays",
            always("high"),
            "By which address would pfn_to_page() reach an entry there?",
        ),
    ),
    because="memblock looks for the highest free place below the end of lowmem (Linux 6.1, mm/memblock.c).",
)

NEWMEM = Question(
    id="05.newmem",
    ask="A 2 GiB board like the asker's. NewMem, 512 MiB, is cut from the bottom of HighMem. How many of its "
    "{pages:,} frames hold mem_map?",
    facts=lambda rng: {"kernel": (kernel := boot(asker())), "pages": kernel.zones["NewMem"].present_pages},
    answer=lambda kernel, pages: _in_zone(kernel, "NewMem"),
    misconceptions=(
        Misconception(
            "each zone stores the struct pages of its own frames",
            lambda kernel, pages: _for_zone(kernel, "NewMem"),
            "Which limit did the boot allocator get, and is any frame of NewMem below it?",
        ),
        Misconception(
            "the difference between the two numbers of the question is what mem_map takes",
            lambda kernel, pages: ASKERS_FREE - ASKERS_PAGES,
            "What did the subtraction show?",
        ),
        Misconception(
            "mem_map begins where lowmem ends",
            lambda kernel, pages: pfn_up(kernel.mem_map.bytes),
            "Is the array below that border or above it?",
        ),
    ),
    because="the array is reached through the direct map, so the boot allocator may only take lowmem for it.",
)

MOVABLE = Question(
    id="05.movable",
    ask="A board with 512 MiB: all of it is lowmem. movablecore=128M makes ZONE_MOVABLE of the last 128 MiB, which the "
    "page allocator gives only to data that can be moved. mem_map has {total:,} frames. How many lie in ZONE_MOVABLE?",
    facts=lambda rng: _movable_facts(),
    answer=lambda kernel, total: _in_zone(kernel, "Movable"),
    misconceptions=(
        Misconception(
            "a zone's rule keeps boot allocations out of it",
            lambda **_: 0,
            "memblock ran before there was a zone. What does it know of them?",
        ),
        Misconception(
            "each zone stores the struct pages of its own frames",
            lambda kernel, total: _for_zone(kernel, "Movable"),
            "Is the array one piece, or one for each zone?",
        ),
    ),
    because="memblock knows addresses and not zones; the top of lowmem is where the array goes, and that "
    "is in Movable here.",
)

VMALLOC = Question(
    id="05.vmalloc",
    ask="On the 2 GiB board, vmalloc= is raised from {before} to {after} MiB. What happens to mem_map?",
    facts=_fixed({"before": 240, "after": 496}),
    choices=lambda before, after: {
        "same": "it stays where it is: vmalloc= is about virtual addresses",
        "up": "it moves up, to make room for vmalloc",
        "down": f"it moves down by {after - before} MiB",
        "shrink": "it stays and shrinks, as there is less lowmem to describe",
    },
    answer=lambda before, after: _moved(before, after),
    misconceptions=(
        Misconception(
            "virtual space has nothing to do with where frames are allocated",
            always("same"),
            "Lowmem and vmalloc share the kernel's 1 GiB of addresses. What ends where the other begins?",
        ),
        Misconception("vmalloc's memory lies below the array", always("up"), "Which end of lowmem moves?"),
        Misconception(
            "the array describes lowmem only",
            always("shrink"),
            "Who finds the struct page of a HighMem frame, and where?",
        ),
    ),
    because="vmalloc= takes its addresses from the end of lowmem, and mem_map is counted from there.",
)


def _movable_facts() -> Facts:
    kernel = boot(Machine(arch="arm", ram=(Region(0x4000_0000, 512 * MiB),), cmdline="movablecore=128M"))
    return {"kernel": kernel, "total": sum(map(len, kernel.mem_map.frames))}


def _moved(before: int, after: int) -> str:
    board = Machine(arch="arm", ram=(Region(0x4000_0000, 2 * GiB),))
    old, new = (boot(board.with_cmdline(f"vmalloc={mib}M")).mem_map for mib in (before, after))
    if new.bytes != old.bytes:
        return "shrink"
    distance = new.allocations[0][0] - old.allocations[0][0]
    return "same" if not distance else "up" if distance > 0 else "down"
