"""Questions of lesson 01 about the kernel's half: whose it is, what 1:1 means, and what isolation takes away."""

from __future__ import annotations

from ...arch.base_register import base_register
from ..question import Facts, Misconception, Question, always
from .same_address_facts import ISOLATED, KERNEL_VA, fixed, kernel_entries, machine, pa, space

KERNEL = Question(
    id="01.kernel-half",
    ask="The kernel's addresses, from 0xc000_0000 up, are entries {first} to 1023 of each top table. {used} of these "
    "256 entries are in use. How many of them are different in p0 and p1?",
    facts=fixed(lambda: _halves()),
    answer=lambda first, used, different: different,
    misconceptions=(
        Misconception(
            "the kernel's half is private to each process",
            lambda first, used, different: used,
            "Which kernel would run while p1 is in a system call: another one than in p0?",
        ),
        Misconception(
            "only the entry of the process's own kernel stack differs",
            lambda first, used, different: different + 1,
            "May the kernel read the stack of a task that does not run?",
        ),
    ),
    because="each top table repeats the same kernel entries (Linux 6.1, arch/x86/mm/pgtable.c:pgd_ctor).",
)

KERNEL_PA = Question(
    id="01.one-to-one",
    ask="People say the kernel's memory is mapped 1:1. Virtual {va:#x} is the beginning of the running kernel's code. "
    "At which physical address is it, in p0 and in p1? Its direct map begins at {page_offset:#x}.",
    facts=fixed(lambda: {"va": KERNEL_VA, "page_offset": 0xC000_0000, "second": pa("p1", KERNEL_VA)}),
    answer=lambda va, page_offset, second: second,
    misconceptions=(
        Misconception(
            "1:1 means that virtual and physical address are equal",
            lambda va, page_offset, second: va,
            "This PC has 1 GiB of RAM. Is there a byte at that physical address?",
        ),
        Misconception(
            "the kernel's code is at the beginning of RAM",
            always(0),
            "What is left of the address when the beginning of the direct map is subtracted?",
        ),
    ),
    because="1:1 means a constant distance: physical = virtual − PAGE_OFFSET, and the tables say so.",
    show=hex,
)

ISOLATION = Question(
    id="01.isolation",
    ask="Another PC runs with page-table isolation (PTI). While p0's own code ran, CR3 held {held:#x}; the kernel's "
    "own note of p0's top table, mm->pgd, is {root:#x}. In mm->pgd {used} entries of the kernel's half are in use. How "
    "many are in the table that CR3 named?",
    facts=fixed(lambda: _isolated()),
    answer=lambda held, root, used, seen: seen,
    misconceptions=(
        Misconception(
            "the kernel's half is the same in every table",
            lambda held, root, used, seen: used,
            "Why would there be a second table if it held the same?",
        ),
        Misconception(
            "with isolation nothing of the kernel is mapped in user mode",
            always(0),
            "Where is the first instruction that an interrupt runs, before CR3 can be written?",
        ),
    ),
    because="user mode's table keeps only what entering the kernel needs (Linux 6.1, arch/x86/mm/pti.c).",
)


def _halves() -> Facts:
    first = KERNEL_VA >> 22 & -256
    mine, other = (kernel_entries(space(name), first) for name in ("p0", "p1"))
    different = sum(a != b for a, b in zip(mine, other, strict=True))
    return {"first": first, "used": sum(map(bool, mine)), "different": different}


def _isolated() -> Facts:
    recorded = machine(ISOLATED).recorded
    assert recorded is not None, f"{ISOLATED} ships as a record"
    root = recorded.roots["p0"]
    used, seen = (kernel_entries(space("p0", ISOLATED, user), 256) for user in (False, True))
    held = base_register(space("p0", ISOLATED).format.name).root_of(root.base_value or 0)
    return {"held": held, "root": root.root_pa, "used": sum(map(bool, used)), "seen": sum(map(bool, seen))}
