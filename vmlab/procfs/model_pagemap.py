"""pagemap, maps, smaps, kpagecount and kpageflags of a modelled kernel, in the form of the real ones.

    print(procfs.print_pagemap(k, p))              # every page that has an entry
    procfs.model_pagemap(k, p, 0x40_0000, 16)      # a Pagemap, as read_pagemap gives

Soft-dirty is told as by a kernel whose clear_refs nobody has used: set for every page of every area, where the
format has the bit (fs/proc/task_mmu.c: VM_SOFTDIRTY). Left out: flags of frames that the kernel itself uses, but
for free and reserved ones; device numbers and inodes. Pss is rounded once an area, as Linux does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..kernel import Kernel
from ..units import PAGE_SIZE, VmlabError
from .kpage import NOPAGE, flag_word
from .live_pagemap import check_range
from .maps import Mapping, Smaps, format_maps
from .pagemap import Pagemap, PagemapEntry

if TYPE_CHECKING:  # these load numpy
    from ..process.mm import MmStruct
    from ..process.page import PageFrame
    from ..process.process import Process
    from ..process.pte import Pte
    from ..process.vma import Vma
    from .pagemap import Words

SMAPS_LINES = ("Size", "Rss", "Pss", "Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty")
SMAPS_MORE = ("Referenced", "Anonymous", "LazyFree", "Swap", "SwapPss", "Locked")


def pagemap_of(mm: MmStruct, va: int) -> PagemapEntry:
    """What pagemap says of one page (pte_to_pagemap_entry)."""
    pte, area = mm.table.pte(va), mm.vmas.find(va)
    soft = bool(mm.table.row.written) and (area is not None or pte.soft_dirty)
    if pte.swap is not None:
        return PagemapEntry(swapped=True, soft_dirty=soft, swap_type=pte.swap.type, swap_offset=pte.swap.offset)
    if pte.pfn is None:
        return PagemapEntry(soft_dirty=soft)
    page = mm.memory.frames.get(pte.pfn)  # None: the zero page, which is no normal page
    shared, alone = bool(page and not page.anon), bool(page and page.mapcount == 1)
    return PagemapEntry(present=True, file_or_shared=shared, exclusive=alone, soft_dirty=soft, pfn=pte.pfn)


def model_pagemap(kernel: Kernel, process: Process, start: int, pages: int) -> Pagemap:
    """Entries of `pages` pages of a modelled process from virtual address `start`."""
    import numpy as np

    check_range(start, pages, PAGE_SIZE)
    mm = _space(kernel, process)
    if start + pages * PAGE_SIZE > mm.top:
        raise VmlabError(f"the range ends beyond {mm.top:#x}, where {process.name}'s addresses end: ask for less")
    words = [pagemap_of(mm, start + n * PAGE_SIZE).encode() for n in range(pages)]
    return Pagemap(start, np.array(words, np.uint64), f"process {process.pid} ({process.name}) of the model")


def print_pagemap(kernel: Kernel, process: Process) -> str:
    """Every page that has an entry, one a line: address, the 64 bits, and what they say."""
    mm = _space(kernel, process)
    rows = [(va, pagemap_of(mm, va)) for va, _ in mm.pages(0, mm.top)]
    return "".join(f"{va:012x} {entry.encode():016x} {entry.tell()}\n" for va, entry in rows)


def print_maps(kernel: Kernel, process: Process) -> str:
    """/proc/PID/maps of a modelled process."""
    word = 8 if kernel.slab.rules.word == 8 else 4
    return format_maps([_mapping(area) for area in _space(kernel, process).vmas], word)


def print_smaps(kernel: Kernel, process: Process) -> str:
    """/proc/PID/smaps of a modelled process, in its main lines."""
    word = 8 if kernel.slab.rules.word == 8 else 4
    text = ""
    for row in model_smaps(kernel, process):
        lines = (f"{name + ':':<15} {kib:>8} kB\n" for name, kib in row.kib.items())
        text += format_maps([row.mapping], word) + "".join(lines)
    return text


def model_smaps(kernel: Kernel, process: Process) -> list[Smaps]:
    """The areas of a modelled process and how much of each is in memory."""
    mm = _space(kernel, process)
    return [_smaps(kernel, mm, area) for area in mm.vmas]


def _smaps(kernel: Kernel, mm: MmStruct, area: Vma) -> Smaps:
    kib = dict.fromkeys((*SMAPS_LINES, *SMAPS_MORE), 0)
    kib["Size"] = (area.end - area.start) >> 10
    pss, swap_pss = 0.0, 0.0
    for _, pte in mm.pages(area.start, area.end):
        if pte.swap is not None:
            kib["Swap"] += 4
            swap_pss += 4 / (kernel.swap.count(pte.swap.slot) or 1)
        elif pte.pfn in mm.memory.frames:
            page = mm.memory.frames[pte.pfn]
            pss += 4 / page.mapcount
            for name in _counted(page, pte):
                kib[name] += 4
    kib |= {"Pss": int(pss), "SwapPss": int(swap_pss), "Locked": int(pss) if area.locked else 0}
    return Smaps(_mapping(area), kib)


def _counted(page: PageFrame, pte: Pte) -> list[str]:
    """The lines of smaps that a present page counts in (smaps_account, smaps_page_accumulate)."""
    found = ["Rss"]
    found += ["Anonymous"] if page.anon else []
    found += ["LazyFree"] if page.anon and not page.swapbacked and not (page.dirty or pte.dirty) else []
    found += ["Referenced"] if pte.accessed or page.referenced else []
    who, how = "Private" if page.mapcount == 1 else "Shared", "Dirty" if pte.dirty or page.dirty else "Clean"
    return [*found, f"{who}_{how}"]


def _mapping(area: Vma) -> Mapping:
    rights = "".join(letter if letter in area.prot else "-" for letter in "rwx") + ("s" if area.shared else "p")
    found = Mapping(area.start, area.end, rights)
    return replace(found, offset=area.pgoff * PAGE_SIZE, path=area.file.name) if area.file else found


def kpagecount(kernel: Kernel, pfns: Iterable[int]) -> Words:
    """How often each frame of the model is mapped by processes."""
    import numpy as np

    frames = kernel.memory.frames
    return np.array([frames[pfn].mapcount if pfn in frames else 0 for pfn in pfns], np.uint64)


def kpageflags(kernel: Kernel, pfns: Iterable[int]) -> Words:
    """Each frame's flags, as far as the model knows what it holds."""
    import numpy as np

    return np.array([_flags(kernel, pfn) for pfn in pfns], np.uint64)


def _flags(kernel: Kernel, pfn: int) -> int:
    memory = kernel.memory
    page = memory.frames.get(pfn)
    if page is not None:
        held = {
            "ANON": page.anon,
            "MMAP": page.mapcount,
            "UPTODATE": True,
            "LRU": True,
            "ACTIVE": page.active,
            "REFERENCED": page.referenced,
            "DIRTY": page.dirty,
            "WRITEBACK": page.writeback,
            "SWAPCACHE": page.slot is not None,
            "SWAPBACKED": page.swapbacked if page.anon else bool(page.file and page.file.is_shmem),
            "UNEVICTABLE": page.mlocked,
            "MLOCKED": page.mlocked,
        }
        return flag_word(name for name, is_set in held.items() if is_set)
    if pfn == memory.zero_pfn:
        return flag_word(["ZERO_PAGE", "RESERVED"])  # it is part of the kernel's image, or boot's
    zone = kernel.zones.of(pfn)
    if zone is None:
        return 1 << NOPAGE
    if kernel.buddy.owns(pfn):
        return flag_word(["BUDDY"])
    return 0 if kernel.buddy.user_block(pfn) else flag_word(["RESERVED"])


def _space(kernel: Kernel, process: Process) -> MmStruct:
    if process.memory is not kernel.memory:
        raise VmlabError(f"process {process.pid} ({process.name}) runs on another kernel than this one")
    return process._alive()
