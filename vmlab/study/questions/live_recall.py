"""Recall for lesson 13: three questions about what came before, three about the lesson itself."""

from __future__ import annotations

import functools

from ...units import PAGE_SHIFT
from ..question import Misconception, Question, always
from .live import KNOWN, RECORD, predicted, recorded, still_known, wrong
from .slab import fixed
from .tlb_steps import apart

PAGE_OFFSET, RAM_START = 0xC000_0000, 0x4000_0000


@functools.cache
def holder() -> str:
    """The zone whose frames hold mem_map on the ARM board."""
    first = predicted()["mem_map first frame"]
    return "high" if first >= predicted()["node 0 HighMem start_pfn"] else "low"


PLACE = Question(
    id="13.recall.place",
    ask="A 32-bit ARM board with 1 GiB. In which frames is mem_map?",
    facts=fixed({}),
    choices=lambda: {
        "low": "near the end of lowmem",
        "high": "in HighMem, where most room is",
        "before": "in front of the first frame of RAM",
    },
    answer=holder,
    misconceptions=(
        Misconception("large tables go where most room is", always("high"), "Which address would the kernel use?"),
        Misconception("a table stands before what it describes", always("before"), "Is there any RAM in front?"),
    ),
    because="the boot allocator gives from the top of lowmem downwards.",
)

LOGICAL = apart(
    Question(
        id="13.recall.logical",
        ask="On this board RAM begins at 0x4000_0000 and the direct map at 0xc000_0000. Which kernel address has "
        "byte 0 of lowmem frame {pfn:#x}?",
        facts=lambda rng: {"pfn": rng.randrange(0x4_0100, 0x6_F000)},
        answer=lambda pfn: (pfn << PAGE_SHIFT) - RAM_START + PAGE_OFFSET,
        misconceptions=(
            Misconception(
                "physical 0 is at PAGE_OFFSET on every board",
                lambda pfn: (pfn << PAGE_SHIFT) + PAGE_OFFSET & 0xFFFF_FFFF,
                "Where does this board's RAM begin?",
            ),
            Misconception("1:1 means equal", lambda pfn: pfn << PAGE_SHIFT, "Where does the direct map begin?"),
        ),
        because="physical − start of RAM + PAGE_OFFSET.",
        show=hex,
    )
)


@functools.cache
def counted() -> str:
    """Whether the frames of mem_map are counted as managed."""
    recorded_ = recorded(RECORD).machine.recorded
    zone = recorded_.zones[0] if recorded_ else {}
    kept = zone["present"] - zone["managed"]
    return "present" if kept >= predicted()["mem_map frames"] else "managed"


COUNTED = Question(
    id="13.recall.counted",
    ask="zoneinfo counts a zone's pages as spanned, present and managed. How are frames counted that hold mem_map?",
    facts=fixed({}),
    choices=lambda: {
        "managed": "spanned, present and managed",
        "present": "spanned and present, not managed",
        "spanned": "spanned only",
    },
    answer=counted,
    misconceptions=(
        Misconception("the kernel manages its own tables", always("managed"), "Could somebody allocate them?"),
        Misconception("what the kernel took is not there", always("spanned"), "Is there no RAM behind mem_map?"),
    ),
    because="present is RAM that exists; managed is what reached the page allocator, and mem_map was taken before.",
)

INPUT = Question(
    id="13.recall.input",
    ask="Which of these may a prediction of a recorded boot be given?",
    facts=fixed({}),
    choices=lambda: {
        "sizes": "size and alignment of every boot allocation",
        "places": "the address that every boot allocation got",
        "zoneinfo": "the managed pages of each zone",
    },
    answer=lambda: "sizes" if not wrong(told=True) else "places",
    misconceptions=(
        Misconception("a log's addresses are inputs", always("places"), "What would then be left to predict?"),
        Misconception("zoneinfo is known before the boot", always("zoneinfo"), "Who prints it?"),
    ),
    because="what the kernel asked for is an input, what it got is the answer that is compared.",
)

DRAWN = Question(
    id="13.recall.drawn",
    ask="With KASLR on, which of these is still the same at every boot of one machine?",
    facts=fixed({}),
    choices=lambda: {
        "frames": "the frame at which each zone begins",
        "page_offset": "the first address of the direct map",
        "image": "the address of the kernel's text",
    },
    answer=lambda: still_known() if still_known() == "frames" else "image",
    misconceptions=(
        Misconception("the direct map is fixed by the manual", always("page_offset"), "What did the record miss?"),
        Misconception("text is linked to an address", always("image"), "What does the boot loader relocate?"),
    ),
    because="zones are borders of physical memory, and those come from the firmware's map.",
)

MISSED = Question(
    id="13.recall.missed",
    ask="A board was predicted before it booted. Which number was missed, and by little?",
    facts=fixed({}),
    choices=lambda: {
        "managed": "pages handed to the page allocator",
        "border": "the frame where HighMem begins",
        "frames": "frames that hold mem_map",
    },
    answer=KNOWN.answer,
    misconceptions=(
        Misconception("borders depend on what is free", always("border"), "Which constants make the border?"),
        Misconception("mem_map depends on what is free", always("frames"), "Which frames have a struct page?"),
    ),
    because="only what the boot kept was not known: the sizes of image and initrd, and each boot allocation.",
)

START = (PLACE, LOGICAL, COUNTED)
END = (INPUT, DRAWN, MISSED)
