"""Recall for lesson 05: three questions about what came before, three about the lesson itself."""

from __future__ import annotations

import random

from ...physical.zone_limits import check_zone_count
from ...units import PAGE_SHIFT, GiB, VmlabError
from ..question import Facts, Misconception, Question, always


def _address(rng: random.Random) -> Facts:
    ram_start = rng.choice((0x1000_0000, 0x4000_0000, 0x8000_0000))
    return {"ram_start": ram_start, "pa": ram_start + rng.randrange(0x1001, 0x1000_0000) | 1}


def _counts(rng: random.Random) -> Facts:
    hole = rng.randrange(1, 40) * 1024
    managed_less = rng.randrange(2001, 9999, 2)  # odd, and a hole is even: the two never agree
    spanned = 65536 * rng.randrange(2, 8)
    return {"spanned": spanned, "present": spanned - hole, "managed": spanned - hole - managed_less}


def _most_zones(bits: int) -> int:
    """The largest number of zones that a kernel with longs of `bits` bits can be built with."""
    most = 1
    while True:
        try:
            check_zone_count([str(i) for i in range(most)] + ["HighMem"], bits)
        except VmlabError:
            return most
        most += 1


ZONE_IS = Question(
    id="05.recall.zone",
    ask="What is a zone a range of?",
    facts=lambda rng: {},
    choices=lambda: {
        "va": "virtual addresses of the kernel",
        "pfn": "physical page frames",
        "files": "kinds of data: kernel, user, page cache",
    },
    answer=lambda: "pfn",
    misconceptions=(
        Misconception("HighMem is a place in the kernel's addresses", always("va"), "What does start_pfn count?"),
        Misconception("a zone is a purpose", always("files"), "May a user's page lie in ZONE_NORMAL?"),
    ),
    because="struct zone has zone_start_pfn and spanned_pages (Linux 6.1, include/linux/mmzone.h).",
)

FRAME_OF = Question(
    id="05.recall.frame",
    ask="RAM starts at {ram_start:#_x}. Which frame holds the byte at physical {pa:#_x}?",
    facts=_address,
    answer=lambda ram_start, pa: pa >> PAGE_SHIFT,
    misconceptions=(
        Misconception(
            "frames are counted from the start of RAM",
            lambda ram_start, pa: (pa - ram_start) >> PAGE_SHIFT,
            "Which physical address has frame 0?",
        ),
        Misconception(
            "a frame number is an address",
            lambda ram_start, pa: pa >> PAGE_SHIFT << PAGE_SHIFT,
            "How many bytes apart are frame 1 and frame 2?",
        ),
        Misconception(
            "a frame has 64 KiB",
            lambda ram_start, pa: pa >> 16,
            "How many bits of an address are the offset in 4096 bytes?",
        ),
    ),
    because="a frame number is the physical address >> 12, from address 0 on.",
    show=hex,
)

KEPT = Question(
    id="05.recall.kept",
    ask="A zone spans {spanned:,} frames; {present:,} are present and {managed:,} managed. How many frames of "
    "RAM in it did boot keep for itself?",
    facts=_counts,
    answer=lambda spanned, present, managed: present - managed,
    misconceptions=(
        Misconception(
            "holes are memory that boot keeps",
            lambda spanned, present, managed: spanned - managed,
            "Is there RAM in a hole?",
        ),
        Misconception(
            "present pages are those that the page allocator has",
            lambda spanned, present, managed: spanned - present,
            "Which of the three counts is the page allocator's?",
        ),
    ),
    because="present counts RAM, managed what the page allocator got: the difference stayed reserved.",
)

WHY_LOW = Question(
    id="05.recall.why-low",
    ask="What keeps mem_map out of HighMem on a FLATMEM kernel?",
    facts=lambda rng: {},
    choices=lambda: {
        "zone": "the allocator respects the zone's type",
        "limit": "the boot allocator's limit is the end of the direct map",
        "first": "it is allocated first, and HighMem comes last",
    },
    answer=lambda: "limit",
    misconceptions=(
        Misconception(
            "zones have rules that hold for boot allocations", always("zone"), "What did movablecore=128M show?"
        ),
        Misconception("the array comes first", always("first"), "What did the ledger show before it?"),
    ),
    because="memblock.current_limit: the kernel reaches the array through the direct map, which ends with lowmem.",
)

COST = Question(
    id="05.recall.cost",
    ask="{gib} GiB of RAM, and a struct page of {size} bytes. How many frames does mem_map take?",
    facts=lambda rng: {"gib": rng.randrange(1, 9), "size": rng.choice((36, 40, 44))},
    answer=lambda gib, size: gib * GiB // 4096 * size // 4096,
    misconceptions=(
        Misconception(
            "struct page always has 32 bytes",
            lambda gib, size: gib * GiB // 4096 * 32 // 4096,
            "Which size was given?",
        ),
        Misconception(
            "the array's bytes are its frames",
            lambda gib, size: gib * GiB // 4096 * size,
            "How many bytes has a frame?",
        ),
        Misconception(
            "there is one frame of mem_map for each frame",
            lambda gib, size: gib * GiB // 4096,
            "How many struct pages fit in a frame?",
        ),
    ),
    because="frames × sizeof(struct page) / 4096.",
)

ZONES = Question(
    id="05.recall.zones",
    ask="How many zones can a 32-bit kernel be built with at most?",
    facts=lambda rng: {"bits": 32},
    answer=lambda bits: _most_zones(bits),
    misconceptions=(
        Misconception("DMA, Normal and HighMem are all there are", lambda bits: 3, "Which zone did movablecore= make?"),
        Misconception("three bits a zone number fit", lambda bits: 8, "How many bits are 16 entries of three bits?"),
        Misconception(
            "the table's 16 entries are zones",
            lambda bits: 16,
            "What is the table's index: a zone, or a combination of flags?",
        ),
    ),
    because="GFP_ZONE_TABLE packs 16 zone numbers in one long: 2 bits each (Linux 6.1, include/linux/gfp.h).",
)

START = (ZONE_IS, FRAME_OF, KEPT)
END = (WHY_LOW, COST, ZONES)
