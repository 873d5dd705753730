"""memblock against a slow, obvious model, and against the boot log of a real kernel."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from naive import NaiveMemblock

import vmlab as vm
from vmlab.physical.memblock import BootOutOfMemory, Memblock

UNIT, CELLS = 1024, 160
PLACE = st.integers(0, CELLS).map(lambda cell: cell * UNIT)
SIZE = st.integers(1, 40).map(lambda cells: cells * UNIT)
ALIGN = st.sampled_from([1, 2, 3, 4, 8, 16]).map(lambda cells: cells * UNIT)


class MemblockAgainstCells(RuleBasedStateMachine):
    """The same calls to both; after each, the same lists."""

    @initialize()
    def start(self) -> None:
        self.real, self.naive = Memblock(), NaiveMemblock(CELLS, UNIT)

    @rule(start=PLACE, end=PLACE, node=st.integers(0, 1))
    def add(self, start: int, end: int, node: int) -> None:
        start, end = min(start, end), max(start, end)
        self.real.add(start, end, node)
        self.naive.add(start, end, node)

    @rule(start=PLACE, end=PLACE)
    def remove(self, start: int, end: int) -> None:
        start, end = min(start, end), max(start, end)
        self.real.remove(start, end)
        self.naive.remove(start, end)

    @rule(start=PLACE, end=PLACE, taken=st.booleans())
    def reserve_or_free(self, start: int, end: int, taken: bool) -> None:
        start, end = min(start, end), max(start, end)
        (self.real.reserve if taken else self.real.free)(start, end)
        self.naive.reserve(start, end, taken)

    @precondition(lambda self: self.real.banks)
    @rule(
        size=SIZE,
        align=ALIGN,
        floor=PLACE,
        ceiling=st.one_of(st.just(0), PLACE),
        node=st.integers(-1, 1),
        bottom_up=st.booleans(),
    )
    def alloc(self, size: int, align: int, floor: int, ceiling: int, node: int, bottom_up: bool) -> None:
        self.real.bottom_up = bottom_up
        top = ceiling if ceiling > 1 else CELLS * UNIT
        tries = [(f, n) for f in dict.fromkeys((floor, 0)) for n in dict.fromkeys((node, -1))]
        expected = next(
            (p for f, n in tries if (p := self.naive.find(size, align, f, top, n, bottom_up)) is not None), None
        )
        try:
            got = self.real.alloc(size, align, min_addr=floor, max_addr=ceiling, nid=node)
        except BootOutOfMemory:
            got = None
        assert expected == got
        if got is not None:
            self.naive.reserve(got, got + size)

    @invariant()
    def same_lists(self) -> None:
        if not hasattr(self, "real"):
            return
        assert self.naive.memory() == self.real.banks
        assert self.naive.reserved() == list(self.real.reserved)
        assert self.naive.free() == self.real.free_ranges()


MemblockAgainstCells.TestCase.settings = settings(max_examples=150, stateful_step_count=25)
TestMemblockAgainstCells = MemblockAgainstCells.TestCase


def block(*reserved: tuple[int, int]) -> Memblock:
    memblock = Memblock()
    memblock.add(0x4000_0000, 0x7000_0000)
    for start, end in reserved:
        memblock.reserve(start, end)
    return memblock


def test_mem_map_lands_where_the_armmp_kernel_logged_it():
    """Recorded arm-virt-armmp-1g: 9437184 bytes below the early page tables, at 0x6f6f9000."""
    memblock = block((0x6FFF_9000, 0x7000_0000))

    assert 0x6F6F_9000 == memblock.alloc(262144 * 36, 64)


def test_an_allocation_takes_the_highest_place_that_fits():
    memblock = block((0x6F00_0000, 0x6F10_0000))

    assert 0x6FFF_F000 == memblock.alloc(4096, 4096)
    assert 0x6E00_0000 == memblock.alloc(16 * vm.MiB, 4096), "the gap above 0x6f10_0000 is too small"


def test_bottom_up_takes_the_lowest_place_but_never_the_first_page():
    memblock = Memblock(bottom_up=True)
    memblock.add(0, vm.MiB)

    assert 4096 == memblock.alloc(100, 4)
    assert 4196 == memblock.alloc(4, 4), "byte-exact: the next one follows at once"


def test_a_lower_bound_that_cannot_be_kept_is_given_up():
    memblock = block()

    assert 0x6FFF_F000 == memblock.alloc(4096, 4096, min_addr=0x9000_0000)


def test_but_not_by_memblock_phys_alloc_range():
    with pytest.raises(BootOutOfMemory):
        block().alloc(4096, 4096, min_addr=0x9000_0000, max_addr=0xA000_0000, phys=True)


def test_the_current_limit_holds_for_everybody_who_gives_none():
    memblock = block()
    memblock.limit = 0x5000_0000

    assert 0x4FFF_F000 == memblock.alloc(4096, 4096)
    assert 0x4FFF_E000 == memblock.alloc(4096, 4096, max_addr=0x6000_0000)
    assert 0x5FFF_F000 == memblock.alloc(4096, 4096, max_addr=0x6000_0000, phys=True)


def test_an_allocation_prefers_its_node_and_then_takes_any():
    memblock = Memblock()
    memblock.add(0x1000_0000, 0x2000_0000, node=0)
    memblock.add(0x2000_0000, 0x3000_0000, node=1)

    assert 0x1FFF_F000 == memblock.alloc(4096, 4096, nid=0)
    assert 0x2000_0000 == memblock.alloc(256 * vm.MiB, 4096, nid=0), "node 0 is no longer empty enough"
    with pytest.raises(BootOutOfMemory):
        memblock.alloc(256 * vm.MiB, 4096, nid=0, exact_nid=True)


def test_out_of_memory_says_what_was_wanted_and_what_to_do():
    with pytest.raises(BootOutOfMemory, match=r"no room for the array of struct page: 2147483648 bytes .* add RAM"):
        block().alloc(2 * vm.GiB, 64, why="the array of struct page")


@pytest.mark.parametrize(("size", "align"), [(0, 64), (-1, 64), (64, 0)])
def test_a_request_for_nothing_is_refused(size: int, align: int):
    with pytest.raises(vm.VmlabError, match="size > 0 and align > 0"):
        block().alloc(size, align)


def test_every_step_is_in_the_ledger_with_its_reason():
    memblock = block()
    memblock.alloc(4096, 4096, why="page tables", caller="early_alloc")

    assert ["add", "alloc"] == [event.kind for event in memblock.ledger]
    assert "page tables" in memblock.ledger.tell("alloc")
    assert "0x6fff_f000..0x7000_0000" in memblock.ledger.tell("alloc")
