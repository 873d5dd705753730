"""The sandbox from outside: bubblewrap around a warm process, and a child of it for each submission.

What a child says is untrusted: a line has a longest length, waiting has an end, text is parsed as JSON and nothing
else. A child that does not answer in time is ended, and says so from then on.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ..units import MiB, VmlabError

HERE = Path(__file__).parent
FILES = (HERE / "inside.py", HERE / "seccomp.py", HERE.parent / "units.py", HERE.parent / "study" / "plain.py")
MOST_LINE = 4 * MiB
START_SECONDS = 60
GRACE = 2.0  # seconds: inside, a polite limit comes first; out here is the one that counts
MOST_LINES = 1000  # that are no answer to what was asked
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
MISSING = (
    "a sandbox needs bubblewrap (Debian, Ubuntu: apt-get install bubblewrap) and a kernel that lets it make "
    "namespaces. Without one the submissions' code would run as you, with all your files: "
    "--unsandboxed does that on your word"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds: for a cell, for one call of a function, for one function over all cases."""

    cell: float = 5.0
    call: float = 2.0
    task: float = 12.0

    @property
    def child(self) -> float:
        """One child's whole life."""
        return 8 * self.cell + 2 * self.task

    @property
    def cells(self) -> float:
        """All cells of a submission, in all its children."""
        return 12 * self.cell


class Refused(VmlabError):
    """No sandbox can be had here."""


LIMITS = Limits()


class Dead(Exception):
    """The sandbox itself is gone: another one is needed, and nobody's code is to blame."""


class Ended(Exception):
    """The child is gone, or was ended; says why."""


def bubblewrap(folder: Path) -> list[str]:
    """The command that shows a program the interpreter, its libraries and `folder`, read-only, and nothing else."""
    program = shutil.which("bwrap")
    if program is None:
        raise Refused(MISSING)
    command = [program, "--unshare-all", "--die-with-parent", "--new-session", "--uid", "1000", "--gid", "1000"]
    for name in ("/usr", "/lib", "/lib64", "/bin"):
        path = Path(name)
        if path.is_symlink():
            command += ["--symlink", str(path.readlink()), name]
        elif path.is_dir():
            command += ["--ro-bind", name, name]
    command += ["--dev", "/dev"]
    for prefix in dict.fromkeys((sys.base_prefix, sys.prefix)):
        command += ["--ro-bind", prefix, prefix]
    package = str(HERE.parent)
    if any(package.startswith(prefix + os.sep) for prefix in (sys.base_prefix, sys.prefix)):
        command += ["--tmpfs", package]  # installed among the libraries: the answers are in it
    command += ["--ro-bind", str(folder), "/inside"]
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--clearenv", "--chdir", "/"]


class Sandbox:
    """One warm process in a sandbox. Use as a context manager; `child` is cheap, a few milliseconds."""

    def __init__(self, unsandboxed: bool = False) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="vmlab-inside-")
        folder = Path(self._folder.name)
        for path in FILES:
            shutil.copy(path, folder)
        ours, theirs = socket.socketpair()
        environment = dict.fromkeys(THREADS, "1") | {"PYTHONDONTWRITEBYTECODE": "1"}
        wrapper: list[str] = []
        if unsandboxed:
            environment |= {"VMLAB_NO_NAMESPACE": "1", "PATH": os.defpath}
        else:
            wrapper, folder = bubblewrap(folder), Path("/inside")
            wrapper += [word for name, value in environment.items() for word in ("--setenv", name, value)]
            wrapper.append("--")
        command = [*wrapper, sys.executable, "-I", "-c", START, str(theirs.fileno()), str(folder)]
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
        if ready != b"r":
            self.close()
            said = self._process.stderr.read().strip() if self._process.stderr else ""
            why = "no namespace in a namespace can be made here" if ready == b"n" else said[-300:]
            raise Refused(f"{MISSING}. It said: {why}")

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_alive(self) -> bool:
        """Whether children can still be had."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the warm process and every child."""
        self._control.close()
        self._process.kill()
        self._process.wait()
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
        seconds = {"seconds": limits.cell, "call_seconds": limits.call}
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


class Child:
    """One submission's process. Every method raises `Ended` once it is gone."""

    def __init__(self, talk: socket.socket, life: socket.socket, limits: Limits) -> None:
        self._talk, self._life, self._limits = talk, life, limits
        self._said = bytearray()
        self._end = time.monotonic() + limits.child
        self.why = ""

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.end("it was done")

    def end(self, why: str) -> None:
        """End it with everything it started."""
        self.why = self.why or why
        self._life.close()  # its keeper notices, and the kernel ends the namespace
        self._talk.close()

    def say(self, message: dict[str, Any]) -> None:
        """Send one message."""
        if self.why:
            raise Ended(self.why)
        try:
            self._talk.settimeout(self._limits.call + GRACE)
            self._talk.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self._gone("it ended by itself")

    def hear(self, seconds: float) -> dict[str, Any]:
        """One answer, as data; a child that sends anything else is ended."""
        if self.why:
            raise Ended(self.why)
        until = min(time.monotonic() + seconds, self._end)
        while b"\n" not in self._said:
            left = until - time.monotonic()
            if left <= 0:
                self._gone(f"it did not answer within {seconds:.0f} s")
            self._talk.settimeout(left)
            try:
                part = self._talk.recv(1 << 16)
            except TimeoutError:
                continue
            except OSError:
                part = b""
            if not part:
                self._gone("it ended by itself")
            self._said += part
            if len(self._said) > MOST_LINE:
                self._gone(f"it sent more than {MOST_LINE >> 20} MiB at once")
        line, _, rest = self._said.partition(b"\n")
        self._said = bytearray(rest)
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            self._gone("it sent what is no answer")
        if type(message) is not dict:
            self._gone("it sent what is no answer")
        return message

    def _gone(self, why: str) -> NoReturn:
        self.end(why)
        raise Ended(why)

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """One question and its answer; lines that do not carry the question's number are passed over."""
        number = secrets.randbits(62)
        self.say({**message, "number": number})
        for _ in range(MOST_LINES):
            said = self.hear(self._limits.call + GRACE)
            if said.get("number") == number:
                return said
        return self._gone("it sent what is no answer")

    def hear_cell(self) -> dict[str, Any]:
        """What came of the next cell."""
        return self.hear(self._limits.cell + GRACE)
