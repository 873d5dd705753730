"""The learner's own slab caches and vmalloc areas, read-only; a recorded PC's where they cannot be read.

Both files are for root alone (Linux 6.1, mm/slab_common.c: SLABINFO_RIGHTS; mm/vmalloc.c: proc_vmalloc_init), and the
addresses in /proc/vmallocinfo are hidden from others too (kptr_restrict).
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..procfs import SlabInfo, VmallocInfo, read_slabinfo, read_vmallocinfo, sample
from ..study.show import paragraph
from ..units import PAGE_SIZE, VmlabError, human
from ..views import Table

SAMPLE = "amd64-pc-4g"
SHOWN = 8
Row = TypeVar("Row")


@dataclass(frozen=True)
class Own:
    """Sentences, the first of which says what is shown, and a table."""

    says: tuple[str, ...]
    table: Table

    def static_html(self) -> str:
        """Sentences and table as HTML."""
        return paragraph("\n".join(self.says)) + self.table.static_html()

    def static_text(self) -> str:
        """Sentences and table as text."""
        return "\n".join((*self.says, "", self.table.static_text()))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.static_html(), "text/plain": self.static_text()}


def own_caches(proc: Path = Path("/proc")) -> Own:
    """The caches that take most memory, and task_struct."""
    source, rows = _read(read_slabinfo, proc / "slabinfo")
    by_bytes = sorted(rows, key=_bytes, reverse=True)
    shown = by_bytes[:SHOWN] + [row for row in by_bytes[SHOWN:] if row.name == "task_struct"]
    table = Table(
        ("cache", "bytes apart", "objects a slab", "pages a slab", "objects in use", "memory"),
        [(r.name, r.objsize, r.objperslab, r.pagesperslab, r.active_objs, human(_bytes(r))) for r in shown],
    )
    said = f"{len(rows)} caches hold {human(sum(map(_bytes, rows)))}. The largest, and task_struct:"
    return Own((source, said), table)


def own_areas(proc: Path = Path("/proc")) -> Own:
    """Who made the areas of vmalloc space, and how many addresses they have."""
    source, rows = _read(read_vmallocinfo, proc / "vmallocinfo")
    made: dict[str, list[VmallocInfo]] = {}
    for row in rows:
        made.setdefault(_maker(row), []).append(row)
    most = sorted(made.items(), key=lambda pair: -sum(row.size for row in pair[1]))[:SHOWN]
    table = Table(
        ("made by", "areas", "addresses", "frames"),
        [
            (name, len(areas), human(sum(row.size for row in areas)), sum(row.pages for row in areas))
            for name, areas in most
        ],
    )
    waiting = sum(row.size for row in rows if row.unpurged)
    said = f"{len(rows)} areas; {human(waiting) if waiting else 'no'} freed addresses wait for a TLB flush."
    return Own((source, said), table)


def _bytes(row: SlabInfo) -> int:
    return row.num_slabs * row.pagesperslab * PAGE_SIZE


def _maker(row: VmallocInfo) -> str:
    return "freed, not yet flushed" if row.unpurged else row.caller.partition("+")[0] or "not said"


def _read(reader: Callable[[str | Path], list[Row]], path: Path) -> tuple[str, list[Row]]:
    """The file, or the shipped one, with the sentence that says which it is."""
    try:
        rows = reader(path)
        if rows:
            return f"Shown: your own machine, Linux {platform.release()}, read-only from {path}.", rows
        why = f"{path} is empty"
    except VmlabError as problem:
        why = str(problem).partition(";")[0]
    return f"Shown: a sample, the recorded PC {SAMPLE}, because: {why}.", reader(sample(path.name, SAMPLE))
