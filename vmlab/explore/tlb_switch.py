"""The second explorer of lesson 03: processes in turn on one CPU, and what each switch forgets."""

from __future__ import annotations

from ..study.questions.tlb_switch import KERNEL, USER, task
from ..units import PAGE_SIZE, VmlabError
from ..views.tlb import tlb_grid
from ..virtual.asid import KernelRule
from ..virtual.context import Cpu, Switch, Task
from ..virtual.tlb import Tlb
from ..virtual.tlb_rows import Structure
from .controls import Choice, Control, Slider
from .explorer import Explorer, Scene
from .zones import Stepper

SHAPE = (Structure("TLB", 1, 64, 4),)
STEPS, PAGES = 24, 3
KERNELS = {
    "x86 without PCIDs": ("x86-64-4", "x86"),
    "x86 with PCIDs": ("x86-64-4", "x86-pcid"),
    "ARM, 8-bit ASIDs": ("arm-short", "arm"),
    "RISC-V without ASIDs": ("riscv-sv39", "riscv"),
}
COMPANY = {"processes only": "", "a second thread of p0": "thread", "a kernel thread": "kernel"}

CONTROLS: tuple[Control, ...] = (
    Choice("machine", "Machine", KERNELS, KERNELS["x86 with PCIDs"]),
    Slider("processes", "Processes in turn", 1, 9, 1, 3),
    Choice("company", "In each round also", COMPANY, ""),
    Choice("isolated", "Page-table isolation", {"off": False, "on (x86 only)": True}, False),
    Stepper("step", "Switch", STEPS, 4),
)


def switch_explorer() -> Explorer:
    """Who runs next, what the switch writes and forgets, and the TLB after the turn."""
    return Explorer(draw_switch, CONTROLS)


def draw_switch(machine: tuple[str, str], processes: int, company: str, isolated: bool, step: int) -> Scene:
    """Run so many turns; show the TLB after the last, and tell its switch."""
    if isolated and not machine[1].startswith("x86"):
        raise VmlabError("page-table isolation is modelled for the two x86 machines here: choose one of them")
    tlb = Tlb(SHAPE)
    cpu = Cpu(*machine, tlb=tlb, isolated=isolated)
    cast = _cast(processes, company)
    switch, walks, used, first = None, 0, 0, 0
    for turn in range(step):
        now = cast[turn % len(cast)]
        switch = cpu.switch(now)
        walks, used = _turn(cpu, now)
        first = walks if turn < len(cast) else first
    title = f"After switch {step} of {STEPS}"
    return Scene(tlb_grid(tlb, title), _says(cpu.rule, switch, walks, used, cast[(step - 1) % len(cast)].name))


def _cast(processes: int, company: str) -> list[Task]:
    """Who takes turns, in order."""
    tasks = [task(f"p{n}", n) for n in range(processes)]
    if company == "thread":
        tasks.insert(1, Task("p0/2", tasks[0].mm))
    if company == "kernel":
        tasks.insert(1, Task("kworker", None))
    return tasks


def _turn(cpu: Cpu, now: Task) -> tuple[int, int]:
    """Two pages of the kernel, then the task's own: walks, and references."""
    cpu.enter_kernel()
    found = [cpu.access(KERNEL + n * PAGE_SIZE, is_global=not cpu.isolated) for n in (12, 13)]
    cpu.return_to_user()
    if now.mm is not None:
        place = USER + int(now.mm.name[1:]) * 2 * PAGE_SIZE  # programs differ; here by a little
        found += [cpu.access(place + n * PAGE_SIZE) for n in range(PAGES)]
    return sum(not access.is_hit for access in found), len(found)


def _says(rule: KernelRule, switch: Switch | None, walks: int, used: int, name: str) -> tuple[str, ...]:
    if switch is None:
        return ("Nobody has run yet. Press Next step.",)
    told = tuple(" ".join(line.split()) for line in switch.tell().splitlines())
    wrote = ", ".join(switch.registers) or "nothing"
    return (
        f"{name} uses {used} pages, its own and two of the kernel's: {walks} walks. The switch wrote {wrote} "
        f"and forgot {len(switch.forgotten)} entries.",
        *told,
    )
