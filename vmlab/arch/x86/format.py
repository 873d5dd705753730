"""x86 page tables: two levels, PAE's three, four and five (Intel SDM vol. 3, chapter 4; asm/pgtable_types.h).

Physical addresses are taken as the widest the architecture has (52 bits; 40 with PSE-36), so no address bit
counts as reserved for being above a particular CPU's MAXPHYADDR. The four entries of a PAE root are loaded when
CR3 is written, and a reserved bit in them is a #GP then; here the walk finds it. Their bit 5 is let pass: QEMU,
unlike a CPU, keeps an accessed bit there.
"""

from __future__ import annotations

from ..format import (
    NON_CANONICAL,
    OUTSIDE,
    PERMISSION,
    RESERVED,
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

P, RW, US, A, D, PS, G, NX = 1 << 0, 1 << 1, 1 << 2, 1 << 5, 1 << 6, 1 << 7, 1 << 8, 1 << 63
PAGE = bits(51, 12)

RIGHTS32 = (flag("write", RW), flag("user", US))
RIGHTS = (*RIGHTS32, flag("nx", NX))
LEAF32 = (*RIGHTS32, flag("accessed", A), flag("dirty", D), flag("global", G))
LEAF = (*LEAF32, flag("nx", NX))


def fault(kind: int, depth: int, access: Access) -> Code:
    """Vector 14 and its error code (asm/trap_pf.h), or #GP for an address that is not canonical."""
    if kind == NON_CANONICAL:
        return Code("#GP error code", 0, "#GP, not a page fault: the upper bits do not repeat the sign bit")
    if kind == OUTSIDE:
        return Code("#PF error code", None, "no fault of its own: the CPU reads whatever the bus answers")
    protection = kind in (PERMISSION, RESERVED)
    named = (
        (protection, 0, "a protection fault" if protection else "not present"),
        (access.what == "write", 1, "a write"),
        (access.user, 2, "from user mode" if access.user else "from the kernel"),
        (kind == RESERVED, 3, "a reserved bit was set"),
        (access.what == "fetch", 4, "an instruction fetch"),
    )
    words = [text for held, bit, text in named if held or bit in (0, 2)]
    return Code("#PF error code", sum(1 << bit for held, bit, _ in named if held), ", ".join(words))


def _linux(word_bits: int) -> Software:
    """_PAGE_PRESENT or _PAGE_PROTNONE (bit 8, which is G where the page is present); frames inverted but on x86-32."""
    frame = PAGE if word_bits == 64 else bits(31, 12)
    return Software(Flag("present", ((P, 0), (G, P))), Address(frame), inverted=frame if word_bits == 64 else 0)


def _table(pa: int, rights: tuple[Flag, ...], reserved: int = 0) -> Table:
    return Table(P, P, Address(pa), rights, reserved)


def _upper(name: str, shift: int, large: bool) -> Level:
    """A level of 512 entries above the last: with `large`, PS makes a leaf of one; else PS is reserved."""
    if not large:
        return Level(name, shift, 9, P, _table(PAGE, RIGHTS, reserved=PS), ())
    leaf = Leaf(shift, P | PS, P | PS, Address(bits(51, shift)), LEAF, reserved=bits(shift - 1, 13))
    return Level(name, shift, 9, P, Table(P | PS, P, Address(PAGE), RIGHTS), (leaf,))


_PTE = Level("pte", 12, 9, P, None, (Leaf(12, P, P, Address(PAGE), LEAF),))
_PUD = _upper("pud", 30, large=True)
_PMD = _upper("pmd", 21, large=True)


def _pae(level: Level) -> Level:
    """The same without bits 52 to 62, which PAE reserves."""
    spare = bits(62, 52)
    table = level.table._replace(reserved=level.table.reserved | spare) if level.table else None
    leaves = tuple(leaf._replace(reserved=leaf.reserved | spare) for leaf in level.leaves)
    return level._replace(table=table, leaves=leaves)


X86_32 = Format(
    "x86-32",
    "32-bit x86, two levels",
    4,
    (
        Level(
            "pgd",
            22,
            10,
            P,
            Table(P | PS, P, Address(bits(31, 12)), RIGHTS32),
            # PSE-36: address bits 39..32 stand in bits 20..13, and bit 21 is reserved
            (Leaf(22, P | PS, P | PS, Address(bits(31, 22), ((13, 8, 32),)), LEAF32, reserved=1 << 21),),
        ),
        Level("pte", 12, 10, P, None, (Leaf(12, P, P, Address(bits(31, 12)), LEAF32),)),
    ),
    va_bits=32,
    signed=False,
    fault=fault,
    software=_linux(32),
    task_size=0xC000_0000,  # PAGE_OFFSET
)
X86_PAE = Format(
    "x86-pae",
    "32-bit x86 with PAE, three levels",
    8,
    (
        Level("pgd", 30, 2, P, _table(PAGE, (), reserved=bits(2, 1) | bits(8, 6) | bits(63, 52)), ()),
        _pae(_PMD),
        _pae(_PTE),
    ),
    va_bits=32,
    signed=False,
    fault=fault,
    software=_linux(64),
    task_size=0xC000_0000,
)
X86_64_4 = Format(
    "x86-64-4",
    "64-bit x86, four levels",
    8,
    (_upper("pgd", 39, large=False), _PUD, _PMD, _PTE),
    va_bits=48,
    signed=True,
    fault=fault,
    software=_linux(64),
    task_size=(1 << 47) - 4096,  # a page less, so that no instruction ends at the first non-canonical address
)
X86_64_5 = Format(
    "x86-64-5",
    "64-bit x86, five levels",
    8,
    (_upper("pgd", 48, large=False), _upper("p4d", 39, large=False), _PUD, _PMD, _PTE),
    va_bits=57,
    signed=True,
    fault=fault,
    software=_linux(64),
    task_size=(1 << 56) - 4096,
)

FORMATS = (X86_32, X86_PAE, X86_64_4, X86_64_5)
