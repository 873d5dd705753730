"""The learner's own machine: one page of a process made for it, watched while it is copied, paged out and moved.

Nothing but that process is touched; `compact=True` also asks the kernel to compact all memory once, which needs root
and does no harm. Frame numbers read as zero without CAP_SYS_ADMIN; then present, swapped and soft-dirty are still told,
and what the counters of /proc/vmstat say. Off Linux a recorded process is shown, and the first line says so.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from typing import Any, NamedTuple

from ..procfs import PagemapEntry
from ..record import load_machine
from ..units import group_hex
from ..views import Table
from .own_slab import Own

SECONDS = 60  # compaction of a large machine takes a few
SAMPLE, SAMPLE_VA = "amd64-pc-1g", 0x40_0000
NOWHERE = -1  # in no frame
COUNTERS = ("pgmigrate_success", "pswpout", "pswpin", "thp_collapse_alloc")
PROGRAM = r"""
import ctypes, errno, json, mmap, os, sys
PAGE, HUGE = mmap.PAGESIZE, 2 << 20
PAGEOUT, COLLAPSE, DONTNEED, MAYMOVE, FIXED = 21, 25, 4, 1, 2
libc = ctypes.CDLL(None, use_errno=True)
libc.mremap.restype = ctypes.c_void_p
area = mmap.mmap(-1, 4 * HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
base = ctypes.addressof(ctypes.c_char.from_buffer(area))
va = -(-base // HUGE) * HUGE
offset = va - base
away = va + 2 * HUGE
pagemap = os.open("/proc/self/pagemap", os.O_RDONLY)
names = %r
def counters():
    try:
        rows = dict(line.split() for line in open("/proc/vmstat"))
    except OSError:
        return {}
    return {name: int(rows[name]) for name in names if name in rows}
def why(code):
    return "" if code != -1 else errno.errorcode.get(ctypes.get_errno(), "refused")
def tell(what, problem, before, at=va):
    entry = int.from_bytes(os.pread(pagemap, 8, at // PAGE * 8), "little")
    after = counters()
    grew = [name for name in after if after[name] > before.get(name, 0)]
    print(json.dumps([what, at, entry, problem, grew]), flush=True)
def advise(what, size, advice):
    before = counters()
    problem = why(libc.madvise(ctypes.c_void_p(va), ctypes.c_size_t(size), advice))
    tell(what, problem, before)
before = counters()
area[offset] = 65
tell("written", "", before)
before = counters()
ready, go = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    os.read(go[0], 1)
    os._exit(0)
tell("forked", "", before)
before = counters()
area[offset] = 66
tell("written while the child has it too", "", before)
os.write(go[1], b"x")
os.waitpid(child, 0)
advise("madvise(MADV_PAGEOUT)", PAGE, PAGEOUT)
before = counters()
kept = area[offset]
tell("read again", "", before)
advise("madvise(MADV_COLLAPSE)", HUGE, COLLAPSE)
if "compact" in sys.argv:
    before, problem = counters(), ""
    try:
        open("/proc/sys/vm/compact_memory", "w").write("1")
    except OSError as bad:
        problem = errno.errorcode.get(bad.errno, "refused")
    tell("all memory compacted", problem, before)
before = counters()
moved = libc.mremap(ctypes.c_void_p(va), ctypes.c_size_t(PAGE), ctypes.c_size_t(PAGE), MAYMOVE | FIXED,
                    ctypes.c_void_p(away))
problem = "" if moved == away else "refused"
tell("mremap: at the old address", problem, before)
tell("mremap: at the new address", problem, before, away)
""".replace("%r", repr(COUNTERS))


class Seen(NamedTuple):
    """One look at the page."""

    what: str
    va: int
    entry: PagemapEntry
    problem: str  # why the step did not work
    grew: tuple[str, ...]  # counters of the whole machine that grew meanwhile


def own_moves(compact: bool = False, program: str = PROGRAM) -> Own:
    """One page of this machine, step by step; or a recorded one."""
    if platform.system() != "Linux":
        return _sample(f"this is {platform.system() or 'no Linux'}, which has no /proc/self/pagemap")
    try:
        looks = _run(program, ["compact"] if compact else [])
    except (OSError, ValueError, subprocess.SubprocessError) as problem:
        kind = "took too long" if isinstance(problem, subprocess.TimeoutExpired) else "could not be read here"
        return _sample(f"/proc/self/pagemap {kind}")
    hidden = all(not look.entry.pfn for look in looks if look.entry.present)
    source = f"Shown: your own machine, Linux {platform.release()}, one page of a process made for it."
    says = [source, _hidden(looks) if hidden else _moved(looks)]
    if any(look.what.endswith("PAGEOUT)") and look.entry.present and not look.problem for look in looks):
        says.append("MADV_PAGEOUT left the page where it was: without a swap area there is nowhere to put it.")
    says += [f"“{look.what}” did not work here: {look.problem}." for look in looks if look.problem][:4]
    return Own(tuple(says), _table(looks))


def _run(program: str, arguments: list[str]) -> list[Seen]:
    asked = [sys.executable, "-I", "-c", program, *arguments]
    done = subprocess.run(asked, capture_output=True, timeout=SECONDS, check=True)
    looks = [_seen(json.loads(line)) for line in done.stdout.splitlines()]
    if not looks:
        raise ValueError("the program told nothing")
    return looks


def _seen(row: list[Any]) -> Seen:
    what, va, raw, problem, grew = row
    return Seen(what, va, PagemapEntry.decode(raw, "6.15"), problem, tuple(grew))


def _hidden(looks: list[Seen]) -> str:
    soft = any(look.entry.soft_dirty for look in looks)
    return (
        "Frame numbers are hidden: the kernel shows them to processes with CAP_SYS_ADMIN only. What can be seen: "
        f"present, swapped, and soft-dirty ({'set' if soft else 'not kept by this kernel'}). A move from frame to "
        "frame cannot be seen at all."
    )


def _moved(looks: list[Seen]) -> str:
    """The steps after which a frame number that was read before would have been wrong."""
    stale, last = [], looks[0].entry.pfn
    for look in looks[1:]:
        if "old address" in look.what or look.entry.pfn == last:
            continue
        stale.append(look.what)
        last = look.entry.pfn
    if not stale:
        return "The page kept its frame through all of this: no step that could move it worked here."
    return f"A frame number read before was wrong after: {'; '.join(stale)}."


def _table(looks: list[Seen]) -> Table:
    rows: list[tuple[str, ...]] = []
    last: int | None = None
    for look in looks:
        is_away = "old address" in look.what
        place = "-" if is_away or last is None else _compared(look.entry, last)
        grew = ", ".join(look.grew) or "-"
        rows.append((look.what, group_hex(look.va), look.entry.tell(), place, grew))
        last = last if is_away else look.entry.pfn if look.entry.present else NOWHERE
    return Table(("step", "address", "pagemap says", "another place?", "counters that grew (whole machine)"), rows)


def _compared(now: PagemapEntry, last: int) -> str:
    """Whether the page is in another place than before, as far as it shows."""
    if now.present and not now.pfn and not last:
        return "hidden"
    return "no" if (now.pfn or NOWHERE) == last else "yes"


STAGES = {
    "xlate": "written",
    "swap1": "paged out (MADV_PAGEOUT)",
    "swap2": "the parent of another process forked",
    "swap3": "read again",
    "swap4": "paged out again",
}


def _sample(why: str) -> Own:
    """Process p1 of a recorded PC, through its five stages."""
    recorded = load_machine(SAMPLE).recorded
    data = recorded.data if recorded else {}
    stages = {"xlate": data["translation"], **data["swap"]}
    looks = [
        Seen(words, SAMPLE_VA, PagemapEntry.decode(case["pagemap"]["raw"]), "", ())
        for stage, words in STAGES.items()
        for case in stages[stage]["cases"]
        if (case["proc"], case["va"]) == ("p1", SAMPLE_VA)
    ]
    source = f"Shown: a sample, process p1 of the recorded PC {SAMPLE}, because {why}."
    return Own((source, _moved(looks)), _table(looks))
