"""Batches of vmalloc: addresses, flushes and free areas are those of the plain model."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slab_parts import FakeFrames

import vmlab as vm
from vmlab.physical.zonelist import Page
from vmlab.virtual.vmalloc import VmallocSpace
from vmlab.virtual.vmalloc_batch import Batch, trace

START, PAGE = 0xFFFF_C900_0000_5000, 4096
SLOTS = 24
STEPS = st.lists(st.tuples(st.integers(0, SLOTS - 1), st.integers(1, 24 * PAGE), st.integers(8, 17)), max_size=120)


class SmallSpace(VmallocSpace):
    """A space whose freed addresses wait until they are more than 40 pages."""

    lazy_max_bytes = 40 * PAGE


def make(pages: int, kind: type[VmallocSpace] = SmallSpace, total: int = 1 << 30) -> VmallocSpace:
    frame = Page(1, 0, 0, "Normal", "low")
    return kind(START, START + pages * PAGE, lambda gfp: frame, lambda page: None, total)


def plain(space: VmallocSpace, held: dict[int, int], frees, slots, sizes, aligns) -> list[int]:
    """The same trace, one call after the other."""
    answers = []
    for is_free, slot, size, align in zip(frees, slots, sizes, aligns, strict=True):
        va = held.pop(slot, 0) if is_free else space.vmalloc(size, align=align) or 0
        if is_free:
            space.vfree(va)
        elif va:
            held[slot] = va
        answers.append(va)
    return answers


def sensible(space: VmallocSpace, steps) -> tuple[list[int], list[int], list[int], list[int], list[int]]:
    """The steps as a trace, and its answers: a vmalloc into a slot that has an area becomes a vfree."""
    rows, answers, held = [], [], {}
    for slot, size, bits in steps:
        row = ([int(slot in held)], [slot], [size], [1 << bits])
        answers += plain(space, held, *row)
        rows.append([each[0] for each in row])
    frees, slots, sizes, aligns = (list(each) for each in zip(*rows, strict=True)) if rows else ([], [], [], [])
    return frees, slots, sizes, aligns, answers


def assert_same(batch: Batch, space: VmallocSpace) -> None:
    assert list(batch.unused) == list(space.unused)
    assert list(batch.lazy) == list(space.lazy)
    assert batch.flushes == space.flushes


@given(st.integers(2, 300), STEPS, st.integers(0, 5))
@settings(max_examples=200, deadline=None)
def test_a_batch_answers_as_the_plain_model(pages, steps, cut):
    """In two runs, so that the second begins with what the first left; again after a reset."""
    space = make(pages)
    *rows, answers = sensible(space, steps)
    batch = Batch(make(pages), SLOTS)
    cut = len(steps) * cut // 5
    for _ in range(2):
        parts = [batch.run(trace(*(row[part] for row in rows))).tolist() for part in (slice(cut), slice(cut, None))]
        assert answers == [*parts[0], *parts[1]]
        assert_same(batch, space)
        batch.reset()


@given(STEPS, STEPS)
@settings(max_examples=60, deadline=None)
def test_it_begins_with_what_the_space_has_free_and_lazy(before, steps):
    space, other = make(250), make(250)
    for each in (space, other):
        sensible(each, before)
        each.flushes.clear()
    batch = Batch(other, SLOTS)
    *rows, answers = sensible(space, steps)
    left = list(other.unused), list(other.lazy)

    assert answers == batch.run(trace(*rows)).tolist()
    assert_same(batch, space)
    assert left == (list(other.unused), list(other.lazy))


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 1 << 26), st.integers(12, 30)), max_size=40))
@settings(max_examples=30, deadline=None)
def test_the_tree_grows_with_large_areas(steps):
    def large() -> VmallocSpace:
        return VmallocSpace(START, START + (1 << 45), FakeFrames().alloc, lambda page: None, 1 << 15)

    space = large()
    space.alloc = lambda gfp: Page(1, 0, 0, "Normal", "low")
    *rows, answers = sensible(space, steps)
    batch = Batch(large(), 8)

    assert answers == batch.run(trace(*rows)).tolist()
    assert_same(batch, space)


def test_what_waits_in_a_slot_free_of_areas_is_null():
    batch = Batch(make(20), 2)

    assert [0] == batch.run(trace([1], [0], [0])).tolist()


def test_more_flushes_than_fit_are_all_told():
    space = make(64)
    steps = [(0, 23 * PAGE, 12)] * 20_000
    *rows, answers = sensible(space, steps)
    batch = Batch(make(64), 1)

    assert answers == batch.run(trace(*rows)).tolist()
    assert len(space.flushes) > 4096
    assert_same(batch, space)


@pytest.mark.parametrize(
    ("operations", "told"),
    [
        (trace([0, 0], [1, 1], [1, 1]), "operation 1: slot 1 has an area already"),
        (trace([0], [2], [1]), "operation 0: slot: expected 0 to 1, got 2"),
    ],
)
def test_an_operation_without_sense_is_named(operations, told):
    with pytest.raises(vm.VmlabError, match=told):
        Batch(make(64), 2).run(operations)


@pytest.mark.parametrize(
    "row",
    [([0], [0], [0]), ([0], [0], [-1]), ([0], [0], [1], [24]), ([0], [0], [1], [0]), ([0], [-1], [1]), ([0], [], [1])],
)
def test_a_trace_that_is_none_is_refused(row):
    with pytest.raises(vm.VmlabError, match=r"^trace: "):
        trace(*row)
