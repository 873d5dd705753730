"""Processes by example: faults and their paths, fork and copy-on-write, swap, advice, and the story of one frame."""

from __future__ import annotations

import pytest
from mm_parts import FORMATS, PAGE, a_memory, check_counts

import vmlab as vm
from vmlab.process.file import File, file_of
from vmlab.process.pageout import shrink_folio_list
from vmlab.process.process import Process
from vmlab.process.story import SCRIPT, play

VA = 0x40_0000


def a_process(fmt="x86-64-4", pages=4, prot="rw", **area):
    memory, pool = a_memory(fmt)
    process = Process(memory, "a")
    process.mmap(VA, pages, prot, **area)
    return process, memory, pool


def told(process):
    """(result, functions) of the last fault."""
    fault = process.faults[-1]
    return fault.result, [step.function for step in fault.steps]


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_page_is_made_by_the_first_touch_and_shared_after_fork_until_somebody_writes(fmt):
    p, memory, pool = a_process(fmt)
    assert p.page_table.walk(VA).pa is None
    assert p.write(VA, b"hello")
    first = p.page_table.pte(VA).pfn
    q = p.fork("b")
    assert (b"hello", first) == (q.read(VA, 5), q.page_table.pte(VA).pfn)
    assert 2 == memory.frames[first].mapcount == memory.frames[first].refcount
    assert p.write(VA, b"HELLO")
    assert (b"hello", b"HELLO") == (q.read(VA, 5), p.read(VA, 5))
    assert p.page_table.pte(VA).pfn != first == q.page_table.pte(VA).pfn, "the writer gets the copy"
    assert q.write(VA, b"world")
    assert told(q)[1][-1] == "wp_page_reuse", "the last user keeps the frame"
    assert q.page_table.pte(VA).pfn == first
    check_counts(memory, pool)
    for each in (p, q):
        each.exit()
    assert list(pool.out) == [memory.zero_pfn]


def test_every_path_is_told_with_the_kernels_functions():
    p, memory, _ = a_process()
    assert p.read(VA, 8) == bytes(8)
    assert ("minor", ["do_user_addr_fault", "handle_pte_fault", "do_anonymous_page"]) == told(p)
    assert p.page_table.pte(VA).pfn == memory.zero_pfn
    p.write(VA, b"x")
    assert ("minor", ["do_user_addr_fault", "handle_pte_fault", "do_wp_page", "wp_page_copy"]) == told(p)
    p.madvise(VA, PAGE, "PAGEOUT")
    p.read(VA, 1)
    assert ("major", ["do_user_addr_fault", "handle_pte_fault", "do_swap_page", "swap_readpage", "swap_free"]) == told(
        p
    )
    assert (2, 1) == (p.space.minor, p.space.major)


@pytest.mark.parametrize(
    ("prot", "access", "va", "name", "code"),
    [
        ("rw", "read", 0x10_0000, "SIGSEGV", "SEGV_MAPERR"),
        ("r", "write", VA, "SIGSEGV", "SEGV_ACCERR"),
        ("rw", "fetch", VA, "SIGSEGV", "SEGV_ACCERR"),
        ("", "read", VA, "SIGSEGV", "SEGV_ACCERR"),
    ],
)
def test_an_access_that_may_not_be_is_a_signal(prot, access, va, name, code):
    p, _, _ = a_process(prot=prot)
    found = p.write(va, b"x") if access == "write" else getattr(p, access)(va, 1)
    assert not found
    assert (found.name, found.code, found.reached) == (name, code, 0)
    assert "do_user_addr_fault" in found.tell()


@pytest.mark.parametrize("prot", ["r", "w", "x", "rwx"])
def test_whoever_has_any_right_may_read(prot):
    """arch/x86/mm/fault.c:access_error asks vma_is_accessible for a read."""
    p, _, _ = a_process(prot=prot)
    assert bytes(3) == p.read(VA, 3)


@pytest.mark.parametrize(
    ("fmt", "last"),
    [
        ("x86-32", 0xBFFF_F000),
        ("x86-pae", 0xBFFF_F000),
        ("x86-64-4", 0x7FFF_FFFF_E000),
        ("x86-64-5", 0xFF_FFFF_FFFF_E000),
        ("arm-short", 0xBEFF_F000),
        ("arm-lpae", 0xBEFF_F000),
        ("arm64-4k-48", 0xFFFF_FFFF_F000),
        ("sv39", 0x3F_FFFF_F000),
    ],
)
def test_user_addresses_end_at_task_size(fmt, last):
    p, _, _ = a_process(fmt)
    p.mmap(last, 1)
    assert p.write(last + PAGE - 1, b"!")
    with pytest.raises(vm.VmlabError, match="user address"):
        p.mmap(last + PAGE, 1)


@pytest.mark.parametrize("fmt", FORMATS)
def test_fork_leaves_what_was_only_read_to_the_childs_faults(fmt):
    """mm/memory.c:vma_needs_copy: without an anon_vma no entry is copied, and the zero page makes none."""
    p, memory, pool = a_process(fmt)
    p.read(VA, 1)
    q = p.fork()
    assert [] == list(q.space.pages(VA, VA + 4 * PAGE))
    q.read(VA, 1)
    assert ["do_user_addr_fault", "handle_pte_fault", "do_anonymous_page"] == told(q)[1]
    p.write(VA + PAGE, b"x")  # from now on the area has an anon_vma, and its zero page is copied, too
    assert [VA, VA + PAGE] == [va for va, _ in p.fork().space.pages(VA, VA + 4 * PAGE)]
    check_counts(memory, pool)


def test_the_childs_entry_is_old_and_as_dirty_as_the_parents_and_both_are_read_only():
    p, _, _ = a_process()
    p.write(VA, b"x")
    p.write(VA + PAGE, b"y")
    p.madvise(VA + PAGE, PAGE, "FREE")
    q = p.fork()
    for va, is_dirty in ((VA, True), (VA + PAGE, False)):
        ours, theirs = p.page_table.pte(va), q.page_table.pte(va)
        assert (ours.pfn, ours.write, ours.dirty) == (theirs.pfn, theirs.write, theirs.dirty)
        assert (False, is_dirty, False) == (theirs.write, theirs.dirty, theirs.accessed)


@pytest.mark.parametrize("fmt", ["x86-64-4", "arm64-4k-48", "sv39"])
def test_shared_memory_is_writable_from_the_first_read_on_and_a_shared_file_is_not(fmt):
    """mm/mmap.c:vma_wants_writenotify: only a file that can be written back wants to know of the first write."""
    p, _, _ = a_process(fmt, shared=True)
    p.mmap(VA + 16 * PAGE, 1, file=file_of("f", b"abc"), shared=True)
    for va, is_asked in ((VA, False), (VA + 16 * PAGE, True)):
        p.read(va, 1)
        faults = len(p.faults)
        assert not p.page_table.pte(va).dirty
        assert p.write(va, b"x")
        assert p.page_table.pte(va).dirty
        assert is_asked == ("do_wp_page" in [step.function for fault in p.faults[faults:] for step in fault.steps])


def test_mprotect_lets_write_at_once_where_a_fault_would_have_nothing_to_do():
    """mm/mprotect.c:can_change_pte_writable, and change_pte_range's newprot for shared memory."""
    p, memory, _ = a_process(pages=3)
    p.mmap(VA + 8 * PAGE, 2, file=file_of("f", bytes(2 * PAGE)), shared=True)
    p.mmap(VA + 16 * PAGE, 1, shared=True)
    for va in (VA, VA + PAGE, VA + 8 * PAGE):
        p.write(va, b"x")
    for va in (VA + 2 * PAGE, VA + 9 * PAGE, VA + 16 * PAGE):
        p.read(va, 1)
    p.madvise(VA + PAGE, PAGE, "FREE")  # writable and clean
    writable = {}
    for start, pages in ((VA, 3), (VA + 8 * PAGE, 2), (VA + 16 * PAGE, 1)):
        p.mprotect(start, pages * PAGE, "r")
        assert not any(pte.write for _, pte in p.space.pages(start, start + pages * PAGE))
        p.mprotect(start, pages * PAGE, "rw")
        writable |= {(va - VA) // PAGE: pte.write for va, pte in p.space.pages(start, start + pages * PAGE)}
    assert {0: True, 1: False, 2: False, 8: True, 9: False, 16: True} == writable
    assert memory


def test_a_shared_page_may_be_lost_once_every_owner_said_so():
    """mm/madvise.c:madvise_free_pte_range makes one entry clean; reclaim looks at all of them (try_to_unmap_one)."""
    p, memory, _ = a_process()
    p.write(VA, b"x")
    q = p.fork()
    assert "may be lost" in p.madvise(VA, PAGE, "FREE").tell()
    assert "written again" in shrink_folio_list(memory, list(memory)).tell()
    assert (b"x", b"x") == (p.read(VA, 1), q.read(VA, 1))
    for each in (p, q):
        each.madvise(VA, PAGE, "FREE")
    assert shrink_folio_list(memory, list(memory)).freed == 1
    assert (b"\0", b"\0", 0) == (p.read(VA, 1), q.read(VA, 1), memory.swap.areas[0].writes)


def test_only_writing_back_makes_a_page_dirty_its_first_copy_is_so_in_the_entry_alone():
    """PG_dirty, as /proc/kpageflags shows it, comes from an entry that goes (try_to_unmap_one) or from add_to_swap."""
    p, memory, _ = a_process()
    p.read(VA, 1)
    p.write(VA, b"x")  # a copy of the zero page
    page = memory.page(p.page_table.pte(VA).pfn)
    assert (True, False) == (p.page_table.pte(VA).dirty, page.dirty)
    q = p.fork()
    p.munmap(VA, PAGE)
    assert page.dirty
    assert b"x" == q.read(VA, 1)


def test_mprotect_to_the_same_rights_looks_at_nothing():
    p, memory, _ = a_process()
    p.write(VA, b"x")
    p.madvise(VA, PAGE, "FREE")
    assert p.page_table.pte(VA).write
    assert not p.page_table.pte(VA).dirty
    assert 0 == p.mprotect(VA, 4 * PAGE, "rw")
    assert p.page_table.pte(VA).write
    assert memory


def test_a_page_that_is_being_written_stays_until_it_has_reached_its_device():
    """mm/vmscan.c:shrink_folio_list, folio_test_writeback: on a device that takes time nothing is free at once."""
    memory, _ = a_memory(synchronous=False)
    p = Process(memory, "p")
    p.mmap(VA, 1)
    p.write(VA, b"x")
    page = memory.page(p.page_table.pte(VA).pfn)
    outcomes = [shrink_folio_list(memory, [page]).pages[0][1] for _ in range(2)]
    assert ["writeback", "kept: it is being written"] == outcomes
    assert "being written" in memory.migrate(page.pfn).tell()
    assert 1 == memory.end_writeback()
    assert 1 == shrink_folio_list(memory, [page]).freed


def test_a_files_page_that_was_used_is_referenced_when_its_entry_goes_and_an_anonymous_one_is_not():
    """zap_pte_range: mark_page_accessed, if the entry is young and the page is not anonymous."""
    p, memory, _ = a_process()
    file = file_of("f", bytes(2 * PAGE))
    p.mmap(VA + 64 * PAGE, 2, "r", file=file)
    p.write(VA, b"x")
    p.read(VA + 64 * PAGE, 1)
    p.read(VA + 65 * PAGE, 1)
    p.madvise(VA + 65 * PAGE, PAGE, "COLD")
    q = p.fork()
    anonymous = memory.page(p.page_table.pte(VA).pfn)
    p.munmap(VA, 128 * PAGE)
    assert [True, False, False] == [page.referenced for page in (file.page(0), file.page(1), anonymous)]
    assert b"x" == q.read(VA, 1)


@pytest.mark.parametrize("fmt", FORMATS)
def test_munmap_gives_tables_back_that_map_nothing_any_more(fmt):
    p, memory, pool = a_process(fmt)
    p.write(VA, b"x")
    before, far = len(pool.out), 0x4000_0000
    p.mmap(far, 2)
    p.write(far, b"y")
    assert len(pool.out) > before + 1
    p.munmap(far, 2 * PAGE)
    assert before == len(pool.out)
    check_counts(memory, pool)


def test_neighbours_become_one_area_only_if_they_go_on_in_the_file():
    """mm/mmap.c:can_vma_merge_after: vma->vm_pgoff + vm_pglen == vm_pgoff."""
    p, _, _ = a_process()
    file, far = file_of("f", bytes(8 * PAGE)), VA + 64 * PAGE
    p.mmap(far, 2, file=file)
    p.mmap(far + 2 * PAGE, 2, file=file, pgoff=2)
    assert [(far, far + 4 * PAGE)] == [(area.start, area.end) for area in p.vmas[1:]]
    p.mmap(far + 4 * PAGE, 2, file=file, pgoff=5)
    p.mmap(far + 6 * PAGE, 2, file=file_of("g", bytes(8 * PAGE)), pgoff=7)
    assert [0, 5, 7] == [area.pgoff for area in p.vmas[1:]]
    assert 3 == len(p.vmas) - 1


def test_a_write_that_runs_off_its_area_says_how_far_it_came():
    p, _, _ = a_process(pages=1)
    found = p.write(VA + PAGE - 3, b"123456")
    assert (found.name, found.reached, found.va) == ("SIGSEGV", 3, VA + PAGE)
    assert p.read(VA + PAGE - 3, 3) == b"123"


def test_beyond_the_end_of_a_file_is_a_bus_error():
    p, _, _ = a_process(file=file_of("small", b"abc"), pages=2)
    assert p.read(VA, 3) == b"abc"
    assert (found := p.read(VA + PAGE, 1)).name == "SIGBUS"
    assert found.code == "BUS_ADRERR"


def test_out_of_memory_is_a_result_and_changes_nothing():
    memory, pool = a_memory("x86-32", frames=5, pages=0)
    p = Process(memory, "a")
    p.mmap(VA, 8)
    done = [p.write(VA + number * PAGE, b"x") for number in range(8)]
    assert [True, True, False] == [bool(one) for one in done[:3]]
    assert done[2].name == "OOM"
    check_counts(memory, pool)
    assert not p.fork(), "a child needs tables"
    check_counts(memory, pool)
    assert p.read(VA, 1) == b"x"


def test_text_is_dropped_and_read_again_and_never_swapped():
    program = file_of("/bin/program", b"instructions")
    memory, _ = a_memory()
    three = [Process(memory, name) for name in ("P0", "P1", "P2")]
    for process in three:
        process.mmap(VA, 1, "rx", program)
        assert process.fetch(VA, 5) == b"instr"
    assert 1 == len({process.page_table.pte(VA).pfn for process in three}), "one frame for all three"
    assert ["major", "minor", "minor"] == [process.faults[0].result for process in three]
    assert shrink_folio_list(memory, list(memory)).freed == 1
    assert [0, 0, 0] == [process.page_table.entry(VA) for process in three]
    assert not memory.swap.areas[0].inuse_pages
    assert three[1].fetch(VA, 5) == b"instr"
    assert (program.reads, told(three[1])[0]) == (2, "major")


def test_a_private_page_of_a_file_goes_to_swap_once_it_was_written():
    p, memory, _ = a_process(file=file_of("data", b"old"))
    p.write(VA, b"new")
    p.madvise(VA, PAGE, "PAGEOUT")
    assert memory.swap.find(p, VA).entry.slot == (0, 1)
    assert p.read(VA, 3) == b"new"


def test_what_is_written_to_a_shared_file_reaches_the_disk_and_everybody():
    file = file_of("data", b"old")
    p, memory, _ = a_process(file=file, shared=True)
    q = p.fork()
    p.write(VA, b"new")
    assert q.read(VA, 3) == b"new"
    q.munmap(VA, 4 * PAGE)
    p.madvise(VA, PAGE, "PAGEOUT")
    assert file.disk[0][:3] == b"new"
    assert not memory.swap.find(p, VA)


def test_shared_memory_leaves_its_slot_in_the_files_own_table():
    p, memory, _ = a_process(shared=True)
    p.write(VA, b"both")
    q = p.fork()
    q.munmap(VA + PAGE, PAGE)
    p.madvise(VA, PAGE, "PAGEOUT")
    assert (p.page_table.entry(VA), p.vmas[0].file.cache[0]) == (0, (0, 1)), "pagemap shows nothing"
    assert q.read(VA, 4) == b"both"
    for each in (p, q):
        each.exit()
    assert not memory.frames
    assert not memory.swap.areas[0].inuse_pages


def test_fork_shares_a_slot_and_each_process_finds_its_own_copy():
    p, memory, _ = a_process()
    p.write(VA, b"mine")
    p.madvise(VA, PAGE, "PAGEOUT")
    exclusive = memory.swap.find(p, VA).entry
    q = p.fork("q")
    found = memory.swap.find(q, VA)
    assert (exclusive.exclusive, found.entry.exclusive, found.users) == (True, False, 2)
    assert ["a", "q"] == [mm.name for mm, _ in memory.swap.holders(found.entry.slot, memory.mms)]
    assert q.write(VA, b"his!")
    assert (b"mine", 1) == (p.read(VA, 4), len(memory.swap.holders((0, 1), memory.mms)) + 1)
    assert ("minor", "swap_free") == (told(p)[0], told(p)[1][-1]), "the swap cache still had it"


def test_an_area_that_is_full_is_a_result():
    p, memory, _ = a_process()
    memory.swapoff(0)
    memory.swapon(2)
    p.write(VA, b"x" * 2 * PAGE)
    assert ["writeback", "kept: no free swap slot"] == [why for _, why in p.madvise(VA, 2 * PAGE, "PAGEOUT").pages]
    assert b"x" == p.read(VA + PAGE, 1)


@pytest.mark.parametrize(("slots", "stays"), [(5, True), (4, False)])
def test_an_entry_that_goes_takes_the_cache_with_it_where_swap_is_scarce(slots, stays):
    """free_swap_and_cache: __try_to_reclaim_swap if the page is not mapped, or more than half of swap is used."""
    memory, _ = a_memory(pages=slots, synchronous=False)
    p = Process(memory, "p")
    p.mmap(VA, 2)
    p.write(VA, b"x")
    p.write(VA + PAGE, b"y")
    q = p.fork()
    p.madvise(VA, 2 * PAGE, "PAGEOUT")  # shared: left alone
    shrink_folio_list(memory, list(memory))
    memory.end_writeback()
    p.read(VA, 1)
    (page,) = [page for page in memory if page.mapcount]
    assert page.slot is not None
    q.munmap(VA, PAGE)
    assert stays == (page.slot is not None)
    assert b"x" == p.read(VA, 1)


def test_swapoff_brings_everything_back_or_says_that_memory_ran_out():
    memory, pool = a_memory("x86-32", frames=8)
    p = Process(memory, "a")
    p.mmap(VA, 6)
    for number in range(6):
        assert p.write(VA + number * PAGE, bytes([65 + number]))
        p.madvise(VA + number * PAGE, PAGE, "PAGEOUT")
    stopped = memory.swapoff(0)
    assert not stopped
    assert "ENOMEM" in stopped.tell()
    check_counts(memory, pool)
    p.munmap(VA, 2 * PAGE)
    assert memory.swapoff(0)
    assert b"F" == p.read(VA + 5 * PAGE, 1)
    assert {} == memory.swap.areas


def test_a_locked_page_stays_but_moves_and_a_pinned_one_does_neither():
    p, memory, _ = a_process()
    p.mlock(VA, PAGE)
    pfn = p.page_table.pte(VA).pfn
    assert "kept: mlocked" == shrink_folio_list(memory, [memory.frames[pfn]]).pages[0][1]
    moved = memory.migrate(pfn)
    assert moved
    assert p.page_table.pte(VA).pfn == moved.new != pfn
    p.munlock(VA, PAGE)
    page = p.pin(VA)
    assert not memory.migrate(page.pfn)
    assert "kept: pinned" == shrink_folio_list(memory, [page]).pages[0][1]
    p.unpin(page)
    assert memory.migrate(page.pfn)


def test_advice_does_what_it_says():
    p, memory, _ = a_process()
    p.write(VA, b"1")
    p.madvise(VA, PAGE, "DONTNEED")
    assert p.read(VA, 1) == b"\0", "gone at once"
    p.write(VA, b"2")
    p.madvise(VA, PAGE, "FREE")
    assert p.read(VA, 1) == b"2", "still there"
    shrink_folio_list(memory, list(memory))
    assert (p.read(VA, 1), memory.swap.areas[0].writes) == (b"\0", 0), "gone when memory was needed, never written"
    p.write(VA, b"3")
    p.madvise(VA, PAGE, "COLD")
    assert not p.page_table.pte(VA).accessed
    q = p.fork()
    assert "2 entries map it" in p.madvise(VA, PAGE, "PAGEOUT").tell()
    q.exit()


def test_mremap_moves_entries_and_leaves_frames():
    p, _, _ = a_process()
    p.write(VA, b"move")
    pfn = p.page_table.pte(VA).pfn
    p.mremap(VA, PAGE, 0x2000_0000)
    assert (p.read(0x2000_0000, 4), p.page_table.pte(0x2000_0000).pfn) == (b"move", pfn)
    assert p.read(VA, 1).code == "SEGV_MAPERR"


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_page_without_rights_stays_present_for_linux_alone(fmt):
    p, memory, pool = a_process(fmt)
    p.write(VA, b"keep")
    pte = p.page_table.pte(VA)
    p.mprotect(VA, PAGE, "")
    hidden = p.page_table.pte(VA)
    assert (hidden.pfn, hidden.none, p.page_table.walk(VA).pa) == (pte.pfn, True, None)
    check_counts(memory, pool)
    p.mprotect(VA, PAGE, "r")
    assert p.read(VA, 4) == b"keep"


def test_every_change_is_heard_once_with_where_the_page_was_and_is():
    p, memory, _ = a_process()
    heard = []
    memory.on_change.append(lambda change: heard.append((change.what, change.mm.name, change.moved)))
    p.write(VA, b"x")
    q = p.fork("q")
    q.write(VA, b"y")
    p.madvise(VA, PAGE, "PAGEOUT")
    p.read(VA, 1)
    memory.migrate(p.page_table.pte(VA).pfn)
    p.munmap(VA, PAGE)
    expected = "map a 1,protect a 0,fork q 1,copy q 1,swap out a 1,swap in a 1,migrate a 1,unmap a 1"
    assert expected == ",".join(f"{what} {name} {moved:d}" for what, name, moved in heard)


def test_threads_share_one_table_and_the_last_one_out_frees_it():
    p, memory, pool = a_process()
    t = p.thread()
    t.write(VA, b"one")
    assert (p.read(VA, 3), p.mm is t.mm) == (b"one", True)
    p.exit()
    assert t.read(VA, 3) == b"one"
    t.exit()
    assert list(pool.out) == [memory.zero_pfn]
    with pytest.raises(vm.VmlabError, match="has ended"):
        t.read(VA, 1)


@pytest.mark.parametrize("name", ["arm-virt-armmp-1g", "i386-pc-686pae-4g", "amd64-pc-4g", "arm64-virt-1g"])
def test_a_booted_kernel_runs_processes_in_frames_of_its_own_allocator(name):
    kernel = vm.boot(vm.load_machine(name))
    kernel.swapon(64)
    p = kernel.spawn("a")
    p.mmap(VA, pages=16)
    assert p.write(VA, b"hello")
    q = p.fork()
    assert kernel.switch(p).registers
    assert (walk := p.page_table.walk(VA)).pa
    assert kernel.buddy.user_block(walk.pa >> 12) is not None
    assert p.madvise(VA, PAGE, "PAGEOUT").pages[0][1] == "kept: 2 entries map it"
    q.exit()
    p.madvise(VA, PAGE, "PAGEOUT")
    assert kernel.swap.find(p, VA).entry.slot == (0, 1)
    assert not kernel.swap.find(p, VA + PAGE)
    taken = kernel.memory.zero_pfn
    p.exit()
    kernel.memory.end_writeback()
    assert kernel.buddy.user_block(walk.pa >> 12) is None
    assert kernel.buddy.user_block(taken) is not None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda p: p.mmap(VA, 1), "mapped already"),
        (lambda p: p.mmap(VA + 0x1_0001, 1), "first byte of a page"),
        (lambda p: p.mmap(0x1000_0000, 0), "from 1 up"),
        (lambda p: p.mmap(0x1000_0000, 1, "rq"), "letters of 'rwx'"),
        (lambda p: p.mmap(0x1000_0000, 1, pgoff=3), "pgoff"),
        (lambda p: p.mmap(1 << 47, 1), "user address"),
        (lambda p: p.read(-1, 1), "user address"),
        (lambda p: p.read(VA, -1), "number of bytes"),
        (lambda p: p.mprotect(0x1000_0000, PAGE, "r"), "ENOMEM"),
        (lambda p: p.madvise(VA, PAGE, "SOMETIME"), "DONTNEED"),
        (lambda p: p.mremap(VA, PAGE, VA + PAGE), "unmap it first"),
        (lambda p: p.munmap(VA, 0), "from 1 up"),
        (lambda p: File("none", 0), "from 1 up"),
        (lambda p: p.memory.page(0), "no user page"),
        (lambda p: play(("P0", "P9>P3")), "expected one of"),
        (lambda p: play(frames=0), "1 to 8"),
    ],
)
def test_what_cannot_be_is_refused_in_words_and_changes_nothing(call, words):
    p, memory, pool = a_process()
    before = [area.describe() for area in p.vmas]
    with pytest.raises(vm.VmlabError, match=words):
        call(p)
    assert before == [area.describe() for area in p.vmas]
    check_counts(memory, pool)


def test_the_story_of_one_frame_is_that_of_the_thread():
    scenes = play()
    assert [(0x5A067, 0, 0), (0x200, 0x5A067, 0), (0x200, 0x400, 0x5A067)] == [
        tuple(scene.entries.values()) for scene in scenes[1:4]
    ]
    assert [0x200, 0x5A025, 0x600] == list(scenes[4].entries.values()), "P1 comes back, P2 goes to slot 3"
    assert {1: ("P0",), 3: ("P2",)} == scenes[4].holders
    assert ["", "minor", "minor", "minor", "major", "major", "major"] == [scene.kind for scene in scenes]
    assert 5 == sum(len(scene.page_outs) for scene in scenes)


@pytest.mark.parametrize(
    ("fmt", "first"), [("arm-short", 0x80), ("arm64-4k-48", 0x104), ("x86-64-4", 0x07FF_FFFF_FFFF_FC0A)]
)
def test_the_story_has_the_entries_of_every_architecture(fmt, first):
    assert first == play(fmt=fmt)[2].entries["P0"]


def test_going_back_in_the_story_is_playing_less_of_it():
    whole = play((*SCRIPT, "P0>P3", "P3"))
    for number in range(1, len(SCRIPT) + 1):
        assert whole[: number + 1] == play(SCRIPT[:number])


def test_fork_in_the_story_gives_one_slot_two_owners():
    forked = play(("P0", "P1", "P0>P3"))[3]
    assert forked.entries["P0"] == forked.entries["P3"] == 0x200
    assert ({1: 2}, {1: ("P0", "P3")}) == (forked.slots, forked.holders)
