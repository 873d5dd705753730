"""Traces: what is kept of a program's references, the shipped files, and the command that records a new one."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vmlab as vm
from vmlab import cli
from vmlab.trace import FETCH, LOAD, STORE, record

needs_valgrind = pytest.mark.skipif(not shutil.which("valgrind"), reason="records with valgrind")

# From the manual of valgrind 3.19, "Lackey: an example tool", --trace-mem
MANUAL = b"""I  0023C790,2
I  0023C792,5
 S BE80199C,4
I  0025242B,3
 L BE801950,4
I  0023D476,7
 M 0025747C,1
I  0023DC20,2
 L 00254962,1
""".splitlines(keepends=True)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def kept(lines, limit=1000):
    pages = record.Pages(limit)
    pages.read(lines, io.StringIO())
    return pages


def test_the_manuals_example():
    pages = kept(MANUAL)

    assert [5, 2, 2] == pages.counts
    assert [0x23C, 0xBE801, 0x252, 0x23D, 0x257, 0x254] == list(pages.numbers)
    assert [0, 1, 2, 1, 3, 4, 3, 5] == list(pages.page)
    assert [FETCH, STORE, FETCH, LOAD, FETCH, STORE, FETCH, LOAD] == list(pages.kind)


def test_bytes_across_a_border_touch_both_pages():
    assert [(LOAD, 0x1000, 0x1001)] == list(record.references([b" L 1000fff,2\n"]))
    assert [(LOAD, 0x1000, 0x1000)] == list(record.references([b" L 1000ffe,2\n"]))


def test_addresses_with_bit_63_set_stay_unsigned():
    trace = kept([b" S ffffffffff600000,8\n"]).trace("t", {})

    assert [0xFFFF_FFFF_FF60_0000] == trace.vas.tolist()


def test_other_lines_and_a_line_cut_short_are_skipped():
    assert [] == list(record.references([b"==12== Lackey, an example tool\n", b"\n", b" L 10", b"I  zz,3\n", b" S 1,"]))


@given(st.lists(st.tuples(st.sampled_from("ILSM"), st.integers(0, 5), st.integers(0, 4095), st.integers(1, 64))))
def test_keeping_only_changes_keeps_every_count_and_the_order(rows):
    marks = {"I": "I  ", "L": " L ", "S": " S ", "M": " M "}
    pages = kept([f"{marks[kind]}{vpn * 4096 + at:08x},{size}\n".encode() for kind, vpn, at, size in rows])
    every = [
        ({"I": FETCH, "L": LOAD}.get(kind, STORE), page)
        for kind, vpn, at, size in rows
        for page in range(vpn, vpn + (at + size - 1) // 4096 + 1)
    ]

    assert len(every) == sum(pages.counts)
    vpns = list(pages.numbers)
    found = [(kind, vpns[page]) for kind, page in zip(pages.kind, pages.page, strict=True)]
    assert [step for i, step in enumerate(every) if i == 0 or every[i - 1] != step] == found


def test_the_limit_is_kept_exactly():
    assert 4 == sum(kept(MANUAL, limit=4).counts)
    assert kept(MANUAL, limit=4).is_full
    assert not kept(MANUAL).is_full


# --- files ---


@pytest.mark.parametrize("name", vm.traces())
def test_shipped_traces_say_where_they_are_from(name):
    trace = vm.load_trace(name)
    path = vm.trace.trace_path(name)

    assert name == trace.name
    assert path.stat().st_size < 310_000
    assert trace.references >= len(trace) > 1_000_000
    assert sorted(set(trace.page.tolist())) == list(range(len(trace.vpns))), "dense, and every page is used"
    assert len(set(trace.vpns.tolist())) == len(trace.vpns)
    assert (trace.vpns < 1 << 35).all(), "user addresses of 47 bits"
    repeats = (trace.page[1:] == trace.page[:-1]) & (trace.kind[1:] == trace.kind[:-1])
    assert not repeats.any()
    assert "valgrind" in trace.about["tool"]
    assert trace.about["note"]
    assert f"{trace.references:,} references" in trace.tell()


def test_there_are_traces_and_a_wrong_name_is_told_them():
    assert {"sort", "gzip", "matrix-rows", "matrix-columns"} <= set(vm.traces())
    with pytest.raises(vm.VmlabError, match=r"no trace .* 'sorted'.* sort"):
        vm.load_trace("sorted")


def test_the_matrix_is_the_same_work_in_another_order():
    rows, columns = vm.load_trace("matrix-rows"), vm.load_trace("matrix-columns")

    assert rows.about["loads"] == columns.about["loads"]
    assert len(rows.vpns) == len(columns.vpns)


def test_parts_and_kinds_of_a_trace():
    trace = vm.load_trace("matrix-rows")
    data = trace.only(LOAD, STORE)

    assert len(trace) == len(data) + len(trace.only(FETCH))
    assert trace.about["loads"] + trace.about["stores"] == data.references
    assert [100, 100, 0] == [len(trace.part(50, 150)), trace.part(50, 150).references, trace.part(50, 150).repeats]


def rewrite(path, **changes):
    """Write a small valid trace with some members replaced; None leaves one out."""
    trace = kept(MANUAL).trace("small", {})
    about = {"format": 1, "program": "p", "arguments": "", "tool": "t", "date": "d", "note": ""}
    about |= {"fetches": 5, "loads": 2, "stores": 2} | changes.pop("about", {})
    arrays = {"page": trace.page, "kind": trace.kind, "vpns": trace.vpns}
    arrays |= {"about": np.frombuffer(json.dumps(about).encode(), np.uint8)} | changes
    np.savez(path, **{key: values for key, values in arrays.items() if values is not None})
    return path


def test_a_written_trace_reads_back(tmp_path):
    trace = vm.load_trace(str(rewrite(tmp_path / "small.npz")))
    record.write(trace, tmp_path / "again.npz")
    again = vm.load_trace(str(tmp_path / "again.npz"))

    assert trace.about == again.about
    for part in ("page", "kind", "vpns"):
        assert np.array_equal(getattr(trace, part), getattr(again, part))
    assert ["again.npz", "small.npz"] == names(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"page": None}, "page"),
        ({"page": np.zeros(8, np.int64)}, "page: expected a row of uint32"),
        ({"page": np.zeros((4, 2), np.uint32)}, "page: expected a row"),
        ({"page": np.full(8, 6, np.uint32)}, "page: expected numbers below 6"),
        ({"kind": np.full(8, 3, np.uint8)}, "kind: expected 0 to 2"),
        ({"kind": np.zeros(7, np.uint8)}, "as many kinds as pages"),
        ({"vpns": np.array([object()])}, "damaged"),
        ({"about": {"format": 2}}, "format: expected 1"),
        ({"about": {"loads": "many"}}, "about.loads: expected int"),
        ({"about": {"tool": None}}, "about.tool: expected str"),
        ({"about": {"fetches": 0}}, "smaller than"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path, changes, words):
    path = rewrite(tmp_path / "wrong.npz", **changes)
    with pytest.raises(vm.VmlabError, match=words):
        vm.load_trace(str(path))


def test_damaged_files_are_refused(tmp_path):
    whole = rewrite(tmp_path / "whole.npz").read_bytes()
    path = tmp_path / "cut.npz"
    for size in (0, 10, len(whole) // 2, len(whole) - 10):
        path.write_bytes(whole[:size])
        with pytest.raises(vm.VmlabError, match=r"cut\.npz"):
            vm.load_trace(str(path))
    for at in range(0, len(whole), 97):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with contextlib.suppress(vm.VmlabError):
            vm.load_trace(str(path))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("page.npy", "w", force_zip64=True) as out:
        for _ in range(520):
            out.write(bytes(1 << 20))
    with pytest.raises(vm.VmlabError, match="larger than"):
        vm.load_trace(str(path))


# --- the command ---


@needs_valgrind
def test_the_command_records_what_the_loader_reads(tmp_path, capsys):
    code = cli.main(["trace", "--to", str(tmp_path), "--limit", "20000", "said", "--", "echo", "a b", "-n"])

    trace = vm.load_trace(str(tmp_path / "said.npz"))
    assert 0 == code
    assert 20000 == trace.references
    assert ("echo", "'a b' -n", False) == tuple(trace.about[key] for key in ("program", "arguments", "complete"))
    assert "said: echo" in capsys.readouterr().out


@needs_valgrind
def test_a_whole_program_is_recorded_to_its_end(tmp_path):
    trace = record.record("true", ["true"])

    assert trace.about["complete"]
    assert trace.about["fetches"] > trace.about["loads"] > 0 < trace.about["stores"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x"], "which program"),
        (["x", "--"], "which program"),
        (["x", "--", "no-such-program-here"], "no program is called"),
        (["a/b", "--", "true"], "name: expected letters"),
        (["--limit", "0", "x", "--", "true"], "--limit"),
        (["--to", "/no/such", "x", "--", "true"], "not a folder"),
        (["x", "--limit", "5", "--", "true"], "before the name"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments, words, capsys, monkeypatch):
    monkeypatch.setattr(record.shutil, "which", lambda name: None if "no-such" in name else f"/usr/bin/{name}")
    assert 2 == cli.main(["trace", *arguments])
    error = capsys.readouterr().err
    assert words in error
    assert 1 == error.count("\n")


def test_without_valgrind_it_says_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert 2 == cli.main(["trace", "--to", str(tmp_path), "x", "--", "/bin/true"])
    assert "apt-get install valgrind" in capsys.readouterr().err


@needs_valgrind
def test_ctrl_c_leaves_nothing_behind(tmp_path):
    command = [sys.executable, "-m", "vmlab", "trace", "--to", str(tmp_path), "x", "--", "yes"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0, env=os.environ | {"COLUMNS": "80"}
    )
    time.sleep(3)  # somewhere in the middle of recording; wherever it is, nothing may stay
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)

    assert 130 == process.returncode, error[-2000:]
    assert [] == names(tmp_path)
    assert error.rstrip().endswith(b"vmlab: stopped")


@needs_valgrind
def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    trace = record.record("true", ["true"], limit=1000)

    def full(trace, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record, "save", full)
    with pytest.raises(OSError, match="No space"):
        record.write(trace, tmp_path / "x.npz")
    assert [] == names(tmp_path)
