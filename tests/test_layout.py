"""The layout: every address has one answer, the answers are those of real kernels, and their tests' too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from naive_layout import naive_classify

import vmlab as vm
from vmlab import arch
from vmlab.arch.space import Area, Space
from vmlab.arch.x86 import kaslr
from vmlab.judge.layout import kernel_addresses, recorded_bases, with_recorded_bases
from vmlab.units import GiB, MiB, TiB, group_hex
from vmlab.virtual.layout import Layout, drawn, layout_of
from vmlab.virtual.layout_batch import NO_PA, classify_all
from vmlab.virtual.layout_truth import ELSEWHERE, IN_HOLE, NOT_MAPPED, differences, there_and_back
from vmlab.virtual.pointer_tests import verdicts
from vmlab.virtual.side_by_side import KERNELS, WORDS, known_layout, rerolled, side_by_side
from vmlab.virtual.worked import worked

WORD = st.integers(0, 2**64 - 1)
PAGES = st.integers(16 * MiB >> 12, 3 * GiB >> 12)


def on(name: str) -> vm.Kernel:
    return vm.boot(vm.load_machine(name))


# Every machine that the model can describe


@st.composite
def machines(draw):
    """A machine of any architecture with one or two banks of RAM, and what shapes its layout."""
    kind = draw(st.sampled_from(["i386", "i386-pae", "amd64", "amd64-5", "arm", "arm-lpae", "arm64"]))
    name, sizes = kind.split("-")[0], [draw(PAGES) << 12, draw(PAGES) << 12]
    start = draw(st.sampled_from([0x4000_0000, 0x8000_0000])) if name.startswith("arm") else MiB
    top = 2**32 if name in ("i386", "arm") else 2**40
    first = vm.Region(start, min(sizes[0], top - start))
    hole = draw(st.integers(1, 1 << 12)) << 20
    banks = [first]
    if first.end + hole + sizes[1] <= top:
        banks.append(vm.Region(first.end + hole, sizes[1]))
    formats = {"i386-pae": "x86-pae", "amd64-5": "x86-64-5", "arm-lpae": "arm-lpae"}
    config = vm.Config(format=formats.get(kind))
    if kind == "i386":
        config = replace(config, page_offset=draw(st.sampled_from([0xC000_0000, 0xB000_0000, 0x8000_0000])))
    elif name == "arm":
        config = replace(config, page_offset=draw(st.sampled_from([0xC000_0000, 0x8000_0000])))
    if name in ("i386", "arm"):
        config = replace(config, highmem=draw(st.booleans()))
    words = ["", f"vmalloc={draw(st.integers(16, 512))}M"] if name in ("i386", "arm") else [""]
    return vm.Machine(name, tuple(banks), config, cmdline=draw(st.sampled_from(words)))


@st.composite
def layouts(draw):
    """A layout: of a machine, of one that KASLR moved, or of a kernel the model cannot boot."""
    which = draw(st.sampled_from(["machine", "machine", "kaslr", "known"]))
    if which == "known":
        return known_layout(draw(st.sampled_from(sorted(KERNELS))))
    machine = draw(machines())
    assume(which == "machine" or arch.get(machine.arch).random_bases)
    bases = drawn(machine, [draw(WORD) for _ in range(4)]) if which == "kaslr" else None
    return layout_of(machine, bases)


@st.composite
def addresses(draw, layout):
    """An address at random, or beside a border."""
    edge = draw(st.sampled_from([stretch.start for stretch in layout.stretches] + [layout.top]))
    near = min(max(edge + draw(st.integers(-2, 2)), 0), layout.top - 1)
    return draw(st.sampled_from([near, draw(st.integers(0, layout.top - 1))]))


class TestEveryAddressHasExactlyOneAnswer:
    @given(layouts())
    @settings(max_examples=150)
    def test_areas_and_gaps_follow_one_another_without_overlap_from_the_first_address_to_the_last(self, layout):
        ends = [0, *(area.end for area in layout.whole)]

        assert [area.start for area in layout.whole] == ends[:-1]
        assert ends[-1] == layout.top == 1 << layout.space.bits
        assert all(area.name for area in layout.whole)
        assert [area for area in layout.areas if area not in layout.whole and area.start < area.end] == []

    @given(st.data())
    @settings(max_examples=150)
    def test_the_answer_is_that_of_a_search_through_every_area_and_every_bank(self, data):
        layout = data.draw(layouts())
        va = data.draw(addresses(layout))
        direct = layout.area("direct map")
        ram = [tuple((edge - direct.offset) % 2**64 for edge in span) for span in direct.mapped]
        name, logical, pa = naive_classify(layout.space, ram, va)
        found = layout.classify(va)

        assert (found.logical, found.pa) == (logical, pa)
        assert found.area.name == name if name else found.area.hole
        assert found.area.start <= va < found.area.end
        assert found.reason

    @given(layouts(), st.lists(WORD, max_size=50))
    @settings(max_examples=100)
    def test_the_batch_gives_each_address_the_answer_it_has_alone(self, layout, more):
        edges = {stretch.start + step for stretch in layout.stretches for step in (-1, 0, 1)}
        vas = [va % layout.top for va in (*edges, *more, layout.top - 1)]
        found = classify_all(layout, np.array(vas, np.uint64))
        alone = [layout.classify(va) for va in vas]

        assert [layout.whole[number] for number in found.areas.tolist()] == [each.area for each in alone]
        assert found.logical.tolist() == [each.logical for each in alone]
        assert found.pas.tolist() == [NO_PA if each.pa is None else each.pa for each in alone]

    @given(st.data())
    @settings(max_examples=100)
    def test_virtual_to_physical_and_back_is_the_same_address_in_the_direct_map_and_its_alias_elsewhere(self, data):
        layout = data.draw(layouts())
        va = data.draw(addresses(layout))
        found = layout.classify(va)
        if found.pa is None:
            with pytest.raises(vm.VmlabError, match="no physical address"):
                layout.alias(va)
        elif found.logical:
            assert layout.alias(va) == layout.phys_to_virt(found.pa) == va
        else:
            alias = layout.alias(va)
            assert layout.classify(alias).logical
            assert layout.classify(alias).pa == found.pa

    @pytest.mark.parametrize("va", [-1, 1 << 32, 0.5, True, "0xc0000000"])
    def test_what_is_no_address_is_refused(self, va):
        with pytest.raises(vm.VmlabError, match="expected 0 <= address"):
            known_layout("ARM").classify(va)

    @pytest.mark.parametrize("vas", [[-1], [0.5], [1 << 32]])
    def test_a_batch_with_what_is_no_address_is_refused(self, vas):
        with pytest.raises(vm.VmlabError, match="addresses: expected"):
            classify_all(known_layout("ARM"), np.array(vas))

    def test_areas_that_overlap_are_refused(self):
        space = known_layout("ARM").space
        with pytest.raises(vm.VmlabError, match="areas overlap"):
            Layout(replace(space, areas=(*space.areas, Area("another", 0xC000_0000, 0xC000_1000, ""))), {})


class TestWorkedExamples:
    """Each from records of real kernels or from the kernel's documents."""

    @pytest.mark.parametrize(
        ("name", "va", "area", "pa"),
        [
            ("x86-64, 4 levels, nokaslr", 0xFFFF_8880_1234_5678, "direct map", 0x1234_5678),
            ("x86-64, 4 levels, nokaslr", 0xFFFF_FFFF_8100_0000, "kernel image", 0x100_0000),
            ("x86-64, 4 levels, nokaslr", 0xFFFF_EA00_0048_D140, "vmemmap", None),
            ("x86-64, 4 levels, nokaslr", 0xFFFF_C900_0000_0000, "vmalloc", None),
            ("x86-64, 4 levels, nokaslr", 0x0000_8000_0000_0000, "non-canonical", None),
            ("x86-64, 4 levels, nokaslr", 0xFFFF_8800_0000_0000, "LDT remap", None),
            ("x86-64, 4 levels, before 4.20", 0xFFFF_8800_1234_5678, "direct map", 0x1234_5678),
            ("x86-64, 5 levels, nokaslr", 0xFF11_0000_1234_5678, "direct map", 0x1234_5678),
            ("x86-32, 3G/1G", 0xC010_4ABC, "direct map", 0x10_4ABC),
            ("x86-32, 2G", 0xC010_4ABC, "direct map", 0x4010_4ABC),
            ("ARM", 0xC010_4ABC, "direct map", 0x4010_4ABC),
            ("ARM", 0xF082_4000, "vmalloc", None),
            ("ARM", 0xBFE0_0000, "pkmap", None),
            ("ARM", 0xBF00_0000, "modules", None),
            ("ARM, vmalloc=512M", 0xDF00_0000, "hole above the direct map", None),
            ("arm64, 48 bits, 6.1", 0xFFFF_0000_1234_5678, "direct map", 0x5234_5678),
            ("arm64, 48 bits, 6.1", 0xFFFF_FC00_0000_0000, "vmemmap", None),
            ("arm64, 48 bits, 4.9", 0xFFFF_8000_1234_5678, "direct map", 0x5234_5678),
            ("arm64, 48 bits, 6.9", 0xFFFF_FDFF_C000_0000, "vmemmap", None),
            ("arm64, 39 bits, 6.1", 0xFFFF_FF80_1234_5678, "direct map", 0x5234_5678),
            ("RISC-V, Sv39", 0xFFFF_FFD8_1234_5678, "direct map", 0x9234_5678),
            ("RISC-V, Sv48", 0xFFFF_AF80_1234_5678, "direct map", 0x9234_5678),
            ("RISC-V, Sv48", 0xFFFF_FFFF_8000_1000, "kernel image", 0x8020_1000),
        ],
    )
    def test_an_address_of_a_known_kernel(self, name, va, area, pa):
        found = known_layout(name).classify(va)

        assert (found.area.name, found.pa) == (area, pa)
        assert found.logical == (area == "direct map")

    def test_the_areas_of_x86_64_are_those_of_its_document(self):
        """Documentation/x86/x86_64/mm.rst (6.1): start and last byte; the direct map here ends with RAM."""
        there = {
            "guard hole": (0xFFFF_8000_0000_0000, 0xFFFF_87FF_FFFF_FFFF),
            "LDT remap": (0xFFFF_8800_0000_0000, 0xFFFF_887F_FFFF_FFFF),
            "vmalloc": (0xFFFF_C900_0000_0000, 0xFFFF_E8FF_FFFF_FFFF),
            "vmemmap": (0xFFFF_EA00_0000_0000, 0xFFFF_EAFF_FFFF_FFFF),
            "KASAN shadow": (0xFFFF_EC00_0000_0000, 0xFFFF_FBFF_FFFF_FFFF),
            "cpu entry area": (0xFFFF_FE00_0000_0000, 0xFFFF_FE7F_FFFF_FFFF),
            "espfix": (0xFFFF_FF00_0000_0000, 0xFFFF_FF7F_FFFF_FFFF),
            "EFI": (0xFFFF_FFEF_0000_0000, 0xFFFF_FFFE_FFFF_FFFF),
            "vsyscall": (0xFFFF_FFFF_FF60_0000, 0xFFFF_FFFF_FF60_0FFF),
        }
        layout = known_layout("x86-64, 4 levels, nokaslr")

        assert {name: (layout.area(name).start, layout.area(name).end - 1) for name in there} == there

    @pytest.mark.parametrize(
        "name", ["arm-virt-armmp-1g", "i386-pc-686-1g", "amd64-pc-1g", "arm64-virt-1g", "arm-virt-custom-nohigh-512m"]
    )
    def test_a_pointer_of_each_kind_lies_in_its_area_and_no_area_is_left_behind(self, name):
        kernel = vm.boot(vm.load_machine(name if name in vm.machines() else f"tests/records/{name}.json.gz"))
        kinds = worked(kernel)

        found = {each.name: kernel.layout.classify(each.va).area.name for each in kinds}
        assert {each.name: found[each.name].removesuffix(" below the image") for each in kinds} == {
            each.name: each.area for each in kinds
        }
        wanted = {"kmalloc", "vmalloc", "struct page", "per-CPU", "late per-CPU", "module", "stack", "fixmap", "user"}
        assert wanted <= {each.name for each in kinds}
        assert kernel.vmap_areas.areas == {}

    def test_the_same_address_is_something_else_under_each_kernel(self):
        found = side_by_side(0xC012_3456)

        assert len(found) == len(KERNELS)
        assert found["x86-32, 3G/1G"].pa == 0x12_3456
        assert found["x86-32, 2G"].pa == 0x4012_3456
        assert found["ARM"].pa == 0x4012_3456
        assert found["x86-64, 4 levels, nokaslr"].area.name == "user"
        assert set(side_by_side(1 << 40)) == {name for name in KERNELS if "32" not in name and "ARM" not in name}


class TestWhatTheKernelsTestsSay:
    def test_x86_64_counts_the_image_as_valid_and_arm64_does_not(self):
        """arch/x86/mm/physaddr.c:__virt_addr_valid; arch/arm64/include/asm/memory.h:__is_lm_address."""
        pc = verdicts(known_layout("x86-64, 4 levels, nokaslr"), 0xFFFF_FFFF_8100_0000)
        board = known_layout("arm64, 48 bits, 6.1")
        text = verdicts(board, board.area("kernel image").start)

        assert (pc.pa, pc.virt_addr_valid, pc.wrong) == (0x100_0000, True, {})
        assert (text.pa, text.virt_addr_valid, text.is_vmalloc_addr) == (0x4021_0000, False, True)
        assert set(text.wrong) == {"virt_addr_valid", "is_vmalloc_addr", "virt_to_page"}

    def test_virt_to_page_of_a_logical_address_is_its_struct_page(self):
        """vmemmap_base + pfn * 64: frame 0x12345 of a kernel with nokaslr."""
        found = verdicts(known_layout("x86-64, 4 levels, nokaslr"), 0xFFFF_8880_1234_5678)

        assert found.page == 0xFFFF_EA00_0048_D140
        assert not verdicts(known_layout("x86-64, 4 levels, nokaslr"), found.page).virt_addr_valid

    def test_the_struct_page_array_is_logical_on_a_flat_32_bit_kernel_and_virtual_on_64_bit(self):
        for name, logical in (("arm-virt-armmp-1g", True), ("amd64-pc-1g", False)):
            kernel = on(name)
            page = kernel.mem_map.pfn_to_page(kernel.virt_to_phys(kernel.layout.page_offset + 0x20_0000) >> 12)

            assert kernel.layout.classify(page).logical == logical
            assert verdicts(kernel.layout, page).virt_addr_valid == logical
            assert verdicts(kernel.layout, kernel.layout.page_offset + 0x20_0000).page == page

    def test_on_x86_32_with_a_gigabyte_a_kmap_window_passes_virt_addr_valid(self):
        """__virt_addr_valid excludes vmalloc and the fixmap, not pkmap: 0xfec0_0000 - 3 GiB is frame 0x3ec00."""
        found = verdicts(on("i386-pc-686-1g").layout, 0xFEC0_0000)

        assert (found.pa, found.virt_addr_valid) == (0x3EC0_0000, True)
        assert set(found.wrong) == {"__pa", "virt_addr_valid", "virt_to_page"}

    def test_a_hole_in_the_direct_map_can_be_valid_by_its_section_and_is_reached_by_no_table(self):
        """pfn_valid counts whole sections of 128 MiB: amd64-pc-1g ends at 0x3ffd_d000."""
        kernel = on("amd64-pc-1g")
        va = kernel.bounds.high_memory
        found = verdicts(kernel.layout, va)

        assert kernel.layout.classify(va).area.hole
        assert (found.pfn_valid, found.virt_addr_valid) == (True, True)
        assert kernel.machine.recorded.kernel_space().walk(va).fault

    def test_is_vmalloc_or_module_addr_counts_modules_where_they_have_an_area_of_their_own(self):
        arm = known_layout("ARM")
        module = verdicts(arm, arm.area("modules").start)

        assert (module.is_vmalloc_addr, module.is_vmalloc_or_module_addr) == (False, True)

    @given(st.data())
    @settings(max_examples=150)
    def test_where_a_rule_gives_the_frame_and_virt_addr_valid_agrees_pa_is_that_frame(self, data):
        layout = data.draw(layouts())
        va = data.draw(addresses(layout))
        found, said = layout.classify(va), verdicts(layout, va)
        if found.pa is not None:
            assert said.pa == found.pa
            assert "__pa" not in said.wrong
        else:
            assert "__pa" in said.wrong
        assert said.virt_addr_valid or "virt_to_page" in said.wrong
        assert said.is_vmalloc_addr <= said.is_vmalloc_or_module_addr

    def test_virt_to_phys_refuses_with_the_reason_and_takes_the_image(self):
        kernel = on("amd64-pc-1g")

        assert kernel.virt_to_phys(0xFFFF_FFFF_8100_0000) == 0x100_0000
        with pytest.raises(vm.VmlabError, match="mapped page by page"):
            kernel.virt_to_phys(0xFFFF_C900_0000_0000)
        with pytest.raises(vm.VmlabError, match="kmap, ioremap"):
            kernel.phys_to_virt(64 * TiB)


class TestKaslr:
    @given(st.lists(WORD, min_size=4, max_size=4), st.booleans(), st.sampled_from(["x86-64-4", "x86-64-5"]))
    @settings(max_examples=100)
    def test_any_words_give_three_areas_in_order_at_whole_gigabytes_below_the_cpu_entry_area(self, words, device, fmt):
        """arch/x86/mm/kaslr.c:kernel_randomize_memory (6.1)."""
        machine = vm.Machine("amd64", (vm.Region(MiB, 4 * GiB),), vm.Config(format=fmt, zone_device=device))
        bases, layout = drawn(machine, words), layout_of(machine, drawn(machine, words))
        sizes = kaslr.region_bytes(machine, (4 * GiB + MiB) >> 12)
        at = [bases[name] for name in kaslr.REGIONS]

        assert [base % GiB for base in at] == [0, 0, 0]
        assert at[0] >= layout_of(machine).page_offset
        ends = [*at[1:], 0xFFFF_FE00_0000_0000]
        assert all(base + size < end for base, size, end in zip(at, sizes, ends, strict=True))
        assert layout.page_offset == bases["page_offset"]
        assert 0xFFFF_FFFF_8100_0000 <= bases["image_va"] < layout.area("modules").start

    def test_words_of_zero_move_nothing_but_close_the_gaps(self):
        """The regions follow each other with one gigabyte between: 64 TiB, 32 TiB and 1 TiB with ZONE_DEVICE."""
        bases = drawn(vm.Machine("amd64", (vm.Region(MiB, GiB),)), [0, 0, 0])

        assert bases["page_offset"] == 0xFFFF_8880_0000_0000
        assert bases["vmalloc_base"] == 0xFFFF_8880_0000_0000 + 64 * TiB + GiB
        assert bases["vmemmap_base"] == 0xFFFF_8880_0000_0000 + 96 * TiB + 2 * GiB

    @pytest.mark.parametrize("name", ["amd64-pc-2g-kaslr", "arm64-virt-2g-kaslr"])
    def test_with_its_recorded_bases_every_address_of_a_real_kernel_is_classified_and_without_them_not(self, name):
        kernel = vm.boot(vm.load_machine(name if name in vm.machines() else f"tests/records/{name}.json.gz"))
        machine = kernel.machine
        moved = with_recorded_bases(machine, kernel, machine.recorded)
        space = machine.recorded.kernel_space()

        assert recorded_bases(machine, machine.recorded)
        assert [
            row for row in kernel_addresses(machine, kernel, machine.recorded) if row.predicted != row.recorded
        ] == []
        assert list(differences(moved, space, ("direct map",))) == []
        assert {row.what for row in differences(kernel.layout, space, ("direct map",))} & {NOT_MAPPED, ELSEWHERE}

    @given(WORD)
    def test_on_arm64_one_seed_moves_the_image_by_2_mib_and_the_direct_map_by_1_gib(self, seed):
        machine = vm.Machine("arm64", (vm.Region(0x4000_0000, GiB),), cpu="cortex-a57")
        bases = drawn(machine, [seed])

        assert (0x4000_0000 - bases["memstart_addr"]) % 2**64 % GiB == 0
        assert (bases["image_va"] - 0xFFFF_8000_0801_0000) % (2 * MiB) == 0
        assert 1 << 45 <= bases["image_va"] - 0xFFFF_8000_0801_0000 < (1 << 46) + (1 << 45)
        assert layout_of(machine, bases).classify(layout_of(machine, bases).phys_to_virt(0x4000_0000)).logical

    @pytest.mark.parametrize("words", [[], [1, 2], [-1, 0, 0], [1 << 64, 0, 0]])
    def test_words_that_do_not_fit_are_refused(self, words):
        with pytest.raises(vm.VmlabError, match="words"):
            rerolled(words)

    def test_a_32_bit_kernel_moves_none_of_its_areas(self):
        with pytest.raises(vm.VmlabError, match="do not move these areas"):
            drawn(vm.Machine("arm", (vm.Region(0, GiB),)), WORDS)


class TestAgainstThePageTables:
    def test_page_table_isolation_takes_what_boot_freed_out_of_the_images_window(self):
        """amd64-pc-2g-pti: set_memory_np_noalias unmaps the freed parts; without PTI they stay mapped."""
        found = list(
            differences(on("amd64-pc-2g-pti").layout, vm.load_machine("amd64-pc-2g-pti").recorded.kernel_space())
        )
        image = vm.load_machine("amd64-pc-2g-pti").image

        unmapped = [(row.start - 0xFFFF_FFFF_8000_0000, row.end - 0xFFFF_FFFF_8000_0000) for row in found[:-1]]
        assert unmapped == sorted([*image.gaps, (image.init_start, image.init_end)])
        assert {row.what for row in found[:-1]} == {NOT_MAPPED}
        assert {row.area for row in found} == {"kernel image"}

    def test_any_mapped_address_goes_to_its_frame_and_back_to_the_direct_map(self):
        """amd64-pc-4g: the vmemmap's first byte and vmalloc's areas have no rule, but frames in the direct map."""
        kernel = on("amd64-pc-4g")
        space = kernel.machine.recorded.kernel_space()
        cases = {case["what"]: case for case in kernel.machine.recorded.data["kernel_cases"]}
        for what in ("mem_map first byte", "vmalloc first page", "kernel image: init_task"):
            route = there_and_back(kernel.layout, space, cases[what]["va"])
            assert route.pa == cases[what]["pa"] == kernel.virt_to_phys(route.alias)
            assert route.alias != route.va
            assert space.walk(route.alias).pa == route.pa
        guard = there_and_back(kernel.layout, space, cases["guard page after vmalloc"]["va"])
        assert (guard.pa, guard.alias) == (None, None)
        assert guard.tell().endswith("the tables map nothing: not present")

    def test_a_frame_in_highmem_has_no_way_back(self):
        """arm-virt-armmp-1g: vmalloc takes HighMem frames, which the direct map does not reach."""
        kernel = on("arm-virt-armmp-1g")
        space = kernel.machine.recorded.kernel_space()
        cases = [c for c in kernel.machine.recorded.data["kernel_cases"] if c["what"] == "vmalloc first page"]
        high = [c for c in cases if c["pa"] >= 0x7000_0000]
        assert high
        for case in high:
            route = there_and_back(kernel.layout, space, case["va"])
            assert (route.pa, route.alias) == (case["pa"], None)
            assert f"physical {group_hex(route.pa)} →" in route.tell()
            assert "map it first (kmap, ioremap)" in route.tell()

    def test_a_rule_that_leads_elsewhere_and_a_mapping_in_a_hole_are_found(self):
        machine = vm.load_machine("arm-virt-armmp-1g")
        layout, space = layout_of(machine), machine.recorded.kernel_space()
        assert list(differences(layout, space)) == []

        def with_areas(change):
            areas = tuple(changed for area in layout.areas for changed in [change(area)] if changed)
            return Layout(Space(32, areas, layout.space.rules, layout.space.others), {})

        shifted = with_areas(lambda a: replace(a, offset=a.offset + 4096) if a.name == "direct map" else a)
        assert {row.what for row in differences(shifted, space)} == {ELSEWHERE}
        assert sum(row.end - row.start for row in differences(shifted, space)) == 768 * MiB
        without = with_areas(lambda a: a if a.name != "vectors" else None)
        assert {(row.start, row.what) for row in differences(without, space)} == {(0xFFFF_0000, IN_HOLE)}
