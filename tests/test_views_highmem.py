"""Views and explorers of lesson 08: what is drawn is what the model holds, and all of it can be read."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from test_views_slab import readable, texts

from vmlab.explore import highmem as explore
from vmlab.explore import own_highmem
from vmlab.explore.actions import Actions
from vmlab.procfs import sample
from vmlab.units import VmlabError
from vmlab.views import kmap_slots, kmap_window, residents
from vmlab.virtual.kmap_local import RULES, KmapLocal
from vmlab.virtual.pkmap import Pkmap

TOY, BOARD, PC, _ = explore.MACHINES.values()


def test_every_slot_of_a_small_pool_shows_its_count_and_the_table_its_frames() -> None:
    drawing = explore.draw_window(TOY, "aabn").drawing
    readable(drawing)
    words = texts(drawing)
    digits = [word for word in words if word in "01234567"]  # a slot's number, then its count
    assert [*"01234567"] == digits[::2]
    assert [*"02210000"] == digits[1::2]
    assert {"0x70000", "0x70001", "0x70002", "A", "-"} <= set(words)
    assert ("1 to 2", 2, "A", "0x70000, 0x70001") in drawing.table.rows
    assert ("3", 1, "nobody", "0x70002") in drawing.table.rows


@pytest.mark.parametrize("machine", explore.MACHINES.values(), ids=str)
def test_every_action_on_every_machine_draws_or_says_why_not(machine: tuple[str, int]) -> None:
    drawn, refused = 0, set()
    for two in itertools.product(explore.WINDOW_ACTIONS, repeat=2):
        try:
            scene = explore.draw_window(machine, "ab" + "".join(two))
        except VmlabError as said:
            refused.add(str(said))
        else:
            drawn += 1
            readable(scene.drawing)
    assert drawn > 50
    assert all(len(said) > 30 for said in refused)


def test_a_worst_case_of_a_thousand_slots_stays_small() -> None:
    pool = Pkmap(0xFEC0_0000, 1024)
    for pfn in range(1, 1024):
        pool.kmap(pfn)
        if pfn % 2:
            pool.kunmap(pfn)
    drawing = kmap_window(pool, "every other slot")
    readable(drawing)
    assert 41 == len(drawing.table.rows)
    assert "984 more runs" == drawing.table.rows[-1][0]  # 1,023 of one slot each, and slot 0


def test_who_waits_and_what_leaked_is_said() -> None:
    waiting = explore.draw_window(TOY, "abf")
    assert "tasks asleep: 1" in waiting.drawing.alt
    assert any("C (frame 0x70008)" in words for words in texts(waiting.drawing))
    assert "C woke and got slot" in explore.draw_window(TOY, "abfo").says[0]
    leaked = explore.draw_window(TOY, "abx")
    assert "Lost for good: 1" in leaked.drawing.alt
    assert "slots lost until the next boot: 1" in leaked.says[0]
    assert "a deadlock" in explore.draw_window(TOY, "abfab").drawing.alt


def test_the_first_pointer_is_followed_from_good_to_stale_to_somebody_else_s() -> None:
    kept = [explore.draw_window(TOY, done).says[1] for done in ("a", "ao", "ao" + "b" * 7, "ao" + "b" * 8)]
    assert ["it may be used" in said for said in kept] == [True, False, False, False]
    for words, said in zip(("for 1 user", "nobody holds it", "was flushed", "moved on"), kept, strict=True):
        assert words in said


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_history_of_the_local_slots_draws_or_is_refused_in_the_kernel_s_words(rule) -> None:
    drawn, refused = 0, set()
    for letters in itertools.product(explore.LOCAL_ACTIONS, repeat=4):
        try:
            scene = explore.draw_local(rule, "m" + "".join(letters))
        except VmlabError as said:
            refused.add(type(said).__name__)
        else:
            drawn += 1
            readable(scene.drawing)
    assert drawn > 20
    assert {"2.6.36": {"KernelBug", "VmlabError"}, "2.6.37": {"KernelBug", "NotTheLast", "VmlabError"}}.get(
        rule.since, {"NotTheLast", "VmlabError"}
    ) == refused


def test_a_task_that_does_not_run_keeps_its_windows_in_words() -> None:
    scene = explore.draw_local(RULES["5.11"], "mmcm")
    assert any("P: 0x70000, 0x70001" in words for words in texts(scene.drawing))
    assert ("P", "saved", "-", "0x70000, 0x70001") in scene.drawing.table.rows
    assert "0xffef_e000" in scene.says[0]  # Q's first window is where P's was


def test_slots_of_two_cpus_are_two_rows() -> None:
    local = KmapLocal(0xFFEF_F000, 1, 2)
    local.map(0x71234, 1)
    drawing = kmap_slots(local, "two CPUs")
    readable(drawing)
    assert "1234" in texts(drawing)
    assert [("CPU 1", 0, "0xffee_e000", "0x71234")] == list(drawing.table.rows)


def test_the_table_of_residents_says_may_or_never() -> None:
    table = residents()
    assert {"may", "never"} == {row[1] for row in table.rows}
    assert "never" == {row[0]: row[1] for row in table.rows}["task_struct"]


@pytest.mark.parametrize(("draw", "first"), [(explore.draw_window, TOY), (explore.draw_local, RULES["5.11"])])
def test_letters_that_mean_nothing_and_endless_histories_are_refused(draw, first) -> None:
    with pytest.raises(VmlabError, match="expected only the letters"):
        draw(first, "?")
    with pytest.raises(VmlabError, match="start again"):
        draw(first, "mu" * 41 if draw is explore.draw_local else "ao" * 41)
    readable(draw(first, "").drawing)


@pytest.mark.parametrize("explorer", [explore.window_explorer, explore.local_explorer])
def test_without_widgets_figure_and_table_are_there(explorer) -> None:
    html = explorer().static_html()
    assert "<svg" in html
    assert "<table>" in html


def test_what_was_undone_can_be_done_again_until_something_else_is_done() -> None:
    pytest.importorskip("ipywidgets")
    box = Actions("done", "Done", {"a": "Map", "u": "Unmap"}, "au").make()
    row, text = box.children
    undo, again, redo = row.children[2:]
    undo.click()
    undo.click()
    redo.click()
    assert "a" == text.value
    redo.click()
    redo.click()
    assert "au" == text.value
    undo.click()
    row.children[0].click()
    redo.click()
    assert "aa" == text.value
    again.click()
    redo.click()
    assert "a" == text.value


def test_ones_own_machine_or_a_sample_and_a_sentence_says_which(tmp_path: Path) -> None:
    missing = own_highmem(tmp_path)
    assert "only a sample, the recorded ARM board, because" in missing.says[0]
    assert ("of it HighMem", "-", "256 MiB") in missing.table.rows
    (tmp_path / "zoneinfo").write_text(sample("zoneinfo").read_text())
    (tmp_path / "meminfo").write_text("MemTotal:  1000 kB\n")
    wide = own_highmem(tmp_path)
    assert "your own machine" in wide.says[0]
    assert "no line HighTotal" in wide.says[1]
    (tmp_path / "meminfo").write_text("MemTotal:  1000 kB\nHighTotal:  400 kB\nLowTotal: 600 kB\n")
    small = own_highmem(tmp_path)
    assert "40% of this machine's memory is HighMem" in small.says[1]
    assert ("of it HighMem", "400 KiB", "256 MiB") in small.table.rows
    (tmp_path / "meminfo").write_text("nonsense\n")
    assert "expected a line MemTotal" in own_highmem(tmp_path).says[0]
