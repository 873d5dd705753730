"""Memory of processes as nobody could doubt it: every page is a box of bytes, and fork copies the private ones.

A box holds the values that a page may have: one, or two after MADV_FREE (the old bytes or zeros). There are no frames
and no swap here, so nothing can be lost or mixed up.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PAGE = 4096


@dataclass(eq=False)
class Box:
    """One page's possible bytes."""

    values: set[bytes] = field(default_factory=lambda: {bytes(PAGE)})

    def write(self, offset: int, data: bytes) -> None:
        self.values = {old[:offset] + data + old[offset + len(data) :] for old in self.values}

    def copy(self) -> Box:
        return Box(set(self.values))


@dataclass(eq=False)
class Area:
    """What is mapped at one page: its box, its rights, and whether others see what is written."""

    box: Box
    prot: str
    shared: bool = False
    of_file: Box | None = None  # private pages of a file: the file's own, until something is written
    locked: bool = False
    resident: bool = False  # locked, and every page was there

    @property
    def seen(self) -> Box:
        return self.of_file or self.box


class NaiveProcess:
    """An address space: page address to area."""

    def __init__(self) -> None:
        self.pages: dict[int, Area] = {}

    def fork(self) -> NaiveProcess:
        child = NaiveProcess()
        for va, area in self.pages.items():
            box = area.box if area.shared else area.box.copy()
            child.pages[va] = Area(box, area.prot, area.shared, area.of_file)
        return child

    def write(self, va: int, data: bytes) -> None:
        area = self.pages[va & -PAGE]
        if area.of_file is not None:  # the copy is made by the first write
            area.box, area.of_file = area.of_file.copy(), None
        area.box.write(va % PAGE, data)

    def dontneed(self, va: int) -> None:
        """A private page is as it was when it was mapped."""
        area = self.pages[va]
        if not area.shared:
            area.box = Box()
