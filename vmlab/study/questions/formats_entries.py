"""Questions of lesson 02 about entries: who decides what is allowed, what a fault says, what is not present."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...arch.format import Access, Format, bits
from ...arch.formats import page_format
from ...units import PAGE_SHIFT, group_hex
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps

if TYPE_CHECKING:
    from ...virtual.page_table import PageTable

PAGE_MASK = bits(51, 12)


def forbid(table: PageTable, va: int, depth: int, name: str, held: bool) -> None:
    """Set or clear the flag `name` of the table entry at `depth` on the way to `va`."""
    row = table.format.levels[depth].table
    assert row is not None
    step = table.walk(va).steps[depth]
    flag = next(flag for flag in row.flags if flag.name == name)
    table.frames.write(step.entry_pa, flag.put(step.entry or 0, held))


def _guarded(rng: random.Random) -> Facts:
    """A page that its own entry opens fully, below a root that forbids execution and a table that forbids writing."""
    from ...virtual.page_table import PageTable

    fmt = page_format(rng.choice(("x86-64-4", "x86-64-5")))
    va, middle = rng.randrange(1 << 35) << PAGE_SHIFT, rng.randrange(1, len(fmt.levels) - 1)
    made = PageTable(fmt)
    made.map(va, rng.randrange(0x100, 0x8_0000) << PAGE_SHIFT)
    forbid(made, va, 0, "nx", True)
    forbid(made, va, middle, "write", False)
    walk = made.walk(va)
    says = "; ".join(
        f"{level.name}: {'write' if _says(fmt, depth, step.entry)['write'] else 'no write'}, "
        f"{'nx' if _says(fmt, depth, step.entry)['nx'] else 'no nx'}"
        for depth, (level, step) in enumerate(zip(fmt.levels, walk.steps, strict=True))
    )
    entries = [_says(fmt, depth, step.entry) for depth, step in enumerate(walk.steps)]
    return {"title": fmt.title, "walk": walk, "says": says, "entries": entries}


def _says(fmt: Format, depth: int, entry: int | None) -> dict[str, bool]:
    """Write and nx of one entry alone."""
    level = fmt.levels[depth]
    row = level.table if level.table is not None and level.is_table(entry or 0) else level.leaf_of(entry or 0)
    return {flag.name: flag.of(entry or 0) for flag in (row.flags if row else ())}


def _word(write: bool, nx: bool) -> str:
    return f"r{'w' if write else ''}{'' if nx else 'x'}"


WHO_WINS = Question(
    id="02.who-wins",
    ask="{title}. The entries on the way to a page say, from the root down: {says}. All allow user mode. "
    "What may a program do with the page?",
    facts=_guarded,
    choices=lambda **_: {
        "r": "read",
        "rw": "read and write",
        "rx": "read and execute",
        "rwx": "read, write and execute",
    },
    answer=lambda walk, **_: _word(walk.flags["write"], walk.flags["nx"]),
    misconceptions=(
        Misconception(
            "the last entry decides",
            lambda entries, **_: _word(entries[-1]["write"], entries[-1]["nx"]),
            "What would the bits in the upper entries be good for?",
        ),
        Misconception(
            "the root decides for all below it",
            lambda entries, **_: _word(entries[0]["write"], entries[0]["nx"]),
            "Could a table below the root then protect one page?",
        ),
        Misconception(
            "upper levels can forbid writing, and NX belongs to the page alone",
            lambda entries, **_: _word(all(row["write"] for row in entries), entries[-1]["nx"]),
            "What does bit 63 of the root's entry say?",
        ),
    ),
    because="writing needs every level's permission, and one NX is enough to forbid execution (Intel SDM vol. 3, 4.6).",
)

CASES = (  # what is tried, by user mode, how the page is mapped (None: not at all)
    ("write", True, {"write": False}),
    ("write", True, None),
    ("read", True, None),
    ("read", True, {"user": False}),
    ("fetch", True, {"nx": True}),
    ("write", False, None),
    ("fetch", True, None),
    ("write", False, {"write": False}),
)
TRIES = {"write": "writes to", "read": "reads", "fetch": "executes code at"}
MAPPED = {"write": "mapped read only", "user": "mapped for the kernel only", "nx": "mapped with NX set"}


def _faulting(rng: random.Random) -> Facts:
    """An access that faults, on tables made for it."""
    from ...virtual.page_table import PageTable

    what, user, flags = rng.choice(CASES)
    made, va = PageTable("x86-64-4"), rng.randrange(1, 1 << 35) << PAGE_SHIFT
    if flags is not None:
        made.map(va, 0x123 << PAGE_SHIFT, **flags)
    fault = made.walk(va, Access(what, user)).fault
    assert fault is not None
    return {
        "who": "A program" if user else "The kernel",
        "tries": TRIES[what],
        "shown": group_hex(va),
        "how": "not mapped" if flags is None else MAPPED[next(iter(flags))],
        "code": fault.code,
    }


def code_steps(who: str, tries: str, how: str, code: Any, **_: Any) -> Steps:
    """The bits of the error code one by one."""
    rows = (
        ("bit 0", "P: 1 if a right was missing, 0 if a page was", how, 1),
        ("bit 1", "W: was it a write", tries, 2),
        ("bit 2", "U: was it user mode", who, 4),
        ("bit 4", "I: was it an instruction fetch", tries, 16),
    )
    found = [Step(name, what, given, str(code.value & bit)) for name, what, given, bit in rows]
    return Steps.of([*found, Step("sum", "all bits together", "bits 0, 1, 2 and 4", f"{code.value:#x}")])


CODE = Question(
    id="02.error-code",
    ask="64-bit x86. {who} {tries} address {shown}, which is {how}. Which error code does the page fault have? "
    "(bit 0: a right was missing, not a page; 1: write; 2: user mode; 4: instruction fetch)",
    facts=_faulting,
    answer=lambda code, **_: code.value,
    misconceptions=(
        Misconception(
            "bit 0 says that the page is missing", lambda code, **_: code.value ^ 1, "What does P stand for?"
        ),
        Misconception("bit 2 stands for the kernel", lambda code, **_: code.value ^ 4, "Who did it here?"),
        Misconception("bit 1 stands for reading", lambda code, **_: code.value ^ 2, "Was anything to be changed?"),
    ),
    because="P, W, U and I, bit by bit (Linux 6.1, arch/x86/include/asm/trap_pf.h).",
    hints=("Is there an entry that could have allowed it?", "Work the bits out one by one: P, W, U, I; then add them."),
    steps=code_steps,
    show=hex,
)


def _hidden(rng: random.Random) -> Facts:
    """An entry that PROT_NONE left: not present, bit 8 set, frame bits inverted."""
    pfn = rng.randrange(0x1000, 0x100_0000)
    entry = (~(pfn << PAGE_SHIFT) & PAGE_MASK) | 0x960
    return {"entry": entry, "shown": group_hex(entry)}


def hidden_frame(entry: int) -> int:
    """The frame that Linux reads from a PROT_NONE entry of x86-64, by the format's own rules."""
    software = page_format("x86-64-4").software
    assert software is not None
    return software.pa.of(entry ^ software.inverted) >> PAGE_SHIFT


def hidden_steps(entry: int, **_: Any) -> Steps:
    """From the raw entry to the frame."""
    kept = entry & PAGE_MASK
    return Steps.of(
        (
            Step("present", "bit 0: does the hardware see a page", f"{group_hex(entry)} & 1", str(entry & 1)),
            Step("kept", "bit 8: does Linux (PROT_NONE)", f"{group_hex(entry)} & 0x100", hex(entry & 0x100)),
            Step("address", "bits 51..12", f"{group_hex(entry)}, bits 51..12", group_hex(kept)),
            Step("invert", "turn each of these bits over", f"not {group_hex(kept)}", group_hex(kept ^ PAGE_MASK)),
            Step("frame", ">> 12", f"{group_hex(kept ^ PAGE_MASK)} >> 12", f"{hidden_frame(entry):#x}"),
        )
    )


HIDDEN = Question(
    id="02.hidden-frame",
    ask="64-bit x86. After mprotect(PROT_NONE) the entry of a page is {shown}: bit 0 is clear, bit 8 is set. "
    "Which frame still belongs to the page? (While bit 0 is clear, Linux keeps bits 51..12 inverted.)",
    facts=_hidden,
    answer=lambda entry, **_: hidden_frame(entry),
    misconceptions=(
        Misconception("present bit 0 means that the page is lost", lambda **_: 0, "What would be the use of bit 8?"),
        Misconception(
            "the address bits mean the same whether the page is present or not",
            lambda entry, **_: (entry & PAGE_MASK) >> PAGE_SHIFT,
            "Is there so much memory?",
        ),
        Misconception(
            "all bits of the entry are inverted",
            lambda entry, **_: (entry ^ bits(63, 0)) >> PAGE_SHIFT,
            "Which bits are an address?",
        ),
    ),
    because="bits 51..12 inverted, >> 12 (Linux 6.1, arch/x86/include/asm/pgtable-invert.h).",
    hints=("Which bits hold an address, and which do not?", "invert: turn bits 51..12 over; then frame: >> 12."),
    steps=hidden_steps,
    show=hex,
)
HIDDEN_STEP = replace(
    HIDDEN,
    id="02.hidden-step",
    ask="One step is open, and the frame comes after it. 64-bit x86, PROT_NONE: the entry of a page is {shown}. Which "
    "frame still belongs to the page?",
    blank="invert",
)
