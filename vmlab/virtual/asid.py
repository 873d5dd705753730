"""Which ASID a process runs under, and what a switch to it must make the TLB forget: Linux's own rules.

x86 keeps a few numbers for each CPU and remembers whose they are; the others number the processes of the whole
machine, and begin a new generation when the numbers run out.

Left out: pinned ASIDs (arm64, for devices that share a process's tables), branch predictor barriers, and other
CPUs' interrupts; a flush that another CPU asks for is seen as the generation (`tlb_gen`) that it leaves behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ..units import VmlabError

TLB_NR_DYN_ASIDS = 6  # arch/x86/include/asm/tlbflush.h
X86_CR3_PTI_PCID_USER_BIT = 11
NOTHING, ASID, NON_GLOBAL, EVERYTHING = "nothing", "asid", "non-global", "everything"


@dataclass(slots=True, eq=False)
class Mm:
    """struct mm_struct, as far as a switch looks at it. Two threads share one; a kernel thread has none."""

    name: str
    root_pa: int
    user_root_pa: int | None = None  # page-table isolation's second table (x86)
    tlb_gen: int = 1  # x86: raised by every flush of this address space
    context_id: int = 0  # the others: ASID, and above it the generation that it is good in; 0: never had one


class Choice(NamedTuple):
    """What a switch does: the ASID, what has to be forgotten, and why."""

    asid: int
    forget: str
    why: str


class AsidRule(Protocol):
    """How one kernel hands out ASIDs."""

    def choose(self, mm: Mm, cpu: int = 0) -> Choice:
        """The ASID to run `mm` under on a CPU, and what that CPU must forget before."""

    def caught_up(self, mm: Mm, cpu: int = 0) -> None:
        """Note that the CPU has done every flush that `mm` asked for."""

    def asid_of(self, mm: Mm, cpu: int = 0) -> int:
        """The ASID that `mm` has now; 0 if it has none."""


@dataclass(slots=True)
class NoAsid:
    """TLB entries carry no owner: every switch forgets all but global ones (x86 without PCID, RISC-V without ASIDs).

    RISC-V forgets global entries too: local_flush_tlb_all is an sfence.vma without operands.
    """

    forget: str = NON_GLOBAL

    def choose(self, mm: Mm, cpu: int = 0) -> Choice:
        """Always the one there is."""
        return Choice(0, self.forget, "entries do not say whose they are")

    def caught_up(self, mm: Mm, cpu: int = 0) -> None:
        """Nothing is remembered."""

    def asid_of(self, mm: Mm, cpu: int = 0) -> int:
        """Everybody's."""
        return 0


@dataclass(slots=True)
class _Slots:
    """cpu_tlbstate of one CPU: whose each PCID is, and which of its flushes have been done."""

    owners: list[tuple[Mm | None, int]] = field(default_factory=lambda: [(None, 0)] * TLB_NR_DYN_ASIDS)
    next_asid: int = 1  # slot 0 is init_mm's when a CPU starts (initialize_tlbstate_and_flush)


@dataclass(slots=True)
class X86Pcid:
    """Six slots a CPU, given out in turn (arch/x86/mm/tlb.c:choose_new_asid, Linux 6.1); the PCID is slot + 1."""

    cpus: dict[int, _Slots] = field(default_factory=dict)

    def choose(self, mm: Mm, cpu: int = 0) -> Choice:
        """The slot that is still the process's, or the next in turn."""
        slots = self.cpus.setdefault(cpu, _Slots())
        for slot, (owner, seen) in enumerate(slots.owners):
            if owner is mm and seen == mm.tlb_gen:
                return Choice(
                    slot + 1, NOTHING, f"slot {slot} is still its own and up to date: CR3 with NOFLUSH, bit 63"
                )
            if owner is mm:
                slots.owners[slot] = mm, mm.tlb_gen
                return Choice(
                    slot + 1, ASID, f"slot {slot} is still its own, but flushes were missed: {mm.tlb_gen - seen}"
                )
        slot = slots.next_asid if slots.next_asid < TLB_NR_DYN_ASIDS else 0
        slots.next_asid = slot + 1
        last, _ = slots.owners[slot]
        slots.owners[slot] = mm, mm.tlb_gen
        return Choice(slot + 1, ASID, f"slot {slot} is next in turn" + (f" and was {last.name}'s" if last else ""))

    def caught_up(self, mm: Mm, cpu: int = 0) -> None:
        """Store mm's generation in its slot, as flush_tlb_func does."""
        slots = self.cpus.setdefault(cpu, _Slots())
        slots.owners = [(owner, mm.tlb_gen if owner is mm else seen) for owner, seen in slots.owners]

    def asid_of(self, mm: Mm, cpu: int = 0) -> int:
        """The PCID of its slot on this CPU."""
        owners = self.cpus.setdefault(cpu, _Slots()).owners
        return next((slot + 1 for slot, (owner, _) in enumerate(owners) if owner is mm), 0)


@dataclass(slots=True)
class AsidAllocator:
    """One number a process, in generations (arch/{arm,arm64,riscv}/mm/context.c:new_context, Linux 6.1).

    `stride` 2: even numbers only, since the odd one is user mode's. arm64 begins so wherever it may have to isolate
    user mode, and goes on with `next_stride` after the first generation, when it knows whether it must.
    """

    bits: int
    stride: int = 1
    next_stride: int = 1
    nr_cpus: int = 1
    generation: int = 0
    rollovers: int = 0
    _taken: set[int] = field(default_factory=lambda: {0})  # 0 is init_mm's
    _cursor: int = 1
    _active: list[int] = field(default_factory=list)
    _reserved: list[int] = field(default_factory=list)
    _flush_pending: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        if not 0 < self.bits <= 16 or self.stride not in (1, 2) or (1 << self.bits) // self.stride - 1 <= self.nr_cpus:
            raise VmlabError(
                f"expected 1 to 16 ASID bits and more ASIDs than CPUs, got {self.bits} bits, {self.nr_cpus} CPUs"
            )
        self.generation = self.generation or 1 << self.bits
        self._active, self._reserved = [0] * self.nr_cpus, [0] * self.nr_cpus

    def choose(self, mm: Mm, cpu: int = 0) -> Choice:
        """check_and_switch_context: the old number if its generation is the present one, else a new one."""
        before, rollovers = mm.context_id, self.rollovers
        if (before ^ self.generation) >> self.bits:
            mm.context_id = self._new_context(mm.context_id)
        forget = EVERYTHING if cpu in self._flush_pending else NOTHING
        self._flush_pending.discard(cpu)
        self._active[cpu] = mm.context_id
        return Choice(self.asid_of(mm), forget, self._why(before, mm.context_id, rollovers, forget))

    def caught_up(self, mm: Mm, cpu: int = 0) -> None:
        """Nothing to note: invalidations are broadcast."""

    def asid_of(self, mm: Mm, cpu: int = 0) -> int:
        """The number without its generation."""
        return mm.context_id & (1 << self.bits) - 1

    def _why(self, before: int, after: int, rollovers: int, forget: str) -> str:
        if self.rollovers > rollovers:
            return f"no ASID is left: generation {self.generation >> self.bits} begins, and every CPU empties its TLB"
        late = ", and this CPU had not yet emptied its TLB for the new generation" if forget != NOTHING else ""
        if before == after:
            return "its ASID is of this generation" + late
        return ("its first ASID" if not before else "its ASID was of an older generation") + late

    def _new_context(self, old: int) -> int:
        """The old number in the new generation where nobody has it, else the next free one."""
        low = old & (1 << self.bits) - 1
        if old:
            if old in self._reserved:  # it was running while the generation changed
                self._reserved = [self.generation | low if held == old else held for held in self._reserved]
                return self.generation | low
            if low not in self._taken:
                self._taken.add(low)
                return self.generation | low
        asid = self._free_from(self._cursor)
        if asid is None:
            self._new_generation()
            asid = self._free_from(1)
        assert asid is not None, "there are more ASIDs than CPUs"
        self._taken.add(asid)
        self._cursor = asid
        return self.generation | asid

    def _free_from(self, first: int) -> int | None:
        start = first + (-first) % self.stride
        return next((n for n in range(start, 1 << self.bits, self.stride) if n not in self._taken), None)

    def _new_generation(self) -> None:
        """flush_context: only what runs now keeps its number; every CPU empties its TLB at its next switch."""
        self.generation += 1 << self.bits
        self.stride = self.next_stride
        self.rollovers += 1
        self._reserved = [now or held for now, held in zip(self._active, self._reserved, strict=True)]
        self._active = [0] * self.nr_cpus
        self._taken = {0} | {held & (1 << self.bits) - 1 for held in self._reserved}
        self._flush_pending = set(range(self.nr_cpus))


@dataclass(frozen=True, slots=True)
class KernelRule:
    """How one kernel keeps TLBs right: its ASIDs, and when forgetting page by page is no longer worth it."""

    make: Callable[[], AsidRule]
    range_pages: int | None  # at most so many pages are forgotten one by one; None: no limit
    source: str
    broadcasts: bool = True  # the instruction reaches every CPU's TLB; x86 sends interrupts instead
    has_asids: bool = True


# tlb_single_page_flush_ceiling is 33; MAX_TLBI_OPS is PTRS_PER_PTE, and a range of that many is too long
X86, ARM64 = "arch/x86/mm/tlb.c:flush_tlb_mm_range", "arch/arm64/include/asm/tlbflush.h:__flush_tlb_range"
ARM, RISCV = "arch/arm/mm/tlb-v7.S:v7wbi_flush_user_tlb_range", "arch/riscv/mm/tlbflush.c:__sbi_tlb_flush_range"
RULES = {
    "x86": KernelRule(NoAsid, 33, X86, broadcasts=False, has_asids=False),
    "x86-pcid": KernelRule(X86Pcid, 33, X86, broadcasts=False),
    "arm": KernelRule(lambda: AsidAllocator(8), None, ARM),
    "arm64-8": KernelRule(lambda: AsidAllocator(8, stride=2), 511, ARM64),
    "arm64-16": KernelRule(lambda: AsidAllocator(16, stride=2), 511, ARM64),
    "arm64-8-kpti": KernelRule(lambda: AsidAllocator(8, stride=2, next_stride=2), 511, ARM64),
    "arm64-16-kpti": KernelRule(lambda: AsidAllocator(16, stride=2, next_stride=2), 511, ARM64),
    "riscv": KernelRule(lambda: NoAsid(EVERYTHING), 1, RISCV, has_asids=False),
    "riscv-16": KernelRule(lambda: AsidAllocator(16), 1, RISCV),
}
"""Linux 6.1's rules. arm64-*: CONFIG_UNMAP_KERNEL_AT_EL0, which is the default; range TLBI (Armv8.4) left out."""


def kernel_rule(name: str) -> KernelRule:
    """The row of one kernel."""
    if name not in RULES:
        raise VmlabError(f"rule: expected one of {', '.join(RULES)}, got {name!r}")
    return RULES[name]
