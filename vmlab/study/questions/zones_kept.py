"""Questions of lesson 04 about what zones keep: managed pages, lowmem_reserve, fallback, ZONE_MOVABLE."""

from __future__ import annotations

import random

from ...kernel import Kernel, boot
from ...machine import Machine
from ...parts import Region
from ...physical import gfp, zonelist
from ...physical.watermarks import LOWMEM_RESERVE_RATIO
from ...units import PAGE_SHIFT, GiB, MiB, human
from ..question import Facts, Misconception, Question
from ..weigh import Scenario
from .zones import PC, booted, key


def _memory_line(rng: random.Random) -> Facts:
    kernel = booted(PC)
    line = kernel.machine.recorded.data["dmesg"]["memory_line"]  # type: ignore[union-attr]
    return {"kernel": kernel, "available": line["available_kib"], "total": line["total_kib"]}


def _mem_total(kernel: Kernel) -> int:
    return sum(zone.managed_pages for zone in kernel.zones) * 4


LATER = Question(
    id="04.later",
    ask="While it boots, this PC says {available:,}K of {total:,}K available. When it is up, the line MemTotal of "
    "/proc/meminfo is read. Compared with {available:,} kB, MemTotal is",
    facts=_memory_line,
    choices=lambda **_: {
        "less": "smaller: the kernel has allocated more since",
        "same": "the same: both count the RAM that the page allocator has",
        "more": "larger: the kernel has given memory back since",
        "all": "larger: it counts all RAM of the machine",
    },
    answer=lambda kernel, available, total: (
        "all" if _mem_total(kernel) >= total else "more" if _mem_total(kernel) > available else "less"
    ),
    misconceptions=(
        Misconception(
            "memory in use is no longer counted",
            key("less"),
            "MemTotal is the sum of managed pages. Does an allocated page cease to be managed?",
        ),
        Misconception(
            "managed pages are fixed once boot has handed them over",
            key("same"),
            "What does the kernel do with the initrd and with code it needed only once?",
        ),
        Misconception(
            "MemTotal is the machine's RAM",
            key("all"),
            "Is the kernel's own image part of MemTotal?",
        ),
    ),
    because="MemTotal is the sum of managed pages, and initrd and init code have joined them since "
    "(Linux 6.1, mm/page_alloc.c:free_reserved_area; record i386-pc-686-1g).",
)


def late_pages(machine: Machine) -> int:
    """Whole pages of the initrd and of the init sections: they join the page allocator last."""
    image = machine.image
    if image is None:
        return 0
    return (image.init_end - image.init_start + image.initrd_end - image.initrd_start) >> PAGE_SHIFT


def _reserve_facts(rng: random.Random) -> Facts:
    kernel = booted(PC)
    managed = {f"managed_{z.name.lower()}": z.managed_pages for z in kernel.zones if z.populated}
    return {"kernel": kernel, "late": late_pages(kernel.machine), "ratio": LOWMEM_RESERVE_RATIO["DMA"], **managed}


RESERVE = Question(
    id="04.reserve",
    ask="The same PC, up and running. /proc/zoneinfo shows managed pages: DMA {managed_dma:,}, Normal "
    "{managed_normal:,}, HighMem {managed_highmem:,}. The lowmem_reserve_ratio of DMA is {ratio}. How many pages "
    "does DMA "
    'keep from a request that may use Normal (the second number of its line "protection")?',
    facts=_reserve_facts,
    answer=lambda kernel, **_: kernel.zones["DMA"].lowmem_reserve[1],
    misconceptions=(
        Misconception(
            "the numbers of one file are of one moment",
            lambda managed_normal, ratio, **_: managed_normal // ratio,
            "The rule is right. When was it applied, and when did the last pages join Normal?",
        ),
        Misconception(
            "a zone keeps a share of its own pages",
            lambda managed_dma, ratio, **_: managed_dma // ratio,
            "Whom does the reserve protect the zone from: those who could go where?",
        ),
        Misconception(
            "HighMem counts too",
            lambda managed_normal, managed_highmem, ratio, **_: (managed_normal + managed_highmem) // ratio,
            "May this request use HighMem?",
        ),
        Misconception(
            "the ratio is that of Normal",
            lambda managed_normal, **_: managed_normal // LOWMEM_RESERVE_RATIO["Normal"],
            "Whose pages are being kept: those of DMA, or those of Normal?",
        ),
    ),
    because="({managed_normal:,} − {late}) / {ratio}: {late} pages of initrd and init code joined Normal after the "
    "rule had "
    "run, and nothing was computed again (Linux 6.1, mm/page_alloc.c:setup_per_zone_lowmem_reserve).",
)


def serves(kernel: Kernel, flags: str) -> list[str]:
    """Zones that a request may try, in order, on the first node."""
    zones = kernel.nodes[0].zones
    highest = gfp.highest_zone(gfp.mask(flags), zones)
    return [zone.name for zone in zonelist.zonelist(kernel.nodes, 0) if zone.index <= highest]


FALLBACK = Question(
    id="04.fallback",
    ask="On the PC Normal has run down to its min watermark; HighMem has 140 MiB free, DMA 10 MiB. The kernel "
    "wants a page for itself, with GFP_KERNEL. Which other zone may serve it, if any?",
    facts=lambda rng: {"kernel": booted(PC)},
    choices=lambda kernel: {
        "HighMem": "HighMem: it has the most free memory",
        "DMA": "DMA, as far as its reserve allows",
        "none": "none: a request is bound to its zone",
    },
    answer=lambda kernel: next(iter(serves(kernel, "GFP_KERNEL")[1:]), "none"),
    misconceptions=(
        Misconception(
            "a request goes where memory is free",
            key("HighMem"),
            "Which address would the kernel use for a page of HighMem?",
        ),
        Misconception("zones are partitions", key("none"), "What is a zonelist a list of?"),
    ),
    because="a request starts at the highest zone that its flags allow and goes down, never up "
    "(Linux 6.1, mm/page_alloc.c:build_zonerefs_node, include/linux/gfp.h:gfp_zone).",
)


def _movable_facts(rng: random.Random) -> Facts:
    mib = rng.randrange(288, 481, 32)
    kernel = boot(Machine(arch="arm", ram=(Region(0x4000_0000, GiB),), cmdline=f"movablecore={mib}M"))
    return {"kernel": kernel, "mib": mib, "highmem": kernel.nodes[0].end_pfn - kernel.bounds.max_low_pfn}


MOVABLE = Question(
    id="04.movable",
    ask="A 1 GiB ARM board: 768 MiB of lowmem, and {highmem:,} pages of HighMem above. movablecore={mib}M asks for "
    "a zone of "
    "pages that can be moved away. How many pages does ZONE_MOVABLE get?",
    facts=_movable_facts,
    answer=lambda kernel, **_: kernel.zones["Movable"].spanned_pages,
    misconceptions=(
        Misconception(
            "a boot parameter gets what it asks for",
            lambda mib, **_: mib * MiB >> PAGE_SHIFT,
            "From which zones may Movable take its pages?",
        ),
        Misconception("what cannot be had in full is refused", lambda **_: 0, "Is movablecore= a demand or a wish?"),
        Misconception(
            "HighMem keeps its pages and Movable gets the rest",
            lambda mib, highmem, **_: (mib * MiB >> PAGE_SHIFT) - highmem,
            "Which of the two zones is cut from the other?",
        ),
    ),
    because="Movable is cut from the highest zone only, and may take all of it: HighMem is then empty "
    "(Linux 6.1, mm/page_alloc.c:find_zone_movable_pfns_for_nodes; record arm-virt-armmp-1g-movable256m).",
)

CHOICES = (
    ("", "nothing has to be set; but the driver's 300 MiB do not fit, and ioremap() fails"),
    ("vmalloc=512M", "the kernel's own data: less lowmem for inodes, page tables and sockets of many processes"),
    ("vmalloc=360M", "a little of everything; the next driver, or a fragmented area, and it is too small again"),
    (
        "movablecore=256M",
        "lowmem again: page tables cannot be moved, so none may use that zone; the driver gains nothing",
    ),
)


def who_pays() -> Scenario:
    """Command lines for a board with a demanding driver; what each gives is asked of a booted model."""
    ways = []
    for words, cost in CHOICES:
        kernel = boot(Machine(arch="arm", ram=(Region(0x4000_0000, GiB),), cmdline=words))
        sizes = {zone.name: zone.present_pages for zone in kernel.zones if zone.present_pages}
        room = next(area.end - area.start for area in kernel.layout.areas if area.name == "vmalloc")
        given = ", ".join(f"{name} {human(pages << PAGE_SHIFT)}" for name, pages in sizes.items())
        ways.append((words or "as it is", f"{human(room)} of addresses for vmalloc and ioremap; {given}", cost))
    ask = (
        "A 1 GiB ARM board has a card whose driver maps 300 MiB of device memory with ioremap(). It also runs "
        "thousands of small processes. Which command line do you choose, and who pays for it?"
    )
    return Scenario("04.who-pays", ask, tuple(ways))
