"""What the real kernel said. Nothing in the model reads this; `vmlab.judge` compares with it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .calls import is_mem_map_caller
from .read import Fields
from .roots import Root, roots_of
from .tables import Tables

if TYPE_CHECKING:
    from ..virtual.address_space import AddressSpace


class Recorded:
    """The answers of one record, under the names of records/SCHEMA.md (`data` is the whole record)."""

    def __init__(self, data: dict[str, Any], path: Path) -> None:
        self.data = data
        self.path = path

    def __repr__(self) -> str:
        return f"<Recorded {self.name}: {self.kernel_version}>"

    @property
    def name(self) -> str:
        """The record's name."""
        return str(self.data.get("name"))

    @property
    def kernel_version(self) -> str:
        """The kernel's own version line."""
        return Fields(self.data.get("kernel"), "kernel").text("version")

    @property
    def nodes(self) -> list[dict[str, Any]]:
        """struct pglist_data and its zones, read out of the guest's memory."""
        return list(self.data.get("nodes") or [])

    @property
    def zones(self) -> list[dict[str, Any]]:
        """/proc/zoneinfo as first read."""
        return list(self.data.get("zones") or [])

    @property
    def mem_map(self) -> dict[str, Any]:
        """Placement of the array of struct page."""
        return dict(self.data.get("mem_map") or {})

    @property
    def layout(self) -> dict[str, int]:
        """Layout constants: name to value."""
        return {name: row["value"] for name, row in (self.data.get("layout") or {}).items()}

    @property
    def boot_allocations(self) -> list[tuple[int, int, str]]:
        """(start, end, caller) of every allocation in the boot log, in order."""
        found, pending = [], None
        for event in (self.data.get("memblock") or {}).get("events") or []:
            if event["op"] == "alloc":
                pending = event
            elif event["op"] == "reserve" and (pending or "memblock_alloc_range_nid" in event["caller"]):
                found.append((event["start"], event["end"], pending["caller"] if pending else "unlogged"))
                pending = None
        return found

    @property
    def mem_map_allocations(self) -> list[tuple[int, int]]:
        """(start, end) of the boot allocations that the array lies in: the log's, less probes freed again."""
        rows = self.mem_map.get("boot_allocations") or []
        return [(row["start"], row["end"]) for row in rows if is_mem_map_caller(row["caller"])]

    @property
    def roots(self) -> dict[str, Root]:
        """Recorded processes and their top tables: "init", and "p0" to "p2"; empty without translations."""
        return roots_of(Fields(self.data.get("translation") or {}, "translation"))

    @property
    def holds(self) -> list[str]:
        """The stages at which the guest stopped and was read, in order."""
        return list((self.data.get("machine") or {}).get("holds") or [])

    def text(self, name: str) -> str:
        """A value of /proc/sys/vm."""
        return str((self.data.get("sysctl_vm") or {}).get(name, ""))

    @functools.cached_property
    def tables(self) -> Tables:
        """The page-table pages that were read out of the machine's RAM."""
        return Tables(self.data, self.path)

    def address_space(self, process: str, stage: str = "xlate", *, pti_user: bool = False) -> AddressSpace:
        """A recorded process's page tables, as the real machine had them in RAM (see `Tables.address_space`)."""
        return self.tables.address_space(process, stage, pti_user=pti_user)

    def kernel_space(self) -> AddressSpace:
        """The kernel's own page tables at the end of boot."""
        return self.tables.kernel_space()
