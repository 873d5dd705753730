"""This process's own pagemap against a reader in C, compiled on the spot: same pages, same words, same columns.

Memory of the benchmark itself: small pages all touched, an untouched range with a few pages in it, and a range of
huge pages. The scans are compared with what one would do without the ioctl: read every word, in C; both sides have
the file open.

What stands between some rows and their goals (Linux 6.18, a busy machine). Of huge pages the ioctl alone, without any
of our code, takes 0.09 of the reference (median of 120 rounds, three runs), and with our code 0.11 to 0.13: little
room is left below 0.1. The fastest turns say otherwise (0.24 to 0.35 for the ioctl alone), because the reference's
are several times below its median; why is not known. The sparse row lies at its goal: 0.097 in 101 rounds, 0.13 in 11.
Decoding seems bound by memory: at best ours takes 0.24 ns a word, filling two new arrays of that size 0.18, and
numpy 3.7, so the filling alone would be about 20 times faster than numpy.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from vmlab.bench import Case, Missing, build
from vmlab.procfs.live_pagemap import PagemapFile
from vmlab.procfs.pagemap import COUNTED, Columns, columns
from vmlab.procfs.pagemap_scan import has_pagemap_scan, scan
from vmlab.units import GiB, MiB, VmlabError

SOURCE = Path(__file__).with_suffix(".c")
TOUCHED, SPARSE = 256 * MiB, GiB
EVERY = 64 * MiB  # of the sparse range: one page touched
HUGE = 2 * MiB
MADV_HUGEPAGE, MADV_NOHUGEPAGE = 14, 15
SCAN_GOAL, NUMPY_GOAL = 0.10, 1 / 20


class Answer:
    """Arrays that are equal to another answer's, item by item."""

    def __init__(self, *arrays: np.ndarray) -> None:
        self.arrays = arrays

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Answer) or len(self.arrays) != len(other.arrays):
            return False
        return all(np.array_equal(mine, its) for mine, its in zip(self.arrays, other.arrays, strict=True))

    __hash__ = None  # type: ignore[assignment]


@functools.cache
def memory(size: int, every: int, advice: int) -> tuple[int, mmap.mmap]:
    """Address of `size` bytes, one page touched in `every` bytes; aligned to a huge page."""
    area = mmap.mmap(-1, size + HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    start = ctypes.addressof(ctypes.c_char.from_buffer(area))
    va = -(-start // HUGE) * HUGE
    area.madvise(advice)
    for at in range(va - start, va - start + size, every):
        area[at] = 1
    return va, area


@functools.cache
def file() -> PagemapFile:
    """Our own pagemap, opened once."""
    return PagemapFile()


def cases(shrink: int = 1) -> Iterator[Case | Missing]:
    """Reading, decoding, and scanning what is sparse."""
    library = build(SOURCE)
    library.read_entries.restype = library.count_present.restype = ctypes.c_size_t
    pages = TOUCHED // shrink // mmap.PAGESIZE
    yield Case("read, 256 MiB of small pages", pages, read_ours(pages), read_reference(library, pages), 1.08)
    yield Case("decode: frames, flags, counts", pages, decode_ours(pages), decode_reference(library, pages), 1.0)
    numpy = Case("decode: frames, flags, counts", pages, decode_ours(pages), decode_numpy(pages), NUMPY_GOAL, "numpy")
    yield numpy
    if not has_pagemap_scan():
        yield Missing("PAGEMAP_SCAN", "this kernel has no PAGEMAP_SCAN: it came with Linux 6.7")
        return
    whole = SPARSE // mmap.PAGESIZE
    for name, every, advice, goal in (
        ("1 GiB, a page in every 64 MiB", EVERY, MADV_NOHUGEPAGE, SCAN_GOAL),
        ("1 GiB of huge pages", HUGE, MADV_HUGEPAGE, SCAN_GOAL),
    ):
        yield Case(
            f"PAGEMAP_SCAN, C reads: {name}",
            whole,
            scan_ours(every, advice),
            scan_reference(library, whole, every, advice),
            goal,
        )


def read_ours(pages: int) -> Callable[[], Answer]:
    """Our reader, into an array that it is given."""
    words = np.empty(pages, np.uint64)

    def run() -> Answer:
        va, _ = memory(TOUCHED, mmap.PAGESIZE, MADV_NOHUGEPAGE)
        return Answer(file().read(va, pages, words).words)

    return run


def read_reference(library: ctypes.CDLL, pages: int) -> Callable[[], Answer]:
    """The same by pread in C."""
    words = np.empty(pages, np.uint64)

    def run() -> Answer:
        va, _ = memory(TOUCHED, mmap.PAGESIZE, MADV_NOHUGEPAGE)
        got = library.read_entries(file().fd, ctypes.c_uint64(va // mmap.PAGESIZE), _at(words), ctypes.c_size_t(pages))
        if got != pages:
            raise VmlabError(f"C could read {got} of {pages} entries: {os.strerror(ctypes.get_errno())}")
        return Answer(words)

    return run


@functools.cache
def real_words(pages: int) -> np.ndarray:
    """Entries as the kernel gave them once."""
    va, _ = memory(TOUCHED, mmap.PAGESIZE, MADV_NOHUGEPAGE)
    return file().read(va, pages).words


def decode_ours(pages: int) -> Callable[[], Answer]:
    """Our columns, of words as the kernel gave them."""
    return lambda: Answer(*columns(real_words(pages)))


def decode_reference(library: ctypes.CDLL, pages: int) -> Callable[[], Answer]:
    """The same in C, which too makes its arrays anew."""

    def run() -> Answer:
        words = real_words(pages)
        made = Columns(np.empty(pages, np.uint64), np.empty(pages, np.uint16), np.zeros(len(COUNTED), np.int64))
        library.decode(_at(words), *map(_at, made), ctypes.c_size_t(pages))
        return Answer(*made)

    return run


def decode_numpy(pages: int) -> Callable[[], Answer]:
    """The same, a column at a time."""

    def run() -> Answer:
        words = real_words(pages)
        pfn = np.where(words >> np.uint64(63) == 1, words & np.uint64((1 << 55) - 1), np.uint64(0))
        flags = (words >> np.uint64(55)).astype(np.uint16)
        counts = [np.count_nonzero(words >> np.uint64(bit) & np.uint64(1)) for bit in (63, 62, 61, 56, 55)]
        return Answer(pfn, flags, np.array(counts))

    return run


def scan_ours(every: int, advice: int) -> Callable[[], int]:
    """Pages present, from the runs that the kernel tells."""

    def run() -> int:
        va, _ = memory(SPARSE, every, advice)
        runs = scan(file(), va, va + SPARSE, all_of=("present",), any_of=())
        return sum(run.size for run in runs) // mmap.PAGESIZE

    return run


def scan_reference(library: ctypes.CDLL, pages: int, every: int, advice: int) -> Callable[[], int]:
    """Pages present, from every word of the range."""
    words = np.empty(pages, np.uint64)

    def run() -> int:
        va, _ = memory(SPARSE, every, advice)
        vpn = ctypes.c_uint64(va // mmap.PAGESIZE)
        return int(library.count_present(file().fd, vpn, _at(words), ctypes.c_size_t(pages)))

    return run


def _at(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
