"""The learner's own machine, read-only: one page in a process and in the child that it forks.

A small program of two processes is started for it: a page is written, then forked, then written by the child. Each
reads its own byte and its own line of /proc/self/pagemap. Frame numbers read as zero without CAP_SYS_ADMIN (Linux
6.1, fs/proc/task_mmu.c:pagemap_read); the rest of the line does not. Without pagemap (no Linux, or closed) the same
pages of a recorded PC are shown, and the first line says so.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

from ..record import load_machine
from ..units import group_hex
from .show import paragraph

SAMPLE = "amd64-pc-1g"
COLUMNS = ("when", "process", "virtual page", "first byte", "frame")
LEFT = 'style="text-align:left;padding:.1em .9em .1em 0"'
SECONDS = 20  # the program needs a few milliseconds
HIDDEN = "hidden"
PROGRAM = """
import ctypes, json, mmap, os
page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
va = ctypes.addressof(ctypes.c_char.from_buffer(page))
def tell(when, who):
    with open("/proc/self/pagemap", "rb", buffering=0) as file:
        file.seek(va // mmap.PAGESIZE * 8)
        entry = int.from_bytes(file.read(8), "little")
    print(json.dumps([when, who, va, chr(page[0]), entry]), flush=True)
page[0] = ord("P")
tell("before fork", "parent")
child = os.fork()
if child == 0:
    tell("after fork", "child")
    page[0] = ord("C")
    tell("child has written", "child")
    os._exit(0)
os.waitpid(child, 0)
tell("child has written", "parent")
"""
PRESENT, FRAME = 1 << 63, (1 << 55) - 1


@dataclass(frozen=True)
class OwnPage:
    """What was read, and from where; a row is (when, process, virtual page, first byte, frame)."""

    source: str
    rows: tuple[tuple[str, ...], ...]
    says: str

    def static_text(self) -> str:
        """Sentences and rows as text."""
        return "\n".join([self.source, *(" | ".join(row) for row in (COLUMNS, *self.rows)), self.says])

    def static_html(self) -> str:
        """Sentences and rows as HTML."""
        head = "".join(f'<th scope="col" {LEFT}>{name}</th>' for name in COLUMNS)
        body = "".join(f"<tr>{''.join(f'<td {LEFT}>{escape(cell)}</td>' for cell in row)}</tr>" for row in self.rows)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return f"{paragraph(self.source)}{table}{paragraph(self.says)}"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.static_html(), "text/plain": self.static_text()}


def own_page(program: str = PROGRAM) -> OwnPage:
    """One page of this machine before and after fork(), or of the recorded PC."""
    try:
        told = _run(program)
    except (OSError, ValueError, subprocess.SubprocessError) as problem:
        return _sample(_reason(problem))
    rows = tuple((when, who, group_hex(va), byte, _frame(entry)) for when, who, va, byte, entry in told)
    if any(row[-1] == HIDDEN for row in rows):
        says = (
            "Frame numbers are hidden: the kernel shows them to processes with CAP_SYS_ADMIN only. The bytes "
            "tell as much: at the end one address holds two letters, so there are two frames."
        )
    else:
        says = _compare([row[-1] for row in rows])
    return OwnPage(
        f"Shown: your own machine, Linux {platform.release()}, one page of a process made for it.", rows, says
    )


def _run(program: str) -> list[list[Any]]:
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, timeout=SECONDS, check=True)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    if not told:
        raise ValueError("the program told nothing")
    return sorted(told, key=lambda row: [row[0] == "child has written", row[0] == "after fork"])


def _frame(entry: int) -> str:
    """The frame in a line of pagemap: bits 54..0 if bit 63 says that the page is present."""
    if not entry & PRESENT:
        return "not present"
    return f"{entry & FRAME:#x}" if entry & FRAME else HIDDEN


def _compare(frames: list[str]) -> str:
    """What the four frames show: before fork, child after fork, child and parent after the write."""
    before, forked, child, parent = frames
    first = "kept the parent's frame" if before == forked else "got a frame of its own"
    second = "were in two frames" if child != parent else "were still in one frame"
    return f"After fork the child {first}; once it had written, the two {second}, at one virtual address."


def _reason(problem: Exception) -> str:
    if platform.system() != "Linux":
        return f"this is {platform.system() or 'no Linux'}, which has no /proc/self/pagemap"
    kind = "took too long" if isinstance(problem, subprocess.TimeoutExpired) else "could not be read here"
    return f"/proc/self/pagemap {kind}"


def _sample(why: str) -> OwnPage:
    """The recorded PC: the page that p1 wrote again after fork, in its parent, in p0 and in p1."""
    recorded = load_machine(SAMPLE).recorded
    cases = recorded.data["translation"]["cases"] if recorded else []
    rows = tuple(_recorded_rows(cases))
    parent, reader, writer = (row[-1] for row in rows)
    says = (
        f"p0, which only read, {'kept' if reader == parent else 'left'} its parent's frame; p1, which wrote, "
        f"{'has another' if writer != parent else 'has the same'}. One virtual address throughout."
    )
    return OwnPage(f"Shown: a sample, the recorded PC {SAMPLE}, because {why}.", rows, says)


def _recorded_rows(cases: list[dict[str, Any]]) -> Iterable[tuple[str, ...]]:
    for case in cases:
        if "COW broken" in case["what"] and case["proc"] in ("init", "p0", "p1"):
            wrote = "has written" if case["proc"] == "p1" else "has only read"
            when = "wrote it before fork" if case["proc"] == "init" else wrote
            yield when, case["proc"], group_hex(case["va"]), "not shown", f"{case['pagemap']['pfn']:#x}"
