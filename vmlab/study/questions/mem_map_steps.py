"""The five steps to mem_map's frames, by name (span, size, top, place, frames), and practice on them."""

from __future__ import annotations

import random
from typing import Any

from ...kernel import Kernel, boot
from ...machine import Machine
from ...parts import Config, Region
from ...physical.mem_map import SMP_CACHE_BYTES
from ...units import PAGE_SHIFT, MiB, align_down, align_up, group_hex, human
from ..question import Misconception, Question
from ..steps import Step, Steps


def some_arm_board(rng: random.Random) -> Machine:
    """A board with one bank of RAM and a FLATMEM kernel; no two numbers of it are alike by design."""
    start = rng.choice((0x4000_0000, 0x6000_0000, 0x8000_0000, 0x1000_0000))
    size = rng.randrange(1024, 2048, 64) * MiB
    config = Config(struct_page_bytes=rng.choice((36, 40, 44)))
    vmalloc = rng.randrange(240, 480, 16)
    return Machine(arch="arm", ram=(Region(start, size),), config=config, cmdline=f"vmalloc={vmalloc}M")


def kernel_facts(kernel: Kernel) -> dict[str, Any]:
    """What a learner is told of a FLATMEM machine, and the kernel to ask."""
    machine, node = kernel.machine, kernel.nodes[0]
    block = 1 << ((machine.config.max_order or 1) - 1)
    lowmem_end = kernel.bounds.max_low_pfn << PAGE_SHIFT
    return {
        "kernel": kernel,
        "ram_start": node.start_pfn << PAGE_SHIFT,
        "ram_end": node.end_pfn << PAGE_SHIFT,
        "lowmem_end": lowmem_end,
        "block": block,
        "struct_page_bytes": kernel.mem_map.struct_page_bytes,
        "top": top_of_free(kernel),
        "taken": lowmem_end - top_of_free(kernel),
        "entries": align_up(node.end_pfn, block) - align_down(node.start_pfn, block),
    }


def board_facts(rng: random.Random) -> dict[str, Any]:
    """The same for a board drawn at random."""
    return kernel_facts(boot(some_arm_board(rng)))


def top_of_free(kernel: Kernel) -> int:
    """Physical address below which everything was still free when mem_map was allocated: from the ledger."""
    array = kernel.mem_map.allocations[0]
    top = kernel.bounds.max_low_pfn << PAGE_SHIFT
    for event in kernel.log:
        if (event.start, event.end) == array:
            break
        if event.kind in ("alloc", "reserve") and array[1] <= event.start < top:
            top = event.start
    return top


def worked(kernel: Kernel) -> Steps:
    """All five steps for one booted FLATMEM machine."""
    return steps(**kernel_facts(kernel))


def steps(kernel: Kernel, ram_start: int, ram_end: int, block: int, top: int, **facts: Any) -> Steps:
    """The steps from a question's facts."""
    entries, size = facts["entries"], facts["struct_page_bytes"]
    total, place = kernel.mem_map.bytes, kernel.mem_map.allocations[0][0]
    first, last = ram_start >> PAGE_SHIFT, ram_end >> PAGE_SHIFT
    low, high = align_down(first, block), align_up(last, block)
    end = place + total - 1
    return Steps.of(
        (
            Step(
                "span",
                f"frames of the node, from first to last, rounded out to blocks of {block:,}",
                f"{high:#x} − {low:#x}",
                f"{entries:,} entries",
            ),
            Step("size", "entries × sizeof(struct page)", f"{entries:,} × {size}", f"{total:,} bytes"),
            Step(
                "top",
                "end of lowmem, less what was allocated there before",
                f"{group_hex(facts['lowmem_end'])} − {human(facts['taken'])}",
                group_hex(top),
            ),
            Step(
                "place",
                f"top − size, rounded down to {SMP_CACHE_BYTES} bytes",
                f"{group_hex(top)} − {total:#_x}",
                group_hex(place),
            ),
            Step(
                "frames",
                f"first and last byte >> {PAGE_SHIFT}",
                f"{group_hex(place)} and {group_hex(end)}",
                f"{place >> PAGE_SHIFT:#x} to {end >> PAGE_SHIFT:#x}",
            ),
        )
    )


def _image_end(kernel: Kernel) -> int:
    """End of the kernel image, from the ledger: a board described by hand has no image of its own."""
    return max(event.end for event in kernel.log if "kernel image" in event.why)


ROUNDED = "{ram_start:#_x} to {ram_end:#_x}, in blocks of {block:,} pages"

SIZE = Question(
    id="05.size",
    ask="One step is open. RAM is "
    + ROUNDED
    + "; sizeof(struct page) is {struct_page_bytes}. How many bytes is mem_map?",
    facts=board_facts,
    answer=lambda kernel, **_: kernel.mem_map.bytes,
    misconceptions=(
        Misconception(
            "struct page always has 32 bytes",
            lambda entries, **_: entries * 32,
            "Which size does this kernel's struct page have?",
        ),
        Misconception(
            "mem_map has entries for lowmem only",
            lambda ram_start, lowmem_end, struct_page_bytes, **_: (
                ((lowmem_end - ram_start) >> PAGE_SHIFT) * struct_page_bytes
            ),
            "HighMem frames are allocated too. Where are their struct pages?",
        ),
        Misconception(
            "mem_map describes all memory from physical address 0",
            lambda ram_end, struct_page_bytes, **_: (ram_end >> PAGE_SHIFT) * struct_page_bytes,
            "What is the first frame of this node?",
        ),
        Misconception(
            "an entry is a pointer of 4 bytes",
            lambda entries, **_: entries * 4,
            "What does one entry hold besides a place in a list?",
        ),
    ),
    hints=("What does the array have one of, for each frame?", "size: entries × sizeof(struct page)."),
    steps=steps,
    blank="size",
    because="entries × sizeof(struct page), HighMem included.",
)

FIRST_FRAME = Question(
    id="05.first-frame",
    ask="On your own. RAM is "
    + ROUNDED
    + "; lowmem ends at {lowmem_end:#_x}; {taken:,} bytes just below that end were taken "
    "before; sizeof(struct page) is {struct_page_bytes}. Which is the first frame that holds mem_map?",
    facts=board_facts,
    answer=lambda kernel, **_: kernel.mem_map.frames[0].start,
    misconceptions=(
        Misconception(
            "the boot allocator searches from the bottom",
            lambda kernel, **_: _image_end(kernel) >> PAGE_SHIFT,
            "In which direction does memblock search?",
        ),
        Misconception(
            "nothing was allocated before mem_map",
            lambda kernel, lowmem_end, **_: (lowmem_end - kernel.mem_map.bytes) >> PAGE_SHIFT,
            "What does step top subtract?",
        ),
        Misconception(
            "mem_map ends where RAM ends",
            lambda kernel, ram_end, **_: (ram_end - kernel.mem_map.bytes) >> PAGE_SHIFT,
            "Is the end of RAM in the direct map?",
        ),
        Misconception(
            "its place is always 16 MiB after the start of RAM",
            lambda ram_start, **_: (ram_start + 16 * MiB) >> PAGE_SHIFT,
            "Which step would give that number?",
        ),
        Misconception(
            "RAM starts at physical address 0",
            lambda kernel, ram_start, **_: kernel.mem_map.frames[0].start - (ram_start >> PAGE_SHIFT),
            "Where does the RAM of this board start?",
        ),
    ),
    hints=("Which of the five steps can you do at once?", "place: top − size, rounded down; then frames: place >> 12."),
    steps=steps,
    because="top − size, rounded down to 64 bytes, then >> 12.",
    show=hex,
)
