"""Swap entries on AArch64 with 4 KiB pages (asm/pgtable.h)."""

from __future__ import annotations

from ..swap_format import SPECIAL_6_1, Field, SwapFormat

SOURCE = "arch/arm64/include/asm/pgtable.h"
SPECIAL = (*SPECIAL_6_1, "swapin error")


def _rows(name: str) -> tuple[SwapFormat, ...]:
    return (
        SwapFormat(name, "4.9", Field(2, 6), Field(8, 50), SOURCE, offset_bits=58),
        SwapFormat(
            name,
            "5.19",
            Field(3, 5),
            Field(8, 50),
            SOURCE,
            exclusive=1 << 2,
            offset_bits=58,
            max_swapfiles=27,
            special=SPECIAL,
        ),
        SwapFormat(
            name,
            "6.12",
            Field(6, 5),
            Field(12, 50),
            SOURCE,
            exclusive=1 << 2,
            uffd_wp=1 << 3,
            offset_bits=58,
            present=1 << 11 | 1,
        ),
    )


ROWS = (*_rows("arm64-4k-39"), *_rows("arm64-4k-48"))
