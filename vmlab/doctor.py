"""`vmlab doctor`: what is missing on this machine, and what that costs.

Nothing here is needed to open the lab; each line says what works less well without.
"""

from __future__ import annotations

import argparse
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from . import jit, warm

EMULATORS = ("qemu-system-x86_64", "qemu-system-i386", "qemu-system-arm", "qemu-system-aarch64")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Check(NamedTuple):
    """One thing to look for, what goes without it, and how to get it."""

    what: str
    is_there: Callable[[], bool]
    cost: str
    remedy: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`vmlab doctor` has no options."""


def run(args: argparse.Namespace) -> int:
    """Print one line per check; always succeeds, since everything here can be done without."""
    for check in CHECKS:
        if check.is_there():
            print(f"yes   {check.what}")
        else:
            print(f"no    {check.what}\n        without it: {check.cost}\n        to get it:  {check.remedy}")
    return 0


def sees_frame_numbers() -> bool:
    """Tell whether pagemap shows frame numbers: since Linux 4.2 they read as 0 without CAP_SYS_ADMIN."""
    page = bytearray(4096)  # something of ours that is certainly in memory
    va = id(page)
    try:
        with Path("/proc/self/pagemap").open("rb") as pagemap:
            pagemap.seek(va // os.sysconf("SC_PAGE_SIZE") * 8)
            (entry,) = struct.unpack("Q", pagemap.read(8))
    except (OSError, struct.error):
        return False
    return bool(entry & ((1 << 55) - 1))


def shows_addresses(path: str) -> bool:
    """Tell whether a /proc file can be read and shows real addresses, not the zeros that others get."""
    try:
        lines = Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    return any(line.strip(" 0-:") and not line.lstrip().startswith("00000000-00000000") for line in lines)


def can_sandbox() -> bool:
    """Tell whether bubblewrap is there and gets the namespaces that the grader asks for."""
    program = shutil.which("bwrap")
    if program is None:
        return False
    command = [program, "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", sys.executable, "-S", "-c", ""]
    try:
        return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def readable(path: str) -> Callable[[], bool]:
    """Return a check for a file that this user can read."""
    return lambda: os.access(path, os.R_OK)


CHECKS = (
    Check(
        "Linux's /proc/zoneinfo and /proc/buddyinfo",
        lambda: os.access("/proc/zoneinfo", os.R_OK) and os.access("/proc/buddyinfo", os.R_OK),
        "the parts on your own machine show a shipped sample instead",
        "run vmlab on Linux (a virtual machine will do)",
    ),
    Check(
        "physical addresses in /proc/iomem",
        lambda: shows_addresses("/proc/iomem"),
        "your own machine's memory map shows as zeros, and the lesson shows a shipped sample",
        "open the lab as root: `sudo .venv/bin/vmlab lab`",
    ),
    Check(
        "frame numbers in /proc/self/pagemap",
        sees_frame_numbers,
        "the lessons cannot show which frames hold your own pages",
        "open the lab as root: `sudo .venv/bin/vmlab lab`",
    ),
    Check(
        "/proc/kpageflags",
        readable("/proc/kpageflags"),
        "the lessons cannot show what your machine's frames are used for",
        "open the lab as root; the kernel needs CONFIG_PROC_PAGE_MONITOR",
    ),
    Check(
        "a place to keep compiled kernels",
        lambda: jit.cache_folder() is not None,
        "every notebook compiles them anew when it starts",
        "make the package's folder or ~/.cache writable",
    ),
    Check("compiled kernels", warm.is_compiled, "the first cell that needs one waits for it", "run `vmlab warm`"),
    Check(
        "QEMU",
        lambda: any(map(shutil.which, EMULATORS)),
        "no kernel can be booted here: `vmlab record` refuses, and recorded machines are all there is",
        "`sudo apt-get install qemu-system-x86 qemu-system-arm`",
    ),
    Check(
        "bubblewrap, and a kernel that lets it make namespaces",
        can_sandbox,
        "`vmlab grade` takes the next strongest sandbox and says what is weaker in it (an instructor's concern)",
        "`sudo apt-get install bubblewrap`; in a container, allow unprivileged user namespaces",
    ),
    Check(
        "gcc",
        lambda: shutil.which("gcc") is not None,
        "`vmlab bench` has no C to compare with, and `vmlab record` cannot build the program that asks the kernel",
        "`sudo apt-get install gcc libc6-dev`",
    ),
    Check(
        "valgrind",
        lambda: shutil.which("valgrind") is not None,
        "`vmlab trace` cannot record programs of yours; the shipped traces are all there is",
        "`sudo apt-get install valgrind`",
    ),
    Check(
        "Chromium",
        lambda: any(map(shutil.which, BROWSERS)),
        "the browser tests are skipped (a developer's concern; the lab opens in any browser)",
        "`sudo apt-get install chromium`",
    ),
)

if not sys.platform.startswith("linux"):
    CHECKS = CHECKS[:1] + CHECKS[4:]
