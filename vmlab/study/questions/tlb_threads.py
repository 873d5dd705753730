"""A question of lesson 03 about threads and kernel threads: which switches write the base register at all."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from ...virtual.asid import Mm
from ...virtual.context import Task
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from .tlb_steps import apart
from .tlb_switch import a_cpu

CAST = {"a": "a", "a/2": "a", "b": "b", "b/2": "b", "kworker": None}


def writes(names: Sequence[str], owner: Callable[[str], str | None] = CAST.__getitem__) -> int:
    """Switches of this schedule that write the base register; `owner` says whose tables a task has."""
    cpu = a_cpu("x86-pcid")
    mms = {who: Mm(who, 0x100_0000 + 0x1000 * n) for n, who in enumerate(sorted({*CAST, "init"}))}
    return sum(bool(cpu.switch(Task(name, mms[who] if (who := owner(name)) else None)).registers) for name in names)


def _a_schedule(rng: random.Random) -> Facts:
    names = ["a"]
    while len(names) < 9:
        names.append(rng.choice([name for name in CAST if name != names[-1]]))
    return {"names": tuple(names), "told": ", ".join(names), "switches": len(names)}


def writes_steps(names: Sequence[str], **_: Any) -> Steps:
    """Each switch: whose tables are loaded, whose are needed."""
    cpu = a_cpu("x86-pcid")
    mms = {who: Mm(who, 0x100_0000 + 0x1000 * n) for n, who in enumerate(("a", "b"))}
    rows, count = [], 0
    for name in names:
        loaded = cpu.loaded_mm.name if cpu.loaded_mm else "nobody"
        who = CAST[name]
        wrote = bool(cpu.switch(Task(name, mms[who] if who else None)).registers)
        count += wrote
        needed = f"needs {f'{who}’s tables' if who else 'none'}"
        rows.append(Step(name, needed, f"{loaded}’s are loaded", f"{count} write{'s' * (count != 1)}"))
    return Steps.of(rows)


WRITES = apart(
    Question(
        id="03.writes",
        ask="a/2 is a thread of a, b/2 one of b, kworker a kernel thread. One CPU runs, in this order: {told}. How "
        "many "
        "of these {switches} switches write CR3? (The first does.)",
        facts=_a_schedule,
        answer=lambda names, **_: writes(names),
        misconceptions=(
            Misconception(
                "every switch writes it", lambda switches, **_: switches, "What differs between two threads?"
            ),
            Misconception(
                "a kernel thread has tables of its own",
                lambda names, **_: writes(names, lambda name: CAST[name] or "init"),
                "Whose tables hold the kernel's half?",
            ),
            Misconception(
                "a thread has tables of its own",
                lambda names, **_: writes(names, lambda name: name if CAST[name] else None),
                "What do threads of one process share?",
            ),
        ),
        because="it is written when the tables that are needed differ from those loaded; a kernel thread needs none.",
        hints=("Whose tables are loaded at this moment, and whose does the next one need?", "Compare only a and b."),
        steps=writes_steps,
    )
)
