"""The two questions of the first notebook: what the kernel keeps a record of, and how much that takes.

Asked of the model: an ARM board of 32-bit Linux 6.1 (mm/page_alloc.c:alloc_node_mem_map).
"""

from __future__ import annotations

import random
from typing import Any

from ...kernel import Kernel, boot
from ...machine import Machine
from ...parts import Region
from ...units import PAGE_SIZE, KiB, MiB
from ..question import Facts, Misconception, Question, always
from ..steps import Step, Steps

BOARD = {"ram_mib": 1024, "start": 0x4000_0000}


def board(ram_mib: int, start: int = 0x4000_0000) -> Kernel:
    """A board with one bank of RAM, booted."""
    return boot(Machine(arch="arm", ram=(Region(start, ram_mib * MiB),)))


def _for_which(ram_mib: int, start: int) -> str:
    """Which frames have a struct page when nothing runs yet: counted on the booted board."""
    kernel = board(ram_mib, start)
    frames = sum(zone.present_pages for zone in kernel.zones)
    used = frames - sum(zone.managed_pages for zone in kernel.zones)
    recorded = kernel.mem_map.bytes // kernel.mem_map.struct_page_bytes
    return min({"none": 0, "used": used, "all": frames}.items(), key=lambda row: abs(row[1] - recorded))[0]


FRAMES = Question(
    id="00.frames",
    ask="Linux cuts memory into page frames of 4 KiB. Of some of them, or of all, it keeps a record (a struct page). "
    "It has just booted on a board with {ram_mib} MiB of RAM. Of which frames does it keep a record?",
    facts=lambda rng: BOARD,
    choices=lambda ram_mib, start: {
        "none": "of none yet: a record is made when a program asks for memory",
        "used": "of those in use; free memory needs no record",
        "all": "of all, in use or free",
    },
    answer=_for_which,
    misconceptions=(
        Misconception(
            "the kernel makes a record when memory is handed out",
            always("none"),
            "And in which memory would that record be made?",
        ),
        Misconception("free memory needs no record", always("used"), "How does the kernel find a free frame?"),
    ),
    because="the records are one array, mem_map, with an entry for each frame; it is made while booting.",
)


def _sizes(rng: random.Random) -> Facts:
    ram_mib = 64 * rng.randrange(4, 33)
    return {"ram_mib": ram_mib, "size": board(ram_mib).mem_map.struct_page_bytes}


def _bytes(ram_mib: int, size: int) -> int:
    return sum(zone.present_pages for zone in board(ram_mib).zones) * size


def _steps(ram_mib: int, size: int) -> Steps:
    frames = ram_mib * MiB // PAGE_SIZE
    rows: tuple[tuple[str, str, str, Any], ...] = (
        ("frames", "RAM divided by 4 KiB", f"{ram_mib} × {KiB} / 4", f"{frames:,}"),
        ("size", "frames × bytes of one struct page", f"{frames:,} × {size}", f"{frames * size:,} bytes"),
    )
    return Steps.of(Step(*row) for row in rows)


BYTES = Question(
    id="00.bytes",
    ask="A struct page has {size} bytes on this kernel. How many bytes do the records of {ram_mib} MiB of RAM take?",
    facts=_sizes,
    answer=_bytes,
    misconceptions=(
        Misconception(
            "the number of frames is the answer", lambda ram_mib, size: ram_mib * 256, "How long is one record?"
        ),
        Misconception("a frame has 1 KiB", lambda ram_mib, size: ram_mib * KiB * size, "How many frames has one MiB?"),
        Misconception(
            "one record is enough for a MiB", lambda ram_mib, size: ram_mib * size, "How many frames has one MiB?"
        ),
        Misconception("a record has 32 bits", lambda ram_mib, size: ram_mib * 256 * 4, "Bits, or bytes?"),
    ),
    because="RAM / 4 KiB frames, {size} bytes each.",
    hints=("How many frames are there?", "One MiB has 256 frames of 4 KiB; each has one record."),
    steps=_steps,
)
