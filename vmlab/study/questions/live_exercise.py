"""The questions of lesson 13's exercise: from the kernel's list of RAM to mem_map, a figure, a choice."""

from __future__ import annotations

import functools
import random

from ...compare import values
from ...kernel import boot
from ...live import lab
from ...machine import Machine
from ...parts import Config, Image, Region
from ...procfs import print_iomem
from ...units import PAGE_SHIFT, MiB, pfn_up
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from ..trade import Way, trade_off
from ..weigh import Scenario
from .live import recorded
from .tlb_steps import apart

STRUCT_PAGE = 36  # bytes: Debian's kernel of the 32-bit ARM boards
BLOCK = 8  # MiB: the page allocator's largest block there; whole ones need no rounding
CODE = 2 * MiB  # the image lies so far into RAM


def _a_board(rng: random.Random) -> Facts:
    start = rng.choice((0x400, 0x600, 0x800))
    low, hole, high = (BLOCK * rng.randrange(*ends) for ends in ((16, 40), (2, 20), (4, 30)))
    return _board(start, low, hole, high)


@functools.lru_cache(maxsize=512)
def _board(start: int, low: int, hole: int, high: int) -> Facts:
    """A board of two banks, all in MiB: its iomem, and the model's mem_map."""
    image = Image(start * MiB + CODE, start * MiB + 11 * MiB, start * MiB + 7 * MiB, start * MiB + 9 * MiB)
    ram = (Region(start * MiB, low * MiB), Region((start + low + hole) * MiB, high * MiB))
    config = Config(zone_dma=False, struct_page_bytes=STRUCT_PAGE)
    kernel = boot(Machine(arch="arm", ram=ram, image=image, config=config))
    return {
        "report": print_iomem(kernel).rstrip(),
        "size": STRUCT_PAGE,
        "first": start * MiB >> PAGE_SHIFT,
        "end": (start + low + hole + high) * MiB >> PAGE_SHIFT,
        "hole": hole * MiB >> PAGE_SHIFT,
        "frames": values(kernel)["mem_map frames"],
    }


def _array_steps(first: int, end: int, size: int, report: str, **_: object) -> Steps:
    ram = [line.partition(" : ")[0] for line in report.splitlines() if line.endswith("System RAM")]
    entries = end - first
    return Steps.of(
        (
            Step("ranges", "the lines that are RAM", "System RAM, at the margin", ", ".join(ram)),
            Step("span", "frames from the first to the last", f"{end:#x} − {first:#x}", f"{entries:,}"),
            Step("bytes", "a struct page for each", f"{entries:,} × {size}", f"{entries * size:,}"),
            Step("mem_map", "bytes / 4,096, up", f"{entries * size:,} / 4,096", f"{pfn_up(entries * size):,}"),
        )
    )


WALK = apart(
    Question(
        id="13.walk",
        ask="The step span is open, and what follows it. A 32-bit ARM board with one mem_map for all of its RAM "
        "(FLATMEM) says in /proc/iomem:\n{report}\nIts struct page has {size} bytes. How many frames hold mem_map?",
        facts=_a_board,
        answer=lambda frames, **_: frames,
        misconceptions=(
            Misconception(
                "frames in a hole have no struct page",
                lambda first, end, hole, size, **_: pfn_up((end - first - hole) * size),
                "The array is one: what is its entry for a frame in the hole?",
            ),
            Misconception(
                "the array begins with frame 0",
                lambda end, size, **_: pfn_up(end * size),
                "Which frame does mem_map[0] describe on a board whose RAM begins higher?",
            ),
            Misconception(
                "the first range is all RAM",
                lambda first, end, hole, size, report, **_: pfn_up(_first_range(report) * size),
                "How many lines say System RAM?",
            ),
            Misconception(
                "the array's bytes are its frames",
                lambda first, end, size, **_: (end - first) * size,
                "How many bytes does one frame hold?",
            ),
        ),
        hints=(
            "Which frames does one array have to describe, if it is indexed by frame number?",
            "span: (the last byte + 1) / 4,096, less the first byte / 4,096, the hole and all.",
        ),
        steps=_array_steps,
        blank="span",
        because="one array for the whole span, holes too: an entry for each of its frames, {size} bytes each.",
    )
)


def _first_range(report: str) -> int:
    """Frames of iomem's first line."""
    first, last = (int(number, 16) for number in report.partition(" : ")[0].split("-"))
    return last + 1 - first >> PAGE_SHIFT


# --- a figure: two zones that were missed ---

FIGURED = (
    "amd64-pc-4g", "amd64-pc-4g-la57", "amd64-pc-numa-1g-4g", "arm64-virt-numa-2x1g", "arm-virt-armmp-512m-movable128m",
)  # fmt: skip


@functools.cache
def told_by(record: str) -> tuple[lab.Verdict, ...]:
    """The prediction made before a recorded kernel booted, value by value beside the kernel's."""
    return tuple(lab.verdicts(recorded(record)))


@functools.cache
def missed(record: str, what: str = " managed") -> tuple[int, ...]:
    """By how many pages the kernel's numbers of zones differ from the prediction, where they do."""
    rows = [row for row in told_by(record) if row.what.startswith("node ") and row.what.endswith(what)]
    return tuple(row.real - row.predicted for row in rows if not row.is_right and isinstance(row.real, int))


def _missed_steps(record: str) -> Steps:
    found = missed(record)
    return Steps.of(
        (
            Step("rows", "the zones whose managed pages are crossed", "managed, with its sign",
                 ", ".join(f"{pages:+,}" for pages in found)),
            Step("sum", "with their signs", " + ".join(f"({pages:+,})" for pages in found), f"{sum(found):,}"),
        )
    )  # fmt: skip


READ = apart(
    Question(
        id="13.read",
        ask="The figure holds a prediction, made before the boot, against the kernel of the record {record}. How many "
        "pages more than predicted did the kernel hand to its page allocator, in all zones together? (Fewer: below "
        "zero.)",
        facts=lambda rng: {"record": rng.choice(FIGURED)},
        answer=lambda record: sum(missed(record)),
        misconceptions=(
            Misconception(
                "the first zone stands for all", lambda record: missed(record)[0], "In which other row is it crossed?"
            ),
            Misconception(
                "the last zone stands for all", lambda record: missed(record)[-1], "In which other row is it crossed?"
            ),
            Misconception(
                "the difference is predicted less real",
                lambda record: -sum(missed(record)),
                "If the kernel keeps more than was expected, are more or fewer pages left over?",
            ),
            Misconception(
                "whatever is crossed are pages handed over",
                lambda record: sum(missed(record, "")),
                "What do min, low and high count: pages that exist, or limits?",
            ),
        ),
        hints=("Which count of a zone is what the page allocator got?", "rows: managed, in every row that has it."),
        steps=_missed_steps,
        because="the differences of managed, zone by zone, added with their signs.",
    )
)

WAY = trade_off(
    "13.way",
    "You have to know how much lowmem a board's kernel has left with a new word on its command line. Which way is left "
    "if these three matter?",
    {
        "own": "the numbers are a kernel's own words, not calculated",
        "firmware": "what that board's firmware keeps for itself is counted",
        "apart": "nobody touches a machine that customers use",
        "soon": "there is an answer within the hour",
    },
    {
        "model": Way("the model, given the board's memory map", "own", "it calculates; no kernel has said it"),
        "qemu": Way("the board's kernel under QEMU's generic board", "firmware", "another firmware, other RAM kept"),
        "customer": Way("a customer's board, rebooted with the word", "apart", "it is a machine in use"),
        "buy": Way("a board of the same kind, ordered for your desk", "soon", "it has to arrive first"),
    },
)

REPORTED = Scenario(
    id="13.reported",
    ask="A customer sends zoneinfo and iomem of a board. Your prediction has all borders right, and 5,120 managed "
    "pages too many. What do you ask for next, and what would it tell you?",
    ways=(
        ("the boot log with memblock=debug", "every reservation by its caller", "a reboot, and a buffer for the log"),
        ("the command line", "words such as cma=, crashkernel=, movablecore=", "what was built in stays unseen"),
        ("the device tree", "memory that firmware keeps, with names", "whole pages of text, and not what boot took"),
        ("both files again, later", "whether the number changes at all", "managed seldom does; it costs a day"),
        ("the same kernel under QEMU", "if it keeps 5,120 there too, it is the kernel", "none of the board's own"),
    ),
)
