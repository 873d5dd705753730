"""Compiled kernels: one decorator, no reference counts, a cache that a changed source makes stale."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vmlab import jit, warm

CALL_EVERY_WARMER = """
import importlib
from vmlab import jit
for path in jit.kernel_files():
    importlib.import_module(".".join(("vmlab", *path.relative_to(jit.PACKAGE).with_suffix("").parts)))
for warmer in jit.warmers:
    warmer()

def reached(function, seen):
    called = [function.py_func.__globals__.get(name) for name in function.py_func.__code__.co_names]
    for other in called:
        if hasattr(other, "py_func") and other not in seen:
            seen.append(other)
            reached(other, seen)

ready = [kernel for kernel in jit.kernels if kernel.overloads]
for kernel in tuple(ready):
    reached(kernel, ready)
for kernel in jit.kernels:
    print(kernel.__name__, kernel in ready, sum(kernel.stats.cache_misses.values()))
"""
COUNTS = """
import sys
import numpy as np
from vmlab import jit
@jit.kernel
def one(a):
    return a[0]
jit._njit = lambda function: __import__("numba").njit(function)
@jit.kernel
def listed(a):
    return [a]
one(np.zeros(1)), listed(np.zeros(1))
print(jit.cache_folder())
"""


def test_after_a_warm_up_no_kernel_is_compiled_in_a_lesson():
    """In a fresh process: each kernel is called by a warmer, or by such a kernel, and comes from the cache."""
    warm.warm()
    done = subprocess.run([sys.executable, "-c", CALL_EVERY_WARMER], capture_output=True, text=True)
    kernels = [line.split() for line in done.stdout.splitlines()]

    assert kernels, done.stderr[-2000:]
    assert [] == [name for name, ready, _ in kernels if ready == "False"], "a lesson would wait for these"
    assert [] == [name for name, _, compiled in kernels if compiled != "0"], "compiled again, though it was warm"


def counting(folder: Path) -> set[str]:
    """The kernels in a cache whose machine code counts references, by the file's name."""
    return {path.name.split("-")[0] for path in folder.rglob("*.nbc") if b"NRT_incref" in path.read_bytes()}


def test_no_kernel_counts_references():
    """Its compiled form would name the function that counts; numba shows no text of what it took from a cache."""
    warm.warm()
    folder = jit.cache_folder()

    assert folder is not None
    assert {path.stem for path in jit.kernel_files() if b"\n@kernel\n" in path.read_bytes()} <= {
        path.name.split(".")[0] for path in folder.rglob("*.nbc")
    }
    assert set() == counting(folder)


def test_a_kernel_that_counts_references_would_be_found(tmp_path):
    (tmp_path / "counts.py").write_text(COUNTS)
    environment = dict(os.environ, NUMBA_CACHE_DIR=str(tmp_path))
    command = [sys.executable, str(tmp_path / "counts.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)

    assert {"counts.listed"} == counting(Path(done.stdout.strip())), done.stderr[-2000:]


def test_the_cache_folder_is_named_after_what_the_kernels_are_made_of(monkeypatch):
    before = jit._digest()
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", "1")

    assert before != jit._digest()


def test_a_second_warm_up_finds_everything_done():
    warm.warm()

    assert warm.is_compiled()
    assert [] == warm.Preparation().waiting


def test_a_step_that_fails_is_told_and_leaves_no_mark(tmp_path, monkeypatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(jit, "cache_folder", lambda: tmp_path)
    preparation = warm.Preparation()
    preparation.waiting = ["vmlab.no_such_module"]
    preparation.run()

    assert "could not prepare vmlab.no_such_module: ModuleNotFoundError" in capsys.readouterr().err
    assert not warm.is_compiled()


def test_two_processes_compiling_one_kernel_for_different_types_keep_both(tmp_path):
    """Numba alone numbers both results alike, if both looked at the index before either wrote it."""
    (tmp_path / "twice.py").write_text(
        "import sys, time, numpy as np\n"
        "from vmlab import jit\n"
        "@jit.kernel\n"
        "def twice(a):\n    return a[0] + a[0]\n"
        "time.sleep(max(0, float(sys.argv[2]) - time.time()))\n"
        "print(twice(np.full(1, 21, sys.argv[1])))\n"
    )
    environment = dict(os.environ, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    begin = str(time.time() + 3)
    commands = [[sys.executable, str(tmp_path / "twice.py"), kind, begin] for kind in ("u1", "f8")]
    running = [subprocess.Popen(c, stdout=subprocess.PIPE, text=True, env=environment) for c in commands]
    assert ["42", "42.0"] == [process.communicate()[0].strip() for process in running]

    again = [subprocess.run(c, capture_output=True, text=True, env=environment) for c in commands]
    assert ["42", "42.0"] == [done.stdout.strip() for done in again]
    assert 2 == len(list(tmp_path.glob("cache/kernels-*/*/*.nbc")))


def test_without_a_writable_cache_the_kernels_still_work(tmp_path):
    code = "from vmlab import jit, warm; jit._cache_bases = lambda: []; [module] = sys.argv[1:]; warm.do_step(module)"
    module = "vmlab.virtual.tlb_kernels"
    command = [sys.executable, "-c", f"import sys; {code}; print('fine')", module]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    assert "fine" in done.stdout, done.stderr[-2000:]
