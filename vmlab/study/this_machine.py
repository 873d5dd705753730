"""The learner's own machine, read-only: its RAM, its zones, and what its struct pages take.

Where /proc cannot be read (no Linux) the files of a recorded PC that ship with the package are shown
instead, and the first line says which it is. Addresses in /proc/iomem read as zero without CAP_SYS_ADMIN
(Linux 6.1, kernel/resource.c:r_show): then RAM is left out and a line says so.
"""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

from .. import procfs
from ..procfs import Resource, ZoneInfo
from ..units import PAGE_SIZE, VmlabError, group_hex, human
from .show import paragraph

SAMPLE = "amd64-pc-4g"
PROC = Path("/proc")
STRUCT_PAGE_BYTES = 64  # on amd64 and arm64, Linux 6.1 as Debian builds it (recorded)
LEFT = 'style="text-align:left;padding:.1em .9em .1em 0"'
COLUMNS = ("node", "zone", "first frame", "spanned", "present", "managed")


@dataclass(frozen=True)
class ThisMachine:
    """What was read and from where; `ram` is empty where addresses are hidden."""

    source: str
    zones: tuple[ZoneInfo, ...]
    ram: tuple[Resource, ...]
    hidden: str = ""
    memmap_pages: int | None = None

    @property
    def present_pages(self) -> int:
        """Present pages of all zones."""
        return sum(zone.present_pages for zone in self.zones)

    @property
    def estimated_pages(self) -> int:
        """Pages that the struct pages of all present pages take, 64 bytes each."""
        return self.present_pages * STRUCT_PAGE_BYTES // PAGE_SIZE

    def said(self) -> str:
        """The sentences that go with the table."""
        lines = [self.source]
        for row in self.ram:
            lines.append(f"RAM {group_hex(row.start)} to {group_hex(row.end - 1)}, {human(row.end - row.start)}")
        lines += [self.hidden] if self.hidden else []
        lines.append(
            f"{self.present_pages:,} pages are present. At {STRUCT_PAGE_BYTES} bytes each, "
            "as on the recorded 64-bit kernels, "
            f"their struct pages fill {self.estimated_pages:,} pages ({human(self.estimated_pages * PAGE_SIZE)})."
        )
        if self.memmap_pages is not None:
            count = f"{self.memmap_pages:,} pages"
            lines.append(f"The kernel's own count (/proc/vmstat, nr_memmap_boot_pages): {count}.")
        return "\n".join(lines)

    def rows(self) -> list[tuple[str, ...]]:
        """One row for each populated zone."""
        return [
            (
                str(z.node),
                z.name,
                hex(z.start_pfn),
                *(f"{n:,}" for n in (z.spanned_pages, z.present_pages, z.managed_pages)),
            )
            for z in self.zones
        ]

    def static_text(self) -> str:
        """Sentences and zones as text."""
        return "\n".join([self.said(), *(" ".join(row) for row in (COLUMNS, *self.rows()))])

    def static_html(self) -> str:
        """Sentences and zones as HTML."""
        head = "".join(f'<th scope="col" {LEFT}>{name}</th>' for name in COLUMNS)
        body = "".join(f"<tr>{''.join(f'<td {LEFT}>{escape(cell)}</td>' for cell in row)}</tr>" for row in self.rows())
        return f"{paragraph(self.said())}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.static_html(), "text/plain": self.static_text()}


def this_machine(proc: Path = PROC) -> ThisMachine:
    """This machine as its /proc tells it, or the shipped sample."""
    try:
        zones = procfs.read_zoneinfo(proc / "zoneinfo")
    except VmlabError as problem:
        return _sample(str(problem).partition(";")[0])
    source = f"Shown: your own machine, Linux {platform.release()}, read-only from {proc}."
    try:
        ram, hidden = _ram(procfs.read_iomem(proc / "iomem")), ""
    except VmlabError as problem:
        ram, hidden = (), f"Where RAM lies is not shown. {str(problem).partition(':')[0]}: {_why(str(problem))}."
    return ThisMachine(source, _populated(zones), ram, hidden, _memmap_pages(proc / "vmstat"))


def _sample(why: str) -> ThisMachine:
    zones = procfs.read_zoneinfo(procfs.sample("zoneinfo", SAMPLE))
    ram = procfs.read_iomem(procfs.sample("iomem", SAMPLE))
    return ThisMachine(f"Shown: a sample, the recorded PC {SAMPLE}, because {why}.", _populated(zones), _ram(ram))


def _why(problem: str) -> str:
    return "addresses read as zero, only root is shown them" if "zero" in problem else "it cannot be read"


def _populated(zones: list[ZoneInfo]) -> tuple[ZoneInfo, ...]:
    return tuple(zone for zone in zones if zone.present_pages)


def _ram(rows: list[Resource]) -> tuple[Resource, ...]:
    return tuple(row for row in rows if row.name == "System RAM")


def _memmap_pages(vmstat: Path) -> int | None:
    """Pages of struct pages made at boot, which the kernel counts itself since Linux 6.11."""
    try:
        found = re.search(r"(?m)^nr_memmap_boot_pages (\d+)$", vmstat.read_text())
    except OSError:
        return None
    return int(found[1]) if found else None
