"""Questions of lesson 02: beliefs never coincide with the truth or with each other; truths are the page tables'."""

from __future__ import annotations

import pytest

from vmlab.study.practice import TWIN, hint
from vmlab.study.question import Question
from vmlab.study.questions import formats, formats_entries, formats_limits, formats_recall, formats_steps

MODULES = (formats, formats_entries, formats_limits, formats_steps, formats_recall)
BANK = {q.id: q for module in MODULES for q in vars(module).values() if isinstance(q, Question)}
VARIANTS = 500
each = pytest.mark.parametrize("question", BANK.values(), ids=BANK)


@each
def test_no_belief_gives_the_right_answer_or_that_of_another_belief(question: Question) -> None:
    for variant in range(VARIANTS):
        facts = question.variant("class", variant)
        answers = [question.answer(**facts), *(wrong.answer(**facts) for wrong in question.misconceptions)]
        assert len(set(answers)) == len(answers), (variant, answers)


@each
def test_feedback_names_the_belief_asks_back_and_keeps_the_answer(question: Question) -> None:
    facts = question.variant("class", 5)
    right = question.answer(**facts)
    assert "right" == question.check(right, facts).kind
    assert len(question.misconceptions) >= 2
    for wrong in question.misconceptions:
        said = question.check(wrong.answer(**facts), facts)
        assert "belief" == said.kind
        assert wrong.back.endswith("?")
        assert f" {question.said(right, facts)}" not in said.text.replace(wrong.belief, "")
    assert "unknown" == question.check("none of these" if question.choices else -987654, facts).kind


@each
def test_every_question_can_be_put_into_words(question: Question) -> None:
    facts = question.variant("class", 3)
    assert "{" not in question.asked(facts) + question.reason(facts)
    if question.choices:
        possible = {question.answer(**facts), *(wrong.answer(**facts) for wrong in question.misconceptions)}
        assert possible <= set(question.options(facts))


@pytest.mark.parametrize("question", [q for q in BANK.values() if q.hints], ids=lambda q: q.id)
def test_every_ladder_has_three_rungs_and_ends_in_a_worked_twin(question: Question) -> None:
    assert question.hints[0].endswith("?")
    assert question.steps is not None
    twin = question.variant(number=TWIN)
    assert question.asked(twin) in hint(question, 2)
    assert question.steps(**twin).static_text() in hint(question, 2)
