"""Read zoneinfo, buddyinfo and iomem: this machine's, a saved one's, or the model's own text.

Formats: Linux 6.1, mm/vmstat.c (zoneinfo_show_print, frag_show_print) and kernel/resource.c (r_show).
Counters that newer kernels add are kept under their own names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..units import VmlabError
from .rows import BuddyInfo, Resource, ZoneInfo

SAMPLES = Path(__file__).parent.parent / "machines" / "samples"
ZONE = re.compile(r"Node +(\d+), zone +(\w+)((?: +\d+)*) *")
COUNTER = re.compile(r" +(?:pages )?([\w ]+?):? +(\d+)")
PROTECTION = re.compile(r" +protection: \((\d+(?:, \d+)*)\)")
RESOURCE = re.compile(r"((?:  )*)([0-9a-f]+)-([0-9a-f]+) : (.*)")
Row = TypeVar("Row")


def sample(kind: str, machine: str = "amd64-pc-4g") -> Path:
    """A real file that ships with the package: `kind` is "zoneinfo", "buddyinfo", "iomem", "slabinfo" ...."""
    path = SAMPLES / machine / f"{kind}.txt"
    if not path.is_file():
        known = sorted(f"{p.parent.name}/{p.stem}" for p in SAMPLES.glob("*/*.txt"))
        raise VmlabError(f"sample: expected one of {', '.join(known)}, got {machine}/{kind}")
    return path


def read_zoneinfo(path: str | Path = "/proc/zoneinfo") -> list[ZoneInfo]:
    """Every zone of this machine, or of a saved file."""
    return _read(path, "zoneinfo", parse_zoneinfo)


def read_buddyinfo(path: str | Path = "/proc/buddyinfo") -> list[BuddyInfo]:
    """Free blocks by order of this machine's populated zones, or of a saved file."""
    return _read(path, "buddyinfo", parse_buddyinfo)


def read_iomem(path: str | Path = "/proc/iomem") -> list[Resource]:
    """The physical address map of this machine, or of a saved file; addresses that are hidden are an error."""
    rows = _read(path, "iomem", parse_iomem)
    if all(row.start == 0 and row.end == 1 for row in rows):
        raise VmlabError(
            f"{path}: every address reads as zero, because only root may see them: "
            + _remedy("iomem", "run this as root (sudo)")
        )
    return rows


def _remedy(kind: str, first: str) -> str:
    return f"{first}, or read a saved file: read_{kind}(procfs.sample({kind!r}))"


def _read(path: str | Path, kind: str, parse: Callable[[str, str], list[Row]]) -> list[Row]:
    first = "it exists on Linux only" if "/proc/" in str(path) else "check the path"
    return parse(text_of(path, _remedy(kind, first)), str(path))


def text_of(path: str | Path, remedy: str) -> str:
    """A whole file, whatever its bytes; `remedy` ends the error's sentence where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as bad:
        raise VmlabError(f"{path}: cannot be read: {bad.strerror}; {remedy}") from None


def parse_zoneinfo(text: str, name: str = "zoneinfo") -> list[ZoneInfo]:
    """The rows of a zoneinfo text; `name` is used in errors."""
    blocks: list[list[tuple[int, str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("Node"):
            blocks.append([])
        if not blocks:
            raise _unexpected(name, number, "a line like 'Node 0, zone      DMA'", line)
        blocks[-1].append((number, line))
    if not blocks:
        raise VmlabError(f"{name}: expected lines about zones, got an empty file")
    return [_Block(name).read(lines) for lines in blocks]


class _Block:
    """One zone's lines: the section that a counter belongs to follows from what stood before it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.node_stats: dict[str, int] = {}
        self.pages: dict[str, int] = {}
        self.vm_stat: dict[str, int] = {}
        self.pagesets: list[dict[str, int]] = []
        self.last: dict[str, int] = {}
        self.protection: tuple[int, ...] = ()
        self.into = self.node_stats

    def read(self, lines: list[tuple[int, str]]) -> ZoneInfo:
        number, line = lines[0]
        head = ZONE.fullmatch(line)
        if not head or head[3]:
            raise _unexpected(self.name, number, "a line like 'Node 0, zone      DMA'", line)
        for number, line in lines[1:]:
            self._line(number, line)
        missing = {"free", "min", "low", "high", "spanned", "present", "managed"} - set(self.pages)
        if missing:
            raise VmlabError(f"{self.name}: zone {head[2]} of node {head[1]} has no line '{sorted(missing)[0]}'")
        sections = self.node_stats, self.vm_stat, tuple(self.pagesets), self.last
        return ZoneInfo(int(head[1]), head[2], self.pages, self.protection, *sections)

    def _line(self, number: int, line: str) -> None:
        if line.strip() in ("per-node stats", "pagesets", ""):
            return
        if found := PROTECTION.fullmatch(line):
            self.protection = tuple(int(value) for value in found[1].split(", "))
            self.into = self.vm_stat
            return
        found = COUNTER.fullmatch(line)
        if not found:
            raise _unexpected(self.name, number, "a counter and its value", line)
        key, value = found[1], int(found[2])
        if "pages free" in line:
            self.into = self.pages
        elif key == "cpu":
            self.pagesets.append({})
            self.into = self.pagesets[-1]
        elif key in ("node_unreclaimable", "start_pfn"):
            self.into = self.last
        self.into[key] = value


def parse_buddyinfo(text: str, name: str = "buddyinfo") -> list[BuddyInfo]:
    """The rows of a buddyinfo text."""
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        found = ZONE.fullmatch(line)
        if not found or not found[3]:
            raise _unexpected(name, number, "'Node 0, zone      DMA' and a count for every order", line)
        rows.append(BuddyInfo(int(found[1]), found[2], tuple(int(count) for count in found[3].split())))
    if not rows:
        raise VmlabError(f"{name}: expected lines about zones, got an empty file")
    return rows


def parse_iomem(text: str, name: str = "iomem") -> list[Resource]:
    """The rows of an iomem text."""
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        found = RESOURCE.fullmatch(line)
        if not found or int(found[2], 16) > int(found[3], 16):
            raise _unexpected(name, number, "a range like '00100000-bffdcfff : System RAM'", line)
        rows.append(Resource(len(found[1]) // 2, int(found[2], 16), int(found[3], 16) + 1, found[4]))
    if not rows:
        raise VmlabError(f"{name}: expected address ranges, got an empty file")
    return rows


def _unexpected(name: str, number: int, expected: str, came: str) -> VmlabError:
    return VmlabError(f"{name}, line {number}: expected {expected}, got {came[:60]!r}")
