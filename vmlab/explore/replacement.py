"""The explorers of lesson 11: a policy reference by reference, and real programs on memories of any size."""

from __future__ import annotations

import functools
import re

from ..process.policies import POLICIES
from ..process.replacement import dense, misses
from ..process.replay import replay
from ..process.sweep import Curve as MissCurve
from ..process.sweep import curve
from ..trace import LOAD, STORE, load_trace
from ..units import PAGE_SIZE, VmlabError, human
from ..views import Axis, Curve, curves
from ..views.replacement import queues
from .controls import Choice, Control, Entry, Slider
from .explorer import Explorer, Scene
from .zones import Stepper

BELADY = "1 2 3 4 1 2 5 1 2 3 4 5"
START = 3  # references that are made when the explorer is opened: the frames are full
LONGEST = 60  # references that can be stepped through
PROGRAMS = ("awk", "gzip", "perl", "python", "sort", "sqlite")
MARKS = (0.06, 0.12, 0.25, 0.5, 0.75)  # shares of a program's pages at which policies other than LRU and OPT are run
APART = 1.25  # sizes nearer to each other than this factor would lie on each other in the picture
NAMES = {row.title: name for name, row in POLICIES.items()}
RIVALS = {title: name for title, name in NAMES.items() if name not in ("lru", "opt")}


class Line(Stepper):
    """A stepper on a line of its own below the other controls."""

    wide = True


STEPS: tuple[Control, ...] = (
    Choice("name", "Policy", NAMES, "fifo"),
    Slider("frames", "Frames", 1, 10, 1, 3),
    Entry("string", "References", BELADY),
    Line("step", "Reference", LONGEST, START),
)


def steps_explorer() -> Explorer:
    """Any string of page numbers under any policy, one reference at a time."""
    return Explorer(draw_steps, STEPS)


def read_string(text: str) -> list[int]:
    """Page numbers as people write them: spaces or commas between."""
    words = re.split(r"[\s,;]+", text.strip()) if text.strip() else []
    if not words or not all(word.isdecimal() and word.isascii() for word in words):
        raise VmlabError(f"references: expected page numbers such as {BELADY!r}, got {text!r}")
    if len(words) > LONGEST:
        raise VmlabError(f"references: expected at most {LONGEST}, got {len(words)}: shorten the string")
    if max(map(len, words)) > 6:
        raise VmlabError("references: expected page numbers below 1,000,000: shorten them")
    return [int(word) for word in words]


def draw_steps(name: str, frames: int, string: str, step: int) -> Scene:
    """The policy's state after so many references; below, the last of them in words."""
    story = replay(name, frames, read_string(string))
    step = min(step, len(story.references))
    if not step:
        return Scene(queues(story, 0), ("Press Next step: the first reference comes. Memory is empty.",))
    what = f"{story.policy.title}: {story.policy.idea}."
    total = f"The whole string of {len(story.references)}: {story.misses} misses; OPT has {_best(story.trace, frames)}."
    return Scene(queues(story, step), (what, total))


def _best(trace: object, frames: int) -> int:
    return misses("opt", frames, trace)


SIZES: tuple[Control, ...] = (
    Choice("program", "Program", {name: name for name in PROGRAMS}, "python"),
    Slider("frames", "Frames", 4, 900, 4, 100),
    Choice("rival", "Compare LRU with", RIVALS, "fifo"),
    Choice("second", "and with", RIVALS, "linux"),
)


def sizes_explorer() -> Explorer:
    """Misses of a recorded program over the size of its memory, under four policies."""
    return Explorer(draw_sizes, SIZES)


def draw_sizes(program: str, frames: int, rival: str, second: str) -> Scene:
    """LRU's and OPT's whole curves, two other policies at a few sizes and at the size that is asked for."""
    pages = pages_of(program)
    asked = min(frames, pages)
    marks = {max(2, int(pages * share)) for share in MARKS} | {pages}
    sizes = sorted({size for size in marks if not asked / APART < size < asked * APART} | {asked})
    names = dict.fromkeys(("lru", "opt", rival, second))
    counted = {name: [count(program, name, size) for size in sizes] for name in names}
    lines = [Curve(POLICIES[name].title, [float(found) for found in each]) for name, each in counted.items()]
    here = {name: count(program, name, asked) for name in names}
    references = whole(program, "lru").references
    ratios = "; ".join(f"{POLICIES[name].title} {found:,}" for name, found in here.items())
    alt = f"{program} with {asked} of {pages} frames misses: {ratios}."
    scales = Axis("frames", "{:,.0f}"), Axis("misses")
    title = f"{program}: {references:,} loads and stores, {pages} pages"
    says = (
        f"Memory: {asked} × 4 KiB = {human(asked * PAGE_SIZE)}; miss ratio with LRU {here['lru'] / references:.4%}.",
        f"{pages} misses are first uses, which no policy avoids; OPT, which knows the future, adds "
        f"{here['opt'] - pages:,}, LRU {here['lru'] - pages:,}.",
    )
    return Scene(curves(title, alt, sizes, lines, *scales), says)


@functools.lru_cache(maxsize=4096)
def count(program: str, name: str, frames: int) -> int:
    """Misses of one policy; LRU and OPT are read off their curves."""
    if name in ("lru", "opt"):
        return whole(program, name).at(frames)
    return misses(name, frames, _trace(program))


@functools.cache
def whole(program: str, name: str) -> MissCurve:
    """LRU's or OPT's misses at every size."""
    return curve(name, _trace(program))


@functools.cache
def pages_of(program: str) -> int:
    """Pages that the program's loads and stores touch."""
    return len(set(_trace(program)[0].tolist()))


@functools.cache
def _trace(program: str):  # type: ignore[no-untyped-def]
    """The loads and stores, over pages that they touch."""
    import numpy as np

    page = load_trace(program).only(LOAD, STORE).page
    seen = np.unique(page)
    return dense(np.searchsorted(seen, page))
