"""What a learner answered: kept while the notebook runs, and in one small JSON file that can be deleted.

The file is `vmlab-progress.json` where Jupyter keeps its own data (`vmlab lab` gives it a folder of its
own), or the path in VMLAB_PROGRESS. It holds answers and sentences, nothing else, and never leaves this
machine. A file that cannot be read or written costs memory between sessions, never a lesson.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .told import Told

_kept: dict[str, dict[str, Any]] | None = None
_learner: str | None = None  # as said with `i_am`


def path() -> Path:
    """Where the file is, or would be."""
    if chosen := os.environ.get("VMLAB_PROGRESS"):
        return Path(chosen)
    folder = os.environ.get("JUPYTER_DATA_DIR")
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return (Path(folder) if folder else home / "vmlab") / "vmlab-progress.json"


def i_am(name: str) -> None:
    """Say whose questions are asked: the id that your course knows you by. Alone, leave it empty."""
    global _learner
    if not isinstance(name, str) or len(name) > 200:
        raise Told(f'i_am: expected your id as a word, such as i_am("ada"), got {name!r}')
    _learner = name.strip() or None


def learner() -> str:
    """Whose variants are asked: who was named with `i_am`, else VMLAB_LEARNER, else nbgrader's or
    JupyterHub's name for the student, else the same for everybody.
    """
    if _learner is not None:
        return _learner
    place = Path.cwd().parts  # nbgrader runs a submission in autograded/<student>/<assignment>
    graded = os.environ.get("NBGRADER_EXECUTION") == "autograde" and len(place) > 2 and place[-3] == "autograded"
    names = (os.environ.get("VMLAB_LEARNER"), place[-2] if graded else "", os.environ.get("JUPYTERHUB_USER"))
    return next(filter(None, names), "")


@contextmanager
def as_learner(name: str) -> Iterator[None]:
    """For a while, ask and check as if `name` were the learner; "" is the variant that everybody gets."""
    global _learner
    before = _learner
    _learner = name
    try:
        yield
    finally:
        _learner = before


def recall_entry(question_id: str) -> dict[str, Any]:
    """What is known of a question: `given`, `sentence`, `variant`; empty if it was never answered."""
    return dict(_all().get(question_id, {}))


def known() -> list[str]:
    """Ids of all questions of which something is kept."""
    return sorted({*_read(), *_all()})


def remember(question_id: str, **facts: Any) -> None:
    """Add to what is known of a question, and write the file."""
    kept = _all()
    for name, entry in _read().items():  # another notebook may have written since
        kept.setdefault(name, entry)
    kept[question_id] = kept.get(question_id, {}) | facts
    _write(kept)


def forget(question_id: str = "") -> None:
    """Forget one answer, or with no argument all of them, and start afresh."""
    global _kept
    kept = _all()
    if question_id:
        kept.pop(question_id, None)
        _write(kept)
    else:
        _kept = {}
        path().unlink(missing_ok=True)


def _all() -> dict[str, dict[str, Any]]:
    global _kept
    if _kept is None:
        _kept = _read()
    return _kept


def _read() -> dict[str, dict[str, Any]]:
    try:
        data = json.loads(path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(data, dict):
        return {}
    return {str(name): entry for name, entry in data.items() if isinstance(entry, dict)}


def _write(kept: dict[str, dict[str, Any]]) -> None:
    """To a temporary name first, so that whoever reads never meets half a file."""
    target = path()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".new")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(kept, file, indent=1, sort_keys=True)
        Path(name).replace(target)
    except OSError:
        return  # a read-only home: the answers live as long as this session
