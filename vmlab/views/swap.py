"""Three processes, the frames and the swap slots after one step of the story: who is where, and by which entry."""

from __future__ import annotations

from ..process.story import Scene
from . import svg
from .drawing import Drawing, Table
from .ruler import MARGIN, WIDTH

SLOTS_SHOWN = 8
TOP, GAP = 50, 12


def swap_story(scene: Scene, title: str) -> Drawing:
    """One scene: an entry for each process, what is in RAM, and every slot's byte with those who name it."""
    parts = [svg.text(MARGIN, 18, title, more='font-weight="bold"')]
    parts += [svg.text(MARGIN, 38, scene.what)]
    names = list(scene.entries)
    pitch = (WIDTH - 2 * MARGIN + GAP) / max(len(names), 3)
    for number, name in enumerate(names):
        parts += _process(MARGIN + number * pitch, pitch - GAP, name, scene)
    parts += _ram(scene)
    parts += _slots(scene)
    rows: list[tuple[object, ...]] = [
        (f"{name}'s entry for 0x400000", f"{entry:#x}", scene.walks[name]) for name, entry in scene.entries.items()
    ]
    rows.append(("in RAM", scene.frame or "nobody's page", ""))
    rows += [(f"slot {slot}", _byte(byte), _held(scene, slot)) for slot, byte in scene.slots.items()]
    drawing = svg.picture(WIDTH, 300, parts)
    return Drawing(alt=_says(scene), table=Table(("what", "holds", "that is"), rows), svg=drawing)


def _process(x: float, wide: float, name: str, scene: Scene) -> list[str]:
    runs = name == scene.who
    edge = 'stroke-width="3.5"' if runs else ""
    entry = scene.entries[name]
    where = scene.walks[name]
    fill = "DMA" if where.startswith("frame") else "added" if where.startswith("slot") else "free"
    return [
        svg.text(x, TOP + 16, f"{name}{' (runs)' if runs else ''}: entry for 0x400000", more='font-weight="bold"'),
        svg.rect(x, TOP + 24, wide, 46, fill, more=edge),
        *_plate(x + wide / 2, TOP + 43, f"{entry:#x}"),
        *_plate(x + wide / 2, TOP + 62, where),
    ]


def _plate(x: float, y: float, words: str) -> list[str]:
    """Words on white, so that a pattern behind them does not hide them."""
    wide = len(words) * 7.2 + 8
    return [svg.rect(x - wide / 2, y - 13, wide, 17, "#fff", "none"), svg.text(x, y, words, "middle")]


def _ram(scene: Scene) -> list[str]:
    held = f"0x400000 of {scene.frame}" if scene.frame else "nobody's page yet"
    return [
        svg.text(MARGIN, 150, "In RAM", more='font-weight="bold"'),
        svg.rect(MARGIN, 158, WIDTH - 2 * MARGIN, 34, "DMA" if scene.frame else "free"),
        *_plate(WIDTH / 2, 180, held),
    ]


def _slots(scene: Scene) -> list[str]:
    parts = [svg.text(MARGIN, 222, "Swap area 0: slots, and who names them", more='font-weight="bold"')]
    wide = (WIDTH - 2 * MARGIN) / SLOTS_SHOWN
    for slot in range(SLOTS_SHOWN):
        x, byte = MARGIN + slot * wide, scene.slots.get(slot, 0)
        fill = "boot" if slot == 0 else "added" if byte else "free"
        parts.append(svg.rect(x + 1, 230, wide - 4, 40, fill))
        words = "header" if slot == 0 else ", ".join(scene.holders.get(slot, ())) or ("cache" if byte else "free")
        parts += _plate(x + wide / 2, 247, words)
        if byte:
            parts += _plate(
                x + wide / 2, 265, f"count {byte & 63}" + (", cache" if byte & 64 and words != "cache" else "")
            )
        parts.append(svg.text(x + wide / 2, 288, f"slot {slot}", "middle"))
    return parts


def _byte(byte: int) -> str:
    return f"count {byte & 63}" + (", and in the swap cache" if byte & 64 else "")


def _held(scene: Scene, slot: int) -> str:
    return "named by " + (" and ".join(scene.holders.get(slot, ())) or "nobody")


def _says(scene: Scene) -> str:
    where = "; ".join(f"{name}'s page: {walk}" for name, walk in scene.walks.items())
    kind = f" That was a {scene.kind} fault." if scene.kind else ""
    return f"After step {scene.number}: {scene.what}{kind} {where}. In RAM: {scene.frame or 'nobody'}."
