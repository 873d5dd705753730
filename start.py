#!/usr/bin/env python3
"""One command for everything: `python3 start.py` opens the lab, `python3 start.py test` runs every test.

Standard library only. It builds `.venv` beside itself from requirements.lock, for tests from requirements-test.lock
(hashes checked; uv where it can be had, pip otherwise), and writes a stamp when that is complete, so an interrupted
build is never mistaken for a finished one and the second start builds nothing. Old Pythons must be able to read this
file, to be told the sentence below instead of a syntax error: nothing newer than 3.6 in its grammar.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "vmlab needs Python 3.11 or newer, and this is Python {}.{}: install a newer one and run this file "
        "with it by name, for example `python3.12 start.py`.".format(*sys.version_info[:2])
    )

import argparse
import contextlib
import hashlib
import importlib.util
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import time
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
PROGRAMS, EXE = (VENV / "Scripts", ".exe") if os.name == "nt" else (VENV / "bin", "")
PYTHON = PROGRAMS / f"python{EXE}"
STAMP = VENV / "vmlab-complete"
LOCKS = {"lab": HERE / "requirements.lock", "test": HERE / "requirements-test.lock"}  # the second has all of the first
STATE = HERE / ".lab"  # logs, and later Jupyter's own files; ignored by git
LOG = STATE / "install.log"
NEWEST_TRIED = (3, 14)
# What would send an install or an import somewhere else than to .venv.
REDIRECTS = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV")


class Need(NamedTuple):
    """A program that some tests need: any of these names, in this package of Debian's."""

    programs: tuple[str, ...]
    package: str
    what: str


NEEDS = (
    Need(("chromium", "chromium-browser", "google-chrome"), "chromium", "The browser tests need one of"),
    Need(("qemu-system-x86_64",), "qemu-system-x86", "The tests that boot a real kernel need"),
    Need(("bwrap",), "bubblewrap", "The tests of grading in a sandbox need"),
)


class Failed(Exception):
    """Something that can be expected went wrong; says what was tried, what came and what to do."""


def main(arguments: list[str]) -> int:
    """Build what is missing, then do what was asked."""
    options = parse(arguments)
    with one_at_a_time():
        if not is_ready(options.command):
            build(options.command)
    if options.command == "test":
        return test(options.pytest)
    flags = ["--no-browser"] * options.no_browser + (["--port", options.port] if options.port else [])
    return become([PYTHON, "-m", "vmlab", "lab", *flags])


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; a wrong one is refused before anything is built."""
    parser = argparse.ArgumentParser(prog="start.py", description="Open the vmlab lab, or run its tests.")
    commands = parser.add_subparsers(dest="command", metavar="lab | test")
    lab = commands.add_parser("lab", help="open JupyterLab on the lessons (the default)")
    lab.add_argument("--no-browser", action="store_true", help="print the address instead of opening a browser")
    lab.add_argument("--port", type=int, help="the port to listen on (default: the first free from 8888 on)")
    commands.add_parser("test", help="run every test, or what the pytest arguments after it say", add_help=False)
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments = ["lab", *arguments]
    if arguments[0] == "test":  # everything after it is pytest's
        return argparse.Namespace(command="test", pytest=arguments[1:])
    return parser.parse_args(arguments)


def test(pytest_arguments: list[str]) -> int:
    """Run what was asked for, or everything: last, and alone, what measures time."""
    ensure_programs()
    run([PYTHON, "-m", "vmlab", "warm"])
    pytest = [PYTHON, "-m", "pytest"]
    if pytest_arguments:
        return run([*pytest, *pytest_arguments])
    parts = (
        ["-n", "auto", "-m", "not browser"],
        # a lesson is opened once, by one worker; what takes longest comes first, as the tests' conftest has it
        ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "-m", "not latency", "tests/browser"],
        ["-s", "-m", "latency", "tests/browser"],
    )
    codes = [run([*pytest, *part]) for part in parts]
    return int(any(codes))  # a run that was killed has a negative code


# --- the environment ---


def is_ready(command: str) -> bool:
    """Tell whether .venv was completed for this command, or for tests, and for exactly this state of the project."""
    try:
        stamp = STAMP.read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return PYTHON.exists() and stamp in (wanted_stamp(command), wanted_stamp("test"))


def wanted_stamp(command: str) -> str:
    """Return a digest of what decides .venv's content: lock, the project's needs, this Python, this place."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))
    needs = json.dumps([project["project"], project["build-system"], project["tool"]["setuptools"]])
    parts = (
        LOCKS[command].read_text(encoding="utf-8"),
        needs,
        platform.python_version(),
        platform.machine(),
        str(VENV),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def build(command: str) -> None:
    """Make .venv for a command from nothing: with uv if that works, else with pip."""
    LOG.write_text("", encoding="utf-8")
    say(f"Building the environment in {VENV} (once; the next start is quick).")
    try:
        install(LOCKS[command], get_uv())
    except Failed as error:
        if os.environ.get("VMLAB_NO_UV"):
            raise
        say(f"{error}\nTrying again with pip alone.")
        make_venv(with_pip=True)
        install(LOCKS[command], None)
    unfinished = STAMP.with_suffix(".tmp")  # written last and renamed: never there too early, never half
    unfinished.write_text(wanted_stamp(command), encoding="utf-8")
    unfinished.replace(STAMP)


def get_uv() -> Path | None:
    """Make an empty .venv and return a uv to fill it: PATH's, or the one that the tests' lock pins, or None."""
    found = None if os.environ.get("VMLAB_NO_UV") else shutil.which("uv")
    make_venv(with_pip=found is None)
    if found or os.environ.get("VMLAB_NO_UV"):
        return Path(found) if found else None
    pinned = re.search(r"(?m)^uv==.*\n(?: .*\n)*", LOCKS["test"].read_text(encoding="utf-8"))
    wanted = STATE / "uv.txt"
    wanted.write_text(pinned.group() if pinned else "", encoding="utf-8")
    run_step("Getting uv", [PYTHON, "-m", "pip", "install", "--require-hashes", "--no-deps", "-r", wanted])
    return PROGRAMS / f"uv{EXE}"


def install(lock: Path, uv: Path | None) -> None:
    """Fill .venv with everything in a lock, and with vmlab itself as the files in this folder."""
    command = [uv, "pip", "install", "--python", PYTHON] if uv else [PYTHON, "-m", "pip", "install"]
    count = len(re.findall(r"(?m)^[\w.-]+==", lock.read_text(encoding="utf-8")))
    run_step("Installing packages", [*command, "--require-hashes", "-r", lock], 0 if uv else count)
    run_step("Installing vmlab", [*command, "--no-deps", "--no-build-isolation", "-e", HERE])


def make_venv(with_pip: bool) -> None:
    """Make an empty .venv in place of whatever is there."""
    if any(importlib.util.find_spec(name) is None for name in ("venv", *["ensurepip"] * with_pip)):
        version = "{}.{}".format(*sys.version_info[:2])
        raise Failed(
            "This Python has no venv module (Debian and Ubuntu ship it apart): install it with "
            f"`sudo apt-get install python{version}-venv` and run the same command again."
        )
    STAMP.unlink(missing_ok=True)
    if VENV.is_symlink():
        VENV.unlink()
    elif VENV.exists():
        shutil.rmtree(VENV)
    run_step("Making .venv", [sys.executable, "-m", "venv", *["--without-pip"] * (not with_pip), VENV])


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let a second start wait for the first one's build instead of deleting it under its hands."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "build.lock").open("w") as handle:
        with contextlib.suppress(ImportError):  # Windows has no such lock: there, start it once
            import fcntl

            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Another start.py is building the environment: waiting for it.")
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield


# --- what the tests need beside Python ---


def ensure_programs() -> None:
    """Install Debian's packages of what is missing, where that is possible; else say so (and fail under CI)."""
    wanted = [need for need in NEEDS if not any(map(shutil.which, need.programs))]
    if wanted and shutil.which("apt-get") and os.geteuid() == 0:
        packages = [need.package for need in wanted]
        steps = {"Reading the package lists": ["update"], f"Installing {', '.join(packages)}": ["install", *packages]}
        for title, words in steps.items():  # a broken source among many must not keep us from trying
            with contextlib.suppress(Failed):
                run_step(title, ["apt-get", "-q", "-y", "--no-install-recommends", *words])
    for need in wanted:
        if any(map(shutil.which, need.programs)):
            continue
        problem = (
            f"{need.what} {', '.join(need.programs)}, and none is on PATH. Install it "
            f"(Debian, Ubuntu: `sudo apt-get install {need.package}`) and run the same command again."
        )
        if os.environ.get("CI", "").lower() in ("1", "true"):
            raise Failed(problem)
        say(f"{problem}\nGoing on without: these tests will be skipped.")


# --- running things, and showing that they run ---


def say(text: str) -> None:
    """Print one line at once, whoever is reading."""
    print(text, flush=True)


def environment() -> dict[str, str]:
    """Return the environment for our own commands."""
    kept = {name: value for name, value in os.environ.items() if name not in REDIRECTS}
    return dict(kept, PYTHONNOUSERSITE="1", PIP_USER="0", PIP_DISABLE_PIP_VERSION_CHECK="1")


def become(command: Sequence[object]) -> int:
    """Turn into one of our own commands, so that Ctrl-C and signals reach it directly."""
    if os.name != "nt":
        os.chdir(HERE)
        os.execve(str(command[0]), list(map(str, command)), environment())
    return run(command)


def run(command: Sequence[object]) -> int:
    """Hand the terminal to one of our own commands; it hears Ctrl-C itself, and we wait for its end."""
    process = subprocess.Popen(list(map(str, command)), cwd=HERE, env=environment())
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            return process.wait()


def run_step(title: str, command: Sequence[object], packages: int = 0) -> None:
    """Run one long command with its output in the log; with a number of packages, count pip's progress."""
    words = list(map(str, command))
    with LOG.open("a+", encoding="utf-8", errors="replace") as log:
        log.write(f"\n$ {shlex.join(words)}\n")
        log.flush()
        beginning = log.tell()
        process = subprocess.Popen(words, cwd=HERE, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            code = watch(process, title, beginning, packages)
        finally:
            process.kill()  # only when we were interrupted is there still something to kill
            process.wait()
    if code:
        raise Failed(f"{title} failed (exit code {code}). What it said last:\n{since(beginning)[-1500:]}\n(All: {LOG})")


def watch(process: subprocess.Popen[bytes], title: str, beginning: int, packages: int) -> int:
    """Wait for a process; a terminal sees the seconds run, a file gets one line every ten seconds."""
    began = said = time.monotonic()
    terminal = sys.stdout.isatty()
    end = "\r" if terminal else "\n"
    print(f"{title} ...", end=end, flush=True)
    while process.poll() is None:
        time.sleep(0.1)
        if time.monotonic() - said >= (0.5 if terminal else 10):
            said = time.monotonic()
            count = f", {since(beginning).count('Collecting ')} of about {packages} packages" if packages else ""
            print(f"{title} ... {said - began:.0f} s{count}".ljust(78 * terminal), end=end, flush=True)
    result = "failed" if process.returncode else "done"
    say(f"{title}: {result} in {time.monotonic() - began:.1f} s".ljust(78 * terminal))
    return process.returncode


def since(beginning: int) -> str:
    """Return what the log got since a step began."""
    with LOG.open(encoding="utf-8", errors="replace") as log:
        log.seek(beginning)
        return log.read().strip()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Failed, OSError) as problem:
        newer = "\n(vmlab was tried with Python {}.{} at most; this one is newer.)".format(*NEWEST_TRIED)
        sys.exit(f"{problem}{newer if sys.version_info[:2] > NEWEST_TRIED else ''}")
    except KeyboardInterrupt:
        sys.exit("\nStopped. Nothing unfinished will be taken for finished: run the same command again.")
