"""A replacement policy between two references: the string, and every list or ring that the policy keeps."""

from __future__ import annotations

from collections.abc import Sequence

from ..process.replay import Moment, Reference, Replay
from . import svg
from .drawing import Drawing, Table
from .ruler import MARGIN, WIDTH

LEFT, TOP, CELL, BOX, PITCH = 128, 40, 38, 58, 52
KEYS = {  # what the marks below a page mean, where a policy has any
    "fifo": "▲ the hand: this page goes next",
    "clock": "▲ the hand: here the search for a victim begins · R=1: used since the hand passed",
    "sieve": "▲ the hand · visited: used since the hand passed",
    "s3fifo": "used n×: how often since it came, up to 3",
    "lirs": "LIR: used at short intervals, stays · HIR: at long ones · gone: remembered, not in memory",
    "linux": "A: accessed bit set · ref: PG_referenced set",
    "mglru": "g0, g1 ...: the page's generation · A: accessed bit set",
}
SHOWN = (WIDTH - LEFT - MARGIN) // CELL  # references in sight
MOST = (WIDTH - LEFT - MARGIN) // BOX - 1  # pages of a queue in sight


def queues(story: Replay, step: int) -> Drawing:
    """The state after `step` references: hits and misses so far, who went last, what each queue holds."""
    step = min(step, len(story.references))
    done, moment = story.references[:step], story.at(step)
    last = done[-1] if done else None
    missed = sum(not each.is_hit for each in done)
    parts = [
        svg.text(MARGIN, 16, f"{story.policy.title}, {_counted(story.frames, 'frame')}", more='font-weight="bold"'),
        svg.text(WIDTH - MARGIN, 16, f"{_counted(missed, 'miss', 'misses')} in {_counted(step, 'reference')}", "end"),
    ]
    parts += _string(story, step)
    y = TOP + 74
    rows = []
    for name, pages in moment.queues.items():
        parts += _queue(story, name, pages, moment, last, y)
        rows += [
            (name, place, page, mark_words(story, moment, name, place, page)) for place, page in enumerate(pages, 1)
        ]
        y += PITCH
    key = "bold: this reference (orange: it missed)" + (
        f" · {KEYS[story.policy.name]}" if story.policy.name in KEYS else ""
    )
    parts.append(svg.text(MARGIN, y + 8, key))
    count = _counted(missed, "miss", "misses")
    alt = f"After {step} of {len(story.references)} references: {count}. " + says(story, moment, last)
    table = Table(("where", "place", "page", "what is kept of it"), rows or [("-", "-", "nothing yet", "-")])
    return Drawing(alt=alt, table=table, svg=svg.picture(WIDTH, y + 18, parts))


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def says(story: Replay, moment: Moment, last: Reference | None) -> str:
    """The last reference, and what is in memory."""
    inside = ", ".join(map(str, sorted(moment.resident))) or "nothing"
    told = f"{' '.join(last.tell().split()[1:])}. " if last else ""
    return f"{told[:1].upper()}{told[1:]}In memory: {inside}."


def mark_words(story: Replay, moment: Moment, queue: str, place: int, page: int) -> str:
    """What the policy keeps of a page, in its own words."""
    name, mark = story.policy.name, moment.marks[page]
    words = []
    if queue in story.policy.ghosts:
        words.append("ghost: not in memory")
    elif name == "clock":
        words.append("R = 1" if mark == 2 else "R = 0")
    elif name == "sieve":
        words.append("visited" if mark == 2 else "not visited")
    elif name == "s3fifo":
        words.append(f"used {mark & 3}×")
    elif name == "lirs":
        words.append("LIR" if mark & 2 else "HIR" if mark & 1 else "HIR, not in memory")
    elif name == "linux":
        words += [text for bit, text in ((4, "accessed"), (8, "PG_referenced")) if mark & bit]
    elif name == "mglru":
        words.append(f"generation {mark >> 2}" + (", accessed" if mark & 2 else ""))
    if name in ("fifo", "clock") and place - 1 == moment.hand % max(1, story.frames):
        words.append("hand")
    if name == "sieve" and page == moment.hand:
        words.append("hand")
    return ", ".join(words) or "-"


def _string(story: Replay, step: int) -> list[str]:
    """The references around the present one, with hit or miss below each that was made."""
    start = max(0, min(step - SHOWN // 2, len(story.references) - SHOWN))
    parts = [svg.text(MARGIN, TOP + 20, "references"), svg.text(MARGIN, TOP + 44, "hit or miss")]
    for place, each in enumerate(story.references[start : start + SHOWN]):
        x, number = LEFT + place * CELL, start + place
        edge = 'stroke-width="3"' if number == step - 1 else 'stroke-opacity=".4"'
        parts.append(svg.rect(x, TOP + 4, CELL - 4, 24, "#fff", more=edge))
        parts.append(svg.text(x + CELL / 2 - 2, TOP + 21, _short(each.page), "middle"))
        if number < step:
            parts.append(svg.text(x + CELL / 2 - 2, TOP + 44, "hit" if each.is_hit else "miss", "middle"))
    return parts


def _queue(story: Replay, name: str, pages: Sequence[int], moment: Moment, last: Reference | None, y: int) -> list[str]:
    """One row: a box a page, and below it what is kept of it."""
    ghost = name in story.policy.ghosts
    parts = [svg.text(MARGIN, y + 18, name), svg.text(MARGIN, y + 33, "(ghosts)" if ghost else "")]
    for place, page in enumerate(pages[:MOST]):
        x = LEFT + place * BOX
        new = last is not None and page == last.page
        fill = "hole" if ghost else "mem_map" if new and not last.is_hit else "DMA"  # type: ignore[union-attr]
        edge = 'stroke-width="3"' if new else ""
        parts.append(svg.rect(x, y, BOX - 8, 26, fill, more=edge))
        parts.append(svg.rect(x + 12, y + 5, BOX - 32, 17, "#fff", "none"))
        weight = 'font-weight="bold"' if new else ""
        parts.append(svg.text(x + BOX / 2 - 4, y + 18, _short(page), "middle", weight))
        words = _brief(mark_words(story, moment, name, place + 1, page))
        parts.append(svg.text(x + BOX / 2 - 4, y + 40, words, "middle"))
    if not pages:
        parts.append(svg.text(LEFT, y + 18, "empty"))
    if len(pages) > MOST:
        parts.append(svg.text(LEFT + MOST * BOX, y + 18, f"+ {len(pages) - MOST}"))
    return parts


def _brief(words: str) -> str:
    """The same in six letters or so."""
    short = {
        "ghost: not in memory": "",
        "HIR, not in memory": "gone",
        "not visited": "",
        "visited": "visited",
        "accessed": "A",
        "PG_referenced": "ref",
        "-": "",
    }
    pieces = [words] if words in short else words.split(", ")
    pieces = [short.get(piece, piece.replace("generation ", "g").replace(" = ", "=")) for piece in pieces]
    return " ".join(piece for piece in ("▲" if piece == "hand" else piece for piece in pieces) if piece)


def _short(page: int) -> str:
    digits = str(page)
    return digits if len(digits) <= 3 else f"…{digits[-2:]}"
