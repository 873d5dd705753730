#!/usr/bin/env python3
"""One command for everything: `python3 start.py` opens the lab, `python3 start.py test` runs every test.

Standard library only. It builds `.venv` beside itself from requirements.lock (hashes checked; uv where it
can be had, pip otherwise) and writes a stamp when that is complete, so an interrupted build is never
mistaken for a finished one and the second start builds nothing. This file has to be readable by old
Pythons, which then get the sentence below instead of a syntax error.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "vmlab needs Python 3.11 or newer, and this is Python %d.%d: install a newer one and run it by name, "
        "for example `python3.12 start.py`." % sys.version_info[:2]
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
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "vmlab-complete"
LOCK = HERE / "requirements.lock"
STATE = HERE / ".lab"  # logs and Jupyter's own files; ignored by git
LOG = STATE / "install.log"
NEWEST_TRIED = (3, 14)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Failed(Exception):
    """Something expected went wrong; the message says what was tried, what came and what to do."""


# --- saying what goes on ---


def say(text: str) -> None:
    """Print one line at once, whoever is reading."""
    print(text, flush=True)


def run_step(title: str, command: list, expected_lines: int = 0) -> None:
    """Run one long command with its output in the log, and show that it is alive.

    expected_lines is how many `Collecting …` lines pip will print: with it the line shows a count.
    """
    STATE.mkdir(exist_ok=True)
    with LOG.open("a", encoding="utf-8") as log:
        log.write("\n$ %s\n" % shlex.join(map(str, command)))
        log.flush()
        start_of_output = log.tell()
        try:
            process = subprocess.Popen(
                list(map(str, command)), cwd=str(HERE), env=clean_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        except OSError as error:
            raise Failed("%s: could not run %s (%s)." % (title, command[0], error)) from None
        try:
            code = watch(process, title, start_of_output, expected_lines)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if code:
        output = LOG.read_text(encoding="utf-8", errors="replace")[start_of_output:]
        tail = "\n".join("    " + line for line in output.strip().splitlines()[-8:])
        raise Failed("%s failed (exit code %d). The end of what it said:\n%s\n  All of it is in %s." % (title, code, tail, LOG))


def watch(process: subprocess.Popen, title: str, start_of_output: int, expected_lines: int) -> int:
    """Wait for a process; a terminal gets a running line, a file one line every ten seconds."""
    began = said = time.monotonic()
    terminal = sys.stdout.isatty()
    if not terminal:
        say("%s ..." % title)
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(0.2)
            break
        seconds = time.monotonic() - began
        line = "%s: %d s" % (title, seconds)
        if expected_lines:
            with LOG.open(encoding="utf-8", errors="replace") as log:
                log.seek(start_of_output)
                done = sum(text.startswith("Collecting") for text in log)
            line += ", %d of about %d packages" % (done, expected_lines)
        if terminal:
            print("\r" + line[:78].ljust(78), end="", flush=True)
        elif time.monotonic() - said > 10:
            said = time.monotonic()
            say("  " + line)
    result = "done" if code == 0 else "failed"
    say("%s%s: %s in %.1f s" % ("\r" if terminal else "  ", title, result, time.monotonic() - began) + " " * 30 * terminal)
    return code


def clean_environment() -> dict:
    """Return the environment without what would redirect an install or an import elsewhere."""
    redirects = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV")
    environment = {name: value for name, value in os.environ.items() if name not in redirects}
    return dict(environment, PYTHONNOUSERSITE="1", PIP_USER="0", PIP_DISABLE_PIP_VERSION_CHECK="1", UV_NO_PROGRESS="1")


# --- the environment ---


def wanted_stamp() -> str:
    """Digest of all that decides what .venv must hold: the lock, the project's needs, this Python, this place."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))
    needs = json.dumps([project["project"], project["build-system"], project["tool"]["setuptools"]], sort_keys=True)
    parts = [LOCK.read_text(encoding="utf-8"), needs, platform.python_version(), platform.machine(), str(VENV)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def is_ready() -> bool:
    """Tell whether .venv was completed, and for exactly this state of the project."""
    try:
        return STAMP.read_text(encoding="utf-8") == wanted_stamp() and PYTHON.exists()
    except FileNotFoundError:
        return False


def build() -> None:
    """Make .venv from nothing: with uv if that works, else with pip."""
    STATE.mkdir(exist_ok=True)
    LOG.write_text("", encoding="utf-8")
    say("Building the environment in %s (once; the next start is quick)." % VENV)
    if not os.environ.get("VMLAB_NO_UV"):
        try:
            return install_with_uv()
        except Failed as error:
            say("%s\nTrying again with pip alone." % error)
    install_with_pip()


def install_with_uv() -> None:
    """Fill a new .venv with uv: the one on PATH, or the one that the lock pins."""
    uv = shutil.which("uv")
    make_venv(with_pip=uv is None)
    if uv is None:
        pinned = STATE / "uv.lock.txt"
        pinned.write_text(lock_entry("uv"), encoding="utf-8")
        run_step("Getting uv", [PYTHON, "-m", "pip", "install", "--require-hashes", "--no-deps", "-r", pinned])
        uv = str(PYTHON.with_name("uv.exe" if os.name == "nt" else "uv"))
    install = [uv, "pip", "install", "--python", PYTHON]
    run_step("Installing packages", [*install, "--require-hashes", "-r", LOCK])
    run_step("Installing vmlab", [*install, "--no-deps", "--no-build-isolation", "-e", HERE])
    complete()


def install_with_pip() -> None:
    """Fill a new .venv with the pip that comes with Python."""
    make_venv(with_pip=True)
    install = [PYTHON, "-m", "pip", "install"]
    count = len(re.findall(r"(?m)^[\w.-]+==", LOCK.read_text(encoding="utf-8")))
    run_step("Installing packages", [*install, "--require-hashes", "-r", LOCK], expected_lines=count)
    run_step("Installing vmlab", [*install, "--no-deps", "--no-build-isolation", "-e", HERE])
    complete()


def make_venv(with_pip: bool) -> None:
    """Make an empty .venv in place of whatever is there."""
    if importlib.util.find_spec("venv") is None or (with_pip and importlib.util.find_spec("ensurepip") is None):
        raise Failed(
            "This Python has no venv module (Debian and Ubuntu ship it apart): install it with "
            "`sudo apt-get install python3-venv` and run the same command again."
        )
    STAMP.unlink(missing_ok=True)
    if VENV.is_symlink():
        VENV.unlink()
    elif VENV.exists():
        shutil.rmtree(VENV)
    run_step("Making .venv", [sys.executable, "-m", "venv", *([] if with_pip else ["--without-pip"]), VENV])


def lock_entry(name: str) -> str:
    """Return one package's lines of the lock, hashes included."""
    found = re.search(r"(?m)^%s==.*\n(?: .*\n)*" % re.escape(name), LOCK.read_text(encoding="utf-8"))
    if found is None:
        raise Failed("%s does not pin %s: write it anew with `make lock`." % (LOCK.name, name))
    return found.group()


def complete() -> None:
    """Say that .venv is whole; written last, and by renaming, so that it is never there too early."""
    unfinished = STAMP.with_suffix(".tmp")
    unfinished.write_text(wanted_stamp(), encoding="utf-8")
    unfinished.replace(STAMP)


@contextlib.contextmanager
def one_at_a_time():
    """Let a second start wait for the first one's build instead of deleting it."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "build.lock").open("w") as handle:
        try:
            import fcntl
        except ImportError:  # no such lock on Windows: there the user is asked to start once
            yield
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("Another start.py is building the environment: waiting for it.")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


# --- what the browser tests need ---


def find_browser() -> bool:
    """Tell whether a Chromium is on PATH."""
    return any(map(shutil.which, BROWSERS))


def ensure_browser() -> None:
    """Install Debian's Chromium where that is possible; where it is not, say so (and fail under CI)."""
    if find_browser():
        return
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        with contextlib.suppress(Failed):  # a broken extra source must not keep the package from being tried
            run_step("Reading the package lists", ["apt-get", "update", "-q"])
        with contextlib.suppress(Failed):
            run_step("Installing chromium", ["apt-get", "install", "-q", "-y", "--no-install-recommends", "chromium"])
    if find_browser():
        return
    problem = (
        "The browser tests need Chromium, and none of %s is on PATH. "
        "Install it (Debian, Ubuntu: `sudo apt-get install chromium`) and run the same command again." % ", ".join(BROWSERS)
    )
    if os.environ.get("CI", "").lower() in ("1", "true"):
        raise Failed(problem)
    say(problem + "\nGoing on without: the browser tests will be skipped.")


# --- the two commands ---


def run(command: list) -> int:
    """Hand the terminal to one of the project's own commands."""
    return subprocess.run(list(map(str, command)), cwd=str(HERE), env=clean_environment(), check=False).returncode


def test(pytest_arguments: list) -> int:
    """Run what was asked for, or everything: the browser's tests last and alone, because they measure time."""
    ensure_browser()
    run([PYTHON, "-m", "vmlab", "warm"])
    pytest = [PYTHON, "-m", "pytest"]
    if pytest_arguments:
        return run([*pytest, *pytest_arguments])
    codes = [run([*pytest, "-n", "auto", "-m", "not browser"]), run([*pytest, "-m", "browser"])]
    return max(codes)


def parse(arguments: list) -> argparse.Namespace:
    """Read the command line; a wrong one is refused before anything is built."""
    parser = argparse.ArgumentParser(prog="start.py", description="Open the vmlab lab, or run its tests.")
    commands = parser.add_subparsers(dest="command", metavar="lab | test")
    lab = commands.add_parser("lab", help="open JupyterLab on the lessons (the default)")
    lab.add_argument("--no-browser", action="store_true", help="print the address instead of opening a browser")
    lab.add_argument("--port", type=int, help="the port to listen on (default: a free one from 8888 on)")
    commands.add_parser("test", help="run every test, or what the arguments for pytest that follow say", add_help=False)
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments = ["lab", *arguments]
    if arguments[0] == "test":
        return argparse.Namespace(command="test", pytest=arguments[1:])
    return parser.parse_args(arguments)


def main(arguments: list) -> int:
    """Build what is missing, then do what was asked."""
    options = parse(arguments)
    with one_at_a_time():
        if not is_ready():
            build()
    if options.command == "test":
        return test(options.pytest)
    flags = ["--no-browser"] * options.no_browser + (["--port", options.port] if options.port else [])
    return run([PYTHON, "-m", "vmlab", "lab", *flags])


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Failed as problem:
        hint = ""
        if sys.version_info[:2] > NEWEST_TRIED:
            hint = "\n(This is Python %d.%d; vmlab was tried with up to %d.%d.)" % (*sys.version_info[:2], *NEWEST_TRIED)
        sys.exit("%s%s" % (problem, hint))
    except KeyboardInterrupt:
        sys.exit("\nStopped. Nothing unfinished will be taken for finished: run the same command again to go on.")
