"""Print the model's zoneinfo, buddyinfo and iomem as Linux 6.1 prints its own.

Left out: per-node statistics and the counters of what a freshly booted model does not have (page cache,
mlocked pages ...); in iomem, devices, firmware tables, and x86's own lines for rodata and bss.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..kernel import Kernel
from ..physical import pcp
from ..physical.watermarks import stat_threshold
from ..physical.zones import Zone
from .rows import BuddyInfo, Resource, ZoneInfo


def zoneinfo(kernel: Kernel) -> list[ZoneInfo]:
    """The rows of the modelled kernel's /proc/zoneinfo."""
    return [_zone_row(kernel, zone) for zone in kernel.zones]


def _zone_row(kernel: Kernel, zone: Zone) -> ZoneInfo:
    free, marks = kernel.buddy.free_pages(zone), zone.watermark
    pages = {"free": free, "boost": 0, "min": marks.min, "low": marks.low, "high": marks.high}
    pages |= {"spanned": zone.spanned_pages, "present": zone.present_pages}
    pages |= {"managed": zone.managed_pages, "cma": zone.cma_pages}
    if not zone.populated:
        return ZoneInfo(zone.node, zone.name, pages, zone.lowmem_reserve)
    counts = [pcp.pages(kernel.buddy, zone, cpu).count for cpu in range(kernel.machine.cpus)]
    pageset = {"high": zone.pcp_high, "batch": zone.pcp_batch}
    threshold = {"vm stats threshold": stat_threshold(zone.managed_pages, kernel.machine.cpus)}
    return ZoneInfo(
        zone.node,
        zone.name,
        pages,
        zone.lowmem_reserve,
        vm_stat={"nr_free_pages": free, "nr_free_cma": kernel.buddy.free_pages(zone, cma_only=True)},
        pagesets=tuple({"cpu": cpu, "count": count, **pageset, **threshold} for cpu, count in enumerate(counts)),
        last={"node_unreclaimable": 0, "start_pfn": zone.start_pfn},
    )


def print_zoneinfo(kernel: Kernel) -> str:
    """/proc/zoneinfo of the modelled kernel, right now."""
    return format_zoneinfo(zoneinfo(kernel))


def print_buddyinfo(kernel: Kernel) -> str:
    """/proc/buddyinfo of the modelled kernel, right now: populated zones only."""
    rows = [zone for zone in kernel.zones if zone.populated]
    return format_buddyinfo([BuddyInfo(z.node, z.name, tuple(kernel.buddy.nr_free(z))) for z in rows])


def print_iomem(kernel: Kernel) -> str:
    """/proc/iomem of the modelled machine: its RAM, and in it the kernel's code (from _stext) and data."""
    rows = []
    image = kernel.machine.image
    parts = [("Kernel image", image.start, image.end)] if image else []
    if image and image.init_end:
        parts = [
            ("Kernel code", image.start, image.init_start),
            ("Kernel data", image.init_end, image.end),
        ]
    for start, end in kernel.memblock.memory():
        rows.append(Resource(0, start, end, "System RAM"))
        rows += [Resource(1, low, high, name) for name, low, high in parts if start <= low < high <= end]
    return format_iomem(rows)


def format_zoneinfo(rows: list[ZoneInfo]) -> str:
    """The file's text (zoneinfo_show_print)."""
    return "".join(line + "\n" for row in rows for line in _zone_lines(row))


def _zone_lines(row: ZoneInfo) -> Iterator[str]:
    yield f"Node {row.node}, zone {row.name:>8}"
    if row.node_stats:
        yield "  per-node stats"
        yield from (f"      {name:<12} {value}" for name, value in row.node_stats.items())
    for name, value in row.pages.items():
        yield f"{'  pages ' if name == 'free' else ' ' * 8}{name:<8} {value}"
    yield f"        protection: ({', '.join(map(str, row.lowmem_reserve))})"
    yield from (f"      {name:<12} {value}" for name, value in row.vm_stat.items())
    if row.pagesets:
        yield "  pagesets"
    for pageset in row.pagesets:
        yield f"    cpu: {pageset['cpu']}"
        for name in [name for name in pageset if name not in ("cpu", "vm stats threshold")]:
            yield f"              {name + ':':<6} {pageset[name]}"
        if "vm stats threshold" in pageset:
            yield f"  vm stats threshold: {pageset['vm stats threshold']}"
    yield from (f"  {name + ':':<20} {value}" for name, value in row.last.items())


def format_buddyinfo(rows: list[BuddyInfo]) -> str:
    """The file's text (frag_show_print)."""
    lines = [f"Node {r.node}, zone {r.name:>8} " + "".join(f"{n:6} " for n in r.nr_free) for r in rows]
    return "".join(line + "\n" for line in lines)


def format_iomem(rows: list[Resource]) -> str:
    """The file's text (r_show): the last byte of each range is printed, not the one after it."""
    return "".join(f"{'  ' * r.depth}{r.start:08x}-{r.end - 1:08x} : {r.name}\n" for r in rows)
