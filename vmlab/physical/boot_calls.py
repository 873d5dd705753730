"""Make the kernel's boot allocations again, in its order, and remember what each one got."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..arch import Arch, Bounds
from ..machine import Machine
from ..parts import BootCall
from ..units import PAGE_SHIFT, VmlabError, pfn_up
from . import mem_map
from .mem_map import MemMap, Request
from .memblock import BootOutOfMemory, Memblock
from .purpose import purpose
from .zones import Node

NODE_DATA_CALLER = "alloc_node_data"
GIGANTIC_CALLER = "__alloc_bootmem_huge_page"


@dataclass(slots=True)
class BootAllocations:
    """What every boot allocation got: physical (start, end, caller) in the order they were made."""

    mem_map: MemMap
    got: list[tuple[int, int, str]] = field(default_factory=list)
    cma: list[tuple[int, int]] = field(default_factory=list)  # the area in use; a leaked first attempt is not here
    initrd: tuple[int, int] = (0, 0)
    requests: list[Request] = field(default_factory=list)
    given_up: list[tuple[int, int]] = field(default_factory=list)  # an area across two zones: free as all else

    @property
    def cma_frames(self) -> list[tuple[int, int]]:
        """The contiguous area as frame numbers: the page allocator gets it in the end."""
        return [(start >> PAGE_SHIFT, end >> PAGE_SHIFT) for start, end in self.cma]

    @property
    def gigantic_frames(self) -> list[tuple[int, int]]:
        """Huge pages too large for the page allocator, as frame numbers: a zone counts them as managed later.

        mm/hugetlb.c: alloc_bootmem_huge_page takes them, gather_bootmem_prealloc counts them.
        """
        huge = [(low, high) for low, high, caller in self.got if caller.startswith(GIGANTIC_CALLER)]
        return [(low >> PAGE_SHIFT, high >> PAGE_SHIFT) for low, high in huge]

    def why(self, pfn: int, start: int) -> str:
        """What frame `pfn`, inside the reservation that begins at `start`, is used for."""
        callers = [caller for low, high, caller in self.got if low >> PAGE_SHIFT <= pfn < pfn_up(high)]
        return purpose(callers[-1]) if callers else f"reserved by the boot loader or the firmware at {start:#x}"


def replay(machine: Machine, rows: Arch, bounds: Bounds, nodes: list[Node], memblock: Memblock) -> BootAllocations:
    """Run the machine's calls (its record's, or its architecture's usual ones) against `memblock`."""
    return _Replay(machine, rows, bounds, nodes, memblock).run()


class _Replay:
    def __init__(self, machine: Machine, rows: Arch, bounds: Bounds, nodes: list[Node], memblock: Memblock) -> None:
        self.machine, self.rows, self.bounds, self.memblock = machine, rows, bounds, memblock
        self.wanted = mem_map.requests(machine, rows, nodes, memblock)
        self.placed: list[tuple[Request, int]] = []
        self.got: list[tuple[int, int, str]] = []
        self.cma: list[tuple[int, int]] = []
        image = machine.image
        self.initrd = (image.initrd_start, image.initrd_end) if image else (0, 0)

    def run(self) -> BootAllocations:
        for region in self.machine.reserved:
            self.memblock.reserve(region.start, region.end, region.name)
        steps: dict[str, Callable[[BootCall], None]] = {
            "alloc": self._alloc,
            "reserve": self._reserve,
            "free": self._free,
        }
        calls = self.machine.boot_calls
        self.memblock.bottom_up = self.rows.begins_bottom_up(self.machine)
        for call in self.rows.boot_calls(self.machine) if calls is None else calls:
            if call.caller.startswith(NODE_DATA_CALLER):
                self.memblock.bottom_up = False  # arch/x86/mm/numa.c:numa_init, once it knows the nodes
            steps[call.op](call)
        while self.wanted:
            self._mem_map(BootCall("alloc", role="mem_map"))
        found = mem_map.place(self.machine, self.rows, self.bounds, self.placed)
        requests = [request for request, _ in self.placed]
        return BootAllocations(found, self.got, self.cma, self.initrd, requests)

    def _alloc(self, call: BootCall) -> None:
        if call.role == "mem_map":
            self._mem_map(call)
        elif call.role == "cma":
            attempts = self.rows.cma_call(self.machine, self.memblock, self.bounds)
            for attempt in attempts:
                self._cma(attempt)
        elif call.caller.startswith(GIGANTIC_CALLER):
            self._gigantic(call)
        else:
            start = self._make(call)
            if call.role == "initrd":
                self.initrd = (start, start + call.size)
            elif call.role == "dt cma":
                self.cma.append((start, start + call.size))

    def _cma(self, attempt: BootCall) -> None:
        """The last attempt is the one in use; a kernel that finds no room says so and goes on without."""
        try:
            start = self._make(attempt)
        except BootOutOfMemory:
            self.memblock.ledger.note(f"no room for {attempt.size} bytes of contiguous memory area: none is reserved")
            return
        self.cma = [(start, start + attempt.size)]

    def _gigantic(self, call: BootCall) -> None:
        """A huge page; the kernel says how many it got, and goes on without the rest."""
        try:
            self._make(call)
        except BootOutOfMemory:
            self.memblock.ledger.note(f"no room for a huge page of {call.size} bytes: it is not made")

    def _mem_map(self, call: BootCall) -> None:
        if not self.wanted:
            raise VmlabError(
                f"record field memblock.events: more allocations of struct pages ({call.caller}) than nodes"
            )
        request = self.wanted.pop(0)
        self.placed.append((request, self._make(request.call, call.caller or "mem_map", "the array of struct page")))

    def _make(self, call: BootCall, caller: str = "", why: str = "") -> int:
        start = self.memblock.alloc(
            call.size,
            call.align,
            min_addr=call.min_addr,
            max_addr=call.max_addr,
            nid=call.nid,
            exact_nid=call.exact_nid,
            phys=call.phys,
            why=why or purpose(call.caller),
            caller=caller or call.caller,
        )
        self.got.append((start, start + call.size, caller or call.caller))
        return start

    def _reserve(self, call: BootCall) -> None:
        self.memblock.reserve(call.start, call.end, purpose(call.caller), call.caller)

    def _free(self, call: BootCall) -> None:
        base = 0
        if call.of >= 0:
            if call.of >= len(self.got):
                raise VmlabError(f"record field memblock.events: {call.caller} frees an allocation that was never made")
            base = self.got[call.of][0]
        self.memblock.free(base + call.start, base + call.end, purpose(call.caller), call.caller)
