"""kmap's windows: slots, counts, wraps and waiting; what a stale pointer shows; what may live in HighMem."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from naive_highmem import NaivePool

import vmlab as vm
from vmlab.judge import highmem as judge
from vmlab.physical.zonelist import NoPage, Page
from vmlab.record.answers import Recorded
from vmlab.virtual.highmem import Fault
from vmlab.virtual.page_address import page_slot
from vmlab.virtual.pkmap import KernelBug, Pkmap, Waits, Woken, told
from vmlab.virtual.residents import RESIDENTS, exhaust

BASE, PAGE = 0xBFE0_0000, 4096
HIGH = "GFP_HIGHUSER"
RECORDS = Path(__file__).parent / "records"


@pytest.fixture
def board() -> vm.Kernel:
    """1 GiB at 0x4000_0000, 768 MiB of it lowmem: frames from 0x70000 on are HighMem."""
    return vm.boot(vm.load_machine("arm-virt-armmp-1g"))


def pool(slots: int = 4, **more) -> Pkmap:
    return Pkmap(BASE, slots, **more)


def pages(kernel: vm.Kernel, count: int) -> list[Page]:
    found = [kernel.alloc_pages(0, HIGH) for _ in range(count)]
    assert all(isinstance(page, Page) and page.zone == "HighMem" for page in found)
    return found  # type: ignore[return-value]


# The round


def test_the_first_window_after_boot_is_slot_1_and_a_released_one_keeps_its_frame():
    """facts of the recorded kernels: kmap three, kunmap the second: 0 2 1 2; the next kmap gets slot 4."""
    windows = pool(512)
    slots = [windows.number(windows.kmap(pfn)) for pfn in (70, 71, 72)]
    windows.kunmap(71)

    assert [1, 2, 3] == slots
    assert [0, 2, 1, 2] == windows.counts[:4]
    assert 71 == windows.frames[2]
    assert 4 == windows.number(windows.kmap(73))


def test_slot_0_comes_last_and_the_wrap_flushes_all_idle_slots_at_once():
    windows = pool(4)
    for pfn in (1, 2, 3):
        windows.kmap(pfn)
        windows.kunmap(pfn)
    assert [0, 1, 1, 1] == windows.counts

    assert BASE == windows.kmap(4)
    assert [2, 0, 0, 0] == windows.counts
    assert [(1, 2, 3)] == windows.flushes
    assert [None, 1] == [windows.addresses.find(1), windows.wraps]


def test_a_wrap_with_every_slot_in_use_flushes_nothing():
    windows = pool(4)
    for pfn in (1, 2, 3, 4):
        windows.kmap(pfn)

    assert (1, []) == (windows.wraps, windows.flushes)
    assert "wrap at slot 0: nothing to flush; slot 0 is free: taken" == told(windows.looks)


def test_a_page_is_shown_by_one_window_however_often_it_is_mapped():
    windows = pool()
    assert windows.kmap(7) == windows.kmap(7, "other") == BASE + PAGE
    assert 3 == windows.counts[1]
    windows.kunmap(7)
    assert [["other"], 2] == [windows.holders[1], windows.counts[1]]


def test_an_idle_window_is_found_again_without_a_new_slot():
    windows = pool()
    va = windows.kmap(7)
    windows.kunmap(7)

    assert va == windows.kmap(7)
    assert (1, []) == (windows.last_pkmap_nr, windows.looks)


def test_the_scan_passes_slots_that_are_in_use():
    windows = pool(4)
    for pfn in (1, 2, 3, 4):
        windows.kmap(pfn)
    windows.kunmap(2)

    assert BASE + 2 * PAGE == windows.kmap(9)  # from slot 0 on: 1 is in use, and no wrap has freed 2: round once more
    assert [1, 2, 3, 0, 1, 2] == [look.slot for look in windows.looks]
    assert [(2,)] == windows.flushes


# Waiting


def test_a_task_waits_when_all_are_in_use_and_goes_on_when_one_is_given_back():
    windows = pool(2)
    windows.kmap(1, "a")
    windows.kmap(2, "b")
    waits = windows.kmap(3, "c")

    assert isinstance(waits, Waits)
    assert not waits
    assert "c sleeps until a window is free for frame 0x3" in waits.tell()
    assert (Woken("c", 3, BASE + PAGE),) == windows.kunmap(1, "a")
    assert 3 == windows.frames[1]


def test_nobody_is_woken_before_the_last_user_of_a_window_gives_it_back():
    windows = pool(2)
    for pfn, task in ((1, "a"), (1, "b"), (2, "b"), (3, "c")):
        windows.kmap(pfn, task)

    assert () == windows.kunmap(1, "a")
    assert [("c", BASE + PAGE)] == [(one.task, one.va) for one in windows.kunmap(1, "b")]


def test_all_who_wait_are_woken_and_those_without_a_window_sleep_again():
    windows = pool(2)
    windows.kmap(1, "a")
    windows.kmap(2, "a")
    assert [0, 1] == [windows.kmap(pfn, task).before for pfn, task in ((3, "b"), (4, "c"))]

    assert [("b", BASE + PAGE), ("c", None)] == [(one.task, one.va) for one in windows.kunmap(1, "a")]
    assert [("c", 4)] == windows.waiting[0]


def test_who_waits_for_a_page_that_another_has_mapped_meanwhile_shares_its_window():
    windows = pool(2)
    windows.kmap(1, "a")
    windows.kmap(2, "a")
    windows.kmap(3, "b")
    windows.kmap(3, "c")

    assert [BASE + PAGE] * 2 == [one.va for one in windows.kunmap(1, "a")]
    assert 3 == windows.counts[1]


def test_a_sleeping_task_can_do_nothing_and_tasks_that_wait_for_each_other_are_a_deadlock():
    windows = pool(2)
    windows.kmap(1, "a")
    windows.kmap(2, "b")
    windows.kmap(3, "a")
    assert not windows.deadlocked
    windows.kmap(4, "b")

    assert windows.deadlocked
    with pytest.raises(vm.VmlabError, match="sleeps in kmap"):
        windows.kunmap(1, "a")


def test_a_lost_kunmap_leaks_the_slot_for_good():
    windows = pool(4)
    windows.kmap(1, "driver")
    assert (1,) == windows.exit("driver") == windows.leaked
    for pfn in range(2, 20):
        windows.kmap(pfn)
        windows.kunmap(pfn)

    assert (2, 1) == (windows.counts[1], windows.frames[1])
    with pytest.raises(vm.VmlabError, match="has exited"):
        windows.kmap(5, "driver")


# What the kernel would stop


def test_one_kunmap_too_many_is_the_kernel_s_bug_and_changes_nothing():
    windows = pool()
    windows.kmap(1)
    windows.kunmap(1)
    with pytest.raises(KernelBug, match=r"BUG\(\) in kunmap_high: slot 1 has no users"):
        windows.kunmap(1)
    with pytest.raises(KernelBug, match=r"BUG_ON\(!vaddr\)"):
        windows.kunmap(2)

    assert [0, 1, 0, 0] == windows.counts


# Colours, and the hash


def test_with_colours_each_page_keeps_to_the_slots_of_its_own():
    windows = pool(8, colours=2)
    slots = {pfn: windows.number(windows.kmap(pfn)) for pfn in (10, 11, 12, 13)}

    assert {10: 2, 11: 3, 12: 4, 13: 5} == slots
    for pfn in (14, 16):
        windows.kmap(pfn)
    assert isinstance(windows.kmap(18, "x"), Waits)  # four slots of colour 0
    assert 7 == windows.number(windows.kmap(15))


def test_page_address_is_found_through_128_chains_by_the_address_of_the_struct_page():
    """hash_32(0xef6f9000, 7): 0xef6f9000 * 0x61C88647 keeps 7 bits of 32."""
    assert (0xEF6F_9000 * 0x61C8_8647 % 2**32) >> 25 == page_slot(0xEF6F_9000)
    windows = pool(512)
    for pfn in range(1, 400):
        windows.kmap(pfn)
    assert 399 == sum(map(len, windows.addresses.chains.values()))
    assert 128 >= len(windows.addresses.chains) > 64
    assert BASE + 399 * PAGE == windows.addresses.find(399)


# A whole kernel


def test_a_lowmem_page_needs_no_window(board: vm.Kernel):
    page = board.alloc_pages(0, "GFP_KERNEL")
    va = board.kmap(page)

    assert va == board.phys_to_virt(page.pfn << 12)
    assert () == board.kunmap(page)
    assert 0 == board.highmem.pkmap.last_pkmap_nr
    with board.kmap_local(page) as again:
        assert va == again
    assert board.highmem.check(va, page).ok
    assert va == board.highmem.page_address(page)


@pytest.mark.parametrize("name", ["amd64-pc-4g", "arm64-virt-1g", "i386-pc-custom-nohigh-512m"])
def test_without_highmem_kmap_is_the_direct_map(name: str):
    kernel = vm.boot(vm.load_machine(name if name in vm.machines() else str(RECORDS / f"{name}.json.gz")))
    page = kernel.alloc_pages(0, HIGH)

    assert kernel.kmap(page) == kernel.phys_to_virt(page.pfn << 12)
    assert kernel.highmem.pkmap is None is kernel.highmem.local
    kernel.kunmap(page)


def test_what_is_written_through_a_window_is_read_through_any_other(board: vm.Kernel):
    page, other = pages(board, 2)
    board.highmem.write(board.kmap(page) + 100, b"hello")
    with board.kmap_local(page) as va:
        assert b"hello" == board.highmem.read(va + 100, 5)
    with board.kmap_local(other) as va:
        assert bytes(5) == board.highmem.read(va + 100, 5)
    assert b"hello" == board.highmem.ram.read(page.pfn, 100, 5)


def test_a_pointer_kept_after_kunmap_works_until_the_wrap_then_shows_another_page(board: vm.Kernel):
    mine, *others = pages(board, 600)
    va = board.kmap(mine)
    board.highmem.write(va, b"mine")
    board.kunmap(mine)

    assert (b"mine", "stale", False) == (
        board.highmem.read(va, 4),
        board.highmem.check(va).state,
        board.highmem.check(va, mine).ok,
    )
    for number, page in enumerate(others[:511]):  # slots 2 .. 511 and, after the flush, 0
        board.kunmap(page) if board.kmap(page) else pytest.fail(str(number))
    assert isinstance(board.highmem.read(va, 4), Fault)
    assert "BUG: unable to handle page fault" in board.highmem.read(va, 4).tell()
    assert isinstance(board.highmem.write(va, b"x"), Fault)
    board.highmem.write(board.kmap(others[511]), b"other")

    seen = board.highmem.check(va, mine)
    assert b"other" == board.highmem.read(va, 5)
    assert ("window", others[511].pfn, False) == (seen.state, seen.pfn, seen.ok)
    assert "the window has moved on" in seen.why


def test_bad_input_is_named_and_changes_nothing(board: vm.Kernel):
    (page,) = pages(board, 1)
    va = board.kmap(page)
    refused = NoPage(0, "GFP_KERNEL", ())
    for given, said in (
        (va, "kunmap takes the page, kunmap_local takes the address"),
        (refused, "failed allocation"),
        ("page", "expected a page or a frame number"),
        (True, "expected a page or a frame number"),
        (0x10, "no zone holds it"),
    ):
        with pytest.raises(vm.VmlabError, match=said):
            board.kunmap(given)
    with pytest.raises(vm.VmlabError, match="expected the address"):
        board.highmem.kunmap_local(page)
    with pytest.raises(vm.VmlabError, match=r"kmap's windows go back with kunmap"):
        board.highmem.kunmap_local(va)
    with pytest.raises(vm.VmlabError, match="the next page is another frame"):
        board.highmem.read(va + PAGE - 2, 4)

    assert 2 == board.highmem.pkmap.counts[1]


# What may live there


def test_each_kind_of_page_comes_from_the_zone_that_its_gfp_allows(board: vm.Kernel):
    for kind in RESIDENTS:
        if kind.gfp:
            page = board.alloc_pages(0, kind.gfp)
            assert (page.zone == "HighMem") == kind.highmem, kind.what
            board.free_pages(page)
    may = {kind.what for kind in RESIDENTS if kind.highmem}
    assert {"page cache, a file's page", "a frame behind vmalloc"} <= may
    assert not may & {"task_struct", "struct page: mem_map", "top level of a page table"}


def test_lowmem_runs_out_while_highmem_is_free(board: vm.Kernel):
    got = exhaust(lambda order, gfp: board.alloc_pages(order, gfp), "GFP_KERNEL", 10)
    low, high = board.zones["DMA"], board.zones["HighMem"]

    assert low.managed_pages - low.watermark.high <= got.pages <= low.managed_pages
    assert high.managed_pages == board.buddy.free_pages(high)
    assert not board.alloc_pages(0, "GFP_KERNEL")
    page = board.alloc_pages(0, "GFP_HIGHUSER_MOVABLE")
    assert "HighMem" == page.zone
    assert board.kmap(page)


# Records, and the slow model


def test_1200_recorded_reads_wrap_the_window_of_512_slots_twice():
    """Record arm-virt-armmp-1g, pages of one process read through /proc/PID/mem; the judge replays all records."""
    machine = vm.load_machine("arm-virt-armmp-1g")
    kernel = vm.boot(machine)
    rows = list(judge.reads(machine, kernel, machine.recorded))

    assert 8 == len(rows)
    assert [] == [row.what for row in rows if row.predicted != row.recorded or row.undecided]
    assert [511, 512] == [len(freed) for freed in kernel.highmem.pkmap.flushes]
    assert 1200 - 2 * 512 == kernel.highmem.pkmap.last_pkmap_nr


def test_a_fresh_record_whose_reads_needed_no_window_does_not_know_where_it_lies():
    """As `vmlab record arm-virt --append "mem=300M@0x40000000"` makes it: no HighMem, so no slot shows a frame."""
    machine = vm.load_machine("arm-virt-armmp-1g")
    data = copy.deepcopy(machine.recorded.data)
    del data["kmap"]["pkmap_base"], data["kmap"]["last_pkmap"], data["layout"]["pkmap_base"]
    kernel = vm.boot(machine)

    assert not list(judge.window(machine, kernel, Recorded(data, machine.recorded.path)))
    assert 2 == len(list(judge.window(machine, kernel, machine.recorded)))


def test_a_read_in_another_order_would_not_be_what_was_recorded():
    machine = vm.load_machine("arm-virt-armmp-1g")
    data = copy.deepcopy(machine.recorded.data)
    data["kmap"]["holds"][1]["read_order_pfns"].reverse()
    rows = judge.reads(machine, vm.boot(machine), Recorded(data, machine.recorded.path))
    assert ["kmap1: slot, pfn, pkmap_count"] == [row.what for row in rows if row.predicted != row.recorded]


def test_a_window_that_was_in_use_before_the_recorded_reads_is_where_the_replay_begins():
    machine = vm.load_machine("arm-virt-armmp-1g")
    data = copy.deepcopy(machine.recorded.data)
    before, first = data["kmap"]["holds"][:2]
    before["last_pkmap_nr"], before["slots"] = 510, [[509, 0x70001, 2], [510, 0x70002, 1]]
    kernel = vm.boot(machine)
    found = {row.what: row.predicted for row in judge.reads(machine, kernel, Recorded(data, machine.recorded.path))}

    reads = first["read_order_pfns"]
    assert [[n, pfn, 1] for n, pfn in enumerate(reads[1:])] == found["kmap1: slot, pfn, pkmap_count"][:23]
    assert [509, 0x70001, 2] == found["kmap1: slot, pfn, pkmap_count"][-1]  # still held; 510 and 511 went at the wrap


class Windows(RuleBasedStateMachine):
    """Tasks map and unmap frames of a small pool, beside the slow model; contents go through the windows."""

    SLOTS, TASKS = 4, "abcd"

    def __init__(self) -> None:
        super().__init__()
        self.pool, self.naive = pool(self.SLOTS), NaivePool(self.SLOTS)

    def able(self) -> list[str]:
        return [task for task in self.TASKS if task not in {who for who, _ in self.naive.asleep}]

    @rule(task=st.sampled_from(TASKS), pfn=st.integers(1, 9))
    def kmap(self, task: str, pfn: int) -> None:
        if task not in self.able():
            with pytest.raises(vm.VmlabError, match="can do nothing"):
                self.pool.kmap(pfn, task)
            return
        got, slot = self.pool.kmap(pfn, task), self.naive.kmap(task, pfn)
        assert slot == (None if isinstance(got, Waits) else self.pool.number(got))

    @precondition(lambda self: self.able() and any(row.users for row in self.naive.rows))
    @rule(data=st.data())
    def kunmap(self, data: st.DataObject) -> None:
        mapped = [row.frame for row in self.naive.rows if row.users]
        pfn, task = data.draw(st.sampled_from(mapped)), data.draw(st.sampled_from(self.able()))
        self.pool.kunmap(pfn, task)
        self.naive.kunmap(pfn)

    @invariant()
    def is_the_slow_model(self) -> None:
        assert self.naive.counts() == self.pool.counts
        assert [row.frame if row.in_table else None for row in self.naive.rows] == self.pool.frames
        assert (self.naive.hand, self.naive.flushes) == (self.pool.last_pkmap_nr, len(self.pool.flushes))
        assert self.naive.asleep == self.pool.waiting[0]

    @invariant()
    def laws_hold(self) -> None:
        shown = [pfn for pfn in self.pool.frames if pfn is not None]
        assert len(shown) == len(set(shown))  # no two windows show one frame, no slot shows two
        assert all(count >= 0 for count in self.pool.counts)
        assert [max(0, count - 1) for count in self.pool.counts] == [len(who) for who in self.pool.holders]
        assert len(self.pool.flushes) <= self.pool.wraps
        assert {pfn: self.pool.address(n) for n, pfn in enumerate(self.pool.frames) if pfn is not None} == dict(
            pair for chain in self.pool.addresses.chains.values() for pair in chain
        )


Windows.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestWindows = Windows.TestCase
