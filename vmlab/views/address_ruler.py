"""The ruler of all addresses of one kernel, with one address placed on it and followed to its frame.

Both ends are logarithmic: the user's half counts from 0 upwards, the kernel's from the top downwards, because that is
where each is crowded. Below, the area of the address between its neighbours, linear; then the frame in RAM and, where
the address is not the direct map's own, the direct map's address of the same byte; then the kernel's own tests.
"""

from __future__ import annotations

from math import log2

from ..arch.space import DIRECT_MAP, IMAGE, USER, Area
from ..units import PAGE_SHIFT, VmlabError, group_hex, human
from ..virtual.layout import Classified, Layout
from ..virtual.pointer_tests import Verdicts, verdicts
from . import svg
from .drawing import Drawing, Table
from .labels import ADVANCE, Label, draw, place
from .ruler import MARGIN, ROW, WIDTH

RULER, LENS, RAM = 72, 172, 254  # top edges of the three bars
TESTS = 318
USER_WIDTH, REFUSED_WIDTH, LEAST_BITS = 120, 46, 12
KINDS = {DIRECT_MAP: "Normal", IMAGE: "image", USER: "free", "vmemmap": "mem_map"}
MONO = 'font-family="monospace"'


class LogScale:
    """Addresses of one layout over the width of the drawing: `left` to `right`, px."""

    def __init__(self, layout: Layout, left: float = MARGIN, right: float = WIDTH - MARGIN) -> None:
        self.layout = layout
        self.user = next(area for area in layout.whole if area.name == USER)
        beyond = [area for area in layout.whole if area.start == self.user.end and area.hole]
        self.kernel = beyond[0].end if beyond else self.user.end
        share = (right - left) / (WIDTH - 2 * MARGIN)
        self.left, self.right = left, right
        self.user_end = left + USER_WIDTH * share
        self.begin = self.user_end + (REFUSED_WIDTH * share if beyond else 0)

    def x(self, va: int) -> float:
        """Where an address is."""
        if va < self.user.end:
            return self.left + (self.user_end - self.left) * _part(va, self.user.end)
        if va < self.kernel:
            inside = (va - self.user.end) / (self.kernel - self.user.end)
            return self.user_end + (self.begin - self.user_end) * inside
        return self.right - (self.right - self.begin) * _part(self.layout.top - va, self.layout.top - self.kernel)


def _part(distance: int, most: int) -> float:
    """log2 of a distance, as a part of that of the longest; the last page is the shortest that is told apart."""
    least = min(LEAST_BITS, log2(most) - 1)
    return max(log2(max(distance, 1)) - least, 0) / (log2(most) - least)


def address_ruler(layout: Layout, va: int, title: str) -> Drawing:
    """One address on the ruler of a kernel's addresses, its area, its frame, and what the kernel's tests say of it."""
    found, said, scale = layout.classify(va), verdicts(layout, va), LogScale(layout)
    parts = [svg.text(MARGIN, 16, title, more='font-weight="bold"')]
    parts.append(svg.text(WIDTH - MARGIN, 16, "dots: nothing is mapped · both ends are logarithmic", "end"))
    parts += _bar(scale, found.area) + _ticks(scale, scale.x(va)) + _placed(scale.x(va), group_hex(va))
    parts += _lens(layout, found) + _frame(layout, found) + _tests(found, said)
    return Drawing(alt=_says(found), table=_table(layout, found, said), svg=svg.picture(WIDTH, TESTS + 74, parts))


def kind_of(area: Area) -> str:
    """The fill of an area."""
    if area.hole:
        return "hole"
    return "cma" if area.name.startswith("vmalloc") else KINDS.get(area.name, "boot")


def _bar(scale: LogScale, here: Area) -> list[str]:
    """Every area; the name of the one that the address is in is placed first."""
    parts, words = [], []
    for area in scale.layout.whole:
        low, high = scale.x(area.start), scale.x(area.end - 1)
        parts.append(svg.rect(low, RULER, max(high - low, 1), 24, kind_of(area)))
        if area is here or not area.hole or area.name == "non-canonical":
            is_known = area.name in (DIRECT_MAP, IMAGE, USER, "vmemmap", "vmalloc")
            weight = 2000 if area is here else 1000 if is_known else high - low
            words.append(Label((low + high) / 2, f"{area.name} ", weight))  # a blank keeps two names apart
    return parts + draw(place(words, WIDTH, 3), RULER, ROW, True)


def _ticks(scale: LogScale, marked: float) -> list[str]:
    """Powers of two: from 0 on the left, from the top on the right; no words where the address has its line."""
    words = [Label(scale.x(1 << bits), f"2^{bits}", bits) for bits in (28, 40) if 1 << bits < scale.user.end]
    top = scale.layout.top
    for bits in (16, 20, 24, 28, 32, 36, 40, 44, 46, 52, 56):
        if 1 << bits <= top - scale.kernel:
            words.append(Label(scale.x(top - (1 << bits)), f"top − 2^{bits}", bits % 8 == 0))
    parts = []
    for label in place(words, WIDTH, 1):
        parts.append(svg.line(label.x, RULER + 24, label.x, RULER + 30))
        if not label.left - 4 < marked < label.left + len(label.words) * ADVANCE + 4:
            parts.append(svg.text(label.left, RULER + 42, label.words))
    return parts


def _mark(x: float, y: int) -> list[str]:
    """A triangle above a bar."""
    return [f'<path d="M{x:.1f} {y}l-6 -11h12z" fill="#000" stroke="#fff"/>']


def _placed(x: float, words: str) -> list[str]:
    """The address below the ruler, with a line to its place."""
    wide, y = len(words) * 7.3, RULER + 24
    left = min(max(x - wide / 2, MARGIN), WIDTH - MARGIN - wide)
    return [
        svg.line(x, RULER, x, y + 30, 'stroke-width="2"'),
        f'<path d="M{x:.1f} {y}l-6 11h12z" fill="#000" stroke="#fff"/>',
        svg.rect(left - 3, y + 29, wide + 6, 16, "#fff", "none"),
        svg.text(left, y + 41, words, more=f'{MONO} font-weight="bold"'),
    ]


def _lens(layout: Layout, found: Classified) -> list[str]:
    """The area of the address between its neighbours, each a third."""
    number = next(n for n, area in enumerate(layout.whole) if area is found.area)
    third, parts = (WIDTH - 2 * MARGIN) / 3, []
    for place_, other in enumerate(range(number - 1, number + 2)):
        if 0 <= other < len(layout.whole):
            parts += _third(layout.whole[other], MARGIN + place_ * third, third)
    inside = (found.va - found.area.start) / (found.area.end - found.area.start)
    x = MARGIN + third + inside * third
    return parts + _mark(x, LENS)


def _third(area: Area, left: float, wide: float) -> list[str]:
    """One area with what its rule maps; the name, the first address and the size below."""
    is_cut = area.offset is not None
    parts = [svg.rect(left, LENS, wide, 26, "hole" if is_cut else kind_of(area))]
    for low, high in area.mapped if is_cut else ():
        size = area.end - area.start
        start, length = (low - area.start) / size * wide, max((high - low) / size * wide, 1)
        parts.append(svg.rect(left + start, LENS, length, 26, kind_of(area)))
    name = f"{area.name}, {_size(area.end - area.start)}"
    parts.append(svg.text(left + 2, LENS + 40, name[: int(wide / ADVANCE)]))
    parts.append(svg.text(left + 2, LENS + 55, f"from {group_hex(area.start)}", more=MONO))
    return parts


def _size(size: int) -> str:
    """A size; beyond the binary units, a power of two."""
    return human(size) if size < 1 << 56 else f"about 2^{log2(size):.0f} bytes"


def _frame(layout: Layout, found: Classified) -> list[str]:
    """RAM, and the byte in it that the address reaches."""
    ram = [(low << PAGE_SHIFT, high << PAGE_SHIFT) for low, high in layout.space.rules.memory]
    first, last = ram[0][0], ram[-1][1]
    per_byte = (WIDTH - 2 * MARGIN) / (last - first)
    parts = [svg.rect(MARGIN, RAM, WIDTH - 2 * MARGIN, 20, "hole")]
    parts += [
        svg.rect(MARGIN + (low - first) * per_byte, RAM, (high - low) * per_byte, 20, "Normal") for low, high in ram
    ]
    if found.pa is not None and first <= found.pa < last:
        x = MARGIN + (found.pa - first) * per_byte
        parts += _mark(x, RAM)
    size = human(sum(high - low for low, high in ram))
    parts.append(svg.text(MARGIN, RAM + 36, f"RAM, {size}: {_followed(layout, found)}"))
    return parts


def _followed(layout: Layout, found: Classified) -> str:
    """Where the address leads, in one line."""
    if found.pa is None:
        return "no constant offset leads from this address to a frame"
    words = f"physical {group_hex(found.pa)}, frame {found.pa >> PAGE_SHIFT:#x}"
    try:
        alias = layout.alias(found.va)
    except VmlabError:
        return f"{words}; the direct map does not reach it"
    back = "the same address" if alias == found.va else f"another address: {group_hex(alias)}"
    return f"{words}; back through the direct map: {back}"


def _tests(found: Classified, said: Verdicts) -> list[str]:
    """Two rows of three answers, each in words, and whether it misleads here."""
    parts = [svg.text(MARGIN, TESTS, "The kernel's tests", more='font-weight="bold"')]
    for number, (name, answer, _) in enumerate(answers(said)):
        column, row = number % 3, number // 3
        x, y = MARGIN + column * (WIDTH - 2 * MARGIN) / 3, TESTS + 20 + row * 36
        parts.append(svg.text(x, y, f"{'✗' if name in said.wrong else '·'} {name}: {answer}"))
        if name in said.wrong:
            parts.append(svg.text(x + 14, y + 15, "do not use it here"))
    return parts


def answers(said: Verdicts) -> tuple[tuple[str, str, str], ...]:
    """Each test: its name, what it answers, and why not to use it here ("" where it is right)."""

    def yes(value: bool) -> str:
        return "yes" if value else "no"

    rows = (
        ("__pa", group_hex(said.pa)),
        ("virt_addr_valid", yes(said.virt_addr_valid)),
        ("virt_to_page", group_hex(said.page) if said.page is not None else "not known here"),
        ("pfn_valid", f"{yes(said.pfn_valid)}, of frame {said.pa >> PAGE_SHIFT:#x}"),
        ("is_vmalloc_addr", yes(said.is_vmalloc_addr)),
        ("is_vmalloc_or_module_addr", yes(said.is_vmalloc_or_module_addr)),
    )
    return tuple((name, answer, said.wrong.get(name, "")) for name, answer in rows)


def _says(found: Classified) -> str:
    if found.area.hole:
        return f"{group_hex(found.va)} lies in {found.area.name}: {found.area.what}, so it is not logical."
    return f"{group_hex(found.va)} lies in {found.area.name} ({found.area.what}): {kind_words(found)}; {found.reason}."


def kind_words(found: Classified) -> str:
    """Whether an address is logical; one in the direct map's range may have no RAM behind it."""
    if not found.logical:
        return "not logical"
    return "in the range of logical addresses, without RAM" if found.pa is None else "logical"


def _table(layout: Layout, found: Classified, said: Verdicts) -> Table:
    rows: list[tuple[object, ...]] = [
        (area.name, group_hex(area.start), group_hex(area.end - 1), _size(area.end - area.start), area.what)
        for area in layout.whole
    ]
    rows.append(("this address", group_hex(found.va), _followed(layout, found), found.area.name, found.reason))
    rows += [(name, answer, "", "", why or "as good as it is here") for name, answer, why in answers(said)]
    return Table(("what", "from, or says", "to", "size", "what it is for, or why not to use it"), rows)
