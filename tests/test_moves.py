"""Pages that move: KSM and huge pages keep every byte, watches hear every move, the tables say what the model does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vmlab as vm
from vmlab import procfs
from vmlab.process.causes import CAUSES
from vmlab.process.frame_race import FRAMES, START, TROUBLES, World, race, run, workload
from vmlab.process.ksm import merge_pages
from vmlab.process.prevents import HELD_AGAINST, HOLDS, hold
from vmlab.process.process import Process
from vmlab.process.remedies import REMEDIES, Notifier, Remedy
from vmlab.process.soft_dirty import clear_refs
from vmlab.process.thp import collapse, split
from vmlab.process.ways import KINDS, WAYS, kind_of, way
from vmlab.views import page_story, race_bars, ways_compared, who_tells

PAGE, HUGE = 4096, 2 * vm.MiB


@pytest.fixture(scope="module")
def booted_once() -> vm.Kernel:
    kernel = vm.boot(vm.Machine(arch="amd64", ram=(vm.Region(0x10_0000, vm.GiB),)))
    kernel.swapon(256, synchronous=True)
    return kernel


def pfn(process: Process, va: int) -> int:
    found = process.page_table.pte(va).pfn
    assert found is not None
    return found


# --- KSM ---


def test_merged_pages_share_a_frame_until_one_of_them_is_written():
    world = World(2)
    one, other = world.pages
    memory, process = world.memory, world.process
    before = len(memory.frames)
    done = merge_pages(memory, pfn(process, one), pfn(process, other))
    assert done
    assert pfn(process, one) == pfn(process, other) == done.kept
    assert before - 1 == len(memory.frames)
    assert process.write(other, b"mine")
    assert pfn(process, one) != pfn(process, other)
    assert (b"same", b"mine") == (process.read(one, 4), process.read(other, 4))


def test_what_ksm_cannot_merge_stays_and_is_said():
    world = World(3)
    one, other, third = (pfn(world.process, va) for va in world.pages)
    world.process.write(world.pages[1], b"else")
    assert "bytes differ" in merge_pages(world.memory, one, other).tell()
    assert "same frame" in merge_pages(world.memory, one, one).tell()
    world.process.pin(world.pages[2])
    assert "pinned" in merge_pages(world.memory, one, third).tell()
    assert 3 == len({pfn(world.process, va) for va in world.pages})
    with pytest.raises(vm.VmlabError, match="no user page"):
        merge_pages(world.memory, one, 0xFFFF)


def test_a_merged_page_is_swapped_even_if_both_were_lazily_freed():
    """mm/ksm.c:try_to_merge_one_page sets PG_dirty: reclaim just frees a clean page with no dirty entries."""
    world = World(2)
    one, other = world.pages
    memory, process = world.memory, world.process
    process.madvise(one, PAGE, "FREE")
    assert merge_pages(memory, pfn(process, one), pfn(process, other))
    memory.reclaim_pages([memory.page(pfn(process, one))])
    memory.reclaim_pages(list(memory))
    assert process.read(one, 4) == process.read(other, 4) == b"same"


# --- huge pages ---


def test_a_collapse_moves_every_page_to_one_block_and_loses_nothing(booted_once: vm.Kernel):
    kernel = booted_once
    process = kernel.spawn("huge")
    process.mmap(HUGE, 512)
    free = sum(zone.free_pages for zone in procfs.zoneinfo(kernel))
    for n in (0, 3, 511):
        process.write(HUGE + n * PAGE, bytes([n % 256, 7]))
    watch = kernel.watch(process, HUGE + 3 * PAGE)
    done = collapse(process.space, HUGE + 5)
    assert (3, 509) == (done.moved, done.filled)
    assert done.base is not None
    assert done.base % 512 == 0
    assert list(range(done.base, done.base + 512)) == [pfn(process, HUGE + n * PAGE) for n in range(512)]
    assert all(process.read(HUGE + n * PAGE, 2) == bytes([n % 256, 7]) for n in (0, 3, 511))
    assert bytes(2) == process.read(HUGE + PAGE, 2)
    assert 512 == split(process.space, HUGE)
    assert ["collapse", "split"] == [move.kind for move in watch.moves]
    assert [True, False] == [move.is_stale for move in watch.moves]
    watch.stop()
    process.munmap(HUGE, HUGE)
    process.exit()
    kept = sum(page["count"] for zone in procfs.zoneinfo(kernel) for page in zone.pagesets)
    assert abs(free - sum(zone.free_pages for zone in procfs.zoneinfo(kernel))) <= kept, "but for per-CPU lists"


def test_what_cannot_collapse_is_said(booted_once: vm.Kernel):
    process = booted_once.spawn("small")
    process.mmap(HUGE, 511)
    process.write(HUGE, b"x")
    assert "does not lie in one" in collapse(process.space, HUGE).tell()
    process.mmap(2 * HUGE, 512)
    assert "never touched" in collapse(process.space, 2 * HUGE).tell()
    process.write(2 * HUGE, b"x")
    page = process.pin(2 * HUGE)
    assert "pinned" in collapse(process.space, 2 * HUGE).tell()
    process.unpin(page)
    process.exit()


@pytest.mark.parametrize(("shared", "ok"), [(256, True), (257, False)])
def test_a_collapse_takes_at_most_half_of_shared_pages(booted_once: vm.Kernel, shared: int, ok: bool):
    """khugepaged_max_ptes_shared: more than HPAGE_PMD_NR / 2 are too many."""
    process = booted_once.spawn("parent")
    process.mmap(HUGE, 512)
    for n in range(shared):
        process.write(HUGE + n * PAGE, b"x")
    child = process.fork()
    for n in range(shared, 300):
        process.write(HUGE + n * PAGE, b"y")
    done = collapse(process.space, HUGE)
    assert ok == bool(done)
    assert ok or "max_ptes_shared" in done.tell()
    assert b"x" == child.read(HUGE, 1)
    child.exit()
    process.exit()


# --- watches ---


def test_a_watch_hears_each_move_and_polling_misses_there_and_back():
    world = World(1)
    va = world.pages[0]
    from vmlab.process.notify import Watch

    watch = Watch(world.process, va + 5)
    first = pfn(world.process, va)
    world.memory.migrate(first)
    away = pfn(world.process, va)
    assert watch.poll() == f"frame {first:#x} → frame {away:#x}"
    world.memory.migrate(away, new=world.memory.take(0))
    there = pfn(world.process, va)
    world.memory.migrate(there, new=away)
    assert "" == watch.poll(), "there and back"
    assert 3 == len(watch.moves)
    assert all("MMU notifier" in move.heard and "soft-dirty" not in move.heard for move in watch.moves)
    watch.stop()
    world.memory.migrate(away)
    assert 3 == len(watch.moves)
    with pytest.raises(vm.VmlabError, match="stopped already"):
        watch.stop()


def test_every_kind_of_change_in_the_tables_is_one_that_the_model_makes():
    world = World(4)
    heard: set[str] = set()
    world.memory.on_change.append(lambda change: heard.add(kind_of(change)))
    for kind in TROUBLES:
        world.trouble(kind, world.pages[0])
        world.process.read(world.pages[0], 1)
    world.process.mremap(world.pages[1], PAGE, 0x800_0000)
    world.process.write(world.pages[3], b"x")
    world.trouble("swap out", world.pages[3])
    world.process.fork("child").exit()
    world.process.write(world.pages[2], b"x")
    assert heard | {"drop", "collapse", "split"} >= set(KINDS), set(KINDS) - heard
    assert heard <= set(KINDS)
    for row in WAYS:
        assert set(row.says) <= set(KINDS), row.name


def test_every_cause_ends_in_a_change_of_the_table():
    assert {row.kind for row in CAUSES} <= set(KINDS)
    assert {"fork", "map", "reuse", "protect", "share", "move here"} == set(KINDS) - {row.kind for row in CAUSES}
    assert len(CAUSES) == len({row.name for row in CAUSES})


def test_notifiers_hear_of_every_change_after_which_a_remembered_frame_is_wrong():
    silent = set(KINDS) - set(way("MMU notifier").says)
    assert {"map", "fork", "swap in", "reuse", "move here"} == silent, "where no frame was, or the same frame stays"


# --- what holds a page ---


@pytest.mark.parametrize("name", ["mlock", "long-term pin"])
@pytest.mark.parametrize("kind", ["swap out", "migrate", "merge", "copy", "unmap"])
def test_what_a_hold_stops_it_stops_in_the_model_and_nothing_else(name: str, kind: str):
    world = World(1)
    va = world.pages[0]
    if name == "mlock":
        world.process.mlock(va, PAGE)
    else:
        world.process.pin(va)
    before = world.pfn(va)
    world.trouble(kind, va)
    assert (world.pfn(va) == before) == (kind in hold(name).stops)


def test_every_hold_is_about_known_causes():
    assert all(row.stops <= set(HELD_AGAINST) for row in HOLDS)


# --- the race ---


def test_the_race_is_the_same_for_the_same_seed_and_every_remedy_lives_through_all_of_it():
    one, two = race(3, uses=60), race(3, uses=60)
    assert [score.tell() for score in one] == [score.tell() for score in two]
    assert {60} == {score.uses for score in one}
    assert len(REMEDIES) == len({score.name for score in one})


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(1, 12), st.integers(1, 8), st.sets(st.sampled_from(sorted(TROUBLES))))
def test_a_notifier_that_tries_again_is_never_wrong(seed: int, pages: int, every: int, kinds: set[str]):
    assert not run(Notifier, workload(seed, 60, pages, every, sorted(kinds))).stale


def test_without_trouble_nobody_is_wrong_and_asking_costs_all_the_same():
    scores = {score.name: score for score in race(kinds=(), uses=64, pages=4)}
    assert not any(score.stale for score in scores.values())
    assert 68 == scores["ask before each use"].cost["words"] + 4
    assert 32 == scores["ask every 8th use"].cost["words"]
    assert 4 == scores["never ask again"].cost["words"]


def test_stale_uses_are_those_in_which_the_page_table_says_otherwise():
    """The slow way: remember frames once, and count by hand."""
    steps = workload(5, 80)
    world, known, wrong = World(16), {}, 0
    for page, before, middle in steps:
        va = world.pages[page]
        world.others()
        if before:
            world.trouble(before, va)
        if va not in known:
            world.process.read(va, 1)
            known[va] = world.pfn(va)
        if middle:
            world.trouble(middle, va)
        wrong += known[va] != world.pfn(va)
    assert wrong == run(Remedy, steps).stale_uses


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_no_byte_and_no_frame_is_lost_in_a_race(seed: int):
    world = World(6)
    for page, before, middle in workload(seed, 40, 6, 1):
        world.others()
        for kind in filter(None, (before, middle)):
            world.trouble(kind, world.pages[page])
    assert all(b"same" == world.process.read(va, 4) for va in world.pages)
    world.process.exit()
    world.other.exit()
    world.neighbour.exit()
    assert not world.memory.frames
    assert sorted({*range(1, FRAMES)} - {world.memory.zero_pfn}) == sorted(world.free)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: workload(kinds=("quake",)), "expected some of migrate"),
        (lambda: workload(uses=0), "uses: expected a number from 1 up"),
        (lambda: workload(pages=65), "at most 64 pages"),
        (lambda: workload(every=0), "every: expected a number from 1 up"),
        (lambda: vm.procfs.flag_word(["NONE"]), "expected some of LOCKED"),
    ],
)
def test_bad_input_is_refused_in_words(wrong, message: str):
    with pytest.raises(vm.VmlabError, match=message):
        wrong()


def test_soft_dirty_is_refused_where_the_format_has_no_such_bit():
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-1g"))
    process = kernel.spawn("a")
    with pytest.raises(vm.VmlabError, match="keeps no such bit"):
        clear_refs(process.space)


# --- the model's /proc ---


def test_the_models_pagemap_says_what_the_tables_say(booted_once: vm.Kernel):
    kernel = booted_once
    process = kernel.spawn("told")
    process.mmap(START, 8)
    for n in range(4):
        process.write(START + n * PAGE, b"x")
    process.read(START + 4 * PAGE, 1)
    kernel.memory.reclaim_pages([kernel.memory.page(pfn(process, START))])
    child = process.fork("child")
    process.write(START + PAGE, b"y")
    pages = procfs.model_pagemap(kernel, process, START, 8)
    assert [False, True, True, True, True, False, False, False] == pages.present.tolist()
    assert [True] + 7 * [False] == pages.swapped.tolist()
    assert [n == 1 for n in range(8)] == pages.flag("exclusive").tolist()
    entry = process.page_table.pte(START).swap
    assert entry is not None
    assert (entry.type, entry.offset) == (pages.swap_type[0], pages.swap_offset[0])
    counts = procfs.kpagecount(kernel, pages.pfn[1:4].tolist()).tolist()
    assert [1, 2, 2] == counts
    assert ("ZERO_PAGE", "RESERVED") == procfs.flag_names(int(procfs.kpageflags(kernel, [int(pages.pfn[4])])[0]))
    (row,) = procfs.model_smaps(kernel, process)
    assert (32, 12, 8, 4) == tuple(row.kib[name] for name in ("Size", "Rss", "Pss", "Swap"))
    assert row.mapping == procfs.parse_maps(procfs.print_maps(kernel, process))[0]
    assert row.kib == procfs.parse_smaps(procfs.print_smaps(kernel, process))[0].kib
    lines = procfs.print_pagemap(kernel, process).splitlines()
    assert [int(line.split()[1], 16) for line in lines] == [int(word) for word in pages.words[:5]]
    child.exit()
    process.exit()
    with pytest.raises(vm.VmlabError, match="has ended"):
        procfs.print_pagemap(kernel, process)
    with pytest.raises(vm.VmlabError, match="another kernel"):
        procfs.print_maps(kernel, World(1).process)


def test_free_and_absent_frames_have_flags_too(booted_once: vm.Kernel):
    free = next(start for zone in booted_once.zones for start, _ in booted_once.buddy.free_ranges(zone))
    told = [procfs.flag_names(int(word)) for word in procfs.kpageflags(booted_once, [free, 1 << 40])]
    assert [("BUDDY",), ("NOPAGE",)] == told


# --- pictures ---


def test_pictures_say_what_the_tables_say():
    matrix = who_tells()
    for row in matrix.table.rows:
        assert [row[0] in each.says for each in WAYS] == [cell != "silent" for cell in row[2:]]
    assert matrix.svg.count("✓") - 1 == sum(row[0] in each.says for row in matrix.table.rows for each in WAYS)
    scores = race(2, uses=40)
    bars = race_bars(scores, "race")
    assert [(s.name, s.stale_uses, s.uses) for s in scores] == [row[:3] for row in bars.table.rows]
    assert all(score.name in bars.svg for score in scores)
    assert "Nothing has changed" in page_story([], "a page").alt


def test_every_way_says_when_it_tells_what_it_costs_and_what_fools_it() -> None:
    table = ways_compared()
    assert [way.name for way in WAYS] == [row[0] for row in table.rows]
    assert all(len(row) == len(table.columns) and all(row) for row in table.rows)
