"""Check an answer at once, alone and without a server: `check("05.frames", frames)`.

It says what was compared and what was not, names the belief behind a wrong answer, and never prints the right
one. A function is run on machines drawn here, always the same ones; a grader draws others. `mark` does the same for
nbgrader's hidden tests, with other machines, and raises if the answer is not right.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from time import process_time
from typing import Any

from ..units import VmlabError
from . import bank, progress
from .exercise import name_of
from .patience import TooLong, unheard, within
from .plain import Plain, plain
from .predict import GREEN, ORANGE
from .question import Facts, Question
from .show import note, silent
from .task import Call, Reply, Task, Verdict, drawn, mistyped, tell_call, written
from .told import is_ours
from .weigh import Scenario

SEED = "check"  # of the machines that everybody may see
MONO = "font-family:'DejaVu Sans Mono',monospace;font-size:13px;white-space:pre-wrap"
NOT_CHECKED = "Not checked: how you got there."
CALL_SECONDS, TASK_SECONDS = 5, 60  # of processor time: for one call of a learner's function, and for all
MOST_SHOWN = 600  # letters of a value that a function returned


class NotRight(VmlabError):
    """An answer that nbgrader must give no points for."""

    def _render_traceback_(self) -> list[str]:  # IPython's: the words alone, without our own lines above them
        return [str(self)]


@dataclass(frozen=True)
class Checked:
    """What a check says: `kind` is "right" or what went wrong; `lines` load the smallest case that fails."""

    kind: str
    text: str
    lines: str = ""

    def __str__(self) -> str:
        return "\n".join(filter(None, (self.text, self.lines)))

    __repr__ = __str__

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        code = f'<pre style="{MONO}">{escape(self.lines)}</pre>' if self.lines else ""
        return {
            "text/html": note(self.text, GREEN if self.kind == "right" else ORANGE) + code,
            "text/plain": str(self),
        }


def check(what: str | Question | Task | Scenario, answer: Any = None, variant: int = 0) -> Checked | None:
    """Check an answer to what has this id; under nbgrader an answer that is not right is an error."""
    if silent():
        return None
    entry = what if isinstance(what, bank.Entry) else bank.find(what)
    checked = judged(entry, answer, variant)
    if not isinstance(entry, Scenario):
        progress.remember(entry.id, kind=checked.kind)
    if not os.environ.get("NBGRADER_EXECUTION"):
        return checked
    print(checked)
    if checked.kind not in ("right", "written"):
        raise NotRight(str(checked))
    return None


def judged(entry: bank.Entry, answer: Any, variant: int = 0, seed: Any = SEED) -> Checked:
    """The same for what was found already; `seed` draws the cases of a code task."""
    if isinstance(entry, Scenario):
        return _weighed(entry, answer)
    if isinstance(entry, Question):
        return answered(entry, answer, entry.variant(progress.learner(), variant))
    if answer is None:
        return Checked("blank", f"No answer yet: write the function {entry.entry}, and run its cell.")
    if not callable(answer):
        return Checked("unreadable", f"Expected the function itself, {entry.entry}, without brackets after it.")
    return words(entry, entry.judge(here(answer), entry.cases(drawn(entry.id, seed))))


def mark(entry_id: str, answer: Any) -> None:
    """Raise unless the answer is right, also on cases that `check` does not show (VMLAB_SEED draws others)."""
    if silent():
        return
    entry = bank.find(entry_id)
    seed = os.environ.get("VMLAB_SEED", "mark")
    for learner in (progress.learner(), ""):  # who gave no name was asked what everybody is asked
        with progress.as_learner(learner):
            checked = judged(entry, answer, seed=seed)
        if checked.kind == "right":
            return
    raise NotRight(str(checked))


def here(function: Callable[..., Any]) -> Call:
    """A learner's function, run in this process: its value or its error as a reply; what it prints is left out."""
    spent = 0.0

    def call(args: Sequence[Plain]) -> Reply:
        nonlocal spent
        began = process_time()
        try:
            if spent > TASK_SECONDS:
                raise TooLong(f"it took more than {TASK_SECONDS} s over all cases")
            with unheard(), within(CALL_SECONDS):
                return Reply(plain(function(*args)))
        except TooLong as late:
            return Reply(error=f"TimeoutError: {late}", last=True)
        except (Exception, SystemExit) as bad:
            return Reply(error=_said(bad))
        finally:
            spent += process_time() - began

    return call


def words(task: Task, verdict: Verdict) -> Checked:
    """What a verdict means, for the learner."""
    if verdict.kind == "right":
        agrees = f"{task.entry} agrees with the model on all {verdict.number} {task.what} drawn here, small to large."
        return Checked("right", f"{agrees}\nNot checked: other {task.what} (a grader draws its own).")
    if verdict.kind == "blank":
        return Checked("blank", f"{task.entry} returns None each time: is there a return in every branch?")
    count = f"{verdict.passed} of {verdict.number} {task.what} agree with the model."
    assert verdict.case is not None
    if verdict.belief is not None:
        text = f"That is what follows if {verdict.belief.belief}. {verdict.belief.back}\n{count}"
    elif verdict.kind == "error":
        text = f"Your function stops with {verdict.reply.error}\n{count}"
    else:
        odd = mistyped(verdict.case, verdict.reply)
        odd += "; in Python // divides whole numbers" if "float" in odd.partition(",")[0] else ""
        text = f"Look at the type: {odd}.\n{count}" if odd else f"{count} No belief known here explains the others."
    came = "stops there" if verdict.reply.error else f"returns {_short(verdict.reply.value)}, and the model disagrees"
    lines = "\n".join([*tell_call(task, verdict.case), f"# {came}"])
    return Checked(verdict.kind, f"{text}\nThe smallest one found that goes wrong:", lines)


def answered(question: Question, answer: Any, facts: Facts) -> Checked:
    """What an answer to a question with these facts is."""
    if answer is None:
        return Checked("blank", f"No answer yet: give {name_of(question.id)} a value, and run its cell.")
    try:
        given = plain(answer)
        if isinstance(given, float) and not question.choices:
            raise VmlabError(f"answer: expected a whole number, got {given}; in Python // divides whole numbers")
        given = question.parse(given, facts)
    except VmlabError as bad:
        return Checked("unreadable", str(bad))
    feedback = question.check(given, facts)
    if feedback.kind != "right":
        return Checked(feedback.kind, feedback.text)
    because = question.because.format(answer=question.answer(**facts), **facts)
    return Checked("right", f"Right. {because}\nChecked: this value, for the facts you were told. {NOT_CHECKED}")


def _weighed(scenario: Scenario, answer: Any) -> Checked:
    if not isinstance(answer, str) or len(answer.split()) < 5:
        return Checked("blank", "Write what you would choose and what it costs, in two sentences.")
    progress.remember(scenario.id, sentence=answer)
    rows = [" | ".join(way) for way in (("way", "what you get", "what it costs"), *scenario.ways)]
    return Checked("written", "No program judges this. Hold your sentences against the ways:", "\n".join(rows))


def _said(bad: BaseException) -> str:
    """An exception as one line, with the line of the learner's code that it came from."""
    frames = traceback.extract_tb(bad.__traceback__)
    theirs = [frame for frame in frames if not is_ours(frame)]
    line = next((frame.line for frame in reversed(theirs) if frame.line), "")
    text = str(bad).splitlines()[0] if str(bad) else ""
    return f"{type(bad).__name__}: {text}{f' (in: {line})' if line and not isinstance(bad, VmlabError) else ''}"


def _short(value: Plain) -> str:
    """A returned value as a learner would write it, cut where nobody would read on."""
    shown = written(value)
    return shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]} ... ({len(shown):,} letters)"
