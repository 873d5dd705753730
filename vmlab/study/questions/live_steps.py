"""Practice of lesson 13: numbers of a machine that was not booted yet, and of one that was."""

from __future__ import annotations

import functools
import random

from ...arch.arm.layout import VMALLOC_END, VMALLOC_OFFSET
from ...live import lab
from ...units import PAGE_SHIFT, PAGE_SIZE, MiB, group_hex, pfn_up
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from .live import recorded
from .tlb_steps import apart

STRUCT_PAGE = {"arm-virt": 36, "i386-pc": 40}  # sizeof(struct page) of Debian's kernels, bytes
PAGE_OFFSET, RAM_START = 0xC000_0000, 0x4000_0000
PRESENT_IN = ("arm-virt-armmp-1g", "arm-virt-armmp-2g", "arm-virt-armmp-512m", "arm64-virt-1g", "i386-pc-686-1g")


@functools.cache
def mem_map_frames(board: str, mib: int) -> int:
    """The model's, before the boot."""
    return int(lab.predict(lab.describe(lab.choose(board, f"{mib}M")))["mem_map frames"])


def frames_steps(board: str, mib: int, size: int) -> Steps:
    """From RAM to the frames that mem_map takes."""
    frames = mib * MiB >> PAGE_SHIFT
    return Steps.of(
        (
            Step("frames", "RAM / 4,096", f"{mib} MiB", f"{frames:,}"),
            Step("bytes", "a struct page for each", f"{frames:,} × {size}", f"{frames * size:,}"),
            Step("mem_map", "bytes / 4,096, up", f"{frames * size:,} / 4,096", f"{pfn_up(frames * size):,}"),
        )
    )


def _ram(rng: random.Random) -> Facts:
    board = rng.choice([*STRUCT_PAGE])
    return {"board": board, "mib": 128 * rng.randrange(2, 13), "size": STRUCT_PAGE[board]}


FRAMES = apart(
    Question(
        id="13.frames",
        ask="One step is open. The board {board} gets {mib:,} MiB of RAM; its kernel's struct page has {size} bytes, "
        "and one array describes all frames. How many frames will hold the array?",
        facts=_ram,
        answer=lambda board, mib, size: mem_map_frames(board, mib),
        misconceptions=(
            Misconception(
                "a struct page has 64 bytes on every kernel",
                lambda board, mib, size: pfn_up((mib * MiB >> PAGE_SHIFT) * 64),
                "How large are this kernel's pointers?",
            ),
            Misconception(
                "a frame needs one byte of bookkeeping",
                lambda board, mib, size: pfn_up(mib * MiB >> PAGE_SHIFT),
                "What does the kernel keep of each frame?",
            ),
            Misconception(
                "the array's bytes are its frames",
                lambda board, mib, size: (mib * MiB >> PAGE_SHIFT) * size,
                "How many bytes does one frame hold?",
            ),
        ),
        hints=("How many frames does the RAM have?", "mem_map: the array's bytes, divided by 4,096."),
        steps=frames_steps,
        blank="mem_map",
        because="a struct page for each frame, in whole frames.",
    )
)


@functools.cache
def first_high(mib: int, ram: str) -> int:
    """The first frame of HighMem that the model predicts."""
    board = lab.choose("arm-virt", ram, f"vmalloc={mib}M")
    return lab.headlines(lab.predict(lab.describe(board)))["first frame of the last zone"]


def border_steps(mib: int, ram: str) -> Steps:
    """From vmalloc= to the first frame of HighMem."""
    start = VMALLOC_END - mib * MiB
    end = start - VMALLOC_OFFSET
    low = end - PAGE_OFFSET
    return Steps.of(
        (
            Step("vmalloc", "vmalloc's end − its size", f"{group_hex(VMALLOC_END)} − {mib} MiB", group_hex(start)),
            Step("high_memory", "8 MiB are left unused", f"{group_hex(start)} − 8 MiB", group_hex(end)),
            Step("lowmem", "high_memory − PAGE_OFFSET", f"{group_hex(end)} − {group_hex(PAGE_OFFSET)}", group_hex(low)),
            Step("physical", "RAM begins at 0x4000_0000", f"{group_hex(low)} + {group_hex(RAM_START)}",
                 group_hex(RAM_START + low)),
            Step("frame", "physical / 4,096", f"{group_hex(RAM_START + low)} >> 12",
                 f"{RAM_START + low >> PAGE_SHIFT:#x}"),
        )
    )  # fmt: skip


BORDER = apart(
    Question(
        id="13.border",
        ask="On your own. The ARM board with {ram} of RAM, from 0x4000_0000 on, and vmalloc={mib}M. vmalloc space "
        "ends at 0xff80_0000, and the direct map begins at 0xc000_0000. Which is the first frame of HighMem?",
        facts=lambda rng: {"mib": 32 * rng.randrange(8, 20), "ram": rng.choice(("1G", "2G"))},
        answer=first_high,
        misconceptions=(
            Misconception(
                "vmalloc= does not move lowmem's end",
                lambda mib, ram: first_high(240, ram),
                "Where does the direct map have to end, if vmalloc space begins earlier?",
            ),
            Misconception(
                "the direct map reaches up to vmalloc space",
                lambda mib, ram: first_high(mib, ram) + (VMALLOC_OFFSET >> PAGE_SHIFT),
                "What is left unused between them, to catch accesses that run over?",
            ),
            Misconception(
                "frames are numbered from the start of RAM",
                lambda mib, ram: first_high(mib, ram) - (RAM_START >> PAGE_SHIFT),
                "What is frame number 0 on this board?",
            ),
        ),
        hints=("Where does vmalloc space begin?", "high_memory: where vmalloc space begins, less 8 MiB."),
        steps=border_steps,
        because="lowmem ends 8 MiB below vmalloc space; the frame after it is HighMem's first.",
        show=hex,
    )
)


def _zones() -> list[tuple[str, str, int, int]]:
    machines = {name: recorded(name).machine.recorded for name in PRESENT_IN}
    return [
        (name, zone["name"], zone["present"], zone["managed"])
        for name, said in machines.items()
        for zone in (said.zones if said else [])
        if zone["present"] > zone["managed"]
    ]


def kept_steps(name: str, zone: str, present: int, managed: int) -> Steps:
    """From two lines of zoneinfo to what never reached the page allocator."""
    return Steps.of(
        (
            Step("pages", "present − managed", f"{present:,} − {managed:,}", f"{present - managed:,}"),
            Step("KiB", "four a page", f"{present - managed:,} × 4", f"{(present - managed) * 4:,}"),
        )
    )


KEPT = apart(
    Question(
        id="13.kept",
        ask="It has booted. zoneinfo of {name} says of zone {zone}: present {present:,}, managed {managed:,}. How many "
        "KiB of it did the boot keep for good?",
        facts=lambda rng: dict(zip(("name", "zone", "present", "managed"), rng.choice(_zones()), strict=True)),
        answer=lambda name, zone, present, managed: (present - managed) * PAGE_SIZE // 1024,
        misconceptions=(
            Misconception(
                "zoneinfo counts KiB", lambda name, zone, present, managed: present - managed, "What is its unit?"
            ),
            Misconception(
                "managed is what is kept",
                lambda name, zone, present, managed: managed * 4,
                "Who manages managed pages?",
            ),
            Misconception(
                "a page has 1,000 words of 4 bytes",
                lambda name, zone, present, managed: (present - managed) * 4000 // 1024,
                "How many bytes has a page?",
            ),
        ),
        hints=("Which of the two counts pages that exist, and which those handed over?", "KiB: pages times four."),
        steps=kept_steps,
        because="present less managed pages: image, mem_map, and all that the boot allocator handed out.",
    )
)
