"""A slow, obvious vmalloc space: one cell a page, every place tried in turn."""

from __future__ import annotations

PAGE = 4096


class NaiveSpace:
    """Each cell is "unused", "lazy" (freed, not flushed yet), or the number of the area that has it."""

    def __init__(self, start: int, pages: int, lazy_max_pages: int) -> None:
        self.start, self.lazy_max_pages = start, lazy_max_pages
        self.cells: list[str | int] = ["unused"] * pages
        self.flushes = 0

    def place(self, pages: int, align: int) -> int | None:
        """The lowest address at which `pages` and a guard page are unused."""
        for first in range(len(self.cells) - pages):
            fits = all(cell == "unused" for cell in self.cells[first : first + pages + 1])
            if fits and (self.start + first * PAGE) % align == 0:
                return self.start + first * PAGE
        return None

    def alloc(self, pages: int, align: int, area: int) -> int | None:
        """Where the area goes; what waits for a flush is taken only after one."""
        found = self.place(pages, align)
        if found is None:
            self.purge()
            found = self.place(pages, align)
        if found is not None:
            first = (found - self.start) // PAGE
            self.cells[first : first + pages + 1] = [area] * (pages + 1)
        return found

    def free(self, area: int) -> None:
        self.cells = ["lazy" if cell == area else cell for cell in self.cells]
        if self.cells.count("lazy") > self.lazy_max_pages:
            self.purge()

    def purge(self) -> None:
        if "lazy" in self.cells:
            self.flushes += 1
        self.cells = ["unused" if cell == "lazy" else cell for cell in self.cells]
