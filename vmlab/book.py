"""`vmlab book`: a static book made of the notebooks, to be read without a server, without a network, without widgets.

Each notebook is executed afresh with no answer kept; what is shown are the static forms: the default picture of every
explorer, the result of every prediction under a fold. Left out: everything that has to be pressed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

from .study.lessons import LESSONS, START, Lesson
from .study.release import project, write
from .units import VmlabError

SECONDS_A_CELL = 300
WIDGET = "application/vnd.jupyter.widget-view+json"
STYLE = """
body { max-width: 64em; margin: 0 auto; padding: 1em; font: 16px/1.5 system-ui, 'DejaVu Sans', sans-serif;
  color: #1a1a1a; background: #fff; }
a { color: #00558a; text-decoration: underline; }
nav { margin: 1em 0; }
pre, code { font: 14px/1.4 'DejaVu Sans Mono', monospace; }
pre { background: #f6f6f6; padding: .6em .8em; margin: .4em 0; white-space: pre-wrap; }
blockquote { border-left: 4px solid #777; margin-left: 0; padding-left: 1em; }
table { border-collapse: collapse; margin: .6em 0; }
td, th { border-bottom: 1px solid #ccc; padding: .15em .9em .15em 0; text-align: left; vertical-align: top; }
table:has(th:nth-child(10)) :is(td, th) { min-width: 4em; overflow-wrap: anywhere; }
summary { cursor: pointer; }
.prompt, .anchor-link { display: none; }
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `vmlab book`."""
    parser.add_argument("folder", nargs="?", type=Path, default=Path("book"), help="where to (default: book/ here)")
    parser.add_argument("--lesson", action="append", metavar="05", help="only this lesson (may be given again)")


def run(args: argparse.Namespace) -> int:
    """Execute the notebooks and write the pages; the index is written last."""
    source = project(None) / "notebooks"
    chosen = [lesson for lesson in (START, *LESSONS) if not args.lesson or lesson.number in args.lesson]
    if not chosen:
        raise VmlabError(f"--lesson: expected numbers such as 05, got {', '.join(args.lesson)}")
    with ThreadPoolExecutor(os.cpu_count()) as pool, nothing_kept():
        for lesson, body in zip(
            chosen, pool.map(lambda one: body_of(executed(source / one.file)), chosen), strict=True
        ):
            write(args.folder / html_name(lesson.file), page(lesson.title, body, neighbours(lesson, chosen)).encode())
            print(f"written: {args.folder / html_name(lesson.file)}", flush=True)
    write(args.folder / "GLOSSARY.html", page("Glossary", markdown(source / "GLOSSARY.md")).encode())
    write(args.folder / "index.html", page("vmlab", index(chosen)).encode())
    print(f"The book is in {args.folder.resolve()}: open index.html.")
    return 0


@contextmanager
def nothing_kept() -> Iterator[None]:
    """For a while, kernels start with an empty file of answers, which is deleted afterwards."""
    folder, old = tempfile.mkdtemp(prefix="vmlab-book-"), os.environ.get("VMLAB_PROGRESS")
    os.environ["VMLAB_PROGRESS"] = str(Path(folder) / "progress.json")
    try:
        yield
    finally:
        os.environ.pop("VMLAB_PROGRESS") if old is None else os.environ.update(VMLAB_PROGRESS=old)
        shutil.rmtree(folder, ignore_errors=True)


def executed(path: Path) -> Any:
    """A notebook with the outputs of a fresh run."""
    import nbclient
    import nbformat

    book = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    try:
        nbclient.NotebookClient(book, timeout=SECONDS_A_CELL, resources=resources).execute(stderr=subprocess.DEVNULL)
    except nbclient.exceptions.CellExecutionError as error:
        raise VmlabError(f"{path.name}: a cell failed, and no page was written for it: {error}") from None
    return book


# --- pages ---


def body_of(book: Any) -> str:
    """An executed notebook as HTML: static forms only, links between lessons made links between pages."""
    from nbconvert import HTMLExporter

    for cell in book.cells:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(WIDGET, None)
    book.metadata.pop("widgets", None)
    body, _ = HTMLExporter(
        template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True
    ).from_notebook_node(book)
    return _linked(body)


def markdown(path: Path) -> str:
    """A Markdown file as HTML."""
    import nbformat

    cell = nbformat.v4.new_markdown_cell(path.read_text(encoding="utf-8"))
    return body_of(nbformat.v4.new_notebook(cells=[cell]))


def _linked(body: str) -> str:
    return re.sub(r'href="(?!\w+:)([\w.-]+)\.(?:ipynb|md)(#[^"]*)?"', r'href="\1.html\2"', body)


def page(title: str, body: str, links: str = "") -> str:
    """A whole page: nothing in it is fetched from anywhere."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)} · vmlab</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head>\n<body>{links}<main>{body}</main>{links and links.replace('top', 'bottom')}"
        "</body></html>\n"
    )


def neighbours(lesson: Lesson, all_lessons: Sequence[Lesson]) -> str:
    """Links to the contents, the page before and the page after."""
    place = all_lessons.index(lesson)
    links = ['<a href="index.html">Contents</a>']
    for word, other in (("Before", all_lessons[:place][-1:]), ("Next", all_lessons[place + 1 : place + 2])):
        links += [f'{word}: <a href="{html_name(one.file)}">{escape(one.title)}</a>' for one in other]
    return f'<nav aria-label="Pages, top">{" · ".join(links)}</nav>'


def index(all_lessons: Sequence[Lesson]) -> str:
    """The contents: the map of the lessons, and a row for each."""
    from .views import lesson_map

    rows = "".join(
        f'<tr><td>{one.number}</td><td><a href="{html_name(one.file)}">{escape(one.title)}</a></td>'
        f"<td>{escape(one.question)}</td></tr>"
        for one in all_lessons
    )
    head = '<tr><th scope="col">No.</th><th scope="col">lesson</th><th scope="col">the question behind it</th></tr>'
    return (
        "<h1>How Linux manages memory</h1><p>The lessons of vmlab as they are before anybody has answered: results are "
        "under folds, and every picture shows its first setting. To answer, to move controls and to be told what an "
        f"answer says, run the notebooks.</p><table><thead>{head}</thead><tbody>{rows}</tbody></table>"
        f'<p><a href="GLOSSARY.html">Glossary</a></p>{lesson_map(LESSONS, {}).static_html()}'
    )


def html_name(notebook: str) -> str:
    """The page of a notebook."""
    return f"{Path(notebook).stem}.html"
