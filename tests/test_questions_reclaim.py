"""Questions of lesson 11: beliefs never coincide with the truth or with each other; truths are run."""

from __future__ import annotations

import pytest
from questions import QuestionClaims

from vmlab.study.question import Question
from vmlab.study.questions import reclaim, reclaim_linux, reclaim_recall, reclaim_steps


class TestQuestions(QuestionClaims):
    MODULES = (reclaim, reclaim_linux, reclaim_steps, reclaim_recall)
    LESSON = "11"
    VARIANTS = 150


@pytest.mark.parametrize("question", [reclaim_steps.LRU_VICTIM, reclaim_steps.OPT_VICTIM])
def test_the_steps_end_in_the_page_that_goes(question: Question) -> None:
    for number in range(50):
        facts = question.variant("steps", number)
        assert question.answer(**facts) == int(question.steps(**facts).steps[-1].gives)
        assert facts["new"] == facts["string"][facts["miss"]]


def test_a_refault_is_active_exactly_if_its_distance_is_at_most_the_active_pages() -> None:
    seen = set()
    for number in range(60):
        facts = reclaim_steps.REFAULT.variant("steps", number)
        active = facts["refault"] - facts["evicted"] <= facts["active"]
        assert active == reclaim_steps.is_activated(**facts)
        assert ("active" if active else "inactive") == reclaim_steps.refault_steps(**facts).steps[-1].gives
        seen.add(active)
    assert {True, False} == seen


def test_the_numbers_that_the_lesson_names() -> None:
    def answer(question: Question) -> object:
        return question.answer(**question.variant())

    assert [10, "many", "some", "third"] == [
        answer(getattr(reclaim, name)) for name in ("ANOMALY", "COUNTING", "SCAN", "CLIFF")
    ]
    assert ["keep", 31, 0] == [answer(getattr(reclaim_linux, name)) for name in ("USED", "RATIO", "SURVIVE")]
    assert 20 == reclaim_linux.rounds()[1][1], "all hot pages are read back"
    assert all(20 == inside for *_, inside in reclaim_linux.rounds()[1:]), "and stay"
    assert reclaim.missed("lfu") > 100 * reclaim.missed("lru")
    assert reclaim.scan_misses("arc") < reclaim.scan_misses("linux") < reclaim.scan_misses("lru")
    at = [reclaim.whole().at(frames) for frames in (25, 50, 100)]
    assert [4, 3] == [at[0] // at[1], at[1] // at[2]]


def test_the_scenario_s_ways_differ() -> None:
    ways = reclaim_recall.backup().ways
    assert len({way for way, _, _ in ways}) == len(ways) == 6
