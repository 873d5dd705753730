"""What translation caches CPUs have: one row a structure, and the CPUs whose numbers are published.

Sources: Skylake, Intel 64 and IA-32 Architectures Optimization Reference Manual, table 2-15; Nehalem, the same
manual; the Cortex cores, ARM's Technical Reference Manuals as quoted in pytorch/cpuinfo, src/arm/tlb.c.

Assumed, because no vendor says it: LRU in every set, and one TLB for each of two hardware threads. Left out: the
caches of upper table levels, prefetching of translations, the 32 entries for writes beside a Cortex-A15's 32 for
reads, and every CPU whose numbers could not be confirmed (AMD's, Ice Lake, Cortex-A72).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..units import GiB, KiB, MiB, VmlabError, human

if TYPE_CHECKING:
    import numpy as np

PAGE_SIZES = tuple(size * KiB for size in (4, 16, 64)) + tuple(size * MiB for size in (1, 2, 4, 16, 32, 512)) + (GiB,)
"""Every page size of every format here, bytes."""

POLICIES = ("lru", "fifo", "plru", "random")  # their order is what the compiled loop calls them
KINDS = {"data": 0, "code": 1}


@dataclass(frozen=True, slots=True)
class Structure:
    """One array of entries: what it holds, how many, and how it chooses what to give up."""

    name: str
    level: int  # 1 is asked first; a level may have several structures, for different pages
    entries: int
    ways: int  # entries of one set; as many as `entries`: fully associative
    page_bytes: tuple[int, ...] = PAGE_SIZES
    holds: tuple[str, ...] = ("data", "code")
    policy: str = "lru"

    def __post_init__(self) -> None:
        if self.level < 1 or not 1 <= self.ways <= self.entries or self.entries % self.ways:
            raise VmlabError(
                f"{self.name}: expected a level of at least 1 and whole sets, got level {self.level}, "
                f"{self.entries} entries of {self.ways} ways"
            )
        if self.sets & (self.sets - 1):
            raise VmlabError(
                f"{self.name}: expected 1, 2, 4, 8 ... sets, got {self.sets}: bits of the address choose one"
            )
        if self.policy not in POLICIES:
            raise VmlabError(f"{self.name}: policy: expected one of {', '.join(POLICIES)}, got {self.policy!r}")
        if self.policy == "plru" and (self.ways & (self.ways - 1) or self.ways > 64):
            raise VmlabError(f"{self.name}: a tree of halves needs 1, 2, 4 ... 64 ways, got {self.ways}: take lru")
        if wrong := set(self.page_bytes) - set(PAGE_SIZES) or set(self.holds) - set(KINDS):
            raise VmlabError(f"{self.name}: no format here has pages of, and no reference is {sorted(map(str, wrong))}")

    @property
    def sets(self) -> int:
        """Number of sets; the lowest bits of the page number choose one."""
        return self.entries // self.ways

    def reach(self, page_bytes: int) -> int:
        """Bytes that it can translate when full of pages of this size; 0 if it holds none."""
        return self.entries * page_bytes if page_bytes in self.page_bytes else 0

    def tell(self) -> str:
        """One line: name, shape, contents."""
        shape = f"{self.sets} sets of {self.ways}" if self.sets > 1 else "fully associative"
        sizes = "any page" if self.page_bytes == PAGE_SIZES else " and ".join(map(human, self.page_bytes))
        return f"level {self.level}: {self.name}, {self.entries} entries, {shape}, {sizes}, {self.policy}"


@dataclass(frozen=True, slots=True)
class CpuRow:
    """A CPU's structures, and the ASID bits of its TLB entries (0: entries carry none)."""

    name: str
    structures: tuple[Structure, ...]
    asid_bits: int


def _cortex(name: str, asid_bits: int, code: int, data: int, second: int = 0, ways: int = 0) -> CpuRow:
    """ARM's usual shape: small, fully associative first level; one second level for both."""
    rows = [
        Structure("L1 I", 1, code, code, holds=("code",)),
        Structure("L1 D", 1, data, data, holds=("data",)),
    ]
    return CpuRow(name, (*rows, Structure("L2", 2, second, ways)) if second else tuple(rows), asid_bits)


DATA, CODE = ("data",), ("code",)
SMALL, LARGE, HUGE = 4 * KiB, 2 * MiB, GiB

CPUS = {
    cpu.name: cpu
    for cpu in (
        _cortex("Cortex-A7", 8, 10, 10, 256, 2),
        _cortex("Cortex-A8", 8, 32, 32),
        _cortex("Cortex-A15", 8, 32, 32, 512, 4),
        _cortex("Cortex-A53", 16, 10, 10, 512, 4),
        _cortex("Cortex-A57", 16, 48, 32, 1024, 4),
        CpuRow(
            "Nehalem",  # its structure for large pages of code is not confirmed, so there is no row for it
            (
                Structure("L1 I 4K", 1, 128, 4, (SMALL,), CODE),
                Structure("L1 D 4K", 1, 64, 4, (SMALL,), DATA),
                Structure("L1 D 2M", 1, 32, 4, (LARGE, 4 * MiB), DATA),
                Structure("L2", 2, 512, 4, (SMALL,)),
            ),
            asid_bits=0,  # PCID came with Westmere
        ),
        CpuRow(
            "Skylake",
            (
                Structure("L1 I 4K", 1, 128, 8, (SMALL,), CODE),
                Structure("L1 I 2M", 1, 8, 8, (LARGE, 4 * MiB), CODE),
                Structure("L1 D 4K", 1, 64, 4, (SMALL,), DATA),
                Structure("L1 D 2M", 1, 32, 4, (LARGE, 4 * MiB), DATA),
                Structure("L1 D 1G", 1, 4, 4, (HUGE,), DATA),
                Structure("L2", 2, 1536, 12, (SMALL, LARGE)),
                Structure("L2 1G", 2, 16, 4, (HUGE,)),
            ),
            asid_bits=12,
        ),
    )
}


def structures_of(cpu: str | Sequence[Structure]) -> tuple[Structure, ...]:
    """The rows of a CPU, or those given, checked."""
    if isinstance(cpu, str):
        if cpu not in CPUS:
            raise VmlabError(f"no CPU here is called {cpu!r}: expected one of {', '.join(CPUS)}, or Structure rows")
        return CPUS[cpu].structures
    rows = tuple(cpu)
    if not rows or len({row.name for row in rows}) < len(rows):
        raise VmlabError("expected at least one structure, each with a name of its own")
    return rows


def size_index(page_bytes: int) -> int:
    """Where a page size stands in PAGE_SIZES."""
    if page_bytes not in PAGE_SIZES:
        raise VmlabError(f"page_bytes: expected one of {', '.join(map(str, PAGE_SIZES))}, got {page_bytes}")
    return PAGE_SIZES.index(page_bytes)


def arrays(structures: Sequence[Structure]) -> tuple[np.ndarray, np.ndarray, int, int]:
    """For the compiled loop: the structures, which of them each reference asks, and how much state they need.

    The second has a row for each page size and kind, and in it a structure for each level, or -1. Two structures of
    one level that hold the same references would be a mistake of the row.
    """
    import numpy as np

    levels = max(row.level for row in structures)
    shape = np.zeros((len(structures), 5), np.uint64)
    route = np.full((len(PAGE_SIZES), len(KINDS), levels), -1, np.int64)
    entries = trees = 0
    for number, row in enumerate(structures):
        shape[number] = (entries, row.sets, row.ways, POLICIES.index(row.policy), trees)
        entries, trees = entries + row.entries, trees + row.sets
        for page_bytes in row.page_bytes:
            for kind in row.holds:
                place = size_index(page_bytes), KINDS[kind], row.level - 1
                if route[place] >= 0:
                    other = structures[route[place]].name
                    raise VmlabError(
                        f"{row.name} and {other} both hold {kind} pages of {page_bytes} bytes in one level"
                    )
                route[place] = number
    return shape, route.ravel(), entries, trees
