"""The TLB: translations that the CPU remembers, and what makes it forget them.

    tlb = Tlb("Skylake")
    print(tlb.access(asid=1, va=0x40_0000).tell())     # one reference, and why
    tlb.run(load_trace("sort")).total.misses           # a whole program
    tlb.flush(asid=1)                                  # what was forgotten

A reference says which page size and which ASID its translation has, as the page table would. A miss of the first
level asks the second; what was found, or walked for, is put into every level that was asked.

Left out: permissions (a hit may still fault), caches of upper table levels, prefetching, references that
overtake each other, entries of one address in two sizes (the kernel must flush before it changes the size), and
levels that exclude each other's contents. Addresses must be canonical: others fault before the TLB is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..trace import FETCH, Trace
from ..units import PAGE_SHIFT, VmlabError
from .tlb_rows import KINDS, PAGE_SIZES, POLICIES, Structure, arrays, size_index, structures_of
from .tlb_tell import Access, Counts, Entry, Run, Step, canonical

if TYPE_CHECKING:
    import numpy as np

ASIDS = 1 << 16
FIXED_FROM = 1 << 21  # references from which a loop of our own saves more time than compiling it takes
HIT, NOT_ASKED = (1 << 64) - 1, (1 << 64) - 2  # as in tlb_kernels


class Tlb:
    """The TLB of one CPU: `cpu` is a name in CPUS, or structures; `draws` are the numbers that policy random takes."""

    def __init__(self, cpu: str | Sequence[Structure], draws: Any = None) -> None:
        import numpy as np

        self.structures = structures_of(cpu)
        self.levels = max(row.level for row in self.structures)
        self._draws = np.zeros(1, np.uint32) if draws is None else np.asarray(draws, np.uint32)
        if any(row.policy == "random" for row in self.structures) and (draws is None or not self._draws.size):
            raise VmlabError(
                "policy random: pass draws=, a row of random numbers; they are used again when they run out"
            )
        self._shape, self._route, entries, trees = arrays(self.structures)
        self._tags, self._trees = np.zeros(entries, np.uint64), np.zeros(trees, np.uint64)
        self._drawn = np.zeros(1, np.uint64)
        self._refs, self._misses = np.zeros(ASIDS, np.uint64), np.zeros(self.levels * ASIDS, np.uint64)
        self._ledger = np.zeros(self.levels, np.uint64)
        self._shifts = np.array([_shift(size) for size in PAGE_SIZES], np.uint64)
        self.counts = Counts(0, (0,) * self.levels)  # of everything since it was made

    def __repr__(self) -> str:
        shape = ", ".join(f"{row.name} {row.entries} entries" for row in self.structures)
        return f"<Tlb: {shape}; {self.counts.accesses:,} references>"

    # --- looking up ---

    def access(self, asid: int, va: int, page_bytes: int = 4096, kind: str = "data", is_global: bool = False) -> Access:
        """Look one address up, fill what missed, and keep the steps."""
        vpn = canonical(va) >> PAGE_SHIFT
        counts = self.run([vpn], asid, page_bytes, kind, is_global).total
        page = va >> _shift(page_bytes) + PAGE_SHIFT
        steps = []
        for level, word in enumerate(self._ledger.tolist()):
            which = self._which(page_bytes, kind, level)
            if which is None or word == NOT_ASKED:
                continue
            row = self.structures[which]
            evicted = Entry.decode(word) if word not in (0, HIT) else None
            steps.append(Step(row, page & row.sets - 1, word == HIT, evicted))
        level_found = next((level for level, hits in enumerate(counts.hits, 1) if hits), None)
        return Access(Entry(page * page_bytes, page_bytes, None if is_global else asid), va, level_found, tuple(steps))

    def run(
        self,
        pages: Trace | Any,
        asid: Any = 0,
        page_bytes: Any = 4096,
        kind: Any = "data",
        is_global: bool = False,
    ) -> Run:
        """Look a whole trace up, or a row of virtual page numbers (va >> 12). A Trace brings its kinds with it.

        `asid` and `page_bytes` are numbers, or rows as long as the trace; `kind` is "data" or "code".
        """
        import numpy as np

        repeats = 0
        if isinstance(pages, Trace):
            repeats, kind, pages = pages.repeats, pages.kind == FETCH, pages.vpns[pages.page]
        vpns = np.ascontiguousarray(pages, np.uint64)
        asids = _row(_checked_asid(asid), len(vpns), np.uint16)
        self._reference(vpns, asids, page_bytes, kind, is_global)
        return self._collect(repeats, asids)

    def _reference(self, vpns: np.ndarray, asids: np.ndarray, page_bytes: Any, kind: Any, is_global: bool) -> None:
        """Give a batch to a compiled loop: one of its own if it is long and simple, else the one for all."""
        import numpy as np

        from . import tlb_kernels

        state = (self._tags, self._trees, self._draws, self._drawn, self._refs, self._misses)
        fixed = None
        if len(vpns) >= FIXED_FROM and not is_global and isinstance(kind, str) and isinstance(page_bytes, int):
            fixed = self._fixed_rows(page_bytes, kind)
        if fixed:
            ways, policies = tuple(r.ways for r in fixed), tuple(POLICIES.index(r.policy) for r in fixed)
            shape = self._shape[[self.structures.index(row) for row in fixed]]
            tlb_kernels.fixed(ways, policies, _shift(page_bytes))(vpns, asids, shape, *state)
            return
        code = KINDS[kind] if isinstance(kind, str) else np.asarray(kind, np.uint8)
        classes = _row(self._classes(page_bytes) | code | (2 if is_global else 0), len(vpns), np.uint8)
        self._refuse_unheld(classes)
        tlb_kernels.run_any(vpns, asids, classes, self._shape, self._route, self._shifts, *state, self._ledger)

    def _fixed_rows(self, page_bytes: int, kind: str) -> list[Structure] | None:
        """The structure of each level for such references, if there is one on each of at most two levels."""
        rows = [self._which(page_bytes, kind, level) for level in range(self.levels)]
        found = [self.structures[row] for row in rows if row is not None]
        return found if len(found) == self.levels <= 2 else None

    def _which(self, page_bytes: int, kind: str, level: int) -> int | None:
        """Index of the structure that level `level` (from 0) has for such references."""
        row = (size_index(page_bytes) * 2 + KINDS[kind]) * self.levels + level
        which = int(self._route[row])
        return which if which >= 0 else None

    def _classes(self, page_bytes: Any) -> Any:
        """The size's part of a reference's class."""
        import numpy as np

        if isinstance(page_bytes, int):
            return size_index(page_bytes) << 2
        sizes, where = np.unique(np.asarray(page_bytes), return_inverse=True)
        return np.array([size_index(int(size)) << 2 for size in sizes], np.uint8)[where]

    def _refuse_unheld(self, classes: np.ndarray) -> None:
        """A reference that no structure could ever hold is a gap in the CPU's row, not a miss."""
        import numpy as np

        for sort in np.flatnonzero(np.bincount(classes)).tolist():
            row = ((sort >> 2) * 2 + (sort & 1)) * self.levels
            if (self._route[row : row + self.levels] < 0).all():
                kind = "code" if sort & 1 else "data"
                raise VmlabError(
                    f"no structure of this TLB holds {kind} pages of {PAGE_SIZES[sort >> 2]} bytes: "
                    f"it has {'; '.join(row.tell() for row in self.structures)}"
                )

    def _collect(self, repeats: int, asids: np.ndarray) -> Run:
        """Read the counters of the ASIDs that ran, set them to zero, and add them up."""
        import numpy as np

        misses = self._misses.reshape(self.levels, ASIDS)
        found: dict[int, Counts] = {}
        for asid in np.flatnonzero(self._refs).tolist():
            accesses = int(self._refs[asid])
            reached = [accesses, *misses[:, asid].tolist()]
            found[asid] = Counts(accesses, tuple(a - b for a, b in pairwise(reached)))
            self._refs[asid] = 0
            misses[:, asid] = 0
        if repeats:  # of a trace's first process: each found its page in the first level
            first = int(asids[0])
            found[first] += Counts(repeats, (repeats,) + (0,) * (self.levels - 1))
        run = Run(sum(found.values(), Counts(0, (0,) * self.levels)), found)
        self.counts += run.total
        return run

    # --- what is in it, and forgetting ---

    def entries(self) -> list[Entry]:
        """Every entry, by structure, set and way; in LRU and FIFO sets the newest is way 0."""
        return [self._entry(int(at)) for at in self._tags.nonzero()[0]]

    def _entry(self, at: int) -> Entry:
        which = max(i for i in range(len(self.structures)) if self._shape[i, 0] <= at)
        row = self.structures[which]
        set_index, way = divmod(at - int(self._shape[which, 0]), row.ways)
        return Entry.decode(int(self._tags[at]), row.name, set_index, way)

    def flush(self, asid: int | None = None, keep_global: bool = True) -> list[Entry]:
        """Forget entries of one ASID, or of all; global ones only with `keep_global=False`. Returns what went."""
        return self._forget(
            [
                entry
                for entry in self.entries()
                if (entry.asid is None and not keep_global) or (entry.asid is not None and asid in (None, entry.asid))
            ]
        )

    def flush_all(self) -> None:
        """Forget everything, as at reset."""
        self._tags[:] = self._trees[:] = 0

    def flush_page(self, asid: int, va: int) -> list[Entry]:
        """Forget the page of one address, of any size: this ASID's entry, and a global one (as x86's INVLPG)."""
        return self.flush_range(asid, va, va + 1)

    def flush_range(self, asid: int, start: int, end: int) -> list[Entry]:
        """Forget every page that has a byte in `start`..`end`: this ASID's and global ones."""
        gone = [e for e in self.entries() if e.asid in (None, asid) and e.va < end and start < e.va + e.page_bytes]
        return self._forget(gone)

    def _forget(self, gone: list[Entry]) -> list[Entry]:
        """Empty these ways; in sets that are ordered by time the others move up."""
        for entry in reversed(gone):
            which = next(i for i, row in enumerate(self.structures) if row.name == entry.structure)
            row = self.structures[which]
            start = int(self._shape[which, 0]) + entry.set_index * row.ways
            at, end = start + entry.way, start + row.ways
            if row.policy in ("lru", "fifo"):
                self._tags[at : end - 1] = self._tags[at + 1 : end].copy()
                at = end - 1
            self._tags[at] = 0
        return gone

    def reach(self, page_bytes: int = 4096, kind: str = "data") -> int:
        """Bytes that the largest level can translate when full of such pages."""
        return max(row.reach(page_bytes) for row in self.structures if kind in row.holds)


def _shift(page_bytes: int) -> int:
    """Bits of the page number of 4 KiB pages that lie inside one page of this size."""
    return page_bytes.bit_length() - 1 - PAGE_SHIFT


def _checked_asid(asid: Any) -> Any:
    """Refuse a single ASID that has more than 16 bits; a row of uint16 cannot."""
    if isinstance(asid, int) and not 0 <= asid < ASIDS:
        raise VmlabError(f"asid: expected 0 to {ASIDS - 1}, got {asid}")
    return asid


def _row(value: Any, length: int, dtype: type) -> np.ndarray:
    """One value a reference."""
    import numpy as np

    row: np.ndarray = (
        np.broadcast_to(np.asarray(value, dtype), (length,)) if np.ndim(value) == 0 else np.asarray(value, dtype)
    )
    if row.shape != (length,):
        raise VmlabError(f"expected one value, or {length} as there are references; got {len(row)}")
    return np.ascontiguousarray(row)
