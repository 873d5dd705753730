"""vmalloc space: contiguous addresses over frames that need not be.

An area takes the lowest free addresses that fit, and one page more that stays unmapped, so that running off its end
faults. Freed addresses are not used again before every CPU's TLB was flushed, and one flush serves many areas: it
is put off until fls(CPUs) * 32 MiB wait for it (Linux 6.1, mm/vmalloc.c: __get_vm_area_node, __alloc_vmap_area,
vm_area_alloc_pages, free_vmap_area_noflush, __purge_vmap_area_lazy).

"Lowest" is meant as the kernel's own check does (find_vmap_lowest_linear_match). With an alignment above a page its
tree search looks for size + align - 1 bytes and may pass over a hole that fits only because it happens to be aligned.

Left out: page tables and the memory of the areas' own descriptions, huge vmalloc mappings, vm_map_ram's blocks,
the areas that boot makes before it (per-CPU chunks, I/O ports), and modules, which have a range of their own.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable
from dataclasses import dataclass, field

from ..arch import Arch
from ..arch.space import IMAGE
from ..machine import Machine
from ..physical import gfp as flags
from ..physical.zonelist import NoPage, Page
from ..ranges import Ranges
from ..units import PAGE_SHIFT, PAGE_SIZE, MiB, VmlabError, align_up, group_hex, human
from .area import Area, BadArea, DoubleVfree, NoArea
from .layout import Layout

LAZY_BYTES = 32 * MiB  # a bit of the number of CPUs
BULK = 100  # pages asked for at once, so that other tasks may run in between (vm_area_alloc_pages)


@dataclass(slots=True)
class VmallocSpace:
    """The addresses `start`..`end`, and who has which. `alloc`, `free` and `alloc_bulk` are the page allocator's."""

    start: int
    end: int
    alloc: Callable[[str | int], Page | NoPage]  # one frame
    free: Callable[[Page], None]
    total_pages: int  # more than these cannot be asked for
    cpus: int = 1
    ioremap_max_order: int = 30
    alloc_bulk: Callable[[int, str | int], list[Page]] | None = None  # up to so many frames at once
    unused: Ranges = field(default_factory=Ranges)
    lazy: Ranges = field(default_factory=Ranges)  # freed, and perhaps still in some TLB ("unpurged vm_area")
    areas: dict[int, Area] = field(default_factory=dict)  # by start
    starts: list[int] = field(default_factory=list)  # the same, sorted
    flushes: list[tuple[int, int]] = field(default_factory=list)  # every flush_tlb_kernel_range, in order

    def __post_init__(self) -> None:
        self.unused.add(self.start, self.end)

    @property
    def lazy_max_bytes(self) -> int:
        """Freed addresses beyond which the TLBs are flushed (lazy_max_pages)."""
        return self.cpus.bit_length() * LAZY_BYTES

    def vmalloc(
        self, size: int, gfp: str | int = "GFP_KERNEL", *, align: int = PAGE_SIZE, caller: str = "vmalloc"
    ) -> int | NoArea:
        """`size` bytes, rounded up to pages, over frames of any zone: their address, or NoArea, which is false."""
        if size <= 0:
            raise VmlabError(f"vmalloc({size}): expected a size of at least 1 byte")
        pages = align_up(size, PAGE_SIZE) >> PAGE_SHIFT
        if size >> PAGE_SHIFT > self.total_pages:
            return NoArea(size, f"vmalloc error: size {size}, exceeds total pages ({self.total_pages})")
        start = self._place(pages << PAGE_SHIFT, align)
        if isinstance(start, NoArea):
            return start
        frames, failed = self._frames(pages, gfp)
        area = Area(start, start + (pages + 1 << PAGE_SHIFT), "vmalloc", caller, tuple(frames))
        self._insert(area)
        if failed is None:
            return start
        self._release(area)
        got = f"vmalloc error: size {len(frames) << PAGE_SHIFT}, page order 0, failed to allocate pages"
        return NoArea(size, f"{got}: {len(frames)} of {pages} were free", failed)

    def _frames(self, pages: int, gfp: str | int) -> tuple[list[Page], NoPage | None]:
        """One frame a page, from wherever there is one: in bulk until that fails, then singly (vm_area_alloc_pages)."""
        frames: list[Page] = []
        while self.alloc_bulk is not None and len(frames) < pages:
            wanted = min(BULK, pages - len(frames))
            frames += (got := self.alloc_bulk(wanted, gfp))
            if len(got) < wanted:
                break
        while len(frames) < pages:
            page = self.alloc(gfp)
            if not isinstance(page, Page):
                return frames, page
            frames.append(page)
        return frames, None

    def ioremap(self, phys: int, size: int, *, caller: str = "ioremap") -> int | NoArea:
        """Addresses for the device registers at physical `phys`: that of the first byte, or NoArea.

        The area's alignment is its size rounded up to a power of two, so that large pages fit.
        """
        if size <= 0 or phys < 0:
            raise VmlabError(f"ioremap({phys:#x}, {size}): expected a physical address and at least 1 byte")
        inside = phys % PAGE_SIZE
        size = align_up(inside + size, PAGE_SIZE)
        start = self._place(size, self.ioremap_align(size))
        if isinstance(start, NoArea):
            return start
        self._insert(Area(start, start + size + PAGE_SIZE, "ioremap", caller, phys=phys - inside))
        return start + inside

    def ioremap_align(self, size: int) -> int:
        """Alignment of an ioremap area for `size` bytes (__get_vm_area_node)."""
        return 1 << min(max((size - 1).bit_length(), PAGE_SHIFT), self.ioremap_max_order)

    def _place(self, size: int, align: int) -> int | NoArea:
        """The lowest address with room for `size` bytes and a guard page; full space is purged once."""
        if align <= 0 or align & (align - 1):
            raise VmlabError(f"align: expected a power of two in bytes, got {align}")
        found = self._lowest(size + PAGE_SIZE, align)
        if found is None:
            self.purge()
            found = self._lowest(size + PAGE_SIZE, align)
        if found is None:
            left = max((high - low for low, high in self.unused), default=0)
            why = f"vmap allocation for size {size + PAGE_SIZE} failed: use vmalloc=<size> to increase size"
            return NoArea(size, f"{why} (the largest free piece has {human(left)})")
        return found

    def _lowest(self, size: int, align: int) -> int | None:
        for low, high in self.unused:
            start = align_up(low, align)
            if start + size <= high:
                return start
        return None

    def _insert(self, area: Area) -> None:
        self.unused.remove(area.start, area.end)
        self.areas[area.start] = area
        insort(self.starts, area.start)

    def vfree(self, va: int) -> None:
        """Give back what vmalloc returned: the frames at once, the addresses after a TLB flush. NULL is nothing."""
        if va:
            self._release(self._starting_at(va, "vmalloc", "vfree"))

    def iounmap(self, va: int) -> None:
        """Give back what ioremap returned."""
        self._release(self._starting_at(va - va % PAGE_SIZE, "ioremap", "iounmap"))

    def _starting_at(self, va: int, kind: str, what: str) -> Area:
        """The area to free; refuses other addresses and says what they are, before anything changes."""
        call = f"{what}({group_hex(va)})"
        area = self.areas.get(va)
        if area is None and (around := self.find(va)) is not None:
            raise BadArea(f"{call}: it lies in the area that starts at {group_hex(around.start)}: give back that one")
        if area is None and self.lazy.holds(va):
            raise DoubleVfree(f"{call}: the area there was freed already, and waits for its TLB flush")
        if area is None:
            raise BadArea(f"{call}: nonexistent vm area: free only what {kind} returned, and only once")
        if area.kind != kind:
            raise BadArea(f"{call}: the area there is of kind {area.kind}, made by {area.caller}")
        return area

    def _release(self, area: Area) -> None:
        """remove_vm_area and __vunmap; addresses wait for a purge (free_vmap_area_noflush)."""
        del self.areas[area.start]
        self.starts.remove(area.start)
        self.lazy.add(area.start, area.end)
        for page in area.frames:
            self.free(page)
        if self.lazy.total() > self.lazy_max_bytes:
            self.purge()

    def purge(self) -> None:
        """Flush the TLBs over everything that waits, then let it be used again (__purge_vmap_area_lazy)."""
        if not len(self.lazy):
            return
        self.flushes.append((self.lazy.starts[0], self.lazy.ends[-1]))
        for low, high in self.lazy:
            self.unused.add(low, high)
        self.lazy = Ranges()

    def find(self, va: int) -> Area | None:
        """The area that `va` lies in, guard page included (find_vm_area)."""
        index = bisect_right(self.starts, va) - 1
        area = self.areas[self.starts[index]] if index >= 0 else None
        return area if area and va < area.end else None

    def to_phys(self, va: int) -> int:
        """Physical address of a byte (vmalloc_to_page, plus what lies in the page); refuses what is not mapped."""
        area = self.find(va)
        if area is None or va >= area.end - PAGE_SIZE:
            what = "the area's guard page" if area else "in no area"
            raise VmlabError(f"vmalloc_to_page({group_hex(va)}): nothing is mapped there: it is {what}")
        if area.phys is not None:
            return area.phys + va - area.start
        page = area.frames[(va - area.start) >> PAGE_SHIFT]
        return (page.pfn << PAGE_SHIFT) + va % PAGE_SIZE


def vmalloc_space(
    machine: Machine,
    rows: Arch,
    layout: Layout,
    alloc: Callable[[int, str | int], Page | NoPage],
    free: Callable[[Page], None],
    total_pages: int,
    alloc_bulk: Callable[[int, str | int], list[Page]],
) -> VmallocSpace:
    """The vmalloc space of a booted machine; where the kernel image lies in it (arm64), that part is taken."""
    area = layout.area("vmalloc")

    def one_frame(gfp: str | int) -> Page | NoPage:
        return alloc(0, highmem_too(gfp))

    def many_frames(count: int, gfp: str | int) -> list[Page]:
        return alloc_bulk(count, highmem_too(gfp))

    start = rows.vmalloc_start(list(layout.areas))
    space = VmallocSpace(
        start, area.end, one_frame, free, total_pages, machine.cpus, rows.ioremap_max_order(machine.config), many_frames
    )
    for other in layout.areas:
        if other.name == IMAGE and start <= other.start < area.end:
            space.unused.remove(other.start, other.end)
    return space


def highmem_too(gfp: str | int) -> int:
    """What vmalloc asks the page allocator for: HighMem will do, unless DMA memory is wanted."""
    bits = flags.mask(gfp)
    wants_dma = bits & flags.mask("__GFP_DMA | __GFP_DMA32")
    return bits if wants_dma else bits | flags.mask("__GFP_HIGHMEM")
