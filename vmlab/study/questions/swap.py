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
from ...units import PAGE_SIZE
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
    ask="At 0x400000 of most programs stands their first instruction. Three processes run the same program, and the "
    "kernel needs the memory of that page. What does it do?",
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
    ask="P0's page is in slot 1 of the swap area, P1's in slot 2, P2's in the only frame; all have the address "
    "0x400000. P1 runs and touches it. How does the kernel know that it needs slot 2?",
    facts=fixed({}),
    choices=lambda: {
        "pte": "P1's own page table: its entry for 0x400000 holds the number of the slot",
        "hash": "a table of the kernel: (process number, address) to slot",
        "search": "every slot begins with the number of its process; the kernel searches them",
        "order": "the slot that was written last belongs to the process that ran last",
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
    "Linux reads the area and the slot from its other bits.",
)


def _slots(rng: random.Random) -> Facts:
    return {"slot": 2 + rng.randrange(300)}


ENTRY = Question(
    id="10.entry",
    ask="32-bit x86, two levels, Linux 6.1: bit 0 of an entry says present, bits 1 to 5 hold the number of the swap "
    "area, bits 9 to 31 the slot. A page goes to slot {slot} of area 0. What does its entry hold?",
    facts=fixed({"slot": 1}),
    answer=lambda slot: play()[2].entries["P0"] if slot == 1 else slot << 9,
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
    ask="Now P1 runs again: P2's page goes out, P1's comes back from slot 2. Nobody else names slot 2 and the page was "
    "not kept in the swap cache. What is the byte of slot 2 in swap_map now?",
    facts=fixed({}),
    answer=lambda: play()[4].slots.get(2, 0),
    misconceptions=(
        Misconception("a slot belongs to its page for good", always(1), "Who would need it?"),
        Misconception(
            "a byte counts how often the slot was used", always(2), "What does the kernel need to know of it?"
        ),
    ),
    because="the last entry that named it is gone, so the slot is free; if P1 goes out again, it may get another one.",
)


@functools.cache
def forked() -> tuple[int, int, bool]:
    """P0's page is in slot 1 and P0 forks P3: entries that name slot 1, slots in use, whether the entries are equal."""
    scene = play(("P0", "P1", "P0>P3"))[3]
    return scene.slots[1], len(scene.slots), scene.entries["P0"] == scene.entries["P3"]


FORK = Question(
    id="10.fork",
    ask="P0's page is in slot 1 when P0 forks P3. What happens to the page?",
    facts=fixed({}),
    choices=lambda: {
        "share": "both entries name slot 1, and its count in swap_map is 2",
        "copy": "the slot is copied: P3 gets slot 2",
        "read": "the page is read into a frame, which both share",
        "none": "P3 starts with an empty entry: it never touched the page",
    },
    answer=lambda: "share" if forked() == (2, 1, True) else "copy",
    misconceptions=(
        Misconception("a child gets copies of everything", always("copy"), "What is the cheapest that fork can do?"),
        Misconception("only pages in RAM can be shared", always("read"), "What has to be copied so that P3 finds it?"),
        Misconception(
            "a child begins with nothing", always("none"), "What should P3 read at 0x400000, if P0 wrote 7 there?"
        ),
    ),
    because="fork copies the entry as it is (copy_nonpresent_pte) and counts one user more.",
)


@functools.cache
def after_fork_write() -> str:
    """Parent and child share a frame and the parent writes first: who has the new frame."""
    memory = a_memory()
    parent = Process(memory, "parent")
    parent.mmap(VA, 1)
    parent.write(VA, b"7")
    first = parent.page_table.pte(VA).pfn
    child = parent.fork("child")
    assert isinstance(child, Process)
    parent.write(VA, b"8")
    return "writer" if parent.page_table.pte(VA).pfn != first == child.page_table.pte(VA).pfn else "child"


COPY = Question(
    id="10.copy",
    ask="A process writes a page, then forks. Afterwards the parent writes to that page, before the child does. Who "
    "has the new frame?",
    facts=fixed({}),
    choices=lambda: {
        "writer": "the parent: who writes while others share gets the copy",
        "child": "the child: the parent keeps what is its own",
        "fork": "the child, but since the fork: nothing happens at the write",
        "both": "both: the shared frame is given up",
    },
    answer=after_fork_write,
    misconceptions=(
        Misconception("the original belongs to the parent", always("child"), "Whose entry faulted?"),
        Misconception("fork copies memory", always("fork"), "What did fork do to the entry's write bit?"),
        Misconception("sharing ends for all at once", always("both"), "Who still reads the old bytes, and from where?"),
    ),
    because="the write found a read-only entry; wp_page_copy gave the writer a frame of its own, and the child keeps "
    "the old one.",
)


@functools.cache
def frames_of_reads(pages: int, written: int) -> int:
    """Frames that a process has for `pages` pages read, of which `written` were written too."""
    memory = a_memory()
    process = Process(memory, "a")
    process.mmap(VA, pages)
    process.read(VA, pages * PAGE_SIZE)
    process.write(VA, b"x" * (written * PAGE_SIZE))
    return len(memory.frames)


ZERO = Question(
    id="10.zero",
    ask="A process maps {pages} pages of anonymous memory, reads one byte of each, then writes to {written} of them. "
    "How many frames of its own has it for these pages?",
    facts=fixed({"pages": 16, "written": 3}),
    answer=frames_of_reads,
    misconceptions=(
        Misconception("mmap takes the frames", lambda pages, written: pages, "What does mmap write into the table?"),
        Misconception(
            "a read and a write take a frame each", lambda pages, written: pages + written, "What is there to be read?"
        ),
        Misconception(
            "the zero page is the process's own",
            lambda pages, written: written + 1,
            "How many processes read zeros from it?",
        ),
    ),
    because="every first read is served by one frame of zeros that all processes share; only a write needs another.",
)


@functools.cache
def cache_hit() -> tuple[str, str]:
    """P0 and P3 share a slot; P3 reads it, then P0: the kinds of their faults."""
    scenes = play(("P0", "P1", "P0>P3", "P3", "P0"))
    return scenes[4].kind, scenes[5].kind


MINOR = Question(
    id="10.minor",
    ask="P0 and P3 share slot 1. P3 reads 0x400000, and the page is brought in. Then P0 reads it. Which kinds of "
    "faults are these?",
    facts=fixed({}),
    choices=lambda: {
        "major, minor": "P3's is major, P0's is minor",
        "major, major": "both are major",
        "minor, minor": "both are minor",
        "major, none": "P3's is major; P0 has none, because the page is in RAM",
    },
    answer=lambda: ", ".join(cache_hit()),
    misconceptions=(
        Misconception("every swap entry costs a read", always("major, major"), "Where did P3's page go to?"),
        Misconception("a fault is major only if it kills", always("minor, minor"), "Who had to wait for the disk?"),
        Misconception(
            "bringing a page in repairs all entries", always("major, none"), "How would the kernel find P0's entry?"
        ),
    ),
    because="P0's entry still names slot 1, so it faults; but the swap cache finds the page by its slot, and nothing "
    "has to be read.",
)
