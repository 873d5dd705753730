"""The explorer of lesson 05: build a 32-bit machine, split its memory, and ask for any frame."""

from __future__ import annotations

from ..kernel import Kernel, boot
from ..machine import Machine
from ..parts import Config, Image, Region
from ..physical import owners
from ..study.question import number
from ..units import GiB, KiB, MiB, VmlabError
from ..views import ruler
from .controls import Choice, Control, Entry, Slider
from .explorer import Explorer, Scene

BOARDS = {
    "ARM, RAM at 0x4000_0000": ("arm", 0x4000_0000),
    "ARM, RAM at 0x8000_0000": ("arm", 0x8000_0000),
    "i386 PC": ("i386", 0),
}
BOOTMEM_ERA = {"i386": Image(MiB, 5 * MiB)}  # until 2.6.2x a PC's kernel began at 1 MiB; one of 4 MiB here
CUTS = {"the bottom of HighMem": "HighMem", "the top of lowmem": "Normal"}

CONTROLS: tuple[Control, ...] = (
    Choice("board", "Board", BOARDS, BOARDS["ARM, RAM at 0x4000_0000"]),
    Slider("ram_mib", "RAM, MiB", 256, 3072, 64, 2048),
    Slider("vmalloc_mib", "vmalloc=, MiB", 64, 1024, 16, 240),
    Slider("newmem_mib", "NewMem, MiB", 0, 1024, 32, 512),
    Choice("cut", "NewMem is cut from", CUTS, "HighMem"),
    Choice("struct_page_bytes", "sizeof(struct page)", {f"{size} bytes": size for size in (32, 36, 40, 64)}, 36),
    Choice("memory_model", "Memory model", {"FLATMEM": "FLATMEM", "SPARSEMEM": "SPARSEMEM"}, "FLATMEM"),
    Choice(
        "boot_allocator",
        "Boot allocator",
        {"memblock (from the top)": "memblock", "bootmem (from the bottom)": "bootmem"},
        "memblock",
    ),
    Entry("frame", "May I write to frame", "0x70000"),
)


def mem_map_explorer() -> Explorer:
    """Where mem_map lies on a 32-bit machine of your making, and whether a frame is yours to write to."""
    return Explorer(draw, CONTROLS)


def draw(frame: str, **values: object) -> Scene:
    """Boot the machine the controls describe and draw its ruler."""
    kernel = boot(machine(**values))  # type: ignore[arg-type]
    pfn, answer = asked(kernel, frame)
    return Scene(ruler(kernel, pfn), (*newmem(kernel), answer))


def machine(
    board: tuple[str, int],
    ram_mib: int,
    vmalloc_mib: int,
    newmem_mib: int,
    cut: str,
    struct_page_bytes: int,
    memory_model: str,
    boot_allocator: str,
) -> Machine:
    """The machine as the controls describe it; without NewMem the kernel keeps ZONE_DMA."""
    arch, start = board
    config = Config(
        struct_page_bytes=struct_page_bytes, memory_model=memory_model, zone_dma=False if newmem_mib else None
    )
    described = Machine(
        arch=arch,
        ram=memory(arch, start, ram_mib * MiB),
        config=config,
        cmdline=f"vmalloc={vmalloc_mib}M",
        boot_allocator=boot_allocator,
        image=BOOTMEM_ERA.get(arch) if boot_allocator == "bootmem" else None,
    )
    if not newmem_mib:
        return described
    if cut == "HighMem":
        return described.with_zone("NewMem", size=newmem_mib * MiB, below=cut)
    return described.with_zone("NewMem", size=newmem_mib * MiB, above=cut)


def memory(arch: str, start: int, size: int) -> tuple[Region, ...]:
    """A board's banks: one on ARM; on a PC the first 640 KiB and what follows the first MiB."""
    if arch != "i386":
        if start + size > 4 * GiB:
            raise VmlabError(
                f"RAM at {start:#x} can have at most {(4 * GiB - start) // MiB} MiB below 4 GiB: choose less"
            )
        return (Region(start, size),)
    return (Region(0, 639 * KiB), Region(MiB, size - MiB))


def newmem(kernel: Kernel) -> tuple[str, ...]:
    """What can be said of the added zone: its frames, and how many of them boot has taken, and for what."""
    said = []
    for zone in kernel.zones:
        if zone.excluded and zone.spanned_pages:
            taken = owners.reserved(kernel, zone)
            held = sum(part.pages for part in taken if kernel.mem_map.holds(part.start_pfn))
            rest = sum(part.pages for part in taken) - held
            said.append(
                f"{zone.name} is frames {zone.start_pfn:#x} to {zone.end_pfn - 1:#x}, "
                f"{zone.present_pages:,} of them RAM: "
                f"mem_map takes {held:,}, the rest of boot and CMA {rest:,}; the others are free."
            )
    return tuple(said)


def asked(kernel: Kernel, frame: str) -> tuple[int | None, str]:
    """The answer to "may I write to frame N?", and N if it is a number."""
    try:
        pfn = number(frame)
    except VmlabError:
        return None, "Type a frame number, such as 0x70000 or 458752, and its answer appears here."
    may, why = kernel.may_write(pfn)
    return pfn, f"Frame {pfn:#x}: {'yes' if may else 'no'}; {why}."
