"""page_address(): which window shows a HighMem page, found through a hash table (Linux 6.1, mm/highmem.c).

A struct page has no room for its window's address (HASHED_PAGE_VIRTUAL), and most HighMem pages have no window.
"""

from __future__ import annotations

from collections.abc import Callable

PA_HASH_ORDER = 7
GOLDEN_RATIO_32 = 0x61C8_8647  # include/linux/hash.h


def page_slot(page_va: int) -> int:
    """Number of the bucket for the struct page at `page_va` (hash_ptr on 32 bits)."""
    return (page_va * GOLDEN_RATIO_32 & 0xFFFF_FFFF) >> (32 - PA_HASH_ORDER)


class PageAddresses:
    """The table: 128 chains of (frame, address); `page_va` gives a frame's struct page."""

    def __init__(self, page_va: Callable[[int], int]) -> None:
        self._page_va = page_va
        self.chains: dict[int, list[tuple[int, int]]] = {}

    def chain(self, pfn: int) -> list[tuple[int, int]]:
        """The chain on which a frame would stand."""
        return self.chains.setdefault(page_slot(self._page_va(pfn)), [])

    def find(self, pfn: int) -> int | None:
        """The address of a frame's window, or None."""
        return next((va for held, va in self.chain(pfn) if held == pfn), None)

    def add(self, pfn: int, va: int) -> None:
        """set_page_address with an address."""
        self.chain(pfn).append((pfn, va))

    def remove(self, pfn: int) -> None:
        """set_page_address with NULL."""
        chain = self.chain(pfn)
        chain[:] = [pair for pair in chain if pair[0] != pfn]
