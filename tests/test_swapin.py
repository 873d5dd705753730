"""What is read from swap with the page that was asked for: windows by address and by slot."""

from __future__ import annotations

import pytest
from mm_parts import PAGE, a_memory

from vmlab.process.process import Process
from vmlab.process.swap import nr_pages

VA = 0x40_0000


def swapped(pages, **area):
    """A process whose first `pages` pages are all in swap, in order."""
    memory, _ = a_memory(pages=4 * pages + 1, synchronous=False, **area)
    process = Process(memory, "p")
    process.mmap(VA, pages)
    for number in range(pages):
        process.write(VA + number * PAGE, bytes([number + 1]))
    for number in range(pages):
        process.madvise(VA + number * PAGE, PAGE, "PAGEOUT")
    memory.end_writeback()
    memory.reclaim_pages(list(memory))
    assert not memory.swap.cache
    return process, memory


def brought(process, memory, numbers):
    """For each page touched: the pages that were read from swap for it, in the order of their frames' arrival."""
    found, arrived = [], []
    memory.on_page.append(lambda what, page: arrived.append(page) if what == "new" else None)
    for number in numbers:
        arrived.clear()
        assert process.read(VA + number * PAGE, 1) == bytes([number + 1])
        found.append([page.data[0] - 1 for page in arrived])
    return found


def test_the_window_by_address_grows_with_use_follows_the_direction_and_shrinks_by_half():
    """mm/swap_state.c:swap_ra_info. Hits begin at 4, so the first window is the largest one, 8 pages around."""
    process, memory = swapped(200, rotational=False)
    assert [[17, 18, 19, 20, 21, 22, 23, 24]] == brought(process, memory, [20])
    assert [[99, 100, 101, 102]] == brought(process, memory, [100]), "no hit: half of it"
    assert [[150, 151], [170]] == brought(process, memory, [150, 170])
    assert [[171, 172]] == brought(process, memory, [171]), "the next page: from it on"
    assert [[]] == brought(process, memory, [172]), "read ahead, and used: a hit"
    assert [[173, 174, 175, 176]] == brought(process, memory, [173])


def test_the_window_by_slot_is_aligned_and_read_in_order():
    """mm/swap_state.c:swap_cluster_readahead: offset & ~mask to offset | mask; slot 0 is the header."""
    process, memory = swapped(40, rotational=True)
    assert [[7, 8, 9, 10, 11, 12, 13, 14]] == brought(process, memory, [10])  # slots 8 to 15
    assert 4 == len(brought(process, memory, [30])[0])


def test_a_locked_area_keeps_no_slot_and_another_does_after_a_read():
    """mm/memory.c:should_try_to_free_swap: VM_LOCKED, or a write by the only user, or swap that is scarce."""
    process, memory = swapped(4, rotational=True)
    process.mprotect(VA, 4 * PAGE, "r")
    process.read(VA, 1)
    assert memory.page(process.page_table.pte(VA).pfn).slot is not None
    process.mlock(VA + 3 * PAGE, PAGE)
    assert memory.page(process.page_table.pte(VA + 3 * PAGE).pfn).slot is None


def test_a_writer_that_is_not_alone_takes_a_copy_and_leaves_the_slot_to_the_others():
    process, memory = swapped(1, rotational=True)
    process.write(VA, b"a")
    child = process.fork()
    memory.reclaim_pages(list(memory))
    memory.end_writeback()
    memory.reclaim_pages(list(memory))
    assert not memory.swap.cache
    assert b"a" == child.read(VA, 1)
    page = memory.page(child.page_table.pte(VA).pfn)
    assert process.write(VA, b"b")
    assert process.page_table.pte(VA).pfn != page.pfn
    assert 1 == page.mapcount
    assert page.slot is not None, "two references and the cache's were one too many to give it up"
    assert (b"a", b"b") == (child.read(VA, 1), process.read(VA, 1))


@pytest.mark.parametrize(
    ("before", "now", "hits", "last", "pages"),
    [
        *((0, 9, 0, 0, 1), (8, 9, 0, 0, 2), (10, 9, 0, 0, 2)),
        *((0, 9, 1, 0, 4), (0, 9, 2, 0, 4), (0, 9, 3, 0, 8), (0, 9, 7, 0, 8)),
        *((0, 9, 0, 8, 4), (0, 9, 0, 3, 1), (0, 9, 1, 8, 4)),
    ],
)
def test_how_many_pages_are_read_at_once(before, now, hits, last, pages):
    """mm/swap_state.c:__swapin_nr_pages, with vm.page-cluster 3."""
    assert pages == nr_pages(before, now, hits, 8, last)
