"""A walk as stairs: base register, one entry a level with its raw value and meaning, and where it ends.

Two walks stand side by side, and between them it is said at every step whether they read the same. `lane` takes a
process of a recorded machine; what its base register held is shown where the record has it.

Left out of the picture (the table has them): the accessed and dirty flags, memory types, Linux's own ARM entries.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..arch.base_register import base_register
from ..machine import Machine
from ..units import VmlabError, group_hex, human
from ..virtual.address_space import Step, Walk
from . import svg
from .address_bits import address_bits, bit_strip
from .drawing import Drawing, Table

__all__ = ["Lane", "address_bits", "lane", "meaning", "stairs"]

WIDTH, MARGIN, GUTTER = 940, 10, 64
RISE, BOX, INDENT = 60, 50, 12  # px from step to step down, of one box, and to the right
TOP = 134  # where the stairs begin, below the bits
DRAWN = ("write", "user", "nx", "pxn", "global")
MONO = 'font-family="monospace"'


class Lane(NamedTuple):
    """One process's walk. `value` is what the base register held while it ran, None if another root is walked."""

    name: str
    walk: Walk
    register: str
    root_pa: int
    value: int | None = None

    @property
    def base(self) -> str:
        """The base register in words."""
        if self.value is None:
            return f"{self.register}: top table at {group_hex(self.root_pa)}"
        return f"{self.register} held {group_hex(self.value)}: top table at {group_hex(self.root_pa)}"


def lane(machine: Machine, process: str, va: int, user_root: bool = False) -> Lane:
    """The walk of `va` in a recorded process; `user_root`: from the table that user mode has with PTI."""
    if machine.recorded is None:
        raise VmlabError(f"{machine.name}: no process was recorded on it: take a recorded machine")
    space = machine.recorded.address_space(process, pti_user=user_root)
    row, root_pa = base_register(space.format.name), space.root_for(va)
    held = machine.recorded.roots[process].base_value
    fits = held is not None and row.root_of(held) == root_pa
    name = f"{process} in user mode" if user_root else process
    register = row.name if root_pa == space.root_pa else row.name.replace("TTBR0", "TTBR1")
    return Lane(name, space.walk(va), register, root_pa, held if fits else None)


def stairs(*lanes: Lane) -> Drawing:
    """One walk, or two side by side, below the bits of the address."""
    if not 1 <= len(lanes) <= 2 or len({each.walk.va for each in lanes}) > 1:
        raise VmlabError(f"stairs: expected one or two walks of one address, got {len(lanes)}")
    first = lanes[0].walk
    parts = bit_strip(first.format, first.va)
    wide = (WIDTH - 2 * MARGIN - GUTTER * (len(lanes) - 1)) / len(lanes)
    for number, each in enumerate(lanes):
        parts += _lane(each, MARGIN + number * (wide + GUTTER), wide)
    if len(lanes) == 2:
        parts += _between(lanes[0], lanes[1], MARGIN + wide + GUTTER / 2)
    height = TOP + len(first.format.levels) * RISE + 24  # the same for every address, so that nothing jumps
    return Drawing(alt=describe(*lanes), table=_table(lanes), svg=svg.picture(WIDTH, height, parts))


def describe(*lanes: Lane) -> str:
    """One sentence: where each process finds the address, and whether it is one frame or two."""
    where = [f"{each.name} {_found(each.walk)}" for each in lanes]
    said = f"Virtual {group_hex(lanes[0].walk.va)}: {', '.join(where)}"
    pas = [each.walk.pa for each in lanes]
    if len(pas) < 2 or None in pas:
        return f"{said}."
    return f"{said}: {'the same frame' if pas[0] == pas[1] else 'two different frames'}."


def meaning(walk: Walk, step: Step) -> str:
    """What one entry says: a lower table, a frame with its rights, or nothing."""
    if step.entry is None:
        return "outside the recorded memory"
    if step is not walk.steps[-1] or not (walk.leaf or walk.fault):
        return f"next table at {group_hex(_next_table(walk, step))}"
    if walk.leaf is None:
        kind = walk.fault.kind if walk.fault else "not present"
        return f"{kind}: the walk ends"
    held = ", ".join(name for name, on in walk.entry_flags.items() if on and name in DRAWN) or "read only, kernel only"
    base = walk.leaf.pa.of(step.entry)
    return f"frame {base >> 12:#x}, {human(walk.page_bytes)}: {held}"


def _next_table(walk: Walk, step: Step) -> int:
    table = walk.format.levels[walk.steps.index(step)].table
    return table.pa.of(step.entry or 0) if table else 0


def _found(walk: Walk) -> str:
    if walk.pa is not None:
        return f"finds it at physical {group_hex(walk.pa)}"
    kind = walk.fault.kind if walk.fault else "not present"
    return f"does not have it ({kind}" + (f" at {walk.steps[-1].level})" if walk.steps else ")")


def _end(walk: Walk) -> str:
    """The last line: the offset added, or the fault and the CPU's own report of it."""
    if walk.pa is not None:
        return f"+ offset {walk.va & (walk.page_bytes - 1):#x} = physical {group_hex(walk.pa)}"
    code = walk.fault.code if walk.fault else None
    number = "" if code is None or code.value is None else f" {code.value:#x}"
    return f"fault: {code.register}{number}, {code.words}" if code else "fault"


def _lane(each: Lane, left: float, wide: float) -> list[str]:
    parts = [svg.text(left, TOP - 26, each.name, more='font-weight="bold" font-size="14"')]
    parts.append(svg.text(left, TOP - 8, each.base))
    for depth, step in enumerate(each.walk.steps):
        parts += _stair(each.walk, step, left + depth * INDENT, TOP + depth * RISE, wide - depth * INDENT)
    y = TOP + len(each.walk.steps) * RISE + 12
    x = left + max(len(each.walk.steps) - 1, 0) * INDENT
    return [*parts, svg.text(x, y, _end(each.walk), more='font-weight="bold"')]


def _stair(walk: Walk, step: Step, x: float, y: int, wide: float) -> list[str]:
    """A box: thick-edged where memory is mapped, dashed where the walk breaks off."""
    last = step is walk.steps[-1]
    edge = 'stroke-width="3"' if last and walk.leaf else 'stroke-dasharray="6 4"' if last else ""
    raw = "nothing known" if step.entry is None else group_hex(step.entry)
    return [
        svg.rect(x, y, wide, BOX, "#f2f2f2" if last and walk.leaf else "#ffffff", more=edge),
        svg.line(x + 4, y + BOX, x + 4, y + RISE) if not last else "",
        svg.text(x + 8, y + 14, f"{step.level}, entry {step.index} at {group_hex(step.entry_pa)} holds"),
        svg.text(x + 8, y + 29, raw, more=f'{MONO} font-weight="bold"'),
        svg.text(x + 8, y + 44, f"→ {meaning(walk, step)}"),
    ]


def _between(a: Lane, b: Lane, x: float) -> list[str]:
    """In the gutter, at each step: whether both read the same value."""
    pairs = [(TOP - 12, a.root_pa == b.root_pa)]
    for depth, (one, other) in enumerate(zip(a.walk.steps, b.walk.steps, strict=False)):
        pairs.append((TOP + depth * RISE + 29, one.entry == other.entry))
    if a.walk.pa is not None and b.walk.pa is not None:
        pairs.append((TOP + len(a.walk.steps) * RISE + 12, a.walk.pa == b.walk.pa))
    return [svg.text(x, y, "= same" if same else "≠ other", "middle") for y, same in pairs]


def _table(lanes: tuple[Lane, ...]) -> Table:
    columns = ("process", "step", "table or register", "entry", "value", "meaning")
    return Table(columns, [row for each in lanes for row in _rows(each)])


def _rows(each: Lane) -> Iterator[tuple[object, ...]]:
    value = "" if each.value is None else group_hex(each.value)
    yield each.name, "base register", each.register, "", value, f"top table at {group_hex(each.root_pa)}"
    for step in each.walk.steps:
        raw = "" if step.entry is None else group_hex(step.entry)
        words = meaning(each.walk, step)
        if step is each.walk.steps[-1] and each.walk.leaf:
            words += "; " + ", ".join(f"{'' if on else 'not '}{name}" for name, on in each.walk.entry_flags.items())
        yield each.name, step.level, group_hex(step.table_pa), str(step.index), raw, words
    if each.walk.linux:
        at, entry = each.walk.linux
        yield each.name, "Linux's own entry", group_hex(at), "", group_hex(entry), "kept beside the hardware's"
    yield each.name, "end", "", "", "", _end(each.walk)
