"""The boot allocator's calls from a record's log, without the addresses they got."""

from __future__ import annotations

from typing import Any

from ..parts import BootCall, Region
from ..ranges import Ranges
from ..units import PAGE_SIZE, align_up, pfn_up
from .read import Fields

# Allocations of struct pages: the model works out size and place itself (mm/page_alloc.c, mm/sparse.c).
MEM_MAP_CALLERS = ("free_area_init", "memmap_alloc", "sparse_init_nid")
UNLOGGED = "memblock_alloc_range_nid"  # callers that reach it directly print no request: CMA and NODE_DATA


def first_snapshot(data: dict[str, Any]) -> Fields | None:
    """The first memblock_dump_all of the log, if there is one."""
    events = Fields(data.get("memblock"), "memblock").each("events")
    return next((event for event in events if event.text("op") == "snapshot"), None)


def reserved_before(data: dict[str, Any]) -> list[Region]:
    """Reservations older than the log: the first snapshot's, less every range that the log says was taken."""
    first = first_snapshot(data)
    if first is None:
        return []
    known = Ranges()
    for row in first.each("reserved"):
        known.add(*row.span())
    for event in Fields(data.get("memblock"), "memblock").each("events"):
        if event.data is first.data:
            break
        if event.text("op") == "reserve":
            known.remove(*event.span())
    return [Region(start, end - start, "reserved before the log") for start, end in known]


def boot_calls(data: dict[str, Any], initrd_bytes: int) -> tuple[BootCall, ...] | None:
    """Every call in order, or None for a record without a boot log. RAM added or removed is not a call:
    it follows from the firmware's map and the command line."""
    events = Fields(data.get("memblock"), "memblock").each("events")
    calls: list[BootCall] = []
    got: list[tuple[int, int]] = []  # address range of each alloc, to resolve frees; thrown away afterwards
    pending: BootCall | None = None
    for event in events:
        op = event.text("op")
        if op == "alloc":
            pending = _alloc(event, pfn_up(initrd_bytes))
        elif op == "reserve":
            caller = event.text("caller")
            if pending is None and UNLOGGED in caller:
                start, end = event.span()
                pending = _unlogged(data, end - start, sum(call.caller == "alloc_node_data" for call in calls))
            if pending is None:
                calls.append(BootCall("reserve", caller, *event.span()))
                continue
            calls.append(pending)
            got.append(event.span())
            pending = None
        elif op == "free":
            calls.append(_free(event, got))
    return tuple(_once(call for call in calls if not _ours(call))) if events else None


def _alloc(event: Fields, initrd_pages: int) -> BootCall:
    caller = event.text("caller")
    exact = "exact_nid" in event.text("fn")
    role = "mem_map" if _is_mem_map(caller, event.text("fn")) else ""
    if caller.startswith("early_init_dt_alloc_reserved_memory_arch"):
        role = "dt cma"  # every recorded device tree's pool is a reusable shared-dma-pool, that is, CMA
    elif initrd_pages and caller.startswith("setup_arch") and event.integer("size") == initrd_pages * PAGE_SIZE:
        role = "initrd"  # relocate_initrd is inlined in setup_arch
    return BootCall(
        "alloc",
        caller,
        size=event.integer("size"),
        align=event.integer("align") or 1,
        nid=_node(event),
        min_addr=event.integer("from"),
        max_addr=event.integer("max_addr"),
        exact_nid=exact,
        phys=event.text("fn").startswith("memblock_phys"),
        role=role,
    )


def _is_mem_map(caller: str, fn: str) -> bool:
    """Struct pages are the only boot allocations that are not cleared ("_raw") and made by these callers."""
    return fn.endswith("_raw") and is_mem_map_caller(caller)


def is_mem_map_caller(caller: str) -> bool:
    """Whether a caller in the boot log allocates struct pages (or, in sparse_init_nid, usage maps too)."""
    return caller.partition("+")[0] in MEM_MAP_CALLERS


def _unlogged(data: dict[str, Any], size: int, nodes_done: int) -> BootCall:
    """A direct caller of memblock_alloc_range_nid: NODE_DATA on NUMA kernels, CMA elsewhere.

    NODE_DATA is given back its request (arch/x86/mm/numa.c:alloc_node_data); CMA is the model's own.
    """
    kernel = Fields(data.get("kernel"), "kernel")
    node_data = kernel.fields("sizeof").integer("pglist_data", 0)
    is_numa = kernel.fields("config").text("CONFIG_NUMA", "n") == "y"
    if is_numa and size in (align_up(node_data, 64), align_up(node_data, PAGE_SIZE)):
        return BootCall("alloc", "alloc_node_data", size=size, align=64, nid=nodes_done, phys=True)
    return BootCall("alloc", "cma_declare_contiguous_nid", role="cma")


def _node(event: Fields) -> int:
    """The node asked for; -1 is any."""
    return -1 if event.data.get("nid", -1) == -1 else event.integer("nid")


def _free(event: Fields, got: list[tuple[int, int]]) -> BootCall:
    start, end = event.span()
    for number in reversed(range(len(got))):
        low, high = got[number]
        if low <= start <= end <= high:
            return BootCall("free", event.text("caller"), start - low, end - low, of=number)
    return BootCall("free", event.text("caller"), start, end)


def _ours(call: BootCall) -> bool:
    """Steps that the model makes by itself, after the log's allocations."""
    return call.op == "free" and call.caller.startswith(("memblock_free_all", "free_initrd_mem"))


def _once(calls: Any) -> Any:
    """CMA is one step of the model even where the kernel needed two attempts (see arch.arm)."""
    cma_seen = False
    for call in calls:
        if call.role == "cma":
            if cma_seen:
                continue
            cma_seen = True
        yield call
