"""Which zone serves a request: gfp flags, fallback order, watermarks, and a refusal that says why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import watermark_ok as naive_watermark_ok

import vmlab as vm
from vmlab.physical import gfp
from vmlab.physical.zonelist import AllocFlags, NoPage, node_order, watermark_ok, zonelist

MACHINES = {  # the highest zone of a request, on the four kinds of Debian 6.1 kernel
    "i386-pc-686-1g": {"DMA": "DMA", "DMA32": "Normal", "HIGHMEM": "HighMem"},
    "arm-virt-armmp-1g": {"DMA": "DMA", "DMA32": "Normal", "HIGHMEM": "HighMem"},
    "amd64-pc-4g": {"DMA": "DMA", "DMA32": "DMA32", "HIGHMEM": "Normal"},
    "arm64-virt-1g": {"DMA": "DMA", "DMA32": "DMA32", "HIGHMEM": "Normal"},
}


def highest(kernel: vm.Kernel, flags: str | int) -> str:
    zones = kernel.nodes[0].zones
    return zones[gfp.highest_zone(gfp.mask(flags), zones)].name


def names(zones: list) -> list[str]:
    return [zone.name for zone in zones]


@pytest.fixture(scope="module", params=MACHINES)
def machine_and_zones(request: pytest.FixtureRequest) -> tuple[vm.Kernel, dict[str, str]]:
    return vm.boot(vm.load_machine(request.param)), MACHINES[request.param]


def test_a_zone_modifier_selects_its_zone_or_normal_where_there_is_none(machine_and_zones):
    kernel, zone_of = machine_and_zones

    for modifier, zone in zone_of.items():
        assert zone == highest(kernel, f"__GFP_{modifier}")
        if modifier != "HIGHMEM":
            assert zone == highest(kernel, f"__GFP_{modifier} | __GFP_MOVABLE")


def test_movable_alone_does_not_select_the_movable_zone(machine_and_zones):
    kernel, _ = machine_and_zones

    assert "Normal" == highest(kernel, "GFP_KERNEL") == highest(kernel, "GFP_KERNEL | __GFP_MOVABLE")
    assert "Movable" == highest(kernel, "GFP_HIGHUSER_MOVABLE")
    assert "Normal" == highest(kernel, "GFP_ATOMIC") == highest(kernel, "GFP_USER") == highest(kernel, 0)


def test_two_zone_modifiers_at_once_are_refused_by_name(machine_and_zones):
    """GFP_ZONE_BAD: eight of the sixteen combinations of the low four bits."""
    kernel, _ = machine_and_zones
    bad = {0x3, 0x5, 0x6, 0x7, 0xB, 0xD, 0xE, 0xF}
    for bits in bad:
        with pytest.raises(vm.VmlabError, match="name more than one zone"):
            highest(kernel, bits)
    assert all(highest(kernel, bits) for bits in range(16) if bits not in bad)


@pytest.mark.parametrize(
    ("flags", "bits"),  # Linux 6.1, include/linux/gfp_types.h
    [
        ("GFP_KERNEL", 0xCC0),
        ("GFP_ATOMIC", 0xA20),
        ("GFP_USER", 0x100CC0),
        ("GFP_HIGHUSER", 0x100CC2),
        ("GFP_HIGHUSER_MOVABLE", 0x100CCA),
        ("GFP_NOWAIT", 0x800),
        ("GFP_NOIO", 0xC00),
        ("GFP_NOFS", 0xC40),
        ("GFP_DMA|GFP_KERNEL", 0xCC1),
        ("GFP_KERNEL __GFP_ZERO", 0xDC0),
    ],
)
def test_flags_have_the_values_of_linux_6_1(flags: str, bits: int):
    assert bits == gfp.mask(flags) == gfp.mask(bits)


def test_an_unknown_flag_is_named():
    with pytest.raises(vm.VmlabError, match="unknown flag 'GFP_KERNLE'; expected some of"):
        gfp.mask("GFP_KERNLE | __GFP_ZERO")


def test_the_zonelist_goes_down_and_holds_populated_zones_only():
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-1g"))

    assert ["HighMem", "DMA"] == names(zonelist(kernel.nodes, 0)), "Debian's ARM kernel has an empty Normal"


def test_numa_zonelists_hold_the_other_node_behind_the_whole_first():
    """Recorded amd64-pc-numa-1g-4g: 'Fallback order for Node 0: 0 1', 'for Node 1: 1 0'."""
    kernel = vm.boot(vm.load_machine("amd64-pc-numa-1g-4g"))

    near = [(zone.node, zone.name) for zone in zonelist(kernel.nodes, 0)]
    far = [(zone.node, zone.name) for zone in zonelist(kernel.nodes, 1)]
    assert [(0, "DMA32"), (0, "DMA"), (1, "Movable"), (1, "Normal"), (1, "DMA32")] == near
    assert far == near[2:] + near[:2]
    assert near[:2] == [(zone.node, zone.name) for zone in zonelist(kernel.nodes, 0, this_node=True)]


def test_an_unknown_node_is_refused():
    with pytest.raises(vm.VmlabError, match="node: expected one of 0, got 7"):
        vm.boot(vm.load_machine("amd64-pc-1g")).alloc_pages(node=7)


def test_equally_far_nodes_take_turns():
    assert {0: [0, 1, 2, 3], 1: [1, 2, 3, 0], 2: [2, 3, 0, 1], 3: [3, 0, 1, 2]} == node_order(range(4))


def test_nearer_nodes_come_first_and_two_pairs_share_the_burden():
    """Two sockets of two nodes: the partner first, and partners do not both begin with the same far node."""
    table = [[10, 12, 32, 32], [12, 10, 32, 32], [32, 32, 10, 12], [32, 32, 12, 10]]
    orders = node_order(range(4), lambda one, other: table[one][other])

    assert [[0, 1], [1, 0], [2, 3], [3, 2]] == [order[:2] for order in orders.values()]
    assert orders[0][2] != orders[1][2]
    assert orders[2][2] != orders[3][2]


@given(st.integers(1, 6), st.data())
def test_every_order_is_a_permutation_sorted_by_distance(nodes: int, data: st.DataObject):
    half = {(a, b): data.draw(st.integers(11, 40)) for a in range(nodes) for b in range(a)}

    def distance(one: int, other: int) -> int:
        return 10 if one == other else half[max(one, other), min(one, other)]

    for local, order in node_order(range(nodes), distance).items():
        assert sorted(order) == list(range(nodes))
        assert order[0] == local
        # a distance of one more is what "prefer the next node" may cost
        hops = [distance(local, node) + (node < local) for node in order]
        assert hops == sorted(hops)


@given(
    st.lists(st.integers(0, 20), min_size=11, max_size=11),
    st.integers(0, 10),
    st.integers(0, 5000),
    st.integers(0, 5000),
    st.sets(st.sampled_from(["ALLOC_CMA", "ALLOC_MIN_RESERVE", "ALLOC_NON_BLOCK", "ALLOC_OOM"])),
    st.lists(st.integers(0, 5), min_size=11, max_size=11),
)
def test_the_watermark_test_is_the_kernels(others, order, mark, reserve, flags, cma):
    nr_free = [count + of_cma for count, of_cma in zip(others, cma, strict=True)]
    free = sum(count << o for o, count in enumerate(nr_free))
    alloc = AllocFlags(
        "ALLOC_MIN_RESERVE" in flags, "ALLOC_NON_BLOCK" in flags, "ALLOC_OOM" in flags, "ALLOC_CMA" in flags
    )

    expected = naive_watermark_ok(free, nr_free, order, mark, reserve, flags, cma)
    assert expected == watermark_ok(nr_free, order, mark, reserve, alloc, cma)


def test_an_atomic_request_may_use_five_eighths_of_the_reserve():
    """__GFP_HIGH halves the mark, and one that cannot wait takes a quarter of the rest: 3/8 must stay."""
    atomic = AllocFlags.of(gfp.mask("GFP_ATOMIC"))

    assert watermark_ok([301], 0, 800, 0, atomic)
    assert not watermark_ok([300], 0, 800, 0, atomic)
    assert not watermark_ok([800], 0, 800, 0, AllocFlags.of(gfp.mask("GFP_KERNEL")))
    assert not watermark_ok([800], 0, 800, 0, AllocFlags.of(gfp.mask("GFP_NOWAIT"))), "not waiting alone is no right"


def test_enough_pages_in_small_pieces_do_not_serve_a_large_order():
    assert watermark_ok([5000, 0, 0, 1], 3, 100, 0, AllocFlags())
    assert not watermark_ok([5000, 9, 9, 0], 3, 100, 0, AllocFlags())


def drain(kernel: vm.Kernel, flags: str) -> tuple[dict[str, int], NoPage]:
    """Allocate until refused: pages got from each zone, and the refusal."""
    got: dict[str, int] = {}
    for order in (10, 6, 3, 0):
        while page := kernel.alloc_pages(order, flags):
            got[page.zone] = got.get(page.zone, 0) + (1 << order)
    return got, page


def test_user_pages_fall_back_to_lowmem_and_leave_the_reserve_for_the_kernel():
    """i386, 1 GiB: HighMem is used down to its min mark, then Normal down to min + lowmem_reserve."""
    kernel = vm.boot(vm.load_machine("i386-pc-686-1g"))
    got, refused = drain(kernel, "GFP_HIGHUSER")
    index = {zone.name: zone.index for zone in kernel.zones}["HighMem"]

    assert ["HighMem", "Normal", "DMA"] == list(got)
    for name in got:
        zone = kernel.zones[name]
        assert zone.watermark.min + zone.lowmem_reserve[index] == kernel.buddy.free_pages(zone)
    assert ["HighMem", "Normal", "DMA"] == [refusal.zone for refusal in refused.refusals]
    assert kernel.alloc_pages(0, "GFP_KERNEL"), "the kernel may still have what users may not"


def test_a_kernel_request_never_goes_up_to_highmem():
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-2g"))
    got, refused = drain(kernel, "GFP_KERNEL")
    high = kernel.zones["HighMem"]

    assert ["DMA"] == list(got)
    assert high.managed_pages == kernel.buddy.free_pages(high)
    zone = kernel.zones["DMA"]
    assert refused.tell() == (
        "page allocation failure: order:0, mode:GFP_KERNEL\n"
        f"  node 0 DMA: {zone.watermark.min} usable free pages, "
        f"not more than watermark {zone.watermark.min} + lowmem_reserve 0"
    )
    assert not refused


def test_thisnode_does_not_leave_the_node():
    kernel = vm.boot(vm.load_machine("amd64-pc-numa-1g-4g"))
    got, refused = drain(kernel, "GFP_KERNEL | __GFP_THISNODE")

    assert {"DMA32", "DMA"} >= set(got)
    assert {0} == {refusal.node for refusal in refused.refusals}
    assert kernel.alloc_pages(0, "GFP_KERNEL", node=0).node == 1


def test_only_movable_pages_may_use_the_contiguous_area():
    """armmp with 512 MiB keeps 16 MiB of CMA in lowmem: GFP_KERNEL leaves those 4096 pages."""
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-512m"))
    zone = kernel.zones["DMA"]
    drain(kernel, "GFP_KERNEL")
    assert 4096 + zone.watermark.min == kernel.buddy.free_pages(zone)
    assert 4096 == zone.cma_pages == kernel.buddy.free_pages(zone, cma_only=True)

    page = kernel.alloc_pages(0, "GFP_HIGHUSER_MOVABLE")
    start, end = kernel.allocations.cma_frames[0]
    assert start <= page.pfn < end, "CMA goes first while it is more than half of what is free"
    drain(kernel, "GFP_HIGHUSER_MOVABLE")
    assert zone.watermark.min == kernel.buddy.free_pages(zone)


def test_an_excluded_zone_is_in_no_zonelist_and_never_served():
    machine = vm.load_machine("arm-virt-armmp-2g").with_config(zone_dma=False)
    kernel = vm.boot(machine.with_zone("NewMem", size=512 * vm.MiB, below="HighMem"))
    drain(kernel, "GFP_HIGHUSER_MOVABLE")
    new = kernel.zones["NewMem"]

    assert ["HighMem", "Normal"] == names(zonelist(kernel.nodes, 0))
    assert 131072 == new.managed_pages == kernel.buddy.free_pages(new)


def test_an_added_zone_that_is_not_excluded_stands_in_the_fallback_order():
    machine = vm.load_machine("arm-virt-armmp-2g").with_config(zone_dma=False)
    kernel = vm.boot(machine.with_zone("NewMem", size=512 * vm.MiB, below="HighMem", excluded=False))

    assert ["HighMem", "NewMem", "Normal"] == names(zonelist(kernel.nodes, 0))
    assert ["HighMem", "NewMem", "Normal"] == list(drain(kernel, "GFP_HIGHUSER")[0])


def test_a_failed_allocation_cannot_be_freed():
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-2g"))
    _, refused = drain(kernel, "GFP_KERNEL")

    with pytest.raises(vm.VmlabError, match="got a failed allocation: test `if page:` first"):
        kernel.free_pages(refused)


def test_a_page_can_be_freed_by_its_frame_number():
    kernel = vm.boot(vm.load_machine("amd64-pc-1g"))
    page = kernel.alloc_pages(2)
    kernel.free_pages(page.pfn, 2)

    assert kernel.buddy.owns(page.pfn)
    with pytest.raises(vm.VmlabError, match="free already"):
        kernel.free_pages(page)
