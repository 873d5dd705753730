"""RAM as the kernel takes it from a PC's firmware: e820's usable ranges, changed by mem= and memmap=.

Source: Linux 6.1, arch/x86/kernel/e820.c (parse_memopt, parse_memmap_one, e820__memblock_setup). The words are taken in
the order in which they stand, as the kernel parses them. Left out: memmap=size%start-type+type, which changes types.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from ...parts import Region
from ...ranges import Ranges
from ...units import VmlabError, memparse

if TYPE_CHECKING:
    from ...machine import Machine

TOP = 1 << 64
MARKED = re.compile(r"([^@#$!%]*)([@#$!%]?)(.*)", re.DOTALL)
TAKEN = "#$!"  # becomes ACPI data, reserved, or persistent memory: RAM no more


def usable(machine: Machine) -> list[Region]:
    """The ranges of RAM, ascending, each with its node."""
    left = Ranges()
    for region in machine.ram:
        left.add(region.start, region.end)
    for word in machine.cmdline.split():
        name, _, value = word.partition("=")
        if name == "mem" and value != "nopentium":
            left.remove(_size(name, value), TOP)
        elif name == "memmap":
            for part in value.split(","):
                _memmap(left, part)
    return [piece for start, end in left for piece in _by_node(machine, start, end)]


def _memmap(left: Ranges, text: str) -> None:
    """One part of memmap=: everything is forgotten, RAM is added, taken, or ends at a size."""
    if text == "exactmap":
        left.remove(0, TOP)
        return
    found = MARKED.fullmatch(text)
    size, mark, start = found.groups() if found else ("", "", "")
    if mark == "%":
        raise VmlabError(
            f"memmap={text}: changing the type of a range is left out of this model: use memmap=size$start"
        )
    count = _size("memmap", size)
    if not mark:
        left.remove(count, TOP)
        return
    first = _size("memmap", start)
    if mark in TAKEN:
        left.remove(first, first + count)
    else:
        left.add(first, first + count)


def _size(name: str, text: str) -> int:
    try:
        return memparse(text)
    except VmlabError as bad:
        raise VmlabError(f"kernel parameter {name}=: {bad}") from None


def _by_node(machine: Machine, start: int, end: int) -> list[Region]:
    """A range cut where the firmware's ranges of different nodes meet; what the firmware does not know is node 0's."""
    borders = {row.start for row in machine.ram} | {row.end for row in machine.ram}
    cuts = sorted({start, end} | {at for at in borders if start < at < end})
    pieces = []
    for low, high in pairwise(cuts):
        node = next((row.node for row in machine.ram if row.start <= low < row.end), 0)
        pieces.append(Region(low, high - low, node=node))
    return pieces
