"""Pages that move, as pictures: who is told of which change, the story of one page, and the race of remedies."""

from __future__ import annotations

from collections.abc import Sequence

from ..process.events import place_words
from ..process.frame_race import Score
from ..process.notify import Move
from ..process.ways import KINDS, WAYS
from . import svg
from .drawing import Drawing, Table
from .ruler import MARGIN, WIDTH

LEFT, MATRIX_LEFT = 150, 100  # of the story's and the matrix's cells
LINE, TOP = 24, 56
SHOWN = 8  # moves in one picture
BAR_LEFT, BAR_WIDE = 150, 300
MATRIX_KINDS = ("map", "swap out", "drop", "swap in", "migrate", "merge", "collapse", "copy", "unmap", "move away")


def who_tells(kinds: Sequence[str] = MATRIX_KINDS) -> Drawing:
    """Kinds of change against ways to hear of them: a filled box tells, an empty one stays silent."""
    wide = (WIDTH - MARGIN - MATRIX_LEFT) / len(WAYS)
    parts = [svg.text(MARGIN, 16, "Who tells of a change of (process, address) → frame", more='font-weight="bold"')]
    parts += [svg.text(WIDTH - MARGIN, 16, "filled, ✓: told · empty: silent", "end")]
    for column, way in enumerate(WAYS):
        parts.append(svg.text(MATRIX_LEFT + (column + 0.5) * wide, 38, way.name, "middle"))
    for row, kind in enumerate(kinds):
        y = TOP - 6 + row * LINE
        parts.append(svg.text(MARGIN, y + 15, kind))
        for column, way in enumerate(WAYS):
            parts += _mark(MATRIX_LEFT + column * wide + 3, y, wide - 6, kind in way.says)
    rows = [(kind, KINDS[kind], *(way.says.get(kind, "silent") for way in WAYS)) for kind in kinds]
    table = Table(("change", "what it is", *(way.name for way in WAYS)), rows)
    told = [f"{way.name} of {sum(kind in way.says for kind in kinds)}" for way in WAYS]
    alt = f"Of {len(kinds)} kinds of change, these tell: {', '.join(told)}."
    return Drawing(alt=alt, table=table, svg=svg.picture(WIDTH, TOP + len(kinds) * LINE + 4, parts))


def ways_compared() -> Table:
    """Of each way to hear of a change: for whom, when, at what cost, and by what it is fooled."""
    columns = ("way", "for whom", "tells", "costs", "is fooled", "since Linux")
    return Table(columns, [(w.name, w.side, w.when, w.cost, w.fooled, w.since) for w in WAYS])


def _mark(x: float, y: int, wide: float, is_told: bool) -> list[str]:
    box = svg.rect(x, y, wide, 20, "Normal" if is_told else "#fff", svg.INK if is_told else "#bbb")
    if not is_told:
        return [box]
    plate = svg.rect(x + wide / 2 - 9, y + 2, 18, 16, "#fff", "none")
    return [box, plate, svg.text(x + wide / 2, y + 15, "✓", "middle")]


def page_story(moves: Sequence[Move], title: str) -> Drawing:
    """The last changes of one page, left to right: where it was and is, and who told of it."""
    shown = list(moves)[-SHOWN:]
    first = len(moves) - len(shown) + 1
    parts = [svg.text(MARGIN, 16, title, more='font-weight="bold"')]
    parts.append(svg.text(WIDTH - MARGIN, 16, "✓: told · bold edge: a remembered frame is wrong now", "end"))
    names = ("change", "now at", *(way.name for way in WAYS))
    for row, name in enumerate(names):
        parts.append(svg.text(MARGIN, TOP + 15 + row * LINE, name))
    wide = (WIDTH - MARGIN - LEFT) / SHOWN
    for column, move in enumerate(shown):
        x = LEFT + column * wide
        edge = 'stroke-width="3"' if move.is_stale else ""
        parts.append(svg.text(x + wide / 2, TOP - 6, f"{first + column}", "middle"))
        parts.append(svg.rect(x + 2, TOP, wide - 4, 20, "#fff", more=edge))
        parts.append(svg.text(x + wide / 2, TOP + 15, move.kind, "middle"))
        parts.append(svg.text(x + wide / 2, TOP + 15 + LINE, _short(move), "middle"))
        for row, way in enumerate(WAYS, 2):
            parts += _mark(x + 2, TOP + row * LINE, wide - 4, way.name in move.heard)
    if not shown:
        parts.append(svg.text(LEFT, TOP + 15, "Nothing has changed yet."))
    rows = [_story_row(number, move) for number, move in enumerate(moves, 1)]
    table = Table(("number", "change", "cause", "from", "to", "told by"), rows or [("-",) * 6])
    height = TOP + len(names) * LINE + 4
    return Drawing(alt=_story_says(moves), table=table, svg=svg.picture(WIDTH, height, parts))


def _short(move: Move) -> str:
    new = move.change.new
    if new is None:
        return "nothing"
    return f"{new:#x}" if isinstance(new, int) else f"slot {new.offset}"


def _story_row(number: int, move: Move) -> tuple[object, ...]:
    change = move.change
    told = "; ".join(f"{name}: {said}" for name, said in move.heard.items()) or "nobody"
    return number, move.kind, change.cause, place_words(change.old), place_words(change.new), told


def _story_says(moves: Sequence[Move]) -> str:
    if not moves:
        return "Nothing has changed since the watch began."
    stale = sum(move.is_stale for move in moves)
    last = moves[-1]
    by = ", ".join(last.heard) or "nobody"
    return (
        f"{len(moves)} change{'' if len(moves) == 1 else 's'}; {stale} of them made a remembered frame wrong. "
        f"The last: {last.kind}, now at {place_words(last.change.new)}; told by {by}."
    )


def race_bars(scores: Sequence[Score], title: str) -> Drawing:
    """Stale uses of each remedy as bars, and what it paid."""
    most = max((score.uses for score in scores), default=1) or 1
    parts = [svg.text(MARGIN, 16, title, more='font-weight="bold"')]
    parts.append(svg.text(MARGIN + BAR_LEFT, 40, "uses of a wrong frame"))
    parts.append(svg.text(BAR_LEFT + BAR_WIDE + 130, 40, "paid"))
    rows: list[tuple[object, ...]] = []
    for number, score in enumerate(scores):
        y, long = TOP - 6 + number * LINE, BAR_WIDE * score.stale_uses / most
        parts.append(svg.text(MARGIN, y + 15, score.name))
        parts.append(svg.rect(MARGIN + BAR_LEFT, y, BAR_WIDE, 20, "#fff", "#bbb"))
        if score.stale_uses:
            parts.append(svg.rect(MARGIN + BAR_LEFT, y, long, 20, "added"))
        words = f"{score.stale_uses} of {score.uses}" if score.stale_uses else "none ✓"
        parts.append(svg.text(MARGIN + BAR_LEFT + BAR_WIDE + 8, y + 15, words))
        parts.append(svg.text(BAR_LEFT + BAR_WIDE + 130, y + 15, _paid(score)))
        why = ", ".join(f"{count} by {name}" for name, count in score.stale.most_common()) or "-"
        rows.append((score.name, score.stale_uses, score.uses, why, _paid(score)))
    best = min(scores, key=lambda score: score.stale_uses)
    worst = max(scores, key=lambda score: score.stale_uses)
    alt = (
        f"Uses of a wrong frame, of {most}: from {best.stale_uses} ({best.name}) to {worst.stale_uses} ({worst.name})."
    )
    if not worst.stale_uses:
        alt = f"No remedy used a wrong frame in {most} uses."
    table = Table(("remedy", "uses of a wrong frame", "of", "made wrong by", "paid"), rows)
    return Drawing(alt=alt, table=table, svg=svg.picture(WIDTH, TOP + len(scores) * LINE + 4, parts))


def _paid(score: Score) -> str:
    words = {"calls": "call{}", "words": "word{} read", "callbacks": "callback{}", "held": "frame{} held"}
    paid = {said: score.cost[name] for name, said in words.items() if score.cost[name]}
    return ", ".join(f"{count:,} {said.format('' if count == 1 else 's')}" for said, count in paid.items())
