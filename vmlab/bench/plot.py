"""The results as a picture: how far each ratio is from its goal, on a logarithmic scale, readable in grey.

A filled dot met its goal, a cross missed it; the line in the middle is the goal. What the picture says stands in the
file too, as its alternative text: a title and a description in SVG, the comment "Description" in PNG.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..units import VmlabError
from .measure import Result
from .report import number, summary

SUFFIXES = (".svg", ".png")
TITLE = "Our time against the reference's: how far from the goal"


def check(path: Path) -> None:
    """Refuse a name whose ending is neither of those that can be drawn."""
    if path.suffix.lower() not in SUFFIXES:
        raise VmlabError(f"--plot: expected a file name that ends in .svg or .png, got {path.name!r}")


def alt(results: Sequence[Result]) -> str:
    """What the picture shows, in words: how many goals are met, and which are missed by how much."""
    missed = [f"{each.name} ({number(each.ratio)}, goal {number(each.goal)})" for each in results if each.is_missed]
    return f"{summary(results)} " + (f"Missed: {'; '.join(missed)}." if missed else "None is missed.")


def plot(path: Path, results: Sequence[Result]) -> None:
    """Draw what was measured; the file is there whole or not at all."""
    import matplotlib

    check(path)
    measured = [each for each in results if not each.reason]
    if not measured:
        raise VmlabError("--plot: nothing was measured, so there is nothing to draw")
    unfinished = path.with_name(f"{path.stem}.tmp{path.suffix}")
    kind, said = path.suffix.lower(), alt(results)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "vmlab", "font.size": 9}):
        figure = _figure(measured)
        metadata = {"Title": TITLE, "Description": said} | ({"Date": None} if kind == ".svg" else {})
        figure.savefig(unfinished, format=kind[1:], dpi=120, metadata=metadata)
    if kind == ".svg":
        unfinished.write_text(_spoken(unfinished.read_text(encoding="utf-8"), said), encoding="utf-8")
    unfinished.replace(path)


def _figure(results: Sequence[Result]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 1.3 + 0.21 * len(results)), layout="constrained")
    axes = figure.subplots()
    levels = range(len(results))
    good = [(each.ratio / each.goal, at) for at, each in enumerate(results) if each.is_good]
    bad = [(each.ratio / each.goal, at) for at, each in enumerate(results) if not each.is_good]
    for at, each in enumerate(results):
        axes.plot([each.ratio / each.goal, 1], [at, at], color="#999999", linewidth=1, zorder=1)
    kinds = ((good, "o", "#0072b2", "goal met"), (bad, "X", "#d55e00", "goal missed"))
    for points, mark, colour, words in kinds:
        if points:
            across, down = zip(*points, strict=True)
            axes.scatter(across, down, marker=mark, color=colour, edgecolor="#1a1a1a", label=words, zorder=3)
    axes.axvline(1, color="#1a1a1a", linewidth=1.5)
    axes.set_xscale("log")
    axes.set_yticks(levels, [f"{each.suite}: {each.name}, against {each.against}" for each in results])
    axes.set_ylim(len(results) - 0.4, -0.6)
    for at, each in enumerate(results):
        words = f"{number(each.ratio)} (goal {number(each.goal)})"
        axes.annotate(words, (1.01, at), xycoords=("axes fraction", "data"), va="center", annotation_clip=False)
    axes.grid(axis="x", color="#dddddd")
    axes.set_axisbelow(True)
    axes.set_xlabel("ratio / goal, logarithmic: left of the line is better than the goal")
    axes.set_title(TITLE)
    figure.legend(loc="outside lower left", frameon=False, ncols=2)
    return figure


def _spoken(svg: str, said: str) -> str:
    """The SVG with a title and a description that a screen reader speaks."""
    head, tag, rest = svg.partition("<svg ")
    opening, close, body = rest.partition(">")
    words = f'<title id="t">{escape(TITLE)}</title><desc id="d">{escape(said)}</desc>'
    return f'{head}{tag}role="img" aria-labelledby="t d" {opening}{close}{words}{body}'
