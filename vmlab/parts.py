"""The parts a machine is described with: memory, kernel configuration, image, boot calls, added zones."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from . import versions
from .units import VmlabError


@dataclass(frozen=True, slots=True)
class Region:
    """`size` bytes of physical memory from `start`; on NUMA machines, of `node`."""

    start: int
    size: int
    name: str = "System RAM"
    node: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.start, int) or not isinstance(self.size, int):
            raise VmlabError(
                f"Region {self.name!r}: expected start and size in whole bytes, got {self.start!r} and {self.size!r}; "
                "write 1536 * MiB, not 1.5 * GiB"
            )
        if self.start < 0 or self.size <= 0:
            raise VmlabError(
                f"Region {self.name!r}: expected start >= 0 and size > 0, "
                f"got start {self.start:#x} and size {self.size}"
            )

    @property
    def end(self) -> int:
        """One past the last byte."""
        return self.start + self.size


@dataclass(frozen=True, slots=True)
class Config:
    """The choices made when a kernel is built that shape its memory.

    A field left out (None) takes the value of the architecture's usual Debian 6.1 kernel, so
    `Config(struct_page_bytes=32)` changes one thing. Fields are named after the kernel's own.
    """

    format: str | None = None  # page-table format: "x86-32", "x86-pae", "x86-64-4", "x86-64-5", "arm-short" ...
    page_offset: int | None = None  # first virtual address of the direct map (32-bit kernels)
    memory_model: str | None = None  # "FLATMEM", "SPARSEMEM" or "SPARSEMEM_VMEMMAP"
    struct_page_bytes: int | None = None  # sizeof(struct page)
    highmem: bool | None = None  # CONFIG_HIGHMEM
    zone_dma: bool | None = None
    zone_dma32: bool | None = None
    zone_device: bool | None = None
    max_order: int | None = None  # number of free lists: orders 0 .. max_order - 1 (Linux 6.1's MAX_ORDER)
    pageblock_order: int | None = None
    transparent_hugepage: bool | None = None
    cma_bytes: int | None = None  # default contiguous memory area, 0 without CONFIG_CMA
    nr_cpus: int | None = None  # CONFIG_NR_CPUS
    fixmap_slots: int | None = None  # __end_of_fixed_addresses (x86-32: it moves the end of lowmem)
    fixmap_permanent_slots: int | None = None  # __end_of_permanent_fixed_addresses: without boot's own slots
    fix_kmap_begin: int | None = None
    task_struct_bytes: int | None = None  # sizeof(struct task_struct); x86 cuts its FPU state to what the CPU has
    mm_struct_bytes: int | None = None  # sizeof(struct mm_struct), without the CPU mask behind it
    kaslr: bool | None = None  # CONFIG_RANDOMIZE_BASE
    freed_late: tuple[tuple[str, int], ...] | None = None  # parts of the image given back during boot: (name, pages)
    version: str | None = None  # of a kernel other than 6.1, such as "6.12": where rules changed, its are taken

    @property
    def rules(self) -> str:
        """The version whose rules are taken: the kernel's own, or for one that is not modelled the nearest."""
        return versions.nearest(self.version)

    def is_since(self, version: str) -> bool:
        """Whether a rule that changed in `version` holds as it was changed."""
        return versions.numbers(self.rules) >= versions.numbers(version)

    def over(self, base: Config) -> Config:
        """This configuration with its unset fields taken from `base`."""
        mine = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(base, **{name: value for name, value in mine.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Image:
    """Where the bootloader put the kernel and its initrd: physical byte addresses, half open."""

    start: int
    end: int
    init_start: int = 0  # code and data used only while booting, freed afterwards
    init_end: int = 0
    initrd_start: int = 0
    initrd_end: int = 0
    text_va: int = 0  # link address of `start` where the image is not in the direct map (64-bit)
    gaps: tuple[tuple[int, int], ...] = ()  # unused stretches between sections, freed with init (x86-64)


@dataclass(frozen=True, slots=True)
class BootCall:
    """One request to the boot allocator, in the order the kernel made it.

    `op` is "reserve" or "free" with fixed `start`..`end`; "alloc" with `size`,
    `align`, `nid` and limits; "free" with `of`, the number of the earlier "alloc" (counted from 0)
    whose bytes `start`..`end` it gives back, counted from that allocation's first byte; or a `role`
    that the model works out by itself ("mem_map", "cma") or has to know ("initrd", "dt cma").
    """

    op: str
    caller: str = ""
    start: int = 0
    end: int = 0
    size: int = 0
    align: int = 1
    nid: int = -1
    min_addr: int = 0
    max_addr: int = 0  # 0 or 1: up to memblock.current_limit
    exact_nid: bool = False
    phys: bool = False  # memblock_phys_alloc_range: max_addr is taken as it is
    of: int = -1
    role: str = ""


@dataclass(frozen=True, slots=True)
class ZoneSplit:
    """One added zone: `size` bytes from the bottom of zone `below` or the top of zone `above`."""

    name: str
    size: int
    below: str = ""
    above: str = ""
    excluded: bool = True
