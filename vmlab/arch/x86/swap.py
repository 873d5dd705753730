"""Swap entries on x86 (Linux 6.1: asm/pgtable-2level.h, pgtable-3level.h, pgtable_64.h; other versions' likewise).

Since 4.19 the offset is stored inverted where entries have 8 bytes: CPUs with the L1TF fault use the address
bits of an entry that is not present, and inverted ones point above all RAM. Entries of 4 bytes have no room for it.
"""

from __future__ import annotations

from typing import Any

from ..swap_format import SPECIAL_6_1, Field, SwapFormat

TWO, THREE, LONG = "asm/pgtable-2level.h", "asm/pgtable-3level.h", "asm/pgtable_64.h"
RW, US, PWT, SOFTW3 = 1 << 1, 1 << 2, 1 << 3, 1 << 11
TYPE, OFFSET = Field(59, 5), Field(9, 50, inverted=True)
SPECIAL_32 = (*SPECIAL_6_1, "swapin error")
SPECIAL_64 = (*SPECIAL_6_1, "pte marker", "swapin error")


def _long(name: str) -> tuple[SwapFormat, ...]:
    dirty: dict[str, Any] = {"soft_dirty": RW, "written": SOFTW3}
    return (
        SwapFormat(name, "2.6.32", Field(1, 5), Field(9, 55), LONG, offset_bits=58),
        SwapFormat(name, "4.6", Field(9, 5), Field(14, 50), LONG, **dirty, offset_bits=58),
        SwapFormat(name, "4.19", TYPE, OFFSET, LONG, **dirty, offset_bits=58),
        SwapFormat(
            name,
            "5.19",
            TYPE,
            OFFSET,
            LONG,
            **dirty,
            exclusive=PWT,
            uffd_wp=US,
            offset_bits=58,
            max_swapfiles=26,
            special=SPECIAL_64,
        ),
    )


ROWS = (
    SwapFormat("x86-32", "2.4", Field(1, 5), Field(8, 24), TWO, offset_bits=26, present=0x81),
    SwapFormat("x86-32", "2.6.32", Field(1, 5), Field(9, 23), TWO, offset_bits=26),
    SwapFormat("x86-32", "6.1", Field(1, 5), Field(9, 23), TWO, offset_bits=26, max_swapfiles=27, special=SPECIAL_32),
    SwapFormat("x86-32", "6.3", Field(1, 5), Field(9, 23), TWO, exclusive=1 << 7, offset_bits=26),
    SwapFormat("x86-pae", "2.6.20", Field(32, 5), Field(37, 27), THREE, offset_bits=26),
    SwapFormat("x86-pae", "4.19", TYPE, OFFSET, THREE, offset_bits=26),
    SwapFormat("x86-pae", "6.1", TYPE, OFFSET, THREE, offset_bits=26, max_swapfiles=27, special=SPECIAL_32),
    *_long("x86-64-4"),
    *_long("x86-64-5"),
)
