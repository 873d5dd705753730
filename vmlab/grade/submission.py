"""A submitted notebook as data: whose it is, for which lesson, and its code cells. Nothing in it is trusted or run.

Points, ids and checks come from our own exercises, never from a notebook's metadata; so it does not matter if those
are missing, doubled or changed, which kernel is named, or which of the notebook formats (3 or 4) it is.
"""

from __future__ import annotations

import collections
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..study.exercise import EXERCISES
from ..units import MiB, VmlabError

MOST_BYTES = 32 * MiB
MOST_CELLS = 2000
LITTER = re.compile(r"(^|/)(\.ipynb_checkpoints|__MACOSX)/|(^|/)\._[^/]*$")  # of Jupyter and of macOS
ASKS = re.compile(r"""\b(?:ask|check)\(\s*["'](\d\d)\.""")
NAMES = re.compile(r"""^[^#\n]*\bi_am\(\s*["']([^"'\n]{1,100})["']\s*\)""", re.MULTILINE)


class Unreadable(VmlabError):
    """A file that is no notebook, or not one of ours; says what is wrong with it, for the student."""


@dataclass(frozen=True)
class Submission:
    """One notebook: `learner` by its place, `stated` by its own words."""

    path: Path
    learner: str
    lesson: str
    cells: tuple[str, ...]
    digest: str
    stated: str = ""


def shown(name: object) -> str:
    """A file's name as text for a terminal, a page and a database: what is no letter there is written in numbers.

    >>> shown("ad\\x1b[2Ja"), shown("b\\udcffb"), shown(Path("é/c d"))
    ('ad\\\\x1b[2Ja', 'b\\\\udcffb', 'é/c d')
    """
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(name))


def learner_of(path: Path, root: Path | None = None) -> str:
    """Whose notebook it is: below `root`, the first folder's name; else the file's, unless that is the exercise's.

    >>> course, near = Path("submitted"), Path("submitted/ada/five/05-where-is-mem_map.ipynb")
    >>> learner_of(near, course), learner_of(Path("submitted/bob.ipynb"), course), learner_of(Path("ada/05-x.ipynb"))
    ('ada', 'bob', 'ada')
    """
    below = path.relative_to(root).parts if root is not None and path.is_relative_to(root) else ()
    if len(below) > 1:
        return shown(below[0])
    folders = [part for part in path.parent.parts if not re.match(r"\d\d-", part)]
    return shown(folders[-1] if re.match(r"\d\d-", path.stem) and folders else path.stem)


def found(paths: list[Path]) -> Iterator[tuple[Path, str]]:
    """Every notebook in the files and folders given, in order, and whose it is; linked folders are not entered."""
    for path in paths:
        if path.is_dir():
            inside = sorted(at for at in _below(path) if not LITTER.search(at.relative_to(path).as_posix()))
            if not inside:
                raise VmlabError(f"{shown(path)}: expected a folder with notebooks (*.ipynb), found none in it")
            yield from ((at, learner_of(at, path)) for at in inside)
        elif path.exists():
            yield path, learner_of(path)
        else:
            raise VmlabError(f"{shown(path)}: no such file or folder")


def _below(folder: Path) -> Iterator[Path]:
    for at, _, names in os.walk(folder):
        yield from (Path(at, name) for name in names if name.lower().endswith(".ipynb"))


def read(path: Path, lesson: str = "", learner: str = "") -> Submission:
    """The submission in a file, `learner`'s; Unreadable says why it is none."""
    data = _bytes(path)
    cells = tuple(_cells(data))
    digest = hashlib.sha256(b"\0".join(cell.encode("utf-8", "replace") for cell in cells)).hexdigest()
    asked = collections.Counter(number for cell in cells for number in ASKS.findall(cell) if number in EXERCISES)
    named = re.match(r"(\d\d)-", path.name)
    guess = lesson or (asked.most_common(1)[0][0] if asked else named[1] if named and named[1] in EXERCISES else "")
    if guess not in EXERCISES:
        raise Unreadable(
            "it is none of our exercises: no cell asks for one, as in ask('05.walk'). Was it the right file?"
        )
    stated = [name for cell in cells for name in NAMES.findall(cell)]
    return Submission(path, learner or learner_of(path), guess, cells, digest, stated[-1] if stated else "")


def _bytes(path: Path) -> bytes:
    """What is in a file, if it is one: no link to another's work, no device, nothing that waits."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
    except OSError as bad:
        why = "it is a link to another file" if path.is_symlink() else f"the file cannot be read: {bad.strerror}"
        raise Unreadable(why) from None
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise Unreadable("it is no ordinary file")
        if about.st_size > MOST_BYTES:
            size = about.st_size >> 20
            raise Unreadable(f"the file has {size} MiB: clear its outputs, save it and hand it in again")
        return file.read(MOST_BYTES)


def _cells(data: bytes) -> Iterator[str]:
    if not data.strip():
        raise Unreadable("the file is empty: save the notebook in JupyterLab and hand it in again")
    try:
        book = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Unreadable("it is not text in UTF-8, so no notebook: save it in JupyterLab again") from None
    except (ValueError, RecursionError):
        raise Unreadable("it is no notebook: its JSON breaks off or is damaged. Save it in JupyterLab again") from None
    rows = book.get("cells") if isinstance(book, dict) else None
    if rows is None and isinstance(book, dict) and isinstance(book.get("worksheets"), list):
        sheets = [sheet.get("cells") for sheet in book["worksheets"] if isinstance(sheet, dict)]
        rows = [cell for cells in sheets if isinstance(cells, list) for cell in cells]
    if not isinstance(rows, list):
        raise Unreadable("it is no notebook: it has no cells. Save it in JupyterLab again")
    if len(rows) > MOST_CELLS:
        raise Unreadable(f"it has {len(rows)} cells, and an exercise at most {MOST_CELLS}")
    for row in rows:
        if isinstance(row, dict) and row.get("cell_type") == "code":
            source = row.get("source", row.get("input", ""))
            text = "".join(map(str, source)) if isinstance(source, list) else str(source)
            yield text.encode("utf-8", "replace").decode()
