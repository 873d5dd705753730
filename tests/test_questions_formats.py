"""Questions of lesson 02: beliefs never coincide with the truth or with each other; truths are the page tables'."""

from __future__ import annotations

from questions import QuestionClaims

from vmlab.study.questions import formats, formats_entries, formats_limits, formats_recall, formats_steps


class TestQuestions(QuestionClaims):
    MODULES = (formats, formats_entries, formats_limits, formats_steps, formats_recall)
    LESSON = "02"
    BELIEFS = 2
