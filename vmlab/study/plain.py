"""Plain values: what crosses from a learner's code to whoever judges it, and when two of them are the same.

None, bool, int, float, str, lists and dictionaries with words as keys. Nothing here calls a method of what
it is given, and types are compared before values: an object whose `__eq__` always agrees is not plain.
"""

from __future__ import annotations

import sys
from typing import Any

from ..units import VmlabError

Plain = Any  # None, bool, int, float, str, list[Plain], dict[str, Plain]
MOST = 100_000  # values in one answer
WORDS = {type(None): "None", bool: "bool", int: "int", float: "float", str: "str", list: "list", dict: "dict"}


def plain(value: Any) -> Plain:
    """`value` with tuples, ranges and numpy's numbers and arrays as Python's own; refuses everything else."""
    left = [MOST]
    return _plain(value, left, 0)


def _plain(value: Any, left: list[int], depth: int) -> Plain:
    left[0] -= 1
    if left[0] < 0 or depth > 20:
        raise VmlabError(f"expected an answer of at most {MOST:,} values, nested at most 20 deep; it has more")
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind in (list, tuple, range):
        if len(value) > MOST:
            raise VmlabError(f"expected an answer of at most {MOST:,} values, got one of {len(value):,}")
        return [_plain(part, left, depth + 1) for part in value]
    if kind is dict:
        if any(type(key) is not str for key in value):
            raise VmlabError("expected a dictionary whose keys are words; turn other keys into pairs in a list")
        return {key: _plain(part, left, depth + 1) for key, part in value.items()}
    numpy = sys.modules.get("numpy")
    if numpy is not None and (kind is numpy.ndarray or kind in numpy.sctypeDict.values()):
        return _plain(value.tolist(), left, depth + 1)
    raise VmlabError(f"expected numbers, words, lists or dictionaries, got {kind.__name__}")


def same(one: Plain, other: Plain) -> bool:
    """Whether two plain values are the same, types included: 1 is neither 1.0 nor True."""
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is list:
        return len(one) == len(other) and all(map(same, one, other))
    if kind is dict:
        return one.keys() == other.keys() and all(same(part, other[key]) for key, part in one.items())
    return bool(one == other)


def kind_of(value: Plain) -> str:
    """What a plain value is, in words.

    >>> kind_of([1, 2]), kind_of([[1, 2.0]]), kind_of({})
    ('list of int', 'list of lists of float or int', 'dict')
    """
    if type(value) is not list or not value:
        return WORDS[type(value)]
    inside = sorted({kind_of(part) for part in value})
    return "list of " + " or ".join(inside).replace("list", "lists", 1)
