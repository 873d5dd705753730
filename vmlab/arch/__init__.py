"""Everything that differs between architectures, as tables and small rules.

Code elsewhere never asks which architecture it serves: it asks the row that `get` returns.
A new architecture is one new folder here and one line in `ROWS`.
"""

from __future__ import annotations

from ..units import VmlabError
from .base import Arch, Area, Bounds

__all__ = ["Arch", "Area", "Bounds", "get", "names"]


def _rows() -> dict[str, Arch]:
    from . import arm, arm64, x86

    return {"arm": arm.ARM, **x86.ROWS, "arm64": arm64.ARM64}


def names() -> tuple[str, ...]:
    """The architectures the model knows."""
    return tuple(_rows())


def get(name: str) -> Arch:
    """The row of one architecture."""
    rows = _rows()
    if name not in rows:
        raise VmlabError(f"arch: expected one of {', '.join(rows)}, got {name!r}")
    return rows[name]
