"""Views of lesson 02: where formats cut an address, what the bits of an entry say; and the lesson's own facts."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from pictures import readable

import vmlab as vm
from vmlab.arch.formats import format_names, page_format
from vmlab.explore import formats as explore
from vmlab.study.questions import formats as ask
from vmlab.study.this_translation import this_translation
from vmlab.units import GiB, KiB, VmlabError
from vmlab.views import entries, format_rows
from vmlab.virtual.page_table import PageTable

FORMATS = [page_format(name) for name in format_names()]


def test_rows_give_the_indices_that_each_format_cuts() -> None:
    rng = random.Random(2)
    for va in (0, 0xF11001, (1 << 64) - 1, *(rng.getrandbits(64) for _ in range(20))):
        drawing = format_rows(va, FORMATS)
        readable(format_rows(va, FORMATS[::2]))
        for fmt in FORMATS:
            mine = [row for row in drawing.table.rows if row[0] == fmt.name]
            assert [int(row[3], 0) for row in mine] == list(fmt.split(va))


def test_what_is_no_address_is_said_in_words() -> None:
    drawing = format_rows(1 << 47, [page_format("x86-64-4"), page_format("x86-64-5")])
    assert 1 == drawing.svg.count("not an address here")


@pytest.mark.parametrize("name", explore.RECORDED)
def test_every_recorded_case_can_be_drawn_with_its_entries(name: str) -> None:
    recorded = vm.load_machine(explore.RECORDED[name]).recorded
    assert recorded.address_space("p0").format.name == name
    for case in recorded.data["translation"]["cases"]:
        if case["proc"] == "p0":
            walk = recorded.address_space("p0").walk(case["va"])
            drawing = entries(walk)
            readable(drawing)
            for step in walk.steps:
                assert f"{step.entry or 0:#_x}" in drawing.alt


def test_flags_in_the_table_are_those_of_the_walk() -> None:
    table = PageTable("x86-64-4")
    walk = table.map(0x40_0000, 0x123000, write=False, nx=True)
    held = {row[3]: row[4] for row in entries(walk).table.rows if row[0].startswith("pte") and row[3]}
    named = {name: "yes" if on else "no" for name, on in walk.entry_flags.items()}
    assert {"present": "yes", **named} == held


def test_linuxs_own_entry_stands_below_the_hardwares_empty_one() -> None:
    drawing = entries(ask.old_walk())
    linux = [row for row in drawing.table.rows if row[0].startswith("Linux")]
    assert ("accessed", "no") in [(row[3], row[4]) for row in linux]
    assert "empty" in [row[4] for row in drawing.table.rows]


def test_a_page_that_prot_none_hid_keeps_its_frame_in_words() -> None:
    space = vm.load_machine("amd64-pc-1g").recorded.address_space("p0")
    assert "Linux still reads frame 0x29cc from it" in entries(space.walk(0x110_0000)).svg


def test_the_wrong_walk_of_pae_finds_another_frame_on_the_recorded_machine() -> None:
    space = ask.process(ask.PAE_MACHINE)
    right = space.walk(0xFFFF_B000)
    (_, _, first), (_, _, last) = ask.wrong_pae_walk(space, 0xFFFF_B000)
    assert first
    assert last
    assert last & 1, "the wrong walk finds a page"
    assert last >> 12 & 0xFFFFFF != right.pa >> 12
    assert "not present" in ask.tell_both(0x40_0000)


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)
def test_every_setting_of_the_explorer_draws_or_says_why_not(fmt: object) -> None:
    for tables in explore.TABLES.values():
        for access in explore.ACCESS.values():
            for address in ("0xf11001", "0xffff888000001000", str(1 << 47), "0"):
                if fmt.va_bits <= 32 < int(address, 0).bit_length():
                    with pytest.raises(VmlabError, match="an address has 32 bits"):
                        explore.draw(address, fmt.name, tables, access, "entries")
                elif tables in ("p0", "kernel") and fmt.name not in explore.RECORDED:
                    with pytest.raises(VmlabError, match="choose tables made by hand"):
                        explore.draw(address, fmt.name, tables, access, "entries")
                else:
                    readable(explore.draw(address, fmt.name, tables, access, "entries").drawing)
    readable(explore.draw("0xf11001", fmt.name, "small", ("", True), "rows").drawing)


def test_the_explorer_says_what_an_address_is_when_it_gets_none() -> None:
    for typed in ("", "here", "-1", "0x1_0000_0000_0000_0000"):
        with pytest.raises(VmlabError, match="address: expected"):
            explore.draw(typed, "x86-32", "small", ("", True), "entries")


def test_a_write_to_a_page_made_read_only_faults_with_the_architectures_code() -> None:
    said = explore.draw("0xf11001", "x86-32", "read only", ("write", True), "entries").text
    assert "#PF error code 0x7" in said
    assert "a write from user mode, is refused" in said
    assert "read from" not in said
    assert "is allowed" in explore.draw("0xf11001", "x86-32", "small", ("write", True), "entries").text


def test_this_machine_is_cut_by_the_format_that_its_flags_name(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    maps = "560000000000-560000001000 r--p 00000000 08:01 42    /usr/bin/python3\n"
    (tmp_path / "self" / "maps").write_text(maps + "7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0    [stack]\n")
    for flags, name in (("fpu la57", "x86-64-5"), ("fpu pae", "x86-64-4")):
        (tmp_path / "cpuinfo").write_text(f"flags\t\t: {flags}\naddress sizes\t: 46 bits physical, 57 bits virtual\n")
        found = this_translation(tmp_path, "x86_64", 4 * KiB)
        assert found.format.name == name
        assert "Shown: your own machine" in found.said()
        assert [("python3", 0x5600_0000_0000), ("[stack]", 0x7FFD_0000_0000)] == list(found.places)
    assert "arm64-16k-47" == this_translation(tmp_path, "aarch64", 16 * KiB).format.name
    assert "arm64-64k-48" == this_translation(tmp_path, "aarch64", 64 * KiB).format.name


@pytest.mark.parametrize("machine", ["x86_64", "sparc64"])
def test_what_cannot_be_read_or_is_not_known_shows_a_recorded_process_and_says_so(tmp_path: Path, machine: str) -> None:
    found = this_translation(tmp_path, machine, 4 * KiB)
    assert "Shown: a sample" in found.static_text()
    assert "[stack]" in found.static_html()
    assert max(va for _, va in found.places) > GiB
