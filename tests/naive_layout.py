"""Classifying an address the slow way: every area in turn, every bank of RAM in turn."""

from __future__ import annotations


def naive_classify(space, ram, va):
    """(area's name or None, logical, physical address or None) of `va`; `ram` are the spans the direct map maps."""
    for area in (*space.areas, *space.others):
        if not area.start <= va < area.end:
            continue
        if area.name == "direct map":
            pa = (va - space.page_offset + space.phys_offset) % 2**64
            return area.name, True, pa if any(low <= pa < high for low, high in ram) else None
        if area.name == "kernel image":
            inside = any(low <= va < high for low, high in area.mapped)
            return area.name, False, (va - area.offset) % 2**64 if inside else None
        return area.name, False, None
    return None, False, None
