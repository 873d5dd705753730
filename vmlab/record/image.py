"""Where a record says the kernel image and its initrd were loaded."""

from __future__ import annotations

import re
from typing import Any

from ..parts import Image
from ..units import PAGE_SIZE, align_down, align_up
from .read import Fields


def image_of(data: dict[str, Any]) -> Image:
    """The image's extents, physical bytes."""
    symbols = Fields(data.get("symbols"), "symbols")
    stext = symbols.fields("_stext")
    slide = stext.integer("va") - stext.integer("pa")

    def by_va(name: str) -> int:
        """Physical address; by the virtual one, because init memory is unmapped once it is freed."""
        return symbols.fields(name).integer("va") - slide

    initrd_start, initrd_end = _initrd(data)
    return Image(
        start=stext.integer("pa"),
        end=by_va("_end"),
        init_start=by_va("__init_begin"),
        init_end=by_va("__init_end"),
        initrd_start=initrd_start,
        initrd_end=initrd_end,
        text_va=stext.integer("va") if stext.integer("va") >> 32 else 0,
        gaps=_gaps(data),
    )


def _gaps(data: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    """Whole pages between text and rodata and between rodata and data, where /proc/iomem shows all three."""
    at = {row.text("name"): row.span() for row in Fields(data, "record").each("iomem") if row.integer("depth") == 1}
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
    return _span_in_log(data, "RAMDISK: [mem ")


def _span_in_log(data: dict[str, Any], words: str) -> tuple[int, int]:
    """The half-open byte range after `words` in the boot log's notes, or nothing."""
    for note in Fields(data.get("dmesg"), "dmesg").items("notes", []):
        found = re.match(re.escape(words) + r"0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})\]", str(note))
        if found:
            return int(found[1], 16), int(found[2], 16) + 1
    return 0, 0


def moved_initrd_bytes(data: dict[str, Any]) -> int:
    """Bytes of an initrd that the kernel moved (x86), 0 if it did not."""
    start, end = _span_in_log(data, "Move RAMDISK from [mem ")
    return end - start
