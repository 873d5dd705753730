"""The learner's own machine, read-only: its page size, its address widths, and this process's addresses, cut.

The number of levels is a guess from /proc/cpuinfo and from the addresses in use; which tables the CPU really walks
only the kernel knows. Where nothing can be read (no Linux, an architecture without a row here), a recorded
process is shown, and the first line says so.
"""

from __future__ import annotations

import mmap
import platform
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ..arch.format import Format
from ..arch.formats import page_format
from ..record import load_machine
from ..units import KiB, VmlabError, group_hex, human
from .show import paragraph

SAMPLE, PROC = "amd64-pc-1g", Path("/proc")
SHOWN = ("[heap]", "[stack]", "[vdso]", "libc")
LEFT = 'style="text-align:left;padding:.1em .9em .1em 0"'

ROWS = {  # (machine, bytes of a page) -> formats from the narrowest addresses to the widest
    ("x86_64", 4 * KiB): ("x86-64-4", "x86-64-5"),
    ("i686", 4 * KiB): ("x86-32", "x86-pae"),
    ("aarch64", 4 * KiB): ("arm64-4k-39", "arm64-4k-48"),
    ("aarch64", 16 * KiB): ("arm64-16k-36", "arm64-16k-47", "arm64-16k-48"),
    ("aarch64", 64 * KiB): ("arm64-64k-42", "arm64-64k-48"),
    ("armv7l", 4 * KiB): ("arm-short", "arm-lpae"),
    ("riscv64", 4 * KiB): ("sv39", "sv48", "sv57"),
}


@dataclass(frozen=True)
class ThisTranslation:
    """What was read and from where, and a few addresses in use."""

    source: str
    format: Format
    notes: tuple[str, ...]
    places: tuple[tuple[str, int], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """A column for each index."""
        return ("what", "address", *(level.name for level in self.format.levels), "offset")

    def rows(self) -> list[tuple[str, ...]]:
        """Each address with its indices."""
        return [
            (name, group_hex(va), *map(str, self.format.split(va)[:-1]), hex(self.format.split(va)[-1]))
            for name, va in self.places
        ]

    def said(self) -> str:
        """The sentences above the table."""
        sizes = ", ".join(map(human, self.format.page_sizes))
        return "\n".join((self.source, *self.notes, f"Cut as {self.format.title}; pages can have {sizes}."))

    def static_text(self) -> str:
        """Sentences and table as text."""
        return "\n".join([self.said(), *(" ".join(row) for row in (self.columns, *self.rows()))])

    def static_html(self) -> str:
        """Sentences and table as HTML."""
        head = "".join(f'<th scope="col" {LEFT}>{name}</th>' for name in self.columns)
        body = "".join(f"<tr>{''.join(f'<td {LEFT}>{escape(cell)}</td>' for cell in row)}</tr>" for row in self.rows())
        return f"{paragraph(self.said())}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.static_html(), "text/plain": self.static_text()}


def this_translation(proc: Path = PROC, machine: str | None = None, page_bytes: int = mmap.PAGESIZE) -> ThisTranslation:
    """This process on this machine, or a recorded one."""
    machine = machine or platform.machine()
    try:
        cpuinfo, maps = (proc / "cpuinfo").read_text(), (proc / "self" / "maps").read_text()
    except OSError as problem:
        return _sample(f"{problem.filename} cannot be read")
    places = _places(maps)
    if (machine, page_bytes) not in ROWS or not places:
        return _sample(f"{machine} with pages of {human(page_bytes)} is not known here")
    fmt = _guess(ROWS[machine, page_bytes], cpuinfo, max(va for _, va in places))
    notes = [f"Smallest page: {human(page_bytes)}. Levels (a guess): {len(fmt.levels)}."]
    if widths := re.search(r"(?m)^address sizes\s*: (.*)$", cpuinfo):
        notes.append(f"/proc/cpuinfo, address sizes: {widths[1]}.")
    source = f"Shown: your own machine ({machine}), this Python process, read-only from {proc}."
    return ThisTranslation(source, fmt, tuple(notes), places)


def _guess(names: tuple[str, ...], cpuinfo: str, highest: int) -> Format:
    """The narrowest format that has room for `highest`; x86 names five levels, and PAE, among its flags."""
    flags = set(re.findall(r"\w+", (re.search(r"(?m)^flags\s*:(.*)$", cpuinfo) or [""] * 2)[1]))
    if names[0] == "x86-64-4":
        return page_format(names["la57" in flags])
    if names[0] == "x86-32":
        return page_format(names["pae" in flags])
    if names[0] == "arm-short":
        return page_format(names["lpae" in cpuinfo])
    fits = [name for name in names if page_format(name).is_canonical(highest)]
    return page_format((fits or names)[0])


def _places(maps: str) -> tuple[tuple[str, int], ...]:
    """The program's first address, and the first one of each well-known area."""
    found: dict[str, int] = {}
    for start, name in re.findall(r"(?m)^([0-9a-f]+)-\S+ \S+ \S+ \S+ \d+ *(.*)$", maps):
        if not found:
            found[name.rpartition("/")[2] or "first area"] = int(start, 16)
        for known in SHOWN:
            if known in name and known not in found:
                found[known] = int(start, 16)
    return tuple(found.items())


def _sample(why: str) -> ThisTranslation:
    recorded = load_machine(SAMPLE).recorded
    if recorded is None:
        raise VmlabError(f"{SAMPLE}: nothing was recorded on it")
    fmt = recorded.address_space("p0").format
    cases = [case for case in recorded.data["translation"]["cases"] if case["proc"] == "p0" and case["pa"] is not None]
    places = {case["what"]: case["va"] for case in cases if case["what"].startswith(("/", "[", "huge"))}
    source = f"Shown: a sample, the process p0 of the recorded PC {SAMPLE}, because {why}."
    notes = (f"Smallest page: {human(1 << fmt.page_shift)}. Levels: {len(fmt.levels)}.",)
    return ThisTranslation(source, fmt, notes, tuple(places.items()))
