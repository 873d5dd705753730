"""A trace under a policy, told reference by reference: hit or miss, who had to go, and why.

    story = replay("clock", 3, [1, 2, 3, 1, 4])
    print(story.tell())
    story.at(4).queues           # the policy's lists and rings after four references

Words come from the ledger that the compiled kernel wrote; the lists from running it that far again. For traces of a
size that a person reads; `replacement.misses` counts longer ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from .policies import Policy, policy
from .replacement import Cache, Dense, check_frames, dense, misses, next_uses

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Anomaly", "Moment", "Reference", "Replay", "belady_anomaly", "replay"]


class Reference(NamedTuple):
    """One reference: its page, whether it was in memory, and which page had to go (None: none) and why."""

    number: int  # from 0
    page: int
    is_hit: bool
    victim: int | None = None
    why: str = ""

    def tell(self) -> str:
        """One line."""
        if self.is_hit:
            return f"{self.number + 1:>4}  page {self.page}: hit"
        gone = "a frame is free" if self.victim is None else f"page {self.victim} goes"
        return f"{self.number + 1:>4}  page {self.page}: miss, {gone}" + (f" ({self.why})" if self.why else "")


@dataclass(frozen=True)
class Moment:
    """The policy's state after some references: its lists and rings by name, pages as the trace calls them."""

    queues: Mapping[str, list[int]]
    resident: frozenset[int]
    marks: Mapping[int, int]
    hand: int  # a frame of a ring; or the page of a list; -1


@dataclass(frozen=True, eq=False)
class Replay:
    """What one policy did with a trace."""

    policy: Policy
    frames: int
    trace: Dense

    @cached_property
    def _ahead(self) -> np.ndarray | None:
        return next_uses(self.trace) if self.policy.looks_ahead else None

    @cached_property
    def ledger(self) -> np.ndarray:
        """The kernel's own rows, one a miss: place, victim, why, detail."""
        import numpy as np

        cache = Cache(self.policy, self.frames, self.trace.pages)
        rows = np.zeros((len(self.trace.trace), 4), np.int64)
        return rows[: cache.run(self.trace.trace, self._ahead, rows)]

    @property
    def misses(self) -> int:
        """Misses, first references included."""
        return len(self.ledger)

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """Every reference in order."""
        missed = {int(row[0]): row for row in self.ledger}
        return tuple(self._reference(at, missed.get(at)) for at in range(len(self.trace.trace)))

    @property
    def victims(self) -> list[int]:
        """The pages that had to go, in order."""
        return [self.trace.name(int(row[1])) for row in self.ledger if row[1] >= 0]

    def at(self, references: int) -> Moment:
        """The state after the first `references`."""
        cache = Cache(self.policy, self.frames, self.trace.pages)
        ahead = None if self._ahead is None else self._ahead[:references]
        cache.run(self.trace.trace[:references], ahead)
        name = self.trace.name
        queues = {key: [name(page) for page in pages] for key, pages in cache.queues().items()}
        marks = {name(page): cache.mark(page) for page in range(self.trace.pages)}
        hand = name(cache.hand) if self.policy.lists and cache.hand >= 0 else cache.hand
        return Moment(queues, frozenset(map(name, cache.resident)), marks, hand)

    def tell(self) -> str:
        """Every reference in a line, and the sum."""
        lines = [each.tell() for each in self.references]
        head = f"{self.policy.title}, {self.frames} frames: {self.misses} misses in {len(lines)} references"
        return "\n".join((head, *lines))

    def _reference(self, at: int, row: np.ndarray | None) -> Reference:
        page = self.trace.name(int(self.trace.trace[at]))
        if row is None:
            return Reference(at, page, True)
        victim = None if row[1] < 0 else self.trace.name(int(row[1]))
        return Reference(at, page, False, victim, self._why(at, row))

    def _why(self, at: int, row: np.ndarray) -> str:
        said = [(self.policy.why or {}).get(int(row[2]), "")]
        if row[1] >= 0:
            said.append(self._reason(at, int(row[1]), int(row[3])))
        return "; ".join(words for words in said if words)

    def _reason(self, at: int, victim: int, detail: int) -> str:
        """Why this page and no other, in the policy's terms."""
        before = self.trace.trace[:at]
        if self.policy.name == "lru":
            return f"its last use was {_counted(at - _last(before, victim))} ago"
        if self.policy.name == "fifo":
            loads = [int(row[0]) for row in self.ledger if row[0] < at and self.trace.trace[row[0]] == victim]
            return f"it came {_counted(at - loads[-1])} ago"
        if self.policy.name == "opt":
            return "it is never needed again" if detail < 0 else f"it is needed again in {_counted(detail - at)}"
        if self.policy.detail and (detail or self.policy.name == "lfu"):
            return self.policy.detail.format(detail)
        return ""


def _counted(references: int) -> str:
    return f"{references} reference{'' if references == 1 else 's'}"


def _last(trace: np.ndarray, page: int) -> int:
    return int((trace == page).nonzero()[0][-1])


def replay(name: str | Policy, frames: int, trace: Any) -> Replay:
    """Run a trace and keep what happened."""
    return Replay(policy(name), check_frames(frames), dense(trace))


class Anomaly(NamedTuple):
    """More frames and more misses."""

    frames: int
    misses: int
    more_frames: int
    more_misses: int


def belady_anomaly(name: str, trace: Any, most: int = 0) -> list[Anomaly]:
    """Every size at which one frame more means more misses, up to `most` frames (0: as many as pages)."""
    references = dense(trace)
    counts = [misses(name, frames, references) for frames in range(1, (most or references.pages) + 1)]
    return [
        Anomaly(frames, counts[frames - 1], frames + 1, counts[frames])
        for frames in range(1, len(counts))
        if counts[frames] > counts[frames - 1]
    ]
