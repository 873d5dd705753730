"""Pages for people: one for each student, with the notebook and what each answer points to; one for the class.

Everything that came from a notebook is escaped. What is hidden stays hidden: no expected value and no seed is in
the results these pages are made from.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from .judge import Result, points
from .results import Results
from .submission import Unreadable, read

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .3rem .8rem; border-bottom: 1px solid #bbb; }
pre { background: #f3f3f3; padding: .6rem; overflow-x: auto; white-space: pre-wrap; font-size: 14px; }
section { border-left: 6px solid #b35900; padding-left: 1rem; margin: 1.2rem 0; }
section.right { border-color: #00683a; }
"""
WORDS = {
    "right": "right",
    "belief": "not right: a belief is recognised",
    "unknown": "not right",
    "error": "stops with an error",
    "blank": "not answered",
    "unreadable": "cannot be read",
    "lost": "could not be asked",
}
MOST_NAME = 50  # letters; each has up to four bytes, and a file's name 255
BAR = 180  # pixels of the longest bar


def page(title: str, body: Iterable[str]) -> str:
    """A whole page."""
    return "\n".join([
        "<!doctype html>", '<html lang="en"><head><meta charset="utf-8">', f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style></head><body>", f"<h1>{escape(title)}</h1>", *body, "</body></html>\n",
    ])  # fmt: skip


def student_page(
    learner: str,
    lesson: str,
    rows: Sequence[Result],
    stopped: Sequence[str],
    notes: Sequence[str],
    cells: Sequence[str],
) -> str:
    """One student's page: verdict by verdict, then the notebook as it was graded."""
    got, most = points(rows)
    body = [f"<p><strong>{got} of {most} points.</strong></p>"] if rows else []
    body += [f"<p>{escape(_first_upper(note))}.</p>" for note in notes if note.startswith("could not grade")]
    body += [_section(row) for row in rows]
    if stopped:
        body += ["<h2>Cells that stopped</h2>", "<ul>", *(f"<li>{escape(line)}</li>" for line in stopped), "</ul>"]
        body.append("<p>A cell that stops costs nothing by itself: only answers count.</p>")
    body.append("<h2>Your code, as it was graded</h2>")
    body += [
        f"<h3>Code cell {number}</h3><pre>{escape(cell)}</pre>" for number, cell in enumerate(cells, 1) if cell.strip()
    ]
    return page(f"Lesson {lesson}: {learner}" if lesson else learner, body)


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _section(row: Result) -> str:
    lines = f"<pre>{escape(row.lines)}</pre>" if row.lines else ""
    kind = "right" if row.kind == "right" else "wrong"
    title = f"<h2>{escape(row.item)}: {WORDS.get(row.kind, row.kind)}, {row.got} of {row.points} points</h2>"
    return f'<section class="{kind}">{title}<p>{escape(row.text).replace(chr(10), "<br>")}</p>{lines}</section>'


def class_page(results: Results) -> str:
    """The class: the commonest beliefs as a figure with its table, what needs a look, each item, each student."""
    scores: list[tuple[str, ...]] = []
    looks: dict[str, list[str]] = {}
    for learner, lesson, _, stopped, notes in results.submissions():
        got, most = points(results.rows(learner, lesson))
        link = f'<a href="{page_name(learner, lesson)}">{escape(learner)}</a>'
        scores.append((link, lesson, f"{got} of {most}", str(len(stopped))))
        for said in notes:
            looks.setdefault(said, []).append(learner)
    lines = [f"<li>{escape(_first_upper(said))}: {escape(_listed(who))}</li>" for said, who in looks.items()]
    items = [
        (item, f"{right} of {asked}", str(asked - right - blank), str(blank))
        for item, asked, right, blank in results.items()
    ]
    body = ["<h2>The commonest beliefs behind wrong answers</h2>", beliefs_figure(results.beliefs())]
    body += ["<h2>Worth a look</h2>", "<ul>", *(lines or ["<li>nothing</li>"]), "</ul>"]
    body += ["<h2>The items</h2>", _table(("item", "right", "not right", "not answered"), items)]
    body += ["<h2>Scores</h2>", _table(("student", "lesson", "points", "cells that stopped"), scores)]
    return page("The class", body)


def _listed(names: Sequence[str]) -> str:
    """Names, or how many and the names."""
    return names[0] if len(names) == 1 else f"{len(names)} notebooks ({', '.join(names)})"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are HTML already."""
    lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    return (
        "<table><tr>"
        + "".join(f"<th>{head}</th>" for head in heads)
        + "</tr>"
        + "".join(f"<tr>{line}</tr>\n" for line in lines)
        + "</table>"
    )


def beliefs_figure(rows: Sequence[tuple[str, str, int]], most: int = 12) -> str:
    """Bars of how many students hold which belief; the picture says so in words, and the table has all of them."""
    if not rows:
        return "<p>No wrong answer pointed to a belief.</p>"
    shown, largest = rows[:most], rows[0][2]
    first = f"The commonest, {rows[0][2]} of them, at {rows[0][0]}: {rows[0][1]}."
    parts = [
        f'<svg role="img" aria-label="{escape(first)}" width="860" height="{26 * len(shown) + 10}" font-size="14">'
    ]
    for number, (item, belief, count) in enumerate(shown):
        y, width = 26 * number + 6, max(2, BAR * count // largest)
        words = belief if len(belief) < 52 else belief[:50] + "…"
        parts.append(f'<rect x="0" y="{y}" width="{width}" height="18" fill="#2b5c8a"/>')
        parts.append(f'<text x="{width + 8}" y="{y + 14}">{count} · {escape(item)} · {escape(words)}</text>')
    cells = [(escape(item), escape(belief), str(count)) for item, belief, count in rows]
    return "\n".join([*parts, "</svg>", _table(("item", "they believe that", "students"), cells)])


def write_pages(results: Results, folder: Path) -> int:
    """index.html and a page for each student and lesson; how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for learner, lesson, path, stopped, notes in results.submissions():
        try:
            cells: Sequence[str] = read(path, lesson).cells
        except Unreadable:
            cells = ()
        text = student_page(learner, lesson, results.rows(learner, lesson), stopped, notes, cells)
        _write(folder / page_name(learner, lesson), text)
        count += 1
    _write(folder / "index.html", class_page(results))
    return count


def page_name(learner: str, lesson: str) -> str:
    """The file of a student's page in one lesson."""
    return f"{file_name(learner)}-{lesson or 'unread'}.html"


def file_name(learner: str) -> str:
    """A learner's id as the beginning of a file's name, whatever is in it and however long it is."""
    name = re.sub(r"[^\w.@-]", "_", learner).lstrip(".")[:MOST_NAME] or "_"
    return name if name == learner else f"{name}-{hashlib.sha256(learner.encode()).hexdigest()[:8]}"


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
