"""Where ZONE_MOVABLE begins: kernelcore= and movablecore= (Linux 6.1, find_zone_movable_pfns_for_nodes).

Left out: memory that the firmware calls mirrored or hot-pluggable. So kernelcore=mirror finds none of the first, and
movable_node none of the second; both switch sizes that are asked for off.
"""

from __future__ import annotations

from .. import arch
from ..machine import Machine
from ..units import PAGE_SHIFT, GiB, VmlabError, align_up, memparse, pfn_down, pfn_up
from .memblock import Memblock
from .zone_limits import Limits

FOUR_GIB = 4 * GiB >> PAGE_SHIFT
Banks = dict[int, list[tuple[int, int]]]  # node -> frames of its RAM, ascending


def movable_starts(found: Limits, machine: Machine, memblock: Memblock) -> dict[int, int]:
    """First frame of ZONE_MOVABLE on each node that has one (find_zone_movable_pfns_for_nodes)."""
    banks = {nid: [(pfn_up(a), pfn_down(b)) for a, b in memblock.memory(nid)] for nid in memblock.nodes()}
    if _ignores_sizes(machine):
        return {}
    if machine.parameter("kernelcore") == "mirror":
        return _rounded(_without_mirror(banks), banks, machine)
    total = sum(b - a for node in banks.values() for a, b in node)
    core = _pages_asked(machine, "kernelcore", total)
    movable = _pages_asked(machine, "movablecore", total)
    if movable:
        core = max(core, total - min(total, align_up(movable, _largest_block(machine))))
    if not core or core >= total:
        return {}
    start = dict.fromkeys(banks, 0)
    for usable_nodes in range(len(banks), 0, -1):
        core = _spread(core, usable_nodes, found.low[found.movable_zone], banks, start)
        if not (usable_nodes > 1 and core > usable_nodes - 1):
            break
    return _rounded(start, banks, machine)


def _largest_block(machine: Machine) -> int:
    """MAX_ORDER_NR_PAGES."""
    return 1 << ((machine.config.max_order or 1) - 1)


def _rounded(start: dict[int, int], banks: Banks, machine: Machine) -> dict[int, int]:
    """What is left of the starts that are not 0, rounded up to the largest block; a node's end is no start."""
    rounded = {nid: align_up(pfn, _largest_block(machine)) for nid, pfn in start.items() if pfn}
    return {nid: pfn for nid, pfn in rounded.items() if pfn < banks[nid][-1][1]}


def _ignores_sizes(machine: Machine) -> bool:
    """movable_node, which only kernels that can take memory out know."""
    return arch.get(machine.arch).memory_hotplug and machine.has_flag("movable_node")


def _without_mirror(banks: Banks) -> dict[int, int]:
    """kernelcore=mirror where nothing is mirrored: all banks from 4 GiB up move; what begins below stays."""
    start = {}
    for nid, ranges in banks.items():
        above = [low for low, _ in ranges if low >= FOUR_GIB]
        if above and any(low < FOUR_GIB < high for low, high in ranges):
            raise VmlabError(
                f"kernelcore=mirror: node {nid} has a bank across 4 GiB and another above it: zones that overlap are "
                "left out of this model; give a size such as kernelcore=512M instead"
            )
        start[nid] = min(above, default=0)
    return start


def _spread(core: int, nodes: int, usable_from: int, banks: Banks, start: dict[int, int]) -> int:
    """One pass of the kernel's loop: give every node its share of kernelcore; returns what is still wanted."""
    share = core // nodes
    for nid, ranges in banks.items():
        share = core // nodes if core < share else share
        left = share
        for low, high in ranges:
            low = max(low, start[nid])
            if low >= high:
                continue
            if low < usable_from:
                kernel_only = min(high, usable_from) - low
                left -= min(kernel_only, left)
                core -= min(kernel_only, core)
                if high <= usable_from:
                    start[nid] = high
                    continue
                low = usable_from
            taken = min(high - low, left)
            start[nid] = low + taken
            core -= min(core, taken)
            left -= taken
            if not left:
                break
    return core


def _pages_asked(machine: Machine, parameter: str, total: int) -> int:
    """kernelcore= and movablecore=: a size, or a share of all memory with a per cent sign.

    "required_kernelcore = (totalpages * 100 * required_kernelcore_percent) / 10000UL" is worked out in an unsigned
    long: with 32 bits and many pages the product wraps, and the kernel keeps another share than was asked for.
    """
    text = machine.parameter(parameter)
    if text is None:
        return 0
    if text.endswith("%") and text[:-1].isdecimal():
        product = total * 100 * int(text[:-1])
        return product % (1 << arch.get(machine.arch).bits_per_long) // 10000
    try:
        return memparse(text) >> PAGE_SHIFT
    except VmlabError as bad:
        raise VmlabError(f"kernel parameter {parameter}=: {bad}; or a share such as 25%") from None
