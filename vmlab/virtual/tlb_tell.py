"""What a TLB's entries and answers look like, and how they are told; what a miss costs.

Left out: that walks find upper levels in caches of their own, which makes most of them cheaper than told here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..ledger import Ledger
from ..units import PAGE_SHIFT, VmlabError, group_hex, human
from .tlb_rows import Structure

MARK_SHIFT = 17  # as in tlb_kernels: the size's mark and the page number stand above ASID and global bit
GLOBAL = 1 << 16


class Entry(NamedTuple):
    """One translation, as far as a TLB needs it to be found: `asid` None is a global one."""

    va: int
    page_bytes: int
    asid: int | None
    structure: str = ""
    set_index: int = 0
    way: int = 0

    @classmethod
    def decode(cls, tag: int, structure: str = "", set_index: int = 0, way: int = 0) -> Entry:
        """Read an entry of the compiled loop."""
        marked = tag >> MARK_SHIFT
        shift = (marked & -marked).bit_length() - 1  # the lowest 1 marks the size
        va = (marked >> shift + 1) << (shift + PAGE_SHIFT)
        asid = None if tag & GLOBAL else tag & GLOBAL - 1
        return cls(extend_sign(va), 1 << (shift + PAGE_SHIFT), asid, structure, set_index, way)

    def tell(self) -> str:
        """Address, size and owner."""
        owner = "global" if self.asid is None else f"ASID {self.asid}"
        return f"{group_hex(self.va)} ({human(self.page_bytes)}, {owner})"


def extend_sign(va: int) -> int:
    """Fill bits 63..58 from bit 57, which in a canonical address of up to 57 bits is a copy of the highest one."""
    return va | 0xFC00_0000_0000_0000 if va >> 57 & 1 else va


def canonical(va: int) -> int:
    """Refuse an address that no format here can translate: bits 63..56 must be equal."""
    if not 0 <= va < 1 << 64 or va >> 56 not in (0, 0xFF):
        raise VmlabError(f"{group_hex(va)} is not canonical (bits 63..56 differ): it faults before the TLB is asked")
    return va


class Step(NamedTuple):
    """One lookup: in which set, whether it hit, and what had to go to make room."""

    structure: Structure
    set_index: int
    hit: bool
    evicted: Entry | None


@dataclass(frozen=True, slots=True)
class Access:
    """One reference: the entry it needed, the level that had it (None: none did), and the steps."""

    entry: Entry
    va: int
    level: int | None
    steps: tuple[Step, ...]

    @property
    def is_hit(self) -> bool:
        """Whether no walk was needed."""
        return self.level is not None

    @property
    def ledger(self) -> Ledger:
        """The steps as events: hit, miss, fill, evict."""
        ledger, page = Ledger(), (self.entry.va, self.entry.va + self.entry.page_bytes)
        for step in self.steps:
            where = f"{step.structure.name}, set {step.set_index}"
            ledger.add("hit" if step.hit else "miss", *page, f"{where}: {'found' if step.hit else 'not there'}")
        if not self.is_hit:
            ledger.note(f"walk the page table of {self.entry.tell()}")
        for step in self.steps:
            where = f"{step.structure.name}, set {step.set_index}"
            if (old := step.evicted) is not None:
                ledger.add("evict", old.va, old.va + old.page_bytes, f"{where}: {old.tell()} gives up its way")
            if not step.hit:
                ledger.add("fill", *page, f"{where}: now holds it")
        return ledger

    def tell(self) -> str:
        """What happened, one step a line."""
        return self.ledger.tell()


@dataclass(frozen=True, slots=True)
class Counts:
    """References and where they were answered: hits[0] in level 1, hits[1] in level 2."""

    accesses: int
    hits: tuple[int, ...]

    @property
    def misses(self) -> int:
        """References that needed a walk."""
        return self.accesses - sum(self.hits)

    @property
    def hit_ratio(self) -> float:
        """Share of the references that needed no walk; 0 without references."""
        return sum(self.hits) / self.accesses if self.accesses else 0.0

    def walk_references(self, levels: int, host_levels: int = 0) -> int:
        """Memory references of all the walks, on tables of so many levels."""
        return self.misses * walk_references(levels, host_levels)

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.accesses + other.accesses, tuple(a + b for a, b in zip(self.hits, other.hits, strict=True)))

    def tell(self) -> str:
        """One line."""
        found = ", ".join(f"{hits:,} in level {level}" for level, hits in enumerate(self.hits, 1))
        return f"{self.accesses:,} references: {found}; {self.misses:,} walks ({self.hit_ratio:.3%} hit)"


class Run(NamedTuple):
    """The counts of one batch, in all and by ASID."""

    total: Counts
    by_asid: dict[int, Counts]


def walk_references(levels: int, host_levels: int = 0) -> int:
    """Memory references that one walk makes where nothing of it is cached.

    Each level is one. In a guest, each of the guest's entries, and the page itself, lies at an address that the
    host's tables must translate first: (levels + 1) * (host_levels + 1) - 1.

    >>> walk_references(4), walk_references(4, 4)
    (4, 24)
    """
    if levels < 1 or host_levels < 0:
        raise VmlabError(f"expected at least 1 level, and no fewer than 0 of a host: got {levels} and {host_levels}")
    return (levels + 1) * (host_levels + 1) - 1
