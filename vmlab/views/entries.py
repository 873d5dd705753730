"""Every entry that a walk read, bit by bit: what is an address, and what each flag says.

Below the hardware's last entry stands the one that Linux keeps for itself, where it does (ARM short descriptors).
Left out: memory types, cacheability, protection keys and domains; their bits are shown without a name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..arch.format import Address, Flag, Leaf, bits
from ..units import group_hex, human
from ..virtual.address_space import Walk
from ..virtual.linux_entry import pagemap_entry
from . import svg
from .address_bits import MARGIN, WIDTH, bit_strip
from .drawing import Drawing, Table

TOP, PITCH, CELL = 104, 62, 18


class Strip(NamedTuple):
    """One entry: where it stood, its value, what it does, and the names of its bits."""

    where: str
    entry: int
    says: str
    address: int  # the bits that hold an address
    flags: tuple[tuple[int, str, bool], ...] = ()  # (bit, name, whether it holds)


def entries(walk: Walk) -> Drawing:
    """The bits of the address, then each entry on the way."""
    strips = list(strips_of(walk))
    parts = bit_strip(walk.format, walk.va)
    for number, strip in enumerate(strips):
        parts += _draw(strip, walk.format.entry_bytes * 8, TOP + number * PITCH)
    y = TOP + len(strips) * PITCH + 8
    parts.append(svg.text(MARGIN, y, end(walk), more='font-weight="bold"'))
    rows = [row for strip in strips for row in _rows(strip)]
    table = Table(("entry", "value", "bit", "name", "holds"), [*rows, ("end", "", "", "", end(walk))])
    return Drawing(describe(walk, strips), table, svg.picture(WIDTH, y + 14, parts))


def strips_of(walk: Walk) -> Iterator[Strip]:
    """Each entry of a walk, decoded by its level's own row of the format."""
    last = len(walk.steps) - 1
    for depth, step in enumerate(walk.steps):
        level, where = walk.format.levels[depth], f"{step.level}, entry {step.index} at {group_hex(step.entry_pa)}"
        entry = step.entry or 0
        leaf = walk.leaf if depth == last and walk.leaf else level.leaf_of(entry)
        if step.entry is None:
            yield Strip(where, 0, "outside the memory that is known", 0)
        elif level.table is not None and level.is_table(entry):
            row = level.table
            says = f"a table at {group_hex(row.pa.of(entry))}"
            yield Strip(where, entry, says, _held(row.pa), _flags(row.flags, entry, level.present))
        elif leaf is not None:
            yield Strip(where, entry, _page(leaf, entry), _held(leaf.pa), _flags(leaf.flags, entry, level.present))
        else:
            yield Strip(where, entry, _nothing(walk, entry), 0, ((0, "present", False),) if not entry & 1 else ())
    if walk.linux and walk.format.software:
        at, entry = walk.linux
        rows = walk.format.software.flags
        says = "Linux's own entry for the page" if entry else "Linux has no page here either"
        yield Strip(f"Linux, at {group_hex(at)}", entry, says, _held(walk.format.software.pa), _flags(rows, entry))


def describe(walk: Walk, strips: list[Strip]) -> str:
    """One sentence: the entries read and where the walk ended."""
    read = ", ".join(f"{strip.where.partition(',')[0]} {group_hex(strip.entry)}" for strip in strips) or "no entry"
    return f"{group_hex(walk.va)} in {walk.format.title} reads {read}. {end(walk)}"


def end(walk: Walk) -> str:
    """The last line: the byte's place with what may be done there, or the fault and the CPU's own code."""
    if walk.pa is not None:
        named = ", ".join(name if held else f"not {name}" for name, held in walk.flags.items())
        return f"Physical {group_hex(walk.pa)}, in a page of {human(walk.page_bytes)}; all levels together: {named}."
    if walk.fault is None:
        return "No translation."
    code = walk.fault.code
    number = "" if code.value is None else f" {code.value:#x}"
    return f"Fault: {walk.fault.kind}. The CPU reports {code.register}{number}: {code.words}."


def _page(leaf: Leaf, entry: int) -> str:
    return f"maps {human(1 << leaf.shift)} from {group_hex(leaf.pa.of(entry))}"


def _nothing(walk: Walk, entry: int) -> str:
    """What an entry that the hardware cannot follow is: empty, kept for Linux, or wrong."""
    if walk.fault is not None and walk.fault.kind != "not present":
        return walk.fault.kind
    present, swapped, pfn = pagemap_entry(walk)
    if present and not walk.linux:
        return f"not present for the hardware; Linux still reads frame {pfn:#x} from it"
    if swapped:
        return "not present for the hardware; Linux keeps a swap entry in the other bits"
    return "empty" if not entry else "not present: the hardware reads no other bit"


def _held(pa: Address) -> int:
    """All bits of an entry that belong to the address."""
    return pa.mask | sum(bits(low + count - 1, low) for low, count, _ in pa.moved)


def _flags(rows: tuple[Flag, ...], entry: int, present: int = 0) -> tuple[tuple[int, str, bool], ...]:
    found = [(_lowest(present), "present", True)] if present else []
    for row in rows:
        ones, zeros = row.ways[0]
        found.append((_lowest(ones | zeros), row.name, row.of(entry)))
    return tuple(found)


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def _draw(strip: Strip, wide: int, y: int) -> list[str]:
    """Heading, bits, and the named ones of them in words; each of these has a frame in the strip."""
    per_bit = (WIDTH - 2 * MARGIN) / wide
    heading = f"{strip.where}: {group_hex(strip.entry)} → {strip.says}"
    parts = [svg.text(MARGIN, y, heading), *_cells(strip, wide, per_bit, y + 6)]
    for bit, _, _ in strip.flags:
        x = MARGIN + (wide - 1 - bit) * per_bit
        parts.append(svg.rect(x, y + 6, per_bit, CELL, "none", more='stroke-width="2"'))
    words = [f"bit {bit}: {name if held else f'not {name}'}" for bit, name, held in sorted(strip.flags, reverse=True)]
    return [*parts, svg.text(WIDTH - MARGIN, y + 38, " · ".join(words), "end")]


def _cells(strip: Strip, wide: int, per_bit: float, y: int) -> list[str]:
    """The digits; runs of address bits on a grey ground."""
    parts = [svg.rect(MARGIN, y, wide * per_bit, CELL, "#ffffff")]
    bit = wide - 1
    while bit >= 0:
        run = bit
        while run >= 0 and strip.address >> run & 1:
            run -= 1
        if run < bit:
            parts.append(svg.rect(MARGIN + (wide - 1 - bit) * per_bit, y, (bit - run) * per_bit, CELL, "#dddddd"))
        bit = run - 1 if run == bit else run
    places = " ".join(f"{MARGIN + (n + 0.5) * per_bit:.0f}" for n in range(wide))
    digits = f"{strip.entry:0{wide}b}"
    parts.append(f'<text y="{y + 13}" x="{places}" text-anchor="middle" font-family="monospace">{digits}</text>')
    return parts


def _rows(strip: Strip) -> Iterator[tuple[str, ...]]:
    yield strip.where, group_hex(strip.entry), "", "", strip.says
    for bit, name, held in strip.flags:
        yield strip.where, "", str(bit), name, "yes" if held else "no"
