"""RISC-V page tables: Sv32, Sv39, Sv48 and Sv57 (The RISC-V Instruction Set Manual, volume II, 12.3 to 12.6).

An entry with R, W and X all 0 points to a table; any other maps memory, at every level. The accessed and dirty
bits are left to software (Svade, which the profiles demand): a page whose A bit is clear faults.

Left out: Svnapot's 64 KiB pages and Svpbmt's memory types: their bits count as reserved, as they do on a CPU
without them; SUM, MXR and physical memory protection.
"""

from __future__ import annotations

from ..format import OUTSIDE, Access, Address, Code, Format, Leaf, Level, Software, Table, bits, flag

V, R, W, X, U, G, A, D = (1 << bit for bit in range(8))

FLAGS = (
    flag("write", W),
    flag("user", U),
    flag("nx", zeros=X),
    flag("accessed", A),
    flag("dirty", D),
    flag("global", G),
)


def fault(kind: int, depth: int, access: Access) -> Code:
    """scause: page faults are 12, 13 and 15, access faults 1, 5 and 7, for fetch, load and store."""
    page, bus = {"fetch": (12, 1), "read": (13, 5), "write": (15, 7)}[access.what]
    name = {"fetch": "instruction", "read": "load", "write": "store"}[access.what]
    if kind == OUTSIDE:
        return Code("scause", bus, f"{name} access fault: the table is not in memory")
    return Code("scause", page, f"{name} page fault")


def _address(shift: int, entry_bytes: int) -> Address:
    """The frame number from bit 10 up, that of a large page without its low bits."""
    frame_bits = 22 if entry_bytes == 4 else 44
    skipped = shift - 12
    return Address(0, ((10 + skipped, frame_bits - skipped, shift),))


def _level(name: str, shift: int, index_bits: int, entry_bytes: int) -> Level:
    reserved = 0 if entry_bytes == 4 else bits(63, 54)
    misaligned = bits(9 + shift - 12, 10) if shift > 12 else 0
    row = {
        "shift": shift,
        "pa": _address(shift, entry_bytes),
        "flags": FLAGS,
        "reserved": reserved | misaligned,
        "accessed": A,
        "dirty": D,
    }
    # W without R is reserved, so these two are all that map memory
    leaves = (Leaf(mask=V | R, value=V | R, **row), Leaf(mask=V | R | W | X, value=V | X, **row))  # type: ignore[arg-type]
    pointer = Table(V | R | W | X, V, _address(12, entry_bytes), (), reserved | U | A | D)
    return Level(name, shift, index_bits, V, pointer if shift > 12 else None, leaves)


def sv(name: str, levels: tuple[str, ...], entry_bytes: int, index_bits: int) -> Format:
    """One of the Sv formats: `levels` named from the root down, each of `index_bits` address bits."""
    shifts = [12 + index_bits * up for up in reversed(range(len(levels)))]
    rows = tuple(_level(level, shift, index_bits, entry_bytes) for level, shift in zip(levels, shifts, strict=True))
    return Format(
        name,
        f"RISC-V {name.capitalize()}, {len(levels)} levels",
        entry_bytes,
        rows,
        va_bits=12 + index_bits * len(levels),
        signed=entry_bytes == 8,
        fault=fault,
        # _PAGE_PRESENT or _PAGE_PROT_NONE, which is G where V is clear (asm/pgtable-bits.h)
        software=Software(flag("present", V)._replace(ways=((V, 0), (G, V))), _address(12, entry_bytes)),
    )


FORMATS = (
    sv("sv32", ("pgd", "pte"), 4, 10),
    sv("sv39", ("pgd", "pmd", "pte"), 8, 9),
    sv("sv48", ("pgd", "pud", "pmd", "pte"), 8, 9),
    sv("sv57", ("pgd", "p4d", "pud", "pmd", "pte"), 8, 9),
)
