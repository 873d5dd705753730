"""The race: one workload, every remedy; whose answers were stale, through what, and what it cost.

A workload is drawn once: uses of pages, and trouble (a page is migrated, swapped out, copied after fork, unmapped and
mapped again, merged), before a use or in the middle of one. Each remedy lives through it on a machine of its own. The
truth is the page table when the use ends.

    for score in race(seed=1): print(score.tell())
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..units import PAGE_SIZE, VmlabError
from .events import Change
from .ksm import merge_pages
from .memory import Memory
from .process import Process
from .remedies import REMEDIES, Remedy

TROUBLES = {
    "migrate": "compaction moves a page",
    "swap out": "reclaim swaps a page out",
    "copy": "the process forks, and writes first",
    "unmap": "the address is unmapped, and mapped again",
    "merge": "KSM merges the page with another process's",
}
START, FRAMES, SLOTS = 0x40_0000, 240, 256
MOST_PAGES = 64
RING = 40  # pages that the neighbour has; it takes one and gives one back in every use
Step = tuple[int, str, str]  # page that is used, trouble before, trouble in the middle ("" if none), for that page


@dataclass(slots=True)
class Score:
    """What came of one remedy: uses, answers that were stale, by the change that made them so, and costs."""

    name: str
    idea: str
    uses: int = 0
    stale: Counter[str] = field(default_factory=Counter)
    cost: Counter[str] = field(default_factory=Counter)

    @property
    def stale_uses(self) -> int:
        """Uses of a frame in which the page no longer was."""
        return sum(self.stale.values())

    def tell(self) -> str:
        """One line."""
        why = ", ".join(f"{count} by {name}" for name, count in self.stale.most_common())
        paid = ", ".join(f"{count} {name}" for name, count in self.cost.items())
        return f"{self.name}: {self.stale_uses} of {self.uses} uses stale{f' ({why})' if why else ''}; {paid}"


def workload(
    seed: int = 1, uses: int = 200, pages: int = 16, every: int = 4, kinds: Sequence[str] = tuple(TROUBLES)
) -> list[Step]:
    """Draw it: trouble about once in `every` uses, a quarter of it in the middle of a use."""
    if strange := [kind for kind in kinds if kind not in TROUBLES]:
        raise VmlabError(f"kinds: expected some of {', '.join(TROUBLES)}; got {strange[0]!r}")
    for name, value in (("uses", uses), ("pages", pages), ("every", every)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise VmlabError(f"{name}: expected a number from 1 up, got {value!r}")
    if pages > MOST_PAGES:
        raise VmlabError(f"pages: the race's machine has {FRAMES} frames: at most {MOST_PAGES} pages, got {pages}")
    rng = random.Random(f"race {seed}")
    steps = []
    for _ in range(uses):
        page, trouble = rng.randrange(pages), ""
        if kinds and rng.random() < 1 / every:
            trouble = rng.choice(tuple(kinds))
        in_the_middle = rng.random() < 0.25
        steps.append((page, "" if in_the_middle else trouble, trouble if in_the_middle else ""))
    return steps


class World:
    """A small busy machine: one process whose pages are used, one with a page of equal bytes, and a neighbour."""

    def __init__(self, pages: int) -> None:
        self.free, draw = list(range(1, FRAMES)), random.Random("frames")
        take = lambda _: self.free.pop(draw.randrange(len(self.free))) if self.free else None  # noqa: E731
        self.memory = Memory("x86-64-4", take, lambda pfn, _: self.free.append(pfn))
        self.memory.swapon(SLOTS, synchronous=True)
        self.process, self.other = Process(self.memory, "user"), Process(self.memory, "other")
        self.neighbour, self.turns = Process(self.memory, "neighbour"), 0
        self.neighbour.mmap(START, RING)
        self.pages = [START + n * PAGE_SIZE for n in range(pages)]
        self.process.mmap(START, pages)
        self.other.mmap(START, 1)
        self.other.write(START, b"same")
        for va in self.pages:
            self.process.write(va, b"same")
        self.first: dict[int, str] = {}  # page -> the first change since its last use that was right
        self.memory.on_change.append(self._changed)

    def _changed(self, change: Change) -> None:
        if change.mm is self.process.space and isinstance(change.old, int) and change.moved:
            self.first.setdefault(change.va, change.what)

    def others(self) -> None:
        """The neighbour needs a page, and gives back the one that it has had longest: frames change hands."""
        va = START + self.turns % RING * PAGE_SIZE
        if self.turns >= RING:
            self.neighbour.madvise(va, PAGE_SIZE, "DONTNEED")
        self.neighbour.write(va, b"mine")
        self.turns += 1

    def pfn(self, va: int) -> int | None:
        """The truth."""
        return self.process.page_table.pte(va).pfn

    def trouble(self, kind: str, va: int) -> None:
        """Do it to one page, if the kernel can: a pinned page does not migrate, a locked one is not swapped."""
        getattr(self, f"_{kind.replace(' ', '_')}")(va)

    def _migrate(self, va: int) -> None:
        if (pfn := self.pfn(va)) in self.memory.frames and pfn is not None:
            self.memory.migrate(pfn)

    def _swap_out(self, va: int) -> None:
        if (pfn := self.pfn(va)) in self.memory.frames and pfn is not None:
            self.memory.reclaim_pages([self.memory.page(pfn)])

    def _copy(self, va: int) -> None:
        child = self.process.fork("child")
        if isinstance(child, Process):
            self.process.write(va, b"same")
            child.exit()

    def _unmap(self, va: int) -> None:
        self.process.munmap(va, PAGE_SIZE)
        self.process.mmap(va, 1)
        self.process.write(va, b"same")

    def _merge(self, va: int) -> None:
        self.other.read(START, 1)
        keep, drop = self.other.page_table.pte(START).pfn, self.pfn(va)
        if keep in self.memory.frames and drop in self.memory.frames and keep is not None and drop is not None:
            merge_pages(self.memory, keep, drop)


def run(remedy: type[Remedy], steps: Sequence[Step]) -> Score:
    """One remedy through one workload."""
    world = World(max((page for page, _, _ in steps), default=0) + 1)
    one = remedy(world.process, world.pages)
    score = Score(one.name, one.idea, cost=one.cost)
    for page, before, middle in steps:
        va = world.pages[page]
        world.others()
        if before:
            world.trouble(before, va)
        frame = one.begin(va)
        if middle:
            world.trouble(middle, va)
        if frame is None:
            continue
        score.uses += 1
        if one.end(va, frame) != world.pfn(va):
            score.stale[world.first.get(va, "swap in")] += 1
        else:
            world.first.pop(va, None)
    return score


def race(
    seed: int = 1, uses: int = 200, pages: int = 16, every: int = 4, kinds: Sequence[str] = tuple(TROUBLES)
) -> list[Score]:
    """Every remedy through the same workload."""
    steps = workload(seed, uses, pages, every, kinds)
    return [run(remedy, steps) for remedy in REMEDIES]
