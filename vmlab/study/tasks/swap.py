"""Lesson 10's first function to write: how many entries name a slot."""

from __future__ import annotations

import functools
import random

from ...process.process import Process
from ...units import VmlabError
from ..plain import Plain
from ..question import Misconception
from ..questions.swap import VA, a_memory
from ..task import Given, Task

BARRED = (*Task.barred, "vmlab.process")
Events = list[list[str | int]]  # ["fork", who], ["touch", who], ["exit", who]


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


def _tallied(events: Plain) -> Plain:
    """One up for each fork, one down for all else."""
    count, counts = 1, []
    for what, _ in events:
        count += 1 if what == "fork" else -1
        counts.append(count)
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
            "each touch and each exit takes one name away",
            _tallied,
            "How often can one process give up its entry's name of the slot?",
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
