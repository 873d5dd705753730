"""Exercises: items that exist, in order, with names of their own; questions that every learner gets in a variant."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from questions import QuestionClaims

from vmlab.study import bank, questions, tasks
from vmlab.study.exercise import EXERCISES, Exercise, exercise, name_of, told
from vmlab.study.question import Question
from vmlab.study.trade import Way, trade_off
from vmlab.study.weigh import Scenario
from vmlab.units import VmlabError

EVERY = [exercise(lesson) for lesson in EXERCISES]
LESSONS = sorted({path.name[:2] for path in (Path(__file__).parents[1] / "lessons").glob("*.py")})
each = pytest.mark.parametrize("one", EVERY, ids=lambda one: one.lesson)
HELPERS = {"boards", "traces"}  # of tasks/: how machines and traces are drawn


def exercise_modules() -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(questions.__path__):
        if found.name.endswith("_exercise"):
            yield import_module(f"{questions.__name__}.{found.name}")


class TestQuestions(QuestionClaims):
    """The claims about every question hold for those of the exercises; each exercise has other questions of its own."""

    MODULES = tuple(exercise_modules())
    VARIANTS = 200

    def test_the_lesson_asks_eight_questions_or_more_and_no_two_share_a_name(self) -> None:
        every = [q for module in self.MODULES for q in vars(module).values() if isinstance(q, Question)]
        asked = {question.id for one in EVERY for _, question in one.questions()}
        assert asked <= {q.id for q in every}

    def test_every_question_that_is_practised_has_hints_and_steps(self) -> None:
        assert [] == [item.id for one in EVERY for item, q in one.questions() if not (q.hints and q.steps)]


@each
def test_every_item_is_found_and_has_a_name_of_its_own(one: Exercise) -> None:
    assert len({item.name for item in one.items}) == len(one.items) >= 5
    assert all(item.id.startswith(f"{one.lesson}.") and item.points > 0 for item in one.items)
    assert all(item.entry.id == item.id for item in one.items)
    assert {item.name for item, _ in one.tasks()} == {task.entry for _, task in one.tasks()}
    assert list(one.tasks()), "a function to write"
    assert any(question.blank for _, question in one.questions()), "a walk with one step open"


@each
def test_every_wrong_choice_names_a_belief(one: Exercise) -> None:
    for _, question in one.questions():
        for number in range(40):
            facts = question.variant("class", number)
            kinds = {choice: question.check(choice, facts).kind for choice in question.options(facts)}
            assert "unknown" not in kinds.values(), (question.id, facts, kinds)


@each
def test_what_is_said_to_a_wrong_answer_is_said_as_it_stands(one: Exercise) -> None:
    beliefs = [belief for _, question in one.questions() for belief in question.misconceptions]
    beliefs += [belief for _, task in one.tasks() for belief in task.beliefs]
    texts = [text for belief in beliefs for text in (belief.belief, belief.back)]
    assert [] == [text for text in texts if "{" in text], "beliefs are no format strings"


@each
def test_learners_get_variants_of_their_own_and_always_the_same(one: Exercise) -> None:
    ada, bob = one.given("ada"), one.given("bob")
    assert ada == one.given("ada")
    assert ada != bob
    assert ada == json.loads(json.dumps(ada)), "what a learner is told goes through a pipe"


@each
def test_what_is_told_does_not_hold_the_answer_by_name(one: Exercise) -> None:
    for _, question in one.questions():
        facts = question.variant("ada")
        assert question.choices or question.answer(**facts) not in told(question, facts).values()


@each
def test_numbers_differ_from_learner_to_learner(one: Exercise) -> None:
    for _, question in one.questions():
        if not question.choices:
            given = [question.answer(**question.variant(f"learner {number}")) for number in range(24)]
            assert len(set(given)) >= 3, question.id


def test_every_file_of_questions_and_tasks_belongs_to_one_lesson() -> None:
    for package in (questions, tasks):
        for found in pkgutil.iter_modules(package.__path__):
            name = f"{package.__name__}.{found.name}"
            if found.name not in HELPERS:
                assert 1 == sum(name in bank.modules(lesson) for lesson in bank.TOPICS), name


@pytest.mark.parametrize("lesson", LESSONS)
def test_an_id_is_its_lesson_and_a_name(lesson: str) -> None:
    entries = bank.of_lesson(lesson)
    assert entries
    for module in bank.modules(lesson):
        for value in vars(import_module(module)).values():
            if isinstance(value, Question | Scenario) and value.id.startswith(lesson):
                assert value is entries[value.id], f"two entries are called {value.id}"


def test_an_id_that_is_misspelled_is_named_with_the_nearest() -> None:
    with pytest.raises(VmlabError, match=r"did you mean \['05.walk'\]"):
        bank.find("05.wlak")
    with pytest.raises(VmlabError, match="of the lessons 00, 01, 02"):
        bank.find("99.walk")
    with pytest.raises(VmlabError, match="one of the lessons"):
        exercise("99")


def test_names_are_words_of_python() -> None:
    assert "first_frame" == name_of("05.first-frame")
    for odd in ("05.class", "05.", "05.1st"):
        with pytest.raises(VmlabError, match="expected letters"):
            name_of(odd)


def test_a_scenario_gives_no_points() -> None:
    one = Exercise("05", (exercise("05").items[0]._replace(id="05.own-512m"),))
    with pytest.raises(VmlabError, match="no program can judge"):
        list(one.questions())


def test_a_trade_off_needs_a_way_for_each_wish() -> None:
    with pytest.raises(ValueError, match="given up by one way"):
        trade_off("00.x", "?", {"a": "A", "b": "B"}, {"one": Way("1", "a", "x"), "two": Way("2", "a", "x")})
