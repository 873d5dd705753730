"""`vmlab bench`: what we are measured by, in one command, side by side with C and with other people's tools.

Both sides of a row take turns in one process, on the same arrays; each goes first every other round. What counts is
the median of the rounds' ratios: absolute times move with whatever else the machine does. Where both sides compute
something they must give equal answers before anything is timed. The suites are files of benchmarks/.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterator
from pathlib import Path

from ..units import VmlabError
from . import plot, report
from .measure import CHILDREN, LEAST_ROUNDS, THREAD, TOLD, WALL, Case, Missing, Result, compare, not_measured
from .suites import build, chosen, lacks, load, suites

__all__ = [
    "CHILDREN",
    "THREAD",
    "TOLD",
    "WALL",
    "Case",
    "Missing",
    "Result",
    "add_arguments",
    "build",
    "compare",
    "lacks",
    "load",
    "run",
    "suites",
]
ROUNDS, QUICK_ROUNDS, QUICK_SHRINK = 9, 3, 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `vmlab bench`."""
    parser.add_argument("suite", nargs="*", help=f"of {', '.join(suites())}; without a name: all of them")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds; the median counts ({ROUNDS})")
    parser.add_argument("--only", default="", help="only workloads whose name contains this")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results to this file")
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare with an earlier file of --json")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="also draw them: FILE.svg or FILE.png")
    parser.add_argument("--quick", action="store_true", help="everything once and tiny: to see that it works")


def run(args: argparse.Namespace) -> int:
    """Print one line a workload; 1 if a goal is missed or both sides disagree, 130 after Ctrl-C."""
    names, then = check(args)
    rounds, shrink = (QUICK_ROUNDS, QUICK_SHRINK) if args.quick else (args.rounds, 1)
    results: list[Result] = []
    code = 0
    try:
        for name in names:
            print(f"\n{name}\n{report.HEADER}", flush=True)
            for result in measured(name, rounds, shrink, args.only, alone=len(names) == 1):
                results.append(result)
                print(report.line(result), flush=True)
    except KeyboardInterrupt:
        print("\nStopped; what was measured is kept.", file=sys.stderr)
        code = 130
    print(f"\n{report.summary(results)}")
    if then:
        print(f"\n{report.compared(then, results)}")
    if args.json:
        report.save(args.json, rounds, shrink, results)
    if args.plot and any(not result.reason for result in results):
        plot.plot(args.plot, results)
    if args.quick:
        print("Measured with tiny sizes (--quick): the ratios say nothing about speed.")
    return code or int(
        any((result.is_missed and not args.quick) or result.reason.startswith(WRONG) for result in results)
    )


WRONG = "could not be compared: "


def check(args: argparse.Namespace) -> tuple[list[str], list[Result]]:
    """The suites to run and the earlier results; whatever is wrong is said before anything is measured."""
    if args.rounds < LEAST_ROUNDS:
        raise VmlabError(f"--rounds: expected at least {LEAST_ROUNDS}, got {args.rounds}")
    for option, path in (("--json", args.json), ("--plot", args.plot)):
        if path is not None and not path.absolute().parent.is_dir():
            raise VmlabError(f"{option}: expected a file in a folder that exists, got {path}")
    if args.plot is not None:
        plot.check(args.plot)
    return chosen(args.suite), report.read(args.against) if args.against else []


def measured(suite: str, rounds: int, shrink: int, only: str, alone: bool) -> Iterator[Result]:
    """The results of one suite, as they come. What goes wrong with one row, or one suite of many, is a row too."""
    try:
        for case in load(suite).cases(shrink):
            if only in case.name:
                yield row(suite, case, rounds)
    except Exception as error:  # the other suites go on, and the exit code tells
        if alone:
            raise
        yield not_measured(suite, f"the rest of {suite}", wrong(error))
    finally:
        gc.collect()  # a suite may keep gigabytes


def row(suite: str, case: Case | Missing, rounds: int) -> Result:
    """One row: measured, or why not."""
    if isinstance(case, Missing):
        return not_measured(suite, case.name, case.reason)
    try:
        return compare(case, rounds, suite)
    except Exception as error:  # whatever it is, the other rows go on, and the exit code tells
        return not_measured(suite, case.name, wrong(error))


def wrong(error: Exception) -> str:
    """What went wrong with a row, on one line."""
    words = (str(error).splitlines() or [""])[0]
    return WRONG + (words if isinstance(error, VmlabError) else f"{type(error).__name__}: {words}")
