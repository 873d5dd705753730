"""The areas of an address space: which addresses exist, what may be done there, and where the pages come from.

Two neighbours that differ in nothing become one; a change in the middle of an area splits it in three (Linux 6.1,
mm/mmap.c: vma_merge, __split_vma). Left out: stacks that grow, gaps for guard pages, the heap's brk, and limits
(RLIMIT_AS, max_map_count, overcommit).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..units import PAGE_SHIFT, VmlabError, group_hex
from .file import File


@dataclass(slots=True, eq=False)
class Vma:
    """struct vm_area_struct: `start`..`end` in bytes, half open. `pgoff` counts pages of `file` from its start."""

    start: int
    end: int
    prot: str  # of "rwx-", as in /proc/PID/maps
    file: File | None = None
    pgoff: int = 0
    shared: bool = False
    locked: bool = False
    has_anon: bool = False  # anon_vma: some page here was private once
    readahead: tuple[int, int, int] = (0, 0, 4)  # swap_readahead_info: last fault's address, its window, pages used

    @property
    def kind(self) -> str:
        """What is mapped: "anonymous", "file", "shared" (a file that writes reach) or "shmem"."""
        if self.file is None:
            return "anonymous"
        if self.file.is_shmem:
            return "shmem"
        return "shared" if self.shared else "file"

    def allows(self, access: str) -> bool:
        """Whether "read", "write" or "fetch" is permitted; a read needs any right at all (vma_is_accessible).

        Not so on RISC-V, on x86 with protection keys and on arm64 with EPAN: they can fetch what they may not read.
        """
        if access == "read":
            return bool(self.prot)
        return {"write": "w", "fetch": "x"}[access] in self.prot

    @property
    def wants_writenotify(self) -> bool:
        """Whether the first write to each page faults, so that the file knows which are dirty (vma_wants_writenotify).

        Shared memory has no disk to write to: its pages are writable at the first touch, even if that is a read.
        """
        return self.shared and "w" in self.prot and self.kind != "shmem"

    def index(self, va: int) -> int:
        """Page number in the file."""
        return self.pgoff + ((va - self.start) >> PAGE_SHIFT)

    def describe(self) -> str:
        """The line of /proc/PID/maps, without device and inode."""
        name = f" {self.file.name}" if self.file else ""
        rights = "".join(letter if letter in self.prot else "-" for letter in "rwx") + ("s" if self.shared else "p")
        return f"{self.start:08x}-{self.end:08x} {rights} {self.pgoff << PAGE_SHIFT:08x}{name}"

    def cut(self, start: int, end: int) -> Vma:
        """The part between two addresses, as an area of its own."""
        pgoff = self.pgoff + ((start - self.start) >> PAGE_SHIFT) if self.file else 0
        return replace(self, start=start, end=end, pgoff=pgoff)

    def joins(self, after: Vma) -> bool:
        """Whether `after` may become part of this one (can_vma_merge_after)."""
        same = (self.prot, self.file, self.shared, self.locked) == (after.prot, after.file, after.shared, after.locked)
        return self.end == after.start and same and (self.file is None or self.index(self.end) == after.pgoff)


class VmaTree:
    """The areas of one mm, sorted and without overlap (the kernel's maple tree)."""

    def __init__(self) -> None:
        self._areas: list[Vma] = []

    def __iter__(self) -> Iterator[Vma]:
        return iter(tuple(self._areas))

    def __len__(self) -> int:
        return len(self._areas)

    def find(self, va: int) -> Vma | None:
        """The area that holds `va`."""
        number = bisect_right(self._areas, va, key=lambda area: area.start) - 1
        return self._areas[number] if number >= 0 and va < self._areas[number].end else None

    def within(self, start: int, end: int) -> list[Vma]:
        """Areas that overlap a range."""
        return [area for area in self._areas if area.start < end and start < area.end]

    def covers(self, start: int, end: int) -> bool:
        """Whether every page of a range belongs to some area."""
        return sum(min(end, area.end) - max(start, area.start) for area in self.within(start, end)) == end - start

    def isolate(self, start: int, end: int) -> list[Vma]:
        """Split areas at both borders; those inside the range."""
        for border in (start, end):
            area = self.find(border)
            if area is not None and area.start < border:
                number = self._areas.index(area)
                self._areas[number : number + 1] = [area.cut(area.start, border), area.cut(border, area.end)]
        return self.within(start, end)

    def add(self, area: Vma) -> Vma:
        """Put a new area in a free range."""
        if self.within(area.start, area.end):
            raise VmlabError(f"{group_hex(area.start)}: part of the range is mapped already: unmap it first")
        self._areas.append(area)
        self._areas.sort(key=lambda each: each.start)
        return self.merge(area.start)

    def remove(self, area: Vma) -> None:
        """Forget an area."""
        self._areas.remove(area)

    def merge(self, va: int) -> Vma:
        """Join equal neighbours everywhere; the area that holds `va` afterwards."""
        joined: list[Vma] = []
        for area in self._areas:
            if joined and joined[-1].joins(area):
                joined[-1].end = area.end
                joined[-1].has_anon |= area.has_anon
            else:
                joined.append(area)
        self._areas = joined
        found = self.find(va)
        assert found is not None
        return found
