"""The entry that says where a page went: its swap area and the slot in it.

    SwapEntry.decode("x86-64-4", 0x07ffffffffff3a0a)       # area 0, slot 98, marked exclusive and soft-dirty
    SwapEntry(0, 98).encode("arm-short")                   # 0x3100

A swap entry is neither empty nor present: the CPU faults on it and never looks at the rest, which is Linux's.
Type and offset are also packed into one word for the kernel's own use, `swp_entry_t` (include/linux/swapops.h).
"""

from __future__ import annotations

from typing import NamedTuple

from ..arch.format import bits
from ..arch.formats import page_format
from ..arch.swap_format import SwapFormat
from ..arch.swap_formats import swap_format
from ..units import VmlabError, group_hex


class SwapEntry(NamedTuple):
    """A slot: page `offset` of swap area `type`; and the marks that stand beside them in an entry."""

    type: int
    offset: int
    exclusive: bool = False
    soft_dirty: bool = False
    uffd_wp: bool = False

    @property
    def slot(self) -> tuple[int, int]:
        """(type, offset) without the marks."""
        return self.type, self.offset

    @classmethod
    def decode(cls, format: str, pte: int, kernel: str = "6.1") -> SwapEntry:
        """The slot that Linux's entry `pte` names; refuses entries that are empty, present, or of another kind."""
        row = swap_format(format, kernel)
        check_entry(row, pte)
        type, offset = row.type.of(pte), row.offset.of(pte)
        if type >= row.max_swapfiles:
            names = dict(enumerate(row.special, row.max_swapfiles))
            what = names.get(type, "nothing known")
            raise VmlabError(
                f"{group_hex(pte)}: type {type} is no swap area of this kernel (they are below {row.max_swapfiles}); "
                f"it means {what}"
            )
        if not offset:
            raise VmlabError(f"{group_hex(pte)}: slot 0 of an area is its header: no page is ever swapped there")
        return cls(type, offset, **{name: bool(pte & bit) for name, bit in row.marks.items()})

    def encode(self, format: str, kernel: str = "6.1") -> int:
        """Linux's entry for this slot; a mark that this kernel has no bit for is refused."""
        row = swap_format(format, kernel)
        if not 0 <= self.type < row.max_swapfiles:
            raise VmlabError(f"type: expected 0 to {row.max_swapfiles - 1} in Linux {kernel}, got {self.type}")
        if not 0 < self.offset <= row.max_offset:
            raise VmlabError(f"offset: expected 1 to {row.max_offset:#x} in an entry of {format}, got {self.offset:#x}")
        held = {name: getattr(self, name) for name in ("exclusive", "soft_dirty", "uffd_wp")}
        missing = [name for name, wanted in held.items() if wanted and name not in row.marks]
        if missing:
            raise VmlabError(f"{missing[0]}: entries of {format} have no bit for it in Linux {kernel}")
        return row.encode(self.type, self.offset, sum(bit for name, bit in row.marks.items() if held[name]))

    def swp_entry_t(self, bits_per_long: int = 64) -> int:
        """The kernel's own word for this slot: type above, offset below (SWP_TYPE_SHIFT)."""
        shift = bits_per_long - 1 - 5
        if self.offset > bits(shift - 1, 0):
            raise VmlabError(f"offset: swp_entry_t of {bits_per_long} bits holds {shift} bits, got {self.offset:#x}")
        return self.type << shift | self.offset


def check_entry(row: SwapFormat, pte: int) -> None:
    """Refuse what is not an entry at all, empty, or present."""
    fmt = page_format(row.format)
    assert fmt.software is not None
    if not isinstance(pte, int) or isinstance(pte, bool) or not 0 <= pte < 1 << 8 * fmt.entry_bytes:
        raise VmlabError(f"pte: expected an entry of {fmt.entry_bytes} bytes of {fmt.name}, got {pte!r}")
    if not pte:
        raise VmlabError("pte: 0 is an empty entry: nothing is there, not even in swap")
    if (pte & row.present) if row.present else fmt.software.present.of(pte):
        pa = fmt.software.pa.of(pte)
        raise VmlabError(f"{group_hex(pte)}: the page is present (its frame is {pa >> 12:#x}), not in swap")
