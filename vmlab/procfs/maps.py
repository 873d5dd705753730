"""/proc/PID/maps and smaps: the areas of a process, and how much of each is in memory.

Formats: Linux 6.1, fs/proc/task_mmu.c (show_map_vma, show_smap). Of smaps every line that ends in kB is read, and
VmFlags; THPeligible and ProtectionKey are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..units import PAGE_SIZE, VmlabError, human
from .live_pagemap import PROC, refusal

LINE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) ([r-][w-][x-][sp]) ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+) (\d+) *(.*)")
KIB = re.compile(r"(\w+): +(\d+) kB")
SMALL_LINES = re.compile(r"(THPeligible|ProtectionKey|VmFlags):(.*)")
NAME_COLUMN = {8: 72, 4: 48}  # seq_setwidth(25 + sizeof(void *) * 6 - 1), by the bytes of a word


@dataclass(frozen=True, slots=True)
class Mapping:
    """One area: bytes `start`..`end`, half open; `offset` in the file that `path` names."""

    start: int
    end: int
    perms: str
    offset: int = 0
    dev: str = "00:00"
    inode: int = 0
    path: str = ""

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start

    @property
    def pages(self) -> int:
        """4 KiB pages."""
        return self.size // PAGE_SIZE


@dataclass(frozen=True, slots=True)
class Smaps:
    """One area, its counts in KiB (Rss, Pss, Swap, Locked ...), and its VmFlags."""

    mapping: Mapping
    kib: dict[str, int]
    vm_flags: tuple[str, ...] = ()

    def tell(self) -> str:
        """One sentence."""
        size = {name: human(self.kib.get(name, 0) << 10) for name in ("Size", "Rss", "Swap")}
        where = self.mapping.path or "anonymous"
        return f"{where}: {size['Size']}, of which {size['Rss']} in memory and {size['Swap']} swapped out"


def read_maps(pid: int | str = "self", proc: Path = PROC) -> list[Mapping]:
    """The areas of a process of this machine."""
    path = proc / str(pid) / "maps"
    return parse_maps(_text(path, pid), str(path))


def read_smaps(pid: int | str = "self", proc: Path = PROC) -> list[Smaps]:
    """The areas of a process of this machine, with what is in memory of each."""
    path = proc / str(pid) / "smaps"
    return parse_smaps(_text(path, pid), str(path))


def parse_maps(text: str, name: str = "maps") -> list[Mapping]:
    """The rows of a maps text."""
    return [_mapping(line, f"{name}, line {number}") for number, line in enumerate(text.splitlines(), 1)]


def format_maps(rows: Iterable[Mapping], word: int = 8) -> str:
    """The file's text; `word` is the bytes of a pointer, on which the column of names depends."""
    return "".join(_line(row, NAME_COLUMN[word]) + "\n" for row in rows)


def _line(row: Mapping, column: int) -> str:
    head = f"{row.start:08x}-{row.end:08x} {row.perms} {row.offset:08x} {row.dev} {row.inode} "
    return f"{head:<{column}} {row.path}" if row.path else head


def parse_smaps(text: str, name: str = "smaps") -> list[Smaps]:
    """The rows of a smaps text."""
    rows: list[Smaps] = []
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{name}, line {number}"
        if found := KIB.fullmatch(line):
            _last(rows, where, line).kib[found[1]] = int(found[2])
        elif found := SMALL_LINES.fullmatch(line):
            last = _last(rows, where, line)
            if found[1] == "VmFlags":
                rows[-1] = Smaps(last.mapping, last.kib, tuple(found[2].split()))
        else:
            rows.append(Smaps(_mapping(line, where), {}))
    return rows


def _last(rows: list[Smaps], where: str, line: str) -> Smaps:
    if not rows:
        raise VmlabError(f"{where}: expected an area's address range first, got {line[:60]!r}")
    return rows[-1]


def _mapping(line: str, where: str) -> Mapping:
    found = LINE.fullmatch(line)
    if not found or int(found[1], 16) >= int(found[2], 16):
        raise VmlabError(f"{where}: expected an area such as '00400000-00401000 r-xp ...', got {line[:60]!r}")
    numbers = int(found[1], 16), int(found[2], 16)
    return Mapping(*numbers, found[3], int(found[4], 16), found[5], int(found[6]), found[7])


def _text(path: Path, pid: int | str) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as bad:
        raise VmlabError(refusal(path, pid, bad).replace("sample_pagemap()", "a saved file")) from None
