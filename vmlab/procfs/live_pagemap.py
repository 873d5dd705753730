"""Reading pagemap of a process that lives: one open file, a batch of pages by pread.

Rights: opening needs the right to trace the process; frame numbers and swap slots read as zero unless the opener
has CAP_SYS_ADMIN (Linux 6.1, fs/proc/task_mmu.c: pagemap_open, pagemap_read; 4.0 and 4.1 refused to open).
"""

from __future__ import annotations

import errno
import mmap
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from ..record import load_machine
from ..units import VmlabError, group_hex
from .pagemap import ENTRY_BYTES, Pagemap

if TYPE_CHECKING:
    from types import TracebackType

    from .pagemap import Words

PROC = Path("/proc")
SAMPLE = ("amd64-pc-1g", "p1", "swap1")  # a process half of whose pages are swapped out
SAMPLE_PAGES = range(0xC0_0000, 0xC1_0000, 0x1000)


class PagemapFile:
    """An open pagemap: `read` may be called again and again. Close it, or use it in `with`."""

    def __init__(self, pid: int | str = "self", proc: Path = PROC) -> None:
        self.path = proc / str(pid) / "pagemap"
        self.pid = pid
        try:
            self.fd = os.open(self.path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except OSError as bad:
            raise VmlabError(refusal(self.path, pid, bad)) from None

    def __enter__(self) -> PagemapFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, bad: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; a second time does nothing."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def read(self, start: int, pages: int, into: Words | None = None) -> Pagemap:
        """Entries of `pages` pages from virtual address `start`; `into` is an array to reuse."""
        import numpy as np

        size = mmap.PAGESIZE
        check_range(start, pages, size)
        words = np.empty(pages, np.uint64) if into is None else into
        if words.dtype != np.uint64 or words.shape != (pages,):
            raise VmlabError(f"into: expected {pages} uint64, got {words.dtype} of shape {words.shape}")
        view, done, wanted = words.view(np.uint8).data, 0, pages * ENTRY_BYTES
        while done < wanted:
            try:
                got = os.preadv(self.fd, [view[done:]], start // size * ENTRY_BYTES + done)
            except OSError as bad:
                raise VmlabError(refusal(self.path, self.pid, bad)) from None
            if not got:
                raise VmlabError(_ended(self.path, start, done // ENTRY_BYTES, pages, size))
            done += got
        return Pagemap(start, words, f"{self.path} at {group_hex(start)}", size)


def check_range(start: int, pages: int, size: int) -> None:
    """Refuse a range that is no whole pages of 64-bit addresses."""
    if not isinstance(start, int) or start < 0 or start % size:
        raise VmlabError(f"start: expected an address that is a multiple of {size}, got {start!r}; round it down first")
    if not isinstance(pages, int) or isinstance(pages, bool) or pages < 1:
        raise VmlabError(f"pages: expected a count of at least 1, got {pages!r}")
    if start + pages * size > 1 << 64:
        raise VmlabError(f"the range ends at {start + pages * size:#x}, beyond any address of 64 bits: ask for less")


def refusal(path: Path, pid: int | str, bad: OSError) -> str:
    """What an error of the system means here, and what to do."""
    if platform.system() != "Linux" or not path.parent.parent.is_dir():
        return f"{path}: it exists on Linux only; sample_pagemap() gives a recorded process's"
    if bad.errno in (errno.ENOENT, errno.ESRCH):
        return f"{path}: no process {pid}, or none with memory of its own: it is gone, or a kernel thread; see `ps -e`"
    if bad.errno in (errno.EACCES, errno.EPERM):
        return f"{path}: refused: reading another user's pages needs the right to trace it; be its user, or root (sudo)"
    return f"{path}: cannot be read: {bad.strerror}"


def _ended(path: Path, start: int, got: int, pages: int, size: int) -> str:
    what = f"end at {group_hex(start + got * size)}" if got else f"do not reach {group_hex(start)}"
    return (
        f"{path}: {got} of {pages} pages could be read: the process's addresses {what}, or it has exited meanwhile; "
        "/proc/PID/maps shows what it has"
    )


def read_pagemap(pid: int | str, start: int, pages: int, proc: Path = PROC) -> Pagemap:
    """Entries of `pages` pages of a process on this machine ("self": this one), from virtual address `start`."""
    check_range(start, pages, mmap.PAGESIZE)
    with PagemapFile(pid, proc) as file:
        return file.read(start, pages)


def sample_pagemap() -> Pagemap:
    """Sixteen pages of a recorded process, as its own kernel told them: half are swapped out, half never touched."""
    import numpy as np

    name, process, stage = SAMPLE
    recorded = load_machine(name).recorded
    cases = recorded.data["swap"][stage]["cases"] if recorded else []
    told = {case["va"]: case["pagemap"]["raw"] for case in cases if case["proc"] == process}
    words = np.array([told[va] for va in SAMPLE_PAGES], np.uint64)
    return Pagemap(SAMPLE_PAGES.start, words, f"a sample: process {process} of the recorded PC {name}, {stage}")
