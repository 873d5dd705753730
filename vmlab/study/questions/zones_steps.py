"""The worked calculations of lesson 04, step by step, and practice on them: place, lowmem, present."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from ...arch.arm.layout import VMALLOC_END, VMALLOC_OFFSET
from ...kernel import boot
from ...machine import Machine
from ...parts import Region
from ...physical.memblock import Memblock
from ...units import PAGE_SHIFT, GiB, KiB, MiB, align_down, align_up, group_hex, human
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from .zones import NOT_PRESENT, dma_facts, present_pages

IMAGE_BYTES = 20 * MiB


def place_steps(limit: int, top: int, size: int, align: int, place: int, **_: Any) -> Steps:
    """Where memblock puts a request: limit, gap, subtract, align."""
    return Steps.of(
        (
            Step("limit", "current_limit: the end of lowmem", group_hex(limit), group_hex(limit)),
            Step(
                "gap",
                "end of the highest free stretch that is large enough",
                f"limit − {limit - top:,} bytes",
                group_hex(top),
            ),
            Step("subtract", "gap − size", f"{group_hex(top)} − {size:#x}", group_hex(top - size)),
            Step("align", f"round down to {align:#x}", f"{group_hex(top - size)}, down", group_hex(place)),
        )
    )


def _request(rng: random.Random) -> Facts:
    start = rng.choice((0x1000_0000, 0x4000_0000, 0x8000_0000))
    limit = start + 768 * MiB
    align = rng.choice((0x1000, 0x2000, 0x4000))
    size = rng.randrange(3, 60) * align + rng.randrange(0x10, 0xFF0, 16)
    blocks = Memblock(banks=[(start, start + GiB, 0)], limit=limit)
    image_end = start + IMAGE_BYTES
    top = limit - rng.randrange(16, 90) * 0x4000
    blocks.reserve(start, image_end)
    blocks.reserve(top, limit)
    place = blocks.find(size, align, 0, limit)
    return {
        "limit": limit,
        "top": top,
        "size": size,
        "align": align,
        "place": place,
        "image_end": image_end,
        "ram_end": start + GiB,
    }


PLACE = Question(
    id="04.place",
    ask="On your own. RAM goes up to {ram_end:#x}, lowmem ends at {limit:#x}. Reserved: the image, up to "
    "{image_end:#x}, and "
    "everything from {top:#x} to the end of lowmem. memblock is asked for {size:#x} bytes, aligned to {align:#x}. "
    "Where?",
    facts=_request,
    answer=lambda place, **_: place,
    misconceptions=(
        Misconception(
            "memblock searches from the bottom",
            lambda image_end, align, **_: align_up(image_end, align),
            "Which end of the free memory does it start from?",
        ),
        Misconception(
            "RAM above lowmem is there for boot allocations",
            lambda ram_end, size, align, **_: align_down(ram_end - size, align),
            "What is current_limit for?",
        ),
        Misconception(
            "what is reserved does not matter",
            lambda limit, size, align, **_: align_down(limit - size, align),
            "Who has the bytes just below the limit?",
        ),
        Misconception(
            "an address is rounded up to its alignment",
            lambda top, size, align, **_: align_up(top - size, align),
            "Would the end of that stretch still be free?",
        ),
        Misconception(
            "any byte will do",
            lambda top, size, **_: top - size,
            "Which step is left?",
        ),
    ),
    because="gap − size, rounded down: limit, gap, subtract, align.",
    hints=("Which two addresses bound the free memory?", "subtract: gap − size; then align: round down."),
    steps=place_steps,
    show=group_hex,
)
PLACE_STEP = replace(
    PLACE,
    id="04.place-step",
    ask="One step is open: {top:#x} − {size:#x} is known, the alignment is {align:#x}. Where does memblock put the "
    "request? "
    "(RAM goes up to {ram_end:#x}, the image up to {image_end:#x}, lowmem to {limit:#x}.)",
    blank="align",
)


def lowmem_steps(ram_start: int, page_offset: int, vmalloc: int, lowmem_end: int, **_: Any) -> Steps:
    """Where lowmem ends on ARM: top, vmalloc, guard, size, end."""
    guard = VMALLOC_END - vmalloc - VMALLOC_OFFSET
    return Steps.of(
        (
            Step("top", "VMALLOC_END, fixed", group_hex(VMALLOC_END), group_hex(VMALLOC_END)),
            Step(
                "vmalloc",
                "− vmalloc=",
                f"{group_hex(VMALLOC_END)} − {human(vmalloc)}",
                group_hex(VMALLOC_END - vmalloc),
            ),
            Step("guard", "− VMALLOC_OFFSET, a gap that faults", f"− {human(VMALLOC_OFFSET)}", group_hex(guard)),
            Step(
                "size",
                "− PAGE_OFFSET: bytes of direct map",
                f"{group_hex(guard)} − {group_hex(page_offset)}",
                human(guard - page_offset),
            ),
            Step("end", "+ where RAM starts", f"+ {group_hex(ram_start)}", group_hex(lowmem_end)),
        )
    )


def lowmem_facts(machine: Machine) -> dict[str, Any]:
    """What decides where lowmem ends on an ARM board with more RAM than lowmem can have."""
    vmalloc = machine.size_parameter("vmalloc") or 240 * MiB
    end = boot(machine).bounds.max_low_pfn << PAGE_SHIFT
    ram = machine.ram[0]
    return {
        "ram_start": ram.start,
        "ram_end": ram.end,
        "page_offset": machine.config.page_offset,
        "vmalloc": vmalloc,
        "vmalloc_mib": vmalloc // MiB,
        "lowmem_end": end,
    }


def _a_vmalloc(rng: random.Random) -> Facts:
    start = rng.choice((0x1000_0000, 0x4000_0000, 0x6000_0000))
    board = Machine(arch="arm", ram=(Region(start, rng.randrange(1048, 2049, 128) * MiB),))
    return lowmem_facts(board.with_cmdline(f"vmalloc={rng.randrange(272, 520, 16)}M"))


LOWMEM_ARM = Question(
    id="04.lowmem-arm",
    ask="An ARM board: RAM {ram_start:#x} up to {ram_end:#x}, PAGE_OFFSET {page_offset:#x}, vmalloc={vmalloc_mib}M. "
    "At which "
    "physical address does lowmem end?",
    facts=_a_vmalloc,
    answer=lambda lowmem_end, **_: lowmem_end,
    misconceptions=(
        Misconception(
            "RAM starts at physical address 0",
            lambda lowmem_end, ram_start, **_: lowmem_end - ram_start,
            "Which physical byte does the first byte of the direct map map?",
        ),
        Misconception(
            "vmalloc begins where the direct map ends",
            lambda lowmem_end, **_: lowmem_end + VMALLOC_OFFSET,
            "What happens to a pointer that runs off the end of the direct map?",
        ),
        Misconception(
            "vmalloc= is taken from the end of RAM",
            lambda ram_end, vmalloc, **_: ram_end - vmalloc,
            "Is it RAM that vmalloc= reserves, or addresses?",
        ),
        Misconception(
            "lowmem has 768 MiB on every ARM board",
            lambda ram_start, **_: ram_start + 768 * MiB,
            "For which value of vmalloc= is it 768 MiB?",
        ),
    ),
    because="VMALLOC_END − vmalloc − 8 MiB − PAGE_OFFSET, counted from the start of RAM (Linux 6.1, "
    "arch/arm/mm/mmu.c).",
    hints=(
        "Which areas share the addresses above PAGE_OFFSET?",
        "size: what top, vmalloc and guard leave above PAGE_OFFSET; then end: add where RAM starts.",
    ),
    steps=lowmem_steps,
    show=group_hex,
)


LOWMEM_STEP = replace(
    LOWMEM_ARM,
    id="04.lowmem-step",
    ask="One step is open, and the end of lowmem comes after it. RAM {ram_start:#x} up to {ram_end:#x}, PAGE_OFFSET "
    "{page_offset:#x}, vmalloc={vmalloc_mib}M. At which physical address does lowmem end?",
    blank="size",
)


def _a_pc(rng: random.Random) -> Facts:
    base_end = rng.randrange(608, 640) * KiB + 512
    ram = (Region(0, base_end), Region(MiB, rng.randrange(128, 1024, 64) * MiB))
    return dma_facts(boot(Machine(arch="i386", ram=ram)))


def present_steps(base_end: int, start: int, spanned: int, **facts: Any) -> Steps:
    """Present frames of ZONE_DMA: below, above, present."""
    whole, high, end = base_end >> PAGE_SHIFT, MiB >> PAGE_SHIFT, start + spanned
    total = present_pages(base_end=base_end, start=start, spanned=spanned, **facts)
    return Steps.of(
        (
            Step("below", "whole frames up to the end of the first range", f"{base_end:#x} >> 12", f"{whole:,}"),
            Step("first", "less the frames below the zone's start", f"{whole:,} − {start}", f"{whole - start:,}"),
            Step(
                "above",
                "the span's frames from 1 MiB on",
                f"{start + spanned:,} − {high}",
                f"{start + spanned - high:,}",
            ),
            Step("present", "both together", f"{whole - start:,} + {end - high:,}", f"{total:,}"),
        )
    )


PRESENT_ALONE = Question(
    id="04.present-alone",
    ask="Another PC: usable RAM from 0x0 up to {base_end:#x}, and from 0x10_0000 on. ZONE_DMA starts at frame "
    "{start} and spans "
    "{spanned:,} frames. How many are present?",
    facts=_a_pc,
    answer=present_pages,
    misconceptions=NOT_PRESENT,
    because="whole frames only: {base_end:#x} >> 12, less frame 0, and 3,840 above 1 MiB.",
    hints=("Which frames of the span have no RAM?", "The hole goes from the first frame that is not whole up to 0xff."),
    steps=present_steps,
)
