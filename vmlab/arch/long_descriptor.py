"""The 8-byte entries that LPAE and AArch64 share (ARM ARM, "VMSAv8-64 translation table format descriptors")."""

from __future__ import annotations

from .format import Address, Flag, Table, flag

VALID = 1
ACCESS_FLAG = 1 << 10

LEAF = (
    flag("write", zeros=1 << 7),  # AP[2]
    flag("user", 1 << 6),  # AP[1]
    flag("accessed", ACCESS_FLAG),
    flag("nx", 1 << 54),
    flag("pxn", 1 << 53),
    # Linux's dirty bit, or a page that the CPU may turn writable by itself (DBM) and has
    Flag("dirty", ((1 << 55, 0), (1 << 51, 1 << 7))),
    flag("global", zeros=1 << 11),
)

HIERARCHY = (
    flag("write", zeros=1 << 62),  # APTable[1]
    flag("user", zeros=1 << 61),  # APTable[0]
    flag("nx", 1 << 60),
    flag("pxn", 1 << 59),
)
"""Bits of an entry that points to a table, and restrict what lies below it."""


def table(pa: Address, flags: tuple[Flag, ...]) -> Table:
    """An entry that points to a table: bits 1 and 0 are both set."""
    return Table(3, 3, pa, flags)
