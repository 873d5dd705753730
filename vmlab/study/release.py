"""`vmlab release`: build what learners open from `lessons/`, the one source of it.

`lessons/NN-topic.py` (py:percent) becomes `notebooks/NN-topic.ipynb`, and `NN-topic.exercise.py` becomes
`solutions/NN-topic.ipynb` and `exercises/NN-topic.ipynb`: outputs empty, cell ids fixed, the same bytes however
often they are built. Terms are linked to a copy of `docs/GLOSSARY.md`. `--check` builds nothing and says
which files differ. `docs/SOURCES.md` is made of the tables at the lessons' ends.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from ..units import VmlabError
from . import assignment
from .glossary import link_first_uses, terms

LESSON = re.compile(r"\d\d-[a-z0-9_-]+\.py")
EXERCISE = re.compile(r"\d\d-[a-z0-9_-]+\.exercise\.py")
BUILT = ("notebooks", "solutions", "exercises")
SOURCES = (
    "# Sources",
    "",
    "Every claim that a lesson makes about Linux, with the version and the file it was read in, or the record that",
    "shows it. `vmlab release` builds this table from the last sections of `lessons/`; modules name their own sources.",
    "",
    "| lesson | claim | source |",
    "|---|---|---|",
)
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `vmlab release`."""
    parser.add_argument("--check", action="store_true", help="build nothing; fail if a built file is out of date")
    parser.add_argument("--root", type=Path, help="the folder that has lessons/ in it (default: found)")


def run(args: argparse.Namespace) -> int:
    """Build everything, or compare; returns 1 if `--check` finds a difference."""
    root = project(args.root)
    wanted = built(root)
    stale = [path for path, content in wanted.items() if _read(path) != content]
    left = [path for folder in BUILT for path in sorted((root / folder).glob("*.ipynb")) if path not in wanted]
    for path in stale:
        if not args.check:
            write(path, wanted[path])
        print(f"{'differs' if args.check else 'built'}: {path.relative_to(root)}")
    for path in left:
        source = f"{path.stem}{'' if path.parent.name == 'notebooks' else '.exercise'}.py"
        print(f"has no source: {path.relative_to(root)}; remove it, or add lessons/{source}")
    if args.check and (stale or left):
        print("Run `vmlab release` and commit what it writes.")
        return 1
    print(f"{len(wanted)} files are up to date.")
    return 0


def project(root: Path | None) -> Path:
    """The folder with `lessons/`: the one given, the checkout this package is in, or where we stand."""
    for folder in [root] if root else [Path(__file__).resolve().parents[2], Path.cwd()]:
        if (folder / "lessons").is_dir():
            return folder
    raise VmlabError("there is no lessons/ here: run in a copy of the repository, or name one with --root")


def built(root: Path) -> dict[Path, bytes]:
    """Every file that `lessons/` leads to, with its content."""
    made: dict[Path, bytes] = {}
    glossary = root / "docs" / "GLOSSARY.md"
    words = glossary.read_text(encoding="utf-8") if glossary.is_file() else ""
    if words:
        made[root / "notebooks" / glossary.name] = words.encode()
        made[glossary.with_name("SOURCES.md")] = sources(root / "lessons").encode()
    for source in sorted((root / "lessons").glob("*.py")):
        if LESSON.fullmatch(source.name):
            made[root / "notebooks" / f"{source.stem}.ipynb"] = notebook(source, words)
        elif EXERCISE.fullmatch(source.name):
            for folder, content in exercise(source).items():
                made[root / folder / f"{source.stem.removesuffix('.exercise')}.ipynb"] = content
    return made


def notebook(source: Path, glossary: str = "") -> bytes:
    """One lesson as a notebook, its terms linked to the glossary: the file's exact bytes."""
    cells = _cells(source)
    link_first_uses(cells, terms(glossary))
    for number, cell in enumerate(cells, 1):
        cell["id"] = f"{source.stem[:48]}-{number:02}"
        cell["metadata"] = {}
    return _bytes(_book(cells))


def sources(lessons: Path) -> str:
    """The table of every lesson's sources, each row with the lesson's number."""
    rows = []
    for source in sorted(lessons.glob("*.py")):
        if LESSON.fullmatch(source.name):
            text = source.read_text(encoding="utf-8")
            _, found, table = text.partition("\n# ## Sources\n")
            if not found:
                raise VmlabError(f"{source.name}: expected a section '## Sources' at its end, found none; add it")
            rows += [f"| {source.name[:2]} {row}" for row in re.findall(r"(?m)^# (\|.*\|)$", table)[2:]]
    return "\n".join([*SOURCES, *rows, ""])


def exercise(source: Path) -> dict[str, bytes]:
    """One exercise with and without its solutions: the exact bytes of two notebooks, by folder."""
    stem = source.stem.removesuffix(".exercise")
    book = _book(assignment.with_solutions(_cells(source), stem))
    return {"solutions": _bytes(book), "exercises": _bytes(assignment.without_solutions(book))}


def _cells(source: Path) -> list[Any]:
    import jupytext

    cells: list[Any] = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent").cells
    for cell in cells:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return cells


def _book(cells: list[Any]) -> Any:
    import nbformat

    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata, nbformat_minor=5)


def _bytes(book: Any) -> bytes:
    import nbformat

    nbformat.validate(book)
    return (nbformat.writes(book, version=nbformat.NO_CONVERT).rstrip("\n") + "\n").encode()


def write(path: Path, content: bytes) -> None:
    """To a temporary name first, so that a build that stops halfway leaves the old file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(name).chmod(0o644)
    Path(name).replace(path)


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
