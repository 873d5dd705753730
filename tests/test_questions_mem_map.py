"""Questions of lesson 05: beliefs never coincide with the truth or with each other."""

from __future__ import annotations

from questions import QuestionClaims

from vmlab.study.questions import mem_map, mem_map_claims, mem_map_recall, mem_map_steps


class TestQuestions(QuestionClaims):
    MODULES = (mem_map, mem_map_claims, mem_map_steps, mem_map_recall)
    LESSON = "05"
