"""Stops at which processes are looked at: their tables, what pagemap says of their pages, and QEMU's MMU.

A process's root is what the base register holds while it runs, so it is known from its `spin` stop on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import procfs
from ..arch.format import Format
from ..units import PAGE_SIZE, VmlabError
from ..virtual.address_space import AddressSpace
from .kernel_memory import ReadRam, Tables, collect

MAGIC = 0x564D_4C42  # begins every page that the agent's processes wrote: then pid, address and a tag
OWN, EVEN, SECOND = 0x40_0000, 0xC0_0000, 0xF1_1000
EVERY_SECOND = range(EVEN, EVEN + 16 * PAGE_SIZE, PAGE_SIZE)
SWAPPED = (OWN, *EVERY_SECOND, SECOND)
WHAT = {
    OWN: "private anonymous, own content in each process",
    SECOND: "private anonymous, own content in each process",
    0x100_0000: "only read: the zero page",
    0x110_0000: "written, then PROT_NONE",
    0x120_0000: "MAP_SHARED, same frame in all",
    0x130_0000: "written before fork, then only read (COW share)",
    0x140_0000: "written before fork, process p1 wrote again (COW broken)",
    0x150_0000: "written, then PROT_READ",
    0x160_0000: "written, then PROT_READ|PROT_EXEC",
    0x200_0000: "never mapped",
    0x300_0000: "mapped, never touched",
    0x4000_0000: "huge page (MADV_HUGEPAGE), first page",
    0x4010_0000: "huge page (MADV_HUGEPAGE), 1 MiB in",
    0x5F12_3000: "private anonymous (2 GiB split)",
    0x7F12_3000: "private anonymous",
    0x7E12_3456_7000: "private anonymous",
}
NAMED = ("/init", "[stack]", "[vdso]", "[heap]", "[vvar]", "[sigpage]", "[vectors]")
MOST_PAGES = 4_000_000
RUN = re.compile(r"^([0-9a-f]{1,16}) (\d{1,12}) ([0-9a-f]{1,16})$", re.MULTILINE)


@dataclass(slots=True)
class Process:
    """One of the agent's processes at one stage, as /proc has it."""

    name: str
    pid: int
    maps: list[procfs.Mapping]
    pagemap: dict[int, int]  # address -> entry, of pages that have one

    def entry(self, va: int) -> procfs.PagemapEntry:
        """What pagemap says of a page."""
        return procfs.PagemapEntry.decode(self.pagemap.get(va, 0))

    def perms(self, va: int) -> str | None:
        """The rights in /proc/PID/maps."""
        return next((row.perms for row in self.maps if row.start <= va < row.end), None)

    def addresses(self, stage: str) -> list[int]:
        """The addresses that are looked at."""
        if stage.startswith("swap"):
            return sorted(SWAPPED)
        top = max((row.end for row in self.maps if not row.path.startswith("[v")), default=0)
        first = [
            min((va for va in self.pagemap if row.start <= va < row.end), default=row.start)
            for row in self.maps
            if row.path in NAMED
        ]
        return sorted({va for va in WHAT if va < top} | set(EVERY_SECOND) | set(first))


def processes(stage: str, files: Mapping[str, str]) -> list[Process]:
    """Every process that the agent told of at a stage."""
    found = []
    for name, text in sorted(files.items()):
        match = re.fullmatch(rf"{stage}/(p\d)/pid", name)
        if match and text.isdigit():
            who, base = match[1], f"{stage}/{match[1]}"
            maps = procfs.parse_maps(files[f"{base}/maps"], f"{base}/maps")
            found.append(Process(who, int(text), maps, runs(files[f"{base}/pagemap"])))
    return found


def runs(text: str) -> dict[int, int]:
    """{address: entry} from lines of "va pages entry", whose entry i is the first plus i."""
    found: dict[int, int] = {}
    for words in RUN.findall(text):
        va, pages, entry = int(words[0], 16), int(words[1]), int(words[2], 16)
        if len(found) + pages > MOST_PAGES:
            raise VmlabError(
                f"pagemap: more than {MOST_PAGES} pages in one process: the guest's list is not to be trusted"
            )
        found |= {va + number * PAGE_SIZE: entry + number for number in range(pages)}
    return found


def case(process: Process, va: int, space: AddressSpace | None, read: ReadRam) -> dict[str, Any]:
    """One address of one process: pagemap's answer, the words in its frame, and Linux's swap entry."""
    said = process.entry(va)
    what = WHAT.get(va) or ("every second page touched" if va in EVERY_SECOND else "")
    row: dict[str, Any] = {"proc": process.name, "pid": process.pid, "va": va, "what": what, "vma": process.perms(va)}
    row["pagemap"] = pagemap_fields(process.pagemap.get(va, 0), said)
    if said.present and said.pfn and (words := read(said.pfn * PAGE_SIZE, 16)):
        numbers = [int.from_bytes(words[at : at + 4], "little") for at in range(0, 16, 4)]
        if numbers[0] == MAGIC:
            row["content"] = dict(zip(("pid", "va", "tag"), numbers[1:], strict=True))
    if said.swapped and space is not None:
        walk = space.walk(va)
        row["swap_pte"] = walk.linux[1] if walk.linux else walk.steps[-1].entry
        row["swap_decoded"] = [said.swap_type, said.swap_offset]
    return row


def pagemap_fields(raw: int, entry: procfs.PagemapEntry) -> dict[str, Any]:
    """An entry under the names of records/SCHEMA.md."""
    names = ("present", "swapped", "file_or_shared", "exclusive", "soft_dirty")
    row: dict[str, Any] = {"raw": raw, **{name: int(getattr(entry, name)) for name in names}}
    if entry.present:
        row["pfn"] = entry.pfn
    elif entry.swapped:
        row |= {"swap_type": entry.swap_type, "swap_offset": entry.swap_offset}
    return row


def swaps(text: str) -> list[dict[str, Any]]:
    """The rows of /proc/swaps."""
    rows = [line.split() for line in text.splitlines()[1:]]
    return [
        {
            "file": words[0],
            "kind": words[1],
            "size_kib": int(words[2]),
            "used_kib": int(words[3]),
            "prio": int(words[4]),
        }
        for words in rows
        if len(words) == 5 and words[2].isdigit() and words[3].isdigit() and re.fullmatch(r"-?\d+", words[4])
    ]


def areas(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Swap areas as /proc/swaps shows them; the kernel's swap_map has no witness without debugging symbols."""
    page = PAGE_SIZE >> 10
    return [
        {"type": number, "prio": row["prio"], "max": row["size_kib"] // page + 1, "pages": row["size_kib"] // page,
         "inuse_pages": row["used_kib"] // page}
        for number, row in enumerate(rows)
    ]  # fmt: skip


def tables_of(fmt: Format, read: ReadRam, roots: Mapping[str, int]) -> dict[str, Tables]:
    """The tables below each process's root."""
    return {name: collect(fmt, read, root) for name, root in roots.items()}
