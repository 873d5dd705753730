"""The explorer of lesson 02: any address in any format, in tables made by hand or by a recorded kernel."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from ..arch.format import Format
from ..arch.formats import format_names, page_format
from ..record import load_machine
from ..study.question import number
from ..units import VmlabError, group_hex, human
from ..views.entries import entries
from ..views.format_rows import format_rows
from .controls import Choice, Control, Entry
from .explorer import Explorer, Scene

if TYPE_CHECKING:
    from ..virtual.address_space import AddressSpace, Walk

RECORDED = {
    "x86-32": "i386-pc-686-1g",
    "x86-pae": "i386-pc-686pae-4g",
    "x86-64-4": "amd64-pc-1g",
    "x86-64-5": "amd64-pc-4g-la57",
    "arm-short": "arm-virt-armmp-1g",
    "arm-lpae": "arm-virt-lpae-1g",
    "arm64-4k-48": "arm64-virt-1g",
}
"""A machine that ran with the format; the others are known from their manuals only."""

SIDE_BY_SIDE = ("x86-32", "x86-pae", "arm-short", "x86-64-4", "x86-64-5", "arm64-16k-47", "arm64-64k-48", "sv39")
HAND_MADE_PA = 1 << 30
TABLES = {
    "made by hand: one smallest page": "small",
    "made by hand: one largest page": "large",
    "made by hand: a page that is read only": "read only",
    "recorded: a process": "p0",
    "recorded: the kernel": "kernel",
}
ACCESS = {
    "nothing: only translate": ("", True),
    "a read from user mode": ("read", True),
    "a write from user mode": ("write", True),
    "a fetch of code in user mode": ("fetch", True),
    "a write by the kernel": ("write", False),
}

CONTROLS: tuple[Control, ...] = (
    Entry("address", "Address", "0xf11001"),
    Choice("tables", "Tables", TABLES, "small"),
    Choice("access", "What is tried", ACCESS, ("", True)),
    Choice("view", "Show", {"every entry on the way": "entries", "formats side by side": "rows"}, "entries"),
    Choice(
        "name", "Format", {f"{name}: {page_format(name).title}": name for name in format_names()}, "x86-32", wide=True
    ),
)


def formats_explorer() -> Explorer:
    """An address cut in any format, and every entry that its walk reads."""
    return Explorer(draw, CONTROLS)


def draw(address: str, name: str, tables: str, access: tuple[str, bool], view: str) -> Scene:
    """The picture for one setting of the controls."""
    va = asked(address)
    if view == "rows":
        chosen = [name, *(other for other in SIDE_BY_SIDE if other != name)]
        return Scene(
            format_rows(va, map(page_format, chosen)), ("Only the cut is shown: no tables are needed for it.",)
        )
    fmt, (what, user) = page_format(name), access
    refuse_too_long(va, fmt)
    found = space(fmt, tables, va).walk(va, what or None, user=user)
    return Scene(entries(found), (*tried(found, access), source(name, tables), covers(fmt)))


def asked(address: str) -> int:
    """The address that was typed."""
    try:
        va = number(address)
    except VmlabError:
        raise VmlabError(f"address: expected a number such as 0xf11001, got {address!r}") from None
    if not 0 <= va < 1 << 64:
        raise VmlabError(f"address: expected 0 <= address < 2**64, got {address}")
    return va


def refuse_too_long(va: int, fmt: Format) -> None:
    """A 32-bit CPU has no register that could hold more."""
    if fmt.va_bits <= 32 and va >> 32:
        raise VmlabError(
            f"{fmt.title}: an address has 32 bits, {group_hex(va)} has more: type at most 0xffff_ffff, or choose a "
            "64-bit format"
        )


def space(fmt: Format, tables: str, va: int) -> AddressSpace:
    """The tables to walk; those made by hand map one page, the one of `va`."""
    if tables in ("p0", "kernel"):
        return recorded(fmt.name, tables)
    from ..virtual.page_table import PageTable

    made = PageTable(fmt)
    size = fmt.page_sizes[-1] if tables == "large" else fmt.page_sizes[0]
    if fmt.is_canonical(va):
        made.map(va & -size, size if tables == "large" else HAND_MADE_PA, size, write=tables != "read only")
    return made


@functools.cache
def recorded(name: str, tables: str) -> AddressSpace:
    """A recorded process's address space, or the kernel's."""
    machine = load_machine(RECORDED[name]) if name in RECORDED else None
    if machine is None or machine.recorded is None:
        raise VmlabError(f"no recorded kernel used {name}: choose tables made by hand")
    return machine.recorded.kernel_space() if tables == "kernel" else machine.recorded.address_space(tables)


def tried(walk: Walk, access: tuple[str, bool]) -> tuple[str, ...]:
    """Whether what was tried is allowed; nothing where only a translation was asked for."""
    words = next(words for words, what in ACCESS.items() if what == access)
    return (f"What is tried, {words}, is {'refused' if walk.fault else 'allowed'}.",) if access[0] else ()


def source(name: str, tables: str) -> str:
    """Whose tables these are."""
    if tables == "kernel":
        return f"Tables: the kernel's own, record {RECORDED[name]}, Linux 6.1."
    if tables == "p0":
        return f"Tables: the recorded process p0, record {RECORDED[name]}, Linux 6.1."
    where = group_hex(page_format(name).page_sizes[-1] if tables == "large" else HAND_MADE_PA)
    return f"Tables: made by hand; they map the page of this address to {where} and nothing else."


def covers(fmt: Format) -> str:
    """What one entry of each level covers, and what sizes a page can have."""
    each = ", ".join(f"{level.name} {human(level.size)}" for level in fmt.levels)
    return f"One entry covers: {each}. Pages can have {', '.join(map(human, fmt.page_sizes))}."
