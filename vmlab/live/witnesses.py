"""What the emulated CPU knows and the kernel need not be asked for: its control registers, and its MMU's answers."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from ..arch.format import Format
from .console import GuestFailed
from .guest import Guest

LOW_48 = (1 << 48) - 1  # the upper bits of a 64-bit base register hold the address-space identifier
PTI_USER = 0x1000  # the user's table of a pair, arch/x86/include/asm/pgtable.h: kernel_to_user_pgdp
TRIES = 40


@dataclass(frozen=True, slots=True)
class Registers:
    """A CPU family's registers: those that are recorded, the base of user addresses, and what tells user mode.

    User mode is `mode` & `mask` == `user`.
    """

    names: tuple[str, ...]
    base: tuple[str, ...]  # the first that is there and not zero
    high_base: str
    mode: str
    mask: int
    user: int


X86 = Registers(("CR0", "CR3", "CR4", "EFER", "EIP", "RIP", "CPL"), ("cr3",), "", "cpl", 3, 3)
ARM = Registers(
    ("TTBR0", "TTBR1", "TTBCR", "TTBR0_EL1", "TTBR1_EL1", "TTBR0_EL1_S", "TTBR1_EL1_S", "TTBR0_S", "TCR_EL1", "SCTLR",
     "SCTLR_EL1", "CONTEXTIDR_EL1", "pc", "cpsr"),
    ("ttbr0_el1_s", "ttbr0_s", "ttbr0", "ttbr0_el1"), "ttbr1_el1", "cpsr", 0xF, 0,
)  # fmt: skip
FAMILIES = {"i386": X86, "amd64": X86, "arm": ARM, "arm64": ARM}


class Cpu:
    """The first CPU of a stopped guest."""

    def __init__(self, guest: Guest, family: Registers, fmt: Format) -> None:
        self.guest, self.family, self.format = guest, family, fmt

    def registers(self) -> dict[str, int]:
        """Every register that is recorded, by lower-case name.

        On x86 from QEMU's monitor: its debugger port (7.2) numbers the control registers otherwise than it says.
        """
        if self.family is not X86:
            return self.guest.registers(self.family.names)
        text = self.guest.monitor.human("info registers")
        found = {name: re.search(rf"\b{name}=([0-9a-f]+)", text) for name in self.family.names}
        return {name.lower(): int(match[1], 16) for name, match in found.items() if match}

    def root_pa(self, registers: dict[str, int]) -> int:
        """The table that user addresses are translated with now."""
        base = next((registers[name] for name in self.family.base if registers.get(name)), None)
        if base is None:
            raise GuestFailed(f"QEMU's debugger port has no base register among {', '.join(self.family.base)}")
        return self.format.root_pa(base & LOW_48)

    def high_root_pa(self, registers: dict[str, int]) -> int | None:
        """The table of the upper half, where that is another."""
        return self.format.root_pa(registers[self.family.high_base] & LOW_48) if self.format.two_roots else None

    def in_user_mode(self, registers: dict[str, int]) -> bool:
        """Whether a program runs, and not the kernel."""
        return registers[self.family.mode] & self.family.mask == self.family.user

    def stop_in_user_mode(self) -> dict[str, int]:
        """Stop the guest until it stops while a program runs; the registers then."""
        for _ in range(TRIES):
            time.sleep(0.05)
            self.guest.stop()
            registers = self.registers()
            if self.in_user_mode(registers):
                return registers
            self.guest.go_on()
        raise GuestFailed(f"the process that should be running never was, in {TRIES} looks at the CPU")

    def translate(self, va: int) -> int | None:
        """What the MMU makes of an address now."""
        return self.guest.monitor.translate(va)
