"""The PAGEMAP_SCAN ioctl: which pages of a range are of a kind, as runs instead of one word a page.

Since Linux 6.7 (include/uapi/linux/fs.h, fs/proc/task_mmu.c: do_pagemap_scan). Holes and huge pages cost nothing
for each small page, so a sparse gigabyte is scanned many times faster than it is read. It tells no frame numbers.
Left out: asking for and write-protecting in one step (PM_SCAN_WP_MATCHING), which needs a userfaultfd.
"""

from __future__ import annotations

import errno
import functools
import mmap
import os
import platform
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ..units import VmlabError
from .live_pagemap import PROC, PagemapFile, check_range, refusal

PAGEMAP_SCAN = 0xC060_6610  # _IOWR('f', 16, struct pm_scan_arg) with its 96 bytes
CATEGORIES = {
    "wp_allowed": 1,
    "written": 2,
    "file": 4,
    "present": 8,
    "swapped": 16,
    "pfn_zero": 32,
    "huge": 64,
    "soft_dirty": 128,
    "guard": 256,  # 6.15
}
TOLD = ("file", "present", "swapped", "pfn_zero", "huge")  # all that 6.7 knows, but those of userfaultfd
ARG_WORDS, REGION_WORDS = 12, 3
REGIONS = 1 << 9  # at once: a small buffer, which stays in the cache
WALK_END = 4  # of pm_scan_arg: where the kernel stopped


class Region(NamedTuple):
    """A run of pages of equal categories: bytes `start`..`end`, half open."""

    start: int
    end: int
    categories: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start


def has_pagemap_scan() -> bool:
    """Whether this machine's kernel has it."""
    try:
        scan_pagemap("self", 0, mmap.PAGESIZE)
    except VmlabError:
        return False
    return True


def scan_pagemap(
    pid: int | str,
    start: int,
    end: int,
    all_of: Iterable[str] = (),
    any_of: Iterable[str] = ("present", "swapped"),
    proc: Path = PROC,
) -> list[Region]:
    """Runs of pages in `start`..`end` that are all of `all_of` and at least one of `any_of` (nothing: any page)."""
    _check(start, end)
    with PagemapFile(pid, proc) as file:
        return scan(file, start, end, all_of, any_of)


def scan(
    file: PagemapFile,
    start: int,
    end: int,
    all_of: Iterable[str] = (),
    any_of: Iterable[str] = ("present", "swapped"),
) -> list[Region]:
    """The same of a pagemap that is open already, for those who scan again and again."""
    _check(start, end)
    rows = _rows(file, start, end, mask(all_of), mask(any_of))
    return [Region(low, high, names(found)) for low, high, found in rows]


def _check(start: int, end: int) -> None:
    size = mmap.PAGESIZE
    check_range(start, (end - start) // size, size)
    if end % size:
        raise VmlabError(f"end: expected a multiple of {size}, got {end:#x}")


def mask(wanted: Iterable[str]) -> int:
    """Categories as bits."""
    wanted = (wanted,) if isinstance(wanted, str) else tuple(wanted)
    if strange := [name for name in wanted if name not in CATEGORIES]:
        raise VmlabError(f"categories: expected some of {', '.join(CATEGORIES)}; got {strange[0]!r}")
    return sum(CATEGORIES[name] for name in set(wanted))


@functools.cache
def names(bits: int) -> tuple[str, ...]:
    """Bits as categories."""
    return tuple(name for name, bit in CATEGORIES.items() if bits & bit)


def _rows(file: PagemapFile, start: int, end: int, all_of: int, any_of: int) -> list[tuple[int, int, int]]:
    """(start, end, categories) of each run; runs that the kernel cut at the end of our buffer are joined."""
    regions = array("Q", bytes(8 * REGION_WORDS * REGIONS))
    at, told = regions.buffer_info()[0], mask(TOLD)
    rows: list[tuple[int, int, int]] = []
    while start < end:
        arg = array("Q", (8 * ARG_WORDS, 0, start, end, 0, at, REGIONS, 0, 0, all_of, any_of, told))
        found = _ioctl(file, arg)
        words = iter(regions[: found * REGION_WORDS])
        for low, high, bits in zip(words, words, words, strict=True):
            if rows and rows[-1][1] == low and rows[-1][2] == bits:
                rows[-1] = (rows[-1][0], high, bits)
            else:
                rows.append((low, high, bits))
        if arg[WALK_END] <= start:
            raise VmlabError(f"{file.path}: the scan stands still at {start:#x}: the process may be gone")
        start = arg[WALK_END]
    return rows


def _ioctl(file: PagemapFile, arg: array[int]) -> int:
    try:
        import fcntl

        return int(fcntl.ioctl(file.fd, PAGEMAP_SCAN, arg, True))
    except ImportError:
        raise VmlabError("PAGEMAP_SCAN is Linux's; on this system there is none") from None
    except OSError as bad:
        if bad.errno in (errno.ENOTTY, errno.EINVAL):
            raise VmlabError(
                f"this kernel ({platform.release()}) has no PAGEMAP_SCAN: it came with Linux 6.7; "
                "read_pagemap tells the same, one word a page"
            ) from None
        if bad.errno == errno.EFAULT:
            raise VmlabError(f"{file.path}: the range is beyond the process's addresses: {os.strerror(14)}") from None
        raise VmlabError(refusal(file.path, file.pid, bad)) from None
