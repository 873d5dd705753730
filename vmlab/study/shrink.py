"""The smallest case that still fails: what a learner can work through by hand.

Greedy, as property-testing libraries do it on the values drawn: leave out what can be left out, then make numbers
smaller and rounder. A few dozen lines suffice here because a case is plain data; what makes no valid
machine is refused by the model and skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .plain import Plain

TRIES = 60


def shrink(given: Plain, fails: Callable[[Plain], bool], tries: int = TRIES) -> Plain:
    """`given` made as small as `tries` trials find it, still failing; `fails` is False for invalid data."""
    left = tries
    found = True
    while found:
        found = False
        for candidate in smaller(given):
            if left == 0:
                return given
            left -= 1
            if fails(candidate):
                given, found = candidate, True
                break
    return given


def smaller(value: Plain, row: bool = False) -> Iterator[Plain]:
    """Values simpler than `value` in one respect, the boldest first. Words stay, and so does a row's length."""
    kind: Any = type(value)
    if kind is list:
        yield from () if row else _shorter(value)
        for index, part in enumerate(value):
            yield from ([*value[:index], simple, *value[index + 1 :]] for simple in smaller(part, row=True))
    elif kind is dict:
        for name, part in value.items():
            yield from (value | {name: simple} for simple in smaller(part))
    elif kind is int and value > 0:
        yield from _rounder(value)


def _shorter(values: list[Plain]) -> Iterator[list[Plain]]:
    half = len(values) // 2
    if half > 1:
        yield values[:half]
        yield values[half:]
    for index in range(len(values)):
        yield values[:index] + values[index + 1 :]


def _rounder(number: int) -> Iterator[int]:
    """0, the highest bit alone, half of it as round as it was, the lowest bit cleared, one less."""
    lowest = number & -number
    seen = {number}
    for candidate in (0, 1 << number.bit_length() - 1, number // 2 // lowest * lowest, number - lowest, number - 1):
        if candidate not in seen:
            seen.add(candidate)
            yield candidate
