"""Lesson 12's second function to write: which remembered frame numbers are wrong by now. A bug to find."""

from __future__ import annotations

import functools
import random

from ...process.process import Process
from ...units import PAGE_SIZE, VmlabError
from ..plain import Plain
from ..question import Misconception
from ..questions.swap import VA, a_memory
from ..task import Given, Task

BARRED = (*Task.barred, "vmlab.process", "vmlab.procfs")

Events = list[list[str | int]]  # [what, page]
WHATS = ("migrate", "swap out", "read", "write", "fork", "child writes", "child ends")
CHILD = ("child writes", "child ends")


def _draw_events(rng: random.Random, size: float) -> Given:
    pages = 2 + int(size * 3)
    events: list[list[str | int]] = [["fork", 0]] if rng.random() < 0.7 else []
    has_child = bool(events)
    for _ in range(2 + int(size * 8)):
        page = rng.randrange(pages)
        wants = ("read", "write", "write", "write", "migrate", "swap out", *(CHILD if has_child else ("fork", "fork")))
        what = rng.choice(wants)
        has_child = what == "fork" or (has_child and what != "child ends")
        events.append([what, page if what not in ("fork", "child ends") else 0])
    return {"pages": pages, "events": events}


@functools.lru_cache(maxsize=512)
def _wrong(pages: int, events: tuple[tuple[str, int], ...]) -> tuple[int, ...]:
    """Play it: pages whose entry does not lead to the frame any more that it led to at first."""
    memory, child = a_memory(), None
    process = Process(memory, "one")
    process.mmap(VA, pages)
    for page in range(pages):
        process.write(VA + page * PAGE_SIZE, b"x")
    kept = [_frame(process, page) for page in range(pages)]
    for what, page in events:
        if page >= pages or ((child is None) == (what in CHILD) and what in (*CHILD, "fork")):
            raise VmlabError(f"{what} {page}: expected a page, and a child, that is there")
        va = VA + page * PAGE_SIZE
        pfn = _frame(process, page)
        if what in ("migrate", "swap out") and pfn:
            memory.migrate(pfn) if what == "migrate" else memory.reclaim_pages([memory.page(pfn)])
        elif what == "read":
            process.read(va, 1)
        elif what == "write":
            process.write(va, b"y")
        elif what == "fork":
            born = process.fork("child")
            assert isinstance(born, Process)
            child = born
        elif child and what == "child writes":
            child.write(va, b"z")
        elif child and what == "child ends":
            child.exit()
            child = None
    return tuple(page for page in range(pages) if _frame(process, page) != kept[page])


def _frame(process: Process, page: int) -> int:
    return process.page_table.pte(VA + page * PAGE_SIZE).pfn or 0


def _tell_events(pages: int, events: Events) -> str:
    says = {
        "migrate": "pfn = one.page_table.pte({va}).pfn; pfn and memory.migrate(pfn)",
        "swap out": "pfn = one.page_table.pte({va}).pfn; pfn and memory.reclaim_pages([memory.page(pfn)])",
        "read": "one.read({va}, 1)",
        "write": 'one.write({va}, b"y")',
        "fork": "child = one.fork()",
        "child writes": 'child.write({va}, b"z")',
        "child ends": "child.exit()",
    }
    lines = [
        "from vmlab.process.process import Process",
        "from vmlab.study.questions.swap import a_memory",
        'memory = a_memory(); one = Process(memory, "one"); one.mmap(0x400000, {pages})'.replace("{pages}", str(pages)),
        f'[one.write(0x400000 + page * 4096, b"x") for page in range({pages})]',
    ]
    return "\n".join(
        [*lines, *(says[str(what)].format(va=f"{VA + int(page) * PAGE_SIZE:#x}") for what, page in events)]
    )


def _followed(
    pages: int, events: Plain, *, moves: tuple[str, ...] = ("migrate", "swap out"), cow: str = "real"
) -> Plain:
    """The obvious bookkeeping, with what a belief changes. `cow`: real, never, always (once forked), fork (at once)."""
    wrong: set[int] = set()
    shared: set[int] = set()
    for what, page in events:
        if what in moves:
            wrong.add(page)
        elif what == "fork":
            shared = set(range(pages))
            wrong |= shared if cow == "fork" else set()
        elif what == "child ends" and cow != "always":
            shared = set()
        elif what == "child writes" and cow != "always":
            shared.discard(page)
        elif what == "write" and page in shared and cow in ("real", "always"):
            wrong.add(page)
    return sorted(wrong)


STALE = Task(
    id="12.stale",
    signature="stale(pages, events)",
    ask="A program has written pages 0 to `pages` - 1 and remembered the frame of each. Return the pages, ascending, "
    "whose remembered frame is wrong after all events. Events are [what, page]: 'migrate' (compaction moves it, if it "
    "is in RAM), 'swap out', 'read' and 'write' by the program, 'child writes'; and of all pages, with page 0 "
    "written for it, 'fork' and 'child ends'. A page in swap has no frame, and never comes back to its old one.",
    draw=_draw_events,
    args=lambda pages, events: [pages, events],
    answer=lambda pages, events: list(_wrong(pages, tuple((str(what), int(page)) for what, page in events))),
    loads=_tell_events,
    what="stories",
    barred=BARRED,
    beliefs=(
        Misconception(
            "only swapping and compaction move pages",
            lambda pages, events: _followed(pages, events, cow="never"),
            "What does a first write after fork do?",
        ),
        Misconception(
            "fork moves the parent's pages",
            lambda pages, events: _followed(pages, events, cow="fork"),
            "What does fork copy: frames or entries?",
        ),
        Misconception(
            "every write after a fork moves the page",
            lambda pages, events: _followed(pages, events, cow="always"),
            "Who else uses the frame, once the child has a copy or has ended?",
        ),
        Misconception(
            "a page comes back from swap to its frame",
            lambda pages, events: _followed(pages, events, moves=("migrate",)),
            "Who uses the frame meanwhile?",
        ),
        Misconception(
            "compaction keeps the frame numbers",
            lambda pages, events: _followed(pages, events, moves=("swap out",)),
            "What would compaction be good for, then?",
        ),
    ),
    hints=(
        "Which events change an entry of this program, and which only one of the child's?",
        "write: a new frame if the child still shares the page: it lives, and has not written to it since the fork.",
    ),
)
