"""Machines of code tasks: drawn as plain data, booted once, and written as the lines that make them.

Sizes are whole MiB, so that a machine that was made small stays one that people can calculate with.
"""

from __future__ import annotations

import ast
import functools
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...kernel import Kernel, boot
from ...machine import Machine
from ...parts import Config, Region
from ...units import PAGE_SHIFT, MiB, VmlabError, group_hex
from ..plain import Plain

Banks = list[list[int]]  # [first MiB, MiB] of each


class Board(NamedTuple):
    """A machine as plain data; `newmem` is the zone that NewMem is cut from, `reserved` are [first frame, frames]."""

    arch: str
    banks: Banks
    cmdline: str = ""
    newmem: str = ""
    newmem_mib: int = 0
    reserved: Sequence[Sequence[int]] = ()
    config: tuple[tuple[str, Any], ...] = ()

    def machine(self) -> Machine:
        """The machine."""
        if self.newmem and self.newmem_mib < 1:
            raise VmlabError("NewMem: expected at least 1 MiB, got none")
        machine = Machine(
            arch=self.arch,
            ram=tuple(Region(first * MiB, size * MiB) for first, size in self.banks),
            reserved=tuple(Region(pfn << PAGE_SHIFT, pages << PAGE_SHIFT) for pfn, pages in self.reserved),
            cmdline=self.cmdline,
            config=Config(**dict(self.config)),
        )
        if not self.newmem:
            return machine
        side = {"below" if self.newmem == "HighMem" else "above": self.newmem}
        return machine.with_zone("NewMem", size=self.newmem_mib * MiB, **side)  # type: ignore[arg-type]

    def loads(self) -> str:
        """Lines of Python that make the same machine and boot it."""
        parts = [f'arch="{self.arch}"', f"ram=[{', '.join(_region(a * MiB, f'{n} * vm.MiB') for a, n in self.banks)}]"]
        if self.reserved:
            taken = (_region(pfn << PAGE_SHIFT, hex(pages << PAGE_SHIFT)) for pfn, pages in self.reserved)
            parts.append(f"reserved=[{', '.join(taken)}]")
        parts += [f'cmdline="{self.cmdline}"'] if self.cmdline else []
        if self.config:
            parts.append(f"config=vm.Config({', '.join(f'{name}={value!r}' for name, value in self.config)})")
        lines = [f"machine = vm.Machine({', '.join(parts)})"]
        if self.newmem:
            side = "below" if self.newmem == "HighMem" else "above"
            lines.append(
                f'machine = machine.with_zone("NewMem", size={self.newmem_mib} * vm.MiB, {side}="{self.newmem}")'
            )
        return "\n".join([*lines, "kernel = vm.boot(machine)"])


@functools.lru_cache(maxsize=512)
def _booted(text: str) -> Kernel:
    return boot(Board(*ast.literal_eval(text)).machine())


def booted(board: Board) -> Kernel:
    """The model of a board; the same one is booted once."""
    return _booted(repr(tuple(board)))


def _region(start: int, size: str) -> str:
    return f"vm.Region({group_hex(start)}, {size})"


def arm_banks(rng: random.Random, size: float, holes: bool = True) -> Banks:
    """RAM of an ARM board of 96 MiB to about 2 GiB: one bank, or two or three with holes between them."""
    first = rng.choice((0x100, 0x400, 0x600, 0x800)) + 2 * rng.randrange(4)
    banks = [[first, int(96 + size * rng.randrange(1, 1000))]]
    for _ in range(rng.randrange(3) if holes else 0):
        start = sum(banks[-1]) + rng.randrange(1, 64)
        banks.append([start, int(1 + size * rng.randrange(1, 400))])
    return banks


def in_bytes(banks: Banks) -> Plain:
    """The banks as a firmware tells them: [first byte, bytes]."""
    return [[first * MiB, size * MiB] for first, size in banks]
