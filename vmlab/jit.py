"""The one decorator of every compiled kernel, and where its compiled form is kept.

    from .jit import inline, kernel, warmer

    @inline
    def _entry_pa(entry): ...          # a helper, compiled into whoever calls it

    @kernel
    def _walk(words, root, va, trace): ...

    @warmer
    def _warm():                       # calls each kernel once with the types that lessons use
        _walk(np.zeros(512, np.uint64), ...)

Importing this module is free: numba is imported when the first function is decorated. A kernel keeps no
reference counts (`_nrt=False`): that is what makes it as fast as C, and numba then refuses a kernel that
would allocate, which is the discipline we want. The compiled form depends on every file that defines
kernels, since numba alone would not notice a changed helper or constant in another file: a digest of all
of them is part of the folder's name.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

PACKAGE = Path(__file__).resolve().parent
_USES_KERNELS = re.compile(rb"^from (?:\.+|vmlab\.)jit import ", re.MULTILINE)

kernels: list[Any] = []
"""Every kernel decorated so far, as numba's dispatchers."""

warmers: list[Callable[[], object]] = []
"""Functions that call the kernels of their module once, so that they are compiled."""


def kernel(function: Function) -> Function:
    """Compile a hot loop: no GIL, no reference counts, the result kept on disk."""
    compiled = _njit(function)
    if hasattr(compiled, "enable_caching"):  # not so under NUMBA_DISABLE_JIT=1, where it is the function itself
        _keep_on_disk(compiled)
        kernels.append(compiled)
    return compiled


def inline(function: Function) -> Function:
    """Compile a helper into each kernel that calls it."""
    return _njit(function, forceinline=True)


def source(function: Function) -> Function:
    """Mark what runs as plain Python, and is compiled into kernels of other files: it stays as it is.

    Its file is then one of those that define kernels, so a change to it compiles them again.
    """
    return function


def warmer(function: Callable[[], object]) -> Callable[[], object]:
    """Register what `vmlab warm` has to call to compile the kernels of one module."""
    warmers.append(function)
    return function


def _njit(function: Function, **options: bool) -> Function:
    """Apply numba.njit, without reference counting where this numba offers it."""
    from numba import njit

    try:
        return njit(nogil=True, _nrt=False, **options)(function)
    except (KeyError, TypeError, NameError):  # an underscore option may go: correct without it, only slower
        return njit(nogil=True, **options)(function)


def _keep_on_disk(compiled: Any) -> None:
    """Let numba keep a kernel in our folder; where nothing can be written it is compiled in each process."""
    from numba.core import config

    folder = cache_folder()
    if folder is None:
        return
    asked = config.CACHE_DIR
    config.CACHE_DIR = str(folder)  # numba fixes a function's place now; the user's own functions keep theirs
    try:
        with contextlib.suppress(RuntimeError, OSError):
            compiled.enable_caching()
            _one_writer_at_a_time(compiled, folder)
    finally:
        config.CACHE_DIR = asked


def _one_writer_at_a_time(compiled: Any, folder: Path) -> None:
    """Guard the writing of a kernel's cache against other processes.

    Numba numbers a kernel's data files from the index that it read before: two processes that compile it for
    different types at once may take the same number, and then one type's code is loaded for the other.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no such lock
        return
    save = compiled._cache.save_overload

    def save_alone(signature: Any, data: Any) -> None:
        with contextlib.suppress(OSError), (folder / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            save(signature, data)

    compiled._cache.save_overload = save_alone


# --- where compiled kernels are kept ---


@functools.cache
def cache_folder() -> Path | None:
    """Return the folder for compiled kernels: in the package, else in the user's cache, else nowhere.

    What stands in one that can only be read is copied to the next: numba takes nothing from where it cannot write.
    """
    name, ready = f"kernels-{_digest()}", None
    for base in _cache_bases():
        folder = base / name
        try:
            if ready is not None and not folder.exists():
                _copy_whole(ready, folder)
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
        ready = folder
    return None


def _copy_whole(ready: Path, folder: Path) -> None:
    """Copy a folder so that it is there with everything in it, or not at all, whoever else does the same."""
    import shutil
    import tempfile

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="copy-") as part, contextlib.suppress(OSError):
        copy = shutil.copytree(ready, Path(part) / "all", copy_function=shutil.copyfile)
        Path(copy).rename(folder)


def _cache_bases() -> list[Path]:
    """Return where a cache may lie, best first."""
    if asked := os.environ.get("NUMBA_CACHE_DIR"):
        return [Path(asked)]
    bases = [PACKAGE / "__pycache__"]
    with contextlib.suppress(RuntimeError):  # there may be no home folder at all
        bases.append(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vmlab")
    return bases


def kernel_files() -> list[Path]:
    """Return the package's files that define kernels, found by their import line, in a fixed order."""
    return [path for path in sorted(PACKAGE.rglob("*.py")) if _USES_KERNELS.search(path.read_bytes())]


def _digest() -> str:
    """Name the sources of all kernels, and what else changes the code that numba makes of them."""
    digest = hashlib.sha256(os.environ.get("NUMBA_BOUNDSCHECK", "").encode())
    for path in kernel_files():
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
