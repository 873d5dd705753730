"""Lesson 10's functions to write: how many entries name a slot, and where the bytes of evicted pages go."""

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

BARRED = (*Task.barred, "vmlab.process")
Events = list[list[str | int]]  # ["fork", who], ["touch", who], ["exit", who]

# --- users: the byte of a slot ---


def _draw_events(rng: random.Random, size: float) -> Given:
    alive, born, events = [0], 1, [["fork", 0]]
    for _ in range(2 + int(size * 9)):
        alive += [born] if events[-1][0] == "fork" else []
        born += events[-1][0] == "fork"
        who = rng.choice(alive)
        what = rng.choice(("fork", "fork", "touch", "touch", "exit"))
        what = "touch" if what == "exit" and len(alive) < 2 else what
        alive = [each for each in alive if what != "exit" or each != who]
        events.append([what, who])
    return {"events": events}


@functools.lru_cache(maxsize=512)
def _counted(events: tuple[tuple[str, int], ...]) -> tuple[int, ...]:
    """Entries that name the slot after each event; VmlabError if a process acts that is not there."""
    memory = a_memory()
    processes = [Process(memory, "0")]
    processes[0].mmap(VA, 1)
    processes[0].write(VA, b"x")
    memory.reclaim_pages(list(memory))
    slot, counts = processes[0].page_table.pte(VA).swap, []
    assert slot is not None
    for what, who in events:
        if who >= len(processes):
            raise VmlabError(f"process {who}: expected one of {len(processes)} that were born")
        if what == "fork":
            child = processes[who].fork()
            assert isinstance(child, Process)
            processes.append(child)
        elif what == "touch":
            processes[who].read(VA, 1)
        else:
            processes[who].exit()
        counts.append(memory.swap.areas[0].count(slot.offset))
    return tuple(counts)


def _users(events: Events) -> Plain:
    return list(_counted(tuple((str(what), int(who)) for what, who in events)))


def _followed(events: Plain, *, forks: str = "entry", touch: str = "own", exits: bool = True) -> Plain:
    """The obvious count, with what a belief changes."""
    naming, counts = [True], []
    for what, who in events:
        if what == "fork":
            naming.append({"entry": naming[who], "always": True, "never": False}[forks])
        elif what == "touch" and touch == "all":
            naming = [False] * len(naming)
        elif (what == "touch" and touch == "own") or (what == "exit" and exits):
            naming[who] = False
        counts.append(sum(naming))
    return counts


def _tell_events(events: Events) -> str:
    says = {"fork": "who.append(who[{}].fork())", "touch": "who[{}].read(VA, 1)", "exit": "who[{}].exit()"}
    lines = [
        "from vmlab.process.process import Process",
        "from vmlab.study.questions.swap import VA, a_memory",
        'memory = a_memory(); who = [Process(memory, "0")]',
        'who[0].mmap(VA, 1); who[0].write(VA, b"x"); memory.reclaim_pages(list(memory))  # its page is in slot 1',
    ]
    return "\n".join([*lines, *(says[str(what)].format(who) for what, who in events)])


USERS = Task(
    id="10.users",
    signature="users(events)",
    ask="The one page of process 0 is in a slot. Return a list: after each event, how many entries name the slot. "
    "Events are ['fork', n], ['touch', n] and ['exit', n], all of process n; children are numbered in the order of "
    "their birth. Nobody writes, and nothing else goes to swap.",
    draw=_draw_events,
    args=lambda events: [events],
    answer=_users,
    loads=_tell_events,
    what="stories",
    barred=BARRED,
    beliefs=(
        Misconception(
            "a fork always names the slot once more",
            lambda events: _followed(events, forks="always"),
            "What does the child get if its parent's page is back in RAM?",
        ),
        Misconception(
            "a child gets an empty entry",
            lambda events: _followed(events, forks="never"),
            "How would the child find the page?",
        ),
        Misconception(
            "what one process reads back is back for all",
            lambda events: _followed(events, touch="all"),
            "Whose entry does a fault write?",
        ),
        Misconception(
            "a process that ends leaves its slots behind",
            lambda events: _followed(events, exits=False),
            "Who would ever free them?",
        ),
        Misconception(
            "the slot is named for as long as its processes live",
            lambda events: _followed(events, touch="none"),
            "What does an entry hold after the page came back?",
        ),
    ),
    hints=(
        "What do you have to remember of each process?",
        "users: one bit a process: does its entry name the slot? fork copies it, touch and exit clear it.",
    ),
)

# --- fate: a bug to find ---

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
        "from vmlab.study.tasks.swap import fate_of  # plays one page: mapped, touched, taken away\n"
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
