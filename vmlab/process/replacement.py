"""Which page goes when all frames are in use: a dozen policies over traces of page numbers.

    misses("lru", 64, trace)      # a trace is a Trace, a list or an array

`replay.py` tells the story reference by reference, `sweep.py` counts for many sizes at once.
A `Cache` is one memory that can be fed piece by piece and looked into between. The policies are compiled
(`replacement_kernels.py` has their arrays), and rows of a table (`policies.py` says which variant each is).

Left out: dirty pages and what writing them costs, pages of several sizes, several programs at once. The trace is what
one program touched; how the kernel would notice is modelled for the two policies of Linux alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..trace import Trace
from ..units import VmlabError
from .policies import POLICIES, Policy, policy

if TYPE_CHECKING:
    import numpy as np

__all__ = ["POLICIES", "Cache", "Dense", "dense", "misses", "next_uses"]

MOST_FRAMES = 1 << 28
MOST_REFERENCES = (1 << 32) - 2
SPREAD = 4  # page numbers may be so many times as many as references before they are renumbered


class Dense(NamedTuple):
    """A trace over pages 0 to `pages` - 1; `names[i]` is what page i was called, None: i."""

    trace: np.ndarray  # uint32
    pages: int
    names: np.ndarray | None = None

    def name(self, page: int) -> int:
        """What the caller's trace calls a page."""
        return page if self.names is None else int(self.names[page])


def dense(trace: Any) -> Dense:
    """Check a trace and number its pages without large gaps. Refuses what is not whole or below 0."""
    import numpy as np

    if isinstance(trace, Dense):
        return trace
    if isinstance(trace, Trace):
        return Dense(trace.page, len(trace.vpns))
    try:
        pages = np.asarray(trace)
    except (ValueError, OverflowError) as bad:
        raise VmlabError(f"trace: expected a row of page numbers, got something else ({bad})") from None
    if pages.ndim != 1:
        raise VmlabError(f"trace: expected a row of page numbers, got {pages.ndim} dimensions")
    if not len(pages):
        return Dense(np.zeros(0, np.uint32), 0)
    if len(pages) > MOST_REFERENCES:
        raise VmlabError(f"trace: expected at most {MOST_REFERENCES:,} references, got {len(pages):,}: cut it")
    if pages.dtype.kind not in "iu":
        raise VmlabError(f"trace: expected whole page numbers, got {pages[0]!r} ({pages.dtype}): shift addresses by 12")
    if pages.min() < 0:
        raise VmlabError(f"trace: expected page numbers from 0 on, got {int(pages.min())}")
    if int(pages.max()) < max(1 << 16, SPREAD * len(pages)):
        return Dense(pages.astype(np.uint32), int(pages.max()) + 1)
    names, numbered = np.unique(pages, return_inverse=True)
    return Dense(numbered.astype(np.uint32), len(names), names)


def check_frames(frames: Any) -> int:
    """A capacity: a whole number of at least one frame."""
    import operator

    try:
        count = operator.index(frames)
    except TypeError:
        raise VmlabError(f"frames: expected a whole number, got {frames!r}") from None
    if not 1 <= count <= MOST_FRAMES:
        raise VmlabError(f"frames: expected 1 to {MOST_FRAMES:,}, got {count:,}: a program needs a frame to run")
    return count


class Cache:
    """A memory of `frames` frames for pages 0 to `pages` - 1, under one policy."""

    def __init__(self, name: str | Policy, frames: int, pages: int) -> None:
        import numpy as np

        from . import replacement_kernels as k

        self.policy, self.frames, self.pages = policy(name), check_frames(frames), pages
        self._run, self._k = self.policy.load(), k
        fits = min(self.frames, max(pages, 1))  # frames beyond the pages change no policy's slots
        self._links = np.repeat(np.arange(pages + k.HEADS, dtype=np.uint32), 2)
        double = self.policy.name == "lirs"
        self._slots = np.repeat(np.arange(pages + 1, dtype=np.uint32), 2) if double else np.zeros(fits + 1, np.uint32)
        self._marks = np.zeros(pages, np.uint8)
        self._keys = np.zeros(max(pages, 1), np.uint64)
        self._numbers, self._reals = np.zeros(k.NUMBERS, np.int64), np.zeros(1)
        self._numbers[k.CAPACITY] = self.frames
        self._numbers[k.OWN1] = 88172645463325252 if self.policy.name == "random" else 0
        self._nothing, self._no_events = np.zeros(0, np.uint32), np.zeros((0, 4), np.int64)

    @property
    def misses(self) -> int:
        """Misses so far, first references included."""
        return int(self._numbers[self._k.MISSES])

    @property
    def references(self) -> int:
        """References so far."""
        return int(self._numbers[self._k.SEEN])

    def run(self, trace: np.ndarray, ahead: np.ndarray | None = None, events: np.ndarray | None = None) -> int:
        """Feed references (uint32); returns how many missed. `ahead`: next uses, for OPT; `events`: a ledger."""
        if len(trace):
            before = self.misses
            given = self._nothing if ahead is None else ahead
            ledger = self._no_events if events is None else events
            state = (self._links, self._slots, self._marks, self._keys, self._numbers, self._reals)
            self._run(trace, given, *state, ledger)
            return self.misses - before
        return 0

    @property
    def resident(self) -> set[int]:
        """Pages in memory."""
        inside: list[int] = []
        for name, pages in self.queues().items():
            if name not in self.policy.ghosts:
                inside += pages
        if self.policy.name == "lirs":
            return {page for page in inside if self._marks[page] & 1}
        return set(inside)

    def queues(self) -> dict[str, list[int]]:
        """The policy's lists and rings, by name, in their order."""
        k, found = self._k, {}
        for number, name in enumerate(self.policy.lists):
            found[name] = self._chain(number)
        if self.policy.name == "lirs":
            found[self.policy.ring] = self._walk(self._slots, self.pages, self.pages)
        elif self.policy.ring:
            found[self.policy.ring] = self._slots[: int(self._numbers[k.HELD])].tolist()
        return found

    def mark(self, page: int) -> int:
        """What the policy keeps of a page: a reference bit, a count, a generation (see its kernel)."""
        return int(self._marks[page])

    @property
    def hand(self) -> int:
        """Where a policy's hand is: a frame of a ring, or a page of a list (-1: at its end)."""
        at = int(self._numbers[self._k.HAND])
        return at - 1 if self.policy.lists else at

    def _chain(self, number: int) -> list[int]:
        if self.policy.name == "lru":
            first = int(self._numbers[self._k.OWN1]) - 1
            return [] if first < 0 else self._walk(self._links, first, self.pages, inclusive=True)
        return self._walk(self._links, self.pages + number, self.pages)

    def _walk(self, links: np.ndarray, head: int, pages: int, inclusive: bool = False) -> list[int]:
        at, found = head if inclusive else int(links[2 * head]), []
        while at < pages:
            found.append(at)
            at = int(links[2 * at])
        return found


def misses(name: str | Policy, frames: int, trace: Any) -> int:
    """How many references of a trace miss with so many frames, first references included."""
    references = dense(trace)
    cache = Cache(name, frames, references.pages)
    return cache.run(references.trace, next_uses(references) if cache.policy.looks_ahead else None)


def next_uses(trace: Any) -> np.ndarray:
    """For each reference the place of the next one to the same page; 2**32 - 1: there is none."""
    import numpy as np

    from .heap_kernels import next_uses as fill

    references = dense(trace)
    ahead = np.zeros(len(references.trace), np.uint32)
    fill(references.trace, np.full(references.pages, 0xFFFF_FFFF, np.uint32), ahead)
    return ahead
