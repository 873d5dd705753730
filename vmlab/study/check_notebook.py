"""`vmlab check NOTEBOOK...`: run the cells of exercises on this machine, and check every answer in them.

It is what the cells' own checks say, in one table: the code is the learner's own and runs as such, with neither a
server nor a sandbox. A cell that stops is named and the next one runs. Without a name, the exercises of this
folder are checked.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

from ..units import VmlabError
from .check import Checked, judged
from .exercise import Exercise, exercise
from .show import silently

ASKS = re.compile(r"""\b(?:ask|check)\(\s*["'](\d\d)\.""")
MAGIC = re.compile(r"^\s*[%!].*$", re.MULTILINE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `vmlab check`."""
    parser.add_argument("notebooks", nargs="*", type=Path, help="exercises to check (default: those in this folder)")


def run(args: argparse.Namespace) -> int:
    """Check each notebook; returns 0 if everything that could be checked is right."""
    paths = args.notebooks or found_here(Path.cwd())
    right = [tell(path) for path in paths]
    return int(not all(right))


def found_here(folder: Path) -> list[Path]:
    """The exercises in a folder, or in its `exercises/`."""
    for place in (folder, folder / "exercises"):
        if paths := [path for path in sorted(place.glob("*.ipynb")) if _lesson(cells(path))]:
            return paths
    raise VmlabError(
        f"no exercises here: expected notebooks in {folder}; name one, as in vmlab check exercises/05*.ipynb"
    )


def tell(path: Path) -> bool:
    """Check one notebook and print what came of it; whether every answer was right."""
    sources = cells(path)
    lesson = _lesson(sources)
    if not lesson:
        raise VmlabError(f"{path}: expected an exercise, which asks something as in ask('05.walk'); found none")
    wanted = exercise(lesson)
    names, stopped = answers(sources)
    results = {item.id: judged(item.entry, names.get(item.name)) for item in wanted.items}
    print(f"{path.name}\n" + "".join(f"  {line}\n" for line in stopped), end="")
    for item in wanted.items:
        said = results[item.id]
        print(f"\n{item.id} ({item.points} points): {'right' if said.kind == 'right' else 'not right yet'}")
        if said.kind != "right":
            print("\n".join(f"  {line}" for line in str(said).splitlines()))
    print("\n" + summary(wanted, results))
    return all(said.kind == "right" for said in results.values())


def summary(wanted: Exercise, results: dict[str, Checked]) -> str:
    """What was checked, and what was not."""
    right = sum(item.points for item in wanted.items if results[item.id].kind == "right")
    functions = ", ".join(task.entry for _, task in wanted.tasks())
    return (
        f"Right by these checks: {right} of {wanted.points} points.\n"
        f"Not checked: other cases for {functions}, which a grader draws; what you wrote in words; how you got there."
    )


def cells(path: Path) -> list[str]:
    """The code cells of a notebook, in order; VmlabError says what is wrong with the file."""
    try:
        book = json.loads(path.read_text(encoding="utf-8"))
        found = book["cells"] if "cells" in book else [c for sheet in book["worksheets"] for c in sheet["cells"]]
        code = [cell for cell in found if cell["cell_type"] == "code"]
        return ["".join(cell["source"] if "source" in cell else cell["input"]) for cell in code]
    except OSError as bad:
        raise VmlabError(f"{path}: cannot be read ({bad.strerror}); is the name right?") from None
    except (ValueError, KeyError, TypeError):
        raise VmlabError(
            f"{path}: expected a Jupyter notebook, got something else; save it in JupyterLab again"
        ) from None


def answers(sources: list[str]) -> tuple[dict[str, Any], list[str]]:
    """What the cells leave behind by name, and a line on each cell that stopped."""
    names: dict[str, Any] = {"__name__": "__main__"}
    stopped = []
    with silently(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for number, source in enumerate(sources, 1):
            try:
                exec(compile(MAGIC.sub("", source), f"<cell {number}>", "exec"), names)
            except (Exception, SystemExit) as bad:
                stopped.append(f"code cell {number} stops with {type(bad).__name__}: {bad}")
    return names, stopped


def _lesson(sources: list[str]) -> str:
    """The lesson whose ids a notebook asks for, or ""."""
    asked = collections.Counter(number for source in sources for number in ASKS.findall(source))
    return asked.most_common(1)[0][0] if asked else ""
