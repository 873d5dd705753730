"""memblock as pictures: what it makes of the firmware's map, and its two lists after each step of a boot.

The lists are rebuilt from the ledger, step by step, so the picture cannot disagree with what is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..kernel import Kernel
from ..ledger import Event
from ..ranges import Ranges
from ..units import PAGE_SIZE, KiB, MiB, align_down, group_hex, human
from . import svg
from .drawing import Drawing, Table
from .labels import Label, draw, place
from .ruler import MARGIN, ROW, WIDTH, Scale

RAM, TAKEN, NOW = "Normal", "boot", "mem_map"  # rows of svg.FILLS
HEIGHT = 22
LENS_TIMES, LENS_LEAST = 12, 128 * KiB  # the lens shows so many times the step's bytes, at least so many
BOLD = 'font-weight="bold"'


@dataclass(slots=True)
class Lists:
    """memblock.memory and memblock.reserved, as ranges of bytes."""

    memory: Ranges = field(default_factory=Ranges)
    reserved: Ranges = field(default_factory=Ranges)

    def apply(self, event: Event) -> None:
        """Make one step of the ledger; a note changes nothing."""
        change = {
            "add": self.memory.add,
            "remove": self.memory.remove,
            "reserve": self.reserved.add,
            "alloc": self.reserved.add,
            "free": self.reserved.remove,
        }.get(event.kind)
        if change is not None:
            change(event.start, event.end)


def lists_after(events: Iterable[Event]) -> Lists:
    """The two lists when these steps have been made."""
    lists = Lists()
    for event in events:
        lists.apply(event)
    return lists


def firmware_map(kernel: Kernel) -> Drawing:
    """What the firmware calls RAM, from address 0 on, and what memblock.memory keeps of it."""
    told = [(region.start, region.end) for region in kernel.machine.ram]
    kept = kernel.memblock.memory()
    top = max(end for _, end in [*told, *kept])
    parts = [svg.text(MARGIN, 16, f"Physical addresses from 0 to {group_hex(top)}", more=BOLD)]
    parts.append(svg.text(WIDTH - MARGIN, 16, "filled: RAM · dotted: no RAM", "end"))
    parts += _two_lanes(Scale(0, top), ("firmware: RAM", told), ("memblock.memory", kept), 34)
    low = [pa for span in told for pa in span if 0 < pa <= MiB]
    height = 132
    if low:  # a PC: what happens below the first MiB cannot be seen at the scale of the whole
        near = Scale(0, MiB + MiB // 8)
        parts.append(svg.text(MARGIN, 148, "The first MiB, magnified", more=BOLD))
        parts += _two_lanes(near, ("firmware: RAM", told), ("memblock.memory", kept), 166)
        parts += _ticks(near, [pa for span in (*told, *kept) for pa in span if pa <= near.high], 248)
        height = 268
    return Drawing(_told(told, kept), _firmware_table(told, kept), svg.picture(WIDTH, height, parts))


def boot_step(kernel: Kernel, step: int) -> Drawing:
    """memblock's two lists after `step` steps of the ledger (0: before the first), and a lens on that step."""
    events = list(kernel.log)
    step = min(max(step, 0), len(events))
    lists = lists_after(events[:step])
    now = events[step - 1] if step else None
    added = [event for event in events if event.kind == "add"]
    whole = Scale(min(e.start for e in added), max(e.end for e in added))
    parts = [svg.text(MARGIN, 16, f"memblock after step {step} of {len(events)}", more=BOLD)]
    parts += _state(whole, lists, now, 34, names=True)
    parts += _limit(whole, kernel.bounds.limit, 34)
    if now is not None and now.size:
        near = _lens(whole, now)
        words = f"The lens: {human(near.high - near.low)} around this step, {now.kind} {human(now.size)}"
        parts += [svg.text(MARGIN, 148, words, more=BOLD), *_state(near, lists, now, 166, names=False)]
        parts += _limit(near, kernel.bounds.limit, 166)
        parts += _ticks(near, [now.start, now.end], 248)
    return Drawing(_step_told(step, len(events), now, lists), _step_table(lists), svg.picture(WIDTH, 284, parts))


def _two_lanes(
    scale: Scale, one: tuple[str, list[tuple[int, int]]], other: tuple[str, list[tuple[int, int]]], y: int
) -> list[str]:
    parts = []
    for (name, spans), top in ((one, y + 10), (other, y + 56)):
        parts += [svg.text(MARGIN, top - 4, name), svg.rect(MARGIN, top, WIDTH - 2 * MARGIN, HEIGHT, "hole")]
        parts += _boxes(scale, spans, top, RAM)
    return parts


def _state(scale: Scale, lists: Lists, now: Event | None, y: int, names: bool) -> list[str]:
    """Two lanes; the stretch that the step touched has a thick edge of its own."""
    parts = []
    for name, spans, fill, kinds, top in (
        ("memory", list(lists.memory), RAM, ("add", "remove"), y + 10),
        ("reserved", list(lists.reserved), TAKEN, ("reserve", "alloc", "free"), y + 56),
    ):
        more = f"{len(spans)} {'range' if len(spans) == 1 else 'ranges'}, {human(sum(b - a for a, b in spans))}"
        parts.append(svg.text(MARGIN, top - 4, f"memblock.{name}: {more}" if names else name))
        parts.append(svg.rect(MARGIN, top, WIDTH - 2 * MARGIN, HEIGHT, "hole" if name == "memory" else "free"))
        parts += _boxes(scale, spans, top, fill)
        if now is not None and now.kind in kinds:
            parts += _touched(scale, now, top, pointer=names)
    return parts


def _boxes(scale: Scale, spans: Iterable[tuple[int, int]], y: int, fill: str) -> list[str]:
    parts = []
    for start, end in spans:
        if start < scale.high and end > scale.low:
            low, high = scale.x(start), scale.x(end)
            parts.append(svg.rect(low, y, max(high - low, 1), HEIGHT, fill))
    return parts


def _touched(scale: Scale, now: Event, y: int, pointer: bool) -> list[str]:
    low, high = scale.x(now.start), scale.x(now.end)
    given_back = now.kind in ("free", "remove")
    fill, edge = ("free", 'stroke-dasharray="4 3"') if given_back else (NOW, "")
    box = svg.rect(low, y - 2, max(high - low, 2.5), HEIGHT + 4, fill, more=f'stroke-width="2" {edge}')
    middle = (low + high) / 2
    below = y + HEIGHT + 4
    return [box, f'<path d="M{middle:.1f} {below}l-5 8h10z" fill="#000"/>'] if pointer else [box]


def _limit(scale: Scale, limit: int | None, y: int) -> list[str]:
    """Above it nothing is allocated: on 32-bit kernels, where lowmem ends."""
    if limit is None or not scale.low < limit < scale.high:
        return []
    x = scale.x(limit)
    line = svg.line(x, y - 2, x, y + 82, 'stroke-width="2" stroke-dasharray="6 3"')
    words = f"current_limit {group_hex(limit)}"
    left = x + 5 + len(words) * 6.7 < WIDTH
    return [line, svg.text(x + 5 if left else x - 5, y + 4, words, "start" if left else "end")]


def _ticks(scale: Scale, addresses: Sequence[int], y: int) -> list[str]:
    labels = [Label(scale.x(pa), group_hex(pa), number) for number, pa in enumerate(dict.fromkeys(addresses))]
    return draw(place(labels, WIDTH, 2), y - 4, ROW, False)


def _lens(whole: Scale, now: Event) -> Scale:
    size = max(LENS_TIMES * now.size, LENS_LEAST)
    low = max(whole.low, align_down((now.start + now.end - size) // 2, PAGE_SIZE))
    high = min(max(whole.high, now.end), low + size)
    return Scale(max(min(low, high - size), min(whole.low, now.start)), high)


def _told(told: list[tuple[int, int]], kept: list[tuple[int, int]]) -> str:
    """One sentence: where RAM starts, and what was dropped."""
    lost = sum(b - a for a, b in told) - sum(b - a for a, b in kept)
    dropped = f"{human(lost)} of what the firmware calls RAM is left out" if lost > 0 else "nothing is left out"
    ranges = "1 range" if len(kept) == 1 else f"{len(kept)} ranges"
    return (
        f"RAM starts at {group_hex(told[0][0])}; memblock.memory has {ranges} from {group_hex(kept[0][0])}; {dropped}."
    )


def _firmware_table(told: list[tuple[int, int]], kept: list[tuple[int, int]]) -> Table:
    rows = [("firmware: RAM", *_range(*span)) for span in told]
    return Table(("list", "from", "up to", "KiB"), [*rows, *(("memblock.memory", *_range(*span)) for span in kept)])


def _step_told(step: int, steps: int, now: Event | None, lists: Lists) -> str:
    if now is None:
        return f"Before the first of {steps} steps both lists of memblock are empty."
    if now.kind == "note":
        return f"Step {step} of {steps}: {now.why}."
    where = f"{now.kind} {human(now.size)} at {group_hex(now.start)}"
    taken = sum(max(0, min(b, d) - max(a, c)) for a, b in lists.memory for c, d in lists.reserved)
    state = f"{human(lists.memory.total())} of memory, {human(taken)} of it reserved"
    return f"Step {step} of {steps}: {where}: {now.why}. Now there are {state}."


def _step_table(lists: Lists) -> Table:
    rows = [("memory", *_range(*span)) for span in lists.memory]
    return Table(("list", "from", "up to", "KiB"), [*rows, *(("reserved", *_range(*span)) for span in lists.reserved)])


def _range(start: int, end: int) -> tuple[str, str, str]:
    return group_hex(start), group_hex(end), f"{(end - start) / KiB:,.2f}".rstrip("0").rstrip(".")
