"""The questions of lesson 04's exercise: a walk with one step open, a figure, a claim, a choice."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from ...kernel import boot
from ...machine import Machine
from ...parts import Region
from ...units import PAGE_SHIFT, KiB, MiB
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from ..trade import Way, trade_off
from ..weigh import Scenario
from .zones import dma_facts
from .zones_steps import LOWMEM_ARM

WALK = replace(
    LOWMEM_ARM,
    id="04.walk",
    ask="The step guard is open, and what follows from it. RAM {ram_start:#x} up to {ram_end:#x}, PAGE_OFFSET "
    "{page_offset:#x}, vmalloc={vmalloc_mib}M; VMALLOC_END is 0xff80_0000. At which physical address does lowmem end?",
    blank="guard",
)


def _a_pc(rng: random.Random) -> Facts:
    base_end = rng.randrange(560, 636) * KiB + rng.choice((0, 512, 1024))
    high_mib = rng.randrange(128, 860, 4)
    return dma_facts(boot(Machine(arch="i386", ram=(Region(0, base_end), Region(MiB, high_mib * MiB))))) | {
        "high_mib": high_mib
    }


def _read_steps(base_end: int, **_: Any) -> Steps:
    first = base_end >> PAGE_SHIFT
    return Steps.of(
        (
            Step("first", "first frame that is not whole RAM", f"{base_end:#x} >> 12", f"{first:#x}"),
            Step("last", "last frame before RAM goes on", "0x10_0000 >> 12, less one", "0xff"),
            Step("hole", "frames in between", f"0x100 − {first:#x}", f"{256 - first:,}"),
        )
    )


READ = Question(
    id="04.read",
    ask="The figure shows the zones of a PC: RAM from 0x0 up to {base_end:#x}, and {high_mib:,} MiB from 0x10_0000 "
    "on. How many frames of ZONE_DMA's span are not present?",
    facts=_a_pc,
    answer=lambda kernel, **_: kernel.zones["DMA"].spanned_pages - kernel.zones["DMA"].present_pages,
    misconceptions=(
        Misconception("every frame of a zone is RAM", lambda **_: 0, "What lies between the two ranges of RAM?"),
        Misconception(
            "what is not managed is not present",
            lambda kernel, **_: kernel.zones["DMA"].spanned_pages - kernel.zones["DMA"].managed_pages,
            "Pages that boot kept are RAM. In which of the three counts are they?",
        ),
        Misconception(
            "what boot kept is what is missing",
            lambda kernel, **_: kernel.zones["DMA"].present_pages - kernel.zones["DMA"].managed_pages,
            "Which two counts differ by the holes?",
        ),
        Misconception(
            "the hole is always 640 KiB to 1 MiB",
            lambda **_: 384 * KiB >> PAGE_SHIFT,
            "Where does the first range of this map end?",
        ),
    ),
    because="spanned − present: the frames from {base_end:#x} >> 12 up to 0xff.",
    hints=("Which two of the three counts differ by frames that are no RAM?", "spanned − present, from the table."),
    steps=_read_steps,
)


def _request(rng: random.Random) -> Facts:
    keep, low = rng.randrange(400, 1600), rng.randrange(20, 60)
    enough = rng.random() < 0.5
    free = low + keep + rng.randrange(5, 300) if enough else rng.randrange(low + 50, low + keep - 5)
    return {"free": free, "low": low, "keep": keep, "line": low + keep}


def _line_steps(free: int, low: int, keep: int, line: int) -> Steps:
    verdict = "more" if free > line else "not more"
    return Steps.of(
        (
            Step("line", "watermark + what the zone keeps from this request", f"{low:,} + {keep:,}", f"{line:,}"),
            Step("compare", "are there more free pages than that?", f"{free:,} and {line:,}", verdict),
        )
    )


CLAIM = Question(
    id="04.claim",
    ask="ZONE_DMA has {free:,} free pages; its low watermark is {low:,}, and its protection line keeps {keep:,} "
    "pages from requests that may use HighMem. HighMem and Normal are below their marks. Judge this: 'A request for "
    "one page of HighMem gets it from ZONE_DMA, because {free:,} is more than {low:,}.'",
    facts=_request,
    choices=lambda **_: {
        "right": "right, for that reason",
        "kept": "wrong: DMA has too few free pages for this request",
        "enough": "it does get the page, but another comparison decides",
        "never": "wrong: a request for HighMem is never served from ZONE_DMA",
    },
    answer=lambda free, line, **_: "enough" if free > line else "kept",
    misconceptions=(
        Misconception(
            "a watermark is all that a zone keeps",
            lambda **_: "right",
            "Whom is the protection line of /proc/zoneinfo protecting, and from whom?",
        ),
        Misconception(
            "a zone serves only requests that name it",
            lambda **_: "never",
            "Which zones stand behind HighMem in its zonelist?",
        ),
        Misconception(
            "the sum of mark and reserve was compared, but the wrong way round",
            lambda free, line, **_: "kept" if free > line else "enough",
            "Which is larger: the free count, or low and reserve together?",
        ),
    ),
    because="free pages must exceed {low:,} + {keep:,} = {line:,} (Linux 6.1, mm/page_alloc.c:__zone_watermark_ok).",
    hints=("What does a zone keep besides its watermark, and from whom?", "line: low + protection; then compare."),
    steps=_line_steps,
)

WAY = trade_off(
    "04.way",
    "A 32-bit board has 1 GiB of RAM, and a card whose driver maps 400 MiB of device memory. Which way is left if "
    "these three matter?",
    {
        "room": "the driver's 400 MiB fit into the addresses for vmalloc and ioremap",
        "lowmem": "all of the usual 768 MiB of lowmem stay, for page tables and inodes",
        "user": "each process keeps 3 GiB of addresses",
        "cpu": "the 32-bit CPU stays",
    },
    {
        "default": Way("the usual split, 3 GiB to 1 GiB, nothing set", "room", "240 MiB are kept for vmalloc"),
        "vmalloc": Way("vmalloc=512M on the command line", "lowmem", "its addresses are taken from the direct map"),
        "split": Way("a kernel built for 2 GiB to 2 GiB (VMSPLIT_2G)", "user", "the kernel takes the third GiB"),
        "wide": Way("a 64-bit kernel", "cpu", "it needs a 64-bit CPU"),
    },
)

OWN_DEVICE = Scenario(
    id="04.own-device",
    ask="A capture card in a PC with 16 GiB can address 30 bits, which is 1 GiB. It wants 64 buffers of 64 KiB, all "
    "the time. From where do you take them, and what do you give up?",
    ways=(
        (
            "GFP_DMA: the zone below 16 MiB",
            "within its reach for certain",
            "4 MiB of 16, which older devices may need; larger orders may be gone after a while",
        ),
        (
            "GFP_DMA32, and try again while the address is too high",
            "a zone of 4 GiB",
            "three quarters of it are out of reach: it may fail on some days, on some machines",
        ),
        (
            "dma_alloc_coherent with a mask of 30 bits",
            "the kernel looks for a zone that fits, and you need not know any",
            "what it can find is the same memory: without luck in DMA32 it is ZONE_DMA again",
        ),
        (
            "any frames, behind an IOMMU",
            "16 GiB to choose from; the card sees low addresses",
            "the machine needs an IOMMU that is switched on, and each mapping costs time",
        ),
        (
            "any frames, copied by the kernel (swiotlb)",
            "works without any change",
            "a copy of every byte, and its own buffers have to lie within reach, too",
        ),
    ),
)
