"""How fragmented free memory is, from the counts of /proc/buddyinfo: the kernel's three measures.

Linux 6.1, mm/vmstat.c: fill_contig_page_info, __fragmentation_index, unusable_free_index, extfrag_for_order.
`nr_free` are free blocks by order; `order` is that of a request.
"""

from __future__ import annotations

from collections.abc import Sequence

from .refusals import BadOrder


def _contiguous(nr_free: Sequence[int], order: int) -> tuple[int, int, int]:
    """Free pages, free blocks, and how many blocks of `order` could be had (struct contig_page_info)."""
    if not 0 <= order < len(nr_free):
        raise BadOrder(f"order {order}: expected 0 to {len(nr_free) - 1}, as many as there are counts")
    pages = sum(count << lower for lower, count in enumerate(nr_free))
    suitable = sum(count << larger - order for larger, count in enumerate(nr_free) if larger >= order)
    return pages, sum(nr_free), suitable


def fragmentation_index(nr_free: Sequence[int], order: int) -> int:
    """In thousandths, why a request would fail: towards 0 for lack of memory, towards 1000 through fragmentation.

    -1000 where it would not fail, and 0 where nothing is free (/sys/kernel/debug/extfrag/extfrag_index).
    """
    pages, blocks, suitable = _contiguous(nr_free, order)
    if not blocks:
        return 0
    if suitable:
        return -1000
    return 1000 - (1000 + pages * 1000 // (1 << order)) // blocks


def unusable_free_index(nr_free: Sequence[int], order: int) -> int:
    """In thousandths, the part of free memory that is in blocks too small for a request (unusable_index)."""
    pages, _, suitable = _contiguous(nr_free, order)
    return (pages - (suitable << order)) * 1000 // pages if pages else 1000


def extfrag_for_order(nr_free: Sequence[int], order: int) -> int:
    """The same per cent, and 0 where nothing is free: proactive compaction's score of a zone."""
    pages, _, suitable = _contiguous(nr_free, order)
    return (pages - (suitable << order)) * 100 // pages if pages else 0
