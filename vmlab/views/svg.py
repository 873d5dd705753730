"""Small pieces of SVG text: shapes, words, and fills that tell their kinds apart without colour.

Colours are of the Okabe-Ito set, lightened, each with a pattern of its own in the full colour. Sizes are
CSS pixels: 12 is 9 pt, the smallest size used.
"""

from __future__ import annotations

import zlib
from html import escape
from typing import NamedTuple

SMALL = 12  # px, 9 pt
INK = "#1a1a1a"
HALO = 'paint-order="stroke" stroke="#fff" stroke-width="4" stroke-linejoin="round"'  # of words that a line may cross


class Fill(NamedTuple):
    """A light ground with a pattern of lines drawn over it; an empty pattern leaves it plain."""

    ground: str
    ink: str
    pattern: str = ""
    step: int = 8


FILLS = {
    "DMA": Fill("#d9effb", "#56b4e9", "M0 8L8 0"),
    "DMA32": Fill("#e8f5fc", "#56b4e9", "M4 0V8"),
    "Normal": Fill("#d5eee5", "#009e73"),
    "HighMem": Fill("#fbf7c8", "#a89c00", "M1 1h2v2h-2z", 10),
    "Movable": Fill("#fbe6bf", "#e69f00", "M0 4H8"),
    "Device": Fill("#eeeeee", "#555555", "M4 0V4H8"),
    "added": Fill("#f6e3ee", "#cc79a7", "M0 0L8 8M0 8L8 0", 8),
    "free": Fill("#ffffff", "#888888"),
    "hole": Fill("#ffffff", "#888888", "M0 7H2", 8),
    "mem_map": Fill("#d55e00", "#8a3d00"),
    "image": Fill("#bcd9ec", "#0072b2", "M0 0L8 8"),
    "initrd": Fill("#bcd9ec", "#0072b2", "M0 4H8"),
    "cma": Fill("#e6e6e6", "#333333", "M1 1h3v3h-3z", 8),
    "boot": Fill("#9a9a9a", "#555555"),
}


def rect(x: float, y: float, width: float, height: float, fill: str, edge: str = INK, more: str = "") -> str:
    """A box; `fill` is the name of a row of FILLS, or a colour."""
    paint = f"url(#@@{fill})" if fill in FILLS else fill
    return f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" fill="{paint}" stroke="{edge}" {more}/>'


def text(x: float, y: float, words: str, anchor: str = "start", more: str = "") -> str:
    """Words at their baseline."""
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" {more}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, more: str = "") -> str:
    """A thin line."""
    return f'<path d="M{x1:.1f} {y1}L{x2:.1f} {y2}" stroke="{INK}" fill="none" {more}/>'


def picture(width: int, height: int, parts: list[str]) -> str:
    """The whole drawing, with the fills it uses; their names are unique to it, as ids of a page must be."""
    body = "".join(parts)
    used = [name for name in FILLS if f"@@{name})" in body]
    prefix = f"v{zlib.crc32(body.encode()):08x}-"
    whole = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-size="{SMALL}" font-family="system-ui,\'DejaVu Sans\',sans-serif" fill="{INK}" style="display:block">'
        f'<defs>{"".join(map(_pattern, used))}</defs><rect width="100%" height="100%" fill="#fff"/>{body}</svg>'
    )
    return whole.replace("@@", prefix)


def _pattern(name: str) -> str:
    fill = FILLS[name]
    mark = f'<path d="{fill.pattern}" stroke="{fill.ink}" fill="none"/>' if fill.pattern else ""
    return (
        f'<pattern id="@@{name}" width="{fill.step}" height="{fill.step}" patternUnits="userSpaceOnUse">'
        f'<rect width="{fill.step}" height="{fill.step}" fill="{fill.ground}"/>{mark}</pattern>'
    )
