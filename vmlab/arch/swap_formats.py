"""Every swap-entry row, found by page-table format and kernel version."""

from __future__ import annotations

import functools

from ..units import VmlabError
from .swap_format import SwapFormat, version


@functools.cache
def swap_rows() -> tuple[SwapFormat, ...]:
    """All rows, architecture by architecture; of each format the oldest kernel first."""
    from .arm import swap as arm
    from .arm64 import swap as arm64
    from .riscv import swap as riscv
    from .x86 import swap as x86

    return tuple(row for module in (x86, arm, arm64, riscv) for row in module.ROWS)


@functools.cache
def swap_format(name: str, kernel: str = "6.1") -> SwapFormat:
    """The row of page-table format `name` in Linux `kernel`, such as ("x86-64-4", "6.1")."""
    rows = [row for row in swap_rows() if row.format == name]
    if not rows:
        known = ", ".join(dict.fromkeys(row.format for row in swap_rows()))
        raise VmlabError(f"swap entries of format {name!r}: expected one of {known}")
    try:
        wanted = version(kernel)
    except ValueError:
        raise VmlabError(f"kernel: expected a version such as '6.1', got {kernel!r}") from None
    fitting = [row for row in rows if version(row.since) <= wanted]
    if not fitting:
        raise VmlabError(f"{name}: the oldest kernel known here is {rows[0].since}, got {kernel}")
    return fitting[-1]
