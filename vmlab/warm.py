"""`vmlab warm`: do once, with a progress bar, what would make a lesson's first cell stall.

That is compiling every kernel, and matplotlib's list of fonts. Each step is a process of its own, as many at
once as there are processors, and a polite one: the lab opens meanwhile. A mark beside the compiled kernels
says for which numba and which processor this was done, so that a second call costs nothing.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from . import jit

DAYS_TO_KEEP = 7
FONTS = "matplotlib's fonts"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `vmlab warm`."""
    parser.add_argument("--again", action="store_true", help="go through all of it even if it was done before")


def run(args: argparse.Namespace) -> int:
    """Warm what is cold and say what was done; 1 if a step failed."""
    preparation = Preparation(again=args.again)
    count = len(preparation.waiting)
    preparation.run()
    if not preparation.failed:
        print(f"{count} prepared." if count else "Everything is warm.")
    return int(bool(preparation.failed))


class Preparation:
    """The steps that are still to do: `run()` does them all, `stop()` from another thread ends that early."""

    def __init__(self, again: bool = False) -> None:
        """Find out what is cold; nothing is started yet."""
        kernels = [] if is_compiled() and not again else modules_to_compile()
        self.waiting = kernels + fonts_to_list()
        self.failed: list[str] = []
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._stopped = False

    def run(self) -> None:
        """Do all steps, with a bar on a terminal and a line per step elsewhere; a failed one is told at the end."""
        if not self.waiting:
            return
        from tqdm import tqdm

        bar = tqdm(total=len(self.waiting), desc="Preparing", unit="step", leave=False, disable=None)
        try:
            while (self.waiting or self._running) and not self._stopped:
                self._start_some(print_each=bar.disable)
                bar.set_postfix_str(", ".join(self._running))
                time.sleep(0.1)
                bar.update(self._collect())
        finally:
            bar.close()
            for process in self._running.values():  # only when we were stopped is there still one
                process.kill()
                process.wait()
        for line in self.failed:
            print(f"vmlab: could not prepare {line}", file=sys.stderr)
        if not self._stopped and not self.failed:
            mark_compiled()

    def stop(self) -> None:
        """Have `run()` end soon; what was finished stays finished."""
        self._stopped = True

    def _start_some(self, print_each: bool) -> None:
        while self.waiting and len(self._running) < (os.cpu_count() or 1):
            name = self.waiting.pop(0)
            if print_each:
                print(f"Preparing {name} ...", flush=True)
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "vmlab.warm", name],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )

    def _collect(self) -> int:
        done = [name for name, process in self._running.items() if process.poll() is not None]
        for name in done:
            process = self._running.pop(name)
            said = process.communicate()[1].strip().splitlines()
            if process.returncode:
                self.failed.append(f"{name}: {said[-1] if said else f'exit code {process.returncode}'}")
        return len(done)


def warm() -> None:
    """Prepare what is not yet prepared."""
    Preparation().run()


def do_step(name: str) -> None:
    """Do one step in this process."""
    if name == FONTS:
        importlib.import_module("matplotlib.font_manager")
        return
    importlib.import_module(name)
    for step in jit.warmers:
        if step.__module__ == name:
            step()


# --- compiled kernels ---


def modules_to_compile() -> list[str]:
    """Name the modules that have a warmer."""
    if jit.cache_folder() is None:
        return []  # nowhere to keep what another process compiles
    paths = [path for path in jit.kernel_files() if b"\n@warmer\n" in path.read_bytes()]
    return [".".join(("vmlab", *path.relative_to(jit.PACKAGE).with_suffix("").parts)) for path in paths]


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


def fonts_to_list() -> list[str]:
    """Return the step that makes matplotlib's font list, where the lab's own folder has none.

    Otherwise the first lesson that plots would begin with a red message about it.
    """
    folder = os.environ.get("MPLCONFIGDIR")
    if folder is None or any(Path(folder).glob("fontlist-*.json")):
        return []
    Path(folder).mkdir(parents=True, exist_ok=True)
    return [FONTS]


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(10)  # the server that starts meanwhile, and a lesson already open, go first
    do_step(sys.argv[1])
