"""Errors about a learner's own line: a notebook shows the words and that line, and none of ours in between."""

from __future__ import annotations

import traceback
from pathlib import Path

from ..units import VmlabError

OURS = Path(__file__).parents[1]


class Told(VmlabError):
    """What was wrong in the learner's call."""

    def _render_traceback_(self) -> list[str]:  # what IPython shows in place of a traceback
        theirs = [frame for frame in traceback.extract_tb(self.__traceback__) if not is_ours(frame)]
        return [str(self), *(f"  in line {frame.lineno}: {frame.line}" for frame in theirs[-1:] if frame.line)]


def is_ours(frame: traceback.FrameSummary) -> bool:
    """Whether a line of a traceback stands in this package."""
    return OURS in Path(frame.filename).parents
