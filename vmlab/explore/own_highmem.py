"""The learner's own machine, read-only: does it have HighMem at all? Beside it a recorded ARM board that does.

/proc/meminfo has the lines HighTotal and LowTotal on kernels built with CONFIG_HIGHMEM only (Linux 6.1,
mm/page_alloc.c:si_meminfo, fs/proc/meminfo.c); anybody may read it, and /proc/zoneinfo too.
"""

from __future__ import annotations

import platform
import re
from pathlib import Path

from ..procfs import ZoneInfo, read_zoneinfo, sample
from ..record import load_machine
from ..units import PAGE_SIZE, KiB, VmlabError, human
from ..views import Table
from .own_slab import Own

BOARD = "arm-virt-armmp-1g"
LINES = {"MemTotal": "memory", "LowTotal": "of it lowmem", "HighTotal": "of it HighMem", "VmallocTotal": "for vmalloc"}


def own_highmem(proc: Path = Path("/proc")) -> Own:
    """Lowmem and HighMem here and on the recorded board, and the board's window."""
    board = load_machine(BOARD).recorded
    assert board is not None
    theirs, zones = board.data["meminfo_kib"], read_zoneinfo(sample("zoneinfo", BOARD))
    try:
        mine, own_zones = _meminfo(proc / "meminfo"), read_zoneinfo(proc / "zoneinfo")
        says = [f"Shown: your own machine, Linux {platform.release()} on {platform.machine()}, read-only from {proc}."]
        says.append(_verdict(mine))
    except VmlabError as problem:
        mine, own_zones = {}, []
        says = [f"Shown: only a sample, the recorded ARM board, because: {str(problem).partition(';')[0]}."]
    rows = [(words, _kib(mine, name), _kib(theirs, name)) for name, words in LINES.items()]
    rows.append(("zone HighMem", _zone(own_zones), _zone(zones)))
    window = board.data["kmap"]
    slots = f"{window['last_pkmap']} slots, {human(window['last_pkmap'] * PAGE_SIZE)}"
    rows.append(("kmap's window", "no file tells it" if "HighTotal" in mine else "none" if mine else "-", slots))
    return Own(tuple(says), Table(("", "this machine", "recorded ARM board, 1 GiB"), rows))


def _meminfo(path: Path) -> dict[str, int]:
    try:
        text = path.read_text()
    except OSError as bad:
        raise VmlabError(f"{path}: cannot be read: {bad.strerror}; it exists on Linux only") from None
    found = {name: int(size) for name, size in re.findall(r"(?m)^(\w+):\s+(\d+) kB$", text)}
    if "MemTotal" not in found:
        raise VmlabError(f"{path}: expected a line MemTotal, got none; it is no meminfo")
    return found


def _verdict(mine: dict[str, int]) -> str:
    if not mine.get("HighTotal"):
        why = "HighTotal is 0" if "HighTotal" in mine else "meminfo has no line HighTotal"
        return f"{why}: no HighMem here. Every page has an address in the direct map, and kmap is an addition."
    share = mine["HighTotal"] / mine["MemTotal"]
    return f"{share:.0%} of this machine's memory is HighMem: the kernel sees it through windows only."


def _kib(rows: dict[str, int], name: str) -> str:
    if not rows:
        return "-"
    return human(rows[name] * KiB) if name in rows else "no such line"


def _zone(zones: list[ZoneInfo]) -> str:
    found = [zone for zone in zones if zone.name == "HighMem"]
    if not found:
        return "no such zone" if zones else "-"
    return f"{found[0].present_pages:,} pages present"
