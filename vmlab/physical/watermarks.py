"""How many free pages a zone keeps back, and for whom: watermarks, lowmem_reserve, per-CPU list sizes.

All from the managed pages at one moment (Linux 6.1, mm/page_alloc.c): after the boot allocator handed its
memory over and the CMA area joined, before the initrd and the init sections are given back.

Left out: watermark boosting while running, hotplugged CPUs and memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt

from ..machine import Machine
from ..units import PAGE_SHIFT, PAGE_SIZE, KiB, MiB
from .zones import Watermark, Zone

LOWMEM_RESERVE_RATIO = {"DMA": 256, "DMA32": 256, "Normal": 32, "HighMem": 0, "Movable": 0, "Device": 0}
WATERMARK_SCALE_FACTOR = 10  # parts in 10,000
MIN_FREE_KBYTES, MAX_FREE_KBYTES = 128, 262144
SWAP_CLUSTER_MAX = 32
MIGRATE_PCPTYPES = 3
THP_SMALLEST_MACHINE = 512 * MiB
KIB_A_PAGE = PAGE_SIZE // KiB


def watermarks(
    zones: list[Zone], min_free_kbytes: int, *, spares_movable: bool = False, scale: int = WATERMARK_SCALE_FACTOR
) -> dict[int, Watermark]:
    """Each zone's marks, by position in `zones` (__setup_per_zone_wmarks); `scale` is watermark_scale_factor.

    `spares_movable`: ZONE_MOVABLE keeps as little as HighMem, and lowmem does not count it (as in Linux 6.12).
    """
    pages_min = min_free_kbytes // KIB_A_PAGE
    capped = [zone.highmem or (spares_movable and zone.name == "Movable") for zone in zones]
    lowmem = sum(zone.managed_pages for zone, is_capped in zip(zones, capped, strict=True) if not is_capped)
    marks = {}
    for place, zone in enumerate(zones):
        share = pages_min * zone.managed_pages // max(1, lowmem)
        low_end = min(max(zone.managed_pages // 1024, SWAP_CLUSTER_MAX), 128) if capped[place] else share
        step = max(share >> 2, _scaled(zone.managed_pages, scale))
        marks[place] = Watermark(low_end, low_end + step, low_end + 2 * step)
    return marks


def _scaled(pages: int, scale: int) -> int:
    whole, rest = divmod(pages, 10000)
    return whole * scale + rest * scale // 10000


def min_free_kbytes(zones: list[Zone]) -> int:
    """calculate_min_free_kbytes as init_per_zone_wmark_min calls it: no zone has a high mark yet."""
    return _clamped_root(_free_buffer_pages(zones, {}))


def has_huge_pages(zones: list[Zone], machine: Machine) -> bool:
    """Whether khugepaged sets the marks anew (mm/huge_memory.c:hugepage_init); not on a small machine."""
    total = sum(zone.managed_pages for zone in zones)
    return bool(machine.config.transparent_hugepage) and total << PAGE_SHIFT >= THP_SMALLEST_MACHINE


def recommended_min_free_kbytes(zones: list[Zone], machine: Machine, base: int) -> int:
    """khugepaged.c:set_recommended_min_free_kbytes, where `base` kilobytes are kept until then.

    nr_free_buffer_pages now leaves out what each zone's high mark keeps back.
    """
    usable = _free_buffer_pages(zones, {place: zone.watermark for place, zone in enumerate(zones)})
    if machine.parameter("transparent_hugepage") == "never":
        return _clamped_root(usable)
    pageblock_pages = 1 << (machine.config.pageblock_order or 0)
    blocks = sum(zone.populated for zone in zones if _serves_gfp_user(zone))
    recommended = pageblock_pages * blocks * (2 + MIGRATE_PCPTYPES * MIGRATE_PCPTYPES)
    return max(base, min(recommended, usable // 20) * KIB_A_PAGE)


def _clamped_root(pages: int) -> int:
    return min(max(isqrt(pages * KIB_A_PAGE * 16), MIN_FREE_KBYTES), MAX_FREE_KBYTES)


def _serves_gfp_user(zone: Zone) -> bool:
    """Zones up to ZONE_NORMAL: what GFP_USER may use, and an added zone only if it is in the zonelists."""
    return not zone.highmem and not zone.excluded and zone.name not in ("Movable", "Device")


def _free_buffer_pages(zones: list[Zone], marks: dict[int, Watermark]) -> int:
    """nr_free_buffer_pages: managed pages beyond the high mark of the zones that GFP_USER may use."""
    usable = [
        (zone.managed_pages, marks[i].high if i in marks else 0)
        for i, zone in enumerate(zones)
        if _serves_gfp_user(zone)
    ]
    return sum(managed - high for managed, high in usable if managed > high)


def lowmem_reserve(zones: list[Zone], ratios: Mapping[str, int] = LOWMEM_RESERVE_RATIO) -> list[tuple[int, ...]]:
    """One node's rows: pages that zone i keeps from a request whose highest zone is j (the protection: line)."""
    rows = []
    for i, zone in enumerate(zones):
        ratio = ratios.get(zone.name, 0 if zone.highmem else 32)
        above, row = 0, [0] * (i + 1)
        for upper in zones[i + 1 :]:
            above += upper.managed_pages
            row.append(above // ratio if ratio and zone.managed_pages else 0)
        rows.append(tuple(row))
    return rows


def pcp_batch(managed_pages: int) -> int:
    """Pages moved at once between a zone and a per-CPU list (zone_batchsize, zone_set_pageset_high_and_batch)."""
    batch = max(1, min(managed_pages >> 10, MiB // PAGE_SIZE) // 4)
    return max(1, (1 << ((batch + batch // 2).bit_length() - 1)) - 1)


def pcp_high(pages: int, batch: int, cpus: int) -> int:
    """Most pages a per-CPU list keeps (zone_highsize), of the low mark's or of a fraction of the zone's."""
    return max(pages // cpus, 4 * batch)


def stat_threshold(managed_pages: int, cpus: int) -> int:
    """How far each CPU's own count may run ahead before the zone's counters are told (mm/vmstat.c).

    A zone's free count as read can be wrong by this many pages for every CPU: calculate_normal_threshold.
    """
    memory = managed_pages >> (27 - PAGE_SHIFT)  # in units of 128 MiB
    return min(125, 2 * cpus.bit_length() * (1 + memory.bit_length()))
