"""The explorers of lesson 04: a machine's zones under its boot parameters, and its boot step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..kernel import Kernel, boot
from ..machine import Machine
from ..parts import Config, Region
from ..procfs import read_zoneinfo, sample
from ..record import load_machine
from ..units import GiB, KiB, MiB, VmlabError, group_hex, human
from ..views.drawing import Drawing
from ..views.memblock import boot_step
from ..views.zones import zone_counts, zone_map
from .controls import LABEL, Choice, Control, Slider
from .explorer import Explorer, Scene

BOARDS = {
    "ARM, RAM at 0x4000_0000": ("arm", "arm-short", 0x4000_0000),
    "ARM, RAM at 0x8000_0000": ("arm", "arm-short", 0x8000_0000),
    "i386 PC": ("i386", "x86-32", 0),
    "i386 PC with PAE": ("i386", "x86-pae", 0),
    "amd64 PC": ("amd64", "x86-64-4", 0),
}
PC_HOLE = 3 * GiB  # a PC's devices sit below 4 GiB: RAM beyond 3 GiB goes on above 4 GiB
HOLE_AFTER = 256 * MiB  # of RAM, then the hole of the explorer

CONTROLS: tuple[Control, ...] = (
    Choice("board", "Board", BOARDS, BOARDS["ARM, RAM at 0x4000_0000"]),
    Slider("ram_mib", "RAM, MiB", 256, 8192, 64, 1024),
    Slider("vmalloc_mib", "vmalloc=, MiB", 64, 1024, 16, 240),
    Slider("movablecore_mib", "movablecore=, MiB", 0, 2048, 32, 0),
    Slider("hole_mib", "Hole in RAM, MiB", 0, 1024, 32, 0),
)


def zones_explorer() -> Explorer:
    """A machine of your making: its zones, their pages, and what each keeps back."""
    return Explorer(draw, CONTROLS)


def draw(**values: object) -> Scene:
    """Boot the machine that the controls describe, and draw its zones."""
    kernel = boot(machine(**values))  # type: ignore[arg-type]
    says = [lowmem(kernel), f"min_free_kbytes is {kernel.min_free_kbytes:,}."]
    if values["movablecore_mib"] and not any(z.name == "Movable" and z.spanned_pages for z in kernel.zones):
        says.append("movablecore= is ignored: it asks for all RAM, and nothing would be left for the kernel itself.")
    return Scene(zone_map(kernel), tuple(says))


def machine(
    board: tuple[str, str, int], ram_mib: int, vmalloc_mib: int, movablecore_mib: int, hole_mib: int
) -> Machine:
    """The machine as the controls describe it; vmalloc= is left to 64-bit kernels' deaf ears."""
    arch, format_name, start = board
    words = [f"vmalloc={vmalloc_mib}M"] + [f"movablecore={movablecore_mib}M"] * bool(movablecore_mib)
    return Machine(
        arch=arch,
        ram=memory(arch, start, ram_mib * MiB, hole_mib * MiB),
        config=Config(format=format_name),
        cmdline=" ".join(words),
    )


def memory(arch: str, start: int, size: int, hole: int) -> tuple[Region, ...]:
    """Banks of `size` bytes in all: on a PC around its two gaps, and around a hole if one is asked for."""
    is_pc = arch != "arm"
    free = [(0, 639 * KiB), (MiB, PC_HOLE), (4 * GiB, 64 * GiB)] if is_pc else [(start, 4 * GiB)]
    cut = start + HOLE_AFTER
    free = [part for a, b in free for part in ((a, min(b, cut)), (max(a, cut + hole), b)) if part[0] < part[1]]
    banks = []
    for low, high in free:
        taken = min(size, high - low)
        if taken > 0:
            banks.append(Region(low, taken))
        size -= taken + (MiB - 639 * KiB) * (is_pc and low == 0)
    if size > 0:
        most = (4 * GiB - start - hole) // MiB
        with_hole = f" with a hole of {human(hole)}" if hole else ""
        raise VmlabError(
            f"RAM at {group_hex(start)}{with_hole} can have at most {most} MiB below 4 GiB: choose less, or a PC"
        )
    return _joined(banks)


def lowmem(kernel: Kernel) -> str:
    """Where the direct map ends, and why nothing else does on 64 bits."""
    end = kernel.bounds.max_low_pfn << 12
    if kernel.bounds.limit is None:
        return "A 64-bit kernel maps all RAM directly: no lowmem, no HighMem, and vmalloc= has no effect."
    size = human(end - kernel.layout.phys_offset)
    return f"Lowmem ends at {group_hex(end)}, {size} after the first byte that the direct map maps."


@dataclass(frozen=True)
class Stepper:
    """A whole number from 0 to `high`: two buttons, and a slider whose number can be typed."""

    name: str
    label: str
    high: int
    start: int = 0

    def make(self) -> Any:
        """Previous, slider, next, in one row; `value` is the slider's."""
        import ipywidgets
        import traitlets

        slider = ipywidgets.IntSlider(value=self.start, min=0, max=self.high, description=self.label)
        slider.style.description_width = LABEL
        slider.layout = ipywidgets.Layout(flex="0 0 34em", width="34em")
        shape = ipywidgets.Layout(flex="0 0 auto", width="auto")
        back = ipywidgets.Button(description="Previous step", layout=shape)
        forth = ipywidgets.Button(description="Next step", layout=shape)
        back.on_click(lambda _: setattr(slider, "value", max(0, slider.value - 1)))
        forth.on_click(lambda _: setattr(slider, "value", min(self.high, slider.value + 1)))
        row = ipywidgets.HBox([slider, back, forth])
        row.layout = ipywidgets.Layout(grid_column="1 / -1", overflow="visible")
        row.add_traits(value=traitlets.Int(self.start))
        traitlets.link((slider, "value"), (row, "value"))
        return row


def boot_explorer(name: str = "arm-virt-armmp-1g", start: int = 7) -> Explorer:
    """The boot of a recorded machine, one step of its ledger at a time."""
    kernel = boot(load_machine(name))

    def draw_step(step: int) -> Scene:
        return Scene(boot_step(kernel, step), (told(kernel, step),))

    return Explorer(draw_step, (Stepper("step", "Step of the ledger", len(kernel.log), start),))


def told(kernel: Kernel, step: int) -> str:
    """The ledger's own line for a step, and who asked."""
    if not step:
        return "Press Next step: the firmware's map comes first."
    return " ".join(list(kernel.log)[step - 1].tell().split())


def own_zones(path: str = "/proc/zoneinfo") -> Drawing:
    """The zones of the machine that this runs on, read-only; a recorded PC's where that is not possible."""
    try:
        return zone_counts(read_zoneinfo(path), "Shown: your own machine, from /proc/zoneinfo")
    except VmlabError as why:
        rows = read_zoneinfo(sample("zoneinfo"))
        return zone_counts(rows, f"Shown: a saved sample, the record amd64-pc-4g, because {why}".partition(";")[0])


def _joined(banks: list[Region]) -> tuple[Region, ...]:
    """Neighbours that touch are one bank."""
    joined: list[Region] = []
    for bank in banks:
        if joined and joined[-1].end == bank.start:
            joined[-1] = Region(joined[-1].start, joined[-1].size + bank.size)
        else:
            joined.append(bank)
    return tuple(joined)
