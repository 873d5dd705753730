"""AArch64 page tables: granules of 4, 16 and 64 KiB (ARM ARM, D8.3; arch/arm64/include/asm/pgtable-hwdef.h).

Bit 55 of an address chooses TTBR1 (the kernel's root) or TTBR0 (the process's); the bits above those translated
must all repeat it. Names say the granule and the size of each half: `arm64-16k-47` has 16 KiB pages and 2**47
bytes each for user and kernel.

Left out: top-byte-ignore and pointer authentication, the contiguous hint (it changes the TLB, not the
answer), and the hardware's own management of the accessed and dirty bits.
"""

from __future__ import annotations

from ..format import (
    NON_CANONICAL,
    OUTSIDE,
    PERMISSION,
    UNACCESSED,
    Access,
    Address,
    Code,
    Flag,
    Format,
    Leaf,
    Level,
    Software,
    bits,
)
from ..long_descriptor import ACCESS_FLAG, HIERARCHY, LEAF, VALID, table

IL, WNR = 1 << 25, 1 << 6  # ESR_ELx: a 32-bit instruction; write, not read


def esr(kind: int, depth: int, access: Access, levels: int) -> Code:
    """ESR_EL1: class in bits 31 to 26, fault status code in bits 5 to 0 (asm/esr.h)."""
    level = 0 if kind == NON_CANONICAL else 4 - levels + depth
    base, words = {
        OUTSIDE: (0x14, "external abort on the walk"),
        UNACCESSED: (0x08, "access flag fault"),
        PERMISSION: (0x0C, "permission fault"),
    }.get(kind, (0x04, "translation fault"))
    status = base + level if level >= 0 else {0x14: 0x13}.get(base, 0x2B)  # level -1 has codes of its own
    fetch, wrote = access.what == "fetch", access.what == "write"
    exception_class = (0x20 if fetch else 0x24) + (not access.user)
    value = exception_class << 26 | IL | (WNR if wrote else 0) | status
    what = "an instruction fetch" if fetch else "a write" if wrote else "a read"
    return Code("ESR_EL1", value, f"{words}, level {level}, on {what}")


def _address(low: int, pa_bits: int, granule: int) -> Address:
    """Bits 47 to `low` in place; what 52-bit addresses have above stands in bits the granule leaves free."""
    if pa_bits == 48:
        return Address(bits(47, low))
    if granule == 16:  # 64 KiB granule: PA[51:48] in bits 15 to 12
        return Address(bits(47, low), ((12, 4, 48),))
    return Address(bits(49, low), ((8, 2, 50),))  # LPA2: PA[51:50] in bits 9 and 8, where SH was


def _level(name: str, shift: int, count: int, granule: int, pa_bits: int, block: bool) -> Level:
    def leaf(kind: int) -> Leaf:
        return Leaf(shift, 3, kind, _address(shift, pa_bits, granule), LEAF, accessed=ACCESS_FLAG)

    if shift == granule:
        return Level(name, shift, count, VALID, None, (leaf(3),))
    leaves = (leaf(1),) if block else ()
    return Level(name, shift, count, VALID, table(_address(granule, pa_bits, granule), HIERARCHY), leaves)


def _blocks(granule: int, pa_bits: int) -> tuple[int, ...]:
    """log2 of the block sizes: one level above the page; one more with 4 KiB pages or 52-bit addresses."""
    step = granule - 3
    if granule == 12:
        return (granule + step, granule + 2 * step) + ((granule + 3 * step,) if pa_bits == 52 else ())
    return (granule + step,) + ((granule + 2 * step,) if pa_bits == 52 else ())


def arm64(name: str, granule: int, va_bits: int, pa_bits: int = 48) -> Format:
    """The format with pages of `1 << granule` bytes and `1 << va_bits` bytes for each half."""
    step = granule - 3  # a table is one page of 8-byte entries
    shifts = list(range(granule, va_bits, step))[::-1]
    rows = tuple(
        _level(
            _name(len(shifts), depth),
            shift,
            min(step, va_bits - shift),
            granule,
            pa_bits,
            shift in _blocks(granule, pa_bits),
        )
        for depth, shift in enumerate(shifts)
    )

    def fault(kind: int, depth: int, access: Access) -> Code:
        return esr(kind, depth, access, len(rows))

    return Format(
        name,
        f"AArch64, {1 << granule - 10} KiB pages, {va_bits}-bit addresses",
        8,
        rows,
        va_bits=va_bits + 1,  # bits 55 and down to this one choose the half and must agree
        signed=True,
        fault=fault,
        two_roots=True,
        # PTE_VALID, or PTE_PROT_NONE, which is bit 58
        software=Software(Flag("present", ((VALID, 0), (1 << 58, 0))), _address(granule, pa_bits, granule)),
        first_level=4 - len(rows),
    )


def _name(levels: int, depth: int) -> str:
    """Linux folds the levels that a format lacks: two levels are pgd and pte, three are pgd, pmd and pte."""
    return {2: "pgd pte", 3: "pgd pmd pte", 4: "pgd pud pmd pte", 5: "pgd p4d pud pmd pte"}[levels].split()[depth]


FORMATS = (
    arm64("arm64-4k-39", 12, 39),
    arm64("arm64-4k-48", 12, 48),
    arm64("arm64-4k-52", 12, 52, pa_bits=52),
    arm64("arm64-16k-36", 14, 36),
    arm64("arm64-16k-47", 14, 47),
    arm64("arm64-16k-48", 14, 48),
    arm64("arm64-16k-52", 14, 52, pa_bits=52),
    arm64("arm64-64k-42", 16, 42),
    arm64("arm64-64k-48", 16, 48),
    arm64("arm64-64k-52", 16, 52, pa_bits=52),
)
