"""The register that a walk starts from, one row a page-table format: what is written to it, and where the ASID goes.

Sources, all Linux 6.1: arch/x86/mm/tlb.c:build_cr3, arch/arm/mm/proc-v7-2level.S and proc-v7-3level.S:cpu_v7_switch_mm,
arch/arm64/mm/context.c:cpu_do_switch_mm, arch/riscv/mm/context.c:set_mm_asid.

Left out: AArch64's common-not-private bit and 52-bit roots, memory encryption's bit in CR3.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..units import VmlabError

OWN_HALF = "the top table of every process repeats the same entries of it"
SPLIT = "{} has a register of its own, {}, which stays as it is"


@dataclass(frozen=True, slots=True)
class BaseRegister:
    """How a root and an ASID are written. Shifts in bits; `asid_register` may be the root's own register."""

    name: str
    root_bytes: int  # size of the top table of a process
    kernel_half: str  # how the kernel's addresses stay translated
    asid_register: str = ""
    asid_shift: int = 0
    root_shift: int = 0  # satp holds a frame number
    always: int = 0  # bits that are set in every value
    user_asid_bit: int = 0  # what marks the ASID of user mode where kernel and user have one each
    root_mask: int = (1 << 48) - 1  # of the value; before it is shifted back

    def values(self, root_pa: int, asid: int, context_id: int = 0) -> dict[str, int]:
        """Register names and the values written to them; `context_id` is the ASID with its generation.

        Of TTBR1_EL1 only the ASID is given: the rest is the kernel's root, which no switch changes.
        """
        written = {self.name: root_pa >> self.root_shift | self.always}
        if self.asid_register == "CONTEXTIDR":  # the whole context id: the upper bits help whoever debugs
            written["CONTEXTIDR"] = (context_id or asid) & 0xFFFF_FFFF
        elif self.asid_register:
            written[self.asid_register] = written.get(self.asid_register, 0) | asid << self.asid_shift
        return written

    def root_of(self, value: int) -> int:
        """Physical address of the top table, out of the register's value."""
        if self.root_shift:
            return (value & self.root_mask) << self.root_shift
        return value & self.root_mask & -self.root_bytes


def _cr3(root_bytes: int = 4096, is_long: bool = False) -> BaseRegister:
    return BaseRegister("CR3", root_bytes, OWN_HALF, "CR3" if is_long else "", user_asid_bit=1 << 11)


def _satp(mode: int, is_32: bool = False) -> BaseRegister:
    """satp: mode, ASID, frame number of the root (RISC-V privileged specification, 4.1.11)."""
    if is_32:
        return BaseRegister("satp", 4096, OWN_HALF, "satp", 22, 12, mode << 31, root_mask=(1 << 22) - 1)
    return BaseRegister("satp", 4096, OWN_HALF, "satp", 44, 12, mode << 60, root_mask=(1 << 44) - 1)


def _ttbr0_el1(root_bytes: int) -> BaseRegister:
    """TCR_EL1.A1 is set: the ASID of both halves is the one in TTBR1_EL1."""
    kernel_half = SPLIT.format("the kernel's half", "TTBR1_EL1") + " but for the ASID in its bits 63..48"
    return BaseRegister("TTBR0_EL1", root_bytes, kernel_half, "TTBR1_EL1", 48, user_asid_bit=1)


ROWS = {
    "x86-32": _cr3(),
    "x86-pae": _cr3(root_bytes=32),
    "x86-64-4": _cr3(is_long=True),
    "x86-64-5": _cr3(is_long=True),
    "arm-short": BaseRegister("TTBR0", 16384, OWN_HALF, "CONTEXTIDR"),  # the low bits tell how walks are cached
    "arm-lpae": BaseRegister(
        "TTBR0",
        32,
        SPLIT.format("the kernel's half", "TTBR1") + " where the split is 3G/1G",
        "TTBR0",
        48,
        root_mask=(1 << 40) - 1,
    ),
    "sv32": _satp(1, is_32=True),
    "sv39": _satp(8),
    "sv48": _satp(9),
    "sv57": _satp(10),
}
GRANULES = {"arm64-4k": 4096, "arm64-16k": 16384, "arm64-64k": 65536}


def base_register(format_name: str) -> BaseRegister:
    """The row of one page-table format."""
    for granule, size in GRANULES.items():
        if format_name.startswith(granule):
            return _ttbr0_el1(size)
    name = format_name.removeprefix("riscv-")
    if name not in ROWS:
        raise VmlabError(f"format: expected one of {', '.join((*ROWS, *GRANULES))}, got {format_name!r}")
    return ROWS[name]
