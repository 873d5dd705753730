"""This machine's own /proc as a record: what it says without root, what with, and what was withheld and why.

Nothing is changed on the machine. The command line is left out (it may hold secrets); so are the names of programs.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import procfs
from ..units import VmlabError
from . import cases
from .process_holds import swaps

SYSCTLS = (
    "min_free_kbytes", "lowmem_reserve_ratio", "watermark_scale_factor", "watermark_boost_factor", "swappiness",
    "overcommit_memory", "user_reserve_kbytes", "admin_reserve_kbytes",
)  # fmt: skip
OWN_PAGES = 8


def record_host(proc: Path = Path("/proc")) -> dict[str, Any]:
    """The record; its part `withheld` names what this machine did not tell, with the reason."""
    if not (proc / "zoneinfo").is_file():
        raise VmlabError(
            f"{proc}/zoneinfo is not there: this is {platform.system()}, not Linux. "
            "`vmlab record NAME` boots a Linux of its own"
        )
    withheld: dict[str, str] = {}
    version = _text(proc / "version").strip()
    data: dict[str, Any] = {
        "schema": 1, "kind": "host", "name": f"host-{_release(version)}",
        "machine": {"arch": platform.machine(), "cpus": os.cpu_count()},
        "kernel": {"version": version, "cmdline": "(left out)"},
        "sysctl_vm": {name: _text(proc / "sys" / "vm" / name).strip() for name in SYSCTLS},
        "meminfo_kib": dict(_counts(_text(proc / "meminfo"))),
        "own_pagemap": own_pages(withheld),
    }  # fmt: skip
    parts: dict[str, Callable[[], Any]] = {
        "zones": lambda: [cases.zone(row) for row in procfs.read_zoneinfo(proc / "zoneinfo")],
        "iomem": lambda: [vars(row) for row in procfs.read_iomem(proc / "iomem")],
        "buddyinfo": lambda: [
            {"node": row.node, "zone": row.name, "nr_free": list(row.nr_free)}
            for row in procfs.read_buddyinfo(proc / "buddyinfo")
        ],
        "vmallocinfo": lambda: [cases.vmalloc_row(row) for row in procfs.read_vmallocinfo(proc / "vmallocinfo")],
        "slabinfo": lambda: procfs.format_slabinfo(procfs.read_slabinfo(proc / "slabinfo")),
        "pagetypeinfo": lambda: procfs.format_pagetypeinfo(procfs.read_pagetypeinfo(proc / "pagetypeinfo")),
        "swaps": lambda: _swaps(_text(proc / "swaps")),
    }
    for name, part in parts.items():
        try:
            data[name] = part()
        except (VmlabError, OSError) as reason:
            withheld[name] = str(reason)
    data["withheld"] = withheld
    return data


def own_pages(withheld: dict[str, str]) -> list[dict[str, Any]]:
    """What pagemap says of some pages of this process, every second of which was written."""
    import ctypes
    import mmap

    size = mmap.PAGESIZE
    with mmap.mmap(-1, OWN_PAGES * size) as pages:
        for number in range(0, OWN_PAGES, 2):
            pages[number * size] = 1
        buffer = ctypes.c_char.from_buffer(pages)
        start = ctypes.addressof(buffer)
        try:
            seen = procfs.read_pagemap("self", start, OWN_PAGES)
        except (VmlabError, OSError) as reason:
            withheld["own_pagemap"] = str(reason)
            return []
        finally:
            del buffer
    if seen.hidden:
        withheld["own_pagemap pfn"] = "frame numbers read as zero without CAP_SYS_ADMIN (since Linux 4.2)"
    rows = zip(range(OWN_PAGES), seen.words.tolist(), strict=True)
    return [{"va": start + number * size, "touched": number % 2 == 0, "raw": raw} for number, raw in rows]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _release(version: str) -> str:
    found = re.search(r"version (\d+\.\d+)", version)
    return found[1] if found else "unknown"


def _counts(text: str) -> list[tuple[str, int]]:
    return [(name, int(count)) for name, count in re.findall(r"^([\w()]+):\s+(\d+)", text, re.MULTILINE)]


def _swaps(text: str) -> list[dict[str, Any]]:
    """The areas, without the files' names."""
    return [{**row, "file": "(left out)"} for row in swaps(text)]
