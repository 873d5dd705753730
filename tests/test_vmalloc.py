"""vmalloc: where areas go, when their addresses come back, which frames lie behind them, and the recorded areas."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from naive_vmalloc import NaiveSpace
from slab_parts import FakeFrames, fresh

import vmlab as vm
from vmlab import procfs
from vmlab.virtual import vmalloc as module
from vmlab.virtual.vmalloc import BadArea, DoubleVfree, VmallocSpace

START, PAGE = 0xF080_0000, 4096


def make(pages: int = 64, most: int = 1 << 20, **more) -> tuple[VmallocSpace, FakeFrames]:
    """A space of its own, and the frames behind it."""
    fake = FakeFrames(most)
    space = VmallocSpace(START, START + pages * PAGE, lambda gfp: fake.alloc(0, gfp), fake.free, 1 << 20, **more)
    return space, fake


# Where an area goes


def test_areas_take_the_lowest_place_and_a_guard_page_each():
    space, _ = make()

    assert [space.vmalloc(size) - START for size in (1, 4096, 4097)] == [0, 0x2000, 0x4000]
    assert [area.size for area in space.areas.values()] == [0x2000, 0x2000, 0x3000]


def test_a_hole_that_alignment_left_is_used_by_the_next_that_fits():
    """armmp's kernel stacks: 8 KiB aligned to 16 KiB, as in the recorded vmallocinfo."""
    space, _ = make()
    stacks = [space.vmalloc(8192, align=16384) for _ in range(3)]

    assert [va - START for va in stacks] == [0, 0x4000, 0x8000]
    assert space.vmalloc(4096) - START == 0xB000  # a page of 0x3000..0x4000 is free, but no guard page


def test_an_ioremap_area_is_aligned_to_its_size():
    """gic_of_setup on the recorded armmp: 64 KiB at 0x0800_0000, 69632 bytes with the guard page."""
    space, _ = make(ioremap_max_order=19)
    space.vmalloc(100)
    va = space.ioremap(0x0800_0000, 0x1_0000)

    assert (va - START, space.find(va).size) == (0x1_0000, 69632)
    assert space.ioremap(0x0900_0123, 4) % PAGE == 0x123
    assert space.ioremap_align(1 << 30) == 1 << 19


@pytest.mark.parametrize("align", [0, 3, 12288, -4096])
def test_an_alignment_is_a_power_of_two(align):
    with pytest.raises(vm.VmlabError, match="power of two"):
        make()[0].vmalloc(100, align=align)


@pytest.mark.parametrize("size", [0, -1])
def test_an_area_has_a_size(size):
    with pytest.raises(vm.VmlabError, match="at least 1 byte"):
        make()[0].vmalloc(size)
    with pytest.raises(vm.VmlabError, match="at least 1 byte"):
        make()[0].ioremap(0x1000, size)


# When addresses come back


def test_freed_addresses_wait_for_a_flush():
    space, fake = make()
    first = space.vmalloc(100)
    space.vfree(first)

    assert fake.out == {}  # the frames are back at once
    assert space.vmalloc(100) == first + 0x2000
    assert space.flushes == []
    space.purge()
    assert space.flushes == [(first, first + 0x2000)]
    assert space.vmalloc(100) == first


@pytest.mark.parametrize(("cpus", "mib"), [(1, 32), (2, 64), (4, 96), (8, 128)])
def test_more_cpus_put_the_flush_off_longer(cpus, mib):
    space, _ = make(pages=(mib << 8) + 512, cpus=cpus)
    step = 1 << 20
    areas = [space.ioremap(0, step - PAGE) for _ in range(mib + 1)]
    for va in areas[:-1]:
        space.iounmap(va)

    assert space.flushes == []  # exactly the threshold waits
    space.iounmap(areas[-1])
    assert len(space.flushes) == 1
    assert list(space.unused) == [(space.start, space.end)]


def test_a_full_space_is_purged_before_it_is_given_up():
    space, _ = make(pages=4)
    space.vfree(space.vmalloc(3 * PAGE))

    assert space.vmalloc(3 * PAGE) == START
    assert len(space.flushes) == 1


# Too little


def test_no_addresses_is_a_result_with_the_kernels_words():
    space, fake = make(pages=4)
    got = space.vmalloc(4 * PAGE)

    assert not got
    assert got.tell().startswith("vmap allocation for size 20480 failed: use vmalloc=<size> to increase size")
    assert (fake.out, space.areas, list(space.unused)) == ({}, {}, [(START, space.end)])


def test_no_frames_is_a_result_and_gives_all_of_them_back():
    space, fake = make(most=3)
    got = space.vmalloc(4 * PAGE)

    assert not got
    assert "3 of 4 were free" in got.tell()
    assert "page allocation failure: order:0" in got.tell()
    assert (fake.out, space.areas) == ({}, {})


def test_more_than_all_memory_is_not_even_tried():
    kernel = fresh("arm-virt-armmp-1g")

    assert "exceeds total pages" in kernel.vmalloc(1 << 40).tell()
    with pytest.raises(vm.VmlabError, match="failed allocation"):
        kernel.vfree(kernel.vmalloc(1 << 40))


# What is refused


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda space, va: space.vfree(va + 1), BadArea, "lies in the area that starts"),
        (lambda space, va: space.vfree(va + PAGE), BadArea, "lies in the area that starts"),
        (lambda space, va: space.vfree(va + 0x2_0000), BadArea, "nonexistent vm area"),
        (lambda space, va: space.iounmap(va), BadArea, "of kind vmalloc"),
        (lambda space, va: space.to_phys(va + 2 * PAGE), vm.VmlabError, "guard page"),
        (lambda space, va: space.to_phys(va - 1), vm.VmlabError, "in no area"),
    ],
)
def test_an_address_that_is_no_area_is_refused(call, error, match):
    space, fake = make()
    va = space.vmalloc(2 * PAGE)
    before = dict(space.areas), list(space.unused), list(space.lazy), dict(fake.out)

    with pytest.raises(error, match=match):
        call(space, va)
    assert (dict(space.areas), list(space.unused), list(space.lazy), dict(fake.out)) == before


def test_a_double_vfree_is_named_and_null_is_nothing():
    space, _ = make()
    va = space.vmalloc(100)
    space.vfree(va)
    space.vfree(0)

    with pytest.raises(DoubleVfree, match="freed already"):
        space.vfree(va)


# Against cells

PAGES = 96


@settings(max_examples=60, stateful_step_count=60)
class SpaceAgainstCells(RuleBasedStateMachine):
    """Every area stands where the cells say; no address is used again before its flush."""

    @initialize(lazy_max=st.integers(4, 64))
    def start(self, lazy_max: int) -> None:
        self.space, self.fake = make(PAGES)
        self.usual, module.LAZY_BYTES = module.LAZY_BYTES, lazy_max * PAGE
        self.naive = NaiveSpace(START, PAGES, lazy_max)
        self.live: dict[int, tuple[int, str]] = {}
        self.made = 0

    @rule(pages=st.integers(1, 12), shift=st.integers(0, 4))
    def vmalloc(self, pages: int, shift: int) -> None:
        self.made += 1
        expected = self.naive.alloc(pages, PAGE << shift, self.made)
        va = self.space.vmalloc(pages * PAGE - self.made % PAGE, align=PAGE << shift)
        assert (va or None) == expected
        if va:
            self.live[va] = self.made, "vfree"

    @rule(pages=st.integers(1, 12))
    def ioremap(self, pages: int) -> None:
        self.made += 1
        align = next(PAGE << shift for shift in range(9) if 1 << shift >= pages)
        expected = self.naive.alloc(pages, align, self.made)
        va = self.space.ioremap(0x1_0000, pages * PAGE)
        assert (va or None) == expected
        if va:
            self.live[va] = self.made, "iounmap"

    @precondition(lambda self: getattr(self, "live", None))
    @rule(data=st.data())
    def free(self, data: st.DataObject) -> None:
        va = data.draw(st.sampled_from(sorted(self.live)))
        area, call = self.live.pop(va)
        getattr(self.space, call)(va)
        self.naive.free(area)
        with pytest.raises(BadArea):
            getattr(self.space, call)(va)

    @invariant()
    def every_page_is_what_its_cell_says(self) -> None:
        if not hasattr(self, "space"):
            return
        for number, cell in enumerate(self.naive.cells):
            va = START + number * PAGE
            kind = "unused" if self.space.unused.holds(va) else "lazy" if self.space.lazy.holds(va) else "area"
            assert kind == (cell if isinstance(cell, str) else "area")
            assert (self.space.find(va) is not None) == (kind == "area")
        assert len(self.space.flushes) == self.naive.flushes

    @invariant()
    def every_frame_is_behind_one_page(self) -> None:
        if hasattr(self, "space"):
            frames = [page.pfn for area in self.space.areas.values() for page in area.frames]
            assert sorted(frames) == sorted(self.fake.out)
            pages = [area for area in self.space.areas.values() if area.kind == "vmalloc"]
            assert len(frames) == sum(area.size // PAGE - 1 for area in pages)

    def teardown(self) -> None:
        if hasattr(self, "space"):
            module.LAZY_BYTES = self.usual


TestSpaceAgainstCells = SpaceAgainstCells.TestCase


# In a kernel


def test_frames_may_be_highmem_and_need_not_be_contiguous():
    """The poster's 32-bit machine: vmalloc's frames come from HighMem, kmalloc's cannot."""
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-1g"))
    va = kernel.vmalloc(64 * vm.KiB)
    frames = [kernel.vmalloc_to_pfn(va + page * PAGE) for page in range(16)]

    assert kernel.layout.classify(va).area.name == "vmalloc"
    assert {kernel.zones.of(pfn).name for pfn in frames} == {"HighMem"}
    assert len(set(frames)) == 16
    with pytest.raises(vm.VmlabError, match="page by page"):
        kernel.virt_to_phys(va)


def test_frames_in_bulk_are_those_that_single_requests_get():
    """Both alike until the zone's low mark: pages come from the same CPU's list."""
    one, other = (vm.boot(vm.load_machine("arm-virt-armmp-1g")) for _ in range(2))
    va = one.vmalloc(300 * PAGE)
    single = [other.alloc_pages(0, module.highmem_too("GFP_KERNEL")).pfn for _ in range(300)]

    assert single == [one.vmalloc_to_pfn(va + page * PAGE) for page in range(300)]
    assert one.buddy.nr_free(one.zones["HighMem"]) == other.buddy.nr_free(other.zones["HighMem"])


def test_vmalloc_may_ask_for_dma_memory():
    kernel = vm.boot(vm.load_machine("i386-pc-686-1g"))
    va = kernel.vmalloc(PAGE, "GFP_KERNEL | GFP_DMA")

    assert kernel.zones.of(kernel.vmalloc_to_pfn(va)).name == "DMA"


@pytest.mark.parametrize("name", ["arm-virt-armmp-1g", "i386-pc-686-1g", "amd64-pc-4g", "arm64-virt-1g"])
@given(sizes=st.lists(st.integers(1, 300_000), max_size=12))
@settings(max_examples=8)
def test_vmalloc_conserves_every_frame(name, sizes):
    kernel = fresh(name)
    before = [row.free_pages for row in procfs.parse_buddyinfo(procfs.print_buddyinfo(kernel))]
    for va in [kernel.vmalloc(size) for size in sizes]:
        kernel.vfree(va)

    kernel.page_allocator.drain()
    assert [row.free_pages for row in procfs.parse_buddyinfo(procfs.print_buddyinfo(kernel))] == before
    assert kernel.vmap_areas.areas == {}


def test_arm64s_image_is_not_given_out():
    """Without KASLR it lies inside vmalloc space; the record's first areas stand in front of it."""
    kernel = vm.boot(vm.load_machine("arm64-virt-1g"))
    image = kernel.machine.image.text_va
    first, second = kernel.vmalloc(16 * vm.KiB), kernel.vmalloc(16 * vm.MiB)

    assert first == 0xFFFF_8000_0800_0000 < image < second
