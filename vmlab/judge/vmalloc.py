"""Every recorded area of vmalloc space: its size, its alignment, and whether a lower place would have fitted.

The order in which a kernel made its areas is not recorded. While nothing that was freed has been purged, every hole
has always been a hole, and an area that stands above a hole must not fit into it. Kernels that change the
permissions of pages (x86 does so often: vm_unmap_aliases) purge early: there a hole may have been in use before.

Left out: areas that boot registers before vmalloc works, and per-CPU chunks, which are placed from the top down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .. import arch
from ..kernel import Kernel
from ..machine import Machine
from ..record import Recorded
from ..units import PAGE_SIZE, align_up
from .compared import Compared, Rows

EARLY = ("iotable_init", "pci_reserve_io", "paging_init", "")  # vm_area_add_early; vm_area_register_early has no caller
TOP_DOWN = ("pcpu_get_vm_areas",)
STACKS = ("kernel_clone", "fork_idle")  # alloc_thread_stack_node, inlined into its callers
PURGED = "this kernel has purged freed areas: a hole may have been in use when an area above it was made"
KASLR = "KASLR drew it at random while booting"
UNPURGED = "unpurged"


def _function(row: dict[str, Any]) -> str:
    return str(row["caller"]).partition("+")[0].partition(" ")[0]


def _space(machine: Machine, kernel: Kernel) -> tuple[int, int] | None:
    """The recorded kernel's vmalloc space; None where KASLR moved it."""
    has_moved = machine.config.kaslr and not machine.has_flag("nokaslr")
    rows = arch.get(machine.arch)
    if has_moved and "vmalloc_base" in rows.random_bases:
        return None
    return kernel.vmap_areas.start, kernel.vmap_areas.end


def _inside(machine: Machine, kernel: Kernel, recorded: Recorded) -> list[dict[str, Any]]:
    """Recorded areas of vmalloc space, unpurged ones included; all areas but modules where its place is unknown."""
    rows = list(recorded.data.get("vmallocinfo") or ())
    space = _space(machine, kernel)
    start, end = space or (0, kernel.layout.constants.get("modules_start") or kernel.vmap_areas.end)
    return sorted((row for row in rows if start <= row["start"] < end), key=lambda row: row["start"])


def _made_by_vmalloc(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        if _function(row) not in (*EARLY, *TOP_DOWN, UNPURGED):
            yield row


def _align(machine: Machine, kernel: Kernel, row: dict[str, Any]) -> int:
    """The alignment that the area's maker asked for, bytes."""
    if row["kind"] == "ioremap":
        return kernel.vmap_areas.ioremap_align(row["size"] - PAGE_SIZE)
    rows = arch.get(machine.arch)
    return rows.thread_align if rows.vmap_stack and _function(row) in STACKS else PAGE_SIZE


def sizes(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """Bytes of every area whose pages are known: those, or a kernel stack's, and one guard page."""
    rows = arch.get(machine.arch)
    for row in _made_by_vmalloc(_inside(machine, kernel, recorded)):
        is_stack = rows.vmap_stack and _function(row) in STACKS
        if row.get("pages"):
            used = rows.thread_bytes if is_stack else row["pages"] * PAGE_SIZE
            yield Compared(f"{_function(row)} at {row['start']:#x}", used + PAGE_SIZE, row["size"])


def alignment(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """Where an area starts, rounded up to its alignment, is where it starts."""
    for row in _made_by_vmalloc(_inside(machine, kernel, recorded)):
        align = _align(machine, kernel, row)
        if align > PAGE_SIZE:
            yield Compared(_function(row), align_up(row["start"], align), row["start"], address=True)


def lowest_first(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """The lowest place that fits an area, among the holes below it and its own.

    A kernel that shows no unpurged areas has purged: there no area is decided.
    """
    rows = _inside(machine, kernel, recorded)
    reason = "" if any(_function(row) == UNPURGED for row in rows) else PURGED
    holes: list[tuple[int, int]] = []
    end = (_space(machine, kernel) or (rows[0]["start"] if rows else 0, 0))[0]
    for row in rows:
        if end < row["start"]:
            holes.append((end, row["start"]))
        end = max(end, row["end"])
        if next(_made_by_vmalloc([row]), None):
            place = _lowest(holes, row["size"], _align(machine, kernel, row), row["start"])
            yield Compared(_function(row), place, row["start"], reason, address=True)


def _lowest(holes: list[tuple[int, int]], size: int, align: int, otherwise: int) -> int:
    for low, high in holes:
        if align_up(low, align) + size <= high:
            return align_up(low, align)
    return otherwise


def first_area(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """The lowest area starts where vmalloc space does."""
    rows = _inside(machine, kernel, recorded)
    if rows:
        reason = "" if _space(machine, kernel) else KASLR
        yield Compared("first area", kernel.vmap_areas.start, rows[0]["start"], reason, address=True)


VMALLOC_FIELDS: dict[str, Callable[[Machine, Kernel, Recorded], Rows]] = {
    "vmalloc first area": first_area,
    "vmalloc sizes": sizes,
    "vmalloc alignment": alignment,
}
