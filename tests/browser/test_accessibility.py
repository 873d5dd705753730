"""What a learner meets, judged by axe-core: the book with every fold open. Lesson 00's test judges the lab."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe import violations
from playwright.sync_api import Browser

from vmlab.cli import main


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    assert 0 == main(["book", str(folder), "--lesson", "00"])
    return folder


def test_the_book_has_no_violation_with_every_fold_open(book: Path, chromium: Browser) -> None:
    page = chromium.new_page()
    for path in sorted(book.iterdir()):
        page.goto(path.as_uri())
        page.evaluate("() => document.querySelectorAll('details').forEach(fold => { fold.open = true })")
        assert [] == violations(page), path.name
    page.close()


def test_a_checker_that_finds_nothing_wrong_would_be_noticed(chromium: Browser) -> None:
    page = chromium.new_page()
    page.set_content("<html lang='en'><title>t</title><main><img src='data:,'><p style='color:#ccc'>pale</p></main>")
    assert {"image-alt", "color-contrast"} <= {line.partition(":")[0] for line in violations(page)}
    page.close()
