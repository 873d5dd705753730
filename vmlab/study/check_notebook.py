"""`vmlab check NOTEBOOK...`: run the cells of exercises on this machine, and check every answer in them.

It is what the cells' own checks say, in one table: the code is the learner's own and runs as such, with neither a
server nor a sandbox. A cell that stops is named and the next one runs. Without a name, the exercises of this
folder are checked.
"""

from __future__ import annotations

import argparse
import collections
import difflib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..units import VmlabError
from .check import Checked, NotRight, judged
from .exercise import Exercise, Item, exercise
from .patience import TooLong, unheard, within
from .run_cell import cell
from .show import silently
from .task import Task
from .told import Told

ASKS = re.compile(r"""\b(?:ask|check)\(\s*["'](\d\d)\.""")
CELL_SECONDS = 30  # of processor time
MOST_SAID = 300  # letters of an error
OURS = ("ask", "check", "hint", "i_am", "vm", "views")  # what the first cells of an exercise import


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `vmlab check`."""
    parser.add_argument("notebooks", nargs="*", type=Path, help="exercises to check (default: those in this folder)")


def run(args: argparse.Namespace) -> int:
    """Check each notebook; returns 0 if all of it is right, 1 if not, and 2 if one cannot be read."""
    paths = args.notebooks or found_here(Path.cwd())
    status = 0
    for path in paths:
        try:
            status = max(status, int(not tell(path)))
        except VmlabError as bad:  # the other notebooks are checked all the same
            print(f"vmlab: {bad}", file=sys.stderr)
            status = 2
    return status


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
    print(path.name, flush=True)  # before anything of the learner's runs, which might end us
    names, stopped = answers(sources)
    results = {item.id: judged(item.entry, names.get(item.name)) for item in wanted.items}
    print("".join(f"  {line}\n" for line in [*stopped, *renamed(wanted.items, names)]), end="")
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
        book = json.loads(path.read_text(encoding="utf-8-sig"))
        found = book["cells"] if "cells" in book else [c for sheet in book["worksheets"] for c in sheet["cells"]]
        code = [cell for cell in found if cell["cell_type"] == "code"]
        return ["".join(cell["source"] if "source" in cell else cell["input"]) for cell in code]
    except OSError as bad:
        raise VmlabError(f"{path}: cannot be read ({bad.strerror}); is the name right?") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise VmlabError(
            f"{path}: expected a Jupyter notebook, got something else; save it in JupyterLab again"
        ) from None


def answers(sources: list[str]) -> tuple[dict[str, Any], list[str]]:
    """What the cells leave behind by name, and a line on each cell that stopped."""
    names: dict[str, Any] = {"__name__": "__main__"}
    names |= dict.fromkeys(("display", "get_ipython"), Nothing())
    names["input"] = lambda *_: ""  # nobody is there to answer
    stopped: dict[str, list[int]] = {}
    with silently(), unheard():
        for number, source in enumerate(sources):
            try:
                with within(CELL_SECONDS):
                    cell(source, number, names)
            except (Exception, SystemExit, TooLong) as bad:
                told = {TooLong: "TimeoutError", Told: "VmlabError", NotRight: "VmlabError"}
                kind = told.get(type(bad), type(bad).__name__)
                stopped.setdefault(f"{kind}: {str(bad)[:MOST_SAID]}".rstrip(": "), []).append(number + 1)
    return names, [_stop(error, numbers) for error, numbers in stopped.items()]


def _stop(error: str, numbers: list[int]) -> str:
    """One line on the cells that stop with the same error."""
    which = f"cell {numbers[0]} stops" if len(numbers) == 1 else f"cells {', '.join(map(str, numbers))} stop"
    lost = any(f"name '{name}' is not" in error for name in OURS)
    return f"code {which} with {error}" + ("; the cell that imports it is gone, or stands below" if lost else "")


class Nothing:
    """Stands for what only a notebook has: takes every name and every call, and does nothing."""

    def __getattr__(self, name: str) -> Nothing:
        return self

    def __call__(self, *args: object, **words: object) -> Nothing:
        """As if done."""
        return self


def renamed(items: Iterable[Item], names: dict[str, Any]) -> Iterator[str]:
    """A line on each answer that is missing while something has nearly its name."""
    wanted = [item.name for item in items]
    found = [name for name in names if name not in wanted and not name.startswith("_")]
    for item in items:
        like = [name for name in found if callable(names[name]) == isinstance(item.entry, Task)]
        near = difflib.get_close_matches(item.name, like, n=1, cutoff=0.75)
        if item.name not in names and near:
            yield f"{item.id} looks for the name {item.name}, which is not there; {near[0]} is: was it renamed?"


def _lesson(sources: list[str]) -> str:
    """The lesson whose ids a notebook asks for, or ""."""
    asked = collections.Counter(number for source in sources for number in ASKS.findall(source))
    return asked.most_common(1)[0][0] if asked else ""
