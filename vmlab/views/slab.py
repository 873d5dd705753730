"""Slabs as pictures: how objects lie in one slab, and which list each slab of a cache stands on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..physical.slab import KmemCache
from ..physical.slab_page import Slab
from ..physical.slab_size import Sizes, order_objects
from ..units import PAGE_SIZE, group_hex
from . import svg
from .drawing import Drawing, Table
from .labels import Label, draw, place
from .ruler import MARGIN, ROW, WIDTH

MOST_BOXES = 128  # more objects than these are drawn as one box
LIST_LEFT, CELL_TOP, PITCH = 300, 44, 30
MOST_SLABS = 6


def slab_layout(sizes: Sizes, order: int, title: str, word: int = 8) -> Drawing:
    """One slab of 2**order pages to scale, and one object of it, magnified; a pointer has `word` bytes."""
    objects, slab = order_objects(order, sizes.size), PAGE_SIZE << order
    waste = slab - objects * sizes.size
    per_byte = (WIDTH - 2 * MARGIN) / slab
    parts = [svg.text(MARGIN, 16, title, more='font-weight="bold"')]
    shown = " (rings)" if waste else ""
    left = f"{_pages(order)}, {objects:,} objects, {waste:,} bytes left over{shown}"
    parts += [svg.text(WIDTH - MARGIN, 16, left, "end")]
    parts += _object_boxes(objects, sizes.size * per_byte)
    if waste:
        parts.append(svg.rect(MARGIN + (slab - waste) * per_byte, 46, waste * per_byte, 30, "cma"))
    parts += _page_edges(order)
    parts.append(
        svg.text(MARGIN, 116, f"One object's place, {sizes.size:,} bytes, magnified", more='font-weight="bold"')
    )
    parts += _one_object(sizes, word)
    alt = (
        f"A slab of {_pages(order)} holds {objects:,} objects, {sizes.size:,} bytes apart, and {waste:,} bytes "
        f"({waste / slab:.1%}) are left over. A free object's pointer stands at byte {sizes.offset:,}."
    )
    table = Table(("part of one object's place", "from byte", "to byte"), _rows(sizes, word))
    return Drawing(alt=alt, table=table, svg=svg.picture(WIDTH, 206, parts))


def _pages(order: int) -> str:
    return "1 page" if order == 0 else f"{1 << order} pages"


def _object_boxes(objects: int, wide: float) -> list[str]:
    if objects > MOST_BOXES:
        words = svg.rect(WIDTH / 2 - 90, 53, 180, 17, "#fff", "none") + svg.text(
            WIDTH / 2, 66, f"{objects:,} objects", "middle"
        )
        return [svg.rect(MARGIN, 46, objects * wide, 30, "DMA"), words]
    boxes = [svg.rect(MARGIN + n * wide, 46, wide, 30, "DMA" if n % 2 else "free") for n in range(objects)]
    if wide > 24:
        boxes += [_plate(MARGIN + (n + 0.5) * wide, 66, str(n)) for n in range(objects)]
    return boxes


def _plate(x: float, y: float, words: str) -> str:
    """Words on white, so that a pattern behind them does not hide them."""
    wide = len(words) * 7.2 + 6
    return svg.rect(x - wide / 2, y - 12, wide, 16, "#fff", "none") + svg.text(x, y, words, "middle")


def _page_edges(order: int) -> list[str]:
    wide = (WIDTH - 2 * MARGIN) / (1 << order)
    parts = []
    for page in range((1 << order) + 1):
        for y in (36, 76):  # above and below the boxes: an object may lie across
            parts.append(svg.line(MARGIN + page * wide, y, MARGIN + page * wide, y + 10, 'stroke-width="2"'))
        if page < 1 << order and wide > 60:
            parts.append(svg.text(MARGIN + (page + 0.5) * wide, 94, f"page {page}", "middle"))
    return parts


def _rows(sizes: Sizes, word: int) -> list[tuple[str, int, int]]:
    """Stretches of one object's place, in order; the free pointer may lie inside the object."""
    rows = [("what the owner asked for", 0, sizes.object_size)]
    used = max(sizes.object_size, sizes.offset + word if sizes.free_pointer_outside else 0)
    if sizes.free_pointer_outside and sizes.offset > sizes.object_size:
        rows.append(("rounding to a word", sizes.object_size, sizes.offset))
    rows.append(("free pointer, while the object is free", sizes.offset, min(sizes.offset + word, sizes.size)))
    if used < sizes.size:
        rows.append(("rounding", used, sizes.size))
    return rows


def _one_object(sizes: Sizes, word: int) -> list[str]:
    per_byte = (WIDTH - 2 * MARGIN) / sizes.size
    fills = {"what": "free", "roun": "cma", "free": "added"}
    parts: list[str] = []
    words: list[Label] = []
    for what, start, end in _rows(sizes, word):
        wide = max((end - start) * per_byte, 3)
        parts.append(svg.rect(MARGIN + start * per_byte, 128, wide, 26, fills[what[:4]]))
        words.append(
            Label(
                MARGIN + start * per_byte + wide / (2 if start else 9), f"{what}: {start:,} to {end - 1:,}", -len(words)
            )
        )
    return parts + draw(place(words, WIDTH, 3), 154, ROW, False)


def slab_lists(cache: KmemCache, title: str, names: Mapping[int, str] | None = None, mark: int = 0) -> Drawing:
    """Every slab of a cache, where it stands, and its objects; `names` are the owners', `mark` is drawn bold.

    A free object shows its place in the list that it is on: 1 is handed out next.
    """
    names = names or {}
    placed, in_use = list(where_slabs_are(cache)), "letter" if names else "used"
    parts = [svg.text(MARGIN, 16, title, more='font-weight="bold"')]
    parts.append(
        svg.text(WIDTH - MARGIN, 16, f"{in_use}: in use · number: free, 1 goes next · bold edge: just now", "end")
    )
    rows: list[tuple[object, ...]] = []
    for number, (where, slab) in enumerate(placed):
        order = _ranks(cache, slab)
        rows.append((where, group_hex(slab.va), len(slab.used), len(order)))
        if number < MOST_SLABS:
            parts += _slab_row(CELL_TOP + number * PITCH, where, slab, order, names, mark)
    if not placed:
        parts.append(svg.text(MARGIN, CELL_TOP + 16, "No slab yet: the first allocation takes one."))
    table = Table(("where the slab stands", "address", "objects in use", "free"), rows or [("no slab yet", "-", 0, 0)])
    height = CELL_TOP + MOST_SLABS * PITCH + 4
    return Drawing(alt=_lists_say(cache, placed), table=table, svg=svg.picture(WIDTH, height, parts))


def where_slabs_are(cache: KmemCache) -> Iterator[tuple[str, Slab]]:
    """Each slab with the list it stands on, in words: CPUs' slabs first, full ones last."""
    seen: set[int] = set()
    for number, own in enumerate(cache.cpus):
        mine = [(f"CPU {number}'s slab", own.slab)] if own.slab else []
        mine += [(f"CPU {number}'s partial list", slab) for slab in reversed(own.partial)]
        for where, slab in mine:
            assert slab is not None
            seen.add(slab.va)
            yield where, slab
    for node, partial in cache.partial.items():
        for slab in partial.values():
            seen.add(slab.va)
            yield f"node {node}'s partial list", slab
    for slab in cache.slabs.values():
        if slab.va not in seen:
            yield "full: on no list", slab


def _ranks(cache: KmemCache, slab: Slab) -> dict[int, int]:
    """Free objects of a slab, with their place in its list; a CPU's own list comes first."""
    chain: list[int] = []
    for own in cache.cpus:
        if own.slab is slab:
            chain += slab.free_list(own.freelist)
    chain += slab.free_list(slab.freelist)
    return {va: rank for rank, va in enumerate(chain, 1)}


def _slab_row(y: int, where: str, slab: Slab, order: dict[int, int], names: Mapping[int, str], mark: int) -> list[str]:
    size, first = slab.cache.sizes.size, slab.va + slab.cache.sizes.red_left_pad
    wide = (WIDTH - MARGIN - LIST_LEFT) / slab.objects
    parts = [svg.text(MARGIN, y + 16, f"{where}, {group_hex(slab.va)}")]
    for number in range(slab.objects):
        va, x = first + number * size, LIST_LEFT + number * wide
        edge = 'stroke-width="3.5"' if va == mark else ""
        parts.append(svg.rect(x + 1, y, wide - 2, 24, "DMA" if va in slab.used else "free", more=edge))
        words = names.get(va, "used") if va in slab.used else str(order.get(va, ""))
        if wide > 16:
            parts.append(_plate(x + wide / 2, y + 17, words) if va in slab.used else _middle(x + wide / 2, y, words))
    return parts


def _middle(x: float, y: int, words: str) -> str:
    return svg.text(x, y + 17, words, "middle")


def _lists_say(cache: KmemCache, placed: list[tuple[str, Slab]]) -> str:
    full = sum(where.startswith("full") for where, _ in placed)
    frames = sum(1 << slab.page.order for _, slab in placed)
    more = f" The first {MOST_SLABS} slabs are drawn." if len(placed) > MOST_SLABS else ""
    return (
        f"{cache.name} has {cache.active_objects} objects in use in {len(placed)} slab{'s' * (len(placed) != 1)} "
        f"({frames} frames); slabs that are full and on no list: {full}.{more}"
    )
