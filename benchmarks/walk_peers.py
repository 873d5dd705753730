"""A batch of 4-level translations beside other people's walkers on the very same tables: equal addresses.

unicorn is QEMU's processor as a library: `uc_vmem_translate` walks its tables. The package's Python knows no such
call, so a loop in C calls it. numpy goes level by level over the whole batch, and checks nothing. The tables are
those of the suite "translate" (1 MiB), with frames below 512 MiB: unicorn wants memory behind every page.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vmlab.arch.formats import page_format
from vmlab.bench import Case, Missing, build, lacks, load
from vmlab.units import PAGE_SIZE
from vmlab.virtual.address_space import AddressSpace
from vmlab.virtual.frames import FrameStore

SOURCE = Path(__file__).with_suffix(".c")
FORMAT, PAGES, COUNT = "x86-64-4", 1 << 17, 1 << 19
FRAMES = 1 << 17
ENTRY = np.uint64((FRAMES - 1) << 12 | 0xFFF)  # what of an entry is kept
GOALS = {"unicorn": 1 / 15, "numpy": 1 / 5}
CR0_PG, CR0_PE, CR4_PAE, EFER_LME_LMA, EFER = 1 << 31, 1, 1 << 5, 0x500, 0xC000_0080


def cases(shrink: int = 1) -> Iterator[Case | Missing]:
    """Random addresses of mapped pages."""
    pages, count = PAGES // shrink, COUNT // shrink
    space, vas = tables(pages), load("translate").addresses(pages, count, "random")
    yield Case(
        "4 levels, random", count, ours(space, vas), level_by_level(space, vas), GOALS["numpy"], "numpy, no checks"
    )
    if reason := lacks("unicorn", "unicorn"):
        yield Missing("4 levels, random, unicorn", reason)
    else:
        yield Case("4 levels, random", count, ours(space, vas), unicorn(space, vas), GOALS["unicorn"], "unicorn")


def tables(pages: int) -> AddressSpace:
    """The tables of "translate", their entries cut to frames that there are."""
    full = load("translate").space(FORMAT, pages)
    held = np.arange(1, full.frames.nr_frames + 1)
    words = full.frames.words[: (len(held) + 1) * full.frames.per_frame] & ENTRY
    store = FrameStore(8)
    store.fill(held, words.view(np.uint8).reshape(-1, PAGE_SIZE)[1:])
    return AddressSpace(page_format(FORMAT), store, full.root_pa)


def ours(space: AddressSpace, vas: np.ndarray) -> Callable[[], Any]:
    """Our batch, through the method behind `translate`."""
    pas, status = np.empty(len(vas), np.uint64), np.empty(len(vas), np.uint32)

    def run() -> Any:
        space.translate_into(vas, pas, status)
        return pas.data

    return run


def level_by_level(space: AddressSpace, vas: np.ndarray) -> Callable[[], Any]:
    """All addresses of the batch one level down at a time."""
    words, frame = space.frames.words, ~np.uint64(0xFFF)

    def run() -> Any:
        table = np.full(len(vas), space.root_pa, np.uint64)
        for shift in (39, 30, 21, 12):
            index = vas >> np.uint64(shift) & np.uint64(511)
            table = words[(table >> np.uint64(3)) + index] & frame
        return (table | vas & np.uint64(0xFFF)).data

    return run


@functools.cache
def memory() -> np.ndarray:
    """Physical memory for unicorn, at a page's border; untouched parts take nothing."""
    return np.frombuffer(mmap.mmap(-1, FRAMES * PAGE_SIZE), np.uint64)


def unicorn(space: AddressSpace, vas: np.ndarray) -> Callable[[], Any]:
    """QEMU's walk of the same tables, its registers set as a kernel does."""
    import unicorn as uc
    from unicorn import x86_const as x86
    from unicorn.unicorn_py3.unicorn import uclib

    used = (space.frames.nr_frames + 1) * space.frames.per_frame
    memory()[:used] = space.frames.words[:used]
    machine = uc.Uc(uc.UC_ARCH_X86, uc.UC_MODE_64)
    machine.mem_map_ptr(0, FRAMES * PAGE_SIZE, uc.UC_PROT_ALL, _at(memory()))
    machine.reg_write(x86.UC_X86_REG_CR4, CR4_PAE)
    machine.reg_write(x86.UC_X86_REG_MSR, (EFER, EFER_LME_LMA))
    machine.reg_write(x86.UC_X86_REG_CR3, space.root_pa)
    machine.reg_write(x86.UC_X86_REG_CR0, CR0_PG | CR0_PE)
    function = build(SOURCE).translate_all
    function.restype = ctypes.c_size_t
    pas, translate = np.zeros(len(vas), np.uint64), ctypes.cast(uclib.uc_vmem_translate, ctypes.c_void_p)

    def run() -> Any:
        done = function(translate, machine._uch, _at(vas), _at(pas), ctypes.c_size_t(len(vas)))
        assert done == len(vas), f"unicorn translated {done} of {len(vas)} addresses"
        return pas.data

    return run


def _at(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
