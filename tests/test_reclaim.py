"""Reclaim: second chance, activation, refault distance, the balance of both kinds, kswapd; and pages of processes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vmlab as vm
from tests.mm_parts import PAGE, a_memory, check_counts
from vmlab.process.file import File
from vmlab.process.lruvec import ANON, FILE, Lruvec
from vmlab.process.process import Process
from vmlab.process.reclaim import Kswapd, Look, Report, Scan
from vmlab.process.trace_pages import TracePage, TracePages
from vmlab.process.user_pages import UserPages


class Given:
    """Pages whose accessed bits a test sets, and what was freed."""

    def __init__(self):
        self.seen, self.gone = {}, []

    def look(self, page):
        return self.seen.pop(page.number, Look(0))

    def evict(self, page):
        self.gone.append(page.number)
        return True

    def key(self, page):
        return page.number

    def written(self):
        return 0


def lists_of(inactive=0, active=0, files=0, active_files=0):
    lists, number = Lruvec(), 0
    for kind, is_active, count in (
        (ANON, False, inactive),
        (ANON, True, active),
        (FILE, False, files),
        (FILE, True, active_files),
    ):
        for _ in range(count):
            lists.put(TracePage(number, is_file=kind, active=is_active))
            number += 1
    return lists


@pytest.mark.parametrize(
    ("seen", "referenced", "is_file", "what"),
    [
        (Look(0), False, False, "reclaim"),
        (Look(0), True, False, "reclaim"),
        (Look(1), False, False, "keep"),
        (Look(1), True, False, "activate"),
        (Look(2), False, False, "activate"),
        (Look(1, executable=True), False, True, "activate"),
        (Look(1, executable=True), False, False, "keep"),
        (Look(3, locked=True), False, False, "keep"),
    ],
)
def test_a_page_at_the_end_is_judged_as_folio_check_references_does(seen, referenced, is_file, what):
    pages = Given()
    pages.seen[0] = seen
    page = TracePage(0, is_file=is_file, referenced=referenced)
    assert what == Scan(Lruvec(), pages)._check_references(page)


def test_a_page_used_once_gets_a_second_chance_and_no_third():
    lists, pages = lists_of(inactive=4), Given()
    pages.seen[0] = Look(1)
    first = Scan(lists, pages, exact=True).reclaim(1)
    assert (1, 1, [1]) == (first.kept, len(first.freed), pages.gone)
    assert [2, 3, 0] == [page.number for page in lists.lists[ANON, False]]
    Scan(lists, pages, exact=True).reclaim(3)
    assert [1, 2, 3, 0] == pages.gone


def test_a_page_that_returns_soon_is_active_at_once_and_a_late_one_is_not():
    """100 active pages; evicted at age 500; refaults at 580 and at 650."""
    for refault, active in ((580, True), (600, True), (601, False), (650, False)):
        lists = lists_of(active=100)
        lists.nonresident_age = 500
        page = TracePage(1000)
        lists.shadow(page, "contents")
        lists.nonresident_age = refault
        assert active == lists.add(TracePage(1001), "contents")
        assert 1 == lists.stat["workingset_refault_anon"]
        assert int(active) == lists.stat["workingset_activate_anon"]


@pytest.mark.parametrize(("gib", "ratio"), [(0, 1), (1, 3), (10, 10), (100, 31)])
def test_the_larger_memory_the_smaller_the_inactive_share(gib, ratio, monkeypatch):
    lists, pages = Lruvec(), max(gib << 18, 1000)
    inactive = pages // (ratio + 1)
    sizes = {(ANON, False): inactive + 1, (ANON, True): pages - inactive - 1}
    monkeypatch.setattr(lists, "size", lambda kind, active: sizes[kind, active])
    assert not lists.inactive_is_low(ANON)
    sizes |= {(ANON, False): inactive - 1, (ANON, True): pages - inactive + 1}
    assert lists.inactive_is_low(ANON)


def test_plenty_of_file_pages_that_do_not_return_spare_anonymous_ones():
    lists = lists_of(inactive=200, active=200, files=200)
    count = Scan(lists, Given()).scan_count(2)
    assert (0, 50) == (count[ANON, False], count[FILE, False])


def test_without_swap_anonymous_pages_are_not_scanned():
    lists = lists_of(inactive=50, files=50)
    lists.has_swap = False
    report = Scan(lists, Given()).reclaim(50)
    assert 50 == len(report.freed)
    assert all(page.is_file for page in report.freed)


@pytest.mark.parametrize(
    ("swappiness", "anon", "file"), [(0, 0, 200), (1, 1, 199), (60, 60, 140), (199, 199, 1), (200, 200, 0)]
)
def test_swappiness_divides_the_pressure(swappiness, anon, file):
    """get_scan_count without costs: swappiness and 200 - swappiness parts of 200; 200, 50, 50 and 200 at priority 1."""
    lists = lists_of(inactive=400, active=100, files=100, active_files=400)
    count = Scan(lists, Given(), swappiness).scan_count(1)
    assert count == {
        (ANON, False): 200 * anon // 200,
        (ANON, True): 50 * anon // 200,
        (FILE, False): 50 * file // 200,
        (FILE, True): 200 * file // 200,
    }


@pytest.mark.parametrize("swappiness", [1, 60, 200])
def test_close_to_out_of_memory_all_of_both_kinds_is_scanned(swappiness):
    """get_scan_count, SCAN_EQUAL: at priority 0 swappiness divides nothing any more, unless it is 0."""
    sizes = {"inactive": 40, "active": 30, "files": 20, "active_files": 50}
    count = Scan(lists_of(**sizes), Given(), swappiness).scan_count(0)
    assert list(sizes.values()) == list(count.values())
    assert [0, 0, 20, 50] == list(Scan(lists_of(**sizes), Given(), 0).scan_count(0).values())


@pytest.mark.parametrize(
    ("seen", "is_file", "stays"),
    [
        (Look(1, executable=True), True, True),
        (Look(0, executable=True), True, False),
        (Look(1), True, False),
        (Look(1, executable=True), False, False),
    ],
)
def test_only_code_in_use_stays_active(seen, is_file, stays):
    """shrink_active_list: one more trip for referenced, executable pages of files; all others become inactive."""
    lists, pages = lists_of(active=1 - is_file, active_files=int(is_file)), Given()
    pages.seen[0] = seen
    report = Report(1)
    Scan(lists, pages)._shrink_active(report, is_file, 32)
    assert (int(stays), 1 - stays) == (lists.size(is_file, True), report.deactivated)


def test_pages_that_had_to_be_written_make_their_kind_dearer():
    """shrink_inactive_list: lru_note_cost(lruvec, file, stat.nr_pageout); both halve above a quarter of all pages."""
    lists, pages = lists_of(inactive=400), Given()
    costs = []
    pages.written = lambda: len(pages.gone)  # as if it wrote them all again each time
    scan = Scan(lists, pages, exact=True)
    for _ in range(13):  # one page a batch
        scan.reclaim(1)
        costs.append(lists.cost[ANON])
    assert [1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 66, 78, 91] == costs
    scan.reclaim(1)  # 105 of 386 pages
    assert {ANON: 52, FILE: 0} == lists.cost


def test_full_swap_spares_anonymous_pages_but_their_lists_are_kept_in_balance():
    """can_reclaim_anon_pages asks for a free slot, can_age_anon_pages for any swap at all."""
    lists = lists_of(inactive=40, active=60, files=50)
    assert 110 == lists.workingset_size(ANON)  # active anonymous pages and all file pages
    lists.swap_is_full = True
    assert 50 == lists.workingset_size(ANON)
    report = Scan(lists, Given()).reclaim(50)
    assert all(page.is_file for page in report.freed)
    assert 32 == report.deactivated


def test_refaults_make_a_kind_dearer_to_scan():
    lists = lists_of(inactive=400, active=100, files=100, active_files=400)
    before = Scan(lists, Given()).scan_count(1)
    for _ in range(100):
        lists.note_cost(FILE)
    after = Scan(lists, Given()).scan_count(1)
    assert after[ANON, False] > before[ANON, False]
    assert after[FILE, True] < before[FILE, True]


def test_kswapd_sleeps_above_low_and_works_until_high():
    lists, pages = lists_of(inactive=500), Given()
    free = 20
    scan = Scan(lists, pages)
    kswapd = Kswapd(scan, lambda: free + len(pages.gone), low=20, high=60)
    assert [] == kswapd.wake()
    free = 19
    rounds = kswapd.wake()
    assert 60 <= 19 + len(pages.gone) < 60 + 2 * 32
    assert [32] == [each.wanted for each in rounds]
    assert lists.stat["pgsteal_kswapd"] == len(pages.gone)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 15), max_size=200), st.integers(1, 12))
def test_no_page_is_on_two_lists_and_none_is_lost(trace, frames):
    pages = TracePages(Lruvec(), frames)
    for number in trace:
        pages.reference(number)
        held = [page.number for each in pages.lists.lists.values() for page in each]
        assert sorted(held) == sorted(pages.resident)
        for (kind, active), each in pages.lists.lists.items():
            assert all((page.is_file, page.active) == (kind, active) for page in each)


@pytest.mark.parametrize("wrong", [0, -3])
def test_nothing_cannot_be_reclaimed(wrong):
    with pytest.raises(vm.VmlabError, match="at least 1 page"):
        Scan(Lruvec(), Given()).reclaim(wrong)


def test_a_swappiness_that_is_none_is_refused():
    with pytest.raises(vm.VmlabError, match="0 to 200, got 201"):
        Scan(Lruvec(), Given(), 201)


# --- pages of processes ---

VA = 0x40_0000


def test_cold_pages_go_hot_ones_stay_and_nothing_is_lost():
    memory, pool = a_memory(pages=400)
    lists = UserPages(memory)
    p = Process(memory, "p")
    p.mmap(VA, pages=200)
    for n in range(200):
        p.write(VA + n * PAGE, bytes([n + 1]))
    lists.reclaim(1)  # every page was used once, by the write that made it: a second chance each, then one goes
    before = {va for va, pte in p.mm.pages(VA, VA + 200 * PAGE) if pte.pfn is not None}
    hot = sorted(before)[-10:]
    for _ in range(3):
        for va in hot:
            p.read(va, 1)
        lists.reclaim(20)
    here = {va for va, pte in p.mm.pages(VA, VA + 200 * PAGE) if pte.pfn is not None}
    assert set(hot) <= here
    assert len(here) < len(before)
    assert [bytes([n + 1]) for n in range(200)] == [p.read(VA + n * PAGE, 1) for n in range(200)]
    assert lists.lists.stat["pgsteal_direct"] >= 40
    check_counts(memory, pool)


def test_a_page_that_comes_back_from_swap_is_a_refault():
    memory, _ = a_memory(pages=400)
    lists = UserPages(memory)
    p = Process(memory, "p")
    p.mmap(VA, pages=4)
    for n in range(4):
        p.write(VA + n * PAGE, b"x")
    lists.reclaim(2)
    gone = [va for va, pte in p.mm.pages(VA, VA + 4 * PAGE) if pte.swap is not None]
    assert len(gone) >= 2
    p.read(gone[0], 1)
    lists.drain()
    assert 1 == lists.lists.stat["workingset_refault_anon"]


def test_text_is_dropped_and_read_again_and_locked_pages_stay():
    memory, _ = a_memory(pages=400)
    lists = UserPages(memory)
    p = Process(memory, "p")
    p.mmap(VA, 4, "rx", File("program", 4, {0: b"text"}), 0)
    p.mmap(VA + 64 * PAGE, pages=2)
    p.mlock(VA + 64 * PAGE, 2)
    for n in range(4):
        p.read(VA + n * PAGE, 1)
    p.write(VA + 64 * PAGE, b"kept")
    for _ in range(4):
        lists.reclaim(8)
    assert [] == [va for va, pte in p.mm.pages(VA, VA + 4 * PAGE) if pte.swap is not None]
    assert p.mm.table.pte(VA + 64 * PAGE).pfn is not None
    assert b"text" == p.read(VA, 4)


def test_a_task_that_finds_no_frame_reclaims_and_goes_on():
    memory, pool = a_memory(frames=24)
    lists = UserPages(memory)
    p = Process(memory, "p")
    p.mmap(VA, pages=40)
    for n in range(40):
        assert p.write(VA + n * PAGE, bytes([n + 1]))
    assert lists.lists.stat["pgsteal_direct"] >= 16
    assert all(bytes([n + 1]) == p.read(VA + n * PAGE, 1) for n in range(40))
    check_counts(memory, pool)


def test_a_booted_kernel_reclaims_what_its_processes_have():
    k = vm.boot(vm.load_machine("arm-virt-armmp-1g"))
    k.swapon(128)
    p = k.spawn("a")
    p.mmap(VA, pages=100)
    for n in range(100):
        p.write(VA + n * PAGE, b"x")
    report = k.reclaim(64)
    assert int(report) >= 64
    assert "of 64 wanted pages freed" in report.tell()
    assert [] == k.user_pages.wake_kswapd(), "nearly all of 2 GiB is free"


def test_pages_that_go_to_swap_cost_and_a_full_area_is_seen_at_once():
    memory, _ = a_memory(pages=9)  # eight slots
    lists = UserPages(memory)
    p = Process(memory, "p")
    p.mmap(VA, pages=40)
    for n in range(40):
        p.write(VA + n * PAGE, b"x")
    report = lists.reclaim(20)
    assert 8 == len(report.freed)
    assert lists.lists.has_swap
    assert not lists.lists.can_swap
    assert lists.lists.cost[ANON] > 0
