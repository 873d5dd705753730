"""64-bit ARM with 4 KiB pages and 48-bit addresses: no HighMem, a virtual mem_map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from ...parts import BootCall, Config, Image
from ...units import PAGE_SHIFT, PAGE_SIZE, GiB, MiB, VmlabError, align_down, align_up
from .. import usual
from ..base import Arch, Bounds
from ..space import Area, Space
from . import boot, kaslr, layout

if TYPE_CHECKING:
    from ...machine import Machine
    from ...physical.memblock import Memblock

U32_MAX = 0xFFFF_FFFF
# Bits of a physical address (ID_AA64MMFR0_EL1.PARange) of QEMU's CPU models; the others have 48 or more
PA_RANGE = dict.fromkeys(("cortex-a35", "cortex-a53", "cortex-a55", "cortex-a76"), 40)
PA_RANGE |= dict.fromkeys(("cortex-a57", "cortex-a72"), 44)
TEXT_OFFSET = 64 * 1024  # _stext - _text: SEGMENT_ALIGN

_ARM64 = Config(
    format="arm64-4k-48",
    page_offset=layout.PAGE_OFFSET,
    memory_model="SPARSEMEM_VMEMMAP",
    struct_page_bytes=64,
    highmem=False,
    zone_dma=True,
    zone_dma32=True,
    zone_device=False,
    max_order=11,
    pageblock_order=9,
    transparent_hugepage=True,
    cma_bytes=64 * MiB,
    nr_cpus=256,
    fixmap_slots=0,
    fix_kmap_begin=0,
    task_struct_bytes=4160,
    mm_struct_bytes=944,
    kaslr=True,
    freed_late=(),
)


class Arm64(Arch):
    """Rules of arch/arm64 in Linux 6.1 (zones were reworked in 6.11, vmemmap moved in 6.9)."""

    name = "arm64"
    numa = True
    memory_hotplug = True
    gigantic_bytes = (32 * MiB, GiB)  # a contiguous run of 2 MiB blocks, and a block of the next level
    random_bases = frozenset({"dram_base", "memstart_addr", "high_memory"})
    default_format = "arm64-4k-48"
    defaults: ClassVar = {"arm64-4k-48": replace(_ARM64)}
    frees_whole_initrd = False  # free_reserved_area rounds the end down to a page
    # 128 bytes for caches that are not coherent with DMA; since 6.5 bounce buffers take care of those
    kmalloc_minalign: ClassVar = {"6.1": 128, "6.5": 8}
    thread_align = 32768  # twice the size, so that an overflow shows in one bit of the address
    zone_dma_bits = 32  # no limits in the device trees of the recorded machines

    def vmalloc_start(self, areas: list[Area]) -> int:
        # MODULES_END: without KASLR the kernel image lies inside vmalloc space, and areas stand in front of it
        return next(area.end for area in areas if area.name == "modules")

    def ioremap_max_order(self, config: Config) -> int:
        return 30  # PUD_SHIFT with 4 KiB pages

    def phys_bits(self, config: Config) -> int:
        return 48

    def phys_offset(self, machine: Machine) -> int:
        # mm/init.c:arm64_memblock_init: memstart_addr, 1 GiB aligned (ARM64_MEMSTART_ALIGN with 4K pages)
        return align_down(machine.ram[0].start, GiB)

    def firmware_memory(self, machine: Machine) -> list[tuple[int, int, int]]:
        """mem= keeps that many bytes from the bottom (mm/memblock.c:memblock_mem_limit_remove_map)."""
        left = machine.size_parameter("mem") or machine.ram_bytes
        banks = []
        for bank in machine.ram:
            end = min(bank.end, bank.start + left)
            if bank.start < end:
                banks.append((bank.start, end, self.node_of(machine, bank)))
            left -= end - bank.start
        return banks

    def bounds(self, machine: Machine, memblock: Memblock) -> Bounds:
        end = memblock.end_of_dram
        return Bounds(
            min_pfn=-(-memblock.start_of_dram >> PAGE_SHIFT),
            max_low_pfn=end >> PAGE_SHIFT,
            max_pfn=end >> PAGE_SHIFT,
            limit=None,
            high_memory=self.page_offset(machine) + end - self.phys_offset(machine),
        )

    def max_zone_pfns(self, machine: Machine, bounds: Bounds) -> dict[str, int]:
        """arch/arm64/mm/init.c:zone_sizes_init with max_zone_phys."""
        return {
            "DMA": self._max_zone_phys(self.zone_dma_bits, bounds) >> PAGE_SHIFT,
            "DMA32": self._max_zone_phys(32, bounds) >> PAGE_SHIFT,
            "Normal": bounds.max_pfn,
        }

    def _max_zone_phys(self, bits: int, bounds: Bounds) -> int:
        mask = (1 << bits) - 1
        start = bounds.min_pfn << PAGE_SHIFT
        if start > U32_MAX:
            mask = (1 << 64) - 1
        elif start > mask:
            mask = U32_MAX
        return min(mask, (bounds.max_pfn << PAGE_SHIFT) - 1) + 1

    def section_shift(self, config: Config) -> int:
        return 27

    def memmap_min_addr(self, machine: Machine) -> int:
        # arch/arm64 takes the generic MAX_DMA_ADDRESS, PAGE_OFFSET: the start of the direct map
        return self.phys_offset(machine)

    def mem_map_place(self, machine: Machine, bounds: Bounds) -> int:
        frames_below = self.phys_offset(machine) >> PAGE_SHIFT
        return layout.addresses(machine.config.rules).vmemmap - frames_below * (machine.config.struct_page_bytes or 0)

    def cma_call(self, machine: Machine, memblock: Memblock, bounds: Bounds) -> list[BootCall]:
        """mm/cma.c:cma_declare_contiguous_nid, limited to ZONE_DMA; above 4 GiB it would be bottom up."""
        asked = machine.size_parameter("cma")
        size = machine.config.cma_bytes if asked is None else asked
        if not size:
            return []
        align = PAGE_SIZE << (machine.config.pageblock_order or 0)
        top = min(memblock.end_of_dram, self._max_zone_phys(self.zone_dma_bits, bounds))
        return [usual.cma_attempt(align_up(size, align), align, 0, align_down(top, align))]

    def boot_calls(self, machine: Machine) -> tuple[BootCall, ...]:
        return boot.calls(machine, self.image(machine))

    def usual_image(self, machine: Machine) -> Image:
        start = machine.ram[0].start
        return Image(start + 0x21_0000, start + 34 * MiB)

    def constants(self, machine: Machine, bounds: Bounds) -> dict[str, int]:
        return layout.constants(machine, bounds, self.phys_offset(machine))

    def space(
        self, machine: Machine, bounds: Bounds, ram: Sequence[tuple[int, int]], bases: Mapping[str, int]
    ) -> Space:
        return layout.space(machine, self.phys_offset(machine), self.image(machine), ram, bases)

    def draw(self, machine: Machine, bounds: Bounds, draws: Sequence[int]) -> dict[str, int]:
        """One word, the boot loader's seed, moves both the image and the direct map."""
        if not draws:
            raise VmlabError("draws: expected one random word, the boot loader's seed, got none")
        at, plain = layout.addresses(machine.config.rules), self._without_kaslr(machine)
        return kaslr.randomized(at, 48, *plain, draws[0], PA_RANGE.get(machine.cpu, 48))

    def words_for(self, machine: Machine, bounds: Bounds, bases: Mapping[str, int]) -> list[int]:
        at, plain = layout.addresses(machine.config.rules), self._without_kaslr(machine)
        placed = {"image_va": self.image(machine).text_va, **bases}
        return [kaslr.seed_for(at, 48, plain, placed, PA_RANGE.get(machine.cpu, 48))]

    def _without_kaslr(self, machine: Machine) -> tuple[int, int]:
        """memstart_addr and the address of _stext of the same kernel, not moved."""
        return self.phys_offset(machine), layout.addresses(machine.config.rules).modules_end + TEXT_OFFSET


ARM64 = Arm64()
