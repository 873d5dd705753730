"""Questions of lesson 01 about the context switch: which switches write the base register, and claims to judge."""

from __future__ import annotations

import random
from typing import Any

from ..question import Facts, Misconception, Question, always
from ..steps import Step, Steps
from ..weigh import Scenario
from .same_address_facts import READ_ONLY, fixed, pa, space

KERNEL_THREAD = "kthread"


def writes(order: tuple[str, ...], share: bool = True, borrow: bool = True) -> int:
    """How often CR3 is written while the tasks run in this order, on the model's CPU.

    A task's name is its process and its thread: a1 and a2 are threads of a. The flags are what a belief denies:
    `share` that threads share tables, `borrow` that a kernel thread runs on those it finds.
    """
    from ...virtual.context import Cpu, Mm, Task

    cpu = Cpu("x86-32", "x86")
    spaces: dict[str, Mm] = {}
    tasks: dict[str, Task] = {}
    for name in order:
        whose = name if name == KERNEL_THREAD or not share else name[0]
        number = spaces.setdefault(whose, Mm(whose, 0x10_0000 + len(spaces) * 4096))
        mm = None if name == KERNEL_THREAD and borrow else number
        tasks.setdefault(name, Task(name, mm))
    return sum("CR3" in cpu.switch(tasks[name]).registers for name in order)


def _orders(rng: random.Random) -> Facts:
    """An order in which threads, processes and a kernel thread all come to run after each other."""
    while True:
        order = [rng.choice(("a1", "a2", "b1", "b2", KERNEL_THREAD)) for _ in range(9)]
        order = ["a1", *(b for a, b in zip(["a1", *order], order, strict=False) if a != b)]
        counts = [writes(tuple(order)), writes(tuple(order), share=False), writes(tuple(order), borrow=False)]
        if len({*counts, len(order), len(set(order))}) == 5:
            return {"order": tuple(order), "words": " → ".join(order)}


def writes_steps(order: tuple[str, ...], **_: Any) -> Steps:
    """One step a switch: whose tables are loaded after it."""
    steps, loaded, count = [], "nobody", 0
    for turn, name in enumerate(order, 1):
        wants, now = loaded if name == KERNEL_THREAD else name[0], writes(order[:turn])
        why = "borrows what is loaded" if name == KERNEL_THREAD else f"wants the tables of {wants}"
        how = f"{loaded}'s are loaded: {'a write' if now > count else 'no write'}"
        steps.append(Step(f"switch {turn}", f"{name} {why}", how, f"{now}"))
        loaded, count = wants, now
    return Steps.of(steps)


WRITES = Question(
    id="01.writes",
    ask="a1 and a2 are threads of process a, b1 and b2 of process b; kthread is a kernel thread. One CPU, which had "
    "run nobody before, runs {words}. How often is CR3 written?",
    facts=_orders,
    answer=lambda order, words: writes(order),
    misconceptions=(
        Misconception(
            "every task has tables of its own, threads too",
            lambda order, words: writes(order, share=False),
            "What do two threads of one process see at one address?",
        ),
        Misconception(
            "a kernel thread has tables of its own",
            lambda order, words: writes(order, borrow=False),
            "In whose tables are the kernel's addresses?",
        ),
        Misconception(
            "every switch writes the base register", lambda order, words: len(order), "What changes from a1 to a2?"
        ),
        Misconception(
            "each task's tables are loaded once and then kept",
            lambda order, words: len(set(order)),
            "How many base registers has the CPU?",
        ),
    ),
    hints=(
        "Between which tasks does the meaning of a user address change?",
        "Keep a note of whose tables are loaded; only another process's thread changes it.",
    ),
    steps=writes_steps,
    because="CR3 is written when the next task has another mm than the one that is loaded; threads share it, and "
    "a kernel thread borrows it (Linux 6.1, kernel/sched/core.c:context_switch).",
)

THREADS = Question(
    id="01.threads",
    ask="{first} runs, then {second}, another thread of the same process. What happens to CR3?",
    facts=lambda rng: {"first": "a1", "second": "a2"},
    choices=lambda first, second: {
        "write": "it gets the address of the second thread's top table",
        "stays": "it stays as it is",
        "clear": "it is cleared, so that nothing of the first thread can be read",
    },
    answer=lambda first, second: "stays" if writes((first, second)) == writes((first,)) else "write",
    misconceptions=(
        Misconception("every task has tables of its own", always("write"), "May one thread use the other's pointers?"),
        Misconception("a switch hides what ran before", always("clear"), "From whom: the same process?"),
    ),
    because="threads share one mm, and so one top table (Linux 6.1, include/linux/sched.h: task_struct.mm).",
)

CLAIM = Question(
    id="01.claim",
    ask="Somebody printed the physical address of page {va:#x} in p0 and p1, got {first:#x} both times and wrote: "
    '"So processes are not isolated: p1 can overwrite p0\'s data." The page was written before fork() and only read '
    "since; its entry in p1 says writable: {writable}. Judge it: what happens when p1 writes there?",
    facts=fixed(lambda: _after_fork()),
    choices=lambda va, first, writable, shared: {
        "overwrite": "p0's data is overwritten: one frame is one memory",
        "copy": "the CPU faults, the kernel gives p1 a copy, and p0's frame stays as it is",
        "kill": "p1 is killed: the page is read only",
        "both": "both get a copy, and the old frame is freed",
    },
    answer=lambda va, first, writable, shared: "overwrite" if writable == "yes" or shared else "copy",
    misconceptions=(
        Misconception("the same frame means that writes are seen by both", always("overwrite"), "May p1 write there?"),
        Misconception("a fault is an error", always("kill"), "Who decides what a fault means: the CPU or the kernel?"),
        Misconception(
            "a shared page is given up by all at the first write",
            always("both"),
            "How many frames had the page that p1 did write again?",
        ),
    ),
    because="the entry forbids writing, so the kernel hears of the first write and copies the page for the writer "
    "(Linux 6.1, mm/memory.c:do_wp_page).",
)

POINTERS = Scenario(
    id="01.pointers",
    ask="Four worker processes need the same index of 256 MiB, full of pointers. It is built once and then read; once "
    "an hour a few entries change. How do you let all of them use it, and what do you give up for it?",
    ways=(
        (
            "threads instead of processes",
            "one mm: every pointer is good everywhere, and no switch writes the base register",
            "one crash or one stray write hits all four",
        ),
        (
            "build it, then fork()",
            "the same frames at the same addresses, at once and for nothing",
            "a change is seen by the writer alone, and each page it writes to is copied",
        ),
        (
            "MAP_SHARED memory, wherever mmap() puts it",
            "one copy, and changes are seen by all",
            "other addresses in each process: offsets must be stored in place of pointers; locks are needed",
        ),
        (
            "MAP_SHARED with MAP_FIXED_NOREPLACE at one address",
            "one copy with plain pointers",
            "the address must be free in all four, which random layouts (ASLR) do not promise",
        ),
        (
            "each process has its own copy",
            "nothing can go wrong between them",
            "1 GiB of RAM in place of 256 MiB, and copies that differ for a while",
        ),
    ),
)


def _after_fork() -> Facts:
    walk = space("p1").walk(READ_ONLY)
    return {
        "va": READ_ONLY,
        "first": pa("p0", READ_ONLY),
        "writable": "yes" if walk.flags["write"] else "no",
        "shared": pa("p0", READ_ONLY) != walk.pa,
    }
