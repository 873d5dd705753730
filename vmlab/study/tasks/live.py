"""Lesson 13's first function to write: which frames are RAM, read from the text of /proc/iomem. A bug to find."""

from __future__ import annotations

import random

from ...procfs import Resource, format_iomem, parse_iomem
from ...units import PAGE_SHIFT, PAGE_SIZE, KiB, MiB, VmlabError
from ..plain import Plain
from ..question import Misconception
from ..task import Given, Task

BARRED = (*Task.barred, "vmlab.procfs", "vmlab.live", "vmlab.judge", "vmlab.compare")

RAM = "System RAM"
OTHERS = ("Reserved", "PCI Bus 0000:00", "pl011@9000000", "ACPI Tables", "Video ROM")
Lines = list[list[int | str]]  # [gap before it, bytes, name, frames of kernel code in it]


def _draw_lines(rng: random.Random, size: float) -> Given:
    lines: Lines = []
    for number in range(1 + int(size * 5)):
        gap = rng.choice((0, PAGE_SIZE, MiB)) + rng.choice((0, 0, 512)) if number else rng.choice((0, MiB, 1024 * MiB))
        if number == 0 or rng.random() < 0.6:
            odd = rng.choice((0, 0, 512, KiB, 3 * KiB))
            lines.append([gap, rng.randrange(10, 400) * MiB + odd, RAM, rng.choice((0, 0, 1024, 2048))])
        else:
            lines.append([gap, rng.randrange(1, 64) * KiB, rng.choice(OTHERS), 0])
    return {"lines": lines, "hidden": int(rng.random() < 0.3)}


def _text(lines: Lines, hidden: int) -> str:
    """As r_show prints it (Linux 6.1, kernel/resource.c): zeros to who may not know, every name all the same."""
    rows, at = [], 0
    for gap, size, name, code in lines:
        start = at + int(gap)
        at = start + int(size)
        first = -(-start // PAGE_SIZE) + 1
        end = first + int(code)
        if int(size) < 1 or (end << PAGE_SHIFT > at and code):
            raise VmlabError("expected a range with bytes in it, and the kernel's code within")
        rows.append(Resource(0, start, at, str(name)))
        if code:
            rows.append(Resource(1, first << PAGE_SHIFT, end << PAGE_SHIFT, "Kernel code"))
    return format_iomem([Resource(row.depth, 0, 1, row.name) for row in rows] if hidden else rows)


def _read(
    text: str, *, shown: bool = True, last: int = 1, outwards: bool = False, every: bool = False, code: bool = True
) -> Plain:
    """The obvious reader, with what a belief changes; ranges in whole frames, as [first, end)."""
    rows = parse_iomem(text)
    if shown and all(row.end == 1 for row in rows):
        return None
    found = []
    for row in rows:
        end = row.end - 1 + last
        inner = [-(-row.start // PAGE_SIZE), end // PAGE_SIZE]
        outer = [row.start // PAGE_SIZE, -(-end // PAGE_SIZE)]
        if row.depth == 0 and (every or row.name == RAM):
            found.append(outer if outwards else inner)
        elif row.depth and not code:
            found[-1:] = [[found[-1][0], row.start // PAGE_SIZE], [row.end // PAGE_SIZE, found[-1][1]]]
    return [pair for pair in found if pair[0] < pair[1]]


RAM_OF = Task(
    id="13.ram_of",
    signature="ram_of(text)",
    ask="Return the frames that are RAM, from the text of /proc/iomem: [first, end) for each line 'System RAM', whole "
    "frames only; end is the first frame after them. A range without a whole frame is left out. None if the kernel "
    "does not tell: every address is 0.",
    draw=_draw_lines,
    args=lambda lines, hidden: [_text(lines, hidden)],
    answer=lambda lines, hidden: _read(_text(lines, hidden)),
    loads=lambda lines, hidden: (
        f"from vmlab.procfs import parse_iomem\nprint(*parse_iomem({_text(lines, hidden)!r}), sep='\\n')"
    ),
    what="texts of iomem",
    barred=BARRED,
    beliefs=(
        Misconception(
            "the last byte of a line is the first one outside",
            lambda text: _read(text, last=0),
            "How many bytes has the range 00000000-00000fff?",
        ),
        Misconception(
            "a frame that is RAM in part is RAM",
            lambda text: _read(text, outwards=True),
            "Who would want a page of which half is missing?",
        ),
        Misconception(
            "zeros mean that there is no RAM",
            lambda text: _read(text, shown=False),
            "What does the kernel print to those who may not know its addresses?",
        ),
        Misconception(
            "every line at the margin is RAM",
            lambda text: _read(text, every=True),
            "Which names does the file give to what is no RAM?",
        ),
        Misconception(
            "frames with the kernel's code are RAM no more",
            lambda text: _read(text, code=False),
            "Is an indented line beside the range above it, or inside?",
        ),
    ),
    hints=(
        "Which byte stands after the hyphen: the last of the range, or the one after it?",
        "end: (the second number + 1) // 4096; first: the first number / 4096, rounded up.",
    ),
)
