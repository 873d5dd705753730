"""Code tasks: wrong functions are met with their belief and a small case that loads; right ones agree everywhere."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vmlab as vm
from vmlab.study import bank
from vmlab.study.check import here, words
from vmlab.study.exercise import EXERCISES, exercise
from vmlab.study.plain import kind_of, plain, same
from vmlab.study.question import Misconception
from vmlab.study.shrink import shrink, smaller
from vmlab.study.task import Reply, Task, believed, drawn, tell_call, written
from vmlab.units import VmlabError

TASKS = {task.id: task for lesson in EXERCISES for _, task in exercise(lesson).tasks()}
each = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)

DOUBLE = Task(
    id="00.double",
    signature="double(numbers)",
    ask="",
    draw=lambda rng, size: {"numbers": [rng.randrange(1, 100) for _ in range(1 + int(size * 9))]},
    args=lambda numbers: [numbers],
    answer=lambda numbers: [2 * number for number in numbers],
    loads=lambda numbers: f"numbers = {numbers}",
    beliefs=(Misconception("to double is to square", lambda numbers: [number**2 for number in numbers], "What is 3?"),),
    hints=("What is twice 3?", "double: each number times two."),
    what="lists",
)


def judged(function: Any, task: Task = DOUBLE, seed: str = "test") -> Any:
    return task.judge(here(function), task.cases(drawn(task.id, seed)))


# --- every task of every exercise ---


@each
def test_cases_are_plain_data_that_survive_a_pipe_and_can_be_drawn_again(task: Task) -> None:
    cases = task.cases(drawn(task.id, "pipe"))
    assert cases == task.cases(drawn(task.id, "pipe"))
    assert cases != task.cases(drawn(task.id, "other"))
    for case in cases:
        sent = json.loads(json.dumps([case.args, case.expected]))
        assert same(sent[0], plain(case.args))
        assert same(sent[1], plain(case.expected)), "what comes back through a pipe is compared with this"
        assert same(case.expected, plain(case.expected)), "lists, not tuples: the comparison is exact"


@each
def test_a_function_that_knows_the_answers_agrees_everywhere(task: Task) -> None:
    cases = task.cases(drawn(task.id, "right"), 12)
    known = {json.dumps(case.args): case.expected for case in cases}
    verdict = task.judge(here(lambda *args: known[json.dumps(list(args))]), cases)
    assert ("right", 12, 12) == (verdict.kind, verdict.passed, verdict.number)
    said = words(task, verdict)
    assert "Not checked" in said.text
    assert "all passed" not in said.text.lower()


@each
def test_each_wrong_belief_is_met_by_name_and_with_a_small_case(task: Task) -> None:
    cases = task.cases(drawn(task.id, "beliefs"))
    assert task.beliefs
    for belief in task.beliefs:
        verdict = task.judge(here(belief.answer), cases)
        assert belief is verdict.belief, belief.belief
        said = str(words(task, verdict))
        assert belief.belief in said
        assert belief.back.endswith("?")
        first = next(case for case in cases if not same(believed(belief, case), case.expected))
        assert verdict.case is not None
        assert len(json.dumps(verdict.case.given)) <= len(json.dumps(first.given))
        assert same(believed(belief, verdict.case), verdict.reply.value)
        assert not same(verdict.reply.value, verdict.case.expected)


@each
def test_the_case_that_is_shown_loads_and_fails_again(task: Task) -> None:
    belief = task.beliefs[0]
    verdict = task.judge(here(belief.answer), task.cases(drawn(task.id, "load")))
    assert verdict.case is not None
    names: dict[str, Any] = {"vm": vm, task.entry: belief.answer}
    *lines, call = tell_call(task, verdict.case)
    exec("\n".join(lines), names)
    assert same(verdict.reply.value, plain(eval(call, names)))
    assert names.keys() - {"vm", task.entry, "__builtins__"}, "a machine, a trace or a table to look into"


@each
def test_the_answer_is_not_printed(task: Task) -> None:
    verdict = task.judge(here(lambda *_: "nonsense"), task.cases(drawn(task.id, "secret")))
    assert "unknown" == verdict.kind
    assert verdict.case is not None
    told = str(words(task, verdict))
    inputs = "\n".join(tell_call(task, verdict.case))
    shown = written(verdict.case.expected)
    assert shown not in told.replace(inputs, "") or len(shown) < 3


@each
def test_every_task_has_a_ladder_and_bars_what_would_do_the_work(task: Task) -> None:
    assert task.hints[0].endswith("?")
    assert task.hints[1].endswith(".")
    assert {"vmlab.kernel", "vmlab.physical", "vmlab.study"} <= set(task.barred)
    assert task.id == f"{task.id[:2]}.{task.entry}"
    assert task is bank.find(task.id)


# --- what a verdict says ---


def test_a_right_function_is_right_whatever_it_prints(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = judged(lambda numbers: (print("noise"), [2 * number for number in numbers])[1])
    assert ("right", 30, 30) == (verdict.kind, verdict.passed, verdict.number)
    assert "" == capsys.readouterr().out


def test_a_belief_is_named_when_most_cases_agree_and_the_case_is_the_smallest() -> None:
    verdict = judged(lambda numbers: [number**2 for number in numbers])
    assert "to double is to square" == verdict.belief.belief
    assert {"numbers": [1]} == verdict.case.given


def test_one_odd_case_names_no_belief() -> None:
    verdict = judged(lambda numbers: [2 * n for n in numbers] if len(numbers) < 9 else [n**2 for n in numbers])
    assert "unknown" == verdict.kind
    assert verdict.belief is None
    assert [9, 9] == [len(verdict.case.given["numbers"]), len(verdict.reply.value)]


def test_none_everywhere_is_a_missing_return() -> None:
    verdict = judged(lambda numbers: None)
    assert "blank" == verdict.kind
    assert "return" in words(DOUBLE, verdict).text


def test_an_exception_is_told_with_its_line() -> None:
    verdict = judged(lambda numbers: numbers[3] and 1)
    said = words(DOUBLE, verdict)
    assert "error" == said.kind
    assert "IndexError: list index out of range" in said.text
    assert "stops there" in said.lines


def test_a_float_is_no_int_and_the_feedback_says_so() -> None:
    verdict = judged(lambda numbers: [2.0 * number for number in numbers])
    assert "unknown" == verdict.kind
    assert "list of float" in words(DOUBLE, verdict).text
    assert "expected list of int" in words(DOUBLE, verdict).text


def test_none_among_the_answers_is_not_taken_for_a_wrong_type() -> None:
    halves = lambda numbers: [None if number % 2 else number for number in numbers]  # noqa: E731
    assert "Look at the type" not in words(DOUBLE, judged(halves)).text
    assert "Look at the type" not in words(DOUBLE, judged(lambda numbers: [None for _ in numbers])).text


def test_what_changes_its_arguments_is_judged_on_a_copy() -> None:
    def greedy(numbers: list[int]) -> list[int]:
        made = [2 * number for number in numbers]
        numbers.clear()
        return made

    assert "right" == judged(greedy).kind


def test_nothing_is_called_after_the_last_reply() -> None:
    calls = []

    def dead(args: Any) -> Reply:
        calls.append(args)
        return Reply(error="took longer than 5 seconds", last=True)

    verdict = DOUBLE.judge(dead, DOUBLE.cases(drawn("x", 1)))
    assert "error" == verdict.kind
    assert 1 == len(calls)


# --- plain values, and the smallest case ---


class Agrees(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


@pytest.mark.parametrize("odd", [Agrees(3), {1, 2}, object(), {1: 2}, b"x", 1j, [[Agrees(1)]]])
def test_only_plain_values_are_taken(odd: object) -> None:
    with pytest.raises(VmlabError, match="expected"):
        plain(odd)


def test_an_answer_without_end_is_refused() -> None:
    deep: list[Any] = []
    deep.append(deep)
    for endless in (deep, range(10**12), [[0] * 1000] * 1000):
        with pytest.raises(VmlabError, match="at most"):
            plain(endless)


def test_numpys_numbers_and_tuples_are_as_good_as_pythons() -> None:
    numpy = pytest.importorskip("numpy")
    assert same([1, [2, 3], True, 4], plain((numpy.uint64(1), numpy.array([2, 3]), numpy.bool_(True), range(4, 5)[0])))


def test_types_are_compared_before_values() -> None:
    assert not same(1, True)
    assert not same(1, 1.0)
    assert not same([1], [True])
    assert not same({"a": 1}, {"a": 1.0})
    assert same({"a": [1, None]}, {"a": [1, None]})
    assert "list of lists of int" == kind_of([[1], [2]])


@given(st.lists(st.integers(0, 300), max_size=12), st.integers(0, 200), st.integers(0, 5))
def test_what_is_shrunk_still_fails_and_nothing_simpler_does(values: list[int], limit: int, length: int) -> None:
    def fails(case: Any) -> bool:
        return len(case["values"]) >= length and sum(case["values"]) >= limit

    case = {"values": values}
    if fails(case):
        small = shrink(case, fails, tries=10_000)
        assert fails(small)
        assert not any(map(fails, smaller(small)))


def test_shrinking_stops_after_its_tries() -> None:
    tried = []

    def fails(case: Any) -> bool:
        tried.append(case)
        return True

    shrink({"values": list(range(100))}, fails, tries=7)
    assert 7 == len(tried)


def test_a_seed_decides_the_cases() -> None:
    assert drawn("05.x", 1).random() == drawn("05.x", 1).random() != drawn("05.x", 2).random()
    assert isinstance(drawn("05.x", 1), random.Random)
