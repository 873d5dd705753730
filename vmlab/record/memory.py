"""The firmware's RAM as a record has it: e820 on a PC, the device tree's memory nodes elsewhere."""

from __future__ import annotations

from typing import Any

from ..parts import Region
from ..units import GiB, VmlabError
from .read import Fields


def ram_of(data: dict[str, Any], hardware: Fields) -> list[Region]:
    """The firmware's RAM: e820's usable entries, or the device tree's memory nodes; with NUMA nodes."""
    firmware = Fields(data.get("firmware"), "firmware")
    entries = firmware.each("e820_user") or firmware.each("e820")
    spans = [entry.span() for entry in entries if entry.text("type") == "usable"]
    if not entries:
        spans = _device_tree(firmware, hardware.integer("ram_bytes"))
    if not spans:
        raise VmlabError("record field firmware: expected e820 entries or device-tree memory, got none")
    borders = node_borders(hardware.ints("numa"), spans[0][0], is_pc=bool(entries))
    return [region for start, end in spans for region in by_node(start, end, borders)]


def _device_tree(firmware: Fields, ram_bytes: int) -> list[tuple[int, int]]:
    """The `reg` of memory nodes; the cells of an address are not recorded, so the widths that fit RAM are taken."""
    spans = []
    tree = firmware.fields("devicetree_memory")
    for path in tree.data:
        if "memory-controller" in path:
            continue
        raw = tree.hex_bytes(path)
        for cells in ((8, 8), (4, 4), (8, 4), (4, 8)):
            found = _cells(raw, *cells)
            if found and all(0 < size <= ram_bytes and start < 1 << 52 for start, size in found):
                spans += [(start, start + size) for start, size in found]
                break
        else:
            raise VmlabError(
                f"record field firmware.devicetree_memory.{path}: "
                f"expected addresses and sizes within {ram_bytes} bytes of RAM"
            )
    return sorted(spans)


def _cells(raw: bytes, address: int, size: int) -> list[tuple[int, int]]:
    step = address + size
    if not raw or len(raw) % step:
        return []
    rows = [raw[i : i + step] for i in range(0, len(raw), step)]
    return [(int.from_bytes(row[:address], "big"), int.from_bytes(row[address:], "big")) for row in rows]


def by_node(start: int, end: int, borders: list[tuple[int, int, int]]) -> list[Region]:
    """Cut a range at NUMA node borders; without any, it is all of node 0."""
    if not borders:
        return [Region(start, end - start)] if start < end else []
    cut = [(max(start, low), min(end, high), node) for node, low, high in borders]
    return [Region(low, high - low, node=node) for low, high, node in cut if low < high]


def node_borders(sizes: list[int], first: int, is_pc: bool) -> list[tuple[int, int, int]]:
    """(node, start, end) as QEMU lays the nodes out: one after the other, on a PC around the hole below 4 GiB."""
    hole = 1 << 64
    if is_pc:
        first, hole = 0, (3 * GiB if sum(sizes) >= 3.5 * GiB else 4 * GiB)
    borders = []
    for node, size in enumerate(sizes):
        end = first + size
        borders += [
            (node, first, min(end, hole)),
            (node, max(first, hole) + 4 * GiB - hole, end + 4 * GiB - hole),
        ]
        first = end
    return [border for border in borders if border[1] < border[2]]
