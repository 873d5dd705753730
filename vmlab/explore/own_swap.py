"""The learner's own machine: its swap areas, a fork that shares until somebody writes, and a page asked to go.

Everything is done to a small mapping of this very process, and undone. What cannot be done (another system than Linux,
no swap, no right to see slots) is said in the row, not left out; a recorded PC then shows below how it looks.
"""

from __future__ import annotations

import mmap
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..record import load_machine
from ..study.show import paragraph
from ..views import Table

PAGES = 64
MADV_PAGEOUT = 21  # include/uapi/asm-generic/mman-common.h, Linux 5.4
SWAPPED, PRESENT = 1 << 62, 1 << 63  # of an entry of /proc/PID/pagemap
SAMPLE, SAMPLE_VA = "amd64-pc-4g", 0x40_0000
COLUMNS = ("what", "seen here", "what it means")


class OwnSwap:
    """Rows of (what, seen, meaning); a sample's rows begin with its name."""

    def __init__(self, rows: list[tuple[str, str, str]], sample: list[tuple[str, str, str]]) -> None:
        self.is_sample_shown = bool(sample)
        self.rows = rows = [*rows, *sample]
        self.table = Table(COLUMNS, rows)

    def static_html(self) -> str:
        """A sentence and the table."""
        return paragraph(self._first()) + self.table.static_html()

    def static_text(self) -> str:
        """The same as text."""
        return f"{self._first()}\n\n{self.table.static_text()}"

    def _first(self) -> str:
        here = f"{platform.system()} {platform.release()}"
        own = f"Shown: your own machine, {here}. Only this process's memory was touched."
        why = f"\nNo page of yours went to swap, so a sample stands below: the recorded PC {SAMPLE}."
        return own + why * self.is_sample_shown

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.static_html(), "text/plain": self.static_text()}


def own_swap(proc: Path = Path("/proc")) -> OwnSwap:
    """Swap areas, text and heap in maps, a fork, and a page that is asked to go."""
    gone = _page_out(proc)
    seen = [*_areas(proc), *_maps(proc), *_touch(), *_fork(), *gone]
    return OwnSwap(seen, [] if any("in swap" in row[1] for row in gone) else _sample())


def _sample() -> list[tuple[str, str, str]]:
    """What a recorded PC said: p0's page paged out, then forked to p3, then written by p3."""
    recorded = load_machine(SAMPLE).recorded
    stages = recorded.data["swap"] if recorded else {}
    out, forked, wrote = (_users(stages[name]) for name in ("swap1", "swap2", "swap3"))
    p3 = next(case for case in stages["swap3"]["cases"] if (case["proc"], case["va"]) == ("p3", SAMPLE_VA))
    areas = ", ".join(row["file"] for row in stages["swap1"]["swaps"])
    frame = p3["pagemap"]["pfn"]
    rows = [
        ("swap areas", areas, "area 0 and area 1"),
        ("p0's page asked to go", out, "its entry became a swap entry"),
        ("then p0 forked p3", forked, "fork copied the entry, and counted"),
        ("then p3 wrote to it", f"p3: frame {frame:#x}; {wrote}", "p3 has a frame; p0's entry still names the slot"),
    ]
    return [(f"sample: {what}", seen, means) for what, seen, means in rows]


def _users(stage: dict[str, Any]) -> str:
    """Slot, count and cache of p0's page at SAMPLE_VA."""
    case = next(row for row in stage["cases"] if (row["proc"], row["va"]) == ("p0", SAMPLE_VA))
    area, slot = case["swap_decoded"]
    user = next(row for row in stage["slot_users"] if (row["type"], row["offset"]) == (area, slot))
    cached = ", in the swap cache" if user["has_cache"] else ""
    return f"slot {slot} of area {area}, count {user['count']}{cached}"


def _areas(proc: Path) -> list[tuple[str, str, str]]:
    try:
        lines = (proc / "swaps").read_text().splitlines()[1:]
    except OSError as problem:
        return [("swap areas", "cannot be read", f"{problem.strerror}: {proc}/swaps is Linux's")]
    if not lines:
        return [("swap areas", "none", "anonymous pages cannot leave RAM here; files' pages still can")]
    found = []
    for line in lines:
        name, _, size, used, prio = line.split()[:5]
        found.append(
            (f"swap area {name}", f"{int(used):,} of {int(size):,} KiB used", f"priority {prio}: highest first")
        )
    return found


def _maps(proc: Path) -> list[tuple[str, str, str]]:
    try:
        lines = (proc / "self" / "maps").read_text().splitlines()
    except OSError:
        return []
    text = next((line for line in lines if " r-xp " in line and "/" in line), None)
    heap = next((line for line in lines if line.endswith("[heap]")), None)
    rows = []
    if text:
        rows.append(
            ("this program's text", text.split()[-1].rpartition("/")[2], "dropped and read again, never swapped")
        )
    if heap:
        rows.append(("this program's heap", heap.split()[0], "anonymous: swap is the only place it can go to"))
    return rows


def _minor() -> int | None:
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def _faults(work: Callable[[], object]) -> int | None:
    before = _minor()
    work()
    after = _minor()
    return None if before is None or after is None else after - before


def _touch() -> list[tuple[str, str, str]]:
    """First touches of fresh memory, then the same again."""
    with mmap.mmap(-1, PAGES * mmap.PAGESIZE) as memory:
        first, second = _faults(lambda: _write(memory)), _faults(lambda: _write(memory))
    if first is None:
        return [("first touch", "not counted", "this system has no getrusage")]
    return [
        (f"write to {PAGES} fresh pages, twice", f"{first}, then {second} faults", "a page is made when it is touched")
    ]


def _write(memory: mmap.mmap) -> None:
    for at in range(0, PAGES * mmap.PAGESIZE, mmap.PAGESIZE):
        memory[at] = 1


def _fork() -> list[tuple[str, str, str]]:
    """A child that reads the parent's pages, then writes them: what each costs."""
    if not hasattr(os, "fork") or _minor() is None:
        return [("fork", "not tried", "this system has no fork")]
    memory = mmap.mmap(-1, PAGES * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    _write(memory)
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            reads = _faults(lambda: [memory[at] for at in range(0, len(memory), mmap.PAGESIZE)])
            writes = _faults(lambda: _write(memory))
            os.write(write_end, f"{reads} {writes}".encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as told:
        counted = told.read().split() or ["?", "?"]
    os.waitpid(child, 0)
    memory.close()
    return [
        (
            f"a child reads {PAGES} pages, then writes",
            f"{counted[0]}, then {counted[1]} faults",
            "copied when written, not before",
        )
    ]


def _page_out(proc: Path) -> list[tuple[str, str, str]]:
    """Ask the kernel to take one page (MADV_PAGEOUT), look at pagemap, and read it back."""
    what = "one page asked to go (MADV_PAGEOUT)"
    if not hasattr(mmap, "MAP_PRIVATE") or not hasattr(mmap.mmap, "madvise"):
        return [(what, "not tried", "this system has no madvise")]
    with mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory[:5] = b"hello"
        try:
            memory.madvise(MADV_PAGEOUT)
        except (OSError, ValueError) as problem:
            return [(what, "refused", f"{problem}: Linux has it since 5.4")]
        entry = _pagemap(proc, memory)
        back = bytes(memory[:5]) == b"hello"
    if entry is None:
        return [(what, "pagemap cannot be read", "whether it went cannot be seen from here")]
    kept = "and came back whole" if back else "and is lost: report this"
    if entry & SWAPPED:
        slot = entry >> 5 & (1 << 50) - 1
        seen = f"in swap, slot {slot:,} of area {entry & 31}" if slot else "in swap; the slot is shown to root only"
        return [(what, seen, f"its entry became a swap entry, {kept}")]
    return [
        (
            what,
            "still present" if entry & PRESENT else "gone",
            "no swap took it; " + ("its bytes are there" if back else "its bytes are lost: report this"),
        )
    ]


def _pagemap(proc: Path, memory: mmap.mmap) -> int | None:
    import ctypes

    view = ctypes.c_char.from_buffer(memory)
    address = ctypes.addressof(view)
    del view
    try:
        with (proc / "self" / "pagemap").open("rb", buffering=0) as file:
            file.seek(address // mmap.PAGESIZE * 8)
            data = file.read(8)
    except OSError:
        return None
    return int.from_bytes(data, "little") if len(data) == 8 else None
