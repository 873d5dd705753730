"""The smaller parts of a record, each from its witness: addresses to look up, layout constants, kernel and firmware."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from .. import procfs
from ..units import PAGE_SIZE, align_down, align_up
from .console import Marker
from .debian import KernelFiles
from .kernel_memory import KernelMemory, Tables
from .process_holds import RUN, Process
from .vmcoreinfo import Vmcoreinfo

START_KERNEL_MAP = 0xFFFF_FFFF_8000_0000
KEPT = re.compile(
    r"CONFIG_(FLATMEM|SPARSEMEM\w*|HIGHMEM\w*|NOHIGHMEM|HIGHPTE|X86_PAE|ARM_LPAE|VMSPLIT_\w+|PAGE_OFFSET|PGTABLE_LEVELS|"
    r"NUMA|NODES_SHIFT|X86_5LEVEL|ARM64_\w*BITS\w*|ARM64_4K_PAGES|ZONE_\w+|CMA\w*|MEMCG|RANDOMIZE_\w+|PAGE_TABLE_ISOLATION|"
    r"UNMAP_KERNEL_AT_EL0|ARCH_FORCE_MAX_ORDER|DEFERRED_STRUCT_PAGE_INIT|ARCH_KEEP_MEMBLOCK|TRANSPARENT_HUGEPAGE|"
    r"HUGETLB_PAGE|PHYSICAL_\w+|ARM_PATCH_PHYS_VIRT|SWAP|NR_CPUS|PAGE_SIZE_\w+|KALLSYMS_ALL|STRICT_KERNEL_RWX|VMAP_STACK)"
)
LARGEST_IO, LARGEST_VMALLOC = 12, 8  # areas of each kind that are looked at


def layout(arch: str, data: Mapping[str, Any], info: Vmcoreinfo, memory: KernelMemory) -> dict[str, Any]:
    """Layout constants that the kernel tells: variables where kallsyms names them, VMCOREINFO's numbers elsewhere."""
    found: dict[str, Any] = {}

    def put(name: str, value: int | None, how: str) -> None:
        if value is not None:
            found[name] = {"value": value % (1 << 64), "how": how}

    symbols = data["symbols"]
    for name, symbol in (("page_offset", "page_offset_base"), ("vmalloc_base",) * 2, ("vmemmap_base",) * 2):
        if arch == "amd64" and symbol in symbols:
            put(name, memory.word(symbols[symbol]["va"]), f"variable {symbol}")
    if arch == "amd64":
        put("phys_base", info.numbers.get("phys_base"), "VMCOREINFO")
        put("kernel_image_base", START_KERNEL_MAP, "constant __START_KERNEL_map")
        size = info.numbers.get("KERNEL_IMAGE_SIZE")
        put("modules_start", size and START_KERNEL_MAP + size, "VMCOREINFO KERNEL_IMAGE_SIZE")
    if arch == "arm64":
        put("vmemmap_start", info.numbers.get("VMEMMAP_START"), "VMCOREINFO")
        put("memstart_addr", info.numbers.get("PHYS_OFFSET"), "VMCOREINFO")
        put("kimage_voffset", info.numbers.get("kimage_voffset"), "VMCOREINFO")
    return found


def kernel_cases(
    data: Mapping[str, Any], files: Mapping[str, str], mmu: Callable[[int], int | None]
) -> list[dict[str, Any]]:
    """Kernel addresses of every kind, what /proc or the image makes expect, and what QEMU's MMU says."""
    found = []
    for va, what, expected, how in dict.fromkeys(_addresses(data, files)):
        pa = mmu(va)
        found.append({"va": va, "what": what, "expect_pa": expected, "expect_how": how, "qemu_gpa": pa, "pa": pa})
    return found


def _addresses(data: Mapping[str, Any], files: Mapping[str, str]) -> Iterator[tuple[int, str, int | None, str | None]]:
    symbols = data["symbols"]
    for name in ("_text", "_stext", "_etext", "init_task", "_end", "init_mm"):
        if name in symbols:
            yield symbols[name]["va"], f"kernel image: {name}", None, None
    base = data["layout"].get("page_offset", {}).get("value")
    if base is not None:  # elsewhere the offset has no witness
        for row in procfs.parse_iomem(files["iomem"], "iomem"):
            if row.name.startswith("System RAM") and row.depth == 0:
                for pa in (row.start, (row.start + row.end) // 2 // PAGE_SIZE * PAGE_SIZE, row.end - 1):
                    yield base + pa, "direct map", pa, "va - PAGE_OFFSET + dram base"
    for row in data["mem_map"]["ranges"][:2]:
        yield row["va"], "mem_map first byte", row["pa"], "the kernel's tables"
        yield row["va_end"] - 1, "mem_map last byte", row["pa_end"] - 1, "the kernel's tables"
    areas = procfs.parse_vmallocinfo(files["vmallocinfo"], "vmallocinfo")
    ports = [row for row in areas if row.phys is not None and "ioremap" in row.flags and "iotable" not in row.caller]
    for area in ports[:LARGEST_IO]:
        yield area.start, "ioremap", area.phys, "vmallocinfo phys="
        yield area.end - PAGE_SIZE, "guard page after ioremap", None, "vmallocinfo: last page of the area is the guard"
    for area in [row for row in areas if row.flags == ("vmalloc",)][:LARGEST_VMALLOC]:
        yield area.start, "vmalloc first page", None, None
        yield area.end - PAGE_SIZE, "guard page after vmalloc", None, "vmallocinfo: last page of the area is the guard"


def window(
    part: dict[str, Any], marker: Marker, process: Process | None, tables: Tables, layout: dict[str, Any]
) -> None:
    """One stop of kmap's: the frames read in their order, and the slots in which the kernel's tables show them.

    The window's start has no witness of its own: it is where the lowest of the slots lies, rounded down to the
    window's size (LAST_PKMAP pages: 2 MiB, or 4 MiB on two-level x86).
    """
    hold: dict[str, Any] = {
        "hold": marker.name,
        "columns": ["slot", "pfn"],
        "slots": [],
        "counts": {},
        "last_pkmap_nr": None,
    }
    if process is not None:
        first, count = int(marker.words.get("first", 0)), int(marker.words.get("count", 0))
        pages = range(0x6000_0000, 0x6000_0000 + (first + count) * PAGE_SIZE, PAGE_SIZE)
        pfns = [process.entry(va).pfn or 0 for va in pages]
        hold["read_order_pfns"] = pfns[first:]
        shown = {row.va: row.pa // PAGE_SIZE for row in tables.mapped if row.size == PAGE_SIZE}
        size = 1024 if tables.format.name == "x86-32" else 512
        users = {row.va // PAGE_SIZE for row in tables.mapped}  # any page-sized mapping of a frame that was read
        at = sorted(va for va, pfn in shown.items() if pfn in set(pfns) and va // PAGE_SIZE in users)
        if at:
            base = align_down(at[0], size * PAGE_SIZE)
            part |= {"pkmap_base": base, "last_pkmap": size}
            layout["pkmap_base"] = {"value": base, "how": "the window in which the frames that were read are mapped"}
            layout["last_pkmap"] = {"value": size, "how": "constant LAST_PKMAP"}
            slots = ((va - base) // PAGE_SIZE for va in sorted(shown))
            hold["slots"] = [[slot, shown[base + slot * PAGE_SIZE]] for slot in slots if 0 <= slot < size]
    part["holds"].append(hold)


def kernel_part(
    kernel: KernelFiles, files: Mapping[str, str], info: Vmcoreinfo | None, zones: Sequence[procfs.ZoneInfo]
) -> dict[str, Any]:
    """Version, configuration, and the sizes that the kernel tells."""
    names = {f"ZONE_{zone.name.upper()}": zone.name for zone in zones}
    types = re.findall(r"type\s+(\w+)", files.get("pagetypeinfo", ""))
    enums = {
        "enum zone_type": {name: number for number, name in enumerate(names)},
        "enum migratetype": {f"MIGRATE_{name.upper()}": number for number, name in enumerate(dict.fromkeys(types))},
    }
    return {
        "package": kernel.package, "version": files["version"].strip(), "cmdline": files["cmdline"].strip(),
        "config": {name: value for name, value in kernel.config.items() if KEPT.fullmatch(name)},
        "sizeof": dict(info.sizes) if info else {}, "enums": enums,
    }  # fmt: skip


def firmware(files: Mapping[str, str], said: Mapping[str, Any]) -> dict[str, Any]:
    """The firmware's memory map: e820 of a PC, the device tree's memory nodes elsewhere."""
    entries: dict[int, dict[str, str]] = {}
    for name, text in files.items():
        if match := re.fullmatch(r"firmware_memmap/(\d+)/(start|end|type)", name):
            entries.setdefault(int(match[1]), {})[match[2]] = text.strip()
    rows = [
        {"start": int(row["start"], 16), "end": int(row["end"], 16) + 1, "type": row["type"]}
        for _, row in sorted(entries.items())
        if len(row) == 3
    ]
    tree = {name: text for name, text in files.items() if name.startswith("devicetree/")}
    return {
        "e820": said["e820"],
        "e820_user": said["e820_user"],
        "sys_firmware_memmap": rows,
        "devicetree_memory": tree,
    }


def zone(row: procfs.ZoneInfo) -> dict[str, Any]:
    """A zone of /proc/zoneinfo under the names of records/SCHEMA.md."""
    pagesets = [{name: value for name, value in pageset.items() if " " not in name} for pageset in row.pagesets]
    return {
        "node": row.node, "name": row.name, "protection": list(row.lowmem_reserve), "vm_stat": row.vm_stat,
        "pcp": pagesets, **row.pages, **row.last,
    }  # fmt: skip


def vmalloc_row(row: procfs.VmallocInfo) -> dict[str, Any]:
    """A line of /proc/vmallocinfo likewise."""
    found = {
        "start": row.start,
        "end": row.end,
        "size": row.size,
        "kind": " ".join(row.flags),
        "caller": "unpurged" if row.unpurged else row.caller,
    }
    if row.phys is not None:
        found["phys"] = row.phys
    if row.pages:
        found["pages"] = row.pages
    return found


def page_flags(text: str, mem_map: Mapping[str, Any]) -> dict[str, Any]:
    """/proc/kpageflags of the frames that hold the array of struct page: how many have which flags."""
    frames = [(row["pa"] // PAGE_SIZE, align_up(row["pa_end"], PAGE_SIZE) // PAGE_SIZE) for row in mem_map["ranges"]]
    counted: dict[str, int] = {}
    for words in RUN.findall(text):
        first, count, flags = int(words[0], 16), int(words[1]), int(words[2], 16)
        inside = sum(max(0, min(first + count, end) - max(first, start)) for start, end in frames)
        if inside:
            name = " ".join(procfs.flag_names(flags)) or "none"
            counted[name] = counted.get(name, 0) + inside
    return {"mem_map_frames": counted}


def memblock_final(files: Mapping[str, str]) -> dict[str, list[dict[str, int]]]:
    """The boot allocator's lists at the end of boot, where debugfs keeps them (CONFIG_ARCH_KEEP_MEMBLOCK)."""
    found = {}
    for name, text in files.items():
        if name.startswith("memblock/"):
            rows = re.findall(r"^\s*\d+: 0x([0-9a-f]{1,16})\.\.0x([0-9a-f]{1,16})", text, re.MULTILINE)
            found[name.split("/")[1]] = [{"start": int(start, 16), "end": int(end, 16) + 1} for start, end in rows]
    return found


def boot_allocations(events: Sequence[Mapping[str, Any]], ranges: Sequence[Mapping[str, int]]) -> list[dict[str, Any]]:
    """The log's allocations that the array of struct page lies in."""
    found = []
    for event, after in pairwise(events):
        if event["op"] == "alloc" and after["op"] == "reserve":
            start, end = after["start"], after["end"]
            if any(start < row["pa_end"] and row["pa"] < end for row in ranges):
                words = {name: event[name] for name in ("caller", "size", "align", "nid", "from", "max_addr")}
                found.append({**words, "start": start, "end": end})
    return found
