"""The learner's own TLB, read-only: what the CPU says of it, and how long reads take on few and on many pages.

Where reads cannot be timed, a saved measurement is shown, and the first words say so.
"""

from __future__ import annotations

import platform
import re
from pathlib import Path

from ..procfs import sample
from ..units import VmlabError, human
from ..views import Axis, Curve, Drawing, Table, curves

COUNTS = tuple(1 << n for n in range(3, 14))
SAMPLE = "epyc-guest"
FLAGS = {
    "pcid": "entries say whose they are",
    "invpcid": "another process's entries can be flushed",
    "pti": "user mode has a page table of its own",
    "pdpe1gb": "pages of 1 GiB",
}
HUGE = "sys/kernel/mm/transparent_hugepage/enabled"
NAMES = {
    "packed": "packed, 64 to a page",
    "spread": "one a page of 4 KiB",
    "large pages": "the same, 2 MiB asked",
}


def own_features(root: Path = Path("/")) -> Table:
    """What Linux says of this CPU's TLB; the same lines of a saved PC where there is no /proc/cpuinfo."""
    try:
        text, source = (root / "proc/cpuinfo").read_text(errors="replace"), "your own machine"
    except OSError as why:
        text, source = sample("cpuinfo", SAMPLE).read_text(), f"a saved sample, {SAMPLE}, because of {why.strerror}"
    flags = set(_field(text, r"flags|Features").split())
    rows = [
        ("shown", source),
        ("processor", _field(text, r"model name|CPU part") or platform.processor() or "not said"),
    ]
    rows.append(("TLB size", _field(text, "TLB size") or "not said (Linux prints it for AMD processors only)"))
    rows += [
        (name, f"yes: {words}" if name in flags else f"not listed (it would mean: {words})")
        for name, words in FLAGS.items()
    ]
    try:
        rows.append(("transparent huge pages", f"{(root / HUGE).read_text().strip()} (the one in brackets)"))
    except OSError:
        rows.append(("transparent huge pages", "not said"))
    return Table(("what", "this machine"), rows)


def own_strides(measured: bool = True) -> Drawing:
    """Time of a read along a random circle: so many lines, packed or one a page. Takes about a second."""
    source = f"Shown: your own machine, {platform.machine()}, measured now"
    try:
        if not measured:
            raise VmlabError("no measurement was asked for")
        from ..trace.chase import measure

        counts, found = COUNTS, measure(COUNTS)
    except (ImportError, OSError, MemoryError, VmlabError) as why:
        counts, found = parse(sample("strides", SAMPLE).read_text())
        source = f"Shown: a saved sample, {SAMPLE}, because: {why}"
    lines = [Curve(NAMES[name], values) for name, values in found.items()]
    return curves("Nanoseconds for one read", says(source, counts, found), counts, lines, Axis(XS), Axis(YS, "{:,.1f}"))


XS, YS = "cache lines read in a random circle", "ns a read"


def says(source: str, counts: tuple[int, ...], found: dict[str, list[float]]) -> str:
    """One sentence: what the last point costs in each way."""
    last = {name: values[-1] for name, values in found.items()}
    factor = last["spread"] / last["packed"]
    words = ", ".join(f"{last[name]:.1f} ns {NAMES[name]}" for name in found)
    return (
        f"{source}. {counts[-1]:,} lines: a read takes {words}. Spread over {human(counts[-1] * 4096)} of "
        f"pages it takes {factor:.1f} times as long as packed."
    )


def parse(text: str) -> tuple[tuple[int, ...], dict[str, list[float]]]:
    """Read a saved measurement: comments, a header, one row for each number of lines."""
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    names, values = rows[0][1:], rows[1:]
    found = {name: [float(row[at]) for row in values] for at, name in enumerate(names, 1)}
    return tuple(int(row[0]) for row in values), found


def _field(text: str, name: str) -> str:
    found = re.search(rf"(?m)^(?:{name})\s*:\s*(.*)$", text)
    return found[1].strip() if found else ""
