"""The walk as stairs and the address as bits: every recorded case can be drawn, and words agree with the walk."""

from __future__ import annotations

import functools
import itertools
import re
import xml.etree.ElementTree as ET

import pytest

import vmlab as vm
from vmlab import views
from vmlab.arch.formats import page_format
from vmlab.explore import Choice, translation, translation_explorer
from vmlab.study import own_page
from vmlab.study.own_page import PROGRAM
from vmlab.units import VmlabError, group_hex
from vmlab.views.address_bits import fields
from vmlab.views.labels import ADVANCE
from vmlab.views.walk import meaning

PC = "i386-pc-686-1g"
load_machine = functools.cache(vm.load_machine)
WITH_PROCESSES = [name for name in vm.machines() if "p0" in load_machine(name).recorded.roots]
SVG = "{http://www.w3.org/2000/svg}"


def pair(va: int, name: str = PC, left: str = "p0", right: str = "p1") -> views.Drawing:
    machine = load_machine(name)
    return views.stairs(views.lane(machine, left, va), views.lane(machine, right, va))


def cases(name: str) -> list[dict]:
    rows = load_machine(name).recorded.data["translation"]["cases"]
    return [row for row in rows if row["proc"] == "p0"]


@pytest.mark.parametrize("name", WITH_PROCESSES)
def test_every_recorded_case_is_drawn_inside_the_picture_with_what_the_record_says(name: str) -> None:
    for case in cases(name):
        drawing = pair(case["va"], name)
        root = ET.fromstring(drawing.svg)
        width, height = float(root.get("width")), float(root.get("height"))
        for box in root.iter(f"{SVG}rect"):
            if box.get("x"):
                assert float(box.get("x")) + float(box.get("width")) <= width
                assert float(box.get("y")) + float(box.get("height")) <= height
        assert len(drawing.svg) < 10_000
        for _, _, index, entry in case["trail"]:
            assert f"entry {index} at" in drawing.svg
            assert group_hex(entry) in drawing.svg
        found = f"p0 finds it at physical {group_hex(case['pa'])}" if case["pa"] is not None else "p0 does not have it"
        assert found in drawing.alt


@pytest.mark.parametrize("name", WITH_PROCESSES)
def test_words_stay_in_their_boxes(name: str) -> None:
    for case in cases(name):
        words = [
            text for text in ET.fromstring(pair(case["va"], name).svg).iter(f"{SVG}text") if text.get("text-anchor")
        ]
        for text in words:
            if text.get("text-anchor") == "start" and float(text.get("y")) > 100 and float(text.get("x")) < 440:
                assert float(text.get("x")) + len(text.text) * ADVANCE * 0.95 < 470, text.text


def test_the_base_register_is_what_the_record_says_it_held() -> None:
    for name in WITH_PROCESSES:
        root = load_machine(name).recorded.roots["p0"]
        lane = views.lane(load_machine(name), "p0", 0x400000)
        assert lane.value == (root.base_value if not root.is_isolated else None)
        assert lane.root_pa == root.root_pa


def test_with_isolation_the_register_named_the_second_table() -> None:
    machine = load_machine("amd64-pc-2g-pti")
    kernel, user = (views.lane(machine, "p0", 0xFFFF_FFFF_8100_0000, user_root=user) for user in (False, True))
    assert user.value == machine.recorded.roots["p0"].registers["cr3"] == user.root_pa
    assert kernel.value is None
    assert kernel.walk.pa == 0x100_0000
    assert user.walk.pa is None
    assert views.lane(machine, "p0", 0x400000).walk.pa == views.lane(machine, "p0", 0x400000, user_root=True).walk.pa


def test_between_two_walks_it_says_where_they_part_and_meet() -> None:
    assert (0, 4) == (pair(0xF11001).svg.count("= same"), pair(0xF11001).svg.count("≠ other"))
    shared = pair(0x1200000).svg
    assert (2, 2) == (shared.count("≠ other"), shared.count("= same"))
    kernel = pair(0xC1000000).svg
    assert (1, 2) == (kernel.count("≠ other"), kernel.count("= same"))


def test_the_sentence_says_whether_it_is_one_frame_or_two() -> None:
    assert (
        "Virtual 0xf1_1001: p0 finds it at physical 0x3fe4_a001, p1 finds it at physical 0x3fe5_e001: "
        "two different frames." == pair(0xF11001).alt
    )
    assert pair(0x1200000).alt.endswith("the same frame.")
    assert "p0 does not have it (not present at pgd)" in pair(0x2000000).alt


def test_the_table_has_every_step_of_both() -> None:
    rows = pair(0xF11001).table.rows
    assert ["base register", "pgd", "pte", "end"] * 2 == [row[1] for row in rows]
    assert "accessed, dirty" in rows[2][-1]
    arm = pair(0xF11001, "arm-virt-armmp-1g").table.rows
    assert "Linux's own entry" in [row[1] for row in arm]


def test_an_address_that_the_cpu_refuses_has_no_stairs() -> None:
    drawing = pair(0x8000_0000_0000_0000, "amd64-pc-1g")
    assert "non-canonical" in drawing.alt
    assert "the CPU refuses" in drawing.svg


def test_a_picture_is_of_one_or_two_walks_of_one_address() -> None:
    machine = load_machine(PC)
    assert "p2" in views.stairs(views.lane(machine, "p2", 0x400000)).alt
    with pytest.raises(VmlabError, match="one or two walks of one address"):
        views.stairs(views.lane(machine, "p0", 0), views.lane(machine, "p1", 4096))
    with pytest.raises(VmlabError, match="one or two"):
        views.stairs()
    with pytest.raises(VmlabError, match="take a recorded machine"):
        views.lane(vm.Machine(arch="i386", ram=[vm.Region(0, vm.GiB)]), "p0", 0)


def test_an_entry_says_what_it_means() -> None:
    walk = load_machine(PC).recorded.address_space("p0").walk(0xF11001)
    assert ["next table at 0x3f87_f000", "frame 0x3fe4a, 4 KiB: write, user"] == [
        meaning(walk, step) for step in walk.steps
    ]


def test_the_bits_of_the_questions_address() -> None:
    drawing = views.address_bits(page_format("x86-32"), 0xF11001)
    assert "0xf1_1001 in 32-bit x86, two levels: pgd 3, pte 785, offset 0x1." == drawing.alt
    assert ("pte", "21..12", "1100010001", "785") == drawing.table.rows[1]
    with pytest.raises(VmlabError, match="address"):
        views.address_bits(page_format("x86-32"), 1 << 64)


@pytest.mark.parametrize("name", ["x86-32", "x86-pae", "x86-64-4", "x86-64-5", "arm-short", "arm-lpae", "sv39"])
def test_the_parts_of_an_address_join_to_the_address(name: str) -> None:
    fmt = page_format(name)
    va = 0x1234_5678 & (1 << fmt.va_bits) - 1
    rows = fields(fmt, va)
    assert va == sum(value << low for _, _, low, value in rows)
    assert all(above[2] == below[1] + 1 for above, below in itertools.pairwise(rows))
    for _, high, low, value in rows:
        assert value < 1 << (high - low + 1)


def test_no_text_is_smaller_than_nine_points_and_nothing_is_said_by_colour_alone() -> None:
    drawing = pair(0xF11001)
    assert min(map(int, re.findall(r'font-size[=:]"?(\d+)', drawing.static_html()))) >= 12
    colours = set(re.findall(r'(?:fill|stroke)="(#[0-9a-f]{3,6})"', drawing.svg))
    assert all(len({colour[i : i + 2] for i in (1, 3, 5)}) == 1 for colour in colours if len(colour) == 7), colours
    assert 'stroke-width="3"' in drawing.svg, "an entry that maps memory has a thick edge"
    assert "stroke-dasharray" in pair(0x2000000).svg, "one where the walk breaks off a dashed one"


# --- the explorer, and the learner's own machine ---


def test_every_choice_of_the_explorer_draws_or_says_why_not() -> None:
    machines, _, left, _ = translation.CONTROLS
    assert isinstance(machines, Choice)
    assert isinstance(left, Choice)
    wide, refused = "0xffffffff81000000", {}
    for name in machines.options.values():
        for who in left.options.values():
            for va in ("0xf11001", "0", "0xc1000000", wide):
                try:
                    scene = translation.draw(name, va, who, ("p1", False))
                except VmlabError as reason:
                    refused[name, va, who] = str(reason)
                else:
                    assert scene.drawing.alt in scene.text
    for (name, va, _), reason in refused.items():
        too_long = va == wide and name.startswith(("i386-", "arm-"))
        assert ("32 bits" if too_long else "second table for user mode") in reason
    assert "amd64-pc-2g-pti" not in {name for name, *_ in refused}


def test_the_explorer_says_where_two_walks_part() -> None:
    def says(va: str, right: str = "p1") -> str:
        return "\n".join(translation.draw(PC, va, ("p0", False), (right, False)).says)

    assert "first entries that differ are those of pgd" in says("0xf11001")
    assert "this page is shared" in says("0x1200000")
    assert "MAP_SHARED" in says("0x1200123")
    assert "from there it is one walk" in says("0xc1000000")
    assert "Both start from one table" in says("0xf11001", "p0")


def test_text_that_is_no_address_is_refused_in_words() -> None:
    for text in ("", "0x", "page one"):
        with pytest.raises(VmlabError, match="Type an address"):
            translation.draw(PC, text, ("p0", False), ("p1", False))
    for text in ("-1", hex(1 << 64)):
        with pytest.raises(VmlabError, match="address"):
            translation.draw(PC, text, ("p0", False), ("p1", False))


def test_without_widgets_the_explorer_prints_figure_and_table() -> None:
    explorer = translation_explorer()
    assert "<svg" in explorer.static_html()
    assert "two different frames" in explorer.static_text()


def test_the_own_page_says_which_machine_is_shown() -> None:
    shown = own_page()
    assert shown.source.startswith("Shown: ")
    assert "machine" in shown.source or "sample" in shown.source
    assert "<table>" in shown.static_html()


def test_where_pagemap_cannot_be_read_a_recorded_pc_is_shown_and_named() -> None:
    for broken in ("raise SystemExit(1)", "print('nonsense')", "", PROGRAM.replace("/proc/self/pagemap", "/nowhere")):
        shown = own_page(broken)
        assert shown.source.startswith("Shown: a sample, the recorded PC amd64-pc-1g, because /proc/self/pagemap")
        assert ["init", "p0", "p1"] == [row[1] for row in shown.rows]
        frames = [row[-1] for row in shown.rows]
        assert frames[0] == frames[1] != frames[2]


def test_hidden_frame_numbers_are_said_to_be_hidden() -> None:
    program = """
import json
rows = [["before fork", "parent", "P"], ["after fork", "child", "P"]]
rows += [["child has written", "child", "C"], ["child has written", "parent", "P"]]
for when, who, byte in rows:
    print(json.dumps([when, who, 0x7f0000000000, byte, 1 << 63]))
"""
    shown = own_page(program)
    assert ["hidden"] * 4 == [row[-1] for row in shown.rows]
    assert "CAP_SYS_ADMIN" in shown.says
