"""The question that started it: a zone of one's own, a list of one's own, and whose frames those are."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vmlab as vm
from vmlab.physical.page_list import BUDDY_FREE, BUDDY_USED, IN_USE, ON_LIST
from vmlab.physical.refusals import BadFree, DoubleFree


def newmem(name: str = "arm-virt-armmp-2g", size: int = 512 * vm.MiB, **where: str) -> vm.Kernel:
    """ARM with NewMem cut from HighMem; ZONE_DMA is given up, as a 32-bit kernel has room for four zones."""
    machine = vm.load_machine(name).with_config(zone_dma=False)
    return vm.boot(machine.with_zone("NewMem", size=size, **(where or {"below": "HighMem"})))


def small(order: str = "LIFO", claim: bool = True, pages: int = 64) -> vm.PageList:
    return vm.PageList(newmem(size=pages << 12), "NewMem", order=order, claim=claim)


def test_the_zone_of_the_question_has_131072_frames_and_all_of_them_are_usable():
    kernel = newmem()
    pages = vm.PageList(kernel, "NewMem", claim=True)

    assert 131072 == kernel.zones["NewMem"].present_pages == len(pages)
    assert () == pages.left_out
    assert [] == pages.conflicts()
    assert 0 == kernel.buddy.free_pages(kernel.zones["NewMem"])
    assert not any(kernel.mem_map.holds(pfn) for pfn in pages)


def test_lifo_hands_out_the_last_frame_freed_first():
    pages = small("LIFO")
    a, b, c = (pages.alloc() for _ in range(3))
    assert (a + 1, a + 2) == (b, c)
    for pfn in (b, a, c):
        pages.free(pfn)

    assert [c, a, b] == [pages.alloc() for _ in range(3)]


def test_fifo_hands_out_the_frame_that_has_been_free_longest():
    pages = small("FIFO")
    first = pages.alloc()
    pages.free(first)

    assert first + 1 == pages.alloc()
    assert first == list(pages)[-1]


def test_an_empty_list_says_none():
    pages = small(pages=2)

    assert None not in (pages.alloc(), pages.alloc())
    assert None is pages.alloc()


@settings(max_examples=60)
@given(st.sampled_from(["LIFO", "FIFO"]), st.lists(st.integers(0, 40), max_size=60))
def test_the_list_is_a_python_list(order: str, steps: list[int]):
    """0 to 9: allocate; above: free the n-th frame in use."""
    pages = small(order, pages=16)
    naive, used = list(pages), []
    for step in steps:
        if step < 10 or not used:
            expected = naive.pop(0) if naive else None
            assert expected == pages.alloc()
            used += [expected] if expected is not None else []
        else:
            pfn = used.pop(step % len(used))
            pages.free(pfn)
            naive.insert(0 if order == "LIFO" else len(naive), pfn)
        assert naive == list(pages)
        assert naive == list(reversed(pages))[::-1], "next and prev tell the same story"
        assert len(naive) == len(pages)
        assert set(used) == pages.in_use


def test_without_claiming_every_frame_has_two_owners():
    """What the asker did: 'the buddy system for NewMem zone is still exist, but I do not use it'."""
    pages = small(claim=False)
    (conflict,) = pages.conflicts()

    assert (64, ON_LIST, BUDDY_FREE) == (conflict.pages, conflict.list_owner, conflict.other_owner)
    assert "page->lru" in conflict.consequence
    assert "list_del corruption" in conflict.tell()
    assert "0x70000..0x7003f (64 pages)" in conflict.tell()


def test_a_frame_in_use_that_buddy_still_has_will_be_handed_out_again():
    pages = small(claim=False)
    mine = pages.alloc()
    used = [conflict for conflict in pages.conflicts() if conflict.list_owner == IN_USE]
    assert [(mine, mine + 1, BUDDY_FREE)] == [(c.start_pfn, c.end_pfn, c.other_owner) for c in used]
    assert "Bad page state" in used[0].consequence

    theirs = pages.kernel.buddy.alloc(pages.zone)
    assert mine == theirs, "buddy hands out the same frame"
    both = next(conflict for conflict in pages.conflicts() if conflict.start_pfn == mine)
    assert (IN_USE, BUDDY_USED) == (both.list_owner, both.other_owner)
    assert "overwrites" in both.consequence


def test_conflicts_cover_exactly_the_frames_with_two_owners():
    pages = small(claim=False)
    buddy, zone = pages.kernel.buddy, pages.zone
    in_use = {pages.alloc() for _ in range(10)}
    in_use.remove(freed := min(in_use))
    pages.free(freed)
    lent = buddy.alloc(zone, 3)
    found = {
        pfn: (conflict.list_owner, conflict.other_owner)
        for conflict in pages.conflicts()
        for pfn in range(conflict.start_pfn, conflict.end_pfn)
    }

    for pfn in range(zone.start_pfn, zone.end_pfn):
        mine = IN_USE if pfn in in_use else ON_LIST
        theirs = BUDDY_USED if lent <= pfn < lent + 8 else BUDDY_FREE
        assert (mine, theirs) == found[pfn]


def test_claiming_takes_only_what_nobody_has():
    kernel = newmem(size=64 << 12)
    lent = kernel.buddy.alloc(kernel.zones["NewMem"], 2)
    pages = vm.PageList(kernel, "NewMem", claim=True)

    assert 60 == len(pages)
    assert [(lent, lent + 4, BUDDY_USED)] == [(part.start_pfn, part.end_pfn, part.why) for part in pages.left_out]
    assert [] == pages.conflicts()


def test_a_claimed_frame_that_somebody_gives_back_to_buddy_is_found():
    pages = small()
    first, order = next(iter(pages.kernel.buddy.allocated.items()))
    pages.kernel.free_pages(first, order)

    (conflict,) = pages.conflicts()
    assert (first, 1 << order, BUDDY_FREE) == (conflict.start_pfn, conflict.pages, conflict.other_owner)


def test_the_cma_area_at_the_top_of_highmem_is_named_and_left_out():
    kernel = newmem(size=1280 * vm.MiB)
    pages = vm.PageList(kernel, "NewMem", claim=True)

    assert [(0xBF000, 0xC0000, "the contiguous memory area (CMA)")] == [
        (part.start_pfn, part.end_pfn, part.why) for part in pages.left_out
    ]
    assert 327680 - 4096 == len(pages)


def test_a_zone_cut_from_lowmem_does_hold_mem_map_and_the_list_says_so():
    """512 MiB, no HighMem: boot put mem_map at the top of lowmem, and the zone is the top of lowmem."""
    kernel = newmem("arm-virt-armmp-512m", 128 * vm.MiB, above="Normal")
    pages = vm.PageList(kernel, "NewMem", claim=True)
    array = [part for part in pages.left_out if "mem_map" in part.why]

    assert list(kernel.mem_map.frames) == [range(part.start_pfn, part.end_pfn) for part in array]
    assert [1152] == [part.pages for part in array], "131072 frames of 36 bytes"
    assert 32768 == len(pages) + sum(part.pages for part in pages.left_out)
    assert [] == pages.conflicts()


def test_every_frame_left_out_is_named_for_what_is_in_it():
    kernel = newmem("arm-virt-armmp-512m", 128 * vm.MiB, above="Normal")

    for part in vm.PageList(kernel, "NewMem").left_out:
        for pfn in range(part.start_pfn, part.end_pfn):
            if kernel.mem_map.holds(pfn):
                assert "mem_map" in part.why
            elif "CMA" not in part.why:
                assert part.why.endswith(kernel.allocations.why(pfn, pfn << 12)), hex(pfn)


def test_so_did_a_real_kernels_movable_zone():
    """Record arm-virt-armmp-512m-movable128m: all 1152 frames, from 0x5eb71, had the zone bits of Movable."""
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-512m-movable128m"))
    left_out = vm.PageList(kernel, "Movable", claim=True).left_out

    assert [(0x5EB71, 1152)] == [(part.start_pfn, part.pages) for part in left_out if "mem_map" in part.why]


def test_taking_reserved_frames_all_the_same_shows_what_is_lost():
    kernel = newmem("arm-virt-armmp-512m", 128 * vm.MiB, above="Normal")
    pages = vm.PageList(kernel, "NewMem", take_reserved=True)
    (array,) = [conflict for conflict in pages.conflicts() if "mem_map" in conflict.other_owner]

    assert 1152 == array.pages
    assert "the kernel loses track of the frames" in array.consequence
    owners = {conflict.other_owner for conflict in pages.conflicts()}
    assert {"free in buddy", "the contiguous memory area (CMA)", "taken at boot: per-CPU variables"} <= owners


def test_a_double_free_and_a_foreign_frame_are_refused():
    pages = small()
    pfn = pages.alloc()
    pages.free(pfn)

    with pytest.raises(DoubleFree, match="it is on the list already"):
        pages.free(pfn)
    with pytest.raises(BadFree, match="this list of zone NewMem never handed it out"):
        pages.free(0x40000)
    assert 64 == len(pages)


def test_a_wrong_order_and_an_unknown_zone_are_refused():
    kernel = newmem()
    with pytest.raises(vm.VmlabError, match="order: expected 'LIFO' or 'FIFO', got 'random'"):
        vm.PageList(kernel, "NewMem", order="random")
    with pytest.raises(vm.VmlabError, match="zone: expected one of Normal, NewMem, HighMem, Movable, got 'OldMem'"):
        vm.PageList(kernel, "OldMem")


def test_a_zone_too_large_to_link_frame_by_frame_is_refused():
    kernel = vm.boot(vm.Machine(arch="amd64", ram=(vm.Region(0, vm.GiB), vm.Region(4 * vm.GiB, vm.TiB))))

    with pytest.raises(vm.VmlabError, match=r"expected at most 16777216 \(64 GiB\)"):
        vm.PageList(kernel, "Normal")
