"""The inputs of a record, as a `Machine`: what the kernel was given, never what it answered.

Taken: the firmware's memory map, the command line, the kernel's configuration and struct sizes, where the
image and the initrd were loaded, and the boot allocator's calls (caller, size, alignment, limits). The
address that a call got is dropped; a later free is kept as "give back what call n got".
"""

from __future__ import annotations

import re
from typing import Any

from .. import arch
from ..machine import Machine
from ..parts import Config, Region
from ..units import VmlabError
from ..versions import BASE, UNKNOWN
from .answers import Recorded
from .calls import boot_calls, reserved_before
from .image import image_of, moved_initrd_bytes
from .memory import ram_of
from .read import Fields

PARTS = ("SMP alternatives", "decrypted memory")  # of the image; the init sections and the gaps are addresses


def machine_from(data: dict[str, Any], recorded: Recorded) -> Machine:
    """Build the machine; a field that is missing or cannot be is an error that names it."""
    if data.get("kind") != "qemu":
        raise VmlabError(
            f"record field kind: expected 'qemu', got {data.get('kind')!r}: "
            "a record of a running host has no boot log to predict from"
        )
    hardware, kernel = Fields(data.get("machine"), "machine"), Fields(data.get("kernel"), "kernel")
    name = hardware.text("arch")
    arch.get(name)
    config = _config(hardware, kernel, _freed(data))
    cmdline = kernel.text("cmdline")
    calls = boot_calls(data, moved_initrd_bytes(data))
    limit = 1 << arch.get(name).phys_bits(config)
    cpus, possible_cpus = _cpus(cmdline, hardware.integer("smp", 1), arch.get(name).nosmp_is_for_good)
    return Machine(
        arch=name,
        ram=tuple(region for region in ram_of(data, hardware) if region.start < limit),
        config=config,
        cmdline=cmdline,
        name=str(data.get("name")),
        reserved=tuple(reserved_before(data)),
        image=image_of(data),
        boot_calls=calls,
        cpus=cpus,
        possible_cpus=possible_cpus,
        cpu=hardware.text("cpu").partition(",")[0],
        final_reserved=None if calls else _final_reserved(data),
        recorded=recorded,
    )


def _word(cmdline: str, name: str) -> int | None:
    """The last `name=number` of the command line."""
    words = [word.partition("=")[2] for word in cmdline.split() if word.startswith(name + "=")]
    if words and not words[-1].isdigit():
        raise VmlabError(f"record field kernel.cmdline: {name}: expected a number, got {words[-1]!r}")
    return int(words[-1]) if words else None


def _cpus(cmdline: str, smp: int, lone: bool) -> tuple[int, int]:
    """CPUs that run, and CPUs that ever could: nosmp, maxcpus= and nr_cpus= (kernel/smp.c, smp_init).

    `lone`: with nosmp or maxcpus=0 no other CPU is possible.
    """
    most, possible = _word(cmdline, "maxcpus"), min(smp, _word(cmdline, "nr_cpus") or smp)
    if "nosmp" in cmdline.split() or most == 0:
        return 1, 1 if lone else possible
    return min(possible, most or smp), possible


def _config(hardware: Fields, kernel: Fields, freed: tuple[tuple[str, int], ...] | None) -> Config:
    options, enums = kernel.fields("config"), kernel.fields("enums")
    zones = enums.fields("enum zone_type").data
    fixed = Fields(enums.data.get("enum fixed_addresses") or {}, "kernel.enums.enum fixed_addresses")
    on = {option for option, value in options.data.items() if value == "y"}
    max_order = options.number("CONFIG_ARCH_FORCE_MAX_ORDER", 11)
    nr_cpus = options.number("CONFIG_NR_CPUS", 1)
    rows = arch.get(hardware.text("arch"))
    format_name = rows.format_of(on, hardware.text("cpu"), kernel.text("cmdline").split())
    has_cma = "MIGRATE_CMA" in enums.fields("enum migratetype").data
    return Config(
        format=format_name,
        page_offset=options.number("CONFIG_PAGE_OFFSET", 0) or None,
        memory_model=_memory_model(on),
        struct_page_bytes=kernel.fields("sizeof").integer("page"),
        highmem="ZONE_HIGHMEM" in zones,
        zone_dma="ZONE_DMA" in zones,
        zone_dma32="ZONE_DMA32" in zones,
        zone_device="ZONE_DEVICE" in zones,
        max_order=max_order,
        pageblock_order=_pageblock_order(rows.huge_page_order(format_name), on, max_order),
        transparent_hugepage="CONFIG_TRANSPARENT_HUGEPAGE" in on,
        cma_bytes=options.number("CONFIG_CMA_SIZE_MBYTES", 0) << 20 if has_cma else 0,
        nr_cpus=nr_cpus,
        fixmap_slots=_slot(fixed, "__end_of_fixed_addresses"),
        fixmap_permanent_slots=_slot(fixed, "__end_of_permanent_fixed_addresses"),
        fix_kmap_begin=_slot(fixed, "FIX_KMAP_BEGIN"),
        task_struct_bytes=kernel.fields("sizeof").integer("task_struct", 0) or None,
        mm_struct_bytes=kernel.fields("sizeof").integer("mm_struct", 0) or None,
        kaslr="CONFIG_RANDOMIZE_BASE" in on,
        freed_late=() if nr_cpus == 1 else freed,  # a kernel built for one CPU has no SMP alternatives
        version=_version(kernel.text("version", "")),
    )


def _version(text: str) -> str | None:
    """The first two numbers of a kernel's version, None of 6.1; what says no version is UNKNOWN.

    >>> _version("Linux version 6.12.117+deb12-amd64 (debian-kernel@lists.debian.org)")
    '6.12'
    """
    found = re.search(r"Linux version ([0-9]{1,3}\.[0-9]{1,3})(?![0-9])", text)
    version = found[1] if found else UNKNOWN
    return None if version == BASE else version


def _freed(data: dict[str, Any]) -> tuple[tuple[str, int], ...] | None:
    """The sizes of the image's parts that are given back, where the log's lines were recorded: (name, pages)."""
    rows = Fields(data.get("dmesg") or {}, "dmesg").items("freed", [])
    parts = [(row.text("what"), row.integer("kib") >> 2) for row in (Fields(each, "dmesg.freed") for each in rows)]
    return tuple((name, pages) for name, pages in parts if name in PARTS) if parts else None


def _slot(fixed: Fields, name: str) -> int | None:
    """A number of enum fixed_addresses, 0 where the kernel has none; None, the usual kernel's, where it is unknown."""
    return fixed.integer(name, 0) if fixed.data else None


def _memory_model(on: set[str]) -> str:
    if "CONFIG_SPARSEMEM_VMEMMAP" in on:
        return "SPARSEMEM_VMEMMAP"
    return "SPARSEMEM" if "CONFIG_SPARSEMEM" in on else "FLATMEM"


def _pageblock_order(huge: int, on: set[str], max_order: int) -> int:
    """include/linux/pageblock-flags.h: a huge page where the kernel has any, else the largest block."""
    has_hugetlb = on & {"CONFIG_HUGETLB_PAGE", "CONFIG_TRANSPARENT_HUGEPAGE"}
    return min(huge, max_order - 1) if huge and has_hugetlb else max_order - 1


def _final_reserved(data: dict[str, Any]) -> tuple[Region, ...] | None:
    """Reservations at the end of boot, needed only where there is no log to work them out from."""
    rows = Fields(
        Fields(data.get("memblock"), "memblock").data.get("kernel_final") or {}, "memblock.kernel_final"
    ).each("reserved")
    spans = [row.span() for row in rows]
    return tuple(Region(start, end - start, "reserved at boot") for start, end in spans) or None
