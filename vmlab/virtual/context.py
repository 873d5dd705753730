"""A context switch: one register changes, and with it what every address means.

    cpu = Cpu("x86-64-4", "x86-pcid", tlb=Tlb("Skylake"))
    a, b = Task("a", Mm("a", 0x6096000)), Task("b", Mm("b", 0x6094000))
    cpu.switch(a)
    print(cpu.switch(b).tell())

Threads of one process share its tables, so nothing changes between them; a kernel thread has none and borrows
those of whoever ran before (lazy TLB). Sources, Linux 6.1: arch/x86/mm/tlb.c:switch_mm_irqs_off, and
check_and_switch_context in arch/arm, arch/arm64 and arch/riscv.

Left out: the switch of stacks and registers, speculation barriers, the moment between two register writes in
which classic ARM runs on kernel tables alone, and what other CPUs hold (but for `Mm.tlb_gen`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..arch.base_register import base_register
from ..ledger import Ledger
from ..units import PAGE_SIZE, VmlabError, align_down, align_up, group_hex
from .asid import ASID, EVERYTHING, NON_GLOBAL, NOTHING, Mm, kernel_rule
from .tlb import Tlb
from .tlb_tell import Access, Entry, Run

__all__ = ["Cpu", "Mm", "Switch", "Task"]

WHAT = {ASID: "all of this ASID", NON_GLOBAL: "all but global entries", EVERYTHING: "everything"}
NOFLUSH = 1 << 63  # X86_CR3_PCID_NOFLUSH: keep this PCID's entries


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """struct task_struct: a thread. `mm` None is a kernel thread."""

    name: str
    mm: Mm | None


@dataclass(frozen=True, slots=True)
class Switch:
    """What one switch did. `registers` are those written, empty if none; `forgotten` left the TLB."""

    registers: dict[str, int]
    asid: int
    forgotten: list[Entry]
    ledger: Ledger = field(repr=False)

    def tell(self) -> str:
        """The steps, one a line, set off below the switch they belong to."""
        return tell_steps(self.ledger)


def tell_steps(steps: Ledger) -> str:
    """Switches and what belongs to each, one step a line (a register is no memory: its value is told, not a place)."""
    told = [event.why if event.kind == "note" else " ".join(event.tell().split()) for event in steps.events]
    return "\n".join(line if line.startswith("switch from") else f"    {line}" for line in told)


class Cpu:
    """One CPU: what its base register holds, whose tables they are, and its TLB if it has been given one.

    `isolated`: user mode runs on a table (x86) or an ASID (arm64) of its own, as with page-table isolation.
    """

    def __init__(self, format_name: str, rule: str, tlb: Tlb | None = None, isolated: bool = False) -> None:
        self.base = base_register(format_name)
        self.rule = kernel_rule(rule)
        if isolated and not self.base.user_asid_bit:
            raise VmlabError(f"isolated: Linux isolates user mode on x86 and arm64 only, not with {format_name}")
        self.tlb, self.isolated = tlb, isolated
        self.asids = self.rule.make()
        self.current: Task | None = None
        self.loaded_mm: Mm | None = None  # whose tables the register holds, also while a kernel thread borrows them
        self.is_lazy = False
        self.in_user_mode = True
        self.asid = 0
        self.registers: dict[str, int] = {}
        self._loaded_gen = 0  # of loaded_mm's flushes, those that were done here
        self.log = Ledger()

    # --- switching ---

    def switch(self, task: Task) -> Switch:
        """Run `task` next: what is written, what is forgotten, what stays."""
        before, steps = self.loaded_mm, Ledger()
        last = self.current.name if self.current else "nobody"
        steps.note(f"switch from {last} to {task.name}")
        self.current = task
        if task.mm is None:
            return self._borrow(steps)
        if task.mm is before and not self._is_late(task.mm):
            why = "the kernel thread left its tables in place" if self.is_lazy else "threads share one address space"
            steps.note(f"{self.base.name} stays {self._value()}: {why}; nothing is forgotten")
            self.is_lazy = False
            return self._done({}, [], steps)
        return self._load(task.mm, steps)

    def _is_late(self, mm: Mm) -> bool:
        """x86: whether flushes were asked for while a kernel thread borrowed the tables."""
        if not self.is_lazy or self.rule.broadcasts:
            return False
        return self._loaded_gen != mm.tlb_gen

    def _borrow(self, steps: Ledger) -> Switch:
        whose = f"{self.loaded_mm.name}'s" if self.loaded_mm else "the kernel's own"
        steps.note(f"a kernel thread has no tables: it runs on {whose}, whose kernel half is everybody's (lazy TLB)")
        steps.note(f"{self.base.name} stays {self._value()}; nothing is forgotten")
        self.is_lazy = self.loaded_mm is not None
        return self._done({}, [], steps)

    def _load(self, mm: Mm, steps: Ledger) -> Switch:
        """Write the root and the ASID; forget what the rule says."""
        choice = self.asids.choose(mm)
        self.loaded_mm, self.asid, self.is_lazy = mm, choice.asid, False
        self._loaded_gen = mm.tlb_gen
        written = self.base.values(mm.root_pa, choice.asid, mm.context_id)
        noflush = self.rule.has_asids and not self.rule.broadcasts and choice.forget == NOTHING
        for name, value in written.items():
            shown = value | NOFLUSH if noflush else value
            steps.note(f"write {name} = {group_hex(shown)}: {mm.name}")
        self.registers |= written  # bit 63 is an order, not kept
        if self.rule.has_asids:
            steps.note(f"ASID {choice.asid}: {choice.why}")
        forgotten = self._forget(choice.forget, steps, choice.why)
        steps.note(f"the kernel's half stays: {self.base.kernel_half}")
        if self.isolated:
            steps.note(self._second())
        self.in_user_mode = not self.isolated
        if self.isolated:
            self.return_to_user(steps)
        return self._done(written, forgotten, steps)

    def _second(self) -> str:
        mm = self.loaded_mm
        if mm is not None and mm.user_root_pa is not None:
            return (
                f"user mode has a table of its own at {group_hex(mm.user_root_pa)}, with almost nothing of the kernel"
            )
        return f"user mode has an ASID of its own, {self.hardware_asid(user=True)}"

    def _done(self, written: dict[str, int], forgotten: list[Entry], steps: Ledger) -> Switch:
        self.log.events += steps.events
        return Switch(written, self.asid, forgotten, steps)

    def _value(self) -> str:
        return group_hex(self.registers.get(self.base.name, 0))

    # --- page-table isolation: into the kernel and back ---

    def enter_kernel(self) -> list[Entry]:
        """A system call or interrupt. Returns what the TLB forgot: something only with isolation and without ASIDs."""
        return self._cross(user=False, steps=self.log)

    def return_to_user(self, steps: Ledger | None = None) -> list[Entry]:
        """Back to the program."""
        return self._cross(user=True, steps=self.log if steps is None else steps)

    def _cross(self, user: bool, steps: Ledger) -> list[Entry]:
        if not self.isolated or self.in_user_mode == user or self.loaded_mm is None:
            return []
        self.in_user_mode = user
        mm = self.loaded_mm
        root = mm.user_root_pa if user and mm.user_root_pa is not None else mm.root_pa
        values = self.base.values(root, self.hardware_asid(user), mm.context_id)
        written = {name: value for name, value in values.items() if self.registers.get(name) != value}
        self.registers |= written
        mode = "user" if user else "kernel"
        for name, value in written.items():
            steps.note(f"write {name} = {group_hex(value)}: to {mode} mode")
        return [] if self.rule.has_asids else self._forget(NON_GLOBAL, steps, "a write of CR3 without PCID")

    def hardware_asid(self, user: bool = True) -> int:
        """What TLB entries are marked with in user mode, or in the kernel."""
        bit = self.base.user_asid_bit if self.isolated and self.rule.has_asids and user else 0
        return self.asid | bit

    # --- memory, and forgetting on request ---

    def access(self, va: int, page_bytes: int = PAGE_SIZE, kind: str = "data", is_global: bool = False) -> Access:
        """One reference of what runs now."""
        return self._tlb().access(self.hardware_asid(self.in_user_mode), va, page_bytes, kind, is_global)

    def run(self, pages: object, page_bytes: int = PAGE_SIZE) -> Run:
        """A trace, or virtual page numbers, as what runs now."""
        return self._tlb().run(pages, self.hardware_asid(self.in_user_mode), page_bytes)

    def invlpg(self, va: int) -> list[Entry]:
        """Forget one page of what runs now, in both its ASIDs if it has two (x86: native_flush_tlb_one_user)."""
        start = align_down(va, PAGE_SIZE)
        gone = self._each_asid(self.asid, start, start + PAGE_SIZE)
        self._told("forget", start, start + PAGE_SIZE, gone, "this page")
        return gone

    def flush_tlb_mm_range(self, mm: Mm, start: int, end: int, stride_bytes: int = PAGE_SIZE) -> list[Entry]:
        """Forget a range of one address space: page by page while that is cheap, else all of its ASID."""
        start, end = align_down(start, stride_bytes), align_up(end, stride_bytes)
        pages, limit = (end - start) // stride_bytes, self.rule.range_pages
        mm.tlb_gen += 1
        if not self.rule.broadcasts and (mm is not self.loaded_mm or self.is_lazy):
            self.log.note(
                f"{mm.name} is not running here: its generation is {mm.tlb_gen} now, the next switch to it will see"
            )
            return []
        self.asids.caught_up(mm)
        self._loaded_gen = mm.tlb_gen if mm is self.loaded_mm else self._loaded_gen
        asid = self.asids.asid_of(mm)
        if limit is None or pages <= limit:
            gone = self._each_asid(asid, start, end)
            self._told("forget", start, end, gone, f"{pages} pages one by one")
            return gone
        why = f"{pages} pages are more than {limit}: all of {mm.name} is cheaper ({self.rule.source})"
        return self._forget(ASID if self.rule.has_asids else NON_GLOBAL, self.log, why, asid)

    def flush_tlb_all(self) -> list[Entry]:
        """Forget everything, global entries too."""
        return self._forget(EVERYTHING, self.log, "flush_tlb_all")

    def _tlb(self) -> Tlb:
        if self.tlb is None:
            raise VmlabError('this CPU has no TLB: make it with Cpu(..., tlb=Tlb("Skylake"))')
        return self.tlb

    def _both(self, asid: int) -> list[int]:
        """An ASID, and user mode's beside it."""
        bit = self.base.user_asid_bit if self.isolated and self.rule.has_asids else 0
        return [asid, asid | bit] if bit else [asid]

    def _each_asid(self, asid: int, start: int, end: int) -> list[Entry]:
        if self.tlb is None:
            return []
        return [entry for each in self._both(asid) for entry in self.tlb.flush_range(each, start, end)]

    def _forget(self, what: str, steps: Ledger, why: str, asid: int | None = None) -> list[Entry]:
        """Do what a Choice says, and tell it."""
        if what == NOTHING or self.tlb is None:
            if what != NOTHING:
                steps.note(f"forget {WHAT[what]}: {why}")
            return []
        if what == ASID:
            both = self._both(self.asid if asid is None else asid)
            gone = [entry for each in both for entry in self.tlb.flush(each)]
        else:
            gone = self.tlb.flush(keep_global=what != EVERYTHING)
        steps.note(f"forget {WHAT[what]}, {len(gone)} entries: {why}; {len(self.tlb.entries())} stay")
        return gone

    def _told(self, kind: str, start: int, end: int, gone: list[Entry], why: str) -> None:
        self.log.add(kind, start, end, f"{why}: {len(gone)} entries")
