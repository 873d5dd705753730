"""View and explorer of lesson 10: what is drawn is what the model holds, and all of it can be read."""

from __future__ import annotations

import mmap

import pytest
from test_views_slab import readable, texts

from vmlab.explore import own_swap, swap
from vmlab.process.story import SCRIPT, play
from vmlab.units import VmlabError
from vmlab.views.swap import swap_story


@pytest.mark.parametrize("fmt", swap.FORMATS.values())
@pytest.mark.parametrize("frames", [1, 2])
def test_every_scene_shows_every_entry_slot_and_owner(fmt: str, frames: int) -> None:
    for scene in play((*SCRIPT, "P0>P3", "P3", "P0"), fmt, frames):
        drawing = swap_story(scene, "x")
        readable(drawing)
        shown = texts(drawing)
        assert {f"{entry:#x}" for entry in scene.entries.values()} <= set(shown)
        for slot, names in scene.holders.items():
            assert ", ".join(names) in shown
            assert any(row[0] == f"slot {slot}" and names[0] in row[2] for row in drawing.table.rows)
        assert scene.what in shown


def test_the_explorer_tells_the_path_and_what_had_to_go() -> None:
    scene = swap.draw_story("x86-32", 1, "abcb")
    assert "major fault" in scene.drawing.alt
    assert "do_swap_page: pte_to_swp_entry: slot 2 of area 0" in scene.text
    assert "To make room: P2 0x40_0000: frame 0x5a → slot 3 of area 0" in scene.text
    assert "Faults so far: minor 3, major 1. Entries that became swap entries: 3." in scene.text
    readable(swap.draw_story("arm64-4k-48", 4, "").drawing)


@pytest.mark.parametrize(
    ("done", "words"), [("d", "does not exist yet"), ("afdf", "can be forked once"), ("axb", "only the letters")]
)
def test_what_cannot_be_played_is_said(done: str, words: str) -> None:
    with pytest.raises(VmlabError, match=words):
        swap.draw_story("x86-32", 1, done)


def test_a_refused_step_is_passed_over_once_another_is_played() -> None:
    assert swap.draw_story("x86-32", 1, "adb").drawing.svg == swap.draw_story("x86-32", 1, "ab").drawing.svg


def test_letters_taken_back_give_the_scene_before() -> None:
    whole = [swap.draw_story("x86-32", 1, "abcb"[:number]) for number in range(5)]
    assert whole[3].drawing.svg == swap.draw_story("x86-32", 1, "abc").drawing.svg
    assert whole[3].drawing.svg != whole[4].drawing.svg


def test_the_own_machine_says_what_was_seen_and_what_was_not(tmp_path) -> None:
    seen = own_swap()
    assert any("fresh pages" in row[0] for row in seen.rows)
    assert "Only this process's memory" in seen.static_text()
    (tmp_path / "swaps").write_text("Filename Type Size Used Priority\n/dev/zram0 partition 596 44 10\n")
    rows = own_swap(tmp_path).rows
    assert ("swap area /dev/zram0", "44 of 596 KiB used", "priority 10: highest first") in rows
    sample = [row for row in rows if row[0].startswith("sample: ")]
    assert ("sample: then p0 forked p3", "slot 100 of area 0, count 2", "fork copied the entry, and counted") in sample
    assert "the recorded PC amd64-pc-4g" in own_swap(tmp_path).static_text(), "and the first words say so"
    if hasattr(mmap.mmap, "madvise"):
        assert "pagemap cannot be read" in {row[1] for row in rows}
    assert "is Linux's" in own_swap(tmp_path / "nothing").rows[0][2]
