"""Views and explorers of lesson 09: what is drawn is what the layout says, and all of it can be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import readable

import vmlab as vm
from vmlab.explore import address, own_layout
from vmlab.explore.own_layout import kernel_symbols, moved_by
from vmlab.units import group_hex
from vmlab.views import address_ruler, side_by_side
from vmlab.views.address_ruler import LogScale
from vmlab.virtual.layout import layout_of
from vmlab.virtual.side_by_side import KERNELS, known_layout

NAMES = st.sampled_from(sorted(KERNELS))


@given(NAMES, st.data())
@settings(max_examples=60)
def test_any_address_of_any_kernel_is_drawn_and_its_sentence_names_its_area(name: str, data: st.DataObject) -> None:
    layout = known_layout(name)
    edge = data.draw(st.sampled_from([area.start for area in layout.whole] + [layout.top - 1]))
    va = data.draw(st.sampled_from([edge, data.draw(st.integers(0, layout.top - 1))]))
    drawing = address_ruler(layout, va, name)
    found = layout.classify(va)

    readable(drawing)
    assert f"{group_hex(va)} lies in {found.area.name}" in drawing.alt
    assert {area.name for area in layout.whole} <= {row[0] for row in drawing.table.rows}


@given(NAMES, st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=2))
def test_on_the_ruler_a_higher_address_is_never_further_left(name: str, pair: list[int]) -> None:
    scale = LogScale(known_layout(name))
    low, high = sorted(va % scale.layout.top for va in pair)

    assert scale.left <= scale.x(low) <= scale.x(high) <= scale.right


def test_on_the_ruler_of_the_kernels_half_each_power_of_two_takes_the_same_room() -> None:
    scale = LogScale(known_layout("x86-64, 4 levels, nokaslr"))
    at = [scale.x((1 << 64) - (1 << bits)) for bits in (16, 20, 24, 32)]

    assert at[0] - at[1] == pytest.approx(at[1] - at[2]) == pytest.approx((at[2] - at[3]) / 2)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("example", [kind for kind in address.EXAMPLES.values() if kind])
def test_every_example_of_every_kernel_is_drawn_in_its_area_or_refused_with_the_areas_it_has(
    name: str, example: str
) -> None:
    layout = known_layout(name)
    has = {area.name for area in layout.areas} | {"behind", "user", "kernel image"}
    if example not in (has | {"page"} if layout.space.rules.vmemmap else has):
        with pytest.raises(vm.VmlabError, match="choose another"):
            address.draw_address(name, example, 0, "")
        return
    scene = address.draw_address(name, example, 0, "")
    readable(scene.drawing)
    found = layout.classify(address.example_address(layout, example))
    special = {"behind": found.area.hole, "page": found.area.name == "vmemmap"}
    assert special.get(example, found.area.name in (example, "direct map"))


def test_another_boot_moves_the_kernel_with_kaslr_and_no_other() -> None:
    bases = {address.layout_for(address.ROLLED, roll).page_offset for roll in range(31)}

    assert len(bases) == 31
    assert address.layout_for(address.START, 5) is address.layout_for(address.START, 5)
    assert address.layout_for(address.START, 5).page_offset == 0xFFFF_8880_0000_0000
    assert "only" in "\n".join(address.draw_address(address.START, "", 5, "0xffff888000001000").says)


@pytest.mark.parametrize(
    ("text", "va"),
    [
        ("0xffff_8880_1234_5678", 0xFFFF_8880_1234_5678),
        ("ffff888012345678", 0xFFFF_8880_1234_5678),
        ("c0123456", 0xC012_3456),
        ("4096", 4096),
    ],
)
def test_addresses_are_read_as_people_and_kernels_write_them(text: str, va: int) -> None:
    assert address.typed_address(text) == va


@pytest.mark.parametrize("text", ["", "zzz", "0x"])
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(vm.VmlabError, match="expected one such as"):
        address.draw_address(address.START, "", 0, text)


def test_every_kernel_has_its_line_and_its_answer_side_by_side() -> None:
    scene = address.draw_kernels("ffff888012345678")
    readable(scene.drawing)
    rows = {row[0]: row[1:] for row in scene.drawing.table.rows}

    assert list(rows) == list(KERNELS)
    assert rows["x86-64, 4 levels, nokaslr"][:3] == ("direct map", "yes", "0x1234_5678")
    assert "32 bits" in rows["ARM"][-1]
    assert "logical under 1 of 19" in scene.drawing.alt
    assert "fffff" in side_by_side((1 << 64) - 1, {"x": known_layout("RISC-V, Sv39")}).alt.replace("_", "")


def test_a_hole_in_the_direct_map_is_white_between_the_banks_and_its_sentence_says_so() -> None:
    machine = vm.load_machine("amd64-pc-4g")
    drawing = address_ruler(layout_of(machine), 0xFFFF_8880_D000_0000, "x")

    assert "has a hole there: 0xd000_0000 is not RAM" in drawing.alt
    assert ("__pa", "0xd000_0000") == next(row[:2] for row in drawing.table.rows if row[0] == "__pa")


class TestOwnMachine:
    def test_where_nothing_can_be_read_the_reason_and_a_recorded_pc_are_shown(self, tmp_path: Path) -> None:
        shown = own_layout(tmp_path)

        assert shown.says[0].startswith("Shown: a sample, the recorded PC amd64-pc-2g-kaslr")
        assert "KASLR moved the image by 155 × 2 MiB" in shown.static_text()
        assert "cannot be read" in shown.static_text()

    def test_a_file_of_zeros_is_told_apart_from_an_address(self, tmp_path: Path) -> None:
        (tmp_path / "kallsyms").write_text("0000000000000000 T _text\n")
        with pytest.raises(vm.VmlabError, match="zeros for addresses"):
            kernel_symbols(tmp_path / "kallsyms")

    def test_what_root_reads_is_put_together(self, tmp_path: Path) -> None:
        (tmp_path / "kallsyms").write_text(
            "ffffffff94600000 T _text\nffffffffc0201000 t init [virtio]\nffffffff95a13d60 D page_offset_base\n"
        )
        (tmp_path / "iomem").write_text("00100000-7fffffff : System RAM\n  61400000-62200000 : Kernel code\n")
        (tmp_path / "vmallocinfo").write_text("0xffffcd45c0000000-0xffffcd45c0005000   20480 irq_init+0x1/0x2 vmap\n")
        rows = {row[0]: row[2:] for row in own_layout(tmp_path).table.rows}

        assert rows["_text, the kernel's first byte"][1] == "KASLR moved the image by 155 × 2 MiB"
        assert rows["its physical address"] == ("0x6140_0000", "va − pa of the image is 0xffff_ffff_3320_0000")
        assert rows["the lowest vmalloc area"][0] == "0xffff_cd45_c000_0000"
        assert rows["a module"][1].startswith("above the image")

    def test_hashed_addresses_are_not_taken_for_addresses(self, tmp_path: Path) -> None:
        (tmp_path / "vmallocinfo").write_text("0x000000003054715c-0x00000000b124d927   20480 irq_init+0x1/0x2 vmap\n")

        assert "hash values" in own_layout(tmp_path).static_text()

    def test_an_image_where_it_was_linked_to_was_not_moved(self) -> None:
        assert moved_by(0xFFFF_FFFF_8100_0000) == "where it was linked to: no KASLR"
        assert moved_by(0xFFFF_8000_0801_0000) == "an address of the kernel's half"
