"""The inputs of a record, as a `Machine`: what the kernel was given, never what it answered.

Taken: the firmware's memory map, the command line, the kernel's configuration and struct sizes, where the
image and the initrd were loaded, and the boot allocator's calls (caller, size, alignment, limits). The
address that a call got is dropped; a later free is kept as "give back what call n got".
"""

from __future__ import annotations

from typing import Any

from .. import arch
from ..machine import Machine
from ..parts import Config, Image, Region
from ..units import PAGE_SIZE, GiB, VmlabError, align_down, align_up
from .answers import Recorded
from .calls import boot_calls, first_snapshot, reserved_before
from .read import Fields


def machine_from(data: dict[str, Any], recorded: Recorded) -> Machine:
    """Build the machine; a field that is missing or cannot be is an error that names it."""
    if data.get("kind") != "qemu":
        raise VmlabError(
            f"record field kind: expected 'qemu', got {data.get('kind')!r}: a record of a running host has no boot log to predict from"
        )
    hardware, kernel = Fields(data.get("machine"), "machine"), Fields(data.get("kernel"), "kernel")
    name = hardware.text("arch")
    arch.get(name)
    config = _config(data, hardware, kernel)
    image = _image(data)
    cmdline = kernel.text("cmdline")
    calls = boot_calls(data, _relocated(data))
    limit = 1 << arch.get(name).phys_bits(arch.get(name).defaults[config.format or ""])
    ram = tuple(region for region in _ram(data, hardware) if region.end <= limit or region.start < limit)
    return Machine(
        arch=name,
        ram=ram,
        config=config,
        cmdline=cmdline,
        name=str(data.get("name")),
        reserved=tuple(reserved_before(data)),
        image=image,
        boot_calls=calls,
        cpus=_online_cpus(cmdline, hardware.int("smp", 1)),
        final_reserved=None if calls else _final_reserved(data),
        min_free_kbytes=_min_free(cmdline),
        recorded=recorded,
    )


def _min_free(cmdline: str) -> int | None:
    words = [
        word.partition("=")[2] for word in cmdline.split() if word.startswith("sysctl.vm.min_free_kbytes=")
    ]
    return int(words[-1]) if words else None


def _online_cpus(cmdline: str, smp: int) -> int:
    words = [word.partition("=")[2] for word in cmdline.split() if word.startswith("maxcpus=")]
    return min(smp, int(words[-1])) if words else smp


def _config(data: dict[str, Any], hardware: Fields, kernel: Fields) -> Config:
    options = kernel.fields("config").data
    sizes = kernel.fields("sizeof")
    enums = kernel.fields("enums")
    zones = enums.fields("enum zone_type").data
    fixed = enums.fields("enum fixed_addresses").data if "enum fixed_addresses" in enums.data else {}
    on = {option for option, value in options.items() if value == "y"}
    name = hardware.text("arch")
    format_name = _format(name, on, hardware, kernel.text("cmdline"))
    migratetypes = enums.fields("enum migratetype").data
    small = "CONFIG_NR_CPUS" not in options or options["CONFIG_NR_CPUS"] == "1"
    max_order = int(options.get("CONFIG_ARCH_FORCE_MAX_ORDER") or 11)
    return Config(
        format=format_name,
        page_offset=int(options["CONFIG_PAGE_OFFSET"], 0) if "CONFIG_PAGE_OFFSET" in options else None,
        memory_model=_memory_model(on),
        struct_page_bytes=sizes.int("page"),
        highmem="ZONE_HIGHMEM" in zones,
        zone_dma="ZONE_DMA" in zones,
        zone_dma32="ZONE_DMA32" in zones,
        zone_device="ZONE_DEVICE" in zones,
        max_order=max_order,
        pageblock_order=_pageblock_order(format_name, on, max_order),
        transparent_hugepage="CONFIG_TRANSPARENT_HUGEPAGE" in on,
        cma_bytes=(int(options.get("CONFIG_CMA_SIZE_MBYTES") or 0) << 20)
        if "MIGRATE_CMA" in migratetypes
        else 0,
        nr_cpus=int(options.get("CONFIG_NR_CPUS") or 1),
        fixmap_slots=fixed.get("__end_of_fixed_addresses"),
        fix_kmap_begin=fixed.get("FIX_KMAP_BEGIN"),
        kaslr="CONFIG_RANDOMIZE_BASE" in on,
        numa="CONFIG_NUMA" in on,
        sizeof=dict(sizes.data),
        freed_late=() if small else None,
    )


def _format(name: str, on: set[str], hardware: Fields, cmdline: str) -> str:
    """The page-table format from the configuration, the CPU and the command line."""
    if name == "amd64":
        cpu = hardware.text("cpu")
        five = "CONFIG_X86_5LEVEL" in on and cpu.startswith("max") and "la57=off" not in cpu
        return "x86-64-5" if five and "no5lvl" not in cmdline.split() else "x86-64-4"
    if name == "i386":
        return "x86-pae" if "CONFIG_X86_PAE" in on else "x86-32"
    if name == "arm":
        return "arm-lpae" if "CONFIG_ARM_LPAE" in on else "arm-short"
    return "arm64-4k-48"


def _memory_model(on: set[str]) -> str:
    if "CONFIG_SPARSEMEM_VMEMMAP" in on:
        return "SPARSEMEM_VMEMMAP"
    return "SPARSEMEM" if "CONFIG_SPARSEMEM" in on else "FLATMEM"


def _pageblock_order(format_name: str, on: set[str], max_order: int) -> int:
    """include/linux/pageblock-flags.h: a huge page where there are any, else the largest block."""
    huge = {"x86-32": 10, "x86-pae": 9, "x86-64-4": 9, "x86-64-5": 9, "arm-lpae": 9, "arm64-4k-48": 9}.get(
        format_name
    )
    has_hugetlb = on & {"CONFIG_HUGETLB_PAGE", "CONFIG_TRANSPARENT_HUGEPAGE"}
    return min(huge, max_order - 1) if huge and has_hugetlb else max_order - 1


def _image(data: dict[str, Any]) -> Image:
    symbols = Fields(data.get("symbols"), "symbols")
    at = {name: row for name, row in symbols.data.items() if isinstance(row, dict)}

    def pa(name: str) -> int:
        return Fields(at.get(name), f"symbols.{name}").int("pa")

    stext = Fields(at.get("_stext"), "symbols._stext")
    slide = stext.int("va") - stext.int("pa")
    end_row = Fields(at.get("_end"), "symbols._end")

    def by_va(name: str) -> int:
        row = Fields(at.get(name), f"symbols.{name}")
        return row.int("va") - slide

    initrd_start, initrd_end = _initrd(data)
    return Image(
        start=stext.int("pa"),
        end=end_row.int("va") - slide,
        init_start=by_va("__init_begin"),
        init_end=by_va("__init_end"),
        initrd_start=initrd_start,
        initrd_end=initrd_end,
        text_va=stext.int("va") if stext.int("va") >> 32 else 0,
        gaps=_gaps(data),
    )


def _gaps(data: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    """x86-64: text to rodata and rodata to data, whole pages between sections (mm/init_64.c:mark_rodata_ro)."""
    if (data.get("machine") or {}).get("arch") != "amd64":
        return ()
    at = {
        row.text("name"): row.span() for row in Fields(data, "record").each("iomem") if row.int("depth") == 1
    }
    names = ("Kernel code", "Kernel rodata", "Kernel data")
    if not all(name in at for name in names):
        return ()
    code, rodata, kernel_data = (at[name] for name in names)
    return (
        (align_up(code[1], PAGE_SIZE), rodata[0]),
        (align_up(rodata[1], PAGE_SIZE), align_down(kernel_data[0], PAGE_SIZE)),
    )


def _initrd(data: dict[str, Any]) -> tuple[int, int]:
    """Where the boot loader put the initrd: the reservation made for it, or the x86 log line."""
    for event in Fields(data.get("memblock"), "memblock").each("events"):
        caller = event.text("caller", "")
        if event.text("op") == "reserve" and "initrd" in caller:
            return event.span()
        if event.text("op") == "free" and caller.startswith("free_initrd_mem"):
            return event.span()
    for note in Fields(data.get("dmesg"), "dmesg").list("notes", []):
        if isinstance(note, str) and note.startswith("RAMDISK: [mem "):
            low, high = note.removeprefix("RAMDISK: [mem ").rstrip("]").split("-")
            return int(low, 0), int(high, 0) + 1
    return 0, 0


def _relocated(data: dict[str, Any]) -> int:
    """Bytes of an initrd that the kernel moved (x86, "Move RAMDISK from ... to ..."), 0 if it did not."""
    for note in Fields(data.get("dmesg"), "dmesg").list("notes", []):
        if isinstance(note, str) and note.startswith("Move RAMDISK from [mem "):
            low, high = note.removeprefix("Move RAMDISK from [mem ").partition("]")[0].split("-")
            return int(high, 0) + 1 - int(low, 0)
    return 0


def _final_reserved(data: dict[str, Any]) -> tuple[Region, ...] | None:
    """Reservations at the end of boot, needed only where there is no log to work them out from."""
    rows = Fields(
        Fields(data.get("memblock"), "memblock").data.get("kernel_final") or {}, "memblock.kernel_final"
    ).each("reserved")
    spans = [row.span() for row in rows]
    return tuple(Region(start, end - start, "reserved at boot") for start, end in spans) or None


def _ram(data: dict[str, Any], hardware: Fields) -> list[Region]:
    """The firmware's RAM: e820's usable entries, or the device tree's memory nodes; with NUMA nodes."""
    firmware = Fields(data.get("firmware"), "firmware")
    if hardware.text("arch") in ("i386", "amd64"):
        entries = firmware.each("e820_user") or firmware.each("e820")
        spans = [entry.span() for entry in entries if entry.text("type") == "usable"]
    else:
        spans = _device_tree(firmware, hardware.int("ram_bytes"))
    if not spans:
        raise VmlabError("record field firmware: expected e820 entries or device-tree memory, got none")
    return [region for start, end in spans if end > start for region in _by_node(start, end, data)]


def _device_tree(firmware: Fields, ram_bytes: int) -> list[tuple[int, int]]:
    """The `reg` of memory nodes; the cells of an address are not recorded, so the widths that fit RAM are taken."""
    spans = []
    for path, text in firmware.fields("devicetree_memory").data.items():
        if "memory-controller" in path:
            continue
        raw = bytes.fromhex(text)
        for cells in ((8, 8), (4, 4), (8, 4), (4, 8)):
            found = _cells(raw, *cells)
            if found and all(0 < size <= ram_bytes for _, size in found):
                spans += [(start, start + size) for start, size in found]
                break
        else:
            raise VmlabError(
                f"record field firmware.devicetree_memory.{path}: expected addresses and sizes within {ram_bytes} bytes of RAM"
            )
    return sorted(spans)


def _cells(raw: bytes, address: int, size: int) -> list[tuple[int, int]]:
    step = address + size
    if not raw or len(raw) % step:
        return []
    rows = [raw[i : i + step] for i in range(0, len(raw), step)]
    return [(int.from_bytes(row[:address], "big"), int.from_bytes(row[address:], "big")) for row in rows]


def _by_node(start: int, end: int, data: dict[str, Any]) -> list[Region]:
    """Cut a range at NUMA node borders, which the firmware's SRAT or device tree gives (`machine.numa` bytes a node)."""
    sizes = (data.get("machine") or {}).get("numa")
    if not sizes:
        return [Region(start, end - start)]
    borders = _node_borders(
        [int(size) for size in sizes], (data.get("machine") or {}).get("arch") == "amd64", data
    )
    cut = []
    for node, (low, high) in borders:
        a, b = max(start, low), min(end, high)
        if a < b:
            cut.append(Region(a, b - a, node=node))
    return cut


def _node_borders(sizes: list[int], pc: bool, data: dict[str, Any]) -> list[tuple[int, tuple[int, int]]]:
    """QEMU lays node after node; a PC has a hole for devices below 4 GiB, and RAM goes on above it."""
    if not pc:
        first = min(start for start, _ in _device_tree(Fields(data["firmware"], "firmware"), sum(sizes)))
        hole, at = 1 << 64, first
    else:
        hole, at = (3 * GiB if sum(sizes) >= 3.5 * GiB else 4 * GiB), 0
    borders = []
    for node, size in enumerate(sizes):
        end = at + size
        borders.append((node, (at, min(end, hole))))
        borders.append((node, (max(at, hole) + 4 * GiB - hole, end + 4 * GiB - hole)))
        at = end
    return [(node, (low, high)) for node, (low, high) in borders if low < high]


__all__ = ["first_snapshot", "machine_from"]
