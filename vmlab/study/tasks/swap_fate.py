"""Lesson 10's second function to write: where the bytes of evicted pages go. A bug to find."""

from __future__ import annotations

import functools
import random

from ...process.file import File, file_of
from ...process.process import Process
from ...units import VmlabError
from ..plain import Plain
from ..question import Misconception
from ..questions.swap import VA, a_memory
from ..task import Given, Task
from .swap import BARRED

KINDS = ("program", "shared file", "anonymous", "tmpfs")
Pages = list[list[str | int]]  # [kind, written] of each


def _draw_pages(rng: random.Random, size: float) -> Given:
    pages = [[rng.choice(KINDS), rng.randrange(2)] for _ in range(4 + int(size * 6))]
    return {"pages": [[kind, 1 if kind == "tmpfs" else written] for kind, written in pages]}


@functools.cache
def fate_of(kind: str, written: int) -> str:
    """Take one page away and look where it was written to."""
    memory, file = a_memory(), None
    if kind == "tmpfs":
        file = File("shm", 1, is_shmem=True)
    elif kind != "anonymous":
        file = file_of("/bin/program", b"instructions")
    process = Process(memory, "0")
    process.mmap(VA, 1, "rw", file, shared=kind in ("tmpfs", "shared file"))
    process.read(VA, 1)
    if kind == "anonymous":  # to swap and back, while a child's entry keeps the slot
        process.write(VA, b"x")
        process.fork()
        memory.reclaim_pages(list(memory))
        process.read(VA, 1)
    if written:
        process.write(VA, b"y")
    pfn = process.page_table.pte(VA).pfn
    assert pfn is not None
    area, writes = memory.swap.areas[0], file.writes if file else 0
    before = area.writes
    memory.reclaim_pages([memory.page(pfn)])
    if area.writes > before:
        return "swap"
    return "file" if file and file.writes > writes else "drop"


def _fates(pages: Pages) -> Plain:
    found: list[Plain] = []
    for kind, written in pages:
        if kind == "tmpfs" and not written:
            raise VmlabError("tmpfs: expected a page that was written, as it has no other content")
        found.append(fate_of(str(kind), int(written)))
    return found


def _tell_pages(pages: Pages) -> str:
    return (
        "from vmlab.study.tasks.swap_fate import fate_of  # plays one page: mapped, touched, taken away\n"
        f"print([fate_of(kind, written) for kind, written in {pages}])"
    )


FATE = Task(
    id="10.fate",
    signature="fate(pages)",
    ask="Memory is short, and these pages are taken. Return for each where its bytes are written to: 'swap', 'file', "
    "or 'drop' if nothing is written. A page is [kind, written]. Kinds: 'program', a private mapping of a file; "
    "'shared file', a shared one; 'tmpfs', shared memory without a disk; 'anonymous', here one that has been in swap "
    "once and whose slot is still named by another process. `written` is 1 if the process has written to the page "
    "since it came.",
    draw=_draw_pages,
    args=lambda pages: [pages],
    answer=_fates,
    loads=_tell_pages,
    what="rows of pages",
    barred=BARRED,
    beliefs=(
        Misconception(
            "every page that is evicted goes to swap",
            lambda pages: ["swap" for _ in pages],
            "Is there another copy of an instruction on disk?",
        ),
        Misconception(
            "what was mapped from a file goes back to that file",
            lambda pages: [
                "drop" if not written else "file" if kind in ("program", "shared file") else "swap"
                for kind, written in pages
            ],
            "What would the next user of the program find in the file?",
        ),
        Misconception(
            "whatever was written goes to swap",
            lambda pages: ["swap" if written else "drop" for _, written in pages],
            "What is a shared mapping of a file for?",
        ),
        Misconception(
            "anonymous pages are always written",
            lambda pages: [
                "swap"
                if kind in ("anonymous", "tmpfs") or (kind == "program" and written)
                else "file"
                if written
                else "drop"
                for kind, written in pages
            ],
            "What stands in the slot of a page that nobody has changed since?",
        ),
        Misconception(
            "tmpfs is a file system, so its pages go to a file",
            lambda pages: [
                "drop" if not written else "file" if kind in ("tmpfs", "shared file") else "swap"
                for kind, written in pages
            ],
            "On which disk would that file be?",
        ),
    ),
    hints=(
        "Which of these pages has its bytes on some disk already?",
        "drop if nothing was written since; else a shared file's page goes to its file, and all others to swap.",
    ),
)
