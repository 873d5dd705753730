"""Questions of lesson 10: who is where when three processes share one address and one frame, asked of the model."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable

from ...process.file import file_of
from ...process.memory import Memory
from ...process.pageout import shrink_folio_list
from ...process.process import Process
from ...process.story import VA, play
from ...process.swap_entry import SwapEntry
from ..question import Facts, Misconception, Question, always

FORMAT = "x86-32"


def fixed(facts: Facts) -> Callable[[random.Random], Facts]:
    """Facts that are the same for everybody."""
    return lambda rng: facts


def a_memory(fmt: str = FORMAT) -> Memory:
    """Memory with frames enough and one swap area of 64 slots, written at once."""
    frames = iter(range(0x100, 0x10_0000))

    def alloc(order: int) -> int:
        while (first := next(frames)) % (1 << order):
            pass
        for _ in range((1 << order) - 1):
            next(frames)
        return first

    memory = Memory(fmt, alloc, lambda pfn, order: None)
    memory.swapon(64, synchronous=True)
    return memory


@functools.cache
def text_story() -> tuple[int, str, int, int]:
    """Three processes run one program, its page is taken: frames before, the outcome, slots written, disk reads."""
    memory, program = a_memory(), file_of("/bin/program", b"instructions")
    three = [Process(memory, name) for name in ("P0", "P1", "P2")]
    for process in three:
        process.mmap(VA, 1, "rx", program)
        process.fetch(VA)
    frames = len({process.page_table.pte(VA).pfn for process in three})
    outcome = shrink_folio_list(memory, list(memory)).pages[0][1]
    three[0].fetch(VA)
    return frames, outcome, memory.swap.areas[0].writes, program.reads


TEXT = Question(
    id="10.text",
    ask="Three processes run the same program, whose text begins at 0x400000. The kernel needs the memory of that "
    "page. What does it do?",
    facts=fixed({}),
    choices=lambda: {
        "three": "it writes three pages to swap: page_pid_0_0x400000, page_pid_1_0x400000, page_pid_2_0x400000",
        "one": "it writes one page to swap, which all three share",
        "drop": "it writes nothing: the page is dropped, and read again from the program's file",
        "stay": "nothing: the text of a running program stays in RAM",
    },
    answer=lambda: "drop" if text_story()[1] == "freed" and text_story()[2] == 0 else "one",
    misconceptions=(
        Misconception(
            "each process has its own copy of the text, and swap is where evicted pages go",
            always("three"),
            "Where were these bytes before the program was started?",
        ),
        Misconception(
            "every page that is evicted goes to swap", always("one"), "Is there another copy of an instruction on disk?"
        ),
        Misconception(
            "running code cannot be taken away", always("stay"), "What happens when an entry that is empty is used?"
        ),
    ),
    because="the file is the text's backing store; all three shared one frame of it, and nobody changed it.",
)

OWNER = Question(
    id="10.owner",
    ask="Each of the three has written data of its own to 0x400000, and there is one frame. P1's page was written to a "
    "slot; so was another process's. Now P1 touches 0x400000 again. How does the kernel know which slot is P1's?",
    facts=fixed({}),
    choices=lambda: {
        "pte": "P1's own page table: its entry for 0x400000 holds the number of the slot",
        "hash": "a table of the kernel: (process number, address) to slot",
        "search": "every slot begins with the number of its process; the kernel searches them",
        "order": "the slots are a stack: what was written last is read first",
    },
    answer=lambda: "pte" if play()[3].entries["P1"] == 2 << 9 else "hash",
    misconceptions=(
        Misconception(
            "there must be a list of names like page_pid_1_0x400000",
            always("hash"),
            "Which structure already has one place for each process and address?",
        ),
        Misconception(
            "a slot knows its owner", always("search"), "What would it say after fork, when two processes share it?"
        ),
        Misconception("the swap area is a stack", always("order"), "And if P0 runs next?"),
    ),
    because="the CPU walked the table that P1's base register names, and its entry there is not present but not empty: "
    "Linux reads the number of the slot from its other bits.",
)


ENTRY = Question(
    id="10.entry",
    ask="32-bit x86, two levels, Linux 6.1: bit 0 of an entry says present, bits 1 to 5 hold the number of the swap "
    "area, bits 9 to 31 the slot. A page goes to slot {slot} of area 0. What does its entry hold?",
    facts=fixed({"slot": 1}),
    answer=lambda slot: SwapEntry(0, slot).encode(FORMAT),
    misconceptions=(
        Misconception("the entry is the slot's number", lambda slot: slot, "Where does the field begin?"),
        Misconception(
            "a slot is written where a frame's number was", lambda slot: slot << 12, "At which bit does the slot begin?"
        ),
        Misconception("the entry is emptied", always(0), "How would the page be found again?"),
        Misconception("the page stays present", lambda slot: slot << 9 | 1, "What would the CPU do with bit 0 set?"),
    ),
    because="1 << 9; bit 0 is clear, so the CPU faults and does not look at the rest.",
    show=hex,
)

ON_DISK = Question(
    id="10.on-disk",
    ask="One frame. P0 writes 0x400000, then P1 writes its own, then P2. How many pages are in swap now?",
    facts=fixed({}),
    answer=lambda: len(play()[3].holders),
    misconceptions=(
        Misconception("the address is the same, so there is one page", always(1), "Are the contents the same?"),
        Misconception("each process has a place in swap from its start", always(3), "Is P2's page in RAM or on disk?"),
        Misconception("pages that are in use are not swapped", always(0), "Where is P0's content, if P2's is in RAM?"),
    ),
    because="P0's in slot 1 and P1's in slot 2; P2's is in the frame and nowhere else.",
)

FREE_AGAIN = Question(
    id="10.free-again",
    ask="The kernel keeps a count for each slot, in swap_map. P1 touches 0x400000: P2's page goes out, P1's comes back "
    "from slot 2. What is the count of slot 2 now?",
    facts=fixed({}),
    answer=lambda: play()[4].slots.get(2, 0),
    misconceptions=(
        Misconception("a slot belongs to its page for good", always(1), "Who would need it?"),
        Misconception(
            "the count says how often the slot was used", always(2), "What does the kernel need to know of it?"
        ),
    ),
    because="the count is that of entries which name the slot. The last one is gone, so the slot is free; if P1's page "
    "goes out again, it may get another one.",
)
