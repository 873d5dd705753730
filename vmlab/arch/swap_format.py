"""How a page-table entry names a swap slot, as data: one row a page-table format and range of kernel versions.

An entry of a page that is swapped out is not present; its other bits are Linux's own. The rows stand beside the
formats they belong to (`arch/*/swap.py`); the arithmetic is the same for all and stands here.

Left out: entries of huge pages that are swapped whole, and old kernels' _PAGE_FILE entries (nonlinear mappings).
"""

from __future__ import annotations

from typing import NamedTuple

from .format import bits


class Field(NamedTuple):
    """`width` bits of an entry from bit `low` up; stored inverted if `inverted`."""

    low: int
    width: int
    inverted: bool = False

    @property
    def most(self) -> int:
        """The largest number it holds."""
        return (1 << self.width) - 1

    def of(self, entry: int) -> int:
        """The number in `entry`."""
        return ((~entry if self.inverted else entry) >> self.low) & self.most

    def put(self, number: int) -> int:
        """The bits that hold `number`."""
        return ((self.most - number) if self.inverted else number) << self.low


class SwapFormat(NamedTuple):
    """How entries of one page-table format name slots, in kernels from `since` on (until the next row).

    `offset_bits` is less than the field's width where swp_entry_t is narrower than the entry. `exclusive`,
    `soft_dirty` and `uffd_wp` are single bits, 0 where this kernel has none; `written` is the soft-dirty bit of an
    entry whose page is present. `max_swapfiles` is MAX_SWAPFILES of Debian's kernel: higher types mean other things.
    """

    format: str
    since: str
    type: Field
    offset: Field
    source: str
    exclusive: int = 0
    soft_dirty: int = 0
    uffd_wp: int = 0
    written: int = 0
    offset_bits: int = 64
    max_swapfiles: int = 32
    special: tuple[str, ...] = ()  # what the types from max_swapfiles up mean
    present: int = 0  # bits that say a page is present, where this kernel's differ from those of `arch/*/format.py`

    @property
    def max_offset(self) -> int:
        """The largest slot number that goes through an entry and swp_entry_t unharmed.

        Inverted, the very largest would make an empty entry of type 0.
        """
        return min(self.offset.most - self.offset.inverted, bits(self.offset_bits - 1, 0))

    @property
    def marks(self) -> dict[str, int]:
        """The bits beside type and offset, by name."""
        named = {"exclusive": self.exclusive, "soft_dirty": self.soft_dirty, "uffd_wp": self.uffd_wp}
        return {name: bit for name, bit in named.items() if bit}

    def encode(self, type: int, offset: int, marks: int = 0) -> int:
        """The entry of slot `offset` in area `type`; the caller has checked both."""
        return self.type.put(type) | self.offset.put(offset) | marks


SPECIAL_6_1 = ("hwpoison", "migration read", "migration read exclusive", "migration write")
"""Types from MAX_SWAPFILES up (include/linux/swap.h), where memory failure is configured."""
