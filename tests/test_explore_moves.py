"""Lesson 12's explorers and the look at one's own machine: pictures follow what was done, refusals are words."""

from __future__ import annotations

import json
import platform
import sys

import pytest

import vmlab as vm
from vmlab.explore.moves import STORY_ACTIONS, draw_page, draw_race
from vmlab.explore.own_moves import PROGRAM, own_moves

WRITTEN, SWAPPED = 0x8180_0000_0000_29E0, 0x4080_0000_0000_0820


def program(rows: list[list[object]]) -> str:
    return "".join(f"print({json.dumps(row)!r})\n" for row in rows)


@pytest.mark.parametrize(
    ("done", "last"),
    [
        ("", "Nothing was done yet"),
        ("w", "a zeroed frame of its own"),
        ("wfw", "a copy of its own"),
        ("wo", "freed"),
        ("wor", "read from swap"),
        ("wh", "1 pages moved and 511 holes filled"),
        ("whs", "512 entries told, no frame changed"),
        ("wk", "read-only"),
        ("wlo", "kept: mlocked"),
        ("wnm", "a device may be writing"),
        ("wpmp", "→ frame"),
        ("wu", "1 page given up"),
    ],
)
def test_each_action_says_what_the_kernel_did(done: str, last: str):
    scene = draw_page(done)
    assert last in scene.says[0]
    assert len([row for row in scene.drawing.table.rows if row[0] != "-"]) >= len(set(done) & set("wfm")) - 1


def test_every_button_can_be_pressed_after_a_write():
    for letter in STORY_ACTIONS:
        assert draw_page("w" + letter).drawing.svg


@pytest.mark.parametrize(
    ("done", "message"),
    [
        ("wx", "expected only the letters .* got x"),
        ("w" * 41, "at most 40 actions"),
        ("m", "read or write it first"),
        ("wur", "nothing is mapped at this address"),
        ("wun", "nothing is mapped at this address"),
    ],
)
def test_what_cannot_be_done_is_said(done: str, message: str):
    with pytest.raises(vm.VmlabError, match=message):
        draw_page(done)


def test_what_was_refused_is_passed_over_once_something_else_is_done():
    assert draw_page("wokr").drawing.alt == draw_page("wor").drawing.alt


def test_the_race_names_those_that_were_never_wrong():
    scene = draw_race(("migrate",), 4, 16, 1)
    assert "long-term pin, MMU notifier" in scene.says[0]
    rows = {row[0]: row[1] for row in scene.drawing.table.rows}
    assert rows["mlock"] == rows["never ask again"] > rows["ask before each use"] > 0


def test_one_s_own_page_is_watched_or_a_recorded_one_and_the_first_line_says_which():
    own = own_moves()
    if platform.system() != "Linux":
        assert own.says[0].startswith("Shown: a sample")
        return
    assert own.says[0].startswith("Shown: your own machine")
    rows = {row[0]: row for row in own.table.rows}
    forked, wrote = rows["forked"], rows["written while the child has it too"]
    assert "present" in wrote[2]
    assert "exclusive" not in forked[2]
    assert "exclusive" in wrote[2]
    if "hidden" not in own.says[1]:
        assert "yes" == wrote[3]
        assert "written while the child" in own.says[1]
    assert rows["mremap: at the old address"][2].startswith("nothing")


def test_hidden_frames_are_said_with_what_can_be_seen(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    hidden = 0x8100_0000_0000_0000
    own = own_moves(program=program([["written", 4096, hidden, "", []], ["forked", 4096, hidden, "EPERM", []]]))
    assert "CAP_SYS_ADMIN only" in own.says[1]
    assert "not kept by this kernel" in own.says[1]
    assert "“forked” did not work here: EPERM" in own.says[2]


def test_a_page_that_kept_its_frame_and_one_that_did_not(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    kept = own_moves(program=program([["written", 4096, WRITTEN, "", []], ["x", 4096, WRITTEN, "", ["pswpout"]]]))
    assert "kept its frame" in kept.says[1]
    out = own_moves(program=program([["written", 4096, WRITTEN, "", []], ["paged out", 4096, SWAPPED, "", []]]))
    assert "wrong after: paged out" in out.says[1]
    assert ["-", "yes"] == [row[3] for row in out.table.rows]


def test_elsewhere_a_recorded_process_is_shown_and_why(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    own = own_moves()
    assert "because this is Darwin" in own.says[0]
    assert 5 == len(own.table.rows)
    assert "swapped, area 0" in own.static_text()
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    assert "could not be read" in own_moves(program="raise SystemExit(1)").says[0]
    assert "could not be read" in own_moves(program="").says[0]
    monkeypatch.setattr(sys.modules["vmlab.explore.own_moves"], "SECONDS", 0.1)
    assert "took too long" in own_moves(program="import time; time.sleep(9)").says[0]


def test_the_program_needs_nothing_but_python():
    imported = {name for line in PROGRAM.splitlines() if line.startswith("import") for name in line[7:].split(", ")}
    assert imported <= sys.stdlib_module_names
