"""`vmlab trace NAME -- program args`: run a program under valgrind and keep which pages it touched, in order.

valgrind's tool lackey prints one line for every instruction fetch, load and store. Here the lines become page
numbers while the program runs, so that only the pages are ever held.

Left out: child processes (valgrind does not follow them), and whatever the kernel does for the program.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from ..units import PAGE_SHIFT, VmlabError
from . import COUNTS, FETCH, FORMAT, LOAD, STORE, SUFFIX, Trace

LINE_KINDS = {b"I  ": FETCH, b" L ": LOAD, b" S ": STORE, b" M ": STORE}  # M loads and stores at one address
DEFAULT_LIMIT = 50_000_000
EVERY = 1 << 16  # references between two looks at the progress bar
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,60}", re.IGNORECASE)
MISSING = "valgrind is not installed: `apt-get install valgrind` (Debian, Ubuntu) or `dnf install valgrind` (Fedora)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `vmlab trace`."""
    parser.add_argument("name", help="what to call the trace")
    parser.add_argument("--to", type=Path, default=Path(), metavar="FOLDER", help="where to write NAME.npz (here)")
    parser.add_argument(
        "--limit", type=int, default=DEFAULT_LIMIT, metavar="N", help="stop after N references (default: %(default)s)"
    )
    parser.add_argument("--note", default="", help="a sentence to keep with the trace, such as where its input is from")
    parser.add_argument("program", nargs=argparse.REMAINDER, help="-- the program to run, and its arguments")


def run(args: argparse.Namespace) -> int:
    """Record, write, and say what was written."""
    command = args.program[1:] if args.program[:1] == ["--"] else args.program
    if command[:1] and command[0].startswith("-"):
        raise VmlabError(f"options stand before the name: vmlab trace {command[0]} ... NAME -- program")
    if not command:
        raise VmlabError("which program? For example: vmlab trace sorting -- sort /usr/share/common-licenses/GPL-3")
    if not NAME.fullmatch(args.name):
        raise VmlabError(f"name: expected letters, digits, dot, dash and underscore, got {args.name!r}")
    if args.limit < 1:
        raise VmlabError(f"--limit: expected at least 1 reference, got {args.limit}")
    if not args.to.is_dir():
        raise VmlabError(f"--to: {args.to} is not a folder: make it first")
    trace = record(args.name, command, args.limit, args.note)
    path = args.to / f"{args.name}{SUFFIX}"
    write(trace, path)
    print(f"{trace.tell()}\n{path}: {path.stat().st_size:,} bytes")
    return 0


def record(name: str, command: list[str], limit: int = DEFAULT_LIMIT, note: str = "") -> Trace:
    """Run `command` under valgrind, at most `limit` references long, and return its trace.

    The program's own output goes to stderr, so that it mixes with nothing. A program that cannot be run, or a
    missing valgrind, is a VmlabError that says so; interrupting ends the program too.
    """
    if shutil.which("valgrind") is None:
        raise VmlabError(MISSING)
    if shutil.which(command[0]) is None:
        raise VmlabError(f"no program is called {command[0]!r}: give a path, or a name that the shell would find")
    process, lines = _start(command)
    pages = Pages(limit)
    try:
        with lines, _bar() as bar:
            pages.read(lines, bar)
    finally:
        process.kill()  # at the limit, on Ctrl-C, or when it has ended already
        process.wait()
    about = {
        "format": FORMAT,
        "program": Path(command[0]).name,
        "arguments": shlex.join(command[1:]),
        "tool": f"{_valgrind_version()}, --tool=lackey --trace-mem=yes",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": os.uname().machine,
        "note": note,
        "complete": not pages.is_full,
        **dict(zip(COUNTS, pages.counts, strict=True)),
    }
    return pages.trace(name, about)


def _start(command: list[str]) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """Start valgrind with its report on a pipe of its own."""
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(
            ["valgrind", "--tool=lackey", "--trace-mem=yes", f"--log-fd={writing}", "--", *command],
            pass_fds=[writing],
            stdin=subprocess.DEVNULL,
            stdout=sys.__stderr__,
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return process, os.fdopen(reading, "rb", buffering=1 << 20)


class Pages:
    """What is kept of the references while they arrive."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.numbers: dict[int, int] = {}  # virtual page number to dense number, in the order of first touch
        self.page = array("I")
        self.kind = array("B")
        self.counts = [0, 0, 0]
        self._last = (-1, -1)

    @property
    def is_full(self) -> bool:
        """Whether the limit was reached."""
        return sum(self.counts) >= self.limit

    def read(self, lines: Iterable[bytes], bar: Any) -> None:
        """Take references until there are no more, or the limit is reached."""
        room = self.limit
        for number, (kind, first, last) in enumerate(references(lines), 1):
            for vpn in range(first, last + 1):
                if room == 0:
                    return
                room -= 1
                self.take(kind, vpn)
            if number % EVERY == 0:
                bar.update(EVERY)

    def take(self, kind: int, vpn: int) -> None:
        """Count one reference, and keep it unless it repeats the one before."""
        self.counts[kind] += 1
        if (kind, vpn) == self._last:
            return
        self._last = (kind, vpn)
        self.page.append(self.numbers.setdefault(vpn, len(self.numbers)))
        self.kind.append(kind)

    def trace(self, name: str, about: dict[str, Any]) -> Trace:
        """What was taken, as a trace."""
        import numpy as np

        if not self.page:
            raise VmlabError(f"{name}: valgrind reported no reference: does the program run by itself?")
        vpns = np.array(list(self.numbers), np.uint64)
        return Trace(name, np.array(self.page, np.uint32), np.array(self.kind, np.uint8), vpns, about)


def references(lines: Iterable[bytes]) -> Iterator[tuple[int, int, int]]:
    """(kind, first page, last page) of each line of lackey's that is a reference; other lines are skipped.

    Two pages where the bytes cross a border, as in b" L 1000fff,2".
    """
    for line in lines:
        kind = LINE_KINDS.get(line[:3])
        if kind is None:
            continue
        place, _, size = line[3:].partition(b",")
        try:
            va = int(place, 16)
            last = va + max(int(size), 1) - 1
        except ValueError:  # the last line, when the program was stopped in the middle of it
            continue
        yield kind, va >> PAGE_SHIFT, last >> PAGE_SHIFT


def write(trace: Trace, path: Path) -> None:
    """Write the file beside its place and move it there whole: a stopped writer leaves nothing behind."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save(trace, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def save(trace: Trace, path: Path) -> None:
    """Write the arrays as an .npz file that numpy.load reads; packed with lzma, a third smaller than deflate."""
    import numpy as np

    about = np.frombuffer(json.dumps(trace.about).encode(), np.uint8)
    arrays = {"page": trace.page, "kind": trace.kind, "vpns": trace.vpns, "about": about}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as file:
        for key, values in arrays.items():
            with file.open(f"{key}.npy", "w") as member:
                np.lib.format.write_array(member, np.ascontiguousarray(values), allow_pickle=False)


def _bar() -> Any:
    """A progress bar where somebody looks at one."""
    from tqdm import tqdm

    return tqdm(unit=" references", unit_scale=True, desc="Recording", leave=False, disable=None)


def _valgrind_version() -> str:
    """valgrind's own name for itself, such as valgrind-3.19.0."""
    return subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True).stdout.strip()
