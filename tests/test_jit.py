"""Compiled kernels: one decorator, no reference counts, a cache that a changed source makes stale."""

from __future__ import annotations

import os
import subprocess
import sys

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


def test_without_a_writable_cache_the_kernels_still_work(tmp_path):
    code = "from vmlab import jit; jit._cache_bases = lambda: []; from vmlab.warm import warm; warm(); print('fine')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)

    assert "fine" in done.stdout, done.stderr[-2000:]
