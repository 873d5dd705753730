"""The explorer of lesson 01: one address in two recorded processes, its bits and both walks side by side."""

from __future__ import annotations

import functools

from ..machine import Machine
from ..record import load_machine
from ..study.question import number
from ..units import VmlabError, group_hex
from ..views.walk import Lane, lane, stairs
from .controls import Choice, Control, Entry
from .explorer import Explorer, Scene

MACHINES = {
    "i386 PC, two levels": "i386-pc-686-1g",
    "i386 PC with PAE, three levels": "i386-pc-686pae-4g",
    "amd64 PC, four levels": "amd64-pc-1g",
    "amd64 PC with page-table isolation": "amd64-pc-2g-pti",
    "amd64 PC, five levels": "amd64-pc-4g-la57",
    "ARM board, two levels": "arm-virt-armmp-1g",
    "ARM board with LPAE, three levels": "arm-virt-lpae-1g",
    "arm64 board, four levels": "arm64-virt-1g",
}
NAMED = {record: words for words, record in MACHINES.items()}
ISOLATED = "amd64-pc-2g-pti"
THIRTY_TWO = ("i386", "arm")
PROCESSES = {
    **{name: (name, False) for name in ("init", "p0", "p1", "p2")},
    **{f"{name}, the tables of user mode": (name, True) for name in ("p0", "p1", "p2")},
}
CONTROLS: tuple[Control, ...] = (
    Choice("machine", "Recorded machine", MACHINES, MACHINES["i386 PC, two levels"]),
    Entry("address", "Virtual address", "0xf11001"),
    Choice("left", "Left process", PROCESSES, ("p0", False)),
    Choice("right", "Right process", PROCESSES, ("p1", False)),
)


def translation_explorer() -> Explorer:
    """Two processes of a recorded machine at one virtual address of your choice."""
    return Explorer(draw, CONTROLS)


def draw(machine: str, address: str, left: tuple[str, bool], right: tuple[str, bool]) -> Scene:
    """Walk the address in both processes and draw the stairs."""
    recorded, va = loaded(machine), typed(address)
    if recorded.arch in THIRTY_TWO and va >> 32:
        raise VmlabError(f"this machine's addresses have 32 bits, {group_hex(va)} has more: type at most 0xffff_ffff")
    if (left[1] or right[1]) and machine != ISOLATED:
        raise VmlabError(f"only one of these machines has a second table for user mode: choose {NAMED[ISOLATED]!r}")
    lanes = [lane(recorded, process, va, user_root) for process, user_root in (left, right)]
    return Scene(stairs(*lanes), (*parting(*lanes), *page_of(recorded, va)))


@functools.cache
def loaded(name: str) -> Machine:
    """A shipped machine; its tables stay in memory while the explorer is used."""
    return load_machine(name)


def typed(address: str) -> int:
    """What was typed as an address."""
    try:
        return number(address)
    except VmlabError:
        raise VmlabError(f"Type an address, such as 0xf11001 or 0x400000; got {address!r}") from None


def parting(a: Lane, b: Lane) -> tuple[str, ...]:
    """Where the two walks part, and where they come together again."""
    if not a.walk.steps or not b.walk.steps:
        return ()
    same = [one.entry == other.entry for one, other in zip(a.walk.steps, b.walk.steps, strict=False)]
    if a.root_pa == b.root_pa:
        return ("Both start from one table: every step is the same.",)
    if all(same) and len(a.walk.steps) == len(b.walk.steps):
        return (
            f"The top tables differ, and both hold the same {a.walk.steps[0].level} entry: from there it is one walk.",
        )
    if a.walk.pa is not None and a.walk.pa == b.walk.pa:
        return ("Different tables all the way down, and the last entries name one frame: this page is shared.",)
    first = same.index(False) if False in same else len(same) - 1
    return (f"The base registers differ; the first entries that differ are those of {a.walk.steps[first].level}.",)


def page_of(machine: Machine, va: int) -> tuple[str, ...]:
    """What the recorded processes had done with the page, where the record says it."""
    cases = machine.recorded.data["translation"]["cases"] if machine.recorded else []
    known = next((case["what"] for case in cases if case["va"] == va & -4096), None)
    return (f"What was done with page {group_hex(va & -4096)}: {known}.",) if known else ()
