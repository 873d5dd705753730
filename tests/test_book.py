"""The static book: opens from a disk without a network, every figure has its sentence, every link leads somewhere."""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbformat
import pytest

from vmlab import book
from vmlab.cli import main
from vmlab.units import VmlabError

FETCHES = r'<script|<link|@import|\bsrc="(?!data:)|url\((?!#)'


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A book of the shortest notebook, as the command makes it."""
    folder = tmp_path_factory.mktemp("book")
    assert 0 == main(["book", str(folder), "--lesson", "00"])
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_pages_are_the_notebook_the_glossary_and_the_contents(pages: dict[str, str]) -> None:
    assert {"index.html", "GLOSSARY.html", "00-start-here.html"} == set(pages)
    assert 'href="00-start-here.html"' in pages["index.html"]


def test_nothing_is_fetched_and_no_widget_is_asked_for(pages: dict[str, str]) -> None:
    for name, page in pages.items():
        assert not re.search(FETCHES, page), name
        assert not re.search(r'href="https?:', page), name
        assert "widget-view" not in page
        assert page.startswith('<!DOCTYPE html>\n<html lang="en">')


def test_every_figure_has_a_sentence_and_a_table(pages: dict[str, str]) -> None:
    shown = pages["00-start-here.html"]
    figures = re.findall(r"(?s)<figure.*?</figure>", shown)
    assert 3 == len(figures), "what the prediction opens, the explorer's first setting, the map"
    for figure in (*figures, *re.findall(r"(?s)<figure.*?</figure>", pages["index.html"])):
        assert re.search(r'aria-label="[^"]{40,}"', figure)
        assert "<table>" in figure


def test_links_lead_to_pages_and_headings_that_are_there(pages: dict[str, str]) -> None:
    known = set(re.findall(r'id="([^"]+)"', pages["GLOSSARY.html"]))
    links = re.findall(r'href="GLOSSARY.html#([^"]+)"', pages["00-start-here.html"])
    assert links
    assert set(links) <= known
    for page in pages.values():
        assert set(re.findall(r'href="([\w.-]+)', page)) <= set(pages)


def test_a_book_tells_nothing_of_whoever_made_it(pages: dict[str, str]) -> None:
    assert not any("progress.json" in page or str(Path.home() / ".local") in page for page in pages.values())
    assert all("begun: " not in page for page in pages.values())


def test_a_cell_that_fails_is_told_and_answers_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMLAB_PROGRESS", "mine")
    with book.nothing_kept():
        assert "mine" != os.environ["VMLAB_PROGRESS"]
    assert "mine" == os.environ["VMLAB_PROGRESS"]
    path = tmp_path / "bad.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")]), path)
    with pytest.raises(VmlabError, match=r"bad\.ipynb: a cell failed"):
        book.executed(path)


def test_an_unknown_lesson_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(["book", str(tmp_path / "none"), "--lesson", "77"])
    assert "--lesson: expected numbers such as 05, got 77" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
