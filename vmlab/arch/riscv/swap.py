"""Swap entries on RISC-V (arch/riscv/include/asm/pgtable.h, Linux 6.1)."""

from __future__ import annotations

from ..swap_format import SPECIAL_6_1, Field, SwapFormat

SOURCE = "arch/riscv/include/asm/pgtable.h"

ROWS = tuple(
    SwapFormat(
        name,
        "6.1",
        Field(6, 5),
        Field(11, 53),
        SOURCE,
        offset_bits=58,
        max_swapfiles=27,
        special=(*SPECIAL_6_1, "swapin error"),
    )
    for name in ("sv39", "sv48", "sv57")
)
