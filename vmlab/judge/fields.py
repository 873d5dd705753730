"""Every field in which a prediction is compared with a record: the list that "exact" means.

Each comparer yields rows of (what, predicted, recorded). A row whose inputs cannot decide it carries the
reason instead of a prediction. ARCHITECTURE.md repeats those reasons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from ..kernel import Kernel
from ..machine import Machine
from ..physical.zones import Zone
from ..record import Recorded
from .compared import Compared, Rows
from .highmem import HIGHMEM_FIELDS
from .layout import KASLR, LAYOUT_FIELDS, random_bases
from .swap import SWAP_FIELDS
from .translation import TRANSLATION_FIELDS
from .vmalloc import VMALLOC_FIELDS

NO_LOG = "the record has no boot log, so the sizes of the later boot allocations are unknown"
NO_INITRD = "the record has no boot log, so the size of the initrd, freed late, is unknown"


def boot_allocations(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """The address of every allocation in the boot log, in order."""
    if machine.boot_calls is None:
        return
    got, real = kernel.allocations.got, recorded.boot_allocations
    yield Compared("number of allocations", len(got), len(real))
    for number, ((start, _, caller), (real_start, _, _)) in enumerate(zip(got, real, strict=False)):
        yield Compared(f"#{number} {caller}", start, real_start, address=True)


def _zone_pairs(kernel: Kernel, recorded: Recorded) -> Iterator[tuple[Zone, dict[str, Any], dict[str, Any]]]:
    """Each predicted zone with the struct read from the guest and with /proc/zoneinfo's block."""
    printed = {(row["node"], row["name"]): row for row in recorded.zones}
    for real_node in recorded.nodes:
        node = next((node for node in kernel.nodes if node.id == real_node["node_id"]), None)
        if node is None:
            continue
        for real in real_node["zones"]:
            yield node.zones[real["index"]], real, printed.get((node.id, real["name"]), {})


def zone_attribute(attribute: str, key: str) -> Callable[[Machine, Kernel, Recorded], Rows]:
    """A comparer of one count of every zone."""

    def compare(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
        for zone, real, _ in _zone_pairs(kernel, recorded):
            yield Compared(f"node {zone.node} {zone.name}", getattr(zone, attribute), real[key])

    return compare


def zone_names(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """Nodes and the zones of each, in order; every record has them."""
    if not recorded.nodes:
        raise KeyError("nodes")
    yield Compared("nodes", [node.id for node in kernel.nodes], [node["node_id"] for node in recorded.nodes])
    for zone, real, _ in _zone_pairs(kernel, recorded):
        yield Compared(f"node {zone.node} zone {zone.index}", zone.name, real["name"])


def _counts_undecided(machine: Machine) -> str:
    return NO_LOG if machine.boot_calls is None and machine.final_reserved is None else ""


def managed(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """Pages that the page allocator manages once the machine is up."""
    image_zone = kernel.zones.of(machine.image.init_start >> 12) if machine.image else None
    for zone, real, _ in _zone_pairs(kernel, recorded):
        reason = _counts_undecided(machine)
        if machine.boot_calls is None and not reason and zone is image_zone:
            reason = NO_INITRD
        if not zone.populated:
            reason = ""
        yield Compared(f"node {zone.node} {zone.name}", zone.managed_pages, real["managed"], reason)


def cma(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """Pages of the contiguous memory area in each zone (/proc/zoneinfo's cma)."""
    for zone, _, printed in _zone_pairs(kernel, recorded):
        if "cma" in printed:
            yield Compared(f"node {zone.node} {zone.name}", zone.cma_pages, printed["cma"])


def watermark(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """min, low and high, without what fragmentation has added for a while (boost_watermark)."""
    for zone, real, printed in _zone_pairs(kernel, recorded):
        mark = zone.watermark
        mine = [mark.min, mark.low, mark.high]
        # /proc/zoneinfo prints the sum, zone->_watermark does not have it: a record may have been made from either
        is_sum = real["watermark"] == [printed.get(name) for name in ("min", "low", "high")]
        boost = int(printed.get("boost") or 0) if is_sum else 0
        theirs = [pages - boost for pages in real["watermark"]]
        yield Compared(f"node {zone.node} {zone.name}", mine, theirs, _counts_undecided(machine))


def min_free_kbytes(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """/proc/sys/vm/min_free_kbytes."""
    if not recorded.text("min_free_kbytes"):
        return
    yield Compared(
        "min_free_kbytes",
        str(kernel.min_free_kbytes),
        recorded.text("min_free_kbytes"),
        _counts_undecided(machine),
    )


def lowmem_reserve(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """The protection: line, as first read (a later read of the sysctl recomputes it)."""
    for zone, _, printed in _zone_pairs(kernel, recorded):
        if printed.get("protection"):
            mine = list(zone.lowmem_reserve)
            reason = _counts_undecided(machine) if any(mine) else ""
            yield Compared(f"node {zone.node} {zone.name}", mine, printed["protection"], reason)


TUNED = (
    "Linux 6.12 tunes it while it runs (nr_pcp_alloc, nr_pcp_high): 0 before its first use, then from the predicted "
    "value up to an eighth of the zone"
)


def pcp(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """Batch and high of the per-CPU lists."""
    for zone, _, printed in _zone_pairs(kernel, recorded):
        for cpu in printed.get("pcp") or ():
            what = f"node {zone.node} {zone.name} cpu {cpu['cpu']}"
            if machine.config.is_since("6.12"):
                yield Compared(f"{what}: batch", zone.pcp_batch, cpu["batch"], _counts_undecided(machine))
                yield Compared(f"{what}: high", zone.pcp_high, cpu["high"], TUNED)
                continue
            mine, real = (zone.pcp_batch, zone.pcp_high), (cpu["batch"], cpu["high"])
            yield Compared(what, mine, real, _counts_undecided(machine))


def mem_map_size(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """The model of the array, the size of one struct page, and the bytes that the kernel asked for."""
    real = recorded.mem_map
    yield Compared("model", kernel.mem_map.model, real["model"])
    yield Compared("struct page bytes", kernel.mem_map.struct_page_bytes, real["struct_page_bytes"])
    asked = [request.call.size for request in kernel.allocations.requests]
    if logged := recorded.mem_map_allocations:
        yield Compared("bytes asked for", asked, [end - start for start, end in logged])
    frames = [len(run) for run in kernel.mem_map.frames]
    yield Compared("number of frames", sum(frames), real["frames"])


def mem_map_place(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """Physical and virtual address of the array."""
    real = recorded.mem_map
    mine = [list(span) for span in kernel.mem_map.allocations]
    for number, (span, theirs) in enumerate(zip(mine, sorted(recorded.mem_map_allocations), strict=False)):
        yield Compared(f"allocation {number}", span, list(theirs), address=True)
    runs = _merged((row["pa"], row["pa_end"]) for row in real["ranges"])
    yield Compared("physical ranges", _merged(kernel.mem_map.physical_ranges), runs, address=True)
    if real.get("mem_map_va"):
        yield Compared("mem_map", kernel.mem_map.va, real["mem_map_va"], address=True)
    if real.get("vmemmap_of_pfn0"):
        zero = kernel.mem_map.pieces[0]
        start = zero.va - zero.first_pfn * kernel.mem_map.struct_page_bytes
        reason = KASLR if random_bases(machine) & {"vmemmap_base", "memstart_addr"} else ""
        yield Compared("vmemmap", start, real["vmemmap_of_pfn0"], reason, address=True)


def mem_map_frames(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """First and last frame of the array."""
    real, frames = recorded.mem_map, kernel.mem_map.frames
    yield Compared("first frame", frames[0][0], real["first_frame"], address=True)
    yield Compared("last frame", frames[-1][-1], real["last_frame"], address=True)


def mem_map_zone(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """How many frames of the array lie in which zone."""
    counted: Counter[str] = Counter()
    for run in kernel.mem_map.frames:
        for zone in kernel.zones:
            inside = min(run.stop, zone.end_pfn) - max(run.start, zone.start_pfn)
            if zone.spanned_pages and inside > 0:
                counted[f"node{zone.node}/{zone.name}"] += inside
    yield Compared("frames by zone", dict(counted), dict(recorded.mem_map["frames_by_zone"]))


def _merged(spans: Any) -> list[list[int]]:
    merged: list[list[int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return merged


FIELDS: dict[str, Callable[[Machine, Kernel, Recorded], Rows]] = {
    "boot allocations": boot_allocations,
    "zone names": zone_names,
    "zone start": zone_attribute("start_pfn", "start_pfn"),
    "zone spanned": zone_attribute("spanned_pages", "spanned"),
    "zone present": zone_attribute("present_pages", "present"),
    "zone managed": managed,
    "zone cma": cma,
    "watermarks": watermark,
    "min_free_kbytes": min_free_kbytes,
    "lowmem_reserve": lowmem_reserve,
    "pcp batch and high": pcp,
    "mem_map size": mem_map_size,
    "mem_map address": mem_map_place,
    "mem_map frames": mem_map_frames,
    "mem_map zone": mem_map_zone,
    **LAYOUT_FIELDS,
    **TRANSLATION_FIELDS,
    **VMALLOC_FIELDS,
    **SWAP_FIELDS,
    **HIGHMEM_FIELDS,
}
