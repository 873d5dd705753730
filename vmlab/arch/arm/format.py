"""32-bit ARM page tables: ARMv7 short descriptors and LPAE (ARM ARM v7-A, B3.5 and B3.6; asm/pgtable-?level.h).

Linux pairs two hardware tables of 1 KiB with two tables of its own in one page: its entry for a page stands
2048 bytes below the hardware's, because the hardware has no accessed and no dirty bit (asm/pgtable-2level.h).

Left out: domains (Linux opens them but for its own SW_DOMAIN_PAN), SCTLR.AFE, and TTBR1, which translates only
where TTBCR says so: Linux leaves TTBCR.N at 0 for short descriptors, and with LPAE and TTBR1 in use a walk from
swapper_pg_dir gives the same answers.
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
    Table,
    bits,
    flag,
)
from ..long_descriptor import HIERARCHY, LEAF, VALID, table

WRITE = 1 << 11  # WnR in both fault status registers
LPAE = 1 << 9


def _ap(ap0: int, ap2: int, xn: int, not_global: int, pxn: int = 0) -> tuple[Flag, ...]:
    """The access bits of a short descriptor. AP[2] takes writing away; AP[1] opens the page to user mode."""
    rows = (
        flag("write", 1 << ap0, 1 << ap2),
        flag("user", 1 << ap0 + 1),
        flag("nx", 1 << xn),
        flag("global", 0, 1 << not_global),
    )
    return (*rows, flag("pxn", 1 << pxn)) if pxn else rows


_SECTION = Leaf(20, 1 << 18 | 2, 2, Address(bits(31, 20)), _ap(10, 15, 4, 17))
_SUPERSECTION = Leaf(
    24,
    1 << 18 | 2,
    1 << 18 | 2,
    Address(bits(31, 24), ((20, 4, 32), (5, 4, 36))),
    _ap(10, 15, 4, 17),
)
_LARGE_PAGE = Leaf(16, 3, 1, Address(bits(31, 16)), _ap(4, 9, 15, 11))
_SMALL_PAGE = Leaf(12, 2, 2, Address(bits(31, 12)), _ap(4, 9, 0, 11))


_LINUX = (  # L_PTE_PRESENT, YOUNG, DIRTY, RDONLY, USER, XN
    flag("present", 1),
    flag("accessed", 1 << 1),
    flag("dirty", 1 << 6),
    flag("write", zeros=1 << 7),
    flag("user", 1 << 8),
    flag("nx", 1 << 9),
)


def short_fault(kind: int, depth: int, access: Access) -> Code:
    """DFSR or IFSR with short descriptors: FS is 5 or 7 for translation, 0xd or 0xf for permission."""
    page = 2 * depth
    fs = {OUTSIDE: 0xC + page, UNACCESSED: 3 + 3 * depth, PERMISSION: 0xD + page}.get(kind, 5 + page)
    where = "page" if depth else "section"
    return _code(fs, kind, access, f"{where} {_WORDS.get(kind, 'translation fault')}")


def lpae_fault(kind: int, depth: int, access: Access) -> Code:
    """DFSR or IFSR with long descriptors: bits 5 to 2 say what, bits 1 and 0 the level, which starts at 1."""
    level = depth + 1
    base = {OUTSIDE: 0x14, UNACCESSED: 8, PERMISSION: 0xC}.get(kind, 4)
    return _code(LPAE | base | level, kind, access, f"{_WORDS.get(kind, 'translation fault')}, level {level}")


_WORDS = {OUTSIDE: "external abort on the walk", UNACCESSED: "access flag fault", PERMISSION: "permission fault"}


def _code(status: int, kind: int, access: Access, words: str) -> Code:
    if kind == NON_CANONICAL:
        return Code("none", None, "no fault of its own: a 32-bit CPU has no such address")
    register = "IFSR" if access.what == "fetch" else "DFSR"
    wrote = access.what == "write"
    return Code(register, status | (WRITE if wrote else 0), words + (", on a write" if wrote else ""))


ARM_SHORT = Format(
    "arm-short",
    "ARMv7 short descriptors, two levels",
    4,
    (
        Level(
            "pgd",
            20,
            12,
            3,
            Table(3, 1, Address(bits(31, 10)), (flag("pxn", 1 << 2),)),
            (_SECTION, _SUPERSECTION),
        ),
        Level("pte", 12, 8, 3, None, (_SMALL_PAGE, _LARGE_PAGE)),
    ),
    va_bits=32,
    signed=False,
    fault=short_fault,
    software=Software(flag("present", 1), Address(bits(31, 12)), offset=-2048, flags=_LINUX),
    first_level=1,
    task_size=0xBF00_0000,  # PAGE_OFFSET - 16 MiB: modules lie in between
)

_PA40 = bits(39, 12)
_LPAE_LEAF = (*(row for row in LEAF if row.name != "dirty"), flag("dirty", 1 << 55))


def _lpae(name: str, shift: int, count: int, block: bool) -> Level:
    leaves = (Leaf(shift, 3, 1, Address(bits(39, shift)), _LPAE_LEAF, accessed=1 << 10),) if block else ()
    return Level(name, shift, count, VALID, table(Address(_PA40), HIERARCHY), leaves)


ARM_LPAE = Format(
    "arm-lpae",
    "ARMv7 LPAE, three levels",
    8,
    (
        _lpae("pgd", 30, 2, block=True),
        _lpae("pmd", 21, 9, block=True),
        Level("pte", 12, 9, VALID, None, (Leaf(12, 3, 3, Address(_PA40), _LPAE_LEAF, accessed=1 << 10),)),
    ),
    va_bits=32,
    signed=False,
    fault=lpae_fault,
    # L_PTE_PRESENT is 3: bit 1 stays in an entry whose valid bit PROT_NONE took away
    software=Software(Flag("present", ((1, 0), (2, 0))), Address(_PA40)),
    first_level=1,
    task_size=0xBF00_0000,
)

FORMATS = (ARM_SHORT, ARM_LPAE)
