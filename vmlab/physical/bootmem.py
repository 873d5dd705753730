"""bootmem, the boot allocator of 2.4 and 2.6: one bit a lowmem frame, and the first fit above a goal.

The goal is __pa(MAX_DMA_ADDRESS): 16 MiB on a PC, to spare the frames that old DMA controllers can reach. So
the first large allocation, mem_map, landed at 16 MiB, which is 0xC100_0000 in the direct map; but only
where the kernel and its initrd ended below it. On ARM MAX_DMA_ADDRESS is 0xffff_ffff, beyond lowmem: the
goal is ignored, and mem_map follows the kernel and the bitmap (Linux 2.4.0 and 2.6.32, mm/bootmem.c:
alloc_bootmem_core; 2.6.32, arch/arm/mm/init.c:find_bootmap_pfn).

Left out: one bitmap a node (NUMA), alloc_bootmem_low, the page tables that i386 2.6 kept behind _end, and
x86-64's search for a place for the bitmap. A bitmap is never laid over an initrd here; 2.6 could do that.
What is allocated after mem_map is what a 6.1 kernel allocates.
"""

from __future__ import annotations

from ..arch import Arch, Bounds
from ..machine import Machine
from ..parts import BootCall
from ..ranges import Ranges
from ..units import PAGE_SHIFT, PAGE_SIZE, VmlabError, align_up, group_hex, pfn_down, pfn_up
from . import mem_map
from .boot_calls import BootAllocations
from .mem_map import Request
from .memblock import BootOutOfMemory, Memblock
from .purpose import purpose
from .zones import Node

FORMATS = ("x86-32", "x86-pae", "x86-64-4", "arm-short", "arm-lpae")  # kernels of that time had no other
MODELS = ("FLATMEM", "SPARSEMEM")


class Bootmem:
    """The bitmap: which frames of lowmem are taken. Frame numbers throughout; `high` is node_low_pfn."""

    def __init__(self, bounds: Bounds, memblock: Memblock) -> None:
        self.memblock = memblock
        self.low, self.high = bounds.min_pfn, bounds.max_low_pfn
        self.taken = Ranges()
        self.taken.add(0, self.high)  # init_bootmem: everything is taken ...
        for start, end in memblock.memory():  # ... until free_bootmem says that it is RAM
            self.taken.remove(pfn_up(start), min(pfn_down(end), self.high))
        for start, end in memblock.reserved:  # reserve_bootmem
            self.taken.add(pfn_down(start), pfn_up(end))
        self._last_end = 0  # first byte after the last allocation: a small one may share its page
        self._hint = 0

    @property
    def map_bytes(self) -> int:
        """Size of the bitmap: one bit a frame, whole pages (bootmem_bootmap_pages)."""
        return align_up((self.high - self.low + 7) // 8, PAGE_SIZE)

    def place_map(self, image_end: int) -> tuple[int, int]:
        """Put the bitmap into the first frames after the kernel's `_end`; returns physical (start, end)."""
        first = self._find(pfn_up(image_end), self.map_bytes >> PAGE_SHIFT, 1)
        if first is None:
            raise BootOutOfMemory(f"bootmem: no room for its bitmap, {self.map_bytes} bytes, after the kernel")
        start = first << PAGE_SHIFT
        self._take(start, start + self.map_bytes, "the bitmap of bootmem, one bit a frame", "init_bootmem")
        self._last_end = self._hint = 0  # reserved by hand: the search does not know of it
        return start, start + self.map_bytes

    def alloc(self, size: int, align: int, goal: int, why: str, caller: str) -> int:
        """First fit from `goal` (a physical address), then from the lowest frame: alloc_bootmem_core."""
        pages, step = pfn_up(size), max(1, align >> PAGE_SHIFT)
        wanted = goal >> PAGE_SHIFT
        start = wanted if self.low < wanted < self.high else self.low
        # from the end of the last allocation first; then all again without the goal
        for begin in (max(start, self._hint), start, max(self.low, self._hint), self.low):
            first = self._find(begin, pages, step)
            if first is not None:
                place = self._shared(first, align)
                self._take(place, place + size, why, caller)
                return place
        raise BootOutOfMemory(
            f"no room for {why or caller}: {size} bytes below {group_hex(self.high << PAGE_SHIFT)}, where "
            "bootmem's lowmem ends; add RAM"
        )

    def _find(self, begin: int, pages: int, step: int) -> int | None:
        for start, end in sorted(self.taken.gaps_down(begin, self.high)):
            first = align_up(start, step)
            if first + pages <= end:
                return first
        return None

    def _shared(self, first: int, align: int) -> int:
        """Begin in the page before, where the last allocation ended inside it."""
        if self._last_end % PAGE_SIZE and pfn_down(self._last_end) + 1 == first:
            return align_up(self._last_end, align)
        return first << PAGE_SHIFT

    def _take(self, start: int, end: int, why: str, caller: str) -> None:
        self.taken.add(pfn_down(start), pfn_up(end))
        self.memblock.reserved.add(pfn_down(start) << PAGE_SHIFT, pfn_up(end) << PAGE_SHIFT)
        self.memblock.ledger.add("alloc", start, end, why, caller)
        self._last_end, self._hint = end, pfn_up(end)


def replay(machine: Machine, rows: Arch, bounds: Bounds, nodes: list[Node], memblock: Memblock) -> BootAllocations:
    """Boot with bootmem: reserve, place the bitmap, allocate mem_map and then the rest; as boot_calls.replay."""
    _check_era(machine, nodes)
    calls = rows.boot_calls(machine)
    initrd = _reserve(machine, bounds, calls, memblock)
    state = Bootmem(bounds, memblock)
    bitmap = state.place_map(rows.image(machine).end)
    goal = rows.memmap_min_addr(machine)
    memblock.ledger.note(_goal_note(goal, state))
    got = [(*bitmap, "init_bootmem")]
    placed: list[tuple[Request, int]] = []
    for request in mem_map.requests(machine, rows, nodes, memblock):
        align = min(request.call.align, PAGE_SIZE)
        start = state.alloc(request.call.size, align, goal, "the array of struct page", "mem_map")
        placed.append((request, start))
        got.append((start, start + request.call.size, "mem_map"))
    for call in calls:
        if call.op == "alloc" and not call.role:
            start = state.alloc(call.size, call.align, goal, purpose(call.caller), call.caller)
            got.append((start, start + call.size, call.caller))
    memblock.free(*bitmap, "the bitmap's own frames, given back last of all", "free_all_bootmem")
    found = mem_map.place(machine, rows, bounds, placed)
    return BootAllocations(found, got, [], initrd, [request for request, _ in placed])


def _check_era(machine: Machine, nodes: list[Node]) -> None:
    config = machine.config
    if config.format not in FORMATS:
        raise VmlabError(
            f"boot_allocator: no kernel for {config.format} used bootmem, only those for {', '.join(FORMATS)}; "
            "use boot_allocator='memblock'"
        )
    if config.memory_model not in MODELS:
        raise VmlabError(
            f"boot_allocator: bootmem places struct pages for {' and '.join(MODELS)} here, not for "
            f"{config.memory_model}; use boot_allocator='memblock' or with_config(memory_model='FLATMEM')"
        )
    if len(nodes) > 1:
        raise VmlabError(f"boot_allocator: this bootmem has one bitmap and the machine has {len(nodes)} nodes")


def _reserve(machine: Machine, bounds: Bounds, calls: tuple[BootCall, ...], memblock: Memblock) -> tuple[int, int]:
    """What is taken before the bitmap exists; returns the initrd, (0, 0) if it was given up."""
    image = machine.image
    initrd = (image.initrd_start, image.initrd_end) if image else (0, 0)
    if initrd[1] > bounds.max_low_pfn << PAGE_SHIFT:
        memblock.ledger.note("initrd extends beyond the end of lowmem: disabling initrd")
        calls = tuple(call for call in calls if (call.start, call.end) != initrd)
        initrd = (0, 0)
    for region in machine.reserved:
        memblock.reserve(region.start, region.end, region.name)
    for call in calls:
        if call.op == "reserve":
            memblock.reserve(call.start, call.end, purpose(call.caller), call.caller)
    return initrd


def _goal_note(goal: int, state: Bootmem) -> str:
    if state.low < goal >> PAGE_SHIFT < state.high:
        return f"bootmem searches upwards from __pa(MAX_DMA_ADDRESS) = {group_hex(goal)}"
    return f"__pa(MAX_DMA_ADDRESS) = {group_hex(goal)} is not in lowmem: bootmem searches from the lowest frame"
