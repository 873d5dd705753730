"""x86, 32 and 64 bits: the e820 map, the end of lowmem, zones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from ...parts import BootCall, Config, Image
from ...ranges import Ranges
from ...units import PAGE_SHIFT, PAGE_SIZE, GiB, KiB, MiB
from ..base import Arch, Bounds
from ..space import Space, Spans, pfns, rounded
from . import boot, e820, kaslr, layout32, layout64
from .configs import AMD64_CONFIG, I386_CONFIG

if TYPE_CHECKING:
    from ...machine import Machine
    from ...physical.memblock import Memblock

DMA_PFN = 16 * MiB >> PAGE_SHIFT  # MAX_DMA_PFN: what a 1981 DMA controller can reach
DMA32_PFN = 4 * GiB >> PAGE_SHIFT
MAX_NONPAE_PFN = 1 << 20
BIOS_START, BIOS_END = 640 * KiB, MiB


# What CPUID says of the CPU models that were recorded: cache line, and bytes of FPU state in a task (fxsave is
# 512, AVX 832, AVX-512 with protection keys 2696: the log's "x86/fpu: context size")
CACHE_LINE = {"pentium3": 32}
FPU_BYTES = {"pentium3": 512, "qemu64": 512, "Westmere": 512, "Skylake-Client": 832, "max": 2696}
FPU_ROOM = 4096  # what sizeof(struct task_struct) has at its end for that state: union fpregs_state


class X86(Arch):
    """What both widths share."""

    task_struct_least = FPU_ROOM + 64
    nosmp_is_for_good = True  # kernel/smpboot.c:prefill_possible_map

    def cpu(self, machine: Machine) -> str:
        """The CPU's model; a machine described by hand has one that its page tables suit."""
        return machine.cpu or ("pentium3" if machine.config.format == "x86-32" else "max")

    def cache_line_bytes(self, machine: Machine) -> int:
        return CACHE_LINE.get(self.cpu(machine), self.cache_line)

    def task_struct_bytes(self, machine: Machine) -> int:
        """arch/x86/kernel/fpu/init.c:fpu__init_task_struct_size."""
        return (machine.config.task_struct_bytes or 0) - FPU_ROOM + FPU_BYTES.get(self.cpu(machine), FPU_BYTES["max"])

    def firmware_memory(self, machine: Machine) -> list[tuple[int, int, int]]:
        """e820.c:e820__memblock_setup and setup.c:trim_bios_range: no page 0, no BIOS area.

        What mem= and memmap= change is e820.py's.
        """
        holes = ((0, PAGE_SIZE), (BIOS_START, BIOS_END))
        banks = []
        for region in e820.usable(machine):
            if machine.config.format == "x86-32" and region.end >> 32:
                continue  # e820__memblock_setup skips what a 32-bit resource_size_t cannot hold
            left = Ranges()
            left.add(region.start, region.end)
            for start, end in holes:
                left.remove(start, end)
            banks += [(low, high, self.node_of(machine, region)) for low, high in left]
        return banks

    def section_shift(self, config: Config) -> int:
        return {"x86-32": 26, "x86-pae": 29}.get(config.format or "", 27)

    def memmap_min_addr(self, machine: Machine) -> int:
        return 16 * MiB

    def usual_image(self, machine: Machine) -> Image:
        return Image(16 * MiB, 32 * MiB)


class I386(X86):
    """arch/x86 with CONFIG_X86_32, two-level and PAE."""

    name = "i386"
    bits_per_long = 32
    thread_bytes = thread_align = 8192
    vmap_stack = False
    memory_models = ("FLATMEM", "SPARSEMEM")
    default_format = "x86-32"
    defaults: ClassVar = {
        "x86-32": I386_CONFIG,
        "x86-pae": replace(I386_CONFIG, format="x86-pae", pageblock_order=9, task_struct_bytes=6592),
    }

    def format_of(self, options: set[str], cpu: str, cmdline: list[str]) -> str:
        return "x86-pae" if "CONFIG_X86_PAE" in options else "x86-32"

    def ioremap_max_order(self, config: Config) -> int:
        return 21 if config.format == "x86-pae" else 22  # PMD_SHIFT

    def huge_page_order(self, format_name: str) -> int:
        return 9 if format_name == "x86-pae" else 10

    def boot_calls(self, machine: Machine) -> tuple[BootCall, ...]:
        return boot.calls(machine, self.image(machine), descriptor_bytes=12, moves_initrd=True)

    def phys_bits(self, config: Config) -> int:
        return 36 if config.format == "x86-pae" else 32

    def bounds(self, machine: Machine, memblock: Memblock) -> Bounds:
        """arch/x86/mm/init_32.c:find_low_pfn_range."""
        page_offset = self.page_offset(machine)
        maxmem = layout32.maxmem(machine) >> PAGE_SHIFT
        max_pfn = memblock.end_of_dram >> PAGE_SHIFT
        asked = machine.size_parameter("highmem")
        if max_pfn <= maxmem:
            max_low = max_pfn - self._carved(machine, max_pfn, asked or 0)
        else:
            max_low, max_pfn = maxmem, self._cut(machine, max_pfn, maxmem, asked)
        return Bounds(
            min_pfn=memblock.start_of_dram >> PAGE_SHIFT,
            max_low_pfn=max_low,
            max_pfn=max_pfn,
            limit=max_low << PAGE_SHIFT,
            high_memory=page_offset + (max_low << PAGE_SHIFT),
        )

    def _carved(self, machine: Machine, max_pfn: int, highmem: int) -> int:
        """lowmem_pfn_init: frames that highmem= takes from a machine whose RAM would fit in lowmem."""
        pages = highmem >> PAGE_SHIFT
        if not machine.config.highmem or pages >= max_pfn or max_pfn - pages < (64 * MiB >> PAGE_SHIFT):
            return 0
        return pages

    def _cut(self, machine: Machine, max_pfn: int, maxmem: int, asked: int | None) -> int:
        """highmem_pfn_init: with more RAM than lowmem, highmem= can only cut RAM off."""
        if asked is not None and (asked >> PAGE_SHIFT) + maxmem < max_pfn:
            max_pfn = maxmem + (asked >> PAGE_SHIFT)
        if not machine.config.highmem:
            return maxmem
        return min(max_pfn, MAX_NONPAE_PFN) if machine.config.format == "x86-32" else max_pfn

    def max_zone_pfns(self, machine: Machine, bounds: Bounds) -> dict[str, int]:
        """arch/x86/mm/init.c:zone_sizes_init."""
        low = bounds.max_low_pfn
        return {"DMA": min(DMA_PFN, low), "Normal": low, "HighMem": bounds.max_pfn}

    def constants(self, machine: Machine, bounds: Bounds) -> dict[str, int]:
        return layout32.constants(machine, bounds)

    def placed_constants(self, machine: Machine, memblock: Memblock, got: list[tuple[int, int, str]]) -> dict[str, int]:
        brk = [
            call for call in machine.boot_calls or () if call.op == "reserve" and call.caller.startswith("setup_arch")
        ]
        place = layout32.pkmap_page_table(machine, memblock, brk[0].end) if brk and machine.config.highmem else None
        return {} if place is None else {"pkmap_page_table": self.page_offset(machine) + place}

    def space(
        self, machine: Machine, bounds: Bounds, ram: Sequence[tuple[int, int]], bases: Mapping[str, int]
    ) -> Space:
        # FLATMEM: below max_mapnr, which is highend_pfn (mm/init_32.c:mem_init); SPARSEMEM: whole sections
        frames: Spans = ((0, bounds.max_pfn),)
        if machine.config.memory_model != "FLATMEM":
            frames = pfns(rounded(ram, 1 << self.section_shift(machine.config)))
        return layout32.space(machine, bounds, ram, frames)


class Amd64(X86):
    """arch/x86 with CONFIG_X86_64, 4- and 5-level."""

    name = "amd64"
    numa = True
    numa_off = ("off", "noacpi")
    memory_hotplug = True
    gigantic_bytes = (GiB,)
    frees_section_gaps = True  # mm/init_64.c:mark_rodata_ro
    random_bases = frozenset({"page_offset", "high_memory", "vmalloc_base", "vmemmap_base"})
    default_format = "x86-64-4"
    defaults: ClassVar = {
        "x86-64-4": AMD64_CONFIG,
        "x86-64-5": replace(AMD64_CONFIG, format="x86-64-5", page_offset=layout64.PAGE_OFFSET_L5),
    }

    def format_of(self, options: set[str], cpu: str, cmdline: list[str]) -> str:
        # QEMU's `max` model has LA57 unless it is taken away; the others recorded have not
        five_level_cpu = cpu.startswith("max") and "la57=off" not in cpu
        five = "CONFIG_X86_5LEVEL" in options and five_level_cpu and "no5lvl" not in cmdline
        return "x86-64-5" if five else "x86-64-4"

    def begins_bottom_up(self, machine: Machine) -> bool:
        return machine.has_flag("movable_node")  # kernel/setup.c:setup_arch: near the image, whose node cannot go

    def ioremap_max_order(self, config: Config) -> int:
        return 30  # PUD_SHIFT

    def boot_calls(self, machine: Machine) -> tuple[BootCall, ...]:
        return boot.calls(machine, self.image(machine), descriptor_bytes=24, moves_initrd=False)

    def phys_bits(self, config: Config) -> int:
        return 52 if config.format == "x86-64-5" else 46

    def bounds(self, machine: Machine, memblock: Memblock) -> Bounds:
        max_pfn = memblock.end_of_dram >> PAGE_SHIFT
        return Bounds(
            min_pfn=memblock.start_of_dram >> PAGE_SHIFT,
            max_low_pfn=max_pfn,
            max_pfn=max_pfn,
            limit=None,
            high_memory=self.page_offset(machine) + (max_pfn << PAGE_SHIFT),
        )

    def max_zone_pfns(self, machine: Machine, bounds: Bounds) -> dict[str, int]:
        """arch/x86/mm/init.c:zone_sizes_init."""
        top = bounds.max_pfn
        return {"DMA": min(DMA_PFN, top), "DMA32": min(DMA32_PFN, top), "Normal": top}

    def mem_map_place(self, machine: Machine, bounds: Bounds) -> int:
        return layout64.rows(machine)["vmemmap_base"]

    def constants(self, machine: Machine, bounds: Bounds) -> dict[str, int]:
        return layout64.constants(machine, bounds)

    def space(
        self, machine: Machine, bounds: Bounds, ram: Sequence[tuple[int, int]], bases: Mapping[str, int]
    ) -> Space:
        return layout64.space(machine, bounds, self.image(machine), ram, bases)

    def draw(self, machine: Machine, bounds: Bounds, draws: Sequence[int]) -> dict[str, int]:
        """Three words for the regions, and with a fourth the image moves too."""
        bases = kaslr.randomized(machine, bounds.max_pfn, draws)
        if len(draws) > len(kaslr.REGIONS):
            bases["image_va"] = kaslr.image_va(machine, self.image(machine), draws[3])
        return bases

    def words_for(self, machine: Machine, bounds: Bounds, bases: Mapping[str, int]) -> list[int]:
        return kaslr.words_for(machine, bounds.max_pfn, bases)


ROWS = {"i386": I386(), "amd64": Amd64()}
