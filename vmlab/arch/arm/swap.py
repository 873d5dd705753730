"""Swap entries on 32-bit ARM, the same for short descriptors and LPAE (asm/pgtable.h).

They stand in Linux's own entry; the hardware's, where there is a second one, is 0.
"""

from __future__ import annotations

from ..swap_format import Field, SwapFormat

SOURCE = "arch/arm/include/asm/pgtable.h"
SPECIAL = ("migration read", "migration read exclusive", "migration write", "swapin error")


def _rows(name: str) -> tuple[SwapFormat, ...]:
    return (
        SwapFormat(name, "3.10", Field(2, 5), Field(7, 25), SOURCE, offset_bits=26),
        SwapFormat(name, "6.1", Field(2, 5), Field(7, 25), SOURCE, offset_bits=26, max_swapfiles=28, special=SPECIAL),
        SwapFormat(name, "6.3", Field(2, 5), Field(8, 24), SOURCE, exclusive=1 << 7, offset_bits=26),
    )


ROWS = (
    SwapFormat("arm-short", "2.6.20", Field(2, 7), Field(9, 23), SOURCE, offset_bits=26),
    SwapFormat("arm-short", "2.6.32", Field(3, 6), Field(9, 23), SOURCE, offset_bits=26),
    *_rows("arm-short"),
    *_rows("arm-lpae"),
)
