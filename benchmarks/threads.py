"""Two threads at once: compiled kernels leave Python's lock, so two translations take as long as one.

It needs two processors that have nothing else to do; where the machine's load says otherwise the row says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from vmlab.bench import WALL, Case, Missing, load

GOAL = 1 / 1.7
COUNT = 1 << 22
IDLE = 0.5  # load that leaves two processors of the machine alone


def cases(shrink: int = 1) -> Iterator[Case | Missing]:
    """The same batch in two halves, at once and one after the other."""
    name = "two threads, 4 levels, random"
    processors, busy = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    if shrink == 1 and busy > max(0, processors - 2) + IDLE:
        yield Missing(name, f"{processors} processors with a load of {busy:.1f}: run it when two of them are idle")
        return
    translate = load("translate")
    space = translate.space("x86-64-4", (1 << 17) // shrink)
    halves = np.array_split(translate.addresses((1 << 17) // shrink, COUNT // shrink, "random"), 2)
    rooms = [(np.empty(len(half), np.uint64), np.empty(len(half), np.uint32)) for half in halves]
    pool = ThreadPoolExecutor(2)

    def one(at: int) -> None:
        space.translate_into(halves[at], *rooms[at])

    def both() -> None:
        list(pool.map(one, range(2)))

    def in_turn() -> None:
        one(0)
        one(1)

    yield Case(name, COUNT // shrink, both, in_turn, GOAL, "one thread", WALL)
