"""From a kernel address to its frame and struct page, by name: area, offset, physical, frame, struct page; practice."""

from __future__ import annotations

import functools
import random

from ...machine import Machine
from ...parts import Config, Region
from ...units import PAGE_SHIFT, GiB, KiB, MiB, group_hex
from ...virtual.layout import Layout, layout_of
from ...virtual.pointer_tests import verdicts
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from .tlb_steps import apart

PC_OFFSET, OLDER_OFFSET = 0xFFFF_8880_0000_0000, 0xFFFF_8800_0000_0000
VMEMMAP = 0xFFFF_EA00_0000_0000
STRUCT_PAGE = 64  # bytes
IMAGE_MAP = 0xFFFF_FFFF_8000_0000
TEXT = 16 * MiB


@functools.cache
def pc() -> Layout:
    """A 64-bit PC with 8 GiB, booted with nokaslr: a hole for devices below 4 GiB."""
    ram = (Region(4 * KiB, 636 * KiB), Region(MiB, 3 * GiB - MiB), Region(4 * GiB, 5 * GiB))
    return layout_of(Machine("amd64", ram, Config()))


def pointer_steps(va: int) -> Steps:
    """All five steps for a direct-map or image address of that PC."""
    layout = pc()
    found, said = layout.classify(va), verdicts(layout, va)
    pa, offset, page = found.pa or 0, found.area.offset or 0, said.page or 0
    frame = pa >> PAGE_SHIFT
    return Steps.of(
        (
            Step("area", "which area holds it", f"{group_hex(va)}", found.area.name),
            Step("offset", "the area's constant: va − physical", "where physical 0 would be", group_hex(offset)),
            Step("physical", "address − offset", f"{group_hex(va)} − {group_hex(offset)}", group_hex(pa)),
            Step("frame", "physical / 4096", f"{group_hex(pa)} >> 12", f"{frame:#x}"),
            Step(
                "struct page",
                f"vmemmap + frame × {STRUCT_PAGE}",
                f"{group_hex(VMEMMAP)} + {frame:#x} × {STRUCT_PAGE}",
                group_hex(page),
            ),
        )
    )


def _pointer(rng: random.Random) -> Facts:
    low = rng.choice((16 * MiB, 4 * GiB))
    return {"va": PC_OFFSET + low + rng.randrange(MiB, 2 * GiB, 8)}


def _physical(va: int) -> int:
    return pc().classify(va).pa or 0


PHYSICAL = apart(
    Question(
        id="09.physical",
        ask="A PC with nokaslr: {va:#_x} is in its direct map. Fill in the open step.",
        facts=_pointer,
        answer=_physical,
        misconceptions=(
            Misconception("1:1 means that both are equal", lambda va: va, "What does physical 0 have as its address?"),
            Misconception(
                "a physical address is the lower 32 bits", lambda va: va & 0xFFFF_FFFF, "Is there RAM above 4 GiB?"
            ),
            Misconception("the offset is that of older kernels", lambda va: va - OLDER_OFFSET, "Where does 6.1 begin?"),
            Misconception("the frame number is wanted", lambda va: _physical(va) >> 12, "Which step divides?"),
        ),
        because="address less the direct map's first one.",
        hints=(
            "At which address would physical 0 be?",
            "Step physical: subtract 0xffff_8880_0000_0000, all 64 bits of it.",
        ),
        steps=pointer_steps,
        blank="physical",
        show=group_hex,
    )
)


def _page(va: int) -> int:
    return verdicts(pc(), va).page or 0


PAGE = apart(
    Question(
        id="09.page",
        ask="The same PC. virt_to_page({va:#_x}): which address does it return?",
        facts=_pointer,
        answer=_page,
        misconceptions=(
            Misconception(
                "struct pages stand one after the other by byte of RAM",
                lambda va: VMEMMAP + _physical(va),
                "How many bytes does one of them describe?",
            ),
            Misconception(
                "a struct page has 4,096 bytes as its page has",
                lambda va: VMEMMAP + (_physical(va) >> 12 << 12),
                "How large is struct page here?",
            ),
            Misconception(
                "an index needs no size", lambda va: VMEMMAP + (_physical(va) >> 12), "How far apart are two of them?"
            ),
            Misconception(
                "the array lies in the direct map",
                lambda va: PC_OFFSET + (_physical(va) >> 12) * STRUCT_PAGE,
                "In which area is the array on 64 bits?",
            ),
        ),
        because="vmemmap + frame × 64.",
        hints=("Which frame is it, and which entry of the array is that frame's?", "Step struct page: frame × 64."),
        steps=pointer_steps,
        show=group_hex,
    )
)


def _symbol(rng: random.Random) -> Facts:
    return {"va": IMAGE_MAP + TEXT + rng.randrange(64 * KiB, 8 * MiB, 16)}


def _alias(va: int) -> int:
    return pc().alias(va)


ALIAS = apart(
    Question(
        id="09.alias",
        ask="The same PC (phys_base is 0). A function of the kernel is at {va:#_x}. At which address of the direct map "
        "are its bytes?",
        facts=_symbol,
        answer=_alias,
        misconceptions=(
            Misconception("it has one address only", lambda va: va, "How often is the image mapped?"),
            Misconception(
                "the physical address is wanted", lambda va: va - IMAGE_MAP, "What is added to a physical address?"
            ),
            Misconception(
                "the image is in RAM as often as it is mapped",
                lambda va: PC_OFFSET + va - IMAGE_MAP + TEXT,
                "Where in RAM did the boot loader put it?",
            ),
        ),
        because="down to the physical address with the image's offset, up again with the direct map's.",
        hints=(
            "What is its physical address?",
            "Step physical with the image's offset 0xffff_ffff_8000_0000; then the direct map's first one is added.",
        ),
        steps=lambda va: Steps.of(
            (
                *pointer_steps(va).steps[:4],
                Step(
                    "back",
                    "physical + the direct map's offset",
                    f"{group_hex(_physical(va))} + {group_hex(PC_OFFSET)}",
                    group_hex(_alias(va)),
                ),
            )
        ),
        show=group_hex,
    )
)
