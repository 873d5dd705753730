"""One comparison, measured: two sides in turns, each first every other round, and the median of the rounds' ratios.

A ratio is always ours / reference, so below 1 is faster; a goal "20 times faster" is 1/20. What a side costs is told
by the case's clock. The clock TOLD is for what no clock around a call can measure (memory, the slow end of many
answers): there a side returns its own figure, and a limit is a reference that returns always the same.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from ..units import VmlabError

THREAD, WALL, CHILDREN, TOLD = "thread's CPU time", "wall time", "CPU time of started processes", "told"
LEAST_ROUNDS = 3


class Case(NamedTuple):
    """One comparison: two functions that do the same work and return equal answers (but under TOLD).

    `goal` is ours / reference, at most; `against` names the reference; `unit` is "s", or "B" under TOLD;
    `most_rounds` is for a reference that takes long.
    """

    name: str
    operations: int
    ours: Callable[[], Any]
    reference: Callable[[], Any]
    goal: float
    against: str = "C"
    clock: str = THREAD
    unit: str = "s"
    most_rounds: int = 1 << 20


class Missing(NamedTuple):
    """A comparison that cannot be made here, and a sentence that says what to do about it."""

    name: str
    reason: str


class Result(NamedTuple):
    """Medians an operation, in `unit`; and the median ratio. Not measured: a `reason`, and nan for the rest."""

    suite: str
    name: str
    against: str
    ours: float
    reference: float
    unit: str
    ratio: float
    goal: float
    reason: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the goal is met."""
        return self.ratio <= self.goal

    @property
    def is_missed(self) -> bool:
        """Whether it was measured, and the goal is not met."""
        return not self.reason and not self.is_good


def not_measured(suite: str, name: str, reason: str) -> Result:
    """The row of a comparison that could not be made."""
    nan = float("nan")
    return Result(suite, name, "", nan, nan, "s", nan, nan, reason)


def compare(case: Case, rounds: int, suite: str = "") -> Result:
    """Check that both sides agree, then time them in turns."""
    answers = case.ours(), case.reference()  # the first call compiles
    if case.clock != TOLD and answers[0] != answers[1]:
        raise VmlabError(f"{case.name}: ours and {case.against} give different answers, so there is nothing to time")
    del answers
    spent: dict[Callable[[], Any], list[float]] = {case.ours: [], case.reference: []}
    for turn in range(max(1, min(rounds, case.most_rounds))):
        for side in (case.ours, case.reference)[:: 1 if turn % 2 else -1]:
            spent[side].append(cost(side, case.clock))
    ours, reference = spent[case.ours], spent[case.reference]
    mine, its = (statistics.median(side) / case.operations for side in (ours, reference))
    return Result(suite, case.name, case.against, mine, its, case.unit, ratio(ours, reference), case.goal)


def ratio(ours: list[float], reference: list[float]) -> float:
    """The median of the rounds' ratios; a reference too short for its clock is an error, not an infinity."""
    if not all(reference):
        raise VmlabError("the reference took no time that its clock can tell: give it more work")
    return statistics.median(a / b for a, b in zip(ours, reference, strict=True))


def cost(side: Callable[[], Any], clock: str) -> float:
    """What one call costs, by this clock."""
    if clock == TOLD:
        return float(side())
    now = CLOCKS[clock]
    start = now()
    side()
    return now() - start


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


CLOCKS: dict[str, Callable[[], float]] = {THREAD: time.thread_time, WALL: time.perf_counter, CHILDREN: _children}
