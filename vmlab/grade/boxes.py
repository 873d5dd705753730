"""The boxes a sandbox can be made of, the strongest first: what each shows, what it is weaker in, and its command."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..units import VmlabError

HERE = Path(__file__).parent
SYSTEM = ("/usr", "/lib", "/lib64", "/bin")  # where the C library and what links to it are
WARNING = (
    "Sandbox without bubblewrap ({name}): {weaker}. The strongest is bubblewrap (Debian, Ubuntu: apt-get install "
    "bubblewrap), where it may make namespaces."
)


class Missing(VmlabError):
    """This box cannot be made here; says why."""


@dataclass(frozen=True, slots=True)
class Box:
    """`command(folder, environment)` gives the words before a program's own and what it sees as `folder`.

    `weaker` says, for whoever grades, what holds less than in bubblewrap; "" if nothing does.
    """

    name: str
    weaker: str
    command: Callable[[Path, Mapping[str, str]], tuple[list[str], str]]

    @property
    def warning(self) -> str:
        """A sentence for the terminal, or ""."""
        return WARNING.format(name=self.name, weaker=self.weaker) if self.weaker else ""


def prefixes() -> list[str]:
    """Where the interpreter and its libraries are, by their names and without links."""
    named = [sys.base_prefix, sys.prefix]
    return list(dict.fromkeys([*(str(Path(name).resolve()) for name in named), *named]))


def hidden() -> list[str]:
    """The package's own folder, by every name it has among the libraries: the answers are in it."""
    package = HERE.parent.resolve()
    tops = [(Path(top), Path(top).resolve()) for top in (*prefixes(), *SYSTEM)]
    return sorted({str(top / package.relative_to(real)) for top, real in tops if package.is_relative_to(real)})


def bubblewrap(folder: Path, environment: Mapping[str, str]) -> tuple[list[str], str]:
    """bubblewrap: a root with the interpreter and its libraries, read-only, and nothing else."""
    program = shutil.which("bwrap")
    if program is None:
        raise Missing("bubblewrap is not installed")
    command = [program, "--unshare-all", "--die-with-parent", "--new-session", "--hostname", "sandbox"]
    command += ["--uid", "1000", "--gid", "1000"]
    for name in SYSTEM:
        path = Path(name)
        if path.is_symlink():
            command += ["--symlink", str(path.readlink()), name]
        elif path.is_dir():
            command += ["--ro-bind", name, name]
    command += ["--dev", "/dev"]
    for prefix in prefixes():
        command += ["--ro-bind", prefix, prefix]
    for package in hidden():
        if not _below_a_link(package):  # bubblewrap has made that link itself
            command += ["--tmpfs", package]
    command += ["--ro-bind", str(folder), "/inside"]
    command += ["--remount-ro", "/dev", "--remount-ro", "/", "--clearenv", "--chdir", "/"]
    command += [word for name, value in environment.items() for word in ("--setenv", name, value)]
    return [*command, "--"], "/inside"


def _below_a_link(path: str) -> bool:
    return any(path.startswith(f"{name}/") and Path(name).is_symlink() for name in SYSTEM)


def _enclosed(kind: str, folder: Path, shown: Sequence[str]) -> list[str]:
    if sys.platform != "linux":
        raise Missing(f"{kind}: this is no Linux")
    return [
        sys.executable,
        "-I",
        "-S",
        str(HERE / "enclose.py"),
        kind,
        str(folder),
        os.pathsep.join(hidden()),
        *shown,
        "--",
    ]


def namespaces(folder: Path, environment: Mapping[str, str]) -> tuple[list[str], str]:
    """The same from the kernel's own calls."""
    return _enclosed("namespaces", folder, [*SYSTEM, *prefixes()]), "/inside"


def landlock(folder: Path, environment: Mapping[str, str]) -> tuple[list[str], str]:
    """No namespaces at all: rules about files, and the filter of system calls."""
    return _enclosed("landlock", folder, [*SYSTEM, *prefixes()]), str(folder)


def nothing(folder: Path, environment: Mapping[str, str]) -> tuple[list[str], str]:
    """No box; the filter of system calls still holds where its numbers are known."""
    return [], str(folder)


BUBBLEWRAP = Box("bubblewrap", "", bubblewrap)
NAMESPACES = Box(
    "namespaces",
    "the same namespaces and the same read-only view, but made by vmlab's own code, which fewer people have looked at",
    namespaces,
)
LANDLOCK = Box(
    "landlock",
    "no namespaces could be made. A submission can see which files exist and how large they are, and this machine's "
    "name; that it opens none of them is held by Landlock alone, that it has no network, signals nobody and "
    "changes no file's mode by the filter of system calls alone",
    landlock,
)
NOTHING = Box("nothing", "", nothing)
BOXES = (BUBBLEWRAP, NAMESPACES, LANDLOCK)
BY_NAME = {box.name: box for box in (*BOXES, NOTHING)}
