"""Questions of lesson 03: beliefs never coincide with the truth or with each other; truths are run."""

from __future__ import annotations

import pytest
from questions import QuestionClaims

from vmlab.study.question import Question
from vmlab.study.questions import tlb, tlb_flush, tlb_recall, tlb_sets, tlb_steps, tlb_strides, tlb_switch, tlb_threads
from vmlab.virtual.tlb_rows import Structure


class TestQuestions(QuestionClaims):
    MODULES = (tlb, tlb_sets, tlb_steps, tlb_switch, tlb_threads, tlb_strides, tlb_flush, tlb_recall)
    LESSON = "03"


@pytest.mark.parametrize(
    "question",
    [tlb.REACH, tlb_steps.COST, tlb_switch.PAIRS, tlb_sets.SET],
    ids=lambda question: question.id,
)
def test_the_steps_end_in_the_answer(question: Question) -> None:
    for number in range(50):
        facts = question.variant("steps", number)
        last = question.steps(**facts).steps[-1].gives
        assert question.answer(**facts) == int(last.replace(",", ""), 0)


def test_the_steps_of_a_victim_and_of_writes_end_in_the_answer() -> None:
    for number in range(50):
        facts = tlb_steps.VICTIM.variant("steps", number)
        evict = {step.name: step for step in tlb_steps.victim_steps(**facts).steps}["evict"]
        assert f"{tlb_steps.VICTIM.answer(**facts):#x} (ASID 1) goes" == evict.gives
        facts = tlb_threads.WRITES.variant("steps", number)
        last = tlb_threads.writes_steps(**facts).steps[-1].gives
        assert f"{tlb_threads.WRITES.answer(**facts)} writes" == last


def test_a_column_that_shares_one_set_thrashes_and_a_padded_one_does_not() -> None:
    assert 32 == tlb_sets.second_pass(32, 16)
    assert 0 == tlb_sets.second_pass(32, 17)
    assert 0 == tlb_sets.second_pass(32, 16, Structure("all ways", 1, 64, 64)), "one set of all: no conflict"


def test_the_numbers_that_the_lesson_names() -> None:
    assert 24 == tlb.WALK.answer(**tlb.WALK.variant())
    assert "each" == tlb.MATRIX.answer(**tlb.MATRIX.variant())
    assert "same" == tlb.BIGGER.answer(**tlb.BIGGER.variant())
    assert "random" == tlb.POLICY.answer(**tlb.POLICY.variant())
    assert "few" == tlb.HUGE.answer(**tlb.HUGE.variant())
    assert [0] * 6 == tlb_switch.in_turn(6)
    assert [8] * 7 == tlb_switch.in_turn(7)
    assert [255, 127] == [tlb_switch.before_rollover(rule) for rule in ("arm", "arm64-8")]


@pytest.mark.parametrize("pages", [1, 33, 34, 60])
def test_a_flush_goes_page_by_page_up_to_the_ceiling_and_then_takes_all(pages: int) -> None:
    gone = tlb_flush.forgotten("x86-pcid", pages, 50, 10)
    assert (pages if pages <= tlb_flush.CEILING else pages + 50) == gone
    assert pages == tlb_flush.forgotten("arm", pages, 50, 10), "ARM has no ceiling"


def test_system_calls_cost_walks_only_with_isolation_and_without_pcids() -> None:
    cost = {
        (rule, isolated): tlb_flush.system_calls(rule, isolated, 20, 5, 10)
        for rule in ("x86", "x86-pcid")
        for isolated in (False, True)
    }
    assert {25} == {walks for key, walks in cost.items() if key != ("x86", True)}
    assert 20 + 10 * 25 == cost["x86", True]


def test_a_drawn_variant_in_which_beliefs_agree_is_drawn_again() -> None:
    from vmlab.study.question import Misconception

    low = Question(
        "x", "?", lambda rng: {"n": rng.randrange(2, 4)}, lambda n: n + n, (Misconception("", lambda n: n * n, "?"),)
    )
    assert {3} == {tlb_steps.apart(low).variant("class", number)["n"] for number in range(40)}


def test_the_scenario_names_the_reach_of_both_page_sizes() -> None:
    html = tlb_flush.database().static_html()
    assert "6 MiB" in html
    assert "3 GiB" in html
