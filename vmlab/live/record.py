"""`vmlab record`: boot a real kernel under QEMU and write what it said as a record, or record this machine."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from ..physical import real_trace
from ..record import SUFFIX
from ..units import VmlabError
from . import alloc_trace, boards, trace_text
from .host import record_host
from .recorder import record
from .recording import Recording

TRACE_SUFFIX = ".alloc.npz"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `vmlab record`."""
    parser.add_argument("machine", nargs="*", help=f"what to boot: {', '.join(boards.BOARDS)}")
    parser.add_argument("--ram", default="", help='RAM, such as 512M or 2G; "1G,1G" for two nodes')
    parser.add_argument("--append", default="", metavar="WORDS", help="more words for the kernel's command line")
    parser.add_argument("--kaslr", action="store_true", help="let the kernel choose its addresses at random")
    parser.add_argument("--kernel", default="", metavar="VERSION", help="a version of Debian's kernel, such as 6.12")
    parser.add_argument("--host", action="store_true", help="record this machine instead, as far as it tells")
    parser.add_argument(
        "--trace", action="store_true", help="trace every page allocation from boot on instead; `vmlab replay` plays it"
    )
    parser.add_argument("--out", type=Path, default=Path("records"), help="the folder to write to (default: records)")


def run(args: argparse.Namespace) -> int:
    """Record each machine, or this one; 0 if all were."""
    if args.host and args.trace:
        raise VmlabError("--trace: expected a machine to boot, got --host: what a running kernel allocated is past")
    if args.host:
        return _record_host(args.out)
    if not args.machine:
        raise VmlabError(f"machine: expected one or more of {', '.join(boards.BOARDS)}")
    chosen = [boards.choose(name, args.ram, args.append, args.kaslr) for name in args.machine]
    for board in chosen if args.trace else ():
        alloc_trace.check(board)
    for board in chosen:
        say = partial(_say, board.name, time.monotonic())
        if args.trace:
            path = write_trace(alloc_trace.trace(board, say, args.kernel), args.out)
            say(f"written to {path}; `vmlab replay {path}` plays it in the model")
            continue
        path = write(record(board, say, args.kernel), args.out)
        say(f"written to {path}; `vmlab machines --verify {path}` compares the model with it")
    return 0


def write_trace(traced: alloc_trace.Traced, folder: Path) -> Path:
    """The trace, complete or not there."""
    path = folder / f"{traced.record.data['name']}{TRACE_SUFFIX}"
    whole = trace_text.build(traced, path)
    folder.mkdir(parents=True, exist_ok=True)
    real_trace.save(path, whole)
    return path


def _record_host(folder: Path) -> int:
    data = record_host()
    path = folder / f"{data['name']}{SUFFIX}"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, data)
    print(f"written to {path}")
    for name, reason in data["withheld"].items():
        print(f"withheld: {name}: {reason}")
    return 0


def _say(name: str, began: float, text: str) -> None:
    print(f"[{time.monotonic() - began:5.1f} s] {name}: {text}", file=sys.stderr, flush=True)


def write(found: Recording, folder: Path) -> Path:
    """The record and its tables, complete or not there: both are whole before either has its name."""
    folder.mkdir(parents=True, exist_ok=True)
    name = found.data["name"]
    path = folder / f"{name}{SUFFIX}"
    with ExitStack() as undo:
        renames = []
        if found.arrays:
            import numpy as np

            found.data["tables_file"] = f"{name}.npz"
            tables = _part(folder, ".npz", undo)
            np.savez_compressed(tables, **found.arrays)
            renames.append((tables, folder / f"{name}.npz"))
        renames.append((_packed(folder, found.data, undo), path))
        for part, whole in renames:
            part.chmod(0o644)
            part.replace(whole)
    return path


def _part(folder: Path, suffix: str, undo: ExitStack) -> Path:
    """An empty file of a name of its own, deleted when `undo` ends unless it was renamed."""
    with tempfile.NamedTemporaryFile(dir=folder, suffix=suffix, delete=False) as part:
        path = Path(part.name)
    undo.callback(path.unlink, missing_ok=True)
    return path


def _packed(folder: Path, data: dict[str, Any], undo: ExitStack) -> Path:
    path = _part(folder, ".part", undo)
    with path.open("wb") as part, gzip.GzipFile(fileobj=part, mode="wb", mtime=0, filename="") as packed:
        packed.write(json.dumps(data, indent=1).encode())
    return path


def write_json(path: Path, data: dict[str, Any]) -> None:
    """A record without tables."""
    with ExitStack() as undo:
        part = _packed(path.parent, data, undo)
        part.chmod(0o644)
        part.replace(path)
