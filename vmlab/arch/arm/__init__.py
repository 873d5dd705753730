"""32-bit ARM, short descriptors and LPAE: where lowmem ends, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from ...parts import BootCall, Config, Image
from ...units import PAGE_SHIFT, PAGE_SIZE, GiB, KiB, MiB, align_down, align_up
from .. import usual
from ..base import Arch, Bounds
from ..space import Space
from . import boot, layout

if TYPE_CHECKING:
    from ...machine import Machine
    from ...physical.memblock import Memblock

PMD_SIZE = 2 * MiB  # Linux pairs two 1 MiB sections, so it is 2 MiB with short descriptors too
VMALLOC_MIN = 16 * MiB
MAX_DMA_ADDRESS = 0xFFFF_FFFF  # without a platform's dma_zone_size

_ARMMP = Config(
    format="arm-short",
    page_offset=0xC000_0000,
    memory_model="FLATMEM",
    struct_page_bytes=36,
    highmem=True,
    zone_dma=True,
    zone_dma32=False,
    zone_device=False,
    max_order=12,
    pageblock_order=11,
    transparent_hugepage=False,
    cma_bytes=16 * MiB,
    nr_cpus=8,
    fixmap_slots=131,
    fix_kmap_begin=1,
    task_struct_bytes=2752,
    mm_struct_bytes=472,
    kaslr=False,
    freed_late=(),
)


class Arm(Arch):
    """Rules of arch/arm in Linux 6.1; older kernels differ in vmalloc= (before 5.13) and VMALLOC_END."""

    name = "arm"
    bits_per_long = 32
    memory_models = ("FLATMEM", "SPARSEMEM")
    default_format = "arm-short"
    defaults: ClassVar = {
        "arm-short": _ARMMP,
        "arm-lpae": replace(
            _ARMMP,
            format="arm-lpae",
            pageblock_order=9,
            transparent_hugepage=True,
            task_struct_bytes=2816,
            mm_struct_bytes=480,
        ),
    }
    frees_unused_mem_map = True
    kmalloc_minalign: ClassVar = {"6.1": 64}  # ARCH_DMA_MINALIGN = L1_CACHE_BYTES
    thread_bytes = 8192
    thread_align = 16384  # twice the size, so that an overflow shows in one bit of the address

    def format_of(self, options: set[str], cpu: str, cmdline: list[str]) -> str:
        return "arm-lpae" if "CONFIG_ARM_LPAE" in options else "arm-short"

    def huge_page_order(self, format_name: str) -> int:
        return 9 if format_name == "arm-lpae" else 0

    def ioremap_max_order(self, config: Config) -> int:
        # asm/memory.h: 24 allows supersections, on kernels without SMP and LPAE; the others take the usual 128 pages
        return 24 if config.format == "arm-short" and config.nr_cpus == 1 else 7 + PAGE_SHIFT

    def phys_bits(self, config: Config) -> int:
        return 40 if config.format == "arm-lpae" else 32

    def firmware_memory(self, machine: Machine) -> list[tuple[int, int, int]]:
        # drivers/of/fdt.c:early_init_dt_add_memory_arch cuts at MAX_MEMBLOCK_ADDR, the last byte, so the
        # last page below the limit is lost: 3 GiB at 1 GiB ends at 0xffff_f000
        top = align_down((1 << self.phys_bits(machine.config)) - 1, PAGE_SIZE)
        banks = [(bank.start, bank.end) for bank in machine.ram]
        asked = machine.memory_parameters("mem", "@")
        if asked:  # setup.c:early_mem: the first mem= throws the firmware's map away
            banks = [(start, start + align_down(size, PAGE_SIZE)) for size, start in asked]
        return [(start, min(end, top), 0) for start, end in sorted(banks)]

    def phys_offset(self, machine: Machine) -> int:
        # arch/arm/kernel/phys2virt.S measures it where the kernel was loaded; the boot loader puts it at
        # the start of RAM, rounded to 2 MiB by the decompressor
        return align_down(machine.ram[0].start, PMD_SIZE)

    def vmalloc_size(self, machine: Machine) -> int:
        """Bytes kept for vmalloc: `vmalloc=`, within its bounds, or 240 MiB (mmu.c:early_vmalloc)."""
        asked = machine.size_parameter("vmalloc")
        if asked is None:
            return 240 * MiB
        most = layout.VMALLOC_END - (self.page_offset(machine) + 32 * MiB + layout.VMALLOC_OFFSET)
        return min(max(asked, VMALLOC_MIN), most)

    def bounds(self, machine: Machine, memblock: Memblock) -> Bounds:
        """arch/arm/mm/mmu.c:adjust_lowmem_bounds."""
        to_phys = self.phys_offset(machine) - self.page_offset(machine)
        vmalloc_limit = layout.VMALLOC_END - self.vmalloc_size(machine) - layout.VMALLOC_OFFSET + to_phys
        lowmem_limit = 0
        unaligned = 0
        for start, end in memblock.memory():
            if start >= vmalloc_limit:
                continue
            lowmem_limit = max(lowmem_limit, min(vmalloc_limit, end))
            if not unaligned and start % PMD_SIZE:
                unaligned = start
            elif not unaligned and end % PMD_SIZE:
                unaligned = lowmem_limit
        early_limit = align_down(unaligned or lowmem_limit, PMD_SIZE)
        if not machine.config.highmem and memblock.end_of_dram > lowmem_limit:
            memblock.remove(early_limit, memblock.end_of_dram, "RAM above lowmem, ignored without CONFIG_HIGHMEM")
            lowmem_limit = min(lowmem_limit, memblock.end_of_dram)
        return Bounds(
            min_pfn=-(-memblock.start_of_dram >> PAGE_SHIFT),
            max_low_pfn=lowmem_limit >> PAGE_SHIFT,
            max_pfn=memblock.end_of_dram >> PAGE_SHIFT,
            limit=lowmem_limit,
            high_memory=lowmem_limit - to_phys,
        )

    def max_zone_pfns(self, machine: Machine, bounds: Bounds) -> dict[str, int]:
        """arch/arm/mm/init.c:zone_sizes_init; without dma_zone_size all lowmem is ZONE_DMA."""
        low = bounds.max_low_pfn
        return {"DMA": low, "Normal": low, "HighMem": bounds.max_pfn}

    def section_shift(self, config: Config) -> int:
        return 28

    def memmap_min_addr(self, machine: Machine) -> int:
        address = MAX_DMA_ADDRESS - self.page_offset(machine) + self.phys_offset(machine)
        return address % (1 << self.phys_bits(machine.config))

    def cma_call(self, machine: Machine, memblock: Memblock, bounds: Bounds) -> list[BootCall]:
        """kernel/dma/contiguous.c:dma_contiguous_reserve and mm/cma.c:cma_declare_contiguous_nid.

        HighMem is tried first. With 64-bit physical addresses and RAM above 4 GiB the kernel then tries
        bottom up from 4 GiB, below the end of lowmem: that cannot succeed, and it loses the first answer,
        so the area is reserved a second time in lowmem and the first reservation stays (seen on
        arm-virt-lpae-4g).
        """
        asked = machine.size_parameter("cma")
        size = machine.config.cma_bytes if asked is None else asked
        if not size:
            return []
        align = PAGE_SIZE << (machine.config.pageblock_order or 0)
        size = align_up(size, align)
        top = min(memblock.end_of_dram, align_down(MAX_DMA_ADDRESS, align))
        highmem_start = bounds.max_low_pfn << PAGE_SHIFT
        low = usual.cma_attempt(size, align, 0, min(top, highmem_start))
        if top <= highmem_start:
            return [low]
        high = usual.cma_attempt(size, align, highmem_start, top)
        loses_first = self.phys_bits(machine.config) > 32 and memblock.end_of_dram >= 4 * GiB + size
        room = memblock.find(size, align, highmem_start, top) is not None
        return [high, low] if room and loses_first else [high] if room else [low]

    def boot_calls(self, machine: Machine) -> tuple[BootCall, ...]:
        return boot.calls(machine, self.image(machine))

    def usual_image(self, machine: Machine) -> Image:
        start = machine.ram[0].start + 3 * MiB
        return Image(start, start + 19 * MiB + 32 * KiB)

    def constants(self, machine: Machine, bounds: Bounds) -> dict[str, int]:
        return layout.constants(machine, bounds, self.phys_offset(machine))

    def placed_constants(self, machine: Machine, memblock: Memblock, got: list[tuple[int, int, str]]) -> dict[str, int]:
        """paging_init ends with the page tables of kmap and of the fixmap and with the zero page, one page each."""
        pages = []
        for start, end, caller in got:
            if caller.startswith(("free_area_init", "memmap_alloc", "sparse_init", "mem_map")):
                break
            if caller.startswith("early_alloc") and end - start == PAGE_SIZE:
                pages.append(start)
        if not machine.config.highmem or len(pages) < 3:
            return {}
        return {"pkmap_page_table": pages[-3] - self.phys_offset(machine) + self.page_offset(machine)}

    def space(
        self, machine: Machine, bounds: Bounds, ram: Sequence[tuple[int, int]], bases: Mapping[str, int]
    ) -> Space:
        return layout.space(machine, bounds, self.phys_offset(machine), ram)


ARM = Arm()
