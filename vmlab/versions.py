"""Kernel versions: read from text, compared, and a rule picked by them.

A rule that changed is a table {first version that has it: rule}; a version between two rows takes the older one. Only
versions whose rules were read are answered for: what is older or newer is refused, and the refusal says what is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeVar

from .units import VmlabError

Row = TypeVar("Row")
BASE, NEWEST = "6.1", "6.12"  # the versions that machines were compared with; the source of none newer was read
UNKNOWN = "unknown"  # of a record whose kernel does not say


def numbers(text: object, what: str = "kernel") -> tuple[int, ...]:
    """A version as numbers that compare.

    >>> numbers("6.1") < numbers("6.12") < numbers("6.12.3")
    True
    """
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){1,2}", text):
        raise VmlabError(f"{what}: expected a version such as '6.1' or '6.12', got {text!r}")
    return tuple(int(part) for part in text.split("."))


def is_modelled(text: str) -> bool:
    """Whether a machine's rules are known in this version: 6.1 to 6.12."""
    return numbers(BASE) <= numbers(text)[:2] <= numbers(NEWEST)


def check_modelled(text: object, what: str) -> None:
    """Refuse what is no version, and versions whose rules nobody compared."""
    numbers(text, what)
    if not is_modelled(str(text)):
        raise VmlabError(f"{what}: machines of Linux {BASE} to {NEWEST} are modelled, got {text!r}")


def nearest(text: str | None) -> str:
    """The modelled version whose rules stand in for `text`'s; nothing said is 6.1."""
    if text is None or text == UNKNOWN or numbers(text) < numbers(BASE):
        return BASE
    return text if is_modelled(text) else NEWEST


def first_version(rows: Iterable[str], kernel: str, what: str, newest: str = NEWEST) -> str:
    """The key of the row that holds in Linux `kernel`; `newest` is the last version that the rows were read for."""
    wanted, known = numbers(kernel, what), sorted(rows, key=numbers)
    fitting = [first for first in known if numbers(first) <= wanted]
    if not fitting or wanted[:2] > numbers(newest):
        raise VmlabError(f"{what}: known are the rules of Linux {known[0]} to {newest}, got {kernel!r}")
    return fitting[-1]


def pick(rows: Mapping[str, Row], kernel: str, what: str, newest: str = NEWEST) -> Row:
    """The rule of `rows` that holds in Linux `kernel`."""
    return rows[first_version(rows, kernel, what, newest)]
