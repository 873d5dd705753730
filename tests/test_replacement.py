"""Replacement: every policy is its slow, obvious self; textbook strings; what theory says of stacks and of OPT."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import naive_replacement as naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vmlab as vm
from vmlab.process.lruvec import Lruvec
from vmlab.process.policies import POLICIES
from vmlab.process.replacement import Cache, dense, misses
from vmlab.process.replay import belady_anomaly, replay
from vmlab.process.sweep import curve, sweep
from vmlab.process.trace_pages import TracePages

BELADY = [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5]  # IBM Systems Journal 1966, via CACM 12(6), 1969
SILBERSCHATZ = [7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1]  # Operating System Concepts, ch. 10


def linux(trace, frames):
    """The two lists page by page, as the model of the kernel has them."""
    return TracePages(Lruvec(), frames).run(trace)


NAIVE = {name: getattr(naive, name, None) for name in POLICIES} | {"2q": naive.two_queues, "linux": linux}
TRACES = st.lists(st.integers(0, 11), max_size=120)
FRAMES = st.integers(1, 10)
LONGER = st.builds(
    lambda seed, pages: np.random.default_rng(seed).zipf(1.3, 600) % pages, st.integers(0, 99), st.integers(20, 90)
)


def victims(name, trace, frames):
    return [None if row[1] < 0 else int(row[1]) for row in replay(name, frames, dense(trace)).ledger]


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_evicts_what_its_slow_self_evicts(name):
    @settings(max_examples=40, deadline=None)
    @given(TRACES, FRAMES)
    def agrees(trace, frames):
        assert NAIVE[name](trace, frames) == victims(name, trace, frames)

    agrees()


@pytest.mark.parametrize("name", POLICIES)
def test_also_on_longer_traces_with_more_frames(name):
    @settings(max_examples=8, deadline=None)
    @given(LONGER, st.sampled_from([7, 12, 20, 40]))
    def agrees(trace, frames):
        assert NAIVE[name](trace.tolist(), frames) == victims(name, trace, frames)

    agrees()


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=20, deadline=None)
@given(TRACES, FRAMES, st.integers(0, 120))
def test_a_trace_in_two_pieces_is_one_trace(name, trace, frames, cut):
    references = dense(trace)
    whole = replay(name, frames, trace)
    cache = Cache(name, frames, references.pages)
    ahead = whole._ahead
    for part in (slice(0, cut), slice(cut, None)):
        cache.run(references.trace[part], None if ahead is None else ahead[part])
    assert whole.misses == cache.misses
    assert whole.at(len(trace)).queues == cache.queues()


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=20, deadline=None)
@given(TRACES, FRAMES)
def test_memory_holds_what_came_and_has_not_gone(name, trace, frames):
    story, inside = replay(name, frames, trace), set()
    for reference in story.references:
        assert reference.is_hit == (reference.page in inside)
        inside = inside - {reference.victim} | {reference.page}
        assert len(inside) <= frames
    if trace:
        assert inside == set(story.at(len(trace)).resident)


# --- what theory says ---


@settings(max_examples=80, deadline=None)
@given(TRACES, FRAMES)
def test_opt_never_loses(trace, frames):
    best = misses("opt", frames, trace)
    assert all(best <= misses(name, frames, trace) for name in POLICIES)


@pytest.mark.parametrize("name", ["lru", "opt"])
@settings(max_examples=80, deadline=None)
@given(TRACES, st.integers(1, 9))
def test_a_stack_algorithm_keeps_with_one_frame_more_all_it_kept(name, trace, frames):
    """OPT with ties broken by one fixed order of the pages does; its misses are those of any tie-break."""
    assert misses(name, frames + 1, trace) <= misses(name, frames, trace)
    if name == "lru":
        for at in range(len(trace) + 1):
            few, more = (replay(name, n, trace).at(at).resident for n in (frames, frames + 1))
            assert few <= more


@pytest.mark.parametrize("name", ["lru", "opt"])
@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 20), max_size=300))
def test_the_curve_is_the_run_of_every_size(name, trace):
    whole = curve(name, trace)
    assert len(trace) == whole.misses[0]
    assert [misses(name, frames, trace) for frames in range(1, 24)] == [whole.at(frames) for frames in range(1, 24)]


@pytest.mark.parametrize("name", ["lru", "opt"])
def test_the_curve_of_a_real_program_is_the_run_of_each_size(name):
    trace = vm.load_trace("sort").only(1, 2)
    whole = curve(name, trace)
    for frames in (1, 8, 30, 100, 200, 255):
        assert misses(name, frames, trace) == whole.at(frames)


# --- textbooks ---


def test_belady_s_anomaly_three_frames_beat_four():
    assert [(3, 9, 4, 10)] == belady_anomaly("fifo", BELADY)
    assert [] == belady_anomaly("lru", BELADY) == belady_anomaly("opt", BELADY)
    states = [set(replay("fifo", 4, BELADY).at(n).resident) for n in (6, 7, 8)]
    assert [{1, 2, 3, 4}, {2, 3, 4, 5}, {3, 4, 5, 1}] == states


def test_the_textbook_s_string():
    assert [15, 12, 9] == [misses(name, 3, SILBERSCHATZ) for name in ("fifo", "lru", "opt")]


def test_counts_that_an_independent_simulator_gives():
    """libCacheSim aa0fc40 on a Zipf trace: LRU, FIFO, 2Q, ARC and SIEVE (a tenth of its length, same generator)."""
    rng = np.random.default_rng(42)
    cdf = np.cumsum(1 / np.arange(1, (1 << 20) + 1))
    permuted = rng.permutation(1 << 20)
    trace = permuted[np.searchsorted(cdf / cdf[-1], rng.random(10_000_000))].astype(np.uint32)
    told = {"lru": 2222988, "fifo": 2517294, "2q": 1988273, "arc": 1897043, "sieve": 1898661}
    assert told == {name: misses(name, 104857, trace) for name in told}


def test_a_loop_one_page_too_long_ruins_lru_and_not_opt():
    loop = [n % 5 for n in range(50)]
    assert [50, 50, 50, 50, 16] == [misses(name, 4, loop) for name in ("lru", "fifo", "clock", "arc", "opt")]


def test_the_story_says_who_goes_and_why():
    told = replay("lru", 3, [1, 2, 3, 1, 4]).tell()
    assert "3 frames: 4 misses in 5 references" in told
    assert "   5  page 4: miss, page 2 goes (its last use was 3 references ago)" in told
    assert "never needed again" in replay("opt", 2, [1, 2, 1, 3, 1]).tell()
    assert "needed again in 3 references" in replay("opt", 2, [1, 2, 3, 1, 1, 2]).tell()
    assert "the hand cleared 2 R bits" in replay("clock", 2, [1, 2, 3]).tell()
    assert "it had been used 1 times" in replay("lfu", 2, [1, 1, 2, 3]).tell()


# --- many at once ---


def test_a_sweep_is_its_runs_with_any_executor():
    traces = {"belady": BELADY, "book": SILBERSCHATZ}
    rows = sweep(traces, ["lru", "fifo", "opt"], [3, 4])
    assert 12 == len(rows)
    assert all(row.misses == misses(row.policy, row.frames, traces[row.trace]) for row in rows)
    with ThreadPoolExecutor(1) as one:
        assert rows == sweep(traces, ["lru", "fifo", "opt"], [3, 4], executor=one)
    assert 10 / 12 == rows[3].miss_ratio


def test_page_numbers_far_apart_are_renumbered_and_told_as_they_were():
    far = [0x7FFF_FFFF_F000, 5, 1 << 40, 5, 0x7FFF_FFFF_F000]
    story = replay("fifo", 2, far)
    assert [0x7FFF_FFFF_F000, 5] == story.victims[:2]
    assert 4 == misses("lru", 2, far)


# --- what is refused ---


@pytest.mark.parametrize(
    ("trace", "said"),
    [
        ([1, -2], "page numbers from 0 on, got -2"),
        ([1.5, 2.0], "whole page numbers, got"),
        (["a"], "whole page numbers, got"),
        ([[1, 2], [3, 4]], "2 dimensions"),
        ([[1], [2, 3]], "a row of page numbers"),
        ([1 << 70], "page numbers, got"),
    ],
)
def test_a_trace_that_is_none_is_refused(trace, said):
    with pytest.raises(vm.VmlabError, match=said):
        misses("lru", 3, trace)


@pytest.mark.parametrize(
    ("frames", "said"), [(0, "1 to"), (-1, "1 to"), (2.5, "a whole number"), ("3", "whole number")]
)
def test_a_memory_without_frames_is_refused(frames, said):
    for function in (misses, replay):
        with pytest.raises(vm.VmlabError, match=said):
            function("lru", frames, BELADY)


def test_an_unknown_policy_lists_those_there_are():
    with pytest.raises(vm.VmlabError, match="expected one of fifo, lru"):
        misses("lur", 3, BELADY)
    with pytest.raises(vm.VmlabError, match="use sweep for 'fifo'"):
        curve("fifo", BELADY)


@pytest.mark.parametrize("name", POLICIES)
def test_an_empty_trace_misses_nothing(name):
    assert 0 == misses(name, 3, [])
    assert "0 misses in 0 references" in replay(name, 3, []).tell()


@pytest.mark.parametrize("name", POLICIES)
def test_more_frames_than_pages_miss_each_page_once(name):
    assert 5 == misses(name, 1 << 20, BELADY)
