"""Moving a page to another frame: every entry that maps it is found by its reverse map and written again.

Compaction, NUMA balancing, memory hotplug and move_pages all end here (Linux 6.1, mm/migrate.c:migrate_pages). While
the bytes are copied Linux keeps migration entries in the tables, and whoever touches the page waits; here nobody does.
A locked page (mlock) moves like any other; a pinned one never does.

Left out: pages that are being written, huge pages, and file systems with pages of their own kind.
"""

from __future__ import annotations

from dataclasses import dataclass

from .memory import Memory
from .pte import NoFrames


@dataclass(frozen=True, slots=True)
class Migrated:
    """Where a page went; false in a condition if it stayed, and why."""

    old: int
    new: int | None
    entries: int = 0
    why: str = ""

    def __bool__(self) -> bool:
        return self.new is not None

    def tell(self) -> str:
        """One line."""
        if self.new is None:
            return f"frame {self.old:#x} stays: {self.why}"
        return f"frame {self.old:#x} → frame {self.new:#x}, {self.entries} entries written"


def migrate_page(memory: Memory, pfn: int, new: int | None = None) -> Migrated:
    """Move the page in frame `pfn` to frame `new`, which the caller has allocated, or to one that is taken here."""
    page = memory.page(pfn)
    if page.pins:
        return Migrated(pfn, None, why=f"{page.pins} pins: a device may be writing to it")
    if page.writeback:
        return Migrated(pfn, None, why="it is being written")
    if new is None:
        try:
            with page.held():
                new = memory.take(0)
        except NoFrames as none:
            return Migrated(pfn, None, why=str(none))
    entries = list(page.rmap)
    del memory.frames[pfn]
    page.pfn = new
    memory.frames[new] = page
    for mm, va in entries:
        pte = mm.table.pte(va)
        mm.table.set(va, new, pte)
    memory.give(pfn, 0)
    for mm, va in entries:
        memory.changed("migrate", mm, va, pfn, new, "migrate_pages")
    return Migrated(pfn, new, len(entries))
