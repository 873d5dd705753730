"""What the questions of lesson 01 ask of recorded page tables, and of the model's CPU."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...machine import Machine
from ...record import load_machine
from ..question import Facts

if TYPE_CHECKING:
    from ...virtual.address_space import AddressSpace

PC, ISOLATED = "i386-pc-686-1g", "amd64-pc-2g-pti"
ASKED = 0xF1_1001
SHARED, READ_ONLY, WRITTEN = 0x120_0000, 0x130_0000, 0x140_0000
KERNEL_VA = 0xC100_0000
FAMILY = ("init", "p0", "p1", "p2")


@functools.cache
def machine(name: str = PC) -> Machine:
    """A recorded machine, read once."""
    return load_machine(name)


@functools.cache
def space(process: str, name: str = PC, user_root: bool = False) -> AddressSpace:
    """The tables of a recorded process."""
    recorded = machine(name).recorded
    assert recorded is not None, f"{name} ships as a record"
    return recorded.address_space(process, pti_user=user_root)


def pa(process: str, va: int, name: str = PC) -> int | None:
    """Where a recorded process has an address; None if it is not mapped."""
    return space(process, name).walk(va).pa


def kernel_entries(tables: AddressSpace, first: int) -> list[int]:
    """The top table's entries from number `first` on."""
    fmt, root = tables.format, tables.root_pa
    numbers = range(first, 1 << fmt.levels[0].bits)
    return [tables.frames.read(root + number * fmt.entry_bytes) or 0 for number in numbers]


def written_by_a_switch(name: str = PC) -> int:
    """Registers that a switch from p0 to p1 writes to change the meaning of addresses: asked of the model's CPU."""
    from ...virtual.context import Cpu, Mm, Task

    cpu = Cpu(space("p0", name).format.name, "x86")
    cpu.switch(Task("p0", Mm("p0", space("p0", name).root_pa)))
    return len(cpu.switch(Task("p1", Mm("p1", space("p1", name).root_pa))).registers)


def mapped_pages(process: str, name: str = PC) -> int:
    """Pages of 4 KiB that a process's own half of the tables maps (a large page counts as one)."""
    tables = space(process, name)
    top, last = tables.format.levels
    users = range(KERNEL_VA >> top.shift & -256)
    found = 0
    for number in users:
        entry = tables.frames.read(tables.root_pa + number * 4) or 0
        if top.table and top.is_table(entry):
            below = top.table.pa.of(entry)
            held = (tables.frames.read(below + slot * 4) or 0 for slot in range(1 << last.bits))
            found += sum(last.leaf_of(each) is not None for each in held)
        else:
            found += top.leaf_of(entry) is not None
    return found


def fixed(make: Callable[[], Facts]) -> Callable[[random.Random], Facts]:
    """Facts that are the same for everybody."""
    return lambda rng: make()
