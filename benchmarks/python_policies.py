"""Replacement policies beside the same in plain Python, a list and a search, as OSTEP's paging-policy.py does it.

That program is in no package index and none of it is here: the reference is our own, of the same shape. Memory is a
list, a hit is found by looking through it, LRU moves the page to the end, and OPT looks ahead in the trace for each
page in memory. It prints nothing and keeps no more than it needs, so it is several times quicker than that program,
for which the goals were set: they are hard to reach here. Ours starts from an array, and numbering its pages is in
its time.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator

import numpy as np

from vmlab.bench import Case
from vmlab.process.replacement import misses

REFERENCES, PAGES, FRAMES = 1_000_000, 1000, 100
OPT_REFERENCES = 3000
GOAL, OPT_GOAL = 1 / 800, 1 / 30_000
AGAINST, ROUNDS = "a list in Python", 3


def cases(shrink: int = 1) -> Iterator[Case]:
    """LRU and FIFO on a million random references, OPT on few: it takes the square of their number."""
    rng = random.Random(0)
    for name, slow, count, goal in (
        ("lru", lru, REFERENCES, GOAL),
        ("fifo", fifo, REFERENCES, GOAL),
        ("opt", opt, OPT_REFERENCES, OPT_GOAL),
    ):
        trace = [rng.randrange(PAGES) for _ in range(count // shrink)]
        what = f"{name}, {count:,} random references, {PAGES} pages, {FRAMES} frames"
        sides = ours(name, trace), functools.partial(slow, trace, FRAMES)
        yield Case(what, len(trace), *sides, goal, AGAINST, most_rounds=ROUNDS)


def ours(name: str, trace: list[int]) -> Callable[[], int]:
    """Our policy on the same trace."""
    pages = np.array(trace, np.uint64)
    return lambda: misses(name, FRAMES, pages)


def lru(trace: list[int], frames: int) -> int:
    """Misses; the page used last stands at the end."""
    memory: list[int] = []
    missed = 0
    for page in trace:
        if page in memory:
            memory.remove(page)
        else:
            missed += 1
            if len(memory) == frames:
                memory.pop(0)
        memory.append(page)
    return missed


def fifo(trace: list[int], frames: int) -> int:
    """Misses; the page loaded last stands at the end."""
    memory: list[int] = []
    missed = 0
    for page in trace:
        if page not in memory:
            missed += 1
            if len(memory) == frames:
                memory.pop(0)
            memory.append(page)
    return missed


def opt(trace: list[int], frames: int) -> int:
    """Misses; the page whose next use is farthest away goes."""
    memory: list[int] = []
    missed = 0
    for now, page in enumerate(trace):
        if page in memory:
            continue
        missed += 1
        if len(memory) == frames:
            rest = trace[now + 1 :]
            memory.remove(max(memory, key=lambda each: rest.index(each) if each in rest else len(rest)))
        memory.append(page)
    return missed
