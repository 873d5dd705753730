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
    """The class: scores, what needs a look, and the commonest beliefs as a figure with its table."""
    scores, looks = [], []
    for learner, lesson, _, stopped, notes in results.submissions():
        got, most = points(results.rows(learner, lesson))
        scores.append(
            f"<tr><td>{escape(learner)}</td><td>{lesson}</td><td>{got} of {most}</td><td>{len(stopped)}</td></tr>"
        )
        looks += [f"<li>{escape(learner)}: {escape(note)}</li>" for note in notes]
    body = ["<h2>The commonest beliefs behind wrong answers</h2>", beliefs_figure(results.beliefs())]
    body += ["<h2>Worth a look</h2>", "<ul>", *(looks or ["<li>nothing</li>"]), "</ul>"]
    body += [
        "<h2>Scores</h2>",
        "<table><tr><th>student</th><th>lesson</th><th>points</th><th>cells that stopped</th></tr>",
    ]
    return page("The class", [*body, *scores, "</table>"])


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
    cells = [
        f"<tr><td>{escape(item)}</td><td>{escape(belief)}</td><td>{count}</td></tr>" for item, belief, count in rows
    ]
    table = ["<table><tr><th>item</th><th>they believe that</th><th>students</th></tr>", *cells, "</table>"]
    return "\n".join([*parts, "</svg>", *table])


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
        _write(folder / f"{file_name(learner)}-{lesson or 'unread'}.html", text)
        count += 1
    _write(folder / "index.html", class_page(results))
    return count


def file_name(learner: str) -> str:
    """A learner's id as the beginning of a file's name, whatever is in it and however long it is."""
    name = re.sub(r"[^\w.@-]", "_", learner).lstrip(".")[:MOST_NAME] or "_"
    return name if name == learner else f"{name}-{hashlib.sha256(learner.encode()).hexdigest()[:8]}"


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
