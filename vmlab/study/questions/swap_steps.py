"""From a swap entry to its slot, by name (present, area, slot), and a story's faults counted; practice of lesson 10."""

from __future__ import annotations

import functools
import random

from ...arch.swap_formats import swap_format
from ...process.story import play
from ...process.swap_entry import SwapEntry
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from ..weigh import Scenario
from .tlb_steps import apart

FORMATS = ("x86-32", "x86-64-4", "arm-short", "arm64-4k-48")
NAMES = {
    "x86-32": "32-bit x86",
    "x86-64-4": "64-bit x86",
    "arm-short": "32-bit ARM",
    "arm64-4k-48": "64-bit ARM",
}


def fields(fmt: str) -> str:
    """Where type and offset stand, in words."""
    row = swap_format(fmt)
    upside = " (inverted)" if row.offset.inverted else ""
    return (
        f"area in bits {row.type.low} to {row.type.low + row.type.width - 1}, slot in bits {row.offset.low} to "
        f"{row.offset.low + row.offset.width - 1}{upside}"
    )


def entry_steps(name: str, where: str, pte: int) -> Steps:
    """All steps from an entry to its slot."""
    row = swap_format(_format(name))
    entry = SwapEntry.decode(row.format, pte)
    inverted = f"~{pte:#x}" if row.offset.inverted else f"{pte:#x}"
    return Steps.of(
        (
            Step("present", "bit 0 clear, and the entry not 0", f"{pte:#x}", "a swap entry"),
            Step("area", "shift right, keep 5 bits", f"{pte:#x} >> {row.type.low} & 31", f"{entry.type}"),
            Step(
                "slot",
                f"{'invert, ' if row.offset.inverted else ''}shift right, keep {row.offset.width} bits",
                f"{inverted} >> {row.offset.low} & {row.offset.most:#x}",
                f"{entry.offset:,}",
            ),
        )
    )


def _format(name: str) -> str:
    return next(fmt for fmt, words in NAMES.items() if words == name)


def _entry(rng: random.Random) -> Facts:
    fmt = rng.choice(FORMATS)
    pte = SwapEntry(rng.randrange(2), rng.randrange(3, 4000)).encode(fmt)
    return {"name": NAMES[fmt], "where": fields(fmt), "pte": pte}


SLOT = apart(
    Question(
        id="10.slot",
        ask="One step is open. {name}, Linux 6.1, {where}. An entry holds {pte:#x}. Which slot is that?",
        facts=_entry,
        answer=lambda name, where, pte: SwapEntry.decode(_format(name), pte).offset,
        misconceptions=(
            Misconception(
                "a slot's number stands where a frame's number does",
                lambda name, where, pte: pte >> 12,
                "Which bits does this kernel use?",
            ),
            Misconception(
                "the field begins one bit higher",
                lambda name, where, pte: SwapEntry.decode(_format(name), pte).offset >> 1,
                "What is the lowest bit of the field?",
            ),
            Misconception(
                "the area's number is part of the slot's",
                lambda name, where, pte: (
                    SwapEntry.decode(_format(name), pte).offset << 5 | SwapEntry.decode(_format(name), pte).type
                ),
                "Which bits hold the area?",
            ),
        ),
        hints=("Which bits hold the slot, and are they inverted?", "slot: shift right to the lowest bit of the field."),
        steps=entry_steps,
        blank="slot",
        because="the bits that hold the slot, shifted down ({where}).",
    )
)


def _order(rng: random.Random) -> Facts:
    order = ["P0", "P1", "P2"]
    while len(order) < rng.randrange(6, 9):
        order.append(rng.choice([name for name in ("P0", "P1", "P2") if name != order[-1]]))
    return {"order": " ".join(order), "frames": rng.choice((1, 2))}


@functools.lru_cache(4096)
def kinds(order: str, frames: int) -> tuple[str, ...]:
    """What each step of the story cost: "minor", "major" or "" (no fault)."""
    return tuple(scene.kind for scene in play(tuple(order.split()), frames=frames)[1:])


def count_steps(order: str, frames: int) -> Steps:
    """One step for each process that runs."""
    scenes = play(tuple(order.split()), frames=frames)[1:]
    rows = [
        Step(f"{number}: {scene.who}", _happens(scene.kind), f"in RAM: {scene.frame}", scene.kind or "no fault")
        for number, scene in enumerate(scenes, 1)
    ]
    majors = kinds(order, frames).count("major")
    return Steps.of((*rows, Step("count", "the major ones", " + ".join("1" * majors) or "none", f"{majors}")))


def _happens(kind: str) -> str:
    return {"minor": "first touch: a zeroed frame", "major": "its page is read from swap"}.get(
        kind, "its page is there"
    )


MAJORS = apart(
    Question(
        id="10.majors",
        ask="P0, P1 and P2 touch 0x400000 in this order: {order}. Frames: {frames}; the page that came "
        "first goes first. How many of the faults are major?",
        facts=_order,
        answer=lambda order, frames: kinds(order, frames).count("major"),
        misconceptions=(
            Misconception(
                "every access of another process faults and reads",
                lambda order, frames: len(order.split()),
                "Was there anything to read, the first time?",
            ),
            Misconception(
                "a first touch is major too",
                lambda order, frames: len(kinds(order, frames)) - kinds(order, frames).count(""),
                "Does a zeroed frame come from a disk?",
            ),
            Misconception(
                "a page that was touched once stays",
                lambda order, frames: 0,
                "How many pages fit into the frames?",
            ),
        ),
        hints=("Whose page is in RAM after each step?", "count: the first touch of each process reads nothing."),
        steps=count_steps,
        because="a fault is major when its page has to be read from swap; each process's first is minor.",
    )
)


def _pages(rng: random.Random) -> Facts:
    pages = rng.randrange(20, 90)
    return {"pages": pages, "child": rng.randrange(2, pages // 3), "parent": rng.randrange(2, pages // 3)}


def _forked(pages: int, child: int, parent: int) -> Steps:
    return Steps.of(
        (
            Step("fork", "no frame is copied", f"{pages:,}", f"{pages:,} frames"),
            Step("child writes", "a copy for each page", f"{pages:,} + {child}", f"{pages + child:,} frames"),
            Step("parent writes", "a copy, if the child still shares it", f"+ {parent}", f"{pages + child + parent:,}"),
        )
    )


@functools.lru_cache(1024)
def frames_after(pages: int, child: int, parent: int) -> int:
    """Frames in use after fork, when the child writes its first pages and the parent its last ones."""
    from ...process.process import Process
    from ...units import PAGE_SIZE
    from .swap import VA, a_memory

    memory = a_memory()
    one = Process(memory, "parent")
    one.mmap(VA, pages)
    for number in range(pages):
        one.write(VA + number * PAGE_SIZE, b"x")
    other = one.fork("child")
    assert isinstance(other, Process)
    for number in range(child):
        other.write(VA + number * PAGE_SIZE, b"y")
    for number in range(pages - parent, pages):
        one.write(VA + number * PAGE_SIZE, b"z")
    return len(memory.frames)


FRAMES = apart(
    Question(
        id="10.frames",
        ask="A process has written {pages} pages and forks. The child writes to the first {child} of them, the "
        "parent to the last {parent}. How many frames do these pages take in both processes together?",
        facts=_pages,
        answer=frames_after,
        misconceptions=(
            Misconception("fork copies all pages", lambda pages, child, parent: 2 * pages, "What does fork copy?"),
            Misconception(
                "only the child gets copies",
                lambda pages, child, parent: pages + child,
                "What are the parent's entries since the fork: writable?",
            ),
            Misconception(
                "pages are shared for good", lambda pages, child, parent: pages, "What may the other one not see?"
            ),
        ),
        hints=(
            "Which pages does nobody write after the fork?",
            "child writes, parent writes: each first write to a shared page takes one frame more.",
        ),
        steps=_forked,
        because="{pages} shared ones, and one more for every page that somebody wrote while the other still shared it.",
    )
)

PREFORK = Scenario(
    id="10.prefork",
    ask="A server has a table of 2 GiB that changes seldom, and starts 20 workers. The machine has 8 GiB of RAM and "
    "4 GiB of swap. How do you give every worker the table, and what do you give up?",
    ways=(
        (
            "fill it, then fork 20 times",
            "2 GiB in all, as long as nobody writes: the frames are shared",
            "each first write to a page copies it; a reference count inside each object is a write too",
        ),
        (
            "a file, mapped shared and read-only by each worker",
            "2 GiB of page cache; dropped and read again under pressure, without any swap",
            "the table needs a form that can stand in a file, without pointers",
        ),
        (
            "shared memory (tmpfs) that all workers map",
            "2 GiB; writes are seen by all",
            "under pressure it goes to swap, as it has no file on disk; writers need locks",
        ),
        (
            "each worker loads its own",
            "no sharing, nothing to think about",
            "40 GiB: more than RAM and swap together; the OOM killer ends it",
        ),
    ),
)
