"""`vmlab bench`: equal answers first, a ratio afterwards; never how fast it is."""

from __future__ import annotations

import json
import shutil

import pytest

import vmlab as vm
from vmlab import bench
from vmlab.cli import main

NEEDS_GCC = pytest.mark.skipif(shutil.which("gcc") is None, reason="vmlab bench needs gcc")


def test_sides_that_disagree_are_not_timed():
    case = bench.Case("sums", 1, lambda: 1, lambda: 2, 1.0)
    with pytest.raises(vm.VmlabError, match="sums: ours and C give different answers"):
        bench.compare(case, 3)


def test_each_side_runs_once_a_round_and_goes_first_in_turn():
    order = []
    case = bench.Case("turns", 1, lambda: order.append("ours"), lambda: order.append("C"), 1.0)
    try:
        bench.compare(case, 4)
    except ZeroDivisionError:
        pytest.skip("the clock is too coarse for work this small")

    assert ["ours", "C"] * 1 + ["C", "ours", "ours", "C"] * 2 == order


def test_without_a_compiler_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)

    assert 2 == main(["bench", "translate"])
    assert "apt install gcc" in capsys.readouterr().err


def test_an_unknown_suite_lists_those_there_are(capsys):
    assert 2 == main(["bench", "translat"])
    assert "expected one of" in capsys.readouterr().err


ONE_WORKLOAD = [  # suite, part of its name, how many workloads have it
    ("translate", "1 MiB", 6),
    ("buddy", "per-CPU lists, hot pair", 2),
    ("slab", "one object, again and again", 1),
    ("vmalloc", "one kernel stack", 1),
    ("classify", "x86-32", 2),
]


@NEEDS_GCC
@pytest.mark.parametrize(("suite", "only", "count"), ONE_WORKLOAD)
def test_our_kernels_agree_with_c_and_are_reported(suite, only, count, tmp_path, capsys):
    """That both sides give the same answers is checked before they are timed."""
    out = tmp_path / "results.json"
    main(["bench", suite, "--rounds", "3", "--only", only, "--out", str(out)])
    told, results = capsys.readouterr().out, json.loads(out.read_text())["results"]

    assert count == len(results)
    assert all(result["name"] in told for result in results)
    assert all(result["ratio"] > 0 for result in results)
