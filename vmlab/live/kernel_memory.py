"""A stopped guest's memory as its page tables show it: the tables themselves, and bytes at virtual addresses.

The guest's RAM is untrusted: tables may point anywhere and to themselves, so each is read once, and there is a limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ..arch.format import Format
from ..units import PAGE_SIZE, VmlabError, align_down
from ..virtual.address_space import AddressSpace
from ..virtual.frames import FrameStore

MOST_TABLES = 100_000
ReadRam = Callable[[int, int], bytes | None]


@dataclass(frozen=True, slots=True)
class Mapped:
    """What one entry of the tables maps: `size` bytes from `va` to `pa`."""

    va: int
    pa: int
    size: int


@dataclass(slots=True)
class Tables:
    """Every page that holds tables below one root, by physical address."""

    format: Format
    root_pa: int
    pages: dict[int, bytes] = field(default_factory=dict)
    mapped: list[Mapped] = field(default_factory=list)

    def space(self, high_root_pa: int | None = None) -> AddressSpace:
        """The tables as an address space that can be walked."""
        import numpy as np

        store = FrameStore(self.format.entry_bytes)
        addresses = sorted(self.pages)
        data = np.frombuffer(b"".join(self.pages[pa] for pa in addresses), np.uint8).reshape(-1, PAGE_SIZE)
        store.fill(np.array([pa >> 12 for pa in addresses], np.int64), data)
        return AddressSpace(self.format, store, self.root_pa, high_root_pa)


def collect(fmt: Format, read: ReadRam, root_pa: int, half: int = 0) -> Tables:
    """All tables below a root; `half` is 1 for a root of the upper half (the addresses then begin with ones).

    A table that is reached at several addresses is followed once: what it maps is listed for the first of them.
    """
    found = Tables(fmt, fmt.root_pa(root_pa))
    seen: set[tuple[int, int]] = set()
    todo = [(0, found.root_pa, 0)]
    while todo:
        depth, table, va = todo.pop()
        if (depth, table) in seen:
            continue
        seen.add((depth, table))
        if len(seen) > MOST_TABLES:
            raise VmlabError(f"more than {MOST_TABLES} tables below {root_pa:#x}: the guest's page tables are damaged")
        if _keep(found.pages, read, table, fmt.table_bytes(depth)):
            todo += _entries(found, read, depth, table, va)
    found.mapped = [_signed(fmt, row, half) for row in sorted(found.mapped, key=lambda row: row.va)]
    return found


def _keep(pages: dict[int, bytes], read: ReadRam, table: int, size: int) -> bool:
    """Take over the pages in which a table stands; False where that is no RAM."""
    for pa in range(align_down(table, PAGE_SIZE), table + size, PAGE_SIZE):
        if pa not in pages:
            page = read(pa, PAGE_SIZE)
            if page is None:
                return False
            pages[pa] = page
    return True


def _entries(found: Tables, read: ReadRam, depth: int, table: int, va: int) -> Iterator[tuple[int, int, int]]:
    """Lower tables that one table's entries point to; what the others map is added to `found`."""
    fmt = found.format
    level, size = fmt.levels[depth], fmt.entry_bytes
    raw = read(table, fmt.table_bytes(depth)) or b""
    for index in range(len(raw) // size):
        entry = int.from_bytes(raw[index * size : (index + 1) * size], "little")
        if not entry & level.present:
            continue
        at = va + (index << level.shift)
        if level.table is not None and level.is_table(entry):
            yield depth + 1, level.table.pa.of(entry), at
        elif leaf := level.leaf_of(entry):
            covers = min(1 << leaf.shift, level.size)  # a section of 16 MiB stands in 16 entries
            inside = at & ((1 << leaf.shift) - 1)
            found.mapped.append(Mapped(at, leaf.pa.of(entry) + inside, covers))


def _signed(fmt: Format, row: Mapped, half: int) -> Mapped:
    """The row with the upper bits that its address really has."""
    translated = fmt.levels[0].shift + fmt.levels[0].bits
    upper = half if fmt.two_roots else fmt.signed and row.va >> (translated - 1)
    return Mapped(row.va | (-1 << translated & (1 << 64) - 1), row.pa, row.size) if upper else row


class KernelMemory:
    """Bytes at the kernel's virtual addresses. `word_bytes` is the size of a long."""

    def __init__(self, space: AddressSpace, read: ReadRam, word_bytes: int) -> None:
        self.space, self.read, self.word_bytes = space, read, word_bytes

    def pa(self, va: int) -> int | None:
        """The physical address, None where nothing is mapped."""
        return self.space.walk(va).pa

    def bytes(self, va: int, count: int) -> bytes | None:
        """`count` bytes; None where any of them is not mapped, or not RAM."""
        out = b""
        while count:
            part = min(count, PAGE_SIZE - va % PAGE_SIZE)
            pa = self.pa(va)
            piece = None if pa is None else self.read(pa, part)
            if piece is None:
                return None
            out, va, count = out + piece, va + part, count - part
        return out

    def word(self, va: int, size: int = 0) -> int | None:
        """An unsigned number of `size` bytes (a long's)."""
        raw = self.bytes(va, size or self.word_bytes)
        return None if raw is None else int.from_bytes(raw, "little")
