"""Compiled kernels: one decorator, no reference counts, a cache that a changed source makes stale."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from vmlab import jit, warm

COMPILE_ALL = """
import importlib
from vmlab import jit
for path in jit.kernel_files():
    importlib.import_module(".".join(("vmlab", *path.relative_to(jit.PACKAGE).with_suffix("").parts)))
for warmer in jit.warmers:
    warmer()
for kernel in jit.kernels:
    texts = kernel.inspect_llvm().values()
    print(kernel.__name__, len(texts), any("NRT_incref" in text for text in texts))
"""


def test_every_kernel_is_compiled_by_a_warmer_and_counts_no_references(tmp_path):
    """In a process with an empty cache: numba cannot show the code of a kernel that it took from a cache."""
    environment = dict(os.environ, NUMBA_CACHE_DIR=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", COMPILE_ALL], capture_output=True, text=True, env=environment)
    kernels = [line.split() for line in done.stdout.splitlines()]

    assert kernels, done.stderr[-2000:]
    assert [] == [name for name, versions, _ in kernels if versions == "0"], "a lesson would wait for these"
    assert [] == [name for name, _, counts in kernels if counts == "True"]


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
