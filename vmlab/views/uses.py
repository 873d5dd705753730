"""What each stretch of physical memory is used for when boot is over, from the kernel's own ledger."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from ..kernel import Kernel
from ..ledger import Event
from ..units import PAGE_SHIFT, PAGE_SIZE, MiB, pfn_up

NAMES = {
    "mem_map": "mem_map",
    "image": "kernel image",
    "initrd": "initrd",
    "cma": "CMA",
    "boot": "other boot allocations",
    "hole": "hole (no RAM)",
}


class Use(NamedTuple):
    """Bytes `start`..`end` (half open) and what they are: a key of NAMES."""

    start: int
    end: int
    kind: str

    @property
    def name(self) -> str:
        """What it is, in words."""
        return NAMES[self.kind]

    @property
    def frames(self) -> range:
        """Every frame that has a byte of it."""
        return range(self.start >> PAGE_SHIFT, pfn_up(self.end))


def uses(kernel: Kernel) -> list[Use]:
    """Reserved stretches and holes, ascending, disjoint; what is in none of them is free."""
    found: list[Use] = []
    for event in kernel.log:
        if event.kind in ("reserve", "alloc"):
            _paint(found, Use(event.start, event.end, _kind(event)))
        elif event.kind == "free":
            _cut(found, event.start, event.end)
    image = kernel.machine.image
    if image is not None and any(use.start < image.end and use.end > image.start for use in found):
        _paint(found, Use(image.start, image.end, "image"))
    for region in kernel.machine.final_reserved or ():
        found += [Use(*gap, "boot") for gap in _gaps(found, region.start, region.end)]
    for start, end in kernel.mem_map.allocations:
        _paint(found, Use(start, end, "mem_map"))
    for start, end in kernel.mem_map.freed:
        _cut(found, start, end)
    for hole in holes(kernel):  # firmware may reserve addresses where no RAM is
        _paint(found, hole)
    return _joined(found)


def holes(kernel: Kernel) -> list[Use]:
    """Stretches between banks where no RAM is."""
    banks = sorted((start, end) for start, end in kernel.memblock.memory())
    return [Use(a[1], b[0], "hole") for a, b in itertools.pairwise(banks) if a[1] < b[0]]


def _kind(event: Event) -> str:
    if "kernel image" in event.why and event.size <= MiB:  # its first page table, beside it; a PC's first MiB
        return "boot"
    for word, kind in (
        ("kernel image", "image"),
        ("initrd", "initrd"),
        ("(CMA)", "cma"),
        ("struct page", "mem_map"),
    ):
        if word in event.why:
            return kind
    return "boot"


def _paint(found: list[Use], new: Use) -> None:
    _cut(found, new.start, new.end)
    found.append(new)


def _cut(found: list[Use], start: int, end: int) -> None:
    if all(use.end <= start or end <= use.start for use in found):
        return
    kept = []
    for use in found:
        kept += [use] if use.end <= start or end <= use.start else []
        if use.start < start < use.end:
            kept.append(Use(use.start, start, use.kind))
        if use.start < end < use.end:
            kept.append(Use(end, use.end, use.kind))
    found[:] = kept


def _gaps(found: list[Use], start: int, end: int) -> list[tuple[int, int]]:
    gaps = []
    for use in sorted(found):
        if use.end > start and use.start < end:
            if start < use.start:
                gaps.append((start, use.start))
            start = max(start, use.end)
    return [*gaps, (start, end)] if start < end else gaps


def _joined(found: list[Use]) -> list[Use]:
    """Neighbours of a kind as one; between small boot allocations a gap of less than a page is no free frame."""
    joined: list[Use] = []
    for use in sorted(found):
        gap = PAGE_SIZE - 1 if use.kind == "boot" else 0
        if joined and joined[-1].kind == use.kind and use.start <= joined[-1].end + gap:
            joined[-1] = Use(joined[-1].start, max(joined[-1].end, use.end), use.kind)
        else:
            joined.append(use)
    return joined
