"""The sandbox from outside: a box around a warm process, and a child of it for each submission."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..units import VmlabError
from .boxes import BOXES, BY_NAME, HERE, NOTHING, Missing
from .child import LIMITS, SLACK, Child, Ended, Limits

__all__ = ["LIMITS", "MISSING", "Child", "Dead", "Ended", "Limits", "Refused", "Sandbox"]

FILES = (
    *(HERE / name for name in ("inside.py", "cells.py", "seccomp.py")),
    HERE.parent / "units.py",
    *(HERE.parent / "study" / name for name in ("plain.py", "run_cell.py")),
)
START_SECONDS = 60
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
SAME = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}  # sets are walked in the same order each time
MISSING = (
    "a sandbox needs Linux, and bubblewrap (Debian, Ubuntu: apt-get install bubblewrap) with a kernel that lets it "
    "make namespaces, or with Landlock. Without a sandbox the submissions' code would run as you, with all your files: "
    "--unsandboxed does that on your word"
)


class Refused(VmlabError):
    """No sandbox can be had here."""


class Dead(Exception):
    """The sandbox itself is gone: another one is needed, and nobody's code is to blame."""


class Sandbox:
    """One warm process in a box. Use as a context manager; `child` is cheap, a few milliseconds.

    `box` is the name of one in boxes.py, "" the strongest that works here. Refused says why none does.
    """

    def __init__(self, box: str = "") -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="vmlab-inside-")
        folder = Path(self._folder.name)
        folder.chmod(0o755)  # nothing in it is secret, and inside it may be nobody who reads it
        for path in FILES:
            shutil.copyfile(path, folder / path.name)
        refusals = []
        for made in (BY_NAME[box],) if box else BOXES:
            try:
                self.box = made
                self._start(folder)
                return
            except Missing as why:
                refusals.append(str(why))
        self._folder.cleanup()
        raise Refused(f"{MISSING}. {'; '.join(refusals)}")

    def _start(self, folder: Path) -> None:
        """Start the warm process in the box; Missing if it does not come up."""
        environment = {**dict.fromkeys(THREADS, "1"), **SAME, "PATH": os.defpath}
        wrapper, inside = self.box.command(folder, environment)
        ours, theirs = socket.socketpair()
        command = [*wrapper, sys.executable, "-P", "-s", "-c", START, str(theirs.fileno()), inside]
        self._process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, env=environment, text=True,
        )  # fmt: skip
        theirs.close()
        self._control = ours
        ours.settimeout(START_SECONDS)
        try:
            ready = ours.recv(1)
        except OSError:
            ready = b""
        if ready == b"r" or (ready == b"u" and self.box is NOTHING):
            return
        self._end()
        said = self._process.stderr.read().strip() if self._process.stderr else ""
        why = "nothing filters system calls on this processor" if ready == b"u" else said[-300:] or "it did not start"
        raise Missing(f"{self.box.name}: {why}")

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_alive(self) -> bool:
        """Whether children can still be had."""
        return self._process.poll() is None

    def _end(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the warm process and every child."""
        self._end()
        if self._process.stderr:
            self._process.stderr.close()
        self._folder.cleanup()

    def child(
        self, cells: Sequence[str], given: dict[str, Any], skip: Sequence[int] = (), limits: Limits = LIMITS
    ) -> Child:
        """A fresh child that runs `cells`, but for those in `skip`."""
        talk, theirs = socket.socketpair()
        life, their_life = socket.socketpair()
        try:
            socket.send_fds(self._control, [b"c"], [theirs.fileno(), their_life.fileno()])
        except OSError as gone:
            talk.close()
            life.close()
            raise Dead("the sandbox itself ended") from gone
        finally:
            theirs.close()
            their_life.close()
        child = Child(talk, life, limits)
        seconds = {"seconds": limits.cell, "call_seconds": limits.call, "slack": SLACK, "life": int(limits.child) + 1}
        with contextlib.suppress(Ended):  # the first answer that is waited for says so again
            child.say({"cells": list(cells), "given": given, "skip": list(skip), **seconds})
        return child


# plain.py wants its neighbour under the package's name; nothing else of the package is here.
START = """
import socket, sys, types
sys.path.insert(0, sys.argv[2])
import units
package, study = types.ModuleType("vmlab"), types.ModuleType("vmlab.study")
package.__path__, study.__path__ = [], [sys.argv[2]]
sys.modules.update({"vmlab": package, "vmlab.units": units, "vmlab.study": study})
import importlib; importlib.import_module("vmlab.study.plain")
sys.modules["plain"] = sys.modules["vmlab.study.plain"]
for name in ("vmlab", "vmlab.units", "vmlab.study", "vmlab.study.plain"):
    del sys.modules[name]
import inside
inside.main(socket.socket(fileno=int(sys.argv[1])))
"""
