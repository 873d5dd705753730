"""Views and explorers of lesson 11: what is drawn is what the policy holds, and all of it can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pictures import readable

import vmlab as vm
from vmlab.explore import replacement
from vmlab.explore.own_reclaim import _generations, own_reclaim
from vmlab.process.policies import POLICIES
from vmlab.process.replay import replay
from vmlab.process.sweep import curve
from vmlab.views.replacement import queues

STRING = [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", POLICIES)
def test_every_step_of_every_policy_can_be_drawn_and_shows_its_queues(name: str) -> None:
    story = replay(name, 4, STRING)
    for step in range(len(STRING) + 1):
        drawing, moment = queues(story, step), story.at(step)
        readable(drawing)
        drawn = [(where, page) for where, _, page, _ in drawing.table.rows if where != "-"]
        assert sorted(drawn) == sorted((where, page) for where, pages in moment.queues.items() for page in pages)
        missed = sum(not each.is_hit for each in story.references[:step])
        assert (f"{missed} misses." if missed != 1 else "1 miss.") in drawing.alt


def test_what_is_kept_of_a_page_is_said_in_the_policy_s_words() -> None:
    said = {name: queues(replay(name, 3, STRING), 6).table.static_text() for name in POLICIES}
    assert "R = 1" in said["clock"]
    assert "visited" in said["sieve"]
    assert "ghost: not in memory" in said["2q"]
    assert "accessed" in said["linux"]
    assert "generation" in said["mglru"]
    assert "LIR" in said["lirs"]


def test_the_step_explorer_says_who_goes_and_how_far_opt_is() -> None:
    scene = replacement.draw_steps("fifo", 3, replacement.BELADY, 7)
    assert "Page 5: miss, page 4 goes (it came 3 references ago)" in scene.text
    assert "9 misses; OPT has 7" in scene.text
    assert "Press Next step" in replacement.draw_steps("lru", 3, "1 2", 0).text
    assert replacement.draw_steps("lru", 3, "1,2; 3", 60).text == replacement.draw_steps("lru", 3, "1 2 3", 3).text


@pytest.mark.parametrize("text", ["", "1 x", "-1 2", "1 " * 61, "1234567", "1.5"])
def test_a_string_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(vm.VmlabError, match="references: expected"):
        replacement.draw_steps("lru", 3, text, 1)


@pytest.mark.parametrize("program", ["sort", "python"])
def test_the_size_explorer_counts_what_the_model_counts(program: str) -> None:
    scene = replacement.draw_sizes(program, 100, "fifo", "linux")
    readable(scene.drawing)
    trace = vm.load_trace(program).only(1, 2)
    row = next(row for row in scene.drawing.table.rows if row[0] == "100")
    assert [f"{curve(name, trace).at(100):,}" for name in ("lru", "opt")] == list(row[1:3])
    assert all(int(row[2].replace(",", "")) <= int(row[1].replace(",", "")) for row in scene.drawing.table.rows)


def test_a_memory_larger_than_the_program_is_drawn_as_all_of_it() -> None:
    scene = replacement.draw_sizes("sort", 900, "clock", "clock")
    readable(scene.drawing)
    assert re.search(r"with (\d+) of \1 frames", scene.drawing.alt)


# --- the learner's machine ---


def test_own_counters_are_read_and_the_source_is_said(tmp_path: Path) -> None:
    (tmp_path / "proc/sys/vm").mkdir(parents=True)
    (tmp_path / "sys/kernel/mm/lru_gen").mkdir(parents=True)
    (tmp_path / "proc/vmstat").write_text("pgscan_kswapd 100\npgsteal_kswapd 80\npgscan_direct 0\npswpin 256\n")
    (tmp_path / "proc/sys/vm/swappiness").write_text("60\n")
    (tmp_path / "sys/kernel/mm/lru_gen/enabled").write_text("0x0007\n")
    rows = {row[0]: row[1] for row in own_reclaim(tmp_path).rows}
    assert rows["shown"].startswith("your own machine")
    assert ("100 pages (400 KiB)", "80%", "60", "0x0007: on") == tuple(
        rows[name] for name in ("pgscan_kswapd", "freed of scanned", "swappiness", "lru_gen")
    )
    assert "256 pages (1 MiB)" == rows["pswpin"]
    assert "not counted by this kernel" == rows["pgactivate"]


def test_without_proc_the_saved_sample_is_shown_and_says_so(tmp_path: Path) -> None:
    rows = {row[0]: row[1] for row in own_reclaim(tmp_path).rows}
    assert "a saved sample, xeon-guest" in rows["shown"]
    assert "not there" == rows["swappiness"]
    assert "pages (" in rows["workingset_refault_file"]


def test_a_damaged_vmstat_is_told_and_the_sample_shown(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/vmstat").write_text("pgscan_kswapd many\n")
    assert "cannot be read" in own_reclaim(tmp_path).rows[0][1]


def test_lru_gen_that_is_built_in_and_off_is_told() -> None:
    assert "0x0000: built in, off" == _generations("0x0000")
