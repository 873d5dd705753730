"""/proc/PID/pagemap: eight bytes a virtual page, as single entries and as whole columns.

    PagemapEntry.decode(0x8180_0000_0000_29e0)        # present, mapped once, frame 0x29e0
    pages = read_pagemap("self", va, 4096)            # a batch: pages.pfn, pages.present ... are numpy arrays

Formats: Linux 6.1, fs/proc/task_mmu.c (PM_*, pte_to_pagemap_entry) and Documentation/admin-guide/mm/pagemap.rst.
Before 4.2 bits 60..55 held the page's shift, or soft-dirty once clear_refs had been used; that mixed form of 3.11
to 4.1 is left out. An entry is a snapshot: it may be out of date when read() returns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import versions
from ..units import PAGE_SIZE, VmlabError, group_hex

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Words = npt.NDArray[np.uint64]
    Bools = npt.NDArray[np.bool_]


class Bit(NamedTuple):
    """One bit of an entry, and the first kernel that sets it."""

    name: str
    bit: int
    since: str


BITS = (
    Bit("present", 63, "2.6.25"),
    Bit("swapped", 62, "2.6.25"),  # a swap entry: also those of pages that are just being migrated
    Bit("file_or_shared", 61, "3.5"),  # a page of a file, or of shared memory
    Bit("guard", 58, "6.15"),  # MADV_GUARD_INSTALL
    Bit("uffd_wp", 57, "5.14"),  # write-protected by userfaultfd
    Bit("exclusive", 56, "4.2"),  # mapped exactly once
    Bit("soft_dirty", 55, "4.2"),  # written since somebody wrote 4 to clear_refs, where the kernel keeps track
)
NEWEST_BIT = "6.15"  # the last version whose bits are known
NUMBER_BITS = 55  # the frame; or the swap area (low 5 bits) and the slot in it
NUMBER = (1 << NUMBER_BITS) - 1
TYPE_BITS = 5  # MAX_SWAPFILES_SHIFT
SHIFT_UNTIL = "4.2"  # older kernels: bits 60..55 are the page's shift
ENTRY_BYTES = 8


@dataclass(frozen=True, slots=True)
class PagemapEntry:
    """One entry. `pfn` of a present page (0: hidden from us), `swap_type` and `swap_offset` of a swapped one."""

    present: bool = False
    swapped: bool = False
    file_or_shared: bool = False
    exclusive: bool = False
    soft_dirty: bool = False
    uffd_wp: bool = False
    guard: bool = False
    pfn: int | None = None
    swap_type: int | None = None
    swap_offset: int | None = None

    @classmethod
    def decode(cls, raw: int, kernel: str = "6.1") -> PagemapEntry:
        """The entry that Linux `kernel` means by `raw`; bits that it does not know are refused."""
        if not isinstance(raw, int) or isinstance(raw, bool) or not 0 <= raw < 1 << 64:
            raise VmlabError(f"raw: expected a pagemap entry of 64 bits, got {raw!r}")
        known = bits_of(kernel)
        strange = raw & ~NUMBER & ~_shift_field(kernel) & ~sum(1 << bit.bit for bit in known)
        if strange:
            raise VmlabError(f"{group_hex(raw)}: Linux {kernel} never sets {group_hex(strange)}: whose entry is it?")
        held: dict[str, Any] = {bit.name: bool(raw >> bit.bit & 1) for bit in known}
        if held["present"]:
            held["pfn"] = raw & NUMBER
        elif held["swapped"]:
            held |= {"swap_type": raw & (1 << TYPE_BITS) - 1, "swap_offset": (raw & NUMBER) >> TYPE_BITS}
        return cls(**held)

    def encode(self, kernel: str = "6.1") -> int:
        """The 64 bits that Linux `kernel` gives for this entry."""
        known = {bit.name: bit.bit for bit in bits_of(kernel)}
        wanted = [field.name for field in fields(self) if getattr(self, field.name) is True]
        if missing := [name for name in wanted if name not in known]:
            raise VmlabError(f"{missing[0]}: Linux {kernel} has no bit for it in pagemap")
        raw = sum(1 << known[name] for name in wanted) | self._number()
        is_old = versions.numbers(kernel) < versions.numbers(SHIFT_UNTIL)
        return raw | 12 << NUMBER_BITS if is_old and (self.present or self.swapped) else raw

    def _number(self) -> int:
        if self.present and self.swapped:
            raise VmlabError("an entry is of a present page or of a swapped one, not of both")
        number = self.pfn or 0
        if self.swapped:
            if not 0 <= (self.swap_type or 0) < 1 << TYPE_BITS:
                raise VmlabError(f"swap_type: expected 0 to {(1 << TYPE_BITS) - 1}, got {self.swap_type}")
            number = (self.swap_offset or 0) << TYPE_BITS | (self.swap_type or 0)
        if not 0 <= number <= NUMBER:
            raise VmlabError(f"an entry holds numbers of {NUMBER_BITS} bits, got {number:#x}")
        return number

    def tell(self) -> str:
        """The entry in words."""
        marks = ", ".join(bit.name.replace("_", " ") for bit in BITS[2:] if getattr(self, bit.name))
        more = f" ({marks})" if marks else ""
        if self.present:
            return f"present, frame {self.pfn:#x}{more}" if self.pfn else f"present, frame hidden{more}"
        if self.swapped:
            return f"swapped, area {self.swap_type}, slot {self.swap_offset}{more}"
        return f"nothing here{more}"


def bits_of(kernel: str) -> tuple[Bit, ...]:
    """The bits that Linux `kernel` sets, such as "6.1"."""
    versions.first_version({bit.since for bit in BITS}, kernel, "kernel, for pagemap", NEWEST_BIT)
    return tuple(bit for bit in BITS if versions.numbers(bit.since) <= versions.numbers(kernel))


def _shift_field(kernel: str) -> int:
    return 0x3F << NUMBER_BITS if versions.numbers(kernel) < versions.numbers(SHIFT_UNTIL) else 0


@dataclass(eq=False)
class Pagemap:
    """Entries of consecutive pages from virtual address `start`; every column is a numpy array, one item a page.

    `source` says what was read. `decode()` is done once, when a column is first asked for.
    """

    start: int
    words: Words
    source: str = ""
    page_bytes: int = PAGE_SIZE

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[tuple[int, PagemapEntry]]:
        """(virtual address, entry), page by page."""
        for number, word in enumerate(self.words.tolist()):
            yield self.start + number * self.page_bytes, PagemapEntry.decode(word, "6.15")

    def entry(self, va: int) -> PagemapEntry:
        """The entry of the page that holds `va`."""
        number = (va - self.start) // self.page_bytes
        if not 0 <= number < len(self.words):
            end = self.start + len(self.words) * self.page_bytes
            raise VmlabError(f"va: expected an address in {group_hex(self.start)}..{group_hex(end)}, got {va:#x}")
        return PagemapEntry.decode(int(self.words[number]), "6.15")

    @property
    def _columns(self) -> Columns:
        made: Columns | None = self.__dict__.get("_made")
        if made is None:
            made = self.__dict__["_made"] = columns(self.words)
        return made

    @property
    def pfn(self) -> Words:
        """Frame numbers; 0 where no page is present, and everywhere if they are hidden from us."""
        return self._columns.pfn

    @property
    def swap_type(self) -> Words:
        """The swap area of each swapped page; 0 elsewhere."""
        return (self.words & _u64((1 << TYPE_BITS) - 1)) * self.swapped

    @property
    def swap_offset(self) -> Words:
        """The slot of each swapped page; 0 elsewhere."""
        return ((self.words & _u64(NUMBER)) >> _u64(TYPE_BITS)) * self.swapped

    def flag(self, name: str) -> Bools:
        """The column of one bit of `BITS`, by its name."""
        bit = next((row.bit for row in BITS if row.name == name), None)
        if bit is None:
            raise VmlabError(f"flag: expected one of {', '.join(row.name for row in BITS)}, got {name!r}")
        return (self._columns.flags >> (bit - NUMBER_BITS) & 1).astype(bool)

    @property
    def present(self) -> Bools:
        """Whether each page is present."""
        return self.flag("present")

    @property
    def swapped(self) -> Bools:
        """Whether each page has a swap entry."""
        return self.flag("swapped")

    @property
    def counts(self) -> dict[str, int]:
        """How many pages have each bit."""
        return dict(zip(COUNTED, self._columns.counts.tolist(), strict=True))

    @property
    def hidden(self) -> bool:
        """Pages are present, and every frame number reads as zero: we have not CAP_SYS_ADMIN."""
        return self.counts["present"] > 0 and not self.pfn.any()

    def tell(self) -> str:
        """Where it comes from, how many pages of each kind, and whether frames are hidden."""
        counted = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in self.counts.items())
        why = "\nFrame numbers read as zero: the kernel shows them to processes with CAP_SYS_ADMIN only (Linux 4.2)."
        return f"{self.source}: {len(self):,} pages: {counted}.{why if self.hidden else ''}"


COUNTED = ("present", "swapped", "file_or_shared", "exclusive", "soft_dirty")


class Columns(NamedTuple):
    """Decoded entries: frames; bits 63..55 as a number; and counts in the order of `COUNTED`."""

    pfn: Words
    flags: npt.NDArray[np.uint16]
    counts: npt.NDArray[np.int64]


def columns(words: Words) -> Columns:
    """Decode a batch of entries in one pass."""
    import numpy as np

    from .pagemap_kernels import decode

    made = Columns(np.empty(len(words), np.uint64), np.empty(len(words), np.uint16), np.zeros(len(COUNTED), np.int64))
    decode(words, *made)
    return made


def parse_pagemap(data: bytes, start: int = 0, name: str = "pagemap") -> Pagemap:
    """The entries of a saved piece of a pagemap file, whose first page is at virtual address `start`."""
    import numpy as np

    if len(data) % ENTRY_BYTES:
        raise VmlabError(
            f"{name}: expected {ENTRY_BYTES} bytes a page, got {len(data)} bytes: the file was cut; save it again"
        )
    return Pagemap(start, np.frombuffer(data, "<u8").astype(np.uint64), f"{name}, saved")


def _u64(number: int) -> np.uint64:
    import numpy as np

    return np.uint64(number)
