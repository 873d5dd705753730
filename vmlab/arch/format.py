"""A page-table format as data: one row a level, and in each row what its entries can mean.

An entry of a level points to a lower table, maps memory (a *leaf*: at several sizes in one level on ARM), or
does neither. Which of these is a test of bits, `entry & mask == value`; a walk is the same few lines for
every format (`virtual/walk.py`).

Left out: memory types and cacheability, protection keys, domains, the two stages of virtual machines, and
addresses whose top byte the CPU ignores (AArch64's tagged pointers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

NOT_PRESENT = 1
NON_CANONICAL = 2
OUTSIDE = 3
RESERVED = 4
UNACCESSED = 5
PERMISSION = 6

KINDS = {
    NOT_PRESENT: "not present",
    NON_CANONICAL: "non-canonical address",
    OUTSIDE: "table outside memory",
    RESERVED: "reserved bit set",
    UNACCESSED: "access flag clear",
    PERMISSION: "permission",
}
"""Every way a translation can fail, in plain words."""


def bits(high: int, low: int) -> int:
    """A mask of bits `high` to `low`, both included.

    >>> hex(bits(11, 8))
    '0xf00'
    """
    return (1 << high + 1) - (1 << low)


class Flag(NamedTuple):
    """A property of an entry: it holds if, in one of `ways`, all `ones` bits are 1 and all `zeros` bits are 0."""

    name: str
    ways: tuple[tuple[int, int], ...]

    def of(self, entry: int) -> bool:
        """Whether `entry` has it."""
        for ones, zeros in self.ways:  # noqa: SIM110 - asked a hundred thousand times in a race of remedies
            if entry & ones == ones and not entry & zeros:
                return True
        return False

    def put(self, entry: int, wanted: bool) -> int:
        """`entry` with the flag set or cleared, in its first way."""
        ones, zeros = self.ways[0]
        if wanted:
            return (entry | ones) & ~zeros
        return entry | ones | zeros if zeros else entry & ~ones


def flag(name: str, ones: int = 0, zeros: int = 0) -> Flag:
    """A flag with one way."""
    return Flag(name, ((ones, zeros),))


class Address(NamedTuple):
    """Which bits of an entry are an address: `mask` in their own place, and runs of bits that stand elsewhere.

    `moved` is (lowest bit in the entry, number of bits, lowest bit in the address).
    """

    mask: int
    moved: tuple[tuple[int, int, int], ...] = ()

    def of(self, entry: int) -> int:
        """The physical address in `entry`."""
        pa = entry & self.mask
        for low, n, to in self.moved:
            pa |= (entry >> low & bits(n - 1, 0)) << to
        return pa

    def put(self, pa: int) -> int:
        """The entry bits that hold `pa`; bits of `pa` that the entry has no place for are lost."""
        return (pa & self.mask) | sum((pa >> to & bits(n - 1, 0)) << low for low, n, to in self.moved)

    def holds(self, pa: int) -> bool:
        """Whether an entry can hold `pa`."""
        return self.of(self.put(pa)) == pa


class Table(NamedTuple):
    """An entry that points to a table of the next level. Its `flags` restrict all that is reached through it."""

    mask: int
    value: int
    pa: Address
    flags: tuple[Flag, ...] = ()
    reserved: int = 0  # must be 0, or the walk faults


class Leaf(NamedTuple):
    """An entry that maps `1 << shift` bytes."""

    shift: int
    mask: int
    value: int
    pa: Address
    flags: tuple[Flag, ...]
    reserved: int = 0  # must be 0, or the walk faults
    accessed: int = 0  # where a CPU leaves this bit to software: must be 1, or any access faults
    dirty: int = 0  # likewise for a write


class Level(NamedTuple):
    """One level: the address bits `shift` .. `shift + bits - 1` choose one of its entries."""

    name: str  # Linux's: pgd, p4d, pud, pmd, pte
    shift: int
    bits: int
    present: int  # an entry with none of these bits set is simply not there
    table: Table | None
    leaves: tuple[Leaf, ...]

    @property
    def size(self) -> int:
        """Bytes of the address space that one entry covers."""
        return 1 << self.shift

    def index_of(self, va: int) -> int:
        """Which entry translates `va`."""
        return va >> self.shift & (1 << self.bits) - 1

    def leaf_of(self, entry: int) -> Leaf | None:
        """The row that says how `entry` maps memory."""
        for leaf in self.leaves:
            if entry & (leaf.mask | leaf.reserved) == leaf.value:
                return leaf
        return None

    def is_table(self, entry: int) -> bool:
        """Whether `entry` points to a table."""
        return self.table is not None and entry & (self.table.mask | self.table.reserved) == self.table.value


class Software(NamedTuple):
    """How Linux reads an entry of the last level that the hardware does not use.

    `offset` is where Linux keeps its own entry, in bytes from the hardware's. `present` is a flag of that
    entry; `inverted` are its frame bits where they are stored inverted unless the hardware entry is valid
    (L1TF, arch/x86/include/asm/pgtable-invert.h).
    """

    present: Flag
    pa: Address
    offset: int = 0
    inverted: int = 0
    flags: tuple[Flag, ...] = ()  # of Linux's own entry, where it keeps one


class Access(NamedTuple):
    """What somebody tried to do: "read", "write" or "fetch", from user mode or the kernel."""

    what: str = "read"
    user: bool = True


class Code(NamedTuple):
    """What the CPU tells the kernel about a fault: which register or vector, its value, and in words."""

    register: str
    value: int | None
    words: str


class Format(NamedTuple):
    """A page-table format: its levels from the root down, and what is the same on all of them."""

    name: str
    title: str
    entry_bytes: int
    levels: tuple[Level, ...]
    va_bits: int  # bits of an address that are translated or checked as a sign
    signed: bool  # higher bits must repeat bit `va_bits - 1`; otherwise they must be 0
    fault: Callable[[int, int, Access], Code]  # (kind, depth, access) -> the architecture's own report
    two_roots: bool = False  # the upper half of the addresses has a root of its own
    software: Software | None = None
    first_level: int = 0  # the architecture's number of levels[0]
    task_size: int = 0  # one past the last user address (TASK_SIZE, 32 bits: with the usual split); 0: all of the half

    @property
    def user_end(self) -> int:
        """One past the last address that Linux lets a process map."""
        return self.task_size or 1 << self.va_bits - 1

    @property
    def page_shift(self) -> int:
        """log2 of the smallest page's bytes."""
        return min(leaf.shift for leaf in self.levels[-1].leaves)

    @property
    def page_sizes(self) -> tuple[int, ...]:
        """Every size that one entry can map, in bytes, ascending."""
        return tuple(sorted({1 << leaf.shift for level in self.levels for leaf in level.leaves}))

    def is_canonical(self, va: int) -> bool:
        """Whether the bits above those translated are what they must be."""
        high = va >> (self.va_bits - 1 if self.signed else self.va_bits)
        return high == 0 or (self.signed and high == bits(64 - self.va_bits, 0))

    def table_bytes(self, depth: int) -> int:
        """Bytes of one table of `levels[depth]`."""
        return self.entry_bytes << self.levels[depth].bits

    def root_pa(self, base: int) -> int:
        """The address of the root table: a base register's bits below the table's size mean other things."""
        return base & -self.table_bytes(0)

    def split(self, va: int) -> tuple[int, ...]:
        """The index at every level, then the offset in a smallest page: how hardware reads an address."""
        return (*(level.index_of(va) for level in self.levels), va & bits(self.page_shift - 1, 0))


def effective(leaf: Iterable[tuple[str, bool]], tables: Iterable[dict[str, bool]]) -> dict[str, bool]:
    """A leaf's flags as the tables above leave them: what permits needs every level, what forbids only one."""
    found = dict(leaf)
    for table in tables:
        for name, held in table.items():
            if name in found:
                found[name] = (found[name] or held) if name in FORBIDS else (found[name] and held)
    return found


FORBIDS = frozenset({"nx", "pxn"})
"""Flags that forbid; all others permit."""


def flags_of(rows: Iterable[Flag], entry: int) -> dict[str, bool]:
    """Each flag's name and whether `entry` has it."""
    return {row.name: row.of(entry) for row in rows}
