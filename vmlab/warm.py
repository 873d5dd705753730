"""`vmlab warm`: do once, with a progress bar, what would make a lesson's first cell stall.

That is compiling every kernel, and matplotlib's list of fonts. A mark beside the compiled kernels says for
which numba and which processor this was done, so that a second call costs nothing.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import shutil
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from . import jit

DAYS_TO_KEEP = 7


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `vmlab warm`."""
    parser.add_argument("--again", action="store_true", help="go through all of it even if it was done before")


def run(args: argparse.Namespace) -> int:
    """Warm what is cold and say what was done."""
    count = warm(again=args.again)
    print(f"{count} prepared." if count else "Everything is warm.")
    return 0


def warm(again: bool = False) -> int:
    """Prepare what is not yet prepared; return how many steps that took."""
    steps = ([] if is_compiled() and not again else compile_steps()) + font_steps()
    if not steps:
        return 0
    from tqdm import tqdm

    with tqdm(steps, desc="Preparing", unit="step", leave=False, disable=None) as bar:
        for name, step in bar:
            if bar.disable:  # not a terminal: plain lines instead of a bar
                print(f"Preparing {name} ...", flush=True)
            bar.set_postfix_str(name)
            step()
    mark_compiled()
    return len(steps)


# --- compiled kernels ---


def compile_steps() -> list[tuple[str, Callable[[], object]]]:
    """Import every module that defines kernels and return what its warmers have to do."""
    for path in jit.kernel_files():
        inside = path.relative_to(jit.PACKAGE).with_suffix("").parts
        importlib.import_module(".".join((__package__ or "vmlab", *inside)).removesuffix(".__init__"))
    return [(step.__module__, step) for step in jit.warmers]


def is_compiled() -> bool:
    """Tell whether this was done before: same sources, same numba, same processor."""
    if not jit.kernel_files():
        return True
    folder = jit.cache_folder()
    if folder is None:
        return False
    try:
        return (folder / "warm").read_text(encoding="utf-8") == what_counts()
    except OSError:
        return False


def mark_compiled() -> None:
    """Leave the mark, and throw away what belongs to sources of long ago."""
    folder = jit.cache_folder()
    if folder is None or not jit.kernel_files():
        return
    unfinished = folder / "warm.tmp"
    unfinished.write_text(what_counts(), encoding="utf-8")
    unfinished.replace(folder / "warm")
    long_ago = time.time() - DAYS_TO_KEEP * 86400
    for other in folder.parent.glob("kernels-*"):
        if other != folder and other.stat().st_mtime < long_ago:
            shutil.rmtree(other, ignore_errors=True)


def what_counts() -> str:
    """Name the numba, Python and processor that compiled kernels are good for."""
    return "\n".join((version("numba"), platform.python_version(), platform.machine(), processor()))


def processor() -> str:
    """Return the processor's name, as Linux gives it where it does."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("model name", "CPU part"))), platform.processor())


# --- fonts ---


def font_steps() -> list[tuple[str, Callable[[], object]]]:
    """Return the making of matplotlib's font list where the lab's own folder has none.

    Otherwise the first lesson that plots would begin with a red message about it.
    """
    folder = os.environ.get("MPLCONFIGDIR")
    if folder is None or any(Path(folder).glob("fontlist-*.json")):
        return []
    Path(folder).mkdir(parents=True, exist_ok=True)
    return [("matplotlib's fonts", lambda: importlib.import_module("matplotlib.font_manager"))]
