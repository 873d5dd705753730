"""/proc/kpagecount and /proc/kpageflags: eight bytes a page frame, for root alone.

How often a frame is mapped, and what the kernel uses it for. Formats: Linux 6.1, fs/proc/page.c
(kpagecount_read, stable_page_flags) and include/uapi/linux/kernel-page-flags.h. Flags from 32 on are for kernel
developers and may change with any version.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..units import VmlabError
from .pagemap import ENTRY_BYTES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Words = npt.NDArray[np.uint64]

PROC = Path("/proc")
NOPAGE = 20
# fmt: off
STABLE = (  # bits 0 to 26
    "LOCKED", "ERROR", "REFERENCED", "UPTODATE", "DIRTY", "LRU", "ACTIVE", "SLAB", "WRITEBACK", "RECLAIM", "BUDDY",
    "MMAP", "ANON", "SWAPCACHE", "SWAPBACKED", "COMPOUND_HEAD", "COMPOUND_TAIL", "HUGE", "UNEVICTABLE", "HWPOISON",
    "NOPAGE", "KSM", "THP", "OFFLINE", "ZERO_PAGE", "IDLE", "PGTABLE",
)
FOR_DEVELOPERS = (  # from bit 32 on
    "RESERVED", "MLOCKED", "MAPPEDTODISK", "PRIVATE", "PRIVATE_2", "OWNER_PRIVATE", "ARCH", "UNCACHED", "SOFTDIRTY",
    "ARCH_2",
)
# fmt: on
FLAGS = dict(enumerate(STABLE)) | dict(enumerate(FOR_DEVELOPERS, 32))
BIT = {name: bit for bit, name in FLAGS.items()}


def flag_names(word: int) -> tuple[str, ...]:
    """The names of a frame's flags; a bit without a name here is called by its number."""
    if not isinstance(word, int) or not 0 <= word < 1 << 64:
        raise VmlabError(f"flags: expected a number of 64 bits, got {word!r}")
    return tuple(FLAGS.get(bit, f"bit {bit}") for bit in range(64) if word >> bit & 1)


def flag_word(names: Iterable[str]) -> int:
    """The flags' number, from their names."""
    names = list(names)
    if strange := [name for name in names if name not in BIT]:
        raise VmlabError(f"flags: expected some of {', '.join(BIT)}; got {strange[0]!r}")
    return sum(1 << BIT[name] for name in set(names))


def read_kpagecount(pfns: Iterable[int], proc: Path = PROC) -> Words:
    """How often each frame is mapped, in the order asked for; 0 for frames that do not exist."""
    return _read(proc / "kpagecount", pfns, 0)


def read_kpageflags(pfns: Iterable[int], proc: Path = PROC) -> Words:
    """Each frame's flags, in the order asked for; NOPAGE for frames that do not exist."""
    return _read(proc / "kpageflags", pfns, 1 << NOPAGE)


def _read(path: Path, pfns: Iterable[int], beyond: int) -> Words:
    """Runs of neighbours are read together."""
    import numpy as np

    wanted = np.asarray(pfns if isinstance(pfns, np.ndarray) else list(pfns))
    if wanted.size and (wanted.ndim != 1 or wanted.dtype.kind not in "ui" or int(wanted.min()) < 0):
        raise VmlabError("pfns: expected frame numbers, whole and not negative")
    wanted = wanted.astype(np.uint64)
    frames, back = np.unique(wanted, return_inverse=True)
    words = np.full(len(frames), beyond, np.uint64)
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError as bad:
        raise VmlabError(_refusal(path, bad)) from None
    try:
        edges = np.flatnonzero(np.diff(frames) != np.uint64(1)) + 1
        for run in np.split(np.arange(len(frames)), edges):
            if len(run):
                _fill(fd, words[run[0] : run[-1] + 1], int(frames[run[0]]))
    finally:
        os.close(fd)
    return words[back]


def _fill(fd: int, words: Words, pfn: int) -> None:
    """Read into `words` as far as there are frames."""
    import numpy as np

    view, done = words.view(np.uint8).data, 0
    if pfn >= 1 << 52:  # no file offset reaches there, and no frame either
        return
    while done < len(view):
        got = os.preadv(fd, [view[done:]], pfn * ENTRY_BYTES + done)
        if not got:
            return
        done += got


def _refusal(path: Path, bad: OSError) -> str:
    if platform.system() != "Linux":
        return f"{path}: it exists on Linux only"
    return f"{path}: cannot be read: {bad.strerror}; it is for root alone (sudo)"
