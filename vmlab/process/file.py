"""A file, or shared memory: where pages come from that are not anonymous, and the pages that are in RAM already.

Shared memory (shmem: tmpfs, MAP_SHARED | MAP_ANONYMOUS) has no disk: a page of it that is swapped out leaves its swap
entry in this very table, not in anybody's page table (Linux 6.1, mm/shmem.c:shmem_writepage).

Left out: readahead and fault-around (16 pages at once), block devices, and writeback by flusher threads.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..units import PAGE_SIZE, VmlabError
from .page import PageFrame, Slot


@dataclass(slots=True, eq=False)
class File:
    """An open file of `pages` pages. `disk` holds what is on disk: page number to bytes; missing pages are zeros."""

    name: str
    pages: int
    disk: dict[int, bytes] = field(default_factory=dict)
    is_shmem: bool = False
    is_deleted: bool = False  # no name leads to it: it ends with its last mapping
    cache: dict[int, PageFrame | Slot] = field(default_factory=dict)  # i_pages: page number to page, or swap slot
    reads: int = 0  # pages read from disk
    writes: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.pages, int) or isinstance(self.pages, bool) or self.pages < 1:
            raise VmlabError(f"pages of file {self.name}: expected a number from 1 up, got {self.pages!r}")

    def read(self, index: int) -> bytearray:
        """One page from disk."""
        self.reads += 1
        return bytearray(self.disk.get(index, b"").ljust(PAGE_SIZE, b"\0"))

    def write(self, index: int, data: bytes) -> None:
        """One page to disk."""
        self.writes += 1
        self.disk[index] = bytes(data)

    def page(self, index: int) -> PageFrame | None:
        """The page if it is in RAM."""
        found = self.cache.get(index)
        return found if isinstance(found, PageFrame) else None


def file_of(name: str, content: bytes) -> File:
    """A file with `content` on disk."""
    pages = {at // PAGE_SIZE: content[at : at + PAGE_SIZE] for at in range(0, len(content), PAGE_SIZE)}
    return File(name, max(1, -(-len(content) // PAGE_SIZE)), pages)
