"""kmap's window as a grid of slots, kmap_local's slots CPU by CPU, and the table of what may live in HighMem."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from textwrap import wrap

from ..units import group_hex
from ..virtual.kmap_local import KmapLocal
from ..virtual.pkmap import Pkmap
from ..virtual.residents import RESIDENTS
from . import svg
from .drawing import Drawing, Table
from .ruler import MARGIN, WIDTH

TOP, LEFT = 66, 76
COLUMNS, CELL, TALL = 64, 13, 20  # of a large pool
FEW, WIDE, FEW_ROWS = 12, 68, 4  # slots that get room for words, their width, and lines of words
LINE = 125  # characters
MOST_ROWS = 40
STATES = ("free", "cma", "DMA", "added")  # fills: free, idle, in use, leaked
LEGEND = (
    ("free", "0: free"),
    ("cma", "1: nobody's, but still mapped"),
    ("DMA", "2 and more: in use"),
    ("added", "in use by a task that has exited"),
)


def kmap_window(pool: Pkmap, title: str, note: str = "") -> Drawing:
    """Every slot by its count, where the scan came last, and who waits; `note` is a sentence below."""
    small = pool.slots <= FEW
    parts = [svg.text(MARGIN, 16, title, more='font-weight="bold"')]
    parts.append(svg.text(WIDTH - MARGIN, 16, f"{pool.slots:,} slots from {group_hex(pool.base)}", "end"))
    parts += _legend()
    parts += _few(pool) if small else _many(pool)
    rows = FEW_ROWS if small else -(-pool.slots // COLUMNS)
    below = TOP + rows * TALL + 18
    asleep = [f"{task} (frame {pfn:#x})" for queue in pool.waiting for task, pfn in queue]
    words = "asleep, waiting for a slot: " + (", ".join(asleep[:5]) + (" …" if len(asleep) > 5 else "") or "nobody")
    parts.append(svg.text(MARGIN, below, words))
    parts.append(svg.text(WIDTH - MARGIN, below, f"thick edge: the scan came last to slot {pool.last_pkmap_nr}", "end"))
    lines = wrap(note, LINE)
    parts += [svg.text(MARGIN, below + 22 + 18 * n, line) for n, line in enumerate(lines)]
    alt = " ".join(filter(None, (note, _window_says(pool))))
    height = below + 12 + 18 * len(lines)
    return Drawing(alt=alt, table=_window_table(pool), svg=svg.picture(WIDTH, height, parts))


def _legend() -> list[str]:
    parts, x = [], float(MARGIN)
    for fill, words in LEGEND:
        parts += [svg.rect(x, 30, 16, 16, fill), svg.text(x + 22, 43, words)]
        x += 46 + len(words) * 6.8
    return parts


def _state(pool: Pkmap, slot: int) -> str:
    count, who = pool.counts[slot], pool.holders[slot]
    leaked = bool(who) and pool.gone.issuperset(who)
    return STATES[3 if leaked else min(count, 2)]


def _many(pool: Pkmap) -> list[str]:
    """64 slots a row; slots of one kind are one path, so that a thousand of them stay small."""
    paths: dict[str, list[str]] = {}
    for row in range(0, pool.slots, COLUMNS):
        y = TOP + row // COLUMNS * TALL
        slots = range(row, min(row + COLUMNS, pool.slots))
        for fill, run in groupby(slots, key=lambda slot: _state(pool, slot)):
            cells = list(run)
            x, wide = LEFT + (cells[0] - row) * CELL, len(cells) * CELL
            paths.setdefault(fill, []).append(f"M{x} {y}h{wide}v16h-{wide}z")
    parts = [f'<path d="{"".join(where)}" fill="url(#@@{fill})" stroke="none"/>' for fill, where in paths.items()]
    parts += _grid(pool.slots)
    parts += [
        svg.text(LEFT - 8, TOP + row // COLUMNS * TALL + 13, str(row), "end") for row in range(0, pool.slots, COLUMNS)
    ]
    hand = pool.last_pkmap_nr
    x, y = LEFT + hand % COLUMNS * CELL, TOP + hand // COLUMNS * TALL
    return [*parts, svg.rect(x, y, CELL, 16, "none", more='stroke-width="3.5"')]


def _grid(slots: int) -> list[str]:
    lines = []
    for row in range(0, slots, COLUMNS):
        y, wide = TOP + row // COLUMNS * TALL, min(COLUMNS, slots - row) * CELL
        lines.append(f"M{LEFT} {y}h{wide}v16h-{wide}z")
        lines += [f"M{LEFT + n * CELL} {y}v16" for n in range(1, min(COLUMNS, slots - row))]
    return [f'<path d="{"".join(lines)}" stroke="{svg.INK}" stroke-opacity=".35" fill="none"/>']


def _few(pool: Pkmap) -> list[str]:
    """Each slot with its number, count, frame and holders."""
    names = ((12, "slot"), (34, "count"), (56, "frame"), (74, "held by"))
    parts = [svg.text(LEFT - 8, TOP + y, words, "end") for y, words in names]
    for slot in range(pool.slots):
        x = LEFT + slot * WIDE
        edge = 'stroke-width="3.5"' if slot == pool.last_pkmap_nr else ""
        parts.append(svg.text(x + WIDE / 2, TOP + 12, str(slot), "middle"))
        parts.append(svg.rect(x + 2, TOP + 18, WIDE - 4, 22, _state(pool, slot), more=edge))
        parts.append(svg.rect(x + WIDE / 2 - 8, TOP + 21, 16, 16, "#fff", "none"))
        parts.append(svg.text(x + WIDE / 2, TOP + 34, str(pool.counts[slot]), "middle", 'font-weight="bold"'))
        pfn, who = pool.frames[slot], ", ".join(pool.holders[slot])
        if pfn is not None:
            parts.append(svg.text(x + WIDE / 2, TOP + 56, f"{pfn:#x}", "middle"))
            parts.append(svg.text(x + WIDE / 2, TOP + 74, (who if len(who) < 8 else f"{who[:4]} …") or "-", "middle"))
    return parts


def _window_says(pool: Pkmap) -> str:
    used, idle = sum(count > 1 for count in pool.counts), pool.counts.count(1)
    asleep = sum(map(len, pool.waiting))
    leak = f" Lost for good: {len(pool.leaked)}." if pool.leaked else ""
    dead = " Nobody is left who could give one back: a deadlock." if pool.deadlocked else ""
    return (
        f"Of {pool.slots:,} slots, in use: {used:,}, nobody's but still mapped: {idle:,}, free: "
        f"{pool.counts.count(0):,}; tasks asleep: {asleep}. The scan came last to slot {pool.last_pkmap_nr}; "
        f"wraps so far: {pool.wraps}, TLB flushes: {len(pool.flushes)}."
        f"{leak}{dead}"
    )


def _window_table(pool: Pkmap) -> Table:
    """Runs of slots with the same count and holders."""
    rows: list[tuple[object, ...]] = []
    for (count, who), run in groupby(range(pool.slots), key=lambda n: (pool.counts[n], tuple(pool.holders[n]))):
        slots = list(run)
        rows.append((_span(slots), count, " and ".join(who) or "nobody", _frames([pool.frames[n] for n in slots])))
    if len(rows) > MOST_ROWS:
        rows = [*rows[:MOST_ROWS], (f"{len(rows) - MOST_ROWS} more runs", "", "", "")]
    return Table(("slots", "count", "held by", "frames"), rows)


def _span(slots: Sequence[int]) -> str:
    return str(slots[0]) if len(slots) == 1 else f"{slots[0]} to {slots[-1]}"


def _frames(frames: Sequence[int | None]) -> str:
    known = [f"{pfn:#x}" for pfn in frames if pfn is not None]
    return ", ".join(known if len(known) < 4 else [*known[:2], "…", known[-1]]) or "-"


def _versions(local: KmapLocal) -> str:
    since = local.rule.since
    return f"Linux {since} and earlier" if local.rule.typed else f"Linux {since} and later"


def kmap_slots(local: KmapLocal, title: str) -> Drawing:
    """Each CPU's slots and who runs there, and the windows that tasks which do not run take along."""
    per, shown = local.rule.slots, min(local.rule.slots, 20)
    wide = (WIDTH - MARGIN - 150) / shown
    parts = [svg.text(MARGIN, 16, title, more='font-weight="bold"')]
    parts.append(svg.text(WIDTH - MARGIN, 16, f"{_versions(local)}: {local.rule.call}", "end"))
    rows: list[tuple[object, ...]] = []
    for cpu in range(local.cpus):
        y = 50 + cpu * 50
        parts.append(svg.text(MARGIN, y + 19, f"CPU {cpu}: {local.running[cpu]}"))
        for number in range(per):
            slot = cpu * per + number
            x, pfn = 150 + number * wide, local.entries.get(slot)
            parts.append(svg.text(x + wide / 2, y - 4, str(number), "middle"))
            parts.append(svg.rect(x + 1, y, wide - 2, 28, "free" if pfn is None else "HighMem"))
            if pfn is not None:
                parts.append(svg.rect(x + 4, y + 6, wide - 8, 16, "#fff", "none"))
                parts.append(svg.text(x + wide / 2, y + 18, f"{pfn & 0xFFFF:04x}", "middle"))
                rows.append((f"CPU {cpu}", number, group_hex(local.address(slot)), f"{pfn:#x}"))
    saved = list(_saved(local))
    y = 50 + local.cpus * 50 + 6
    words = "; ".join(f"{task}: {', '.join(f'{pfn:#x}' for pfn in pfns)}" for task, pfns in saved[:4]) or "none"
    parts.append(svg.text(MARGIN, y, f"Taken out of the page table until its task runs again: {words}"))
    parts.append(
        svg.text(MARGIN, y + 20, "A box shows the last four digits of its frame; addresses fall to the right.")
    )
    rows += [(task, "saved", "-", ", ".join(f"{pfn:#x}" for pfn in pfns)) for task, pfns in saved]
    table = Table(("where", "slot", "address", "frame"), rows or [("no window is mapped", "-", "-", "-")])
    return Drawing(alt=_slots_say(local, saved), table=table, svg=svg.picture(WIDTH, y + 30, parts))


def _saved(local: KmapLocal) -> Iterator[tuple[str, list[int]]]:
    for owner, stack in local.stacks.items():
        if local.rule.owner == "task" and owner not in local.running:
            yield owner, [pfn for _, pfn in stack]


def _slots_say(local: KmapLocal, saved: Sequence[tuple[str, list[int]]]) -> str:
    running = ", ".join(f"{task} on CPU {cpu}" for cpu, task in enumerate(local.running))
    asleep = f" Tasks that do not run and keep windows: {len(saved)}." if saved else ""
    return (
        f"Windows mapped now: {len(local.entries)}. Each CPU has {local.rule.slots} slots, of which "
        f"{local.rule.deepest} may be in use at once. Running: {running}.{asleep}"
    )


def residents() -> Table:
    """What may live in HighMem and what may not, with the gfp that asks for it and the source."""
    rows = [
        (kind.what, "may" if kind.highmem else "never", kind.gfp or "taken at boot", kind.reached, kind.source)
        for kind in RESIDENTS
    ]
    return Table(("what", "HighMem", "asked for with", "reached through", "Linux 6.1"), rows)
