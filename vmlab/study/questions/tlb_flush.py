"""Questions of lesson 03 about flushes: page-table isolation, ranges and their ceiling; and the scenario."""

from __future__ import annotations

import random

from ...trace import load_trace
from ...units import KiB, MiB, human
from ...virtual.tlb import Tlb
from ...virtual.tlb_rows import CPUS
from ..question import Facts, Misconception, Question
from ..weigh import Scenario
from .tlb_steps import apart
from .tlb_switch import KERNEL, USER, a_cpu, task, touch

CEILING = 33  # tlb_single_page_flush_ceiling


def system_calls(rule: str, isolated: bool, user: int, kernel: int, calls: int) -> int:
    """Walks of a program that uses some pages, and of the kernel in some system calls, each using all of its own."""
    cpu = a_cpu(rule, isolated)
    cpu.switch(task("a", 0))
    walks = touch(cpu, user)
    for _ in range(calls):
        cpu.enter_kernel()
        walks += touch(cpu, kernel, KERNEL, is_global=not isolated)
        cpu.return_to_user()
        walks += touch(cpu, user)
    return walks


def _calls(rng: random.Random) -> Facts:
    user, kernel, calls = rng.randrange(12, 30), rng.randrange(4, 11), rng.randrange(5, 12)
    found = system_calls("x86", True, user, kernel, calls)
    return {"user": user, "kernel": kernel, "calls": calls, "found": found}


PTI = apart(
    Question(
        id="03.pti",
        ask="Page-table isolation gives user mode a table of its own, and the kernel's entries are no longer global. A "
        "CPU without PCIDs: a program uses {user} pages, makes {calls} system calls, and uses them again after each. "
        "The kernel uses {kernel} pages in each call. Nobody else runs. How many walks?",
        facts=_calls,
        answer=lambda found, **_: found,
        misconceptions=(
            Misconception(
                "only a switch to another process writes CR3",
                lambda user, kernel, **_: user + kernel,
                "Which table does the CPU need on each side of a system call?",
            ),
            Misconception(
                "the kernel's entries are global and stay",
                lambda user, kernel, calls, **_: user + kernel + calls * user,
                "Would that not give user mode what isolation hides?",
            ),
            Misconception(
                "only the way into the kernel writes CR3",
                lambda user, kernel, calls, **_: user + calls * kernel,
                "And on the way back: whose entries survive that write?",
            ),
        ),
        because="every system call writes CR3 twice, and each write forgets all: {user} + {calls} × ({kernel} + "
        "{user}).",
    )
)


def forgotten(rule: str, pages: int, others: int, kernel: int) -> int:
    """Entries that go when a running process unmaps some pages, of `pages` + `others` of its own in the TLB."""
    cpu, a = a_cpu(rule), task("a", 0)
    cpu.switch(a)
    touch(cpu, pages + others)
    touch(cpu, kernel, KERNEL, is_global=True)
    assert a.mm is not None
    return len(cpu.flush_tlb_mm_range(a.mm, USER, USER + pages * 4 * KiB))


def _unmapped(rng: random.Random) -> Facts:
    pages, others, kernel = rng.randrange(CEILING + 1, 80), rng.randrange(40, 120), rng.randrange(5, 20)
    found = forgotten("x86-pcid", pages, others, kernel)
    return {"pages": pages, "others": others, "kernel": kernel, "found": found}


RANGE = apart(
    Question(
        id="03.range",
        ask="x86, Linux 6.1. The TLB holds {pages} pages that a process is about to unmap with one munmap(), "
        "{others} other pages of it, and {kernel} global ones. How many entries does the flush forget?",
        facts=_unmapped,
        answer=lambda found, **_: found,
        misconceptions=(
            Misconception(
                "what is flushed is what was unmapped", lambda pages, **_: pages, "What do that many INVLPGs cost?"
            ),
            Misconception(
                "a flush empties the TLB",
                lambda pages, others, kernel, **_: pages + others + kernel,
                "Does munmap() of one process change the kernel's entries?",
            ),
            Misconception(
                "page by page up to the ceiling, and the rest stays",
                lambda **_: CEILING,
                "May an entry stay whose frame is about to be given to somebody else?",
            ),
        ),
        because="above 33 pages (tlb_single_page_flush_ceiling) Linux forgets the whole PCID instead: {pages} + "
        "{others}; global entries stay (Linux 6.1, arch/x86/mm/tlb.c:flush_tlb_mm_range).",
    )
)


def database() -> Scenario:
    """Large pages for a database: what each way gives is computed from a CPU's row and a recorded program."""
    small, large = (Tlb("Skylake").reach(size) for size in (4 * KiB, 2 * MiB))
    entries = sum(row.entries for row in CPUS["Skylake"].structures if row.level == 2 and 2 * MiB in row.page_bytes)
    counts = Tlb("Skylake").run(load_trace("sqlite")).total
    ask = (
        f"A database keeps 64 GiB in memory and reads rows of it at random. Its CPU has {entries} second-level "
        f"entries. "
        f"It also forks once an hour to write a snapshot. Which pages do you give it, and what do you give up?"
    )
    return Scenario(
        "03.database",
        ask,
        (
            (
                "4 KiB pages, as it is",
                f"reach {human(small)} of 64 GiB: nearly each random row is a walk; fork copies little per write",
                f"walks. But measure: a small database (the recorded sqlite) walks {counts.misses:,} times in "
                f"{counts.accesses:,} references",
            ),
            (
                "transparent huge pages, always",
                f"reach up to {human(large)}, one level less to walk, no change to the program",
                "a write after the fork copies 2 MiB, not 4 KiB; stalls while memory is compacted; unused rests of "
                "pages",
            ),
            (
                "madvise: only for the big pool",
                f"reach up to {human(large)} where it pays",
                "a change to the program, and still no promise: a huge page may not be there",
            ),
            (
                "hugetlb, reserved at boot",
                "pages that are certain to be there, of 2 MiB or 1 GiB",
                "memory that nobody else can use; it is not swapped; to be planned before boot",
            ),
            (
                "pin the threads, leave pages alone",
                "no other process on these CPUs: entries and PCID slots stay",
                f"does not help here: {human(small)} of reach stay {human(small)}",
            ),
        ),
    )
