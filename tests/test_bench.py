"""`vmlab bench`: equal answers first, a ratio afterwards; never how fast it is."""

from __future__ import annotations

import itertools
import json
import math
import shutil
import sys
from pathlib import Path

import pytest

import vmlab as vm
from vmlab import bench
from vmlab.bench import measure, plot, report
from vmlab.bench.measure import TOLD, Case, Missing, Result
from vmlab.cli import main

NEEDS_GCC = pytest.mark.skipif(shutil.which("gcc") is None, reason="vmlab bench needs gcc")


def result(name: str = "walk", ratio: float = 0.5, goal: float = 1.0, reason: str = "") -> Result:
    if reason:
        return measure.not_measured("suite", name, reason)
    return Result("suite", name, "C", ratio * 1e-8, 1e-8, "s", ratio, goal)


def told(*figures: float):
    """A side that returns one figure after the other."""
    left = itertools.cycle(figures)
    return lambda: next(left)


# --- one comparison ---


def test_sides_that_disagree_are_not_timed():
    case = Case("sums", 1, lambda: 1, lambda: 2, 1.0)
    with pytest.raises(vm.VmlabError, match="sums: ours and C give different answers"):
        bench.compare(case, 3)


def test_each_side_runs_once_a_round_and_goes_first_in_turn(monkeypatch):
    order = []
    monkeypatch.setattr(measure, "CLOCKS", {measure.THREAD: itertools.count(1).__next__})
    bench.compare(Case("turns", 1, lambda: order.append("ours"), lambda: order.append("C"), 1.0), 4)

    assert ["ours", "C"] + ["C", "ours", "ours", "C"] * 2 == order


def test_the_ratio_is_the_median_of_the_rounds_ratios_not_the_ratio_of_the_medians():
    """Rounds 1/10, 6/2, 2/1: ratios 0.1, 3, 2, whose median is 2; the medians are 2 and 2, whose ratio is 1."""
    found = bench.compare(Case("told", 1, told(9, 1, 6, 2), told(9, 10, 2, 1), 1.5, clock=TOLD), 3)

    assert 2 == found.ratio
    assert (2, 2) == (found.ours, found.reference)
    assert found.is_missed


def test_a_figure_is_that_of_one_operation_and_a_goal_met_exactly_is_met():
    found = bench.compare(Case("told", 4, told(8), told(16), 0.5, clock=TOLD), 3)

    assert (2, 4) == (found.ours, found.reference)
    assert found.is_good


def test_a_reference_that_takes_long_runs_fewer_rounds():
    runs = []
    bench.compare(Case("slow", 1, told(1), lambda: runs.append(1) or 1.0, 1, clock=TOLD, most_rounds=2), 9)
    assert 1 + 2 == len(runs)


def test_a_reference_too_short_for_its_clock_is_an_error():
    with pytest.raises(vm.VmlabError, match="give it more work"):
        bench.compare(Case("nothing", 1, told(1), told(0), 1, clock=TOLD), 3)


# --- a whole run ---


class Suite:
    """Stands for a file of benchmarks/."""

    def __init__(self, *cases: Case | Missing | BaseException) -> None:
        self.rows = cases

    def cases(self, shrink: int):
        for row in self.rows:
            if isinstance(row, BaseException):
                raise row
            yield row


GOOD, BAD = (Case(name, 1, told(ratio), told(1), 1, clock=TOLD) for name, ratio in (("good", 0.5), ("bad", 2)))
LACKS = Missing("peer", "needs unicorn: pip install 'vmlab[bench]'")


def run(monkeypatch, *arguments: object, **suites: Suite) -> int:
    monkeypatch.setattr(bench, "load", suites.__getitem__)
    monkeypatch.setattr(sys.modules["vmlab.bench.suites"], "suites", lambda: list(suites))
    return main(["bench", *map(str, arguments)])


def test_without_a_name_every_suite_runs_and_what_is_lacking_is_a_row(monkeypatch, capsys):
    assert 0 == run(monkeypatch, one=Suite(GOOD, LACKS), two=Suite(GOOD))
    said = capsys.readouterr().out

    assert "pip install 'vmlab[bench]'" in said
    assert "2 of 2 goals met; 1 rows could not be measured." in said


def test_named_suites_run_in_the_order_given_each_once(monkeypatch, capsys):
    assert 0 == run(monkeypatch, "two", "one", "two", one=Suite(GOOD), two=Suite(GOOD), three=Suite(BAD))
    assert ["two", "one"] == [line for line in capsys.readouterr().out.splitlines() if line in ("one", "two", "three")]


def test_a_missed_goal_is_marked_and_is_the_exit_code(monkeypatch, capsys):
    assert 1 == run(monkeypatch, one=Suite(GOOD, BAD))
    assert ["bad"] == [row.split()[0] for row in capsys.readouterr().out.splitlines() if "MISSED" in row]


@pytest.mark.parametrize("what", [vm.VmlabError("no gcc"), OSError("no such file"), AssertionError("it stopped")])
def test_a_suite_that_fails_is_a_row_and_the_others_go_on(monkeypatch, capsys, what):
    assert 1 == run(monkeypatch, one=Suite(GOOD, what), two=Suite(GOOD))
    said = capsys.readouterr().out

    assert str(what) in said
    assert "2 of 2 goals met; 1 rows could not be measured." in said


def test_ctrl_c_keeps_what_was_measured(monkeypatch, tmp_path, capsys):
    out = tmp_path / "now.json"

    assert 130 == run(monkeypatch, "--json", out, one=Suite(GOOD, KeyboardInterrupt()), two=Suite(GOOD))
    assert ["good"] == [row.name for row in report.read(out)]
    assert "Stopped" in capsys.readouterr().err


def test_what_cannot_be_written_is_said_before_anything_is_measured(monkeypatch, tmp_path, capsys):
    never = Suite(AssertionError("measured"))
    assert 2 == run(monkeypatch, "--json", tmp_path / "no" / "such.json", one=never)
    assert 2 == run(monkeypatch, "--plot", tmp_path / "plot.gif", one=never)
    assert 2 == run(monkeypatch, "--rounds", 2, one=never)
    said = capsys.readouterr().err

    assert "a folder that exists" in said
    assert ".svg or .png, got 'plot.gif'" in said
    assert "at least 3, got 2" in said


def test_without_a_compiler_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)

    assert 2 == main(["bench", "slab"])
    assert "apt install gcc" in capsys.readouterr().err


def test_an_unknown_suite_lists_those_there_are(capsys):
    assert 2 == main(["bench", "translat"])
    said = capsys.readouterr().err
    assert all(name in said for name in bench.suites())


# --- files ---


def test_results_come_back_from_their_file(tmp_path):
    path = tmp_path / "run.json"
    rows = [result(), result("peer", reason="needs unicorn")]
    report.save(path, 9, 1, rows)
    back = report.read(path)

    assert rows[0] == back[0]
    assert ("needs unicorn", True) == (back[1].reason, math.isnan(back[1].ratio))
    assert [path] == list(tmp_path.iterdir())
    assert [True, None] == [row["good"] for row in json.loads(path.read_text())["results"]]


def broken(change) -> str:
    row = dict(result()._asdict())
    change(row)
    return json.dumps({"format": "vmlab bench", "version": 1, "results": [row]})


FOREIGN = {
    "": "it is no JSON",
    "[1, 2]": '"format": "vmlab bench"',
    '{"format": "vmlab grade"}': '"format": "vmlab bench"',
    '{"format": "vmlab bench", "version": 2}': "got version 2: measure again",
    '{"format": "vmlab bench", "version": 1, "results": 3}': "results are no list",
    '{"format": "vmlab bench", "version": 1, "results": [3]}': "result 0 is no object",
    broken(lambda row: row.pop("ratio")): "ratio should be a number above 0",
    broken(lambda row: row.update(ratio=None)): "ratio should be a number above 0",
    broken(lambda row: row.update(goal=-1)): "goal should be a number above 0, got -1",
    broken(lambda row: row.update(ours=True)): "ours should be a number above 0",
    broken(lambda row: row.update(name=7)): "name should be text, got 7",
    broken(lambda row: row.update(unit="parsec")): "unit should be one of s, B, got 'parsec'",
}


@pytest.mark.parametrize(("text", "says"), FOREIGN.items())
def test_a_broken_or_foreign_file_is_refused_and_named(tmp_path, text, says):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(vm.VmlabError) as refused:
        report.read(path)

    assert says in str(refused.value)
    assert "other.json: expected a file that `vmlab bench --json FILE` wrote" in str(refused.value)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(vm.VmlabError, match="it is no JSON"):
        report.read(tmp_path / "x")


def test_against_an_earlier_run_what_got_worse_is_named(monkeypatch, tmp_path, capsys):
    path = tmp_path / "then.json"
    then = [Result("one", name, "C", 1, 1, "s", ratio, 1) for name, ratio in (("good", 0.2), ("bad", 1.9))]
    report.save(path, 9, 1, then)
    run(monkeypatch, "--against", path, one=Suite(GOOD, BAD, LACKS))
    said = capsys.readouterr().out

    assert "Worse than then: good. 1 rows have nothing to compare with." in said


def test_rows_of_one_name_against_two_references_are_two_rows():
    rows = [result(ratio=0.5), result(ratio=0.01)._replace(against="numpy")]
    assert [(0.5, 0.5), (0.01, 0.01)] == [(each.then, each.now) for each in report.changes(rows, rows)]


def test_noise_is_no_change_but_a_goal_that_is_no_longer_met_is():
    def worse(then: float, now: float, goal: float) -> bool:
        (change,) = report.changes([result(ratio=then, goal=goal)], [result(ratio=now, goal=goal)])
        return change.is_worse

    assert not worse(0.50, 0.55, goal=1)
    assert worse(0.50, 0.60, goal=1)
    assert worse(1.04, 1.06, goal=1.05)
    assert not worse(1.20, 1.06, goal=1.05)


def test_figures_have_three_digits_that_count():
    shown = [report.number(ratio) for ratio in (12.3456, 0.944, 0.05123, 1 / 800, 1 / 30_000)]
    assert ["12.35", "0.94", "0.0512", "0.00125", "0.0000333"] == shown
    assert ["8.1 ns", "149 ms", "4.5 s"] == [report.amount(value, "s") for value in (8.1e-9, 0.149, 4.5)]
    assert "16.0 MiB" == report.amount(16 << 20, "B")


# --- the picture ---


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_picture_says_what_it_shows(tmp_path, kind):
    path = tmp_path / f"plot.{kind}"
    plot.plot(path, [result(), result("slow <walk>", ratio=2), result("peer", reason="needs unicorn")])

    assert [path] == list(tmp_path.iterdir())
    if kind == "svg":
        text = path.read_text()
        assert 'role="img" aria-labelledby="t d"' in text
        assert "1 of 2 goals met; 1 rows could not be measured. Missed: slow &lt;walk&gt; (2.00, goal 1.00)." in text
    else:
        from PIL import Image

        assert "Missed: slow <walk> (2.00, goal 1.00)." in Image.open(path).text["Description"]


def test_a_picture_of_nothing_is_refused(tmp_path):
    with pytest.raises(vm.VmlabError, match="nothing was measured"):
        plot.plot(tmp_path / "plot.svg", [result("peer", reason="needs unicorn")])
    assert [] == list(tmp_path.iterdir())


# --- the suites ---

ELSEWHERE = {"latency", "python_policies"}  # below: they are slow however small they are
NOT_EVERYWHERE = {"start"}  # processes: their first kernel is compiled where nothing is warm


def test_every_suite_says_what_it_compares():
    for path in sorted((Path(__file__).parent.parent / "benchmarks").glob("*.py")):
        assert path.stem in bench.suites()
        assert (bench.load(path.stem).__doc__ or "").count("\n") or path.stem == "classify"


@NEEDS_GCC
@pytest.mark.parametrize("suite", sorted(set(bench.suites()) - ELSEWHERE - NOT_EVERYWHERE))
def test_every_row_of_a_suite_agrees_with_its_reference(suite):
    """That both sides give the same answers is checked before they are timed; a peer that is missing says so."""
    rows = [bench.row(suite, case, 1) for case in bench.load(suite).cases(256)]

    assert rows
    assert len(rows) == len({(row.name, row.against) for row in rows})
    for row in rows:
        assert not row.reason or "pip install" in row.reason or "PAGEMAP_SCAN" in row.reason, row.reason
        assert row.reason or row.ratio > 0


def test_the_slow_policies_of_python_agree_with_ours():
    rows = [bench.row("python_policies", case, 1) for case in bench.load("python_policies").cases(20)]
    assert ["", "", ""] == [row.reason for row in rows]


def test_an_explorer_answers_through_a_real_kernel():
    rows = [bench.row("latency", case, 1) for case in bench.load("latency").cases(1000)]

    assert 2 * 3 == len(rows)
    assert {""} == {row.reason for row in rows}
