"""What a booted kernel offers for processes: spawn, switch, swapon, reclaim; made when first asked for.

A page comes from `alloc_pages` as GFP_HIGHUSER_MOVABLE, a page table as GFP_KERNEL_ACCOUNT | __GFP_ZERO. The TLB is one
that fits the format; lesson 03 has the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..units import VmlabError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..machine import Machine
    from ..physical.buddy import Buddy
    from ..physical.zones import Zones
    from ..virtual.context import Cpu, Switch, Task
    from ..virtual.tlb import Tlb
    from .memory import Memory
    from .notify import Watch
    from .process import Process
    from .reclaim import Report
    from .swap import Swap
    from .user_pages import UserPages

USUAL_CPU = {  # page-table format -> (how the kernel hands out ASIDs, whose TLB)
    "x86-32": ("x86", "Nehalem"),
    "x86-pae": ("x86", "Nehalem"),
    "x86-64-4": ("x86-pcid", "Skylake"),
    "x86-64-5": ("x86-pcid", "Skylake"),
    "arm-short": ("arm", "Cortex-A15"),
    "arm-lpae": ("arm", "Cortex-A15"),
    "arm64-4k-39": ("arm64-16", "Cortex-A57"),
    "arm64-4k-48": ("arm64-16", "Cortex-A57"),
}
PAGE_GFP, TABLE_GFP = "GFP_HIGHUSER_MOVABLE", "GFP_KERNEL_ACCOUNT | __GFP_ZERO"


class UserMemory:
    """Mixed into Kernel: everything that needs `memory`, which loads numpy when it is made."""

    if TYPE_CHECKING:
        machine: Machine
        alloc_pages: Callable[..., Any]
        free_pages: Callable[..., None]
        _memory: Memory | None
        _user_pages: UserPages | None
        buddy: Buddy

        @property
        def zones(self) -> Zones:
            """All zones of the kernel."""
    else:
        __slots__ = ()

    @property
    def memory(self) -> Memory:
        """User memory: frames in use, address spaces, swap, and the hook that hears every change."""
        if self._memory is None:
            from ..virtual.context import Cpu
            from .memory import Memory

            fmt = self.machine.config.format or ""
            if fmt not in USUAL_CPU:
                raise VmlabError(f"processes: expected a machine with one of {', '.join(USUAL_CPU)}, this has {fmt!r}")
            self._memory = Memory(fmt, self._take_frames, self.free_pages, self.machine.config.rules)
            self._memory.cpu = Cpu(fmt, USUAL_CPU[fmt][0])
        return self._memory

    def _take_frames(self, order: int, gfp: str = PAGE_GFP) -> int | None:
        page = self.alloc_pages(order, gfp)
        return int(page) if page else None

    def spawn(self, name: str) -> Process:
        """A new process with an empty address space."""
        from .process import Process

        return Process(self.memory, name)

    def watch(self, process: Process, va: int) -> Watch:
        """Watch the page of `process` that holds `va`: every change, and who tells of it."""
        from .notify import Watch

        return Watch(process, va)

    def switch(self, task: Task) -> Switch:
        """Run a process, or one of its threads, next."""
        assert self.memory.cpu is not None
        return self.memory.cpu.switch(task)

    @property
    def cpu(self) -> Cpu:
        """The CPU that runs processes."""
        assert self.memory.cpu is not None
        return self.memory.cpu

    @property
    def tlb(self) -> Tlb:
        """Its TLB, empty until first asked for; from then on every access goes through it."""
        if self.cpu.tlb is None:
            from ..virtual.tlb import Tlb

            self.cpu.tlb = Tlb(USUAL_CPU[self.memory.format][1])
        return self.cpu.tlb

    @property
    def swap(self) -> Swap:
        """Swap areas and the swap cache; `swap.find(process, va)` goes from an address to its slot."""
        return self.memory.swap

    def swapon(self, pages: int, prio: int | None = None, **device: Any) -> Any:
        """A new swap area (see Swap.swapon)."""
        return self.memory.swapon(pages, prio, **device)

    @property
    def user_pages(self) -> UserPages:
        """The lists that reclaim works on, and kswapd; made when first asked for."""
        if self._user_pages is None:
            from .user_pages import UserPages

            zones = [zone for zone in self.zones if zone.populated]
            low, high = (sum(getattr(zone.watermark, mark) for zone in zones) for mark in ("low", "high"))
            self._user_pages = UserPages(self.memory, lambda: sum(map(self.buddy.free_pages, zones)), low, high)
        return self._user_pages

    def reclaim(self, pages: int) -> Report:
        """Free so many pages of processes, as a task would that finds no frame; says what was scanned, kept, freed."""
        return self.user_pages.reclaim(pages)

    def swapoff(self, type: int) -> Any:
        """Bring an area's pages back and remove it."""
        return self.memory.swapoff(type)
