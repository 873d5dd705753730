"""`vmlab grade PATH...`: a class's notebooks, each in a sandbox, resumed where it was interrupted.

The unit of work is a submission, sent to a `concurrent.futures.Executor`: processes of this machine, or a Dask cluster
by its address. Each worker keeps one warm sandbox. Results are written here as they come.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from multiprocessing.util import Finalize
from pathlib import Path

from ..cluster import dask_executor
from ..units import VmlabError
from . import report, sandbox
from .boxes import BOXES, NOTHING
from .judge import MOST_TEXT, Graded, clean, grade, points, unreadable
from .results import Results
from .submission import Submission, Unreadable, found, read, shown

PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h
TRIES = 3  # of one submission, when the worker that has it dies
_warm: dict[str, sandbox.Sandbox] = {}  # box -> one a process
# A Dask worker has threads: whose question is asked holds for a process, and compiling in two threads at once
# fails now and then (SystemError: AST constructor recursion depth mismatch, CPython 3.11).
_one_at_a_time = threading.Lock()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `vmlab grade`."""
    parser.add_argument("path", nargs="+", type=Path, help="notebooks, or folders with notebooks")
    parser.add_argument("--lesson", default="", help="the lesson (05), where the notebooks do not tell")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a processor)")
    parser.add_argument("--dask", default="", metavar="ADDRESS", help="a Dask scheduler, such as tcp://host:8786")
    parser.add_argument("--db", type=Path, default=Path("results.sqlite"), help="results; graded ones are kept")
    parser.add_argument("--out", type=Path, help="write a table as CSV too")
    parser.add_argument("--html", type=Path, metavar="DIR", help="write a page for each student, and one for the class")
    parser.add_argument("--seed", default="", help="of the hidden cases (default: a secret one, kept in --db)")
    parser.add_argument(
        "--nbgrader-gradebook", type=Path, metavar="FILE", help="write the scores into nbgrader's database"
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="that a cell may take (default 5)")
    parser.add_argument(
        "--sandbox",
        default="",
        choices=sorted(box.name for box in BOXES),
        help="default: the strongest that works here",
    )
    parser.add_argument("--unsandboxed", action="store_true", help="run the submissions as yourself, without a sandbox")


def run(args: argparse.Namespace) -> int:
    """Grade what is not graded yet; 0 if every file could be, 1 if some could not."""
    if not 0.1 <= args.seconds <= 3600:
        raise VmlabError(f"--seconds: expected 0.1 to 3600, got {args.seconds}")
    if args.jobs < 1:
        raise VmlabError(f"--jobs: expected at least 1, got {args.jobs}")
    paths = list(found(args.path))
    box = _box(args)
    results = Results(args.db, args.seed)
    try:
        bad = _grade_all(paths, args, results, box)
        if args.out:
            results.write_csv(args.out)
        if args.html:
            report.write_pages(results, args.html)
        if args.nbgrader_gradebook:
            from . import gradebook

            gradebook.write(results, args.nbgrader_gradebook)
    finally:
        results.close()
    return int(bad > 0)


def _box(args: argparse.Namespace) -> str:
    """The box that every worker is to use, with a warning where it is not the strongest; "" if each finds its own."""
    if args.unsandboxed:
        print(
            "Without a sandbox: the submissions' code runs as you and can read and change your files.", file=sys.stderr
        )
        return NOTHING.name
    if args.dask:
        return str(args.sandbox)
    with sandbox.Sandbox(args.sandbox) as made:  # refuse at once if there can be none
        if made.box.warning:
            print(made.box.warning, file=sys.stderr)
        return made.box.name


def _grade_all(paths: list[tuple[Path, str]], args: argparse.Namespace, results: Results, box: str) -> int:
    """Grade each path that is not in the results; how many files could not be."""
    newest: dict[tuple[str, str], Submission] = {}
    bad = older = 0
    for path, learner in sorted(paths, key=lambda row: row[0].lstat().st_mtime):
        try:
            submission = read(path, args.lesson, learner)
        except Unreadable as why:
            results.keep(unreadable(learner, str(why)), path)
            print(f"{shown(path)}: could not grade: {why}", file=sys.stderr)
            bad += 1
            continue
        before = newest.pop((learner, submission.lesson), None)
        newest[learner, submission.lesson] = submission
        if before is not None:
            older += 1
            name = shown(before.path)
            print(f"{name}: {learner} handed in a newer one, {shown(path)}, which is graded", file=sys.stderr)
    waiting = [one for one in newest.values() if not results.has(one.learner, one.lesson, one.digest)]
    known = len(newest) - len(waiting)
    done = 0
    for path, graded in _work(waiting, args, results.seed, box):
        results.keep(graded, path)
        done, bad = done + bool(graded.digest), bad + (not graded.digest)
        got, most = points(graded.results)
        print(f"{graded.learner}: {got} of {most}" + "".join(f"; {note}" for note in graded.notes), flush=True)
    print(f"{done} graded, {known} known from before, {bad} could not be graded; results in {args.db}")
    if older:
        print(f"{older} older copies were passed over: see above")
    return bad


def _work(
    submissions: list[Submission], args: argparse.Namespace, seed: str, box: str
) -> Iterator[tuple[Path, Graded]]:
    """(path, result) of each, as they come, with a bar; a dead worker's submissions are given to another."""
    from tqdm import tqdm

    left = {submission.path: submission for submission in submissions}
    with tqdm(total=len(left), desc="Grading", unit="notebook", leave=False, disable=None) as bar:
        for _ in range(TRIES):
            if not left:
                return
            with _executor(args, box) as executor:
                limits = sandbox.Limits(args.seconds, max(args.seconds / 2.5, 0.5), args.seconds * 2.4)
                futures = {executor.submit(grade_one, one, seed, limits, box): one.path for one in left.values()}
                for path, graded in _come(futures):
                    bar.update()
                    del left[path]
                    yield path, graded
    for path, one in left.items():  # each try ended a worker: that is the submission's doing, or the machine's
        yield path, Graded(one.learner, one.lesson, "", (), (), ("could not grade: its worker died each time",))


def _come(futures: dict[Future[Graded], Path]) -> Iterator[tuple[Path, Graded]]:
    lost = False
    for future in as_completed(futures):
        try:
            graded = future.result()
        except CancelledError:  # Dask's scheduler is gone; what came back from it is handed over first
            lost = True
            continue
        except Exception as dead:  # grade_one raises nothing: its worker is gone, or the cluster
            if not isinstance(dead, BrokenProcessPool):
                print(f"{shown(futures[future])}: {type(dead).__name__}: {dead}", file=sys.stderr)
            continue
        yield futures[future], graded
    if lost:
        raise CancelledError


@contextlib.contextmanager
def _executor(args: argparse.Namespace, box: str) -> Iterator[Executor]:
    if args.dask:
        with dask_executor(args.dask, ready=partial(_get_ready, box)) as executor:
            yield executor
        return
    workers = ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn"), initializer=_end_with_parent)
    with workers as executor:
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def grade_one(submission: Submission, seed: str, limits: sandbox.Limits, box: str = "") -> Graded:
    """One submission, in this process's own warm sandbox; a fault of ours is told, and stops nobody else's."""
    for _ in range(TRIES):
        try:
            with _one_at_a_time:
                return grade(submission, _sandbox(box), seed, limits)
        except sandbox.Dead:
            continue
        except Exception as bad:  # the class goes on; the instructor hears of it
            return _failed(submission, f"{type(bad).__name__}: {bad}")
    return _failed(submission, "the sandbox ended each time")


def _failed(submission: Submission, why: str) -> Graded:
    return Graded(submission.learner, submission.lesson, "", (), (), (clean(f"could not grade: {why}", MOST_TEXT),))


def _sandbox(box: str) -> sandbox.Sandbox:
    """This process's sandbox, which ends with it; a new one if the last is dead."""
    warm = _warm.get(box)
    if warm is None or not warm.is_alive:
        warm = _warm[box] = sandbox.Sandbox(box)
        Finalize(None, warm.close, exitpriority=1)  # a worker of a pool leaves without atexit
        atexit.register(warm.close)
    return warm


def _get_ready(box: str) -> None:
    """Make this worker's sandbox now: where there can be none, that is said before anything is graded."""
    with _one_at_a_time:
        _sandbox(box)


def _end_with_parent() -> None:
    """Have the kernel end this worker if whoever started it is killed; its sandbox goes with it."""
    with contextlib.suppress(OSError, AttributeError):  # off Linux
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
