"""The recorded windows of kmap: the frames that were read, in their order, land in the recorded slots.

Each page of a process was read through /proc/PID/mem, which maps it with kmap, copies, and unmaps (Linux 6.1,
mm/memory.c:__access_remote_vm). The frames and their order are the input, and so is the window before the first
read; slots, counts and the round's place after it are predicted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ..kernel import Kernel
from ..machine import Machine
from ..record import Recorded
from ..virtual.pkmap import Pkmap
from .compared import Compared, Rows


def window(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """Where kmap's window lies, and its slots; none on kernels without HighMem, whose records have none.

    A fresh record knows the window only by the frames that it showed: without RAM in HighMem it showed none, and one
    that was recorded no further than its boot has not looked.
    """
    pool, kmap = kernel.highmem.pkmap, recorded.data.get("kmap") or {}
    if "pkmap_base" in kmap:
        yield Compared("pkmap_base", pool and pool.base, kmap["pkmap_base"], address=True)
        yield Compared("last_pkmap", pool and pool.slots, kmap["last_pkmap"])
    elif not kmap and recorded.layout.get("pkmap_base") is None and recorded.holds != ["boot"]:
        yield Compared("slots", pool and pool.slots, None)


def reads(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """Slots with frame and count, how many have which count, last_pkmap_nr, and kmap_local's slots in use."""
    holds = (recorded.data.get("kmap") or {}).get("holds") or ()
    for hold, pool in _replayed(kernel, holds):
        what = hold["hold"]
        mine = [[n, pfn, pool.counts[n]] for n, pfn in enumerate(pool.frames) if pfn is not None]
        columns = len(hold["columns"])  # a record made without debugging symbols has no counts
        yield Compared(f"{what}: {', '.join(hold['columns'])}", [row[:columns] for row in mine], hold["slots"])
        if hold["counts"]:
            counts = {str(count): slots for count, slots in Counter(pool.counts).items()}
            yield Compared(f"{what}: slots by count", counts, hold["counts"])
        if hold["last_pkmap_nr"] is not None:
            yield Compared(f"{what}: last_pkmap_nr", pool.last_pkmap_nr, hold["last_pkmap_nr"])
        if "kmap_local_live" in hold and kernel.highmem.local is not None:
            local = kernel.highmem.local
            live = [[local.begin + n, local.address(n), pfn] for n, pfn in sorted(local.entries.items())]
            yield Compared(f"{what}: kmap_local in use", live, hold["kmap_local_live"])


def _replayed(kernel: Kernel, holds: Any) -> Iterator[tuple[dict[str, Any], Pkmap]]:
    """Each hold that names the frames read since the one before, with the window after these reads."""
    pool, begun = kernel.highmem.pkmap, False
    for hold in holds:
        if pool is None:
            return
        if not begun and hold["last_pkmap_nr"] is not None and "read_order_pfns" not in hold:
            pool.restore(hold["last_pkmap_nr"], [tuple(row) for row in hold["slots"]])
            begun = True
        elif "read_order_pfns" in hold:
            begun = True
            for pfn in hold["read_order_pfns"]:
                kernel.kmap(pfn)
                kernel.kunmap(pfn)
            yield hold, pool


HIGHMEM_FIELDS = {"kmap window": window, "kmap reads": reads}
