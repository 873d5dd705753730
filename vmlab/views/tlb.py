"""The TLB as a grid of sets and ways, and what programs cost on it, as bars."""

from __future__ import annotations

from collections.abc import Sequence

from ..units import human
from ..virtual.tlb import Tlb
from ..virtual.tlb_rows import Structure
from ..virtual.tlb_tell import Access, Counts, Entry, Step
from . import svg
from .drawing import Drawing, Table
from .ruler import MARGIN, WIDTH

LEFT, TOP, PITCH = 72, 44, 25
WIDEST = 190  # of a way, px
SIDE = 205  # kept free at the right for what left a set, px
MOST_SETS = 16
OWNERS = ("free", "HighMem", "DMA", "Movable", "added", "initrd", "cma", "image")  # fills of ASIDs, in turn
BAR, SCALE = 250, 300


def tlb_grid(tlb: Tlb, title: str, access: Access | None = None, structure: str = "") -> Drawing:
    """One structure of the TLB: a row a set, a cell a way. `access` is the reference that was just made."""
    row = next((row for row in tlb.structures if row.name == structure), tlb.structures[0])
    held = {(e.set_index, e.way): e for e in tlb.entries() if e.structure == row.name}
    step = next((step for step in access.steps if step.structure is row), None) if access else None
    shown = min(row.sets, MOST_SETS)
    parts = [svg.text(MARGIN, 16, title, more='font-weight="bold"'), svg.text(WIDTH - MARGIN, 16, row.tell(), "end")]
    wide = min(WIDEST, (WIDTH - LEFT - SIDE) // row.ways)
    parts += [svg.text(LEFT + way * wide + wide / 2, 36, f"way {way}", "middle") for way in range(row.ways)]
    for number in range(shown):
        parts += _set(row, number, wide, held, step, access)
    alt = _grid_says(row, held, step, access) + (f" The first {shown} sets are drawn." if shown < row.sets else "")
    rows = [(e.set_index, e.way, f"{page_number(e):#x}", human(e.page_bytes), _owner(e)) for e in held.values()]
    table = Table(("set", "way", "page number", "page size", "whose"), sorted(rows) or [("-", "-", "empty", "-", "-")])
    return Drawing(alt=alt, table=table, svg=svg.picture(WIDTH, TOP + shown * PITCH + 8, parts))


def page_number(entry: Entry) -> int:
    """The address in units of the entry's own page size: what is compared."""
    return entry.va // entry.page_bytes


def walk_bars(title: str, named: Sequence[tuple[str, Counts]], levels: int = 4) -> Drawing:
    """How often each run had to walk the page table; what that costs in memory references on `levels` levels."""
    most = max((counts.misses for _, counts in named), default=1) or 1
    parts = [svg.text(MARGIN, 16, title, more='font-weight="bold"')]
    for number, (name, counts) in enumerate(named):
        y = 32 + number * 34
        long = max(1.0, SCALE * counts.misses / most)
        parts.append(svg.text(MARGIN, y + 15, name))
        parts.append(svg.rect(BAR, y, long, 20, "DMA"))
        parts.append(svg.text(BAR + long + 8, y + 15, f"{counts.misses:,} walks · {counts.hit_ratio:.3%} hits"))
    alt = "; ".join(f"{name}: {c.misses:,} walks for {c.accesses:,} references" for name, c in named) + "."
    rows = [
        (name, c.accesses, c.misses, f"{c.hit_ratio:.4%}", c.walk_references(levels), f"{cost(c, levels):.2f}")
        for name, c in named
    ]
    columns = ("run", "references", "walks", "hit ratio", f"memory references of walks, {levels} levels", "a reference")
    return Drawing(alt=alt, table=Table(columns, rows), svg=svg.picture(WIDTH, 40 + len(named) * 34, parts))


def cost(counts: Counts, levels: int) -> float:
    """Memory references that translation adds to each reference, if nothing of a walk is cached."""
    return counts.walk_references(levels) / counts.accesses if counts.accesses else 0.0


def _set(
    row: Structure, number: int, wide: int, held: dict[tuple[int, int], Entry], step: Step | None, access: Access | None
) -> list[str]:
    y = TOP + number * PITCH
    asked = step is not None and step.set_index == number
    parts = [svg.text(LEFT - 8, y + 16, f"{'▶ ' if asked else ''}set {number}", "end")]
    for way in range(row.ways):
        entry = held.get((number, way))
        new = entry is not None and access is not None and entry[:3] == access.entry[:3] and asked
        parts += _cell(LEFT + way * wide, y, wide, entry, new)
    if asked and step is not None and access is not None:
        parts.append(svg.text(LEFT + row.ways * wide + 8, y + 16, _fate(step)))
    return parts


def _cell(x: float, y: int, wide: int, entry: Entry | None, new: bool) -> list[str]:
    fill = "#f4f4f4" if entry is None else OWNERS[0 if entry.asid is None else 1 + entry.asid % (len(OWNERS) - 1)]
    edge = 'stroke-width="3"' if new else 'stroke-opacity=".5"'
    parts = [svg.rect(x + 2, y + 1, wide - 4, PITCH - 3, fill, more=edge)]
    if entry is not None:
        words = f"{page_number(entry):#x} · {_owner(entry)}"
        if len(words) * 6.8 > wide - 8:
            words = _short(entry, int((wide - 8) // 6.8))
        room = len(words) * 6.8 + 4
        parts.append(svg.rect(x + (wide - room) / 2, y + 4, room, 16, "#fff", "none"))
        parts.append(svg.text(x + wide / 2, y + 16, words, "middle", 'font-weight="bold"' if new else ""))
    return parts


def _short(entry: Entry, room: int) -> str:
    """The number's last digits, and the owner if there is room for both."""
    digits, left = f"{page_number(entry):x}", room - len(_owner(entry)) - 4
    return f"…{digits[-left:]} · {_owner(entry)}" if left > 2 else digits[-max(1, room) :]


def _owner(entry: Entry) -> str:
    return "global" if entry.asid is None else f"ASID {entry.asid}"


def _fate(step: Step) -> str:
    if step.hit:
        return "hit"
    return f"miss; out: {page_number(step.evicted):#x}" if step.evicted else "miss; filled"


def _grid_says(row: Structure, held: dict[tuple[int, int], Entry], step: Step | None, access: Access | None) -> str:
    full = f"{row.name} holds {len(held)} of {row.entries} entries in {row.sets} sets of {row.ways}"
    owners = sorted({_owner(entry) for entry in held.values()})
    full += f", of {', '.join(owners)}." if owners else "."
    if step is None or access is None:
        return full
    page = access.va // access.entry.page_bytes
    return f"Page {page:#x} was looked for in set {step.set_index}: {_fate(step)}. {full}"
