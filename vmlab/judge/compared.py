"""One comparison of a prediction with what the real kernel said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..units import group_hex


@dataclass(frozen=True, slots=True)
class Compared:
    """One value, predicted and recorded; or why it cannot be predicted."""

    what: str
    predicted: Any
    recorded: Any
    undecided: str = ""
    address: bool = False

    def shown(self, value: Any) -> str:
        """The value as text: addresses in hexadecimal."""
        if self.address and isinstance(value, int):
            return group_hex(value)
        if self.address and isinstance(value, (tuple, list)):
            return " ".join(self.shown(item) for item in value) or "nothing"
        return str(value)


Rows = Iterator[Compared]
