"""SLUB's sizes and orders against every recorded cache, and where an object's parts lie."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from naive_slab import order
from slab_parts import extract, machine

import vmlab as vm
from vmlab.physical.slab import KmemCache
from vmlab.physical.slab_size import (
    CpuRules,
    OrderLimits,
    SlabFlag,
    calculate_alignment,
    calculate_order,
    calculate_sizes,
    cpu_partial_slabs,
)


@cache
def booted_caches(name: str) -> dict[str, KmemCache]:
    return {cache.name: cache for cache in vm.boot(machine(name)).slab.caches}


# Sizes and orders, against real kernels


@pytest.mark.parametrize("name", sorted(extract()))
def test_order_and_objects_of_every_recorded_cache(name):
    real = extract()[name]
    mine = [
        [
            cache_name,
            size,
            (4096 << calculate_order(size, real["cpus"])) // size,
            1 << calculate_order(size, real["cpus"]),
        ]
        for cache_name, size, _, _ in real["caches"]
    ]

    assert mine == real["caches"]
    assert all(size % 8 == 0 for _, size, _, _ in real["caches"])  # ARCH_SLAB_MINALIGN


def test_the_extract_has_every_record_with_slub():
    assert len(extract()) == 72
    assert sum(len(row["caches"]) for row in extract().values()) == 9451


@pytest.mark.parametrize("name", sorted(extract()))
def test_kmalloc_caches_are_the_recorded_ones_in_their_order(name):
    real = [row[0] for row in extract()[name]["caches"] if "kmalloc" in row[0]]

    assert real == [cache for cache in reversed(list(booted_caches(name))) if "kmalloc" in cache]


@pytest.mark.parametrize("name", sorted(extract()))
def test_caches_of_known_structs_are_as_recorded(name):
    """Size, objects a slab and pages; a cache that is not printed was merged into one that we do not know."""
    real = {row[0]: row[1:] for row in extract()[name]["caches"]}
    mine = {
        cache.name: [cache.sizes.size, cache.objects_per_slab, 1 << cache.order]
        for cache in booted_caches(name).values()
        if cache.name in real
    }

    assert mine == {cache: real[cache] for cache in mine}
    assert {"task_struct", "mm_struct", "names_cache", "maple_node", "kmem_cache_node", "anon_vma_chain"} <= set(mine)


@pytest.mark.parametrize("name", sorted(extract()))
def test_bio_caches_have_their_object_size_in_their_name(name):
    """block/bio.c:bio_find_or_create_slab asks for ARCH_KMALLOC_MINALIGN, a cache line, and freeing by RCU."""
    rules = vm.boot(machine(name)).slab.rules
    named = [(int(row[0][4:]), row[1]) for row in extract()[name]["caches"] if row[0].startswith("bio-")]
    family = SlabFlag.HWCACHE_ALIGN | SlabFlag.TYPESAFE_BY_RCU

    assert named
    for object_size, size in named:
        align = calculate_alignment(family, rules.kmalloc_minalign, object_size, rules)
        assert calculate_sizes(object_size, align, family, word=rules.word).size == size


@pytest.mark.parametrize("name", sorted(extract()))
def test_cache_line_is_the_recorded_one(name):
    assert vm.boot(machine(name)).slab.rules.cache_line == extract()[name]["hwalign"]


@given(st.integers(1, 1 << 16), st.integers(1, 4096))
def test_order_is_the_kernels_loop(size, cpus):
    assert calculate_order(size, cpus) == order(size, cpus)


@given(st.integers(1, 1 << 16), st.integers(1, 64), st.integers(0, 10), st.integers(0, 10), st.integers(0, 200))
@example(8, 1, 6, 3, 0)  # 32768 objects do not fit the 15 bits that count them
@example(16, 1, 7, 10, 0)
def test_order_with_the_parameters_of_the_command_line(size, cpus, min_order, max_order, min_objects):
    limits = OrderLimits(min_order, max_order, min_objects)
    assert calculate_order(size, cpus, limits=limits) == order(size, cpus, min_order, max_order, min_objects)


@pytest.mark.parametrize(
    ("size", "objects", "slabs"), [(192, 21, 12), (256, 16, 7), (1024, 8, 6), (4096, 8, 2), (8, 512, 1)]
)
def test_a_cpu_keeps_so_many_half_full_slabs(size, objects, slabs):
    """slub_set_cpu_partial: DIV_ROUND_UP(2 * nr_objects, oo_objects); 120, 52, 24 or 6 objects by size."""
    assert slabs == cpu_partial_slabs(size, objects)


@pytest.mark.parametrize(
    ("cmdline", "orders"),
    [
        ("", [0, 1, 3]),
        ("slub_max_order=0", [0, 0, 1]),
        ("slub_min_order=2", [2, 2, 3]),
        ("slub_min_objects=4", [0, 0, 3]),
        ("slub_max_order=99 slub_min_objects=64", [0, 3, 7]),
    ],
)
def test_the_command_line_bounds_the_orders(cmdline, orders):
    """kmalloc-64, -512 and -8k on four CPUs (Documentation/mm/slub.rst)."""
    slab = vm.boot(replace(vm.load_machine("amd64-pc-1g"), cmdline=cmdline, cpus=4)).slab
    assert orders == [slab[name].order for name in ("kmalloc-64", "kmalloc-512", "kmalloc-8k")]


def test_the_6_12_rule_differs_only_for_large_objects():
    differ = {
        size
        for cpus in (1, 2, 4, 8, 16, 64)
        for size in range(8, 16385, 8)
        if calculate_order(size, cpus) != calculate_order(size, cpus, "6.12")
    }

    assert min(differ) == 10928


@pytest.mark.parametrize(
    ("size", "cpus", "objects", "pages"),
    [(192, 8, 21, 1), (192, 16, 42, 2), (256, 1, 16, 1), (512, 4, 16, 2), (1024, 8, 32, 8), (8192, 1, 4, 8)],
)
def test_objects_per_slab_by_cpus(size, cpus, objects, pages):
    found = calculate_order(size, cpus)

    assert ((4096 << found) // size, 1 << found) == (objects, pages)


@pytest.mark.parametrize(
    ("name", "size", "objects"),
    [
        ("i386-pc-686-1g", 2944, 11),  # sizeof 6528, less the FPU state that a Pentium III does not have
        ("arm-virt-armmp-1g", 2752, 11),
        ("amd64-pc-4g", 8448, 3),
        ("arm64-virt-1g", 4160, 7),
    ],
)
def test_where_task_struct_lives_and_how_many_fit(name, size, objects):
    kernel = vm.boot(vm.load_machine(name))
    tasks = kernel.slab["task_struct"]
    first = tasks.alloc()

    assert (tasks.sizes.size, tasks.objects_per_slab) == (size, objects)
    assert kernel.layout.classify(first).area.name == "direct map"
    assert kernel.zones.of(kernel.virt_to_phys(first) >> 12).name != "HighMem"


# The object's place


def test_the_free_pointer_is_in_the_middle():
    assert calculate_sizes(100, 8).offset == 48
    assert calculate_sizes(8, 8).offset == 0


@pytest.mark.parametrize("more", [{"ctor": True}, {"flags": SlabFlag.TYPESAFE_BY_RCU}, {"flags": SlabFlag.POISON}])
def test_the_free_pointer_moves_behind_an_object_that_must_stay_as_it_is(more):
    sizes = calculate_sizes(100, 8, **more)

    assert sizes.free_pointer_outside
    assert (sizes.offset, sizes.size) == (104, 112)


@given(
    st.integers(1, 1 << 14),
    st.sampled_from([0, 1, 4, 8, 16, 32, 64, 128, 4096]),
    st.sets(st.sampled_from([SlabFlag.HWCACHE_ALIGN, SlabFlag.TYPESAFE_BY_RCU, SlabFlag.POISON, SlabFlag.RED_ZONE])),
    st.booleans(),
    st.sampled_from([4, 8]),
)
def test_objects_and_free_pointers_do_not_overlap(size, align, family, ctor, word):
    flags = SlabFlag.NONE
    for flag in family:
        flags |= flag
    align = calculate_alignment(flags, align, size, CpuRules(word=word))
    sizes = calculate_sizes(size, align, flags, ctor=ctor, word=word)

    assert sizes.size % align == 0
    assert sizes.offset % word == 0
    assert sizes.offset + word <= sizes.size - sizes.red_left_pad
    assert sizes.free_pointer_outside == (sizes.offset >= size)
    if ctor or family & {SlabFlag.TYPESAFE_BY_RCU, SlabFlag.POISON}:
        assert sizes.free_pointer_outside


@pytest.mark.parametrize(("size", "align"), [(100, 64), (32, 32), (33, 64), (16, 16), (17, 32), (3, 8)])
def test_a_small_object_needs_a_fraction_of_a_cache_line(size, align):
    assert calculate_alignment(SlabFlag.HWCACHE_ALIGN, 0, size, CpuRules()) == align


@pytest.mark.parametrize("align", [3, 24, -8])
def test_alignment_is_a_power_of_two(align):
    with pytest.raises(vm.VmlabError, match="power of two"):
        calculate_alignment(SlabFlag.NONE, align, 64, CpuRules())


@pytest.mark.parametrize("size", [0, -1])
def test_an_object_has_a_size(size):
    with pytest.raises(vm.VmlabError, match="at least 1 byte"):
        calculate_sizes(size, 8)
