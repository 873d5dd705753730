"""A frame that belongs to user memory: what it holds, who maps it, and who keeps it (struct page, struct folio).

References: one for each page-table entry, one for the swap cache or a file's page cache, one for each pin. A page
whose last reference goes is given back. `rmap` holds the entries themselves; Linux finds them through anon_vma or
the file's i_mmap and walks (mm/rmap.c).

Left out: folios of several pages, memory cgroups, and the references that isolation from a list takes.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..units import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .file import File
    from .mm import MmStruct

Slot = tuple[int, int]  # (swap type, offset)


@dataclass(slots=True, eq=False)
class PageFrame:
    """One user page in frame `pfn`. The flags are the kernel's PG_ flags, as far as the model needs them."""

    pfn: int
    anon: bool
    data: bytearray = field(default_factory=lambda: bytearray(PAGE_SIZE), repr=False)
    file: File | None = None  # of a page in a page cache
    index: int = 0  # its page number in the file
    rmap: dict[tuple[MmStruct, int], None] = field(default_factory=dict)  # (mm, va) of every entry
    pins: int = 0  # references of devices (FOLL_PIN), and of a call while it waits for another frame
    slot: Slot | None = None  # PG_swapcache: the slot that holds, or will hold, the same bytes
    exclusive: bool = False  # PageAnonExclusive: certainly nobody else's
    dirty: bool = False
    active: bool = False
    referenced: bool = False
    swapbacked: bool = True  # cleared by MADV_FREE
    writeback: bool = False
    readahead: bool = False

    @property
    def mapcount(self) -> int:
        """Page-table entries that point here."""
        return len(self.rmap)

    @property
    def cached(self) -> bool:
        """Whether the swap cache or a page cache holds it."""
        return self.slot is not None or self.file is not None

    @property
    def refcount(self) -> int:
        """References: entries, cache, pins."""
        return self.mapcount + self.cached + self.pins

    @contextmanager
    def held(self) -> Iterator[PageFrame]:
        """folio_get ... folio_put: reclaim must not take it meanwhile."""
        self.pins += 1
        try:
            yield self
        finally:
            self.pins -= 1

    @property
    def mlocked(self) -> bool:
        """Whether a locked area maps it (PG_mlocked)."""
        return any(vma is not None and vma.locked for vma in (mm.vmas.find(va) for mm, va in self.rmap))
