"""What a learner meets, judged by axe-core: the book with every fold open, and what cells put out in the lab."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from labpage import LabPage
from playwright.sync_api import Browser, Page, expect

from vmlab.cli import main

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
# JupyterLab's own frame is not ours to mend: in the lab, only what our cells put out is judged.
OURS = ".jp-OutputArea-output"
# Rules about a whole page mean nothing for its parts.
RULES = {"region": {"enabled": False}}
# ipywidgets 8 gives a slider's handle no name of its own. Its label stands beside it, and its number can be typed.
UNNAMED_HANDLE = 'aria-input-field-name: <div class="noUi-handle'


def violations(page: Page, root: str = "html") -> list[str]:
    """One line for each element that breaks a rule: the rule, and the element."""
    page.evaluate(AXE)
    found = page.evaluate("([root, rules]) => axe.run({include: [[root]]}, {rules})", [root, RULES])
    assert found["passes"], "nothing was judged"
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found["violations"] for node in rule["nodes"]]


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


def test_what_cells_put_out_in_the_lab_has_no_violation(lab: LabPage) -> None:
    lab.open_notebook("00-start-here.ipynb")
    lab.run_all()
    expect(lab.page.locator(OURS).nth(3)).to_be_attached()
    assert [] == [line for line in violations(lab.page, OURS) if not line.startswith(UNNAMED_HANDLE)]
