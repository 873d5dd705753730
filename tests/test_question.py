"""Questions: beliefs never coincide with the truth nor with each other, and feedback names them."""

from __future__ import annotations

import pytest

from vmlab.study.question import Misconception, Question, number
from vmlab.study.questions import mem_map, mem_map_claims, mem_map_recall, mem_map_steps
from vmlab.units import VmlabError

BANK = [
    q
    for module in (mem_map, mem_map_claims, mem_map_steps, mem_map_recall)
    for q in vars(module).values()
    if isinstance(q, Question)
]
VARIANTS = 500


@pytest.mark.parametrize("question", BANK, ids=lambda question: question.id)
def test_no_belief_gives_the_right_answer_or_that_of_another_belief(question: Question) -> None:
    for variant in range(VARIANTS):
        facts = question.variant("class", variant)
        answers = [question.answer(**facts), *(m.answer(**facts) for m in question.misconceptions)]
        assert len(set(answers)) == len(answers), (variant, answers, facts)


@pytest.mark.parametrize("question", BANK, ids=lambda question: question.id)
def test_feedback_is_right_or_a_belief_or_not_recognised_and_never_the_answer(question: Question) -> None:
    facts = question.variant("class", 7)
    right = question.answer(**facts)
    assert "right" == question.check(right, facts).kind
    for wrong in question.misconceptions:
        said = question.check(wrong.answer(**facts), facts)
        assert "belief" == said.kind
        assert wrong.belief in said.text
        assert "?" in said.text, "feedback asks one question back"
        assert question.said(right, facts) not in said.text or right in (0, 4)
    unknown = question.check("none of these" if question.choices else -987654, facts)
    assert "unknown" == unknown.kind
    assert "?" in unknown.text


@pytest.mark.parametrize("question", BANK, ids=lambda question: question.id)
def test_every_question_can_be_put_into_words(question: Question) -> None:
    facts = question.variant("class", 3)
    assert "{" not in question.asked(facts)
    assert question.reason(facts)
    if question.choices:
        assert question.answer(**facts) in question.options(facts)
        assert all(m.answer(**facts) in question.options(facts) for m in question.misconceptions)


def test_a_learner_sees_the_same_variant_again_and_another_one_on_request() -> None:
    same = [mem_map_steps.SIZE.variant("ada", 0)["struct_page_bytes"] for _ in range(2)]
    assert same[0] == same[1]
    seen = {mem_map_steps.SIZE.asked(mem_map_steps.SIZE.variant("ada", number)) for number in range(8)}
    assert len(seen) > 4


def test_every_ladder_has_three_rungs_and_the_twin_is_another_variant() -> None:
    from vmlab.study.practice import TWIN, hint

    for question in BANK:
        if question.hints:
            assert question.hints[0].endswith("?")
            assert all(hint(question, rung) for rung in range(3))
            assert "" == hint(question, 2) or question.asked(question.variant(number=TWIN)) in hint(question, 2)


def test_numbers_are_read_as_people_write_them() -> None:
    assert [2304, 0x6F6F_9000, 131084, -12, 9 << 20] == [
        number(text) for text in ("2304", "0x6f6f_9000", "131,084", "−12", "9 MiB")
    ]
    with pytest.raises(VmlabError, match="expected a number"):
        number("about ten")


def test_a_choice_that_is_not_there_is_refused_by_name() -> None:
    facts = mem_map.WHERE.variant()
    with pytest.raises(VmlabError, match="expected one of first, dma"):
        mem_map.WHERE.parse("somewhere", facts)


def test_a_belief_that_coincides_is_found() -> None:
    flawed = Question("flawed", "?", lambda rng: {"n": 2}, lambda n: n + n, (Misconception("x", lambda n: n * n, "?"),))
    with pytest.raises(AssertionError):
        test_no_belief_gives_the_right_answer_or_that_of_another_belief(flawed)
