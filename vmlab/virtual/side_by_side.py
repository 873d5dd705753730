"""The same address under several kernels: layouts of machines described by hand, by name.

    for name, found in side_by_side(0xc012_3456).items(): print(name, found.area.name)

Most are layouts of a `Machine`, so that what a learner changes there changes them too. Old and new versions of arm64,
and RISC-V, cannot be booted by the model: their rows stand in `arch/`. RAM is what each comment says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..arch.arm64 import layout as arm64
from ..arch.riscv import layout as riscv
from ..arch.x86.layout64 import BEFORE_4_20
from ..machine import Machine
from ..parts import Config, Region
from ..units import GiB, MiB, VmlabError
from .layout import Classified, Layout, drawn, layout_of

PC = (Region(0x1000, 0x9_E000), Region(MiB, 2 * GiB - MiB))  # 2 GiB with the hole that every PC has below 1 MiB
PC_SPLIT = (*PC, Region(4 * GiB, 2 * GiB))  # 4 GiB, with a hole for devices below 4 GiB
VIRT = (Region(0x4000_0000, 2 * GiB),)  # QEMU's ARM boards: RAM begins at 1 GiB
WORDS = [0x1234_5678_9ABC_DEF0, 0xFEDC_BA98_7654_3210, 0x0F1E_2D3C_4B5A_6978, 0x8796_A5B4_C3D2_E1F0]
SPLITS = {"3G_OPT": 0xB000_0000, "2G": 0x8000_0000, "2G_OPT": 0x7800_0000, "1G": 0x4000_0000}


def _i386(format_name: str, page_offset: int) -> Layout:
    return layout_of(Machine("i386", PC, Config(format=format_name, page_offset=page_offset)))


def _amd64(format_name: str) -> Layout:
    return layout_of(Machine("amd64", PC_SPLIT, Config(format=format_name)))


def rerolled(words: Iterable[int], format_name: str = "x86-64-4") -> Layout:
    """A 64-bit PC with 4 GiB on which KASLR drew these random words: three for the regions, a fourth for the image."""
    machine = Machine("amd64", PC_SPLIT, Config(format=format_name))
    return layout_of(machine, drawn(machine, list(words)))


def _arm(cmdline: str = "") -> Layout:
    return layout_of(Machine("arm", VIRT, cmdline=cmdline))


def _arm64(version: str, va_bits: int = 48) -> Layout:
    at = arm64.addresses(version, va_bits)
    text = at.modules_end + 64 * 1024
    image = (text, text + 32 * MiB, VIRT[0].start + 0x21_0000)
    ram = [(region.start, region.end) for region in VIRT]
    source = f"Linux {version}, arch/arm64/include/asm/memory.h"
    return Layout(arm64.space_of(at, ram, VIRT[0].start, image, source=source), {})


def _riscv(format_name: str) -> Layout:
    return Layout(riscv.space_of(format_name, [(0x8000_0000, 0x1_0000_0000)], 0x8020_0000, 24 * MiB), {})


KERNELS: dict[str, Callable[[], Layout]] = {
    "x86-32, 3G/1G": lambda: _i386("x86-32", 0xC000_0000),
    "x86-32 PAE, 3G/1G": lambda: _i386("x86-pae", 0xC000_0000),
    **{
        f"x86-32, {name}": lambda page_offset=page_offset: _i386("x86-32", page_offset)  # type: ignore[misc]
        for name, page_offset in SPLITS.items()
    },
    "x86-64, 4 levels, nokaslr": lambda: _amd64("x86-64-4"),
    "x86-64, 4 levels, KASLR": lambda: rerolled(WORDS),
    "x86-64, 5 levels, nokaslr": lambda: _amd64("x86-64-5"),
    "x86-64, 4 levels, before 4.20": lambda: layout_of(Machine("amd64", PC_SPLIT), BEFORE_4_20),
    "ARM": _arm,
    "ARM, vmalloc=512M": lambda: _arm("vmalloc=512M"),
    "arm64, 48 bits, 6.1": lambda: _arm64("6.1"),
    "arm64, 39 bits, 6.1": lambda: _arm64("6.1", 39),
    "arm64, 48 bits, 4.9": lambda: _arm64("4.9"),
    "arm64, 48 bits, 6.9": lambda: _arm64("6.9"),
    "arm64, 52 bits, 6.9": lambda: _arm64("6.9", 52),
    "RISC-V, Sv39": lambda: _riscv("sv39"),
    "RISC-V, Sv48": lambda: _riscv("sv48"),
}


def known_layout(name: str) -> Layout:
    """The layout of one kernel of `KERNELS`."""
    if name not in KERNELS:
        raise VmlabError(f"kernel: expected one of {', '.join(KERNELS)}; got {name!r}")
    return KERNELS[name]()


def side_by_side(va: int, names: Iterable[str] = KERNELS) -> dict[str, Classified]:
    """What `va` is under each kernel; those whose pointers are too short for it are left out."""
    layouts = {name: known_layout(name) for name in names}
    return {name: layout.classify(va) for name, layout in layouts.items() if 0 <= va < layout.top}
