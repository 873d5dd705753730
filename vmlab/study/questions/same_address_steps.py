"""The steps of a walk by name (base register, index, entry, next table, frame, + offset), and practice on them.

The tables are those of recorded processes on three i386 PCs; the addresses are drawn from the pages they had mapped.
"""

from __future__ import annotations

import functools
import random
from typing import TYPE_CHECKING, Any

from ...units import PAGE_SHIFT, PAGE_SIZE, group_hex, human
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from .same_address_facts import machine, space

if TYPE_CHECKING:
    from ...virtual.address_space import AddressSpace, Walk

PCS = ("i386-pc-686-1g", "i386-pc-686-512m", "i386-pc-custom-sparse-1g")
PROCESSES = ("p0", "p1", "p2")


def worked(tables: AddressSpace, va: int, register: str = "CR3") -> Steps:
    """Every step of one walk that ends in a frame."""
    return walk_steps(tables.walk(va), tables.root_for(va), register)


def walk_steps(walk: Walk, root_pa: int, register: str) -> Steps:
    """The same from a walk and the table that it began at."""
    rows = [Step("base register", f"where {register} says the top table is", register, group_hex(root_pa))]
    for step, level in zip(walk.steps, walk.format.levels, strict=False):
        rows.append(_index(walk, step.level, level.shift, level.bits, step.index))
        at = f"{group_hex(step.table_pa)} + {step.index} × {walk.format.entry_bytes}"
        shown = group_hex(step.entry or 0)
        rows.append(Step(f"entry ({step.level})", "read it: table + index × entry size", at, shown))
        if level.table and level.is_table(step.entry or 0):
            below = group_hex(level.table.pa.of(step.entry or 0))
            rows.append(Step("next table", "the address bits of the entry", f"{shown} without its flags", below))
    return Steps.of([*rows, *_last(walk)])


def _index(walk: Walk, name: str, shift: int, bits: int, index: int) -> Step:
    what = f"bits {shift + bits - 1} to {shift} of the address"
    return Step(f"index ({name})", what, f"{group_hex(walk.va)} >> {shift} & {(1 << bits) - 1:#x}", str(index))


def _last(walk: Walk) -> list[Step]:
    """Frame and offset, or the fault in their place."""
    entry = walk.steps[-1].entry or 0
    if walk.leaf is None or walk.pa is None:
        return [Step("fault", "the entry maps nothing", group_hex(entry), "no physical address")]
    base, offset = walk.leaf.pa.of(entry), walk.va & (walk.page_bytes - 1)
    return [
        Step(
            "frame",
            f"the address bits of the entry; it maps {human(walk.page_bytes)}",
            group_hex(entry),
            group_hex(base),
        ),
        Step("+ offset", "what the levels left of the address", f"{group_hex(base)} + {offset:#x}", group_hex(walk.pa)),
    ]


@functools.cache
def pages(name: str, process: str) -> tuple[int, ...]:
    """Pages of 4 KiB that the record has for a process and that were mapped."""
    recorded = machine(name).recorded
    cases = recorded.data["translation"]["cases"] if recorded else []
    mine = [case for case in cases if case["proc"] == process and case["va"] < 0xC000_0000]
    return tuple(case["va"] for case in mine if case["pa"] is not None and case["size"] == PAGE_SIZE)


def drawn(rng: random.Random) -> Facts:
    """A process of a recorded PC and an address in it that the other process has elsewhere."""
    name, (process, other) = rng.choice(PCS), rng.sample(PROCESSES, 2)
    offset = rng.randrange(1, PAGE_SIZE // 4) * 4  # never 0: then offset and no offset would look alike
    private = [va for va in pages(name, process) if va in pages(name, other) and _frame(name, process, va, other)]
    va = rng.choice(private) + offset
    walk, strange = (space(who, name).walk(va) for who in (process, other))
    first, last = walk.steps
    return {
        "name": name, "process": process, "other": other, "va": va, "walk": walk, "strange": strange,
        "root": first.table_pa, "entry": last.entry, "words": memory(walk, strange),
    }  # fmt: skip


def indexed(rng: random.Random) -> Facts:
    """The same for an address whose bits tell the right index from the ways to get it wrong."""
    while True:
        facts = drawn(rng)
        va, index = facts["va"], facts["walk"].steps[-1].index
        if len({index, index * 4, va >> PAGE_SHIFT, va & 1023}) == 4:
            return facts


def _frame(name: str, process: str, va: int, other: str) -> bool:
    """Whether the two have different frames there, and neither lies at its own virtual address."""
    mine, theirs = (space(who, name).walk(va).pa for who in (process, other))
    return mine != theirs and va not in (mine, theirs)


def memory(*walks: Walk) -> str:
    """What stands in RAM where the walks read, sorted by address."""
    held = {step.entry_pa: step.entry or 0 for walk in walks for step in walk.steps}
    return ", ".join(f"[{at:#x}] = {held[at]:#x}" for at in sorted(held))


def steps(walk: Walk, root: int, **_: Any) -> Steps:
    """The worked walk of a question's facts."""
    return walk_steps(walk, root, "CR3")


def _without_flags(walk: Walk) -> int:
    return (walk.steps[-1].entry or 0) & -PAGE_SIZE


INDEX = Question(
    id="01.index",
    ask="One step is open. A two-level i386 table; the address is {va:#x}. Which entry of the last table, the pte "
    "level, does the CPU read?",
    facts=indexed,
    answer=lambda walk, **_: walk.steps[-1].index,
    misconceptions=(
        Misconception(
            "the whole page number is the index of one long table",
            lambda va, **_: va >> PAGE_SHIFT,
            "How many entries has a table that fills one page?",
        ),
        Misconception(
            "the index is in bytes",
            lambda walk, **_: walk.steps[-1].index * 4,
            "Which step multiplies by the entry's size?",
        ),
        Misconception(
            "the lowest ten bits choose the entry",
            lambda va, **_: va & 1023,
            "What are the lowest twelve bits for?",
        ),
    ),
    hints=("How many of the 32 bits does each of the two tables use?", "index (pte): bits 21 to 12 of the address."),
    steps=steps,
    blank="index (pte)",
    because="va >> 12 & 0x3ff: the top ten bits were used for the pgd, the lowest twelve are the offset.",
)

ALONE = Question(
    id="01.alone",
    ask="On your own. {process} runs, so CR3 = {root:#x}. A two-level i386 table, 4 bytes an entry, flags in the "
    "lowest 12 bits. RAM holds, among much else: {words}. At which physical address is virtual {va:#x}?",
    facts=drawn,
    answer=lambda walk, **_: walk.pa,
    misconceptions=(
        Misconception(
            "all processes share one set of tables",
            lambda strange, **_: strange.pa,
            "Those are another process's tables. Which top table does CR3 name?",
        ),
        Misconception("a virtual address is the physical one", lambda va, **_: va, "What are the tables for then?"),
        Misconception(
            "the last entry is the answer, flags and all",
            lambda entry, **_: entry,
            "What do the lowest twelve bits of an entry say?",
        ),
        Misconception(
            "the frame is where the byte is",
            lambda walk, **_: _without_flags(walk),
            "Which of the 4096 bytes of the frame?",
        ),
        Misconception(
            "the entry of the top table names the frame",
            lambda walk, va, **_: ((walk.steps[0].entry or 0) & -PAGE_SIZE) + (va & 4095),
            "What is at the address in that entry: the page, or the next table?",
        ),
        Misconception(
            "the offset is added to the entry with its flags",
            lambda entry, va, **_: entry + (va & 4095),
            "Are the flags part of an address?",
        ),
    ),
    hints=(
        "At which address is the first entry that the CPU reads?",
        "entry (pgd): top table + index × 4, where the index is the address >> 22.",
    ),
    steps=steps,
    because="base register → index → entry → next table → index → entry → frame → + offset.",
    show=hex,
)
