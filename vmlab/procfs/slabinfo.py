"""/proc/slabinfo: printed for the model, read from any kernel.

Format 2.1 of Linux 6.1 (mm/slab_common.c: print_slabinfo_header, cache_show; mm/slub.c: get_slabinfo). SLUB has
no tunables and prints zeros for them. It counts an object as active unless its slab stands on a node's partial
list: what a CPU keeps for its next allocations is active, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..kernel import Kernel
from ..physical.slab import KmemCache
from ..units import VmlabError
from .read import text_of

VERSION = "slabinfo - version: 2.1"
HEADER = (
    "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
    " : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>"
)
LINE = re.compile(r"(\S+)((?: +\d+){5}) : tunables((?: +\d+){3}) : slabdata((?: +\d+){3})(?: : .*)?")


@dataclass(frozen=True, slots=True)
class SlabInfo:
    """One cache. `objsize` is the distance of two objects in bytes, not what a caller asked for."""

    name: str
    active_objs: int
    num_objs: int
    objsize: int
    objperslab: int
    pagesperslab: int
    active_slabs: int
    num_slabs: int
    tunables: tuple[int, int, int] = (0, 0, 0)
    sharedavail: int = 0


def slabinfo(kernel: Kernel) -> list[SlabInfo]:
    """The rows of the modelled kernel's /proc/slabinfo: the newest cache first."""
    return [_row(cache) for cache in reversed(kernel.slab.caches)]


def _row(cache: KmemCache) -> SlabInfo:
    slabs, objects = len(cache.slabs), sum(slab.objects for slab in cache.slabs.values())
    free = sum(slab.free_objects for partial in cache.partial.values() for slab in partial.values())
    sizes = cache.sizes.size, cache.objects_per_slab, 1 << cache.order
    return SlabInfo(cache.name, objects - free, objects, *sizes, slabs, slabs)


def print_slabinfo(kernel: Kernel) -> str:
    """/proc/slabinfo of the modelled kernel, right now."""
    return format_slabinfo(slabinfo(kernel))


def format_slabinfo(rows: list[SlabInfo]) -> str:
    """The file's text."""
    return "".join(line + "\n" for line in (VERSION, HEADER, *map(_line, rows)))


def _line(row: SlabInfo) -> str:
    objects = f"{row.active_objs:6} {row.num_objs:6} {row.objsize:6} {row.objperslab:4} {row.pagesperslab:4}"
    limit, batchcount, shared = row.tunables
    slabs = f"{row.active_slabs:6} {row.num_slabs:6} {row.sharedavail:6}"
    return f"{row.name:<17} {objects} : tunables {limit:4} {batchcount:4} {shared:4} : slabdata {slabs}"


def read_slabinfo(path: str | Path = "/proc/slabinfo") -> list[SlabInfo]:
    """Every cache of this machine (root only), or of a saved file."""
    return parse_slabinfo(text_of(path, "only root may (sudo), or read a saved file"), str(path))


def parse_slabinfo(text: str, name: str = "slabinfo") -> list[SlabInfo]:
    """The rows of a slabinfo text; `name` is used in errors."""
    lines = text.splitlines()
    if not lines or not lines[0].startswith("slabinfo - version: 2."):
        raise VmlabError(f"{name}, line 1: expected {VERSION!r}, got {(lines or [''])[0][:60]!r}")
    rows = []
    for number, line in enumerate(lines[1:], 2):
        if not line.startswith("#"):
            rows.append(_parsed(line, f"{name}, line {number}"))
    return rows


def _parsed(line: str, where: str) -> SlabInfo:
    found = LINE.fullmatch(line)
    if not found:
        raise VmlabError(f"{where}: expected a cache's name and eleven numbers, got {line[:60]!r}")
    objects, tunables, slabs = ([int(word) for word in found[part].split()] for part in (2, 3, 4))
    active, total, size, per_slab, pages = objects
    limits = (tunables[0], tunables[1], tunables[2])
    return SlabInfo(found[1], active, total, size, per_slab, pages, slabs[0], slabs[1], limits, slabs[2])
