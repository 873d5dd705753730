"""What every bank of questions must hold, whatever its lesson: a test file names its modules, the claims are here.

    class TestQuestions(QuestionClaims):
        MODULES = (slab, slab_steps)
        LESSON = "07"

pytest collects the claims through the class, once for each question of the modules. The lesson's source tells which
questions are practised: those need the whole ladder of hints.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from vmlab.study.practice import TWIN, hint
from vmlab.study.question import Facts, Question
from vmlab.study.release import LESSON

LESSONS = Path(__file__).parents[1] / "lessons"


def bank(*modules: ModuleType) -> dict[str, Question]:
    """The questions that these modules hold, by id."""
    return {q.id: q for module in modules for q in vars(module).values() if isinstance(q, Question)}


def answers(question: Question, facts: Facts) -> list[Any]:
    """The right answer, then the one that each belief leads to."""
    return [question.answer(**facts), *(wrong.answer(**facts) for wrong in question.misconceptions)]


def practised(lesson: str) -> set[str]:
    """The names of the questions that lesson "06" practises: {"SPLIT", "MERGE"}."""
    (source,) = (path for path in LESSONS.glob(f"{lesson}-*.py") if LESSON.fullmatch(path.name))
    return set(re.findall(r"\bpractise\([\w.]*?(\w+)[,)]", source.read_text()))


class QuestionClaims:
    """Subclass it in a test file as TestQuestions."""

    MODULES: ClassVar[tuple[ModuleType, ...]] = ()
    LESSON: ClassVar[str] = ""  # "07"
    BELIEFS: ClassVar[int] = 1  # how many every question has at least
    VARIANTS: ClassVar[int] = 300

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test for each question; those of the ladder only for questions that have one."""
        chosen = bank(*self.MODULES)
        wanted = {"question": lambda q: True, "hinted": lambda q: q.hints, "blank": lambda q: q.blank}
        for argument, wants in wanted.items():
            if argument in metafunc.fixturenames:
                found = {name: q for name, q in chosen.items() if wants(q)}
                metafunc.parametrize(argument, found.values(), ids=found)

    def test_the_lesson_asks_eight_questions_or_more_and_no_two_share_a_name(self) -> None:
        every = {id(q): q for module in self.MODULES for q in vars(module).values() if isinstance(q, Question)}
        assert len(every) == len(bank(*self.MODULES)) >= 8
        assert {self.LESSON} == {q.id.partition(".")[0] for q in every.values()}

    def test_no_belief_gives_the_right_answer_or_that_of_another_belief(self, question: Question) -> None:
        assert len(question.misconceptions) >= self.BELIEFS
        seen = set()
        for variant in range(self.VARIANTS):
            facts = question.variant("class", variant)
            if repr(facts) not in seen:
                seen.add(repr(facts))
                given = answers(question, facts)
                assert len(set(given)) == len(given), (variant, given)

    def test_feedback_names_the_belief_asks_back_and_keeps_the_answer(self, question: Question) -> None:
        for variant in (0, 5, 7):
            facts = question.variant("class", variant)
            right = question.answer(**facts)
            assert "right" == question.check(right, facts).kind
            for wrong in question.misconceptions:
                said = question.check(wrong.answer(**facts), facts)
                assert "belief" == said.kind
                assert wrong.belief in said.text
                assert wrong.back.endswith("?")
                assert not _says(said.text.replace(wrong.belief, ""), question.said(right, facts))
                assert question.because.format(answer=right, **facts) not in said.text or not question.because
            assert "unknown" == question.check("none of these" if question.choices else -987654, facts).kind

    def test_every_question_can_be_put_into_words(self, question: Question) -> None:
        for variant in (0, 3, 11):
            facts = question.variant("class", variant)
            assert not re.search(r"[{}]", question.asked(facts) + question.reason(facts))
            assert question.because, "an answer without its reason teaches nothing"
            if question.choices:
                options = question.options(facts)
                assert set(answers(question, facts)) <= set(options)
                assert len(set(options.values())) == len(options)
            else:
                assert question.answer(**facts) == question.parse(question.show(question.answer(**facts)), facts)

    def test_every_question_that_is_practised_has_hints_and_steps(self) -> None:
        held = {name: q for module in self.MODULES for name, q in vars(module).items() if isinstance(q, Question)}
        names = practised(self.LESSON)
        assert names, "a lesson without practice"
        assert names <= set(held)
        assert [] == [name for name in names if not (held[name].hints and held[name].steps)]

    def test_every_ladder_has_three_rungs_and_ends_in_a_worked_twin(self, hinted: Question) -> None:
        assert hinted.hints[0].endswith("?")
        assert hinted.steps is not None
        twin = hinted.variant(number=TWIN)
        assert all(hint(hinted, rung) for rung in range(3))
        assert "" == hint(hinted, 3)
        assert hinted.asked(twin) in hint(hinted, 2)
        assert hinted.steps(**twin).static_text() in hint(hinted, 2)

    def test_the_twin_is_another_variant_than_the_one_asked(self, hinted: Question) -> None:
        for variant in range(20):
            facts = hinted.variant("", variant)
            assert hinted.asked(facts) not in hint(hinted, 2, facts=facts)

    def test_a_step_left_open_is_one_of_the_steps_and_does_not_show(self, blank: Question) -> None:
        steps = blank.steps(**blank.variant("blank"))
        (left_open,) = [step for step in steps.steps if step.name == blank.blank]
        rows = steps.without(blank.blank).static_text().splitlines()
        row = next(line for line in rows if line.startswith(f"{blank.blank}:"))
        assert left_open.gives not in row


def _says(text: str, answer: str) -> bool:
    """Whether a text has the answer as a word of its own."""
    return re.search(rf"(?<![\w,]){re.escape(answer)}(?![\w,])", text) is not None
