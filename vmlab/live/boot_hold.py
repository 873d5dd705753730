"""The first stop, when the kernel is up: its tables, its struct pages, its free lists, and what it prints.

Each part of the record is read from one witness, and says which (`how`); what has no witness here is left out:
with no debugging symbols, that is the structs that VMCOREINFO does not describe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .. import procfs
from ..units import PAGE_SIZE, VmlabError
from . import image_file
from .debian import KernelFiles
from .kernel_memory import KernelMemory, Tables
from .vmcoreinfo import Vmcoreinfo

MOST_BLOCKS = 400_000
NO_FRAME = -1


def symbols(files: Mapping[str, str], borders: image_file.Borders, memory: KernelMemory) -> dict[str, Any]:
    """Addresses: of the kernel's text from kallsyms, of the init part and the end from the image."""
    named = kallsyms(files.get("kallsyms", ""))
    named |= {"__init_begin": borders.init_begin, "__init_end": borders.init_end, "_end": borders.end}
    return {name: {"va": va, "pa": memory.pa(va)} for name, va in named.items()}


def kallsyms(text: str) -> dict[str, int]:
    """{name: address}; a symbol whose address is hidden (all zeros) is left out."""
    found: dict[str, int] = {}
    for digits, name in re.findall(r"^([0-9a-f]{1,16}) \w (\w+)$", text, re.MULTILINE):
        if address := int(digits, 16):
            found.setdefault(name, address)
    return found


def nodes(zones: list[procfs.ZoneInfo]) -> list[dict[str, Any]]:
    """Nodes and zones as /proc/zoneinfo prints them: every zone of the kernel, in its order, empty ones too."""
    by_node: dict[int, list[dict[str, Any]]] = {}
    for zone in zones:
        rows = by_node.setdefault(zone.node, [])
        pages = zone.pages
        rows.append({
            "index": len(rows), "name": zone.name, "start_pfn": zone.start_pfn,
            "spanned": pages["spanned"], "present": pages["present"], "managed": pages["managed"],
            "cma": pages.get("cma", 0), "watermark": [pages["min"], pages["low"], pages["high"]],
            "lowmem_reserve": list(zone.lowmem_reserve),
        })  # fmt: skip
    return [{"node_id": node, "zones": rows} for node, rows in sorted(by_node.items())]


class StructPages:
    """The array of struct page: where the struct of a frame stands, and which frames hold the array."""

    def __init__(
        self, info: Vmcoreinfo, memory: KernelMemory, model: str, first_pfn: int, end_pfn: int, arch_pfn_offset: int
    ) -> None:
        self.info, self.memory, self.model = info, memory, model
        self.arch_pfn_offset = arch_pfn_offset  # the frame of mem_map[0] (include/asm-generic/memory_model.h)
        self.size = info.size("page")
        self.first_pfn, self.end_pfn = first_pfn, end_pfn
        self.mem_map = memory.word(info.symbols["mem_map"]) if model == "FLATMEM" else None
        self.sections = {} if model == "FLATMEM" else dict(self._sections())
        if model == "FLATMEM" and self.mem_map is None:
            raise VmlabError("the variable mem_map cannot be read: the guest's tables do not map it")

    @property
    def section_pfns(self) -> int:
        """Frames of a section."""
        return 1 << (self.info.numbers["SECTION_SIZE_BITS"] - 12)

    def _sections(self) -> Iterator[tuple[int, int]]:
        """(section number, its word less the flags) of every section with struct pages (include/linux/mmzone.h)."""
        memory, word = self.memory, self.memory.word_bytes
        struct, offset = self.info.size("mem_section"), self.info.offset("mem_section.section_mem_map")
        table, roots = self.info.symbols["mem_section"], self.info.lengths["mem_section"]
        per_root = PAGE_SIZE // struct
        for root in range(min(roots, 1 << 16)):
            start = memory.word(table + root * word)
            for number in range(per_root if start else 0):
                raw = memory.word((start or 0) + number * struct + offset)
                if raw and raw & 1:  # SECTION_MARKED_PRESENT
                    yield root * per_root + number, raw & ~0x1F & (1 << 8 * word) - 1

    def va(self, pfn: int) -> int | None:
        """Address of a frame's struct page; None in a section without."""
        top = (1 << 8 * self.memory.word_bytes) - 1
        if self.mem_map is not None:
            return self.mem_map + (pfn - self.arch_pfn_offset) * self.size
        base = self.sections.get(pfn // self.section_pfns)
        return None if base is None else (base + pfn * self.size) & top

    def pfn(self, va: int) -> int:
        """The frame whose struct page begins at `va`; NO_FRAME if none does."""
        if self.mem_map is not None:
            return self.arch_pfn_offset + (va - self.mem_map) // self.size
        for number, base in self.sections.items():
            pfn = (va - base) // self.size
            if pfn // self.section_pfns == number:
                return pfn
        return NO_FRAME

    def areas(self) -> list[tuple[int, int]]:
        """(start, end) of the array's addresses."""
        if self.mem_map is not None:
            before, end = (pfn - self.arch_pfn_offset for pfn in (self.first_pfn, self.end_pfn))
            return [(self.mem_map + before * self.size, self.mem_map + end * self.size)]
        starts = [(number * self.section_pfns, (number + 1) * self.section_pfns) for number in sorted(self.sections)]
        spans = [(self.va(first), self.va(end - 1)) for first, end in starts]
        return [(first, last + self.size) for first, last in spans if first is not None and last is not None]

    def record(self, zones: list[procfs.ZoneInfo]) -> dict[str, Any]:
        """The part `mem_map` of a record, but for the boot allocations."""
        ranges = list(self._ranges())
        frames = sorted({pfn for row in ranges for pfn in range(row["pa"] >> 12, -(-row["pa_end"] // PAGE_SIZE))})
        rows: dict[str, Any] = {"model": self.model, "struct_page_bytes": self.size,
                                "struct_page_source": "VMCOREINFO SIZE(page)", "ranges": ranges}  # fmt: skip
        if self.mem_map is not None:
            rows |= {"mem_map_va": self.mem_map, "first_pfn": self.first_pfn, "end_pfn": self.end_pfn}
        elif self.sections:
            rows["vmemmap_of_pfn0"] = next(iter(self.sections.values()))
        rows |= {"frames": len(frames), "bytes": sum(row["pa_end"] - row["pa"] for row in ranges)}
        rows |= {"first_frame": frames[0], "last_frame": frames[-1]} if frames else {}
        rows["frames_by_zone"] = _by_zone(frames, zones)
        rows["frames_by_zone_source"] = "the spans of /proc/zoneinfo; where two hold a frame, the later zone's"
        return rows

    def _ranges(self) -> Iterator[dict[str, int]]:
        """Physically contiguous pieces of the array, page by page through the kernel's tables."""
        piece: dict[str, int] = {}
        for start, end in self.areas():
            va = start
            while va < end:
                after = min(end, (va // PAGE_SIZE + 1) * PAGE_SIZE)
                pa = self.memory.pa(va)
                if pa is not None and piece and (piece["va_end"], piece["pa_end"]) == (va, pa):
                    piece |= {"va_end": after, "pa_end": pa + after - va}
                elif pa is not None:
                    if piece:
                        yield piece
                    piece = {"va": va, "va_end": after, "pa": pa, "pa_end": pa + after - va}
                va = after
        if piece:
            yield piece


def _by_zone(frames: list[int], zones: list[procfs.ZoneInfo]) -> dict[str, int]:
    """How many of `frames` lie in which zone. Only Movable is cut out of another zone's span, and it stands later."""
    counted: dict[str, int] = {}
    for pfn in frames:
        inside = [zone for zone in zones if zone.start_pfn <= pfn < zone.end_pfn]
        name = f"node{inside[-1].node}/{inside[-1].name}" if inside else "none"
        counted[name] = counted.get(name, 0) + 1
    return counted


def free_lists(info: Vmcoreinfo, pages: StructPages, node_structs: list[int], zones: int) -> list[tuple[int, ...]]:
    """Every block on the buddy's lists: (node, zone index, order, migratetype, first pfn), in the lists' order."""
    memory = pages.memory
    rows: list[tuple[int, ...]] = []
    orders, types = info.lengths["zone.free_area"], info.lengths["free_area.free_list"]
    for node, struct in enumerate(node_structs):
        for index in range(zones):
            zone = struct + info.offset("pglist_data.node_zones") + index * info.size("zone")
            for order in range(min(orders, 32)):
                area = zone + info.offset("zone.free_area") + order * info.size("free_area")
                for migratetype in range(min(types, 16)):
                    head = area + info.offset("free_area.free_list") + migratetype * info.size("list_head")
                    for block in _list(memory, head):
                        rows.append((node, index, order, migratetype, pages.pfn(block - info.offset("page.lru"))))
                        if len(rows) > MOST_BLOCKS:
                            raise VmlabError("the guest's free lists do not end: its memory is damaged")
    return rows


def _list(memory: KernelMemory, head: int) -> Iterator[int]:
    """The entries of a list_head."""
    entry = memory.word(head)
    for _ in range(MOST_BLOCKS):
        if not entry or entry == head:
            return
        yield entry
        entry = memory.word(entry)


def tables_part(tables: Tables) -> dict[str, Any]:
    """How much the kernel's tables map, and with which pages."""
    sizes: dict[str, int] = {}
    for row in tables.mapped:
        sizes[str(row.size)] = sizes.get(str(row.size), 0) + 1
    return {"kernel_table_pages": len(tables.pages), "kernel_leaves": len(tables.mapped), "kernel_leaf_sizes": sizes}


def borders_of(kernel: KernelFiles, files: Mapping[str, str], stext_pa: int, is_pc: bool) -> image_file.Borders:
    """Where the image's init part lies: of a PC from the file that was booted, elsewhere from /proc/iomem.

    The file has the addresses that the image was linked to; how far KASLR moved it, its _stext says.
    """
    stext = kallsyms(files["kallsyms"])["_stext"]
    if is_pc:
        return image_file.from_bzimage(kernel.image).moved(stext)
    rows = [vars(row) for row in procfs.parse_iomem(files["iomem"])]
    return image_file.from_iomem(rows, stext, stext_pa)
