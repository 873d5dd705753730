"""kmap_local and kmap_atomic: a few windows of each CPU's own, in the fixmap, without a lock and without waiting.

Slots go downwards from FIX_KMAP_BEGIN: the address of slot i is FIXADDR_TOP - (FIX_KMAP_BEGIN + i) * 4096. Who may use
which has changed twice; each way is a row of RULES:

    2.6.36   kmap_atomic(page, type): the caller names the slot; two users of one type collide
    2.6.37   kmap_atomic(page): a stack a CPU; the task must neither sleep nor be preempted
    5.11     kmap_local_page(page): a stack a task, which may sleep but not change its CPU; the scheduler takes
             its entries out and puts them back

Sources: Linux 6.1, mm/highmem.c (kmap_local_idx_push, kunmap_local_indexed, __kmap_local_sched_out); 2.6.36,
arch/x86/mm/highmem_32.c and include/asm-generic/kmap_types.h; commit 3e4d3af501cc, "mm: stack based kmap_atomic()".

Left out: interrupts that map on top of what they interrupted, guard slots (CONFIG_DEBUG_KMAP_LOCAL), and ARM's
kmap_high_get, which on some ARM kernels lets kmap_local use a window of kmap's. The older rules count from this
kernel's FIX_KMAP_BEGIN, and have x86's number of slots; an older kernel's fixmap lay elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..units import PAGE_SHIFT, PAGE_SIZE, VmlabError, align_down, group_hex
from .pkmap import KernelBug

KM_TYPES = (
    "KM_BOUNCE_READ",
    "KM_SKB_SUNRPC_DATA",
    "KM_SKB_DATA_SOFTIRQ",
    "KM_USER0",
    "KM_USER1",
    "KM_BIO_SRC_IRQ",
    "KM_BIO_DST_IRQ",
    "KM_PTE0",
    "KM_PTE1",
    "KM_IRQ0",
    "KM_IRQ1",
    "KM_SOFTIRQ0",
    "KM_SOFTIRQ1",
    "KM_SYNC_ICACHE",
    "KM_SYNC_DCACHE",
    "KM_UML_USERCOPY",
    "KM_IRQ_PTE",
    "KM_NMI",
    "KM_NMI_PTE",
    "KM_KDB",
)


class NotTheLast(VmlabError):
    """A window given back before one that was mapped after it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How one range of kernel versions hands out a CPU's slots."""

    since: str
    call: str
    slots: int  # a CPU: KM_TYPE_NR, KM_MAX_IDX
    deepest: int  # windows at once
    owner: str  # whose stack: "type", "CPU" or "task"
    check: str  # the kernel's own test of the depth
    undo: str = "kunmap_atomic"
    last: str = "with CONFIG_DEBUG_HIGHMEM, WARN_ON_ONCE(vaddr != __fix_to_virt(FIX_KMAP_BEGIN + idx))"

    @property
    def typed(self) -> bool:
        """Whether the caller names the slot."""
        return self.owner == "type"


RULES = {
    rule.since: rule
    for rule in (
        Rule("2.6.36", "kmap_atomic(page, type)", 20, 20, "type", "BUG_ON(!pte_none(*(kmap_pte - idx)))"),
        Rule("2.6.37", "kmap_atomic(page)", 20, 20, "CPU", "BUG_ON(idx >= KM_TYPE_NR)"),
        # the index is raised before it is compared with KM_MAX_IDX: the last of 16 slots stays empty
        Rule(
            "5.11",
            "kmap_local_page(page)",
            16,
            15,
            "task",
            "BUG_ON(current->kmap_ctrl.idx >= KM_MAX_IDX)",
            "kunmap_local",
            "WARN_ON_ONCE(addr != __fix_to_virt(FIX_KMAP_BEGIN + idx))",
        ),
    )
}
NEWEST = RULES["5.11"]


@dataclass(slots=True)
class KmapLocal:
    """The slots of every CPU. `top` and `begin` are FIXADDR_TOP and FIX_KMAP_BEGIN."""

    top: int
    begin: int
    cpus: int
    rule: Rule = NEWEST
    running: list[str] = field(init=False)  # the task on each CPU
    entries: dict[int, int] = field(default_factory=dict)  # the page table: slot -> frame
    stacks: dict[str, list[tuple[int, int]]] = field(default_factory=dict)  # owner -> (slot, frame), oldest first
    homes: dict[str, int] = field(default_factory=dict)  # task with windows -> the CPU it may not leave

    def __post_init__(self) -> None:
        self.running = [f"task{cpu}" for cpu in range(self.cpus)]

    def map(self, pfn: int, cpu: int = 0, kind: str = "") -> int:
        """A window for the task that runs on `cpu`: its address. It never waits; too many is a BUG."""
        task, slot = self._task(cpu), self._slot(cpu, kind)
        self.entries[slot] = pfn
        self.stacks.setdefault(self._owner(cpu), []).append((slot, pfn))
        self.homes[task] = cpu
        return self.address(slot)

    def unmap(self, va: int, cpu: int = 0) -> int:
        """Give a window of the task on `cpu` back: the last one first. Returns its frame."""
        self._task(cpu)
        stack, slot = self.stacks.get(self._owner(cpu), []), self.slot(va)
        if not stack:
            index = "current->kmap_ctrl.idx" if self.rule.owner == "task" else "idx"
            raise KernelBug(f"{self.rule.undo}({group_hex(va)}): BUG_ON({index} < 0): no window is mapped")
        place = self._place(stack, slot, va)
        _, pfn = stack.pop(place)
        del self.entries[slot]
        if not stack:
            del self.stacks[self._owner(cpu)]
            self.homes.pop(self.running[cpu], None)
        return pfn

    def switch(self, task: str, cpu: int = 0) -> tuple[int, int]:
        """`task` runs on `cpu` from now on: how many entries the switch took out, and how many it put back."""
        before = self._task(cpu)
        if task == before:
            return 0, 0
        self._may_switch(task, before, cpu)
        self.running[cpu] = task
        if self.rule.owner != "task":
            return 0, 0
        out, back = self.stacks.get(before, []), self.stacks.get(task, [])
        for slot, _ in out:
            del self.entries[slot]
        self.entries.update(back)
        return len(out), len(back)

    def windows(self, cpu: int = 0) -> list[tuple[int, int]]:
        """Address and frame of the windows on the stack that `cpu` uses now, the oldest first."""
        self._task(cpu)
        return [(self.address(slot), pfn) for slot, pfn in self.stacks.get(self._owner(cpu), [])]

    def address(self, slot: int) -> int:
        """__fix_to_virt(FIX_KMAP_BEGIN + slot)."""
        return self.top - ((self.begin + slot) << PAGE_SHIFT)

    def slot(self, va: int) -> int:
        """The slot that an address lies in; addresses outside all slots give one that does not exist."""
        return ((self.top - align_down(va, PAGE_SIZE)) >> PAGE_SHIFT) - self.begin

    def holds(self, va: int) -> bool:
        """Whether an address lies in some CPU's slot."""
        return 0 <= self.slot(va) < self.cpus * self.rule.slots

    def _owner(self, cpu: int) -> str:
        return self.running[cpu] if self.rule.owner == "task" else f"CPU {cpu}"

    def _slot(self, cpu: int, kind: str) -> int:
        """The slot that the next window gets."""
        call = f"{self.rule.call}, Linux {self.rule.since}"
        if self.rule.typed:
            if kind not in KM_TYPES:
                raise VmlabError(f"{call}: expected a type, one of {', '.join(KM_TYPES)}, got {kind!r}")
            slot = KM_TYPES.index(kind) + self.rule.slots * cpu
            if slot in self.entries:
                raise KernelBug(f"{call}: {self.rule.check}: {kind} is in use on CPU {cpu}: name another type")
            return slot
        if kind:
            raise VmlabError(f"{call}: expected no type, got {kind!r}: the slot is the next of the stack")
        depth = len(self.stacks.get(self._owner(cpu), []))
        if depth >= self.rule.deepest:
            raise KernelBug(f"{call}: {self.rule.check}: {depth} windows are mapped: give one back first")
        return depth + self.rule.slots * cpu

    def _place(self, stack: list[tuple[int, int]], slot: int, va: int) -> int:
        """Where in the stack the window stands; only the rule with types lets it be another than the last."""
        slots = [held for held, _ in stack]
        if self.rule.typed and slot in slots:
            return slots.index(slot)
        if slot != slots[-1]:
            last = group_hex(self.address(slots[-1]))
            raise NotTheLast(
                f"{self.rule.undo}({group_hex(va)}): {self.rule.last}: the window mapped last is at {last}: give "
                "windows back in the reverse order"
            )
        return len(slots) - 1

    def _may_switch(self, task: str, before: str, cpu: int) -> None:
        if self.rule.owner != "task" and self.stacks.get(f"CPU {cpu}"):
            raise KernelBug(
                f"switch to {task}: scheduling while atomic: {before} holds windows of kmap_atomic, which forbids "
                "to sleep and to be preempted: unmap first"
            )
        if task in self.running:
            raise VmlabError(f"switch to {task}: it runs on CPU {self.running.index(task)}: choose a task that waits")
        if self.homes.get(task, cpu) != cpu:
            raise VmlabError(
                f"switch to {task} on CPU {cpu}: it has windows on CPU {self.homes[task]} and may not leave it "
                "(migrate_disable): run it there"
            )

    def _task(self, cpu: int) -> str:
        if not isinstance(cpu, int) or not 0 <= cpu < self.cpus:
            raise VmlabError(f"cpu: expected 0 to {self.cpus - 1} on this machine, got {cpu!r}")
        return self.running[cpu]
