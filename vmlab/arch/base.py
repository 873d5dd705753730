"""What an architecture must say of itself, and what most of them say alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .. import versions
from ..units import VmlabError
from .space import Area, Space

if TYPE_CHECKING:
    from ..machine import Machine
    from ..parts import BootCall, Config, Image, Region
    from ..physical.memblock import Memblock


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where RAM and lowmem end, as the kernel works it out before it allocates anything.

    Frame numbers are one past the last; `limit` is memblock.current_limit in bytes, None where there
    is none; `high_memory` is the first virtual address after the direct map.
    """

    min_pfn: int
    max_low_pfn: int
    max_pfn: int
    limit: int | None
    high_memory: int


class Arch:
    """The rules of one architecture. Frame numbers and bytes as named; `config` is complete."""

    name: str
    defaults: ClassVar[Mapping[str, Config]]  # page-table format -> the usual Debian 6.1 kernel's configuration
    default_format: str
    bits_per_long: int = 64
    memory_models: tuple[str, ...] = ("SPARSEMEM_VMEMMAP",)
    numa = False  # CONFIG_NUMA: vmallocinfo tells each area's pages by node
    gigantic_bytes: tuple[int, ...] = ()  # sizes of huge pages that are larger than the largest free block
    memory_hotplug: bool = False  # CONFIG_MEMORY_HOTPLUG, in Debian's kernels
    nosmp_is_for_good: bool = False  # with nosmp other CPUs are not even possible
    numa_off: tuple[str, ...] = ("off",)  # values of numa= with which all RAM is of one node
    cache_line = 64  # cache_line_size(), what SLAB_HWCACHE_ALIGN aligns to
    kmalloc_minalign: ClassVar[Mapping[str, int]] = {"6.1": 8}  # first version -> ARCH_KMALLOC_MINALIGN, bytes
    slab_minalign = 8  # ARCH_SLAB_MINALIGN
    task_struct_least = 64  # bytes that a task_struct must have, for the rules here to make sense
    task_align = 64  # max(L1_CACHE_BYTES, ARCH_MIN_TASKALIGN)
    thread_bytes = 16384  # THREAD_SIZE, a kernel stack
    thread_align = 16384  # THREAD_ALIGN, of a kernel stack in vmalloc space
    vmap_stack = True  # CONFIG_VMAP_STACK: kernel stacks lie in vmalloc space
    random_bases: frozenset[str] = frozenset()  # layout constants that KASLR draws, or that follow from those
    frees_unused_mem_map: bool = False  # mm/memblock.c:free_unused_memmap does anything
    frees_section_gaps: bool = False  # whole pages between the image's sections are freed with init
    frees_whole_initrd: bool = True  # a partly filled last page of the initrd is given back too

    def complete(self, config: Config, machine: Machine) -> Config:
        """`config` with every unset field filled in."""
        wanted = config.format or self.default_format
        if wanted not in self.defaults:
            raise VmlabError(
                f"config.format: {self.name} kernels use one of {', '.join(self.defaults)}, got {wanted!r}"
            )
        full = config.over(self.defaults[wanted])
        if full.version is not None and (machine.recorded is None or full.version != versions.UNKNOWN):
            versions.numbers(full.version, "config.version")
            if machine.recorded is None:  # a record can be of any kernel: what is not modelled is then undecided
                versions.check_modelled(full.version, "config.version")
        self._check(full)
        return full

    def _check(self, config: Config) -> None:
        """Refuse values that no kernel of this architecture is built with."""
        rules = (
            ("memory_model", config.memory_model in self.memory_models, f"one of {', '.join(self.memory_models)}"),
            ("struct_page_bytes", _whole(config.struct_page_bytes, 4, 4096, 4), "a multiple of 4 from 4 to 4096"),
            ("max_order", _whole(config.max_order, 1, 32), "a number of free lists from 1 to 32"),
            (
                "pageblock_order",
                _whole(config.pageblock_order, 0, (config.max_order or 1) - 1),
                "an order below max_order",
            ),
            ("nr_cpus", _whole(config.nr_cpus, 1, 1 << 16), "a number of CPUs from 1 to 65536"),
            (
                "task_struct_bytes",
                _whole(config.task_struct_bytes, self.task_struct_least, 1 << 16, 4),
                f"a multiple of 4 from {self.task_struct_least} to 65536",
            ),
            ("mm_struct_bytes", _whole(config.mm_struct_bytes, 64, 1 << 16, 4), "a size in bytes"),
            ("cma_bytes", _whole(config.cma_bytes, 0, 1 << 52), "a size in bytes"),
            (
                "page_offset",
                _whole(config.page_offset, 1 << 20, 1 << self.bits_per_long, 1 << 20),
                "a multiple of 1 MiB",
            ),
        )
        for name, is_good, expected in rules:
            if not is_good:
                raise VmlabError(f"config.{name}: expected {expected}, got {getattr(config, name)!r}")

    def format_of(self, options: set[str], cpu: str, cmdline: list[str]) -> str:
        """The page-table format that a kernel built with `options` (CONFIG_ names set to y) uses on `cpu`."""
        return self.default_format

    def huge_page_order(self, format_name: str) -> int:
        """Order of the smallest huge page, 0 where the format has none that the kernel uses."""
        return 9

    def cache_line_bytes(self, machine: Machine) -> int:
        """Bytes of a line of this machine's cache."""
        return self.cache_line

    def task_struct_bytes(self, machine: Machine) -> int:
        """Bytes of a task_struct as its cache hands them out (arch_task_struct_size)."""
        return machine.config.task_struct_bytes or 0

    def vmalloc_start(self, areas: list[Area]) -> int:
        """VMALLOC_START, where areas of vmalloc space begin to be given out."""
        return next(area.start for area in areas if area.name == "vmalloc")

    def ioremap_max_order(self, config: Config) -> int:
        """log2 of the largest alignment of an ioremap area (IOREMAP_MAX_ORDER)."""
        raise NotImplementedError

    def phys_bits(self, config: Config) -> int:
        """Bits of a physical address that the page-table format can hold."""
        raise NotImplementedError

    def node_of(self, machine: Machine, region: Region) -> int:
        """The node that the kernel takes RAM to be of: without NUMA, all is of node 0.

        numa=off; and noacpi or acpi=off where ACPI alone tells of nodes (arch/x86/mm/numa.c, drivers/base/arch_numa.c)
        """
        how = machine.parameter("numa") or ""
        if how.startswith("fake="):
            raise VmlabError(f"numa={how} is left out of this model: give each Region a node= instead")
        is_off = how in self.numa_off or (machine.parameter("acpi") == "off" and "noacpi" in self.numa_off)
        return region.node if self.numa and not is_off else 0

    def firmware_memory(self, machine: Machine) -> list[tuple[int, int, int]]:
        """memblock.memory as first filled: (start, end, node) of each bank, bytes."""
        return [(region.start, region.end, self.node_of(machine, region)) for region in machine.ram]

    def begins_bottom_up(self, machine: Machine) -> bool:
        """Whether the boot allocator takes the lowest place until the nodes are known (memblock_set_bottom_up)."""
        return False

    def bounds(self, machine: Machine, memblock: Memblock) -> Bounds:
        """Work out lowmem; an architecture without HighMem may remove RAM from `memblock` here."""
        raise NotImplementedError

    def zone_names(self, config: Config) -> tuple[str, ...]:
        """enum zone_type, in order, with the names /proc/zoneinfo prints."""
        names = [
            ("DMA", config.zone_dma),
            ("DMA32", config.zone_dma32),
            ("Normal", True),
            ("HighMem", config.highmem),
            ("Movable", True),
            ("Device", config.zone_device),
        ]
        return tuple(name for name, there in names if there)

    def max_zone_pfns(self, machine: Machine, bounds: Bounds) -> dict[str, int]:
        """The upper limit of each zone, as handed to free_area_init."""
        raise NotImplementedError

    def section_shift(self, config: Config) -> int:
        """log2 of a SPARSEMEM section's bytes."""
        raise NotImplementedError

    def memmap_min_addr(self, machine: Machine) -> int:
        """__pa(MAX_DMA_ADDRESS): lower bound of SPARSEMEM's allocations of struct pages, bytes."""
        raise NotImplementedError

    def mem_map_place(self, machine: Machine, bounds: Bounds) -> int:
        """Virtual address of the struct page of frame 0 on SPARSEMEM_VMEMMAP kernels."""
        raise VmlabError(f"{self.name} has no vmemmap")

    def phys_offset(self, machine: Machine) -> int:
        """Physical address that the first byte of the direct map maps (PHYS_OFFSET)."""
        return 0

    def page_offset(self, machine: Machine) -> int:
        """Virtual address of the first byte of the direct map."""
        return machine.config.page_offset or 0

    def cma_call(self, machine: Machine, memblock: Memblock, bounds: Bounds) -> list[BootCall]:
        """The requests for the default contiguous memory area, tried in order."""
        return []

    def image(self, machine: Machine) -> Image:
        """The kernel image: the machine's own, or where a boot loader usually puts one of the usual size."""
        return machine.image or self.usual_image(machine)

    def usual_image(self, machine: Machine) -> Image:
        """Where a boot loader puts the usual Debian 6.1 kernel."""
        raise NotImplementedError

    def boot_calls(self, machine: Machine) -> tuple[BootCall, ...]:
        """The usual sequence of boot allocations, for machines described by hand."""
        raise NotImplementedError

    def constants(self, machine: Machine, bounds: Bounds) -> dict[str, int]:
        """Layout constants under the names records/SCHEMA.md gives them."""
        raise NotImplementedError

    def placed_constants(self, machine: Machine, memblock: Memblock, got: list[tuple[int, int, str]]) -> dict[str, int]:
        """Layout values that are addresses of boot allocations: `got` as BootAllocations keeps it."""
        return {}

    def space(
        self, machine: Machine, bounds: Bounds, ram: Sequence[tuple[int, int]], bases: Mapping[str, int]
    ) -> Space:
        """Every area of the kernel's half, and its tests of a pointer.

        `ram` is memblock.memory, (start, end) in bytes; `bases` what KASLR drew, by the names in `random_bases`.
        """
        raise NotImplementedError

    def draw(self, machine: Machine, bounds: Bounds, draws: Sequence[int]) -> dict[str, int]:
        """The bases that the kernel computes from random words, in the order in which it draws them."""
        raise VmlabError(f"{self.name} kernels do not move these areas at random")

    def words_for(self, machine: Machine, bounds: Bounds, bases: Mapping[str, int]) -> list[int]:
        """Words from which `draw` would compute `bases`, where its rule can reach them."""
        raise VmlabError(f"{self.name} kernels do not move these areas at random")


def _whole(value: object, least: int, most: int, step: int = 1) -> bool:
    """Whether `value` is a whole number in `least`..`most` and a multiple of `step`."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most and value % step == 0
