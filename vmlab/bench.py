"""`vmlab bench`: our compiled kernels against the same work in C, compiled on the spot.

Both sides take turns in one process, on the same arrays; each goes first every other round. What counts is the
median of the rounds' ratios of thread CPU time: absolute times move with whatever else the machine does. Both must
give equal answers before anything is timed.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import json
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from .units import VmlabError

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
COMPILER = ("gcc", "-O3", "-march=native", "-shared", "-fPIC")
LEAST_ROUNDS = 3


class Case(NamedTuple):
    """One comparison: two functions that do the same work and return equal answers; `goal` is ours / C, at most."""

    name: str
    operations: int
    ours: Callable[[], Any]
    reference: Callable[[], Any]
    goal: float


class Result(NamedTuple):
    """Nanoseconds an operation, medians; and the median ratio."""

    name: str
    ours_ns: float
    reference_ns: float
    ratio: float
    goal: float

    @property
    def is_good(self) -> bool:
        """Whether the goal is met."""
        return self.ratio <= self.goal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `vmlab bench`."""
    parser.add_argument("suite", nargs="?", default="translate", help=f"one of {', '.join(suites())} (translate)")
    parser.add_argument("--rounds", type=int, default=9, help="rounds; the median counts (9)")
    parser.add_argument("--only", default="", help="only workloads whose name contains this")
    parser.add_argument("--out", type=Path, help="also write the results to this file, as JSON")


def run(args: argparse.Namespace) -> int:
    """Print one line a workload; 1 if a goal is missed."""
    if args.rounds < LEAST_ROUNDS:
        raise VmlabError(f"--rounds: expected at least {LEAST_ROUNDS}, got {args.rounds}")
    check_compiler()
    results = []
    print(f"{'workload':<58} {'ours':>9} {'C':>9} {'ratio':>6} {'goal':>5}")
    for case in load(args.suite).cases():
        if args.only in case.name:
            results.append(result := compare(case, args.rounds))
            print(line(result), flush=True)
    if args.out:
        args.out.write_text(json.dumps(report(args.suite, args.rounds, results), indent=2) + "\n", encoding="utf-8")
    return int(not all(result.is_good for result in results))


def line(result: Result) -> str:
    """One row of the table."""
    verdict = "" if result.is_good else "  MISSED"
    times = f"{result.ours_ns:6.1f} ns {result.reference_ns:6.1f} ns"
    return f"{result.name:<58} {times} {result.ratio:6.2f} {result.goal:5.2f}{verdict}"


def compare(case: Case, rounds: int) -> Result:
    """Check that both sides agree, then time them in turns."""
    if case.ours() != case.reference():  # the first call compiles
        raise VmlabError(f"{case.name}: ours and C give different answers, so there is nothing to time")
    spent: dict[str, list[float]] = {"ours": [], "C": []}
    sides = [("ours", case.ours), ("C", case.reference)]
    for turn in range(rounds):
        for name, function in sides[:: 1 if turn % 2 else -1]:
            start = time.thread_time()
            function()
            spent[name].append(time.thread_time() - start)
    ours, reference = (statistics.median(spent[name]) / case.operations * 1e9 for name in ("ours", "C"))
    ratio = statistics.median(a / b for a, b in zip(spent["ours"], spent["C"], strict=True))
    return Result(case.name, ours, reference, ratio, case.goal)


def report(suite: str, rounds: int, results: Iterable[Result]) -> dict[str, Any]:
    """The results as JSON, with what they were measured on."""
    return {
        "suite": suite,
        "rounds": rounds,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "compiler": " ".join(COMPILER[:3]),
        "results": [{**result._asdict(), "good": result.is_good} for result in results],
    }


def suites() -> list[str]:
    """Names of the suites: the files of benchmarks/ that have a C source beside them."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.with_suffix(".c").is_file())


def load(suite: str) -> ModuleType:
    """Import one suite from the folder beside the package."""
    if suite not in suites():
        have = ", ".join(suites()) or "none here: benchmarks/ comes with the source tree, not with the package"
        raise VmlabError(f"suite: expected one of {have}; got {suite!r}")
    spec = importlib.util.spec_from_file_location(f"benchmarks_{suite}", FOLDER / f"{suite}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_compiler() -> None:
    """Without a C compiler there is nothing to compare with."""
    if shutil.which(COMPILER[0]) is None:
        raise VmlabError("vmlab bench compares with C and needs gcc: install it (Debian, Ubuntu: apt install gcc)")


def build(source: Path) -> ctypes.CDLL:
    """Compile a C file; the library stays loaded after its folder is gone."""
    check_compiler()
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "reference.so"
        done = subprocess.run([*COMPILER, "-o", str(library), str(source)], capture_output=True, text=True)
        if done.returncode:
            raise VmlabError(f"{source.name} does not compile here:\n{done.stderr.strip()}")
        return ctypes.CDLL(str(library))
