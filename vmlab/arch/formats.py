"""Every page-table format by name."""

from __future__ import annotations

import functools

from ..units import VmlabError
from .format import Format


@functools.cache
def _all() -> dict[str, Format]:
    from .arm import format as arm
    from .arm64 import format as arm64
    from .riscv import format as riscv
    from .x86 import format as x86

    return {row.name: row for module in (x86, arm, arm64, riscv) for row in module.FORMATS}


def format_names() -> tuple[str, ...]:
    """The names of all formats, architecture by architecture."""
    return tuple(_all())


def page_format(name: str) -> Format:
    """The format called `name`, such as "x86-64-4"."""
    rows = _all()
    if name not in rows:
        raise VmlabError(f"page-table format: expected one of {', '.join(rows)}, got {name!r}")
    return rows[name]
