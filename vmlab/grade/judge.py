"""One submission's verdicts: its cells in the sandbox, and out here each answer held against the model.

A crash costs the item it happened in, not the others: a child that is gone is replaced by a new one, without the cell
that ended it. Cases are drawn from a seed that never enters the sandbox, and are the same for everybody.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..study import bank
from ..study.check import answered, words
from ..study.exercise import Item, exercise, told
from ..study.plain import Plain
from ..study.question import Facts, Question
from ..study.task import Case, Reply, Task, drawn
from .child import LIMITS, SLACK, Child, Ended, Limits
from .sandbox import Sandbox
from .submission import Submission

TOO_LONG = "TimeoutError: it took more than"
MOST_WORDS, MOST_TEXT = 300, 4000  # characters that are kept of what a submission says, and of a verdict
MOST_CHILDREN = 8  # for one submission
NOTHING = "nothing in the notebook is called {name}: was the cell deleted, or did it stop before?"


def clean(text: object, most: int) -> str:
    """Text fit for a file, a page and a terminal, whatever it was; "" if it was no text."""
    if type(text) is not str:
        return ""
    kept = "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text[: most + 1])
    kept = kept.encode("utf-8", "replace").decode()
    return kept if len(kept) <= most else kept[:most] + " …"


class Result(NamedTuple):
    """One item's row: `kind` as a check's (right, belief, unknown, error, blank, unreadable), or "lost"."""

    item: str
    points: int
    got: int
    kind: str
    text: str
    lines: str = ""
    belief: str = ""


@dataclass(frozen=True)
class Graded:
    """What came of one submission: a row for each item, cells that stopped, and notes for the instructor."""

    learner: str
    lesson: str
    digest: str
    results: tuple[Result, ...]
    stopped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Runs:
    """The submission's process, replaced when it ends; `skip` are the cells that ended one."""

    def __init__(self, sandbox: Sandbox, submission: Submission, given: dict[str, Any], limits: Limits) -> None:
        self.sandbox, self.submission, self.given, self.limits = sandbox, submission, given, limits
        self.skip: dict[int, str] = {}
        self.stopped: dict[int, str] = {}
        self.begun = 0
        self.spent = 0.0  # seconds of processor time in cells; all seconds, where one had to be stopped
        self._child: Child | None = None

    def __enter__(self) -> Runs:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.end("it was done")

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """One question to a process in which all cells have run; Ended says what became of it."""
        return self._ready().ask(message)

    def _ready(self) -> Child:
        if self._child is not None and not self._child.why:
            return self._child
        while self.begun < MOST_CHILDREN and self.spent < self.limits.cells:
            self.begun += 1
            self._child = self.sandbox.child(self.submission.cells, self.given, tuple(self.skip), self.limits)
            with contextlib.suppress(Ended):
                self._run_cells(self._child)
                return self._child
        raise Ended("its cells took too long, or ended every process in which they were run")

    def _run_cells(self, child: Child) -> None:
        """Let all cells run. One that ends the process, or took its whole time, is left out from then on."""
        for number in range(len(self.submission.cells)):
            began = time.monotonic()
            try:
                said = child.hear_cell()
            except Ended as ended:
                self.skip[number] = str(ended)
                self.spent += time.monotonic() - began
                raise
            spent = took(said, time.monotonic() - began)
            if error := clean(said.get("error"), MOST_WORDS):
                self.stopped.setdefault(number, error)
                if error.startswith(TOO_LONG):
                    self.skip[number] = error
                    spent = time.monotonic() - began
            self.spent += spent


def took(said: dict[str, Any], waited: float) -> float:
    """Processor time by a child's own word, as far as the clock bears it out."""
    spent = said.get("spent")
    return max(min(spent, waited), waited / SLACK) if type(spent) is float else waited


def grade(submission: Submission, sandbox: Sandbox, seed: str, limits: Limits = LIMITS) -> Graded:
    """Every item of the submission's exercise."""
    wanted = exercise(submission.lesson)
    who = submission.stated
    notes = [] if who else ["gave no name in i_am: judged by what everybody without a name is asked"]
    if who and who != submission.learner:
        notes = [f"answers what {who!r} was asked, and was handed in as {submission.learner!r}"]
    for item, task in wanted.tasks():
        _cases(task.id, seed)  # the first time takes long, and no child should wait for it
        assert item.name == task.entry
    facts = {item.id: question.variant(who) for item, question in wanted.questions()}
    given = {item.id: told(question, facts[item.id]) for item, question in wanted.questions()}
    with Runs(sandbox, submission, given, limits) as runs:
        results = tuple(_item(item, runs, facts.get(item.id, {}), seed) for item in wanted.items)
        stopped = [f"code cell {number + 1}: {why}" for number, why in sorted({**runs.stopped, **runs.skip}.items())]
    return Graded(submission.learner, submission.lesson, submission.digest, results, tuple(stopped), tuple(notes))


def _item(item: Item, runs: Runs, facts: Facts, seed: str) -> Result:
    entry = item.entry
    try:
        if isinstance(entry, Question):
            kind, text, lines, belief = _question(entry, item, runs, facts)
        else:
            kind, text, lines, belief = _task(entry, runs, seed)
    except Ended as ended:
        return Result(item.id, item.points, 0, "lost", f"Your code could not be asked: {ended}.")
    except (TypeError, ValueError, ArithmeticError, RecursionError) as bad:  # a value that no question expects
        return Result(item.id, item.points, 0, "unreadable", f"The answer is of a kind that cannot be judged ({bad}).")
    got = item.points if kind == "right" else 0
    return Result(item.id, item.points, got, kind, clean(text, MOST_TEXT), clean(lines, MOST_TEXT), belief)


def _question(question: Question, item: Item, runs: Runs, facts: Facts) -> tuple[str, str, str, str]:
    answer = _value(runs, item.name)
    if type(answer) is bool:
        return (
            "unreadable",
            f"{item.name}: expected {'a word' if question.choices else 'a number'}, got {answer}",
            "",
            "",
        )
    checked = answered(question, answer, facts)
    belief = ""
    if checked.kind == "belief":
        given = question.parse(answer, facts)
        belief = next((wrong.belief for wrong in question.misconceptions if wrong.answer(**facts) == given), "")
    return checked.kind, checked.text, checked.lines, belief


def _value(runs: Runs, name: str) -> Plain:
    """The value of a name; None where it has none, or one that is no plain value."""
    said = runs.ask({"name": name}).get("value")
    return said.get("plain") if type(said) is dict else None


@functools.lru_cache(maxsize=256)
def _cases(task_id: str, seed: str) -> Sequence[Case]:
    entry = bank.find(task_id)
    assert isinstance(entry, Task)
    return tuple(entry.cases(drawn(task_id, seed)))


def _task(task: Task, runs: Runs, seed: str) -> tuple[str, str, str, str]:
    there = runs.ask({"name": task.entry}).get("value")
    if there != {"callable": True}:
        return "blank", NOTHING.format(name=task.entry), "", ""

    cases = _cases(task.id, seed)
    spent = 0.0

    def call(args: Sequence[Plain]) -> Reply:
        nonlocal spent
        if spent > runs.limits.task:
            return Reply(error=f"it took more than {runs.limits.task:.0f} s over all cases", last=True)
        began = time.monotonic()
        try:
            said = runs.ask({"call": task.entry, "args": list(args)})
        except Ended as ended:
            return Reply(error=f"it stopped the process: {ended}", last=True)
        spent += took(said, time.monotonic() - began)
        if "error" in said:
            said_so = clean(said["error"], MOST_WORDS) or "an error without words"
            return Reply(error=said_so, last=said_so.startswith(TOO_LONG))  # once is enough
        return Reply(said.get("value"))

    verdict = task.judge(call, cases)
    checked = words(task, verdict)
    return checked.kind, checked.text, checked.lines, verdict.belief.belief if verdict.belief else ""


def unreadable(learner: str, why: str) -> Graded:
    """What is kept of a file that could not be graded."""
    return Graded(learner, "", "", (), (), (f"could not grade: {why}",))


def points(rows: Iterator[Result] | Sequence[Result]) -> tuple[int, int]:
    """(points got, points that there are)."""
    listed = list(rows)
    return sum(row.got for row in listed), sum(row.points for row in listed)
