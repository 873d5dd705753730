"""Questions of lesson 04: what becomes of the firmware's map, where zones begin and end, what they keep.

Every right answer is asked of a booted model. The beliefs are those of books about other machines, and of
people who read one line of /proc/zoneinfo beside another.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from typing import Any

from ...kernel import Kernel, boot
from ...machine import Machine
from ...parts import Region
from ...record import load_machine
from ...units import PAGE_SHIFT, GiB, KiB, MiB, group_hex
from ..question import Facts, Misconception, Question

PC, BOARD = "i386-pc-686-1g", "arm-virt-armmp-1g"
ISA_DMA = 16 * MiB >> PAGE_SHIFT


@functools.cache
def booted(name: str) -> Kernel:
    """A recorded machine, booted by the model."""
    return boot(load_machine(name))


def key(word: str) -> Callable[..., str]:
    """A belief that leads to one choice, whatever the facts."""
    return lambda **_: word


def _a_board(rng: random.Random) -> Facts:
    start = rng.choice((0x1000_0000, 0x4000_0000, 0x6000_0000, 0x8000_0000))
    kernel = boot(Machine(arch="arm", ram=(Region(start, rng.randrange(256, 1025, 64) * MiB),)))
    return {"kernel": kernel, "ram_start": start, "ram_bytes": kernel.machine.ram_bytes}


FIRST_FRAME = Question(
    id="04.first-frame",
    ask="An ARM board's device tree says: memory@{ram_start:x}, {ram_bytes:,} bytes. What is the number of its first "
    "page frame of RAM?",
    facts=_a_board,
    answer=lambda kernel, **_: kernel.nodes[0].start_pfn,
    misconceptions=(
        Misconception(
            "RAM starts at physical address 0", lambda **_: 0, "What does the device tree's line begin with?"
        ),
        Misconception(
            "a frame is named by its address",
            lambda ram_start, **_: ram_start,
            "How many bytes apart are frame 1 and frame 2?",
        ),
        Misconception(
            "the first MiB belongs to the firmware, as on a PC",
            lambda ram_start, **_: (ram_start + MiB) >> PAGE_SHIFT,
            "Does this board's device tree leave anything out?",
        ),
    ),
    because="{ram_start:#x} >> 12. Physical addresses are bus addresses: a board puts RAM where it likes.",
    show=hex,
)


def _first_early_page(rng: random.Random) -> Facts:
    kernel = booted(BOARD)
    limit = kernel.bounds.limit
    event = next(event for event in kernel.log if event.kind == "alloc" and event.end == limit)
    cma = kernel.allocations.cma[0][0]
    ram = kernel.machine.ram[0]
    places = {"ram_start": ram.start, "ram_end": ram.end, "limit": limit, "cma": cma}
    return {"event": event, "size": event.size, **places}


TOP_DOWN = Question(
    id="04.top-down",
    ask="The recorded board: RAM from {ram_start:#x} up to {ram_end:#x}. Reserved so far: the kernel image near the "
    "bottom, and memory for devices (CMA) from {cma:#x} up to the end. Lowmem ends at {limit:#x}. The kernel asks "
    "memblock for {size:,} bytes, aligned to {size:,}. Which address does it get?",
    facts=_first_early_page,
    answer=lambda event, **_: event.start,
    misconceptions=(
        Misconception(
            "memblock searches from the bottom",
            lambda ram_start, **_: ram_start,
            "Who else needs low addresses, and could be pushed out of them?",
        ),
        Misconception(
            "all RAM is there for boot allocations",
            lambda cma, size, **_: cma - size,
            "Through which mapping would the kernel write to an address above lowmem?",
        ),
        Misconception(
            "an allocation begins at the limit",
            lambda limit, **_: limit,
            "Is the byte at the limit still lowmem?",
        ),
    ),
    because="memblock takes the highest free place below current_limit: {limit:#x} − {size:#x} (Linux 6.1, "
    "mm/memblock.c:memblock_find_in_range_node; record arm-virt-armmp-1g).",
    show=group_hex,
)


def _pc_facts(rng: random.Random) -> Facts:
    kernel = booted(PC)
    window = 4 * GiB - (kernel.machine.config.page_offset or 0)
    return {"kernel": kernel, "window_mib": window // MiB, "ram_mib": kernel.machine.ram_bytes // MiB}


LOWMEM = Question(
    id="04.lowmem",
    ask="A 32-bit PC with {ram_mib:,} MiB of RAM. The kernel has the upper {window_mib:,} MiB of addresses, and keeps "
    "128 MiB of them for vmalloc. How many whole MiB of RAM does it map directly (lowmem)?",
    facts=_pc_facts,
    answer=lambda kernel, **_: (kernel.bounds.max_low_pfn << PAGE_SHIFT) // MiB,
    misconceptions=(
        Misconception(
            "what vmalloc leaves of the kernel's addresses is all direct map",
            lambda window_mib, **_: window_mib - 128,
            "That is the number in the books. What else has to have fixed addresses at the top?",
        ),
        Misconception(
            "RAM that fits into the kernel's addresses is lowmem",
            lambda ram_mib, **_: ram_mib,
            "Where would vmalloc's addresses come from?",
        ),
        Misconception(
            "the kernel can only reach 128 MiB at once",
            lambda **_: 128,
            "Are those 128 MiB RAM, or addresses for something else?",
        ),
    ),
    because="kmap's window, the LDT, the CPU entry areas and the fixmap are stacked below the top of the address space "
    "first; vmalloc's 128 MiB are counted from there (Linux 6.1, arch/x86/include/asm/pgtable_32_areas.h).",
)

ARM_DMA = Question(
    id="04.arm-dma",
    ask="The recorded ARM board has 768 MiB of lowmem and 256 MiB above it. Its kernel is built with "
    "CONFIG_ZONE_DMA, and the board states no DMA limit. How many pages does ZONE_DMA span?",
    facts=lambda rng: {"kernel": booted(BOARD)},
    answer=lambda kernel: kernel.zones["DMA"].spanned_pages,
    misconceptions=(
        Misconception(
            "there is always a ZONE_DMA of 16 MiB",
            lambda kernel: ISA_DMA,
            "Whose limit are the 16 MiB, and does this board have that device?",
        ),
        Misconception(
            "without such devices ZONE_DMA is empty",
            lambda kernel: 0,
            "Zones are filled in order, each up to its limit. Which one comes first?",
        ),
        Misconception(
            "no limit means all RAM",
            lambda kernel: kernel.nodes[0].spanned_pages,
            "ZONE_DMA pages must have a direct-map address. Has HighMem one?",
        ),
    ),
    because="without a board limit ZONE_DMA ends where lowmem ends, and nothing is left for Normal "
    "(Linux 6.1, arch/arm/mm/init.c:zone_sizes_init; record arm-virt-armmp-1g).",
)


def dma_facts(kernel: Kernel) -> dict[str, Any]:
    """ZONE_DMA of a PC: its span, and where its RAM is broken off below 1 MiB."""
    zone = kernel.zones["DMA"]
    base_end = kernel.machine.ram[0].end
    return {"kernel": kernel, "start": zone.start_pfn, "spanned": zone.spanned_pages, "base_end": base_end}


def present_pages(kernel: Kernel, **_: Any) -> int:
    """Pages of a PC's ZONE_DMA that are RAM."""
    return kernel.zones["DMA"].present_pages


NOT_PRESENT = (
    Misconception(
        "every frame of a zone is RAM",
        lambda spanned, **_: spanned,
        "Which addresses below 16 MiB does the map not call usable?",
    ),
    Misconception(
        "the hole is always 640 KiB to 1 MiB",
        lambda spanned, **_: spanned - (384 * KiB >> PAGE_SHIFT),
        "Where does the usable range of this map end, and is its last frame whole?",
    ),
    Misconception(
        "nothing below 1 MiB is RAM",
        lambda **_: ISA_DMA - (MiB >> PAGE_SHIFT),
        "What does the first line of the map say?",
    ),
)

PRESENT = Question(
    id="04.present",
    ask="On the recorded PC ZONE_DMA starts at frame {start} and spans {spanned:,} frames, up to 16 MiB. Usable RAM "
    "in it: "
    "0x0 up to {base_end:#x}, and from 0x10_0000 on. How many of the frames are present?",
    facts=lambda rng: dma_facts(booted(PC)),
    answer=present_pages,
    misconceptions=NOT_PRESENT,
    because="frames {start} to {base_end:#x} >> 12, the partly filled last one not counted, and 3,840 above 1 MiB.",
)
