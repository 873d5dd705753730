"""`vmlab record`: boot a real kernel under QEMU and write what it said as a record, or record this machine."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from ..record import SUFFIX
from ..units import VmlabError
from . import boards
from .host import record_host
from .recorder import Recording, record


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `vmlab record`."""
    parser.add_argument("machine", nargs="*", help=f"what to boot: {', '.join(boards.BOARDS)}")
    parser.add_argument("--ram", default="", help='RAM, such as 512M or 2G; "1G,1G" for two nodes')
    parser.add_argument("--append", default="", metavar="WORDS", help="more words for the kernel's command line")
    parser.add_argument("--kaslr", action="store_true", help="let the kernel choose its addresses at random")
    parser.add_argument("--kernel", default="", metavar="VERSION", help="a version of Debian's kernel, such as 6.12")
    parser.add_argument("--host", action="store_true", help="record this machine instead, as far as it tells")
    parser.add_argument("--out", type=Path, default=Path("records"), help="the folder to write to (default: records)")


def run(args: argparse.Namespace) -> int:
    """Record each machine, or this one; 0 if all were."""
    if args.host:
        return _record_host(args.out)
    if not args.machine:
        raise VmlabError(f"machine: expected one or more of {', '.join(boards.BOARDS)}")
    chosen = [boards.choose(name, args.ram, args.append, args.kaslr) for name in args.machine]
    for board in chosen:
        say = partial(_say, board.name, time.monotonic())
        path = write(record(board, say, args.kernel), args.out)
        say(f"written to {path}; `vmlab machines --verify {path}` compares the model with it")
    return 0


def _record_host(folder: Path) -> int:
    data = record_host()
    path = folder / f"{data['name']}{SUFFIX}"
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(path, data)
    print(f"written to {path}")
    for name, reason in data["withheld"].items():
        print(f"withheld: {name}: {reason}")
    return 0


def _say(name: str, began: float, text: str) -> None:
    print(f"[{time.monotonic() - began:5.1f} s] {name}: {text}", file=sys.stderr, flush=True)


def write(found: Recording, folder: Path) -> Path:
    """The record and its tables: complete, or not there. The tables come first, so that no record lacks its own."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{found.data['name']}{SUFFIX}"
    if found.arrays:
        import numpy as np

        tables = folder / f"{found.data['name']}.npz"
        found.data["tables_file"] = tables.name
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".npz", delete=False) as part:
            np.savez_compressed(part, **found.arrays)
        Path(part.name).replace(tables)
    _write_json(path, found.data)
    return path


def _write_json(path: Path, data: dict[str, Any]) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        try:
            with gzip.GzipFile(fileobj=part, mode="wb", mtime=0, filename="") as packed:
                packed.write(json.dumps(data, indent=1).encode())
        except BaseException:
            Path(part.name).unlink()
            raise
    Path(part.name).chmod(0o644)
    Path(part.name).replace(path)
