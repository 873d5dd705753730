"""Questions of lesson 10 about fork: one slot or frame for two, who gets a copy when, and the page of zeros."""

from __future__ import annotations

import functools

from ...process.process import Process
from ...process.story import VA, play
from ...units import PAGE_SIZE
from ..question import Misconception, Question, always
from .swap import a_memory, fixed


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
    "How many frames of its own does it have for these pages?",
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
