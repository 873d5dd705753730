"""Questions: beliefs never coincide with the truth nor with each other, and feedback names them."""

from __future__ import annotations

import pytest
from questions import QuestionClaims

from vmlab.study.question import Misconception, Question, number
from vmlab.study.questions import mem_map, mem_map_exercise, mem_map_steps
from vmlab.units import VmlabError


def test_a_learner_sees_the_same_variant_again_and_another_one_on_request() -> None:
    same = [mem_map_steps.SIZE.variant("ada", 0)["struct_page_bytes"] for _ in range(2)]
    assert same[0] == same[1]
    seen = {mem_map_steps.SIZE.asked(mem_map_steps.SIZE.variant("ada", number)) for number in range(8)}
    assert len(seen) > 4


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


def test_the_result_of_a_step_on_the_way_is_known_and_the_last_one_is_never_told() -> None:
    question, facts = mem_map_exercise.WALK, mem_map_exercise.WALK.variant("ada")
    told = {str(question.check(facts[name], facts)) for name in ("entries", "top")}
    assert {"That is what step span gives. Which step comes after it?"} < told
    assert "Not recognised" in str(question.check(question.answer(**facts) + 64, facts))


def test_a_belief_that_coincides_is_found() -> None:
    flawed = Question("flawed", "?", lambda rng: {"n": 2}, lambda n: n + n, (Misconception("x", lambda n: n * n, "?"),))
    with pytest.raises(AssertionError):
        QuestionClaims().test_no_belief_gives_the_right_answer_or_that_of_another_belief(flawed)
