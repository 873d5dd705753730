"""The TLB against a slow obvious one, laws that every cache keeps, published numbers, and what a flush removes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_tlb import NaiveTlb, stack_distance_misses

import vmlab as vm
from vmlab import jit
from vmlab.trace import LOAD, STORE
from vmlab.units import GiB, KiB, MiB
from vmlab.virtual import tlb_kernels
from vmlab.virtual.tlb import Tlb
from vmlab.virtual.tlb_rows import CPUS, PAGE_SIZES, POLICIES, Structure
from vmlab.virtual.tlb_tell import Counts, Entry, walk_references

SMALL, LARGE = 4 * KiB, 2 * MiB
KERNEL = 0xFFFF_8880_0000_0000


def one(entries, ways, policy="lru"):
    return Structure("L1", 1, entries, ways, policy=policy)


# --- worked examples ---


def test_a_miss_fills_every_level_and_a_hit_stops_at_the_first():
    tlb = Tlb([one(16, 4), Structure("L2", 2, 64, 4)])

    assert [None, 1] == [tlb.access(1, 0x40_0000).level, tlb.access(1, 0x40_0FFF).level]
    assert ["L1", "L2"] == [entry.structure for entry in tlb.entries()]


def test_four_ways_hold_four_pages_of_a_set_and_the_fifth_takes_the_oldest_place():
    tlb = Tlb([one(16, 4)])
    for number in range(4):
        tlb.access(1, number * 4 * SMALL)  # four sets: every fourth page
    tlb.access(1, 0)  # page 0 is the newest now
    access = tlb.access(1, 16 * SMALL)

    assert Entry(4 * SMALL, SMALL, 1) == access.steps[0].evicted
    assert "0x4000 (4 KiB, ASID 1) gives up its way" in access.tell()
    assert ["miss", "note", "evict", "fill"] == [event.kind for event in access.ledger]


def test_fifo_forgets_what_came_first_even_if_it_was_just_used():
    for policy, victim in (("fifo", 0), ("lru", 1)):
        tlb = Tlb([one(4, 4, policy)])
        for page in (0, 1, 2, 3, 0):
            tlb.access(0, page * SMALL)
        assert Entry(victim * SMALL, SMALL, 0) == tlb.access(0, 4 * SMALL).steps[0].evicted


def test_the_tree_gives_up_the_half_that_was_used_longer_ago():
    tlb = Tlb([one(4, 4, "plru")])
    for page in (0, 1, 2, 3, 0, 2):  # halves {0, 1} and {2, 3}; last used: the second half, and there way 2
        tlb.access(0, page * SMALL)

    assert Entry(1 * SMALL, SMALL, 0) == tlb.access(0, 4 * SMALL).steps[0].evicted


def test_random_takes_the_draws_it_is_given_and_begins_again():
    tlb = Tlb([one(4, 4, "random")], draws=[2, 7])
    for page in range(4):
        tlb.access(0, page * SMALL)

    gone = [tlb.access(0, page * SMALL).steps[0].evicted.va // SMALL for page in (4, 5, 6)]
    assert [2, 3, 4] == gone


def test_pages_of_two_sizes_share_a_set():
    tlb = Tlb([Structure("both", 1, 12, 12, (SMALL, LARGE))])
    tlb.access(1, 5 * LARGE, SMALL)
    tlb.access(1, 5 * LARGE, LARGE)

    assert [(5 * LARGE, LARGE), (5 * LARGE, SMALL)] == [(e.va, e.page_bytes) for e in tlb.entries()]
    assert 1 == tlb.access(1, 5 * LARGE + 77 * SMALL, LARGE).level


def test_the_same_page_of_two_processes_is_two_entries_and_a_global_one_is_everybodys():
    tlb = Tlb("Skylake")

    assert [None, None, 1] == [tlb.access(asid, 0x40_0000).level for asid in (1, 2, 1)]
    assert [None, 1] == [tlb.access(asid, KERNEL, LARGE, is_global=True).level for asid in (1, 2)]


def test_kernel_addresses_come_back_with_bit_63():
    tlb = Tlb([one(16, 16)])
    for va in (0xFFFF_FFFF_FFFF_F000, 0xFFFF_8000_0000_0000, 0xFF11_0000_0000_0000, 0x00FF_FFFF_FFFF_F000, 0):
        tlb.access(0xFFFF, va)
        assert (va, SMALL, 0xFFFF) == tlb.entries()[0][:3]


@pytest.mark.parametrize("va", [1 << 63, 0x0100_0000_0000_0000, -1, 1 << 64])
def test_what_cannot_be_translated_never_reaches_it(va):
    with pytest.raises(vm.VmlabError, match="canonical"):
        Tlb("Skylake").access(0, va)


def test_reach_of_skylake():
    """1536 entries: 6 MiB of small pages, 3 GiB of large ones (Optimization Manual, table 2-15)."""
    tlb = Tlb("Skylake")

    assert [6 * MiB, 3 * GiB, 16 * GiB] == [tlb.reach(size) for size in (SMALL, LARGE, GiB)]
    assert 0 == tlb.reach(64 * KiB)


def test_the_cost_of_a_walk():
    """One reference a level; nested paging of four levels on four takes 24 (Bhargava et al., ASPLOS 2008)."""
    assert [2, 3, 4, 5] == [walk_references(levels) for levels in (2, 3, 4, 5)]
    assert 24 == walk_references(4, 4)
    assert 35 == walk_references(5, 5)
    assert 24 * 7 == Counts(10, (2, 1)).walk_references(4, 4)
    with pytest.raises(vm.VmlabError, match="at least 1 level"):
        walk_references(0)


@pytest.mark.parametrize("name", CPUS)
def test_every_cpu_holds_what_its_row_says(name):
    for row in CPUS[name].structures:
        for page_bytes in row.page_bytes:
            tlb = Tlb(name)
            vpns = np.arange(row.entries, dtype=np.uint64) * np.uint64(page_bytes >> 12)
            tlb.run(vpns, 1, page_bytes, kind=row.holds[0])
            held = [e for e in tlb.entries() if e.structure == row.name]
            assert row.entries == len(held), "consecutive pages fill every set"
            assert row.tell()


# --- the naive model ---

structures = st.tuples(
    st.sampled_from(POLICIES),
    st.sampled_from([(1, 1), (2, 1), (4, 4), (4, 2), (8, 2), (8, 8)]),
    st.sampled_from([(8, 4), (16, 4), (12, 3), (6, 6), (16, 16)]),
    st.sampled_from(["lru", "fifo", "random"]),
    st.booleans(),
).map(
    lambda c: [
        Structure("L1 small", 1, *c[1], (SMALL,), policy=c[0]),
        Structure("L1 large", 1, 2, 2, (LARGE,), policy="fifo"),
        *([Structure("L2", 2, *c[2], (SMALL, LARGE), policy=c[3])] if c[4] else []),
    ]
)
pages = st.sampled_from([0, 1, 2, 3, 4, 5, 8, 12, 512, 513, KERNEL >> 12, 2**52 - 1])
references = st.tuples(st.sampled_from([1, 2, 0xFFFF]), pages, st.sampled_from([SMALL, LARGE]), st.booleans())
actions = st.lists(
    st.one_of(
        references,
        st.tuples(st.just("flush"), st.sampled_from([None, 1, 2]), st.booleans()),
        st.tuples(st.just("range"), st.sampled_from([1, 2]), pages, st.integers(1, 600)),
    ),
    max_size=60,
)


def places(entries):
    return sorted((e[0], e[1], -1 if e[2] is None else e[2], e[3], e[4]) for e in entries)


@given(structures, actions, st.lists(st.integers(0, 99), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_every_answer_is_that_of_the_naive_model(rows, todo, draws):
    tlb, naive = Tlb(rows, draws), NaiveTlb(rows, draws)
    for action in todo:
        if action[0] == "flush":
            gone, expected = tlb.flush(*action[1:]), naive.flush(*action[1:])
            assert sorted(map(str, expected)) == sorted(str(tuple(e[:3])) for e in gone)
        elif action[0] == "range":
            start = action[2] << 12
            gone = tlb.flush_range(action[1], start, start + action[3] * SMALL)
            assert len(naive.flush_range(action[1], start, start + action[3] * SMALL)) == len(gone)
        else:
            asid, vpn, size, is_global = action
            level, evicted = naive.access(asid, vpn << 12, size, is_global=is_global)
            access = tlb.access(asid, vpn << 12, size, is_global=is_global)
            assert level == access.level
            assert evicted == [step.evicted[:3] for step in access.steps if step.evicted]
        assert places(naive.entries()) == places(tlb.entries())
        held = [(e.va, e.page_bytes, e.asid, e.structure) for e in tlb.entries()]
        assert len(set(held)) == len(held), "no translation twice in one structure"


@given(structures, actions, references)
@settings(max_examples=100, deadline=None)
def test_flush_page_forgets_the_page_of_one_address_whatever_its_size_and_no_other(rows, todo, one):
    tlb, asid, va = Tlb(rows, [7, 3]), one[0], one[1] << 12
    for action in todo:
        if action[0] not in ("flush", "range"):
            tlb.access(action[0], action[1] << 12, action[2], is_global=action[3])
    before = set(tlb.entries())
    forgotten = {e for e in before if e.asid in (asid, None) and e.va <= va < e.va + e.page_bytes}

    assert forgotten == set(tlb.flush_page(asid, va))
    assert {e._replace(way=0) for e in before - forgotten} == {e._replace(way=0) for e in tlb.entries()}, "ways move up"


@given(structures, st.lists(references, min_size=1, max_size=80), st.lists(st.integers(0, 99), min_size=1))
@settings(max_examples=100, deadline=None)
def test_a_batch_counts_what_single_references_find(rows, refs, draws):
    single, batch = Tlb(rows, draws), Tlb(rows, draws)
    levels = [single.access(asid, vpn << 12, size).level for asid, vpn, size, _ in refs]
    asids, vpns, sizes = (np.array(column) for column in list(zip(*refs, strict=True))[:3])
    run = batch.run(vpns.astype(np.uint64), asids.astype(np.uint16), sizes)

    assert Counts(len(refs), tuple(levels.count(n) for n in range(1, single.levels + 1))) == run.total
    assert run.total.accesses == sum(run.total.hits) + run.total.misses
    assert run.total == sum(run.by_asid.values(), Counts(0, (0,) * batch.levels))
    assert single.counts == batch.counts == run.total
    assert single.entries() == batch.entries()


@given(st.lists(st.integers(0, 20), max_size=200), st.integers(1, 12))
@settings(deadline=None)
def test_a_fully_associative_lru_misses_where_mattsons_stack_says(trace, capacity):
    run = Tlb([one(capacity, capacity)]).run(np.array(trace, np.uint64))

    assert stack_distance_misses(trace, capacity) == run.total.misses


@pytest.mark.parametrize("name", ["sort", "matrix-columns"])
def test_a_bigger_fully_associative_lru_never_misses_more(name):
    trace = vm.load_trace(name)
    misses = [Tlb([one(size, size)]).run(trace).total.misses for size in (1, 2, 4, 8, 13, 32, 64, 1024)]

    assert sorted(misses, reverse=True) == misses
    assert len(trace.vpns) == misses[-1], "only the first touch of each page"


def test_fifo_can_miss_more_when_it_is_bigger():
    """Belady, Nelson and Shedler (CACM 1969): 9 misses with three frames, 10 with four."""
    trace = np.array([1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5], np.uint64)

    assert [9, 10] == [Tlb([one(size, size, "fifo")]).run(trace).total.misses for size in (3, 4)]


# --- counts that other programs found on the same trace ---


def zipf(pages, count, exponent, seed):
    """Page numbers with Zipf's frequencies, their ranks shuffled."""
    rng = np.random.default_rng(seed)
    cdf = np.cumsum(1 / np.arange(1, pages + 1) ** exponent)
    shuffled = rng.permutation(pages)
    return shuffled[np.searchsorted(cdf / cdf[-1], rng.random(count))].astype(np.uint64)


@pytest.mark.parametrize("is_long", [True, False])
def test_counts_equal_those_of_a_c_program(is_long, monkeypatch):
    """Misses that a C program of its own counted; both the loop for all TLBs and the fixed one find them."""
    monkeypatch.setattr("vmlab.virtual.tlb.FIXED_FROM", 0 if is_long else 1 << 40)
    vpns = zipf(1 << 17, 4_000_000, 1.2, 5)
    asids = (np.arange(len(vpns)) // 20000 % 8).astype(np.uint16)
    small, large = Structure("L1", 1, 64, 4), Structure("L2", 2, 1536, 12)

    assert 1_853_254 == Tlb([small]).run(vpns, asids).total.misses
    assert 813_573 == Tlb([Structure("L1", 1, 1536, 12)]).run(vpns, asids).total.misses
    both = Tlb([small, large]).run(vpns, asids)
    assert (4_000_000 - 1_853_254, 1_853_254 - 813_841) == both.total.hits
    assert [500_000] * 8 == [both.by_asid[asid].accesses for asid in range(8)]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_the_fixed_loop_is_the_loop_for_all(policy, size, monkeypatch):
    vpns = zipf(1 << 14, 30_000, 1.0, 1) | np.uint64(KERNEL >> 12)
    asids = (np.arange(len(vpns)) // 100 % 3).astype(np.uint16)
    rows = [one(16, 4, policy), Structure("L2", 2, 64, 8, policy=policy)]
    draws = np.random.default_rng(2).integers(0, 1 << 30, 1000)
    found = []
    for threshold in (0, 1 << 40):
        monkeypatch.setattr("vmlab.virtual.tlb.FIXED_FROM", threshold)
        tlb = Tlb(rows, draws)
        found.append((tlb.run(vpns, asids, size), tlb.entries()))

    assert found[0] == found[1]


def test_repeats_of_a_trace_are_hits():
    trace = vm.load_trace("matrix-rows")
    tlb = Tlb("Skylake")
    run = tlb.run(trace, asid=3)

    assert trace.references == run.total.accesses == run.by_asid[3].accesses
    assert len(trace.vpns) == run.total.misses


def test_columns_miss_the_first_level_once_an_element():
    """512 x 512 elements, a page a row: by columns each is on another page than the one before."""
    misses = {}
    for name in ("matrix-rows", "matrix-columns"):
        total = Tlb("Skylake").run(vm.load_trace(name).only(LOAD, STORE)).total
        misses[name] = total.accesses - total.hits[0]

    assert misses["matrix-columns"] >= 512 * 512 > 100 * misses["matrix-rows"]


# --- mistakes ---


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Tlb("Pentium"), "no CPU here is called 'Pentium'"),
        (lambda: Tlb([]), "at least one structure"),
        (lambda: Tlb([one(4, 4), one(4, 4)]), "a name of its own"),
        (lambda: Tlb([one(4, 4), Structure("other", 1, 4, 4)]), "both hold data pages of 4096 bytes"),
        (lambda: Tlb([one(4, 4, "random")]), "pass draws="),
        (lambda: one(12, 4), "1, 2, 4, 8 ... sets, got 3"),
        (lambda: one(6, 4), "whole sets"),
        (lambda: one(0, 1), "whole sets"),
        (lambda: one(6, 6, "plru"), "tree of halves"),
        (lambda: one(6, 6, "mru"), "policy: expected one of lru"),
        (lambda: Structure("x", 1, 4, 4, (123,)), "123"),
        (lambda: Structure("x", 1, 4, 4, holds=("stack",)), "stack"),
        (lambda: Tlb("Skylake").access(70000, 0), "asid: expected 0 to 65535"),
        (lambda: Tlb("Skylake").access(0, 0, 12345), "page_bytes: expected one of"),
        (lambda: Tlb("Skylake").access(0, 0, 64 * KiB), "no structure of this TLB holds data pages of 65536"),
        (lambda: Tlb("Nehalem").access(0, 0, LARGE, kind="code"), "holds code pages"),
        (lambda: Tlb("Skylake").run([1, 2, 3], [1, 2]), "one value, or 3"),
    ],
)
def test_mistakes_are_told(make, words):
    with pytest.raises(vm.VmlabError, match=re.escape(words)):
        make()


# --- the compiled loops ---


@pytest.mark.parametrize("fixed_from", [0, 1 << 40])
def test_no_compiled_loop_counts_references(fixed_from, monkeypatch):
    """Compiled afresh: numba shows no code of a kernel that it loaded from disk."""
    fresh = jit._njit(tlb_kernels.run_any.py_func if fixed_from else tlb_kernels.fixed((4,), (0,), 0).py_func)
    if not hasattr(fresh, "inspect_llvm"):
        pytest.skip("numba compiles nothing here")
    monkeypatch.setattr("vmlab.virtual.tlb.FIXED_FROM", fixed_from)
    monkeypatch.setattr(tlb_kernels, "run_any", fresh)
    monkeypatch.setattr(tlb_kernels, "fixed", lambda *shape: fresh)
    Tlb([one(16, 4)]).run([1, 2, 3])

    assert [False] == ["NRT_incref" in text for text in fresh.inspect_llvm().values()]


def test_python_and_compiled_names_agree():
    from vmlab.virtual import tlb, tlb_tell

    assert [0, 1, 2, 3] == [int(getattr(tlb_kernels, name.upper())) for name in POLICIES]
    assert (tlb.HIT, tlb.NOT_ASKED) == (int(tlb_kernels.HIT), int(tlb_kernels.NOT_ASKED))
    assert (tlb_tell.MARK_SHIFT, tlb_tell.GLOBAL) == (int(tlb_kernels.MARK_SHIFT), int(tlb_kernels.GLOBAL))
    assert len(PAGE_SIZES) <= 64, "a reference's class has six bits for its page size"
