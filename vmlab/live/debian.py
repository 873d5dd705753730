"""Debian's kernels, unpacked into a folder of our own and never installed; and the agent, compiled for them.

What is missing is said with the command that installs it. The only program of the package manager that is run is
`apt-get download`, which needs no root.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..units import VmlabError
from .boards import Board, Target

AGENT = Path(__file__).parent / "agent"
# The agent maps pages at 4 MiB and above, where a static program would lie.
AGENT_FLAGS = ("-O1", "-Wall", "-static", "-fno-pie", "-no-pie", "-Wl,-Ttext-segment=0x20000000", "-s")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class KernelFiles:
    """One unpacked kernel: the image, its configuration as {option: value}, its modules, and its release."""

    release: str
    image: Path
    config: dict[str, str]
    modules: Path
    package: str


def cache() -> Path:
    """Where kernels are kept: VMLAB_KERNELS, or the user's cache folder."""
    given = os.environ.get("VMLAB_KERNELS")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(given) if given else base / "vmlab" / "kernels"


def need(program: str, package: str, for_what: str) -> str:
    """The path of a program; where it is not there, an error that says what to install."""
    found = shutil.which(program)
    if not found:
        raise VmlabError(
            f"{for_what} needs {program}, which is not here. On Debian or Ubuntu: apt-get install {package}"
        )
    return found


def check_tools(board: Board) -> None:
    """Refuse before anything is downloaded if only the user can install what is missing; all of it is named at once."""
    target = board.target
    programs = [(board.emulator, target.package), ("dpkg-deb", "dpkg"), ("apt-get", "apt")]
    missing = [(program, package) for program, package in programs if not shutil.which(program)]
    if not _compiler(target):
        names = " or ".join(" ".join(command) for command in target.compilers)
        missing.append((f"a C compiler with a static C library ({names})", target.compiler_package))
    if missing:
        packages = " ".join(dict.fromkeys(package for _, package in missing))
        raise VmlabError(
            f"Booting {board.name} needs what is not here: {', '.join(program for program, _ in missing)}. "
            f"On Debian or Ubuntu, as root: apt-get install {packages}"
        )


def _compiler(target: Target) -> list[str] | None:
    """The command that compiles a static program for this port, if there is one."""
    return next((list(each) for each in target.compilers if shutil.which(each[0]) and _compiles(each)), None)


def _compiles(command: tuple[str, ...]) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "try.c"
        source.write_text('#include <stdio.h>\nint main(void) { return puts("") < 0; }\n')
        tried = subprocess.run([*command, "-static", str(source), "-o", f"{folder}/try"], capture_output=True)
        return tried.returncode == 0


def build_agent(target: Target) -> bytes:
    """The agent, compiled for this port."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "init"
        sources = [str(path) for path in sorted(AGENT.glob("*.c"))]
        done = subprocess.run(
            [*(_compiler(target) or target.compilers[0]), *AGENT_FLAGS, *sources, "-o", str(program)],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise VmlabError(f"the agent does not compile for {target.arch}:\n{done.stderr.strip()}")
        return program.read_bytes()


def kernel(board: Board, say: Say, version: str = "") -> KernelFiles:
    """The kernel for a board, from the cache or downloaded and unpacked; `version` picks a package, such as "6.12"."""
    package = package_name(board, version)
    folder = cache() / package.replace(":", "_")
    if not folder.is_dir():
        _download(package, folder, say)
    return _files(folder, package)


def package_name(board: Board, version: str = "") -> str:
    """The package of the newest kernel of that version that apt knows (without a version: of the release's own).

    On the port's name: linux-image-6.1.0-50-armmp:armhf.
    """
    need("apt-cache", "apt", "Finding a kernel")
    meta = f"linux-image-{board.flavour}"
    pattern = rf"linux-image-{re.escape(version) or r'[0-9]'}[\w.+~]*(?:-[0-9]+)?-{re.escape(board.flavour)}"
    known = _apt_cache("pkgnames", "linux-image-").split() if version else []
    if not version:
        found = re.search(rf"Depends: ({pattern})\b", _apt_cache("depends", f"{meta}:{board.target.debian}"))
        known = [found[1]] if found else []
    matching = sorted((name for name in known if re.fullmatch(pattern, name)), key=_numbers)
    if not matching:
        port = board.target.debian
        raise VmlabError(
            f"no kernel package {meta}{' ' + version if version else ''} for {port} is known to apt. On Debian: "
            f"dpkg --add-architecture {port} && apt-get update (as root), then try again"
        )
    return f"{matching[-1]}:{board.target.debian}"


def _numbers(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]


def _apt_cache(*words: str) -> str:
    return subprocess.run(["apt-cache", *words], capture_output=True, text=True).stdout


def _download(package: str, folder: Path, say: Say) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="unpacking-") as work:
        say(f"downloading {package}")
        done = subprocess.run(["apt-get", "-q", "download", package], cwd=work, capture_output=True, text=True)
        archives = list(Path(work).glob("*.deb"))
        if done.returncode or not archives:
            raise VmlabError(
                f"apt-get download {package} failed: {done.stderr.strip().splitlines()[-1:] or done.stdout.strip()}. "
                "Run `apt-get update` as root and try again"
            )
        say(f"unpacking {archives[0].name}")
        unpacked = Path(work) / "kernel"
        done = subprocess.run(["dpkg-deb", "-x", str(archives[0]), str(unpacked)], capture_output=True, text=True)
        if done.returncode:
            raise VmlabError(f"dpkg-deb failed on {package}: {done.stderr.strip()}")
        unpacked.rename(folder)  # complete or not there at all


def _files(folder: Path, package: str) -> KernelFiles:
    configs = list((folder / "boot").glob("config-*"))
    if len(configs) != 1:
        raise VmlabError(
            f"{folder}: expected one unpacked kernel, found {len(configs)}: delete the folder and try again"
        )
    release = configs[0].name.removeprefix("config-")
    modules = next(base / release for base in (folder / "lib/modules", folder / "usr/lib/modules") if base.is_dir())
    return KernelFiles(release, folder / "boot" / f"vmlinuz-{release}", options(configs[0]), modules, package)


def options(config: Path) -> dict[str, str]:
    """{option: value} of a kernel's configuration; "n" where it says that one is not set."""
    found = {}
    for line in config.read_text().splitlines():
        if line.startswith("CONFIG_"):
            name, _, value = line.partition("=")
            found[name] = value
        elif line.startswith("# CONFIG_") and line.endswith(" is not set"):
            found[line.split()[1]] = "n"
    return found
