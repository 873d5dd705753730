"""`check` and `vmlab check` with careless and hostile answers: each is told in words, and nothing else is lost."""

from __future__ import annotations

import json
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
from test_check import alone, exercise_file, right  # noqa: F401  (alone: no name, no memory)

from vmlab.cli import main
from vmlab.study import bank, check
from vmlab.study.patience import TooLong, unheard, within
from vmlab.study.run_cell import cell
from vmlab.study.told import Told

CHECKING = sys.modules["vmlab.study.check"]  # the module: the package has the function under that name
HEAD = "from vmlab.study import ask, check, hint, i_am"
WALK = "given = ask('05.walk')\nwalk = "


def usable(body: str) -> Any:
    """The learner's function of that name, with this body."""
    names: dict[str, Any] = {}
    exec("def usable(pfns, mem_map, reserved):\n" + textwrap.indent(body, "    "), names)
    return names["usable"]


def told(tmp_path: Path, capsys: pytest.CaptureFixture[str], *sources: str) -> str:
    """What `vmlab check` says of a notebook with these cells."""
    assert main(["check", str(exercise_file(tmp_path, *sources))]) in (0, 1)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3.5, "whole number, got 3.5; in Python //"),
        (float("nan"), "whole number, got nan"),
        ("nine", "expected a number such as"),
        ("9" * 6000, "expected a number such as"),
        ("0xZZ", "got '0xZZ'"),
        ([1], "expected a number"),
        (b"12", "got bytes"),
        (lambda: 1, "got function"),
        pytest.param(10**6000, "Not recognised", id="huge"),
        ("", "expected a number"),
    ],
)
def test_an_answer_of_another_kind_is_told_what_was_expected(value: Any, words: str) -> None:
    said = check("05.walk", value)
    assert said.kind in ("unreadable", "unknown")
    assert words in said.text
    assert len(said.text) < 300


@pytest.mark.parametrize("value", [3, ["all"], {"all": 1}, None, "ALL OF IT"])
def test_a_choice_that_is_none_of_the_keys_is_told_them(value: Any) -> None:
    said = check("05.claim", value)
    assert said.kind == ("blank" if value is None else "unreadable")
    assert value is None or "expected one of " in said.text


def test_the_same_number_is_right_in_whatever_way_it_is_written() -> None:
    numpy = pytest.importorskip("numpy")
    answer = right(bank.find("05.walk"))
    for value in (answer, hex(answer), f"{answer:,}", f"{answer:#_x}", numpy.uint64(answer), numpy.array(answer)):
        assert "right" == check("05.walk", value).kind


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise SystemExit(3)", "stops with SystemExit: 3"),
        ("return usable(pfns, mem_map, reserved)", "RecursionError"),
        ("yield 1", "got generator"),
        ("return set(pfns)", "got set"),
        ("return [pfn / 1 for pfn in pfns] or [0.5]", "list of float, expected list of int; in Python //"),
        ("return list(range(10**6))", "at most 100,000 values"),
        ("pass", "returns None each time"),
    ],
)
def test_a_function_that_ends_oddly_is_told_so(body: str, words: str) -> None:
    assert words in check("05.usable", usable(body)).text


def test_nothing_is_shown_of_what_a_function_prints_or_returns_at_length(capfd: pytest.CaptureFixture[str]) -> None:
    body = "import sys\nprint('x' * 10**6)\nsys.stderr.write('y' * 10**6)\nreturn [10**4000]"
    said = check("05.usable", usable(body))
    assert ("", "") == capfd.readouterr()
    assert "letters)" in said.lines
    assert len(said.lines) < 3000


@pytest.mark.parametrize(
    "body", ["while True: pass", "import time; time.sleep(60)", "while True:\n  try: 1 / 0\n  except Exception: pass"]
)
def test_a_loop_without_end_is_stopped_and_the_case_is_shown(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CHECKING, "CALL_SECONDS", 0.1)
    said = check("05.usable", usable(body))
    assert "took more than 0.1 s. Does every loop come to its end?" in said.text
    assert "usable(" in said.lines


def test_a_slow_function_is_stopped_when_all_its_cases_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CHECKING, "TASK_SECONDS", -1)
    assert "over all cases" in check("05.usable", usable("return []")).text


def test_time_is_limited_on_the_main_thread_and_the_timers_are_given_back() -> None:
    with pytest.raises(TooLong), within(0.05):
        _turn()
    with within(100):
        pass
    import signal

    assert (0.0, 0.0) == signal.getitimer(signal.ITIMER_PROF) == signal.getitimer(signal.ITIMER_REAL)
    met: list[str] = []
    thread = threading.Thread(target=lambda: met.append(_unlimited()))
    thread.start()
    thread.join()
    assert ["through"] == met


def _turn() -> None:
    while True:
        pass


def _unlimited() -> str:
    with within(1e-9), unheard():
        print("nobody hears this")
    return "through"


@pytest.mark.parametrize(
    "source",
    [
        "%matplotlib inline\n!ls\nask?\n" + WALK + "{}",
        "import asyncio\nawait asyncio.sleep(0)\n" + WALK + "{}",
        "if True:\n    !ls\n" + WALK + "{}",
        WALK + "({0}\n % (1 << 60))",  # a line that begins like a magic, and is none
        "display(1)\nget_ipython().run_line_magic('time', '1')\nname = input('who? ')\n" + WALK + "{}",
        "%%time\n" + WALK + "{}",
    ],
)
def test_what_only_a_notebook_understands_costs_nothing(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(tmp_path, capsys, HEAD, source.format(right(bank.find("05.walk"))))
    assert "05.walk (2 points): right" in said
    assert "stop" not in said


def test_a_renamed_function_is_asked_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = told(tmp_path, capsys, HEAD, "ask('05.walk')\nwalks = 3\ndef useable(a, b, c): ...\ndef wall(): ...")
    assert "05.usable looks for the name usable, which is not there; useable is: was it renamed?" in said
    assert "05.walk looks for the name walk, which is not there; walks is" in said
    assert "write the function usable" in said


def test_cells_in_another_order_are_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = told(tmp_path, capsys, "given = ask('05.walk')", "ask('05.read')", HEAD, WALK + "1")
    assert "code cells 1, 2 stop with NameError: name 'ask' is not defined; the cell that imports it is gone" in said


def test_a_cell_without_end_is_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmlab.study.check_notebook.CELL_SECONDS", 0.2)
    said = told(tmp_path, capsys, "while True: pass", HEAD.replace("check,", "") + "\n" + WALK + "1")
    assert "code cell 1 stops with TimeoutError: it took more than 0.2 s" in said
    assert "05.walk (2 points): not right yet" in said


def test_an_error_shows_the_learners_line_and_none_of_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = "def usable(pfns, mem_map, reserved):\n    return pfns[10**6]"
    said = told(tmp_path, capsys, HEAD + "\nask('05.walk')", source)
    assert "IndexError: list index out of range (in: return pfns[10**6])" in said
    said = told(tmp_path, capsys, HEAD + "\nask('05.walk')", "def usable(pfns): ...")
    assert "3 were given\n" in said, "no line of ours"


def test_one_file_that_is_no_notebook_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, deep, marked = tmp_path / "a.ipynb", tmp_path / "b.ipynb", tmp_path / "c.ipynb"
    broken.write_text("<<<<<<< mine")
    deep.write_text("[" * 100_000)
    good = exercise_file(tmp_path, HEAD, WALK + f"{right(bank.find('05.walk'))}")
    marked.write_bytes(b"\xef\xbb\xbf" + good.read_bytes())  # as some Windows editors save it
    assert 2 == main(["check", str(broken), str(deep), str(marked), str(good)])
    said = capsys.readouterr()
    assert 2 == said.err.count("expected a Jupyter notebook")
    assert 2 == said.out.count("05.walk (2 points): right")


def test_what_an_editor_leaves_out_is_not_missed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bare.ipynb"
    path.write_text(
        json.dumps({"cells": [{"cell_type": "markdown"}, {"cell_type": "code", "source": HEAD + "\n" + WALK + "1"}]})
    )
    assert 1 == main(["check", str(path)])
    assert "2 points): not right yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("check('05.wlak', 1)", "did you mean ['05.walk']"),
        ("check(5)", "id: expected one such as '05.where'"),
        ("ask('05.usable')", "no question with an answer in numbers or words"),
        ("hint('05.own-512m')", "no right answer"),
        ("i_am(3)", "expected your id as a word"),
    ],
)
def test_a_call_that_cannot_be_is_told_with_the_learners_line_alone(line: str, words: str) -> None:
    with pytest.raises(Told) as met:
        cell(f"\nfrom vmlab.study import ask, check, hint, i_am\n{line}", 0, {})
    said, where = met.value._render_traceback_()
    assert words in said
    assert f"  in line 3: {line}" == where
