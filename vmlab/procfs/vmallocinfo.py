"""/proc/vmallocinfo: printed for the model, read from any kernel.

Format of Linux 6.1 (mm/vmalloc.c: s_show, show_purge_info, show_numa_info). Sizes include the guard page; areas
that were freed and wait for their TLB flush stand at the end, as "unpurged vm_area".

Left out of what the model prints: areas made before vmalloc works, and offsets into the callers' functions.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from .. import arch
from ..kernel import Kernel
from ..units import VmlabError
from ..virtual.area import Area
from .read import text_of

LINE = re.compile(r"0x([0-9a-f]+)-0x([0-9a-f]+) +(\d+)((?: \S+)*) *")
UNPURGED = "unpurged vm_area"
FLAGS = ("ioremap", "vmalloc", "vmap", "user", "dma-coherent", "sparse", "vpages", "vm_map_ram")


@dataclass(frozen=True, slots=True)
class VmallocInfo:
    """One line: bytes `start`..`end`, guard page included, and what the kernel says of them."""

    start: int
    end: int
    caller: str = ""
    pages: int = 0
    phys: int | None = None
    flags: tuple[str, ...] = ()
    nodes: tuple[tuple[int, int], ...] = ()  # (node, pages)
    unpurged: bool = False

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start


def vmallocinfo(kernel: Kernel) -> list[VmallocInfo]:
    """The rows of the modelled kernel's /proc/vmallocinfo: areas by address, then what waits for a flush."""
    space, has_nodes = kernel.vmap_areas, arch.get(kernel.machine.arch).numa
    rows = [_row(space.areas[start], has_nodes) for start in space.starts]
    return rows + [VmallocInfo(start, end, unpurged=True) for start, end in space.lazy] if rows else rows


def _row(area: Area, has_nodes: bool) -> VmallocInfo:
    counted = Counter(page.node for page in area.frames) if has_nodes else {}
    nodes = tuple(sorted(counted.items()))
    return VmallocInfo(area.start, area.end, area.caller, len(area.frames), area.phys, (area.kind,), nodes)


def print_vmallocinfo(kernel: Kernel) -> str:
    """/proc/vmallocinfo of the modelled kernel, right now, as root sees it."""
    physical = 8 if kernel.machine.config.format == "x86-32" else 16
    return format_vmallocinfo(vmallocinfo(kernel), 8 if kernel.slab.rules.word == 4 else 16, physical)


def format_vmallocinfo(rows: list[VmallocInfo], digits: int = 16, phys_digits: int = 16) -> str:
    """The file's text; `digits` of a virtual and of a physical address depend on the kernel."""
    return "".join(_line(row, digits, phys_digits) + "\n" for row in rows)


def _line(row: VmallocInfo, digits: int, phys_digits: int) -> str:
    words = [f"0x{row.start:0{digits}x}-0x{row.end:0{digits}x} {row.size:7}"]
    if row.unpurged:
        return f"{words[0]} {UNPURGED}"
    words += [row.caller] if row.caller else []
    words += [f"pages={row.pages}"] if row.pages else []
    words += [f"phys=0x{row.phys:0{phys_digits}x}"] if row.phys is not None else []
    words += row.flags
    return " ".join(words + [f"N{node}={pages}" for node, pages in row.nodes])


def read_vmallocinfo(path: str | Path = "/proc/vmallocinfo") -> list[VmallocInfo]:
    """Every area of this machine (root only), or of a saved file."""
    return parse_vmallocinfo(text_of(path, "only root may (sudo), or read a saved file"), str(path))


def parse_vmallocinfo(text: str, name: str = "vmallocinfo") -> list[VmallocInfo]:
    """The rows of a vmallocinfo text; `name` is used in errors."""
    return [_parsed(line, f"{name}, line {number}") for number, line in enumerate(text.splitlines(), 1)]


def _parsed(line: str, where: str) -> VmallocInfo:
    found = LINE.fullmatch(line)
    if not found:
        raise VmlabError(f"{where}: expected an address range and its size, got {line[:60]!r}")
    if int(found[2], 16) - int(found[1], 16) != int(found[3]):
        raise VmlabError(f"{where}: the addresses do not differ by the size: this kernel hides them (kptr_restrict)")
    start, end, words = int(found[1], 16), int(found[2], 16), found[4].split()
    if " ".join(words) == UNPURGED:
        return VmallocInfo(start, end, unpurged=True)
    numbers = dict(word.split("=", 1) for word in words if re.fullmatch(r"(pages|N\d+)=\d+|phys=0x[0-9a-f]+", word))
    flags = tuple(word for word in words if word in FLAGS)
    rest = [word for word in words if word not in flags and word.split("=")[0] not in numbers]
    if len(rest) > 1:
        raise VmlabError(f"{where}: expected one caller, got {' and '.join(rest)!r}")
    nodes = tuple((int(key[1:]), int(value)) for key, value in numbers.items() if key.startswith("N"))
    phys = int(numbers["phys"], 16) if "phys" in numbers else None
    return VmallocInfo(start, end, "".join(rest), int(numbers.get("pages", 0)), phys, flags, nodes)
