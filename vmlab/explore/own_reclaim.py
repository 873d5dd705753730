"""The learner's own machine: what reclaim has done since it booted, from /proc/vmstat, and which kind of lists it uses.

Read-only and without root. Where there is no /proc/vmstat a saved one is shown, and the first words say so.
"""

from __future__ import annotations

import platform
from pathlib import Path

from ..procfs import sample
from ..units import PAGE_SIZE, VmlabError, human
from ..views import Table

SAMPLE = "xeon-guest"
COUNTERS = {  # name -> (what it counts, whether in pages)
    "pgscan_kswapd": "pages that kswapd looked at",
    "pgscan_direct": "pages that tasks looked at, having found no free frame",
    "pgsteal_kswapd": "pages that kswapd freed",
    "pgsteal_direct": "pages that tasks freed for themselves",
    "pgactivate": "pages that became active",
    "pgdeactivate": "pages that became inactive",
    "workingset_refault_anon": "anonymous pages that came back from swap",
    "workingset_refault_file": "file pages that were read again",
    "workingset_activate_anon": "anonymous ones of these that became active at once",
    "workingset_activate_file": "file pages of these that became active at once",
    "pswpin": "pages read from swap",
    "pswpout": "pages written to swap",
}
LRU_GEN = "sys/kernel/mm/lru_gen/enabled"
SWAPPINESS = "proc/sys/vm/swappiness"


def read_vmstat(path: Path) -> dict[str, int]:
    """Counters by name; VmlabError says why the file is no use."""
    try:
        lines = path.read_text(errors="replace").splitlines()
        return {name: int(value) for name, value in (line.split() for line in lines if line.strip())}
    except (OSError, ValueError) as why:
        raise VmlabError(f"{path} cannot be read ({why})") from None


def own_reclaim(root: Path = Path("/")) -> Table:
    """What reclaim scanned, freed and saw come back since this machine booted."""
    try:
        found, source = read_vmstat(root / "proc/vmstat"), f"your own machine, Linux {platform.release()}"
    except VmlabError as why:
        found, source = read_vmstat(sample("vmstat", SAMPLE)), f"a saved sample, {SAMPLE}, because {why}"
    rows: list[tuple[str, str, str]] = [("shown", source, "")]
    rows += [(name, _count(found, name), words) for name, words in COUNTERS.items()]
    scanned = found.get("pgscan_kswapd", 0) + found.get("pgscan_direct", 0)
    freed = found.get("pgsteal_kswapd", 0) + found.get("pgsteal_direct", 0)
    rows.append(("freed of scanned", f"{freed / scanned:.0%}" if scanned else "nothing was scanned", "reclaim's yield"))
    rows.append(("swappiness", _line(root / SWAPPINESS), "0 to 200; 60 unless somebody changed it"))
    rows.append(("lru_gen", _generations(_line(root / LRU_GEN)), "generations in place of two lists"))
    return Table(("what", "this machine", "meaning"), rows)


def _count(found: dict[str, int], name: str) -> str:
    if name not in found:
        return "not counted by this kernel"
    pages = found[name]
    return f"{pages:,} pages ({human(pages * PAGE_SIZE)})" if pages else "0 pages"


def _line(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return "not there"


def _generations(text: str) -> str:
    """The file is a mask in hexadecimal; bit 0 is the main switch (Linux 6.1, mm/vmscan.c: show_enabled)."""
    try:
        mask = int(text, 16)
    except ValueError:
        return "not there: this kernel has two lists alone, or hides it"
    return f"{text}: {'on' if mask & 1 else 'built in, off'}"
