"""An address space: the root of a page table, and the frames in which the tables stand.

`walk` translates one address and keeps every step; `translate` takes many at once and runs compiled. Both read
the same bytes with the same code (`virtual/walk.py`), whether a model wrote them or a real kernel did. Bytes
from elsewhere may be anything: a walk reads one entry a level, so it ends, and what it cannot follow is a fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..arch.format import (
    KINDS,
    NON_CANONICAL,
    NOT_PRESENT,
    OUTSIDE,
    PERMISSION,
    RESERVED,
    UNACCESSED,
    Access,
    Code,
    Format,
    Leaf,
    effective,
    flags_of,
)
from ..units import VmlabError, group_hex, human
from . import walk as walking
from .frames import FrameStore

REFUSES = {  # what in a status refuses an access from user mode
    "read": walking.NO_USER,
    "write": walking.NO_USER | walking.NO_WRITE,
    "fetch": walking.NO_USER | walking.NO_FETCH,
}
DRAM_BYTES = 8 << 20  # tables larger than this do not fit the caches of one core


@dataclass(frozen=True, slots=True)
class Step:
    """One entry that a walk read: of the table at `table_pa`, number `index`, at `entry_pa`."""

    level: str
    table_pa: int
    index: int
    entry_pa: int
    entry: int | None  # None: there is no memory, or none that was recorded


class Fault(NamedTuple):
    """Why an address has no translation: the kind in words, the level, and the architecture's own code."""

    kind: str
    level: str
    code: Code

    @property
    def error_code(self) -> int | None:
        """The number that the CPU gives the kernel, if this fault has one."""
        return self.code.value


class Walk(NamedTuple):
    """One translation and the steps that led to it. `pa` is None on a fault."""

    format: Format
    va: int
    pa: int | None
    steps: tuple[Step, ...]
    leaf: Leaf | None
    fault: Fault | None
    linux: tuple[int, int] | None = None  # (address, value) of Linux's own entry, where it keeps one beside

    @property
    def page_bytes(self) -> int:
        """Bytes of the page; after a fault, what the entry where the walk ended would have covered."""
        if self.leaf:
            return 1 << self.leaf.shift
        return self.format.levels[max(len(self.steps) - 1, 0)].size

    @property
    def entry_flags(self) -> dict[str, bool]:
        """The flags of the last entry alone."""
        return flags_of(self.leaf.flags, self.steps[-1].entry or 0) if self.leaf else {}

    @property
    def flags(self) -> dict[str, bool]:
        """What holds for the page: an upper level can forbid what the last entry allows."""
        tables = [
            flags_of(level.table.flags, step.entry or 0)
            for level, step in zip(self.format.levels, self.steps[:-1], strict=False)
            if level.table
        ]
        return effective(self.entry_flags.items(), tables)

    def explain(self) -> str:
        """The walk in words, one line a step."""
        lines = [f"{group_hex(self.va)} in {self.format.title}"]
        for step in self.steps:
            held = "lies outside memory" if step.entry is None else f"holds {group_hex(step.entry)}"
            lines.append(f"{step.level}: entry {step.index} at {group_hex(step.entry_pa)} {held}")
        if self.fault:
            code = self.fault.code
            number = "" if code.value is None else f" {code.value:#x}"
            lines.append(f"fault: {self.fault.kind} at {self.fault.level}; {code.register}{number} ({code.words})")
        elif self.pa is not None:
            named = ", ".join(name if held else f"not {name}" for name, held in self.flags.items())
            lines.append(f"maps {human(self.page_bytes)}: the byte is at {group_hex(self.pa)}")
            lines.append(f"page: {named}")
        return "\n".join(lines)


class AddressSpace:
    """The tables below one root (two, where the upper half has its own), in `frames`."""

    def __init__(self, fmt: Format, frames: FrameStore, root_pa: int, high_root_pa: int | None = None) -> None:
        if high_root_pa is not None and not fmt.two_roots:
            raise VmlabError(f"{fmt.name} has one root: high_root_pa is for formats that give the upper half its own")
        if frames.entry_bytes != fmt.entry_bytes:
            raise VmlabError(f"{fmt.name} has entries of {fmt.entry_bytes} bytes, not of {frames.entry_bytes}")
        self.format = fmt
        self.frames = frames
        self.root_pa = fmt.root_pa(checked_address(root_pa, "root_pa"))
        self.high_root_pa = (
            self.root_pa if high_root_pa is None else fmt.root_pa(checked_address(high_root_pa, "high_root_pa"))
        )
        self.group_above = DRAM_BYTES  # bytes of tables above which `translate` walks in groups
        self._rows = walking.pack(fmt)

    def __repr__(self) -> str:
        return f"<AddressSpace: {self.format.name}, root at {group_hex(self.root_pa)}>"

    def root_for(self, va: int) -> int:
        """The root from which `va` is translated."""
        return self.high_root_pa if self.format.two_roots and va >> 63 else self.root_pa

    def walk(self, va: int, access: str | Access | None = None, *, user: bool = True) -> Walk:
        """Translate one address and keep the steps.

        Without `access` only the tables decide, as for /proc/PID/pagemap. With "read", "write" or "fetch" the
        page must also allow it, from user mode or (`user=False`) from the kernel.
        """
        va = checked_address(va, "address")
        wanted = access if isinstance(access, Access) else Access(access or "read", user)
        if wanted.what not in ("read", "write", "fetch"):
            raise VmlabError(f"access: expected 'read', 'write' or 'fetch', got {wanted.what!r}")
        if not self.format.is_canonical(va):
            return Walk(self.format, va, None, (), None, self._fault(NON_CANONICAL, 0, wanted))
        pa, status, trace = self._descend(va)
        steps = tuple(self._step(depth, va, table, entry) for depth, (table, entry) in enumerate(trace))
        found = self._end(va, pa, status, steps, wanted)
        return found if access is None or found.fault else self._check(found, wanted)

    def allows(self, va: int, access: str) -> bool:
        """Whether user mode's "read", "write" or "fetch" of a canonical address gets through: `walk(va, access).pa`."""
        _, status, trace = self._descend(va)
        if status & (walking.OUTCOME | REFUSES[access]):
            return False
        level, entry = self.format.levels[len(trace) - 1], trace[-1][1] or 0
        leaf = level.leaves[1 if status & walking.IS_SECOND else 0]
        must = leaf.accessed | (leaf.dirty if access == "write" else 0)
        return entry & must == must

    def _descend(self, va: int) -> tuple[int, int, list[tuple[int, int | None]]]:
        """The walker's answer and, of each level that it read, (the table's address, the entry)."""
        trace: list[tuple[int, int | None]] = []
        store = self.frames
        pa, status = walking.descend(
            *(self._rows, store.plain_words, store.plain_slots, store.nr_slots, 0, self.root_for(va), va, 0, trace)
        )
        return pa, status, trace

    def _step(self, depth: int, va: int, table: int, entry: int | None) -> Step:
        level = self.format.levels[depth]
        index = level.index_of(va)
        return Step(level.name, table, index, table + index * self.format.entry_bytes, entry)

    def _end(self, va: int, pa: int, status: int, steps: tuple[Step, ...], wanted: Access) -> Walk:
        depth, last = len(steps) - 1, steps[-1]
        level, linux = self.format.levels[depth], self._linux_entry(steps)
        if status & walking.OUTCOME == walking.MAPPED:
            leaf = level.leaves[1 if status & walking.IS_SECOND else 0]
            return Walk(self.format, va, pa, steps, leaf, None, linux)
        kind = OUTSIDE if last.entry is None else RESERVED if last.entry & level.present else NOT_PRESENT
        return Walk(self.format, va, None, steps, None, self._fault(kind, depth, wanted), linux)

    def _linux_entry(self, steps: tuple[Step, ...]) -> tuple[int, int] | None:
        software = self.format.software
        if not software or not software.offset or len(steps) < len(self.format.levels):
            return None
        pa = steps[-1].entry_pa + software.offset
        entry = self.frames.read(pa) if pa >= 0 else None
        return None if entry is None else (pa, entry)

    def _fault(self, kind: int, depth: int, wanted: Access) -> Fault:
        return Fault(KINDS[kind], self.format.levels[depth].name, self.format.fault(kind, depth, wanted))

    def _check(self, found: Walk, wanted: Access) -> Walk:
        """What the page's own rights say to an access."""
        leaf, entry, flags = found.leaf, found.steps[-1].entry or 0, found.flags
        if leaf is None:
            return found
        must = leaf.accessed | (leaf.dirty if wanted.what == "write" else 0)
        allowed = flags["user"] or not wanted.user
        allowed &= not (wanted.what == "write" and not flags["write"])
        allowed &= not (wanted.what == "fetch" and flags.get("nx", False))
        if allowed and entry & must == must:
            return found
        kind = PERMISSION if not allowed else UNACCESSED
        return found._replace(pa=None, fault=self._fault(kind, len(found.steps) - 1, wanted))

    def translate(self, vas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Translate many addresses: (physical addresses, whether each is mapped); 0 where it is not."""
        addresses = np.ascontiguousarray(vas, dtype=np.uint64)
        pas, status = np.empty(addresses.shape, np.uint64), np.empty(addresses.shape, np.uint32)
        self.translate_into(addresses.reshape(-1), pas.reshape(-1), status.reshape(-1))
        return pas, status & np.uint32(walking.OUTCOME) == walking.MAPPED

    def translate_into(self, vas: np.ndarray, pas: np.ndarray, status: np.ndarray) -> None:
        """The same into arrays of uint64 and uint32 that exist; `status` as `virtual/walk.py` lays it out."""
        from . import translate

        store = self.frames
        # frames in order save a load a level; with entries of 4 bytes the slot is the cheaper way (vmlab bench)
        dense = store.origin is not None and store.entry_bytes == 8
        numbers = (store.words.size if dense else store.nr_slots, store.origin or 0, self.root_pa, self.high_root_pa)
        arguments = (store.words, store.slots, *map(np.uint64, numbers), vas, pas, status)
        if self.tables_bytes > self.group_above and not translate.in_order(vas):
            room = np.empty((2, translate.GROUP), np.uint64)
            translate.grouped(self.format, dense)(*arguments, room[0], room[1])
        else:
            translate.scalar(self.format, dense)(*arguments)

    @property
    def tables_bytes(self) -> int:
        """Bytes of the frames that hold tables."""
        return self.frames.nr_frames << 12


def checked_address(value: int, name: str) -> int:
    """An address as a plain int; numpy's integers are taken too."""
    number = int(value)
    if not 0 <= number < 1 << 64:
        raise VmlabError(f"{name}: expected 0 <= address < 2**64, got {number:#x}")
    return number
