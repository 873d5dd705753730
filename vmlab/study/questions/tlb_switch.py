"""Questions of lesson 03 about several processes: what a switch and a flush forget. All are run on a `Cpu`."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from typing import Any

from ...units import PAGE_SHIFT
from ...virtual.asid import TLB_NR_DYN_ASIDS, AsidAllocator, Mm, kernel_rule
from ...virtual.context import Cpu, Task, tell_steps
from ...virtual.tlb import Tlb
from ...virtual.tlb_rows import Structure
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from .tlb_steps import apart

LARGE = (Structure("TLB", 1, 1536, 12),)  # Skylake's second level, as the only one: so each page is one entry
FORMAT = "x86-64-4"
USER, KERNEL = 0x40_0000, 0xFFFF_8880_0010_0000


def a_cpu(rule: str, isolated: bool = False) -> Cpu:
    """An x86-64 CPU with one large TLB."""
    return Cpu(FORMAT, rule, tlb=Tlb(LARGE), isolated=isolated)


def task(name: str, number: int) -> Task:
    """A process with tables of its own; the second table is for page-table isolation."""
    root = 0x100_0000 + number * 0x2000
    return Task(name, Mm(name, root, user_root_pa=root + 0x1000))


def touch(cpu: Cpu, pages: int, start: int = USER, is_global: bool = False) -> int:
    """Use so many pages, one after another; how many walks that took."""
    assert cpu.tlb is not None
    numbers = [(start >> PAGE_SHIFT) + n for n in range(pages)]
    return cpu.tlb.run(numbers, cpu.hardware_asid(cpu.in_user_mode), is_global=is_global).total.misses


# --- there and back ---


def back_again(rule: str, mine: int, others: int, kernel: int) -> tuple[int, Cpu]:
    """Walks of a when it runs again after b; the kernel's pages are global. And the CPU, to look at."""
    cpu, a, b = a_cpu(rule), task("a", 0), task("b", 1)
    for each, pages in ((a, mine), (b, others)):
        cpu.switch(each)
        touch(cpu, pages)
        touch(cpu, kernel, KERNEL, is_global=True)
    cpu.switch(a)
    return touch(cpu, mine) + touch(cpu, kernel, KERNEL, is_global=True), cpu


def told(rule: str, mine: int, others: int, kernel: int, **_: Any) -> str:
    """What the three switches of `back_again` wrote and forgot."""
    return tell_steps(back_again(rule, mine, others, kernel)[1].log)


def _two(rule: str) -> Callable[[random.Random], Facts]:
    def facts(rng: random.Random) -> Facts:
        mine, others, kernel = rng.randrange(30, 50), rng.randrange(10, 28), rng.randrange(3, 9)
        walks, _ = back_again(rule, mine, others, kernel)
        return {"mine": mine, "others": others, "kernel": kernel, "both": mine + kernel, "walks": walks}

    return facts


ALL_GONE = Misconception(
    "a context switch empties the TLB", lambda both, **_: both, "Whose entries are the same in every process?"
)
NO_PCID = apart(
    Question(
        id="03.no-pcid",
        ask="A CPU without PCIDs. Process a uses {mine} pages of its own and {kernel} of the kernel's, which are "
        "mapped global; then b runs ({others} pages of its own, the same {kernel} of the kernel's); then a again. "
        "The TLB is large enough for all. How many walks does a need for its {both} pages?",
        facts=_two("x86"),
        answer=lambda walks, **_: walks,
        misconceptions=(
            ALL_GONE,
            Misconception(
                "entries stay as long as there is room",
                lambda **_: 0,
                "How could the CPU tell a's page 0x400 from b's?",
            ),
            Misconception(
                "b's pages take the place of as many of a's",
                lambda others, **_: others,
                "Was there no room, or were entries made invalid?",
            ),
        ),
        because="writing CR3 forgets all but global entries: a's own go, the kernel's stay.",
    )
)
PCID = apart(
    Question(
        id="03.pcid",
        ask="A CPU with PCIDs. Process a uses {mine} pages of its own and {kernel} of the kernel's, which are "
        "mapped global; then b runs ({others} pages of its own, the same {kernel} of the kernel's); then a again. How "
        "many walks does a need for its {both} pages?",
        facts=_two("x86-pcid"),
        answer=lambda walks, **_: walks,
        misconceptions=(
            ALL_GONE,
            Misconception(
                "writing CR3 forgets all but global entries",
                lambda mine, **_: mine,
                "What does bit 63 of that write say?",
            ),
            Misconception(
                "b's pages take the place of as many of a's", lambda others, **_: others, "Was there room for both?"
            ),
        ),
        because="each entry says whose it is, and CR3 was written with NOFLUSH.",
    )
)


# --- more processes than numbers ---


def in_turn(processes: int, rule: str = "x86-pcid", rounds: int = 2) -> list[int]:
    """Walks of each process in the last of some rounds, 8 pages each."""
    cpu, tasks = a_cpu(rule), [task(f"p{n}", n) for n in range(processes)]
    walks: list[int] = []
    for _ in range(rounds):
        walks = []
        for each in tasks:
            cpu.switch(each)
            walks.append(touch(cpu, 8))
    return walks


SEVENTH = apart(
    Question(
        id="03.seventh",
        ask="x86 with PCIDs. {processes} processes take turns on one CPU, with 8 pages each, far fewer than the TLB "
        "holds. "
        "In the second round, how many of them find their entries still there?",
        facts=lambda rng: {"processes": (n := rng.randrange(7, 12)), "found": in_turn(n).count(0)},
        answer=lambda found, **_: found,
        misconceptions=(
            Misconception(
                "a PCID has 12 bits, so there are 4,095 to give out",
                lambda processes, **_: processes,
                "How many does Linux keep track of on each CPU?",
            ),
            Misconception(
                "those that came first keep their numbers",
                lambda **_: TLB_NR_DYN_ASIDS,
                "Whose slot does a process get that has none, and who runs next?",
            ),
            Misconception(
                "only the one that ran last is remembered",
                lambda **_: 1,
                "Who took the slot of the one that runs next?",
            ),
        ),
        because="Linux keeps 6 slots for each CPU (TLB_NR_DYN_ASIDS) and gives them out in turn: each newcomer "
        "takes the "
        "slot of the process that runs next.",
    )
)


@functools.cache
def before_rollover(rule: str) -> int:
    """How many processes get an ASID of their own before all numbers are used up."""
    asids = kernel_rule(rule).make()
    assert isinstance(asids, AsidAllocator)
    given = 0
    while not asids.rollovers:
        asids.choose(Mm(f"p{given}", 0x1000))
        given += 1
    return given - 1


ROLLOVER = Question(
    id="03.rollover",
    ask="ARM, 32 bits: an ASID has {bits} bits, and a process keeps its number, whichever CPU it runs on. How many "
    "processes can have run before a switch must make every CPU forget everything?",
    facts=lambda rng: {"bits": 8, "given": before_rollover("arm")},
    answer=lambda given, **_: given,
    misconceptions=(
        Misconception("all numbers are given out", lambda bits, **_: 1 << bits, "Who has number 0?"),
        Misconception("it works as on x86", lambda **_: TLB_NR_DYN_ASIDS, "Are the numbers a CPU's or a process's?"),
        Misconception("every switch forgets", lambda **_: 1, "What is an ASID for?"),
    ),
    because="number 0 is the kernel's own; when {given} are used up a new generation begins "
    "(Linux 6.1, arch/arm/mm/context.c:new_context).",
)


def pairs_steps(rule: str, bits: int, **_: Any) -> Steps:
    """Numbers, pairs, without the first."""
    return Steps.of(
        (
            Step("numbers", "of so many bits", f"2^{bits}", f"{1 << bits:,}"),
            Step("pairs", "kernel and user mode have one each", f"{1 << bits:,} / 2", f"{1 << bits - 1:,}"),
            Step("given", "the first pair is the kernel's own", f"{1 << bits - 1:,} − 1", f"{before_rollover(rule):,}"),
        )
    )


PAIRS = Question(
    id="03.pairs",
    ask="arm64 with {bits}-bit ASIDs, on a kernel that can isolate user mode from the kernel's tables: every process "
    "takes two numbers, an even and an odd one. How many processes have an ASID before a new generation begins?",
    facts=lambda rng: {
        "rule": (rule := rng.choice(("arm64-8", "arm64-16"))),
        "bits": int(rule[-2:].strip("-")),
        "given": before_rollover(rule),
    },
    answer=lambda given, **_: given,
    misconceptions=(
        Misconception(
            "a process takes one number", lambda bits, **_: (1 << bits) - 1, "What does user mode run under?"
        ),
        Misconception("number 0 is given out too", lambda bits, **_: 1 << bits - 1, "Who has the first pair?"),
        Misconception("nothing is kept for the kernel", lambda bits, **_: 1 << bits, "How many numbers has a process?"),
    ),
    because="2^{bits} / 2 − 1 (Linux 6.1, arch/arm64/mm/context.c:new_context).",
    hints=("How many numbers are there, and how many does one process take?", "given: pairs − 1."),
    steps=pairs_steps,
)
