"""The explorers of lesson 12: one page and everything that can befall it, and the race of remedies."""

from __future__ import annotations

from ..kernel import Kernel, boot
from ..machine import Machine
from ..parts import Region
from ..process.frame_race import TROUBLES, race
from ..process.ksm import merge_pages
from ..process.notify import Watch
from ..process.process import Process, Signal
from ..process.remedies import REMEDIES
from ..process.thp import collapse, split
from ..units import PAGE_SIZE, GiB, VmlabError
from ..views.moves import page_story, race_bars
from .actions import Actions, play
from .controls import Choice, Control, Slider
from .explorer import Explorer, Scene

VA, PAGES = 0x4000_0000, 512
MOST_ACTIONS = 40
STORY_ACTIONS = {
    "r": "Read it",
    "w": "Write it",
    "f": "Fork a child",
    "m": "Compaction moves it",
    "o": "Swap it out",
    "k": "KSM merges it",
    "h": "Collapse to a huge page",
    "s": "Split",
    "u": "Unmap it",
    "p": "Poll pagemap",
    "l": "mlock",
    "n": "Pin",
}


def page_explorer() -> Explorer:
    """One page is watched while all sorts of things happen to it."""
    return Explorer(draw_page, (Actions("done", "Done so far", STORY_ACTIONS, "wmor"),))


class Story:
    """A process, its page, and what was said last."""

    def __init__(self) -> None:
        self.kernel: Kernel = boot(Machine(arch="amd64", ram=(Region(0x10_0000, GiB),)))
        self.kernel.swapon(256, synchronous=True)
        self.process, self.other = self.kernel.spawn("a"), self.kernel.spawn("other")
        self.other.mmap(VA, 1)
        self.process.mmap(VA, PAGES)
        self.watch: Watch = self.kernel.watch(self.process, VA)
        self.children: list[Process] = []
        self.said = "Nothing was done yet. Press a button, or type its letter."

    def act(self, letter: str) -> None:
        """Do one action, by its letter."""
        words = STORY_ACTIONS[letter]
        result = getattr(self, f"_{letter}")()
        self.said = f"{words}: {result}."

    @property
    def pfn(self) -> int:
        """The frame, if the page is present."""
        found = self.process.page_table.pte(VA).pfn
        if found is None or found not in self.kernel.memory.frames:
            raise VmlabError(
                "The page is in no frame of its own now: read or write it first, or start again if it is unmapped"
            )
        return found

    def _r(self) -> str:
        return self._access(self.process.read(VA, 1))

    def _w(self) -> str:
        return self._access(self.process.write(VA, b"hello"))

    def _access(self, done: object) -> str:
        if isinstance(done, Signal):
            raise VmlabError(f"{done.name}: nothing is mapped at this address any more: start again")
        faults = self.process.faults[-1:]
        return f"the last fault was {faults[0].result}: {faults[0].why}" if faults else "no fault"

    def _f(self) -> str:
        child = self.process.fork(f"child {len(self.children) + 1}")
        if not isinstance(child, Process):
            raise VmlabError(child.tell())
        self.children.append(child)
        return f"{child.name} has the same frames, read-only for both"

    def _m(self) -> str:
        return str(self.kernel.memory.migrate(self.pfn).tell())

    def _o(self) -> str:
        page = self.kernel.memory.page(self.pfn)
        return str(self.kernel.memory.reclaim_pages([page]).tell())

    def _k(self) -> str:
        page = self.kernel.memory.page(self.pfn)
        self.other.write(VA, bytes(page.data))
        keep = self.other.page_table.pte(VA).pfn
        return merge_pages(self.kernel.memory, keep or 0, page.pfn).tell()

    def _h(self) -> str:
        return collapse(self.process.space, VA).tell()

    def _s(self) -> str:
        return f"{split(self.process.space, VA)} entries told, no frame changed"

    def _u(self) -> str:
        return f"{self.process.munmap(VA, PAGE_SIZE)} page given up"

    def _p(self) -> str:
        return self.watch.poll() or "the same as last time"

    def _l(self) -> str:
        failed = self.process.mlock(VA, PAGE_SIZE)
        return "it stays in RAM from now on" if not failed else "it cannot be had"

    def _n(self) -> str:
        page = self.process.pin(VA)
        if isinstance(page, Signal):
            raise VmlabError(f"{page.name}: nothing is mapped at this address any more: start again")
        return f"frame {page.pfn:#x} has {page.pins} pins"


def draw_page(done: str) -> Scene:
    """Do it all again on a fresh machine, and draw what happened to the page."""
    strange = sorted(set(done) - set(STORY_ACTIONS))
    if strange:
        known = ", ".join(f"{letter} ({words})" for letter, words in STORY_ACTIONS.items())
        raise VmlabError(f"what was done: expected only the letters {known}; got {' '.join(strange)}")
    if len(done) > MOST_ACTIONS:
        raise VmlabError(f"at most {MOST_ACTIONS} actions are run again for each picture: start again")
    story = Story()
    play(done, story.act)
    return Scene(page_story(story.watch.moves, f"One page after {len(done)} actions"), (story.said,))


KINDS = {
    "all of them": tuple(TROUBLES),
    **{f"only: {words}": (kind,) for kind, words in TROUBLES.items()},
    "none": (),
}
RACE_CONTROLS: tuple[Control, ...] = (
    Choice("kinds", "What happens", KINDS, tuple(TROUBLES)),
    Slider("every", "Once in how many uses", 1, 40, 1, 4),
    Slider("pages", "Pages in the cache", 1, 64, 1, 16),
    Slider("seed", "Another draw", 1, 20, 1, 1),
)
USES = 100  # half of the lesson's: each change of a control runs all of it again


def race_explorer() -> Explorer:
    """The same workload for every remedy: whose answers are stale, and what it pays."""
    return Explorer(draw_race, RACE_CONTROLS)


def draw_race(kinds: tuple[str, ...], every: int, pages: int, seed: int) -> Scene:
    """Run the race and draw it."""
    scores = race(seed, USES, pages, every, kinds)
    clean = [score.name for score in scores if not score.stale_uses]
    names = "all of them" if len(clean) == len(scores) else ", ".join(clean) or "none of them"
    said = f"Never wrong in this draw: {names}."
    return Scene(race_bars(scores, f"{len(REMEDIES)} remedies, {USES} uses each"), (said,))
