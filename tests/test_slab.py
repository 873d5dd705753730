"""One cache: its free list through the objects, its lists of slabs against cells, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from naive_slab import NaiveCache
from slab_parts import allocator, make

import vmlab as vm
from vmlab.physical.gfp import mask
from vmlab.physical.slab import KmemCache
from vmlab.physical.slab_page import (
    BadObject,
    CorruptFreelist,
    DoubleFree,
    WrongCache,
)
from vmlab.physical.slab_size import CpuRules, SlabFlag

# The free list


def test_words_are_hardened_and_lead_through_the_objects():
    slab_cache, _ = make(512)
    first = slab_cache.alloc()
    (slab,) = slab_cache.slabs.values()
    free = slab.free_list(slab_cache.cpus[0].freelist)
    at = free[0] + slab_cache.sizes.offset

    assert sorted([first, *free]) == [slab.va + 512 * number for number in range(8)]
    assert slab.words[at] == free[1] ^ slab_cache.random ^ int.from_bytes(at.to_bytes(8, "little"), "big")


def test_the_order_is_shuffled_by_the_seed_alone():
    def handed_out(seed: int) -> list[int]:
        slab_cache, _ = make(64, seed=seed)
        return [slab_cache.alloc() for _ in range(64)]

    assert handed_out(1) == handed_out(1) != handed_out(2)
    assert sorted(handed_out(1)) == sorted(handed_out(2)) != handed_out(1)


def test_the_last_object_freed_is_the_next_one_given_out():
    slab_cache, _ = make()
    first, second = slab_cache.alloc(), slab_cache.alloc()
    slab_cache.free(first)
    slab_cache.free(second)

    assert [slab_cache.alloc(), slab_cache.alloc()] == [second, first]


def test_a_word_overwritten_after_the_free_is_noticed():
    slab_cache, _ = make()
    va = slab_cache.alloc()
    slab_cache.free(va)
    (slab,) = slab_cache.slabs.values()
    slab.words[va + slab_cache.sizes.offset] = 0x4141_4141_4141_4141

    for _ in range(2):  # refused, and the same again: nothing has changed
        with pytest.raises(CorruptFreelist, match="after the free"):
            slab_cache.alloc()
    assert slab_cache.active_objects == 0


# What is refused


def snapshot(slab_cache: KmemCache) -> tuple:
    slabs = [
        (slab.va, slab.freelist, slab.inuse, slab.frozen, sorted(slab.used), sorted(slab.words.items()))
        for slab in slab_cache.slabs.values()
    ]
    lists = [list(partial) for partial in slab_cache.partial.values()]
    cpus = [(own.freelist, own.slab and own.slab.va, [slab.va for slab in own.partial]) for own in slab_cache.cpus]
    return slabs, lists, cpus, dict(slab_cache.frames.owner)


@pytest.mark.parametrize(
    ("pointer", "error"),
    [
        (lambda va: va + 1, BadObject),
        (lambda va: va + 8, BadObject),
        (lambda va: va - 64 * 4096, BadObject),
        (lambda va: 0x1234, BadObject),
    ],
)
def test_a_pointer_that_is_no_object_is_refused(pointer: Callable[[int], int], error):
    slab_cache, _ = make()
    va = slab_cache.alloc()
    before = snapshot(slab_cache)

    with pytest.raises(error):
        slab_cache.free(pointer(va))
    assert snapshot(slab_cache) == before


def test_the_rest_of_a_slab_is_no_object():
    slab_cache, _ = make(704)  # 11 in two pages, and 448 bytes left over
    slab_cache.alloc()
    (slab,) = slab_cache.slabs.values()

    with pytest.raises(BadObject, match="too small for one more"):
        slab_cache.free(slab.va + 11 * 704)


def test_a_double_free_is_named():
    slab_cache, _ = make()
    va = slab_cache.alloc()
    slab_cache.free(va)
    before = snapshot(slab_cache)

    with pytest.raises(DoubleFree, match="free already"):
        slab_cache.free(va)
    assert snapshot(slab_cache) == before


def test_an_object_never_handed_out_is_no_object_in_use():
    slab_cache, _ = make()
    va = slab_cache.alloc()
    (slab,) = slab_cache.slabs.values()
    other = next(slab.va + 512 * number for number in range(8) if slab.va + 512 * number != va)

    with pytest.raises(DoubleFree):
        slab_cache.free(other)


def test_an_object_of_another_cache_is_refused():
    slab = allocator()
    mine, theirs = slab.create("mine", 104), slab.create("theirs", 208)
    va = theirs.alloc()

    with pytest.raises(WrongCache, match="theirs"):
        mine.free(va)
    theirs.free(va)


def test_no_frames_is_a_result_and_smaller_slabs_are_tried_first():
    slab_cache, fake = make(1024, most=1)  # the best order is 1, the smallest 0

    assert [bool(slab_cache.alloc()) for _ in range(5)] == [True] * 4 + [False]
    assert [page.order for page in fake.out.values()] == [0]


@pytest.mark.parametrize(
    ("family", "gfp", "zone_and_type"),
    [
        (SlabFlag.NONE, "GFP_KERNEL | __GFP_MOVABLE | __GFP_ZERO", 0),
        (SlabFlag.RECLAIM_ACCOUNT, "GFP_KERNEL", mask("__GFP_RECLAIMABLE")),
        (SlabFlag.CACHE_DMA, "GFP_KERNEL | __GFP_HIGHMEM", mask("__GFP_DMA")),
        (SlabFlag.CACHE_DMA32, "GFP_KERNEL", mask("__GFP_DMA32")),
    ],
)
def test_zone_and_migratetype_are_the_caches_and_the_first_try_does_not_reclaim(family, gfp, zone_and_type):
    """mm/slub.c: new_slab keeps GFP_RECLAIM_MASK | GFP_CONSTRAINT_MASK, allocate_slab adds s->allocflags."""
    slab_cache, fake = make(1024, most=1, family=family)
    slab_cache.alloc(gfp)
    first = mask("__GFP_IO | __GFP_FS | __GFP_NOMEMALLOC") | zone_and_type
    assert [(1, first), (0, mask("GFP_KERNEL") | zone_and_type)] == fake.asked
    one_page, fake = make(512, family=family)
    one_page.alloc("GFP_ATOMIC")
    assert [(0, mask("GFP_ATOMIC") | zone_and_type)] == fake.asked


def test_empty_slabs_of_a_cpu_are_given_back_oldest_first():
    """__unfreeze_partials chains them in slab_to_discard, and walks that afterwards."""
    slab_cache, fake = make(2048)
    objects = [[slab_cache.alloc() for _ in range(8)] for _ in range(20)]
    assert (6, 5) == (slab_cache.cpu_partial_slabs, slab_cache.min_partial)
    for number in range(6):  # five that are not empty, for the node's list, and one that pushes them there
        slab_cache.free(objects[number][0])
    slab_cache.free(objects[6][0])
    slab_cache.flush(0)
    assert 7 == len(slab_cache.partial[0])
    for number in range(10, 16):
        for va in objects[number]:
            slab_cache.free(va)
    assert [] == fake.given_back
    slab_cache.free(objects[17][0])
    assert fake.given_back == [slab_cache.frames.pfn(min(objects[number])) for number in range(10, 16)]


@pytest.mark.parametrize(("by_others", "place"), [(False, 0), (True, -1)])
def test_a_flushed_slab_goes_to_the_head_of_the_list_unless_others_freed_into_it(by_others, place):
    """deactivate_slab: DEACTIVATE_TO_HEAD, or DEACTIVATE_TO_TAIL if the slab's own list is not empty."""
    slab_cache, _ = make(1024, rules=CpuRules(present_cpus=2))
    _, mine, theirs = slab_cache.alloc(cpu=0), slab_cache.alloc(cpu=0), slab_cache.alloc(cpu=1)
    own, other = slab_cache.slab_of(mine).va, slab_cache.slab_of(theirs).va
    slab_cache.flush(1)
    if by_others:
        slab_cache.free(mine, 1)
    slab_cache.flush(0)
    assert {own, other} == set(slab_cache.partial[0])
    assert own == list(slab_cache.partial[0])[place]


@pytest.mark.parametrize("cpu", [-1, 1])
def test_a_cpu_that_is_not_there(cpu):
    slab_cache, _ = make()

    with pytest.raises(vm.VmlabError, match="cpu: expected 0 to 0"):
        slab_cache.alloc(cpu=cpu)


# Against cells


@settings(max_examples=60, stateful_step_count=80)
class CacheAgainstCells(RuleBasedStateMachine):
    """One CPU: the same slab serves every request, and every list holds the same slabs in the same order."""

    @initialize(size=st.sampled_from([1024, 2048, 2800, 4096, 8192, 20000]))
    def start(self, size: int) -> None:
        self.cache, self.fake = make(size)
        rules = self.cache.objects_per_slab, self.cache.cpu_partial_slabs, self.cache.min_partial
        self.naive = NaiveCache(*rules)
        self.number: dict[int, int] = {}  # slab's address -> its number in the naive model
        self.used: list[int] = []

    def place(self, va: int) -> tuple[int, int]:
        slab = self.cache.slab_of(va)
        return self.number[slab.va], (va - slab.va) // self.cache.sizes.size

    @rule(count=st.integers(1, 12))
    def alloc(self, count: int) -> None:
        for _ in range(count):
            slab = self.naive.alloc()
            va = self.cache.alloc()
            self.number.setdefault(self.cache.slab_of(va).va, slab)
            assert va not in self.used
            self.used.append(va)
            assert self.place(va)[0] == slab
            self.naive.hand_out(*self.place(va))

    @precondition(lambda self: getattr(self, "used", None))
    @rule(data=st.data(), count=st.integers(1, 12))
    def free(self, data: st.DataObject, count: int) -> None:
        for _ in range(min(count, len(self.used))):
            va = self.used.pop(data.draw(st.integers(0, len(self.used) - 1)))
            place = self.place(va)
            self.cache.free(va)
            self.naive.free(*place)
            with pytest.raises(BadObject):
                self.cache.free(va)
        self.number = {va: slab for va, slab in self.number.items() if va in self.cache.slabs}

    @invariant()
    def lists_are_the_same(self) -> None:
        if not hasattr(self, "cache"):
            return
        (own,) = self.cache.cpus
        assert [self.number[slab.va] for slab in own.partial] == self.naive.cpu_partial
        assert [self.number[va] for va in self.cache.partial[0]] == self.naive.node
        assert sorted(self.number[va] for va in self.cache.slabs) == sorted(self.naive.where)

    @invariant()
    def every_object_is_in_one_place(self) -> None:
        if not hasattr(self, "cache"):
            return
        (own,) = self.cache.cpus
        for slab in self.cache.slabs.values():
            mine = slab.free_list(own.freelist) if slab is own.slab else []
            everywhere = [*slab.used, *slab.free_list(slab.freelist), *mine]
            assert sorted(everywhere) == [slab.va + n * self.cache.sizes.size for n in range(slab.objects)]
            assert slab.inuse == len(slab.used) + len(mine)
            assert len(slab.words) == slab.objects - len(slab.used)

    @invariant()
    def frames_out_are_the_slabs(self) -> None:
        if hasattr(self, "cache"):
            assert {slab.page.pfn for slab in self.cache.slabs.values()} == set(self.fake.out)
            assert len(self.cache.frames.owner) == sum(1 << page.order for page in self.fake.out.values())

    def teardown(self) -> None:
        if hasattr(self, "cache"):
            for va in self.used:
                self.cache.free(va)
            self.cache.shrink()
            assert (self.fake.out, self.cache.frames.owner, self.cache.slabs) == ({}, {}, {})


TestCacheAgainstCells = CacheAgainstCells.TestCase


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.booleans()), max_size=150))
@settings(max_examples=60)
def test_objects_freed_on_other_cpus_go_back_to_their_slab(steps):
    slab_cache, fake = make(2048, CpuRules(present_cpus=4, possible_cpus=4))
    used: list[int] = []
    for cpu, which, frees in steps:
        if frees and used:
            slab_cache.free(used.pop(which % len(used)), cpu)
        else:
            used.append(slab_cache.alloc(cpu=cpu))
    frozen = [own.slab for own in slab_cache.cpus if own.slab] + [s for own in slab_cache.cpus for s in own.partial]

    assert len(set(used)) == len(used) == slab_cache.active_objects
    assert {slab.va for slab in frozen} == {slab.va for slab in slab_cache.slabs.values() if slab.frozen}
    assert not {slab.va for slab in frozen} & set(slab_cache.partial[0])
    for va in used:
        slab_cache.free(va, 0)
    slab_cache.shrink()
    assert fake.out == {}


def test_shrink_puts_the_fullest_slabs_first():
    slab_cache, _ = make(2048)
    objects = [slab_cache.alloc() for _ in range(8 * 3)]
    for number in (0, 1, 2, 8, 16, 17):
        slab_cache.free(objects[number])
    slab_cache.shrink()

    assert [slab.free_objects for slab in slab_cache.partial[0].values()] == [1, 2, 3]
