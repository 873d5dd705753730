"""Code tasks: the learner writes a function of a few lines; random machines, and the model's answer, judge it.

A case is drawn as plain data (a machine, a trace, a table), the model is asked what is true of it, and the
learner's function gets its arguments as plain values. A wrong belief is a function of the same arguments, so
that a function which is wrong in one consistent way is met by name. The first case that fails is made
small and is told as lines that load it. Who calls the learner's function is left open: `call` may run it
here (`vmlab check`) or in another process (`vmlab grade`).

Left out: whether the code is clear, or fast; and partly right functions score nothing.
"""

from __future__ import annotations

import contextlib
import copy
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..units import VmlabError
from .plain import Plain, kind_of, same
from .question import Misconception
from .shrink import shrink

Given = Mapping[str, Plain]
NUMBER = 30  # cases of one check
NAMED = 0.75  # a belief is named if it explains at least this part of the cases that tell it from the truth


class Reply(NamedTuple):
    """What came of one call: a plain value, or the words of what went wrong; `last` if no call can follow."""

    value: Plain = None
    error: str = ""
    last: bool = False


Call = Callable[[Sequence[Plain]], Reply]


class Case(NamedTuple):
    """One case: what it was made from, the function's arguments, and what the model says of it."""

    given: Given
    args: list[Plain]
    expected: Plain


class Verdict(NamedTuple):
    """What a run over cases says. `kind`: "right", "blank", "error", "belief" or "unknown".

    `passed` of `number` cases agree with the model; `belief` explains the others; `case` is the smallest
    one found that fails, and `reply` what the function made of it.
    """

    kind: str
    passed: int
    number: int
    belief: Misconception | None = None
    case: Case | None = None
    reply: Reply = Reply()


@dataclass(frozen=True)
class Task:
    """A function to write.

    `draw(rng, size)` makes a case as plain data, `size` from 0.0 (small) to 1.0 (large); `args`, `answer` and
    `loads` take that data by name and return the function's arguments, the model's answer, and lines of Python
    that make the same machine or trace. The beliefs' answers are functions of the arguments, in their order.
    `hints` are two: a question, and the step that matters. `barred` are the modules (with all below them) that
    would do the work: a grader keeps them away.
    """

    id: str
    signature: str
    ask: str
    draw: Callable[[random.Random, float], Given]
    args: Callable[..., Sequence[Plain]]
    answer: Callable[..., Plain]
    loads: Callable[..., str]
    beliefs: tuple[Misconception, ...]
    hints: tuple[str, str]
    what: str = "machines"
    barred: tuple[str, ...] = ("vmlab.kernel", "vmlab.physical", "vmlab.virtual", "vmlab.record", "vmlab.study")

    @property
    def entry(self) -> str:
        """Name of the function that the learner writes."""
        return self.signature.partition("(")[0]

    def case(self, given: Given) -> Case:
        """The case that `given` makes; VmlabError if it makes none."""
        return Case(given, copy.deepcopy(list(self.args(**given))), self.answer(**given))

    def cases(self, rng: random.Random, number: int = NUMBER) -> list[Case]:
        """`number` cases, from small to large."""
        return [self._valid(rng, index / max(1, number - 1)) for index in range(number)]

    def _valid(self, rng: random.Random, size: float) -> Case:
        """The next draw that makes a case: not every memory map is a machine."""
        for _ in range(50):
            with contextlib.suppress(VmlabError):
                return self.case(self.draw(rng, size))
        raise VmlabError(f"task {self.id}: expected a draw that makes a case, got none in 50 of size {size}")

    def judge(self, call: Call, cases: Iterable[Case]) -> Verdict:
        """Run a function over cases and say what its answers mean."""
        met: list[tuple[Case, Reply]] = []
        for case in cases:
            met.append((case, call(copy.deepcopy(case.args))))
            if met[-1][1].last:
                break
        wrong = [(case, reply) for case, reply in met if not agrees(case, reply)]
        if not wrong:
            return Verdict("right", len(met), len(met))
        passed = len(met) - len(wrong)
        if all(not reply.error and reply.value is None for _, reply in met):
            return Verdict("blank", passed, len(met), case=wrong[0][0])
        belief = self.belief(met)
        case, reply = self._smallest(call, *wrong[0], belief=belief)
        kind = "belief" if belief else "error" if reply.error else "unknown"
        return Verdict(kind, passed, len(met), belief, case, reply)

    def belief(self, met: Sequence[tuple[Case, Reply]]) -> Misconception | None:
        """The belief that explains most of what came, where belief and truth differ."""
        share = {}
        for belief in self.beliefs:
            told = [(believed(belief, case), case, reply) for case, reply in met]
            telling = [(answer, reply) for answer, case, reply in told if not same(answer, case.expected)]
            agree = sum(not reply.error and same(reply.value, answer) for answer, reply in telling)
            share[belief] = agree / len(telling) if len(telling) > 1 else 0.0
        best = max(share, key=lambda belief: share[belief], default=None)
        return best if best and share[best] >= NAMED else None

    def _smallest(self, call: Call, case: Case, reply: Reply, belief: Misconception | None) -> tuple[Case, Reply]:
        """The smallest case that fails in the same way: with the same belief, or an error like the first."""
        found = [(case, reply)]

        def fails(given: Given) -> bool:
            try:
                candidate = self.case(given)
            except (ValueError, TypeError, ArithmeticError, LookupError):
                return False  # makes no machine, or none that the task fits
            came = found[0][1] if found[0][1].last else call(copy.deepcopy(candidate.args))
            if came.last or bool(came.error) != bool(reply.error) or agrees(candidate, came):
                return False
            if belief is not None and not same(came.value, believed(belief, candidate)):
                return False
            found[0] = (candidate, came)
            return True

        if not reply.last:
            shrink(case.given, fails)
        return found[0]


def agrees(case: Case, reply: Reply) -> bool:
    """Whether the function said what the model says, in the same types."""
    return not reply.error and same(reply.value, case.expected)


def believed(belief: Misconception, case: Case) -> Plain:
    """What a belief leads to in a case."""
    return belief.answer(*copy.deepcopy(case.args))


def mistyped(case: Case, reply: Reply) -> str:
    """Words about a value whose type alone is wrong, or ""."""
    value = reply.value
    if type(value) is list:  # where None is one of the answers it says nothing about the others
        value = [part for part in value if part is not None]
    wanted, came = kind_of(case.expected), kind_of(value)
    return "" if wanted in (came, "None") or value == [] else f"it returns {came}, expected {wanted}"


def tell_call(task: Task, case: Case) -> Iterator[str]:
    """Lines of Python: what loads the case, and the call."""
    yield from task.loads(**case.given).splitlines()
    yield f"{task.entry}({', '.join(map(written, case.args))})"


def written(value: Plain) -> str:
    """A plain value as a learner would write it: large numbers in hexadecimal.

    >>> written([12, 0x4000_0000, True, "low"])
    "[12, 0x40000000, True, 'low']"
    """
    if type(value) is int and abs(value) >= 1 << 16:
        return hex(value)
    if type(value) is list:
        return f"[{', '.join(map(written, value))}]"
    if type(value) is dict:
        return "{" + ", ".join(f"{key!r}: {written(part)}" for key, part in value.items()) + "}"
    return repr(value)


def drawn(task_id: str, seed: Any) -> random.Random:
    """The source of a task's cases for one seed; a grader's seed stays with the grader."""
    return random.Random(f"{task_id}:{seed}")
