"""Batches of one cache: the answers, the lists and the page allocator's calls are those of the plain model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slab_parts import FakeFrames, allocator, make

import vmlab as vm
from vmlab.physical.slab import KmemCache
from vmlab.physical.slab_batch import Batch, trace
from vmlab.physical.slab_page import Frames
from vmlab.physical.slab_size import CpuRules, SlabFlag
from vmlab.physical.zonelist import NoPage, Page

SLOTS = 200
SIZES = [256, 704, 1024, 2048, 2800, 4096, 8192, 20000]


class Reserve:
    """Frames taken in advance, in front of a page allocator: what became empty last is used first."""

    def __init__(self, fake: FakeFrames, order: int, count: int) -> None:
        self.fake, self.count = fake, count
        self.ready = [self.fake.alloc(order, 0) for _ in range(count)][::-1]

    def alloc(self, order: int, gfp: str | int) -> Page | NoPage:
        return self.ready.pop() if self.ready else self.fake.alloc(order, gfp)

    def free(self, page: Page) -> None:
        if len(self.ready) < self.count:
            self.ready.append(page)
        else:
            self.fake.free(page)


def plain(cache: KmemCache, frees, slots, cpus) -> list[int]:
    """The same trace, one call after the other."""
    held, answers = {}, []
    for is_free, slot, cpu in zip(frees, slots, cpus, strict=True):
        if not is_free:
            held[slot] = cache.alloc(cpu=cpu)
        va = held[slot] if not is_free else held.pop(slot, 0)
        answers.append(va or 0)
        if is_free and va:
            cache.free(va, cpu)
    return answers


def sensible(steps: list[tuple[int, int, int]]) -> tuple[list[int], list[int], list[int]]:
    """Runs of operations as a trace: an allocation into a slot that is taken becomes a free."""
    frees, slots, cpus, held = [], [], [], set()
    for slot, count, cpu in steps:
        for each in range(slot, slot + count):
            number = each % SLOTS
            frees.append(int(number in held))
            held ^= {number}
            slots.append(number)
            cpus.append(cpu)
    return frees, slots, cpus


def assert_same_lists(batch: Batch, cache: KmemCache) -> None:
    assert batch.slabs == sorted(cache.slabs)
    assert batch.active_objects == cache.active_objects
    assert batch.node_partial() == list(cache.partial[0])
    for cpu, own in enumerate(cache.cpus):
        assert batch.cpu_partial(cpu) == [slab.va for slab in own.partial]


STEPS = st.lists(st.tuples(st.integers(0, SLOTS - 1), st.integers(1, 40), st.integers(0, 2)), max_size=40)
THREE = CpuRules(present_cpus=3, possible_cpus=3)


@given(st.sampled_from(SIZES), STEPS, st.integers(0, 3), st.integers(0, 5))
@settings(max_examples=120, deadline=None)
def test_a_batch_answers_as_the_plain_model_and_asks_for_the_same_frames(size, steps, seed, cut):
    """In two runs, so that the second begins with what the first left."""
    cache, fake = make(size, THREE, seed=seed)
    described, other = make(size, THREE, seed=seed)
    batch = Batch(described, SLOTS)
    frees, slots, cpus = sensible(steps)
    cut = len(frees) * cut // 5
    first = batch.run(trace(frees[:cut], slots[:cut], cpus[:cut]))
    second = batch.run(trace(frees[cut:], slots[cut:], cpus[cut:]))

    assert plain(cache, frees, slots, cpus) == [*first.tolist(), *second.tolist()]
    assert_same_lists(batch, cache)
    assert fake.out == other.out
    assert fake.next == other.next


@given(st.sampled_from(SIZES), STEPS, st.integers(1, 12))
@settings(max_examples=80, deadline=None)
def test_with_a_reserve_it_answers_as_the_plain_model_over_the_same_reserve(size, steps, count):
    cache, fake = make(size, THREE)
    cache.frames = Frames(*(lambda r: (r.alloc, r.free))(Reserve(fake, cache.order, count)), cache.frames.offset)
    described, other = make(size, THREE)
    batch = Batch(described, SLOTS, reserve=count)
    frees, slots, cpus = sensible(steps)

    assert plain(cache, frees, slots, cpus) == batch.run(trace(frees, slots, cpus)).tolist()
    assert_same_lists(batch, cache)
    assert fake.out == other.out


@given(STEPS, st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_without_memory_the_answer_is_0_and_smaller_slabs_are_tried_first(steps, most):
    cache, _ = make(1024, THREE, most=most)
    described, _ = make(1024, THREE, most=most)
    batch = Batch(described, SLOTS)
    frees, slots, cpus = sensible(steps)

    assert plain(cache, frees, slots, cpus) == batch.run(trace(frees, slots, cpus)).tolist()
    assert_same_lists(batch, cache)


@given(STEPS, st.integers(0, 4))
@settings(max_examples=30, deadline=None)
def test_reset_is_as_if_nothing_had_been_run(steps, reserve):
    described, fake = make(2048, THREE)
    batch = Batch(described, SLOTS, reserve=reserve)
    before = len(fake.out)
    operations = trace(*sensible(steps))
    batch.run(operations)
    batch.reset()

    assert (len(fake.out), batch.slabs, batch.active_objects, batch.node_partial()) == (before, [], 0, [])
    cache, plain_fake = make(2048, THREE)
    if not reserve:
        plain_fake.next = fake.next
        assert plain(cache, *(array.tolist() for array in operations)) == batch.run(operations).tolist()


def test_red_zones_shift_the_objects():
    answers = [
        Batch(make(64, family=family)[0], 1).run(trace([0], [0]))[0]
        for family in (SlabFlag.NONE, SlabFlag.RED_ZONE | SlabFlag.POISON)
    ]
    cache, _ = make(64, family=SlabFlag.RED_ZONE | SlabFlag.POISON)

    assert [make(64)[0].alloc(), cache.alloc()] == answers


def test_slabs_of_two_nodes_go_to_their_own_list():
    def over_two_nodes(fake: FakeFrames) -> Frames:
        def alloc(order: int, gfp: str | int) -> Page | NoPage:
            page = fake.alloc(order, gfp)
            assert isinstance(page, Page)
            fake.out[page.pfn] = Page(page.pfn, order, page.pfn >> order & 1, "Normal", "low")
            return fake.out[page.pfn]

        return Frames(alloc, fake.free, 0, (0, 1))

    caches = []
    for _ in range(2):
        cache, fake = make(4096)
        caches.append(KmemCache("test", cache.sizes, cache.flags, cache.rules, over_two_nodes(fake)))
    count = 400
    rng = np.random.default_rng(4)
    frees = np.repeat([0, 1, 0], count)
    slots = np.concatenate([np.arange(count), rng.permutation(count), np.arange(count)])
    batch = Batch(caches[1], count)
    answers = batch.run(trace(frees, slots))

    assert plain(caches[0], frees.tolist(), slots.tolist(), [0] * len(frees)) == answers.tolist()
    assert [batch.node_partial(node) for node in (0, 1)] == [list(caches[0].partial[node]) for node in (0, 1)]


def test_a_booted_kernels_cache_and_its_page_allocator():
    kernels = [vm.boot(vm.load_machine("amd64-pc-1g")) for _ in range(2)]
    caches = [kernel.slab["kmalloc-192"] for kernel in kernels]
    frees, slots, cpus = sensible([(0, 150, 0), (30, 90, 0), (10, 200, 0)])

    assert plain(caches[0], frees, slots, cpus) == Batch(caches[1], SLOTS).run(trace(frees, slots, cpus)).tolist()


def test_the_given_cache_stays_as_it_is():
    slab = allocator()
    Batch(slab["kmalloc-64"], 10).run(trace([0] * 10, range(10)))

    assert slab["kmalloc-64"].slabs == {}


def test_a_free_of_an_empty_slot_is_a_free_of_null():
    assert [0] == Batch(make()[0], 1).run(trace([1], [0])).tolist()


@pytest.mark.parametrize(
    ("operations", "told"),
    [
        (trace([0, 0], [3, 3]), "operation 1: slot 3 has an object already"),
        (trace([0], [5]), "operation 0: slot: expected 0 to 4, got 5"),
        (trace([0], [0], [1]), "operation 0: cpu: expected 0 to 0 on this machine, got 1"),
    ],
)
def test_an_operation_without_sense_is_named_and_those_before_it_are_done(operations, told):
    batch = Batch(make()[0], 5)
    with pytest.raises(vm.VmlabError, match=told):
        batch.run(operations)

    assert batch.active_objects == len(operations.frees) - 1
    assert batch.run(trace([1] * 5, range(5))).any() == (len(operations.frees) > 1)
    assert batch.active_objects == 0


@pytest.mark.parametrize(("slots", "cpus"), [([0, 1], None), ([-1], None), ([0], [256]), ([0], [0, 0])])
def test_a_trace_that_is_none_is_refused(slots, cpus):
    with pytest.raises(vm.VmlabError, match=r"^trace: "):
        trace([0], slots, cpus)
