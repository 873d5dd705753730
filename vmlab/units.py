"""Sizes, alignment, page-frame arithmetic, and numbers as the kernel reads and prints them."""

from __future__ import annotations

import re

KiB = 1 << 10
MiB = 1 << 20
GiB = 1 << 30
TiB = 1 << 40

PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT


class VmlabError(ValueError):
    """A mistake in what was given: says what was expected, what came, and what to do next."""


def pfn_down(pa: int) -> int:
    """Number of the frame that holds byte `pa` (the kernel's PFN_DOWN)."""
    return pa >> PAGE_SHIFT


def pfn_up(pa: int) -> int:
    """Number of the first frame that starts at or after byte `pa` (the kernel's PFN_UP)."""
    return (pa + PAGE_SIZE - 1) >> PAGE_SHIFT


def align_down(value: int, align: int) -> int:
    """Largest multiple of `align` not above `value`; any positive `align`."""
    return value - value % align


def align_up(value: int, align: int) -> int:
    """Smallest multiple of `align` not below `value`; any positive `align`."""
    return -(-value // align) * align


_SUFFIX = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50, "e": 60}
_SIZE = re.compile(r"(0x[0-9a-f]+|\d+)([kmgtpe]?)", re.IGNORECASE)


def memparse(text: str) -> int:
    """Bytes meant by a boot parameter's size (Linux 6.1, lib/cmdline.c:memparse).

    >>> memparse("256M")
    268435456
    """
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise VmlabError(f"{text!r} is not a size: expected a number with an optional K, M, G or T, such as 256M")
    return int(found[1], 0) << _SUFFIX[found[2].lower()]


def human(size: int) -> str:
    """A size in the largest binary unit that loses little: 9437184 becomes '9 MiB'."""
    for name, unit in (("TiB", TiB), ("GiB", GiB), ("MiB", MiB), ("KiB", KiB)):
        if abs(size) >= unit:
            return f"{size / unit:.2f}".rstrip("0").rstrip(".") + f" {name}"
    return f"{size} B"


def group_hex(value: int) -> str:
    """An address with an underscore every four digits, as this project writes them: 0xc000_0000."""
    return f"0x{value:_x}"
