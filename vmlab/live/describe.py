"""A board as a machine before it is booted: what its firmware will say, its command line, its kernel's usual build.

Sources: hw/i386/pc_piix.c of QEMU 7.2 (the hole below 4 GiB), the e820 maps of the recorded PCs (what the firmware
keeps), the recorded `virt` boards (where their RAM begins). tests/test_live_lab.py holds it against every record.

Left out, because nobody knows them before: how large the image and the initrd are, and so what the boot allocator is
asked for in detail. The architecture's usual image and calls stand in their place (`arch/*/boot.py`).
"""

from __future__ import annotations

from .. import arch
from ..machine import Machine
from ..parts import Config, Region
from ..record.memory import by_node, node_borders
from ..units import GiB, KiB, MiB
from .boards import Board

LOW_END = 639 * KiB  # where the PC's extended BIOS data area begins
KEPT_BY_FIRMWARE = 140 * KiB  # SeaBIOS's tables, at the end of RAM below 4 GiB
VIRT_START = 0x4000_0000  # RAM of the board `virt`
BUILT_WITH = {  # what of each flavour's configuration decides the page-table format
    "armmp-lpae": {"CONFIG_ARM_LPAE"},
    "686-pae": {"CONFIG_X86_PAE"},
    "amd64": {"CONFIG_X86_5LEVEL"},
}


def describe(board: Board) -> Machine:
    """The machine as it is known before it boots; with Debian 6.1's usual configuration."""
    words = board.command_line()
    options = BUILT_WITH.get(board.flavour, set())
    return Machine(
        arch=board.arch,
        ram=tuple(ram_of(board)),
        config=Config(format=arch.get(board.arch).format_of(options, board.cpu, words.split())),
        cmdline=words,
        name=board.name,
        cpus=board.smp,
        possible_cpus=board.smp,
        cpu=board.cpu.partition(",")[0],
    )


def ram_of(board: Board) -> list[Region]:
    """The RAM that the firmware will report, by NUMA node."""
    total = board.ram_bytes
    if not board.is_pc:
        spans = [(VIRT_START, VIRT_START + total)]
    else:
        low = total if total < 3.5 * GiB else 3 * GiB
        spans = [(0, LOW_END), (MiB, low - KEPT_BY_FIRMWARE)]
        spans += [(4 * GiB, 4 * GiB + total - low)] if total > low else []
    nodes = list(board.ram) if len(board.ram) > 1 else []
    borders = node_borders(nodes, spans[0][0], board.is_pc)
    return [region for start, end in spans for region in by_node(start, end, borders)]
