"""Every swap-entry row, found by page-table format and kernel version."""

from __future__ import annotations

import functools

from .. import versions
from ..units import VmlabError
from .swap_format import SwapFormat


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
    return versions.pick({row.since: row for row in rows}, kernel, f"kernel, for swap entries of {name}")
