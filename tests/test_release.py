"""The build of notebooks: the same bytes each time, and what is committed is what the lessons give."""

from __future__ import annotations

import shutil
import sys
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

from vmlab.cli import main
from vmlab.study import release
from vmlab.units import VmlabError

ROOT = Path(__file__).parent.parent
EXERCISE = "05-where-is-mem_map.exercise.py"
LESSON = "# %% [markdown]\n# # Title\n\n# %%\n1 + 1\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "01-one.py").write_text(LESSON)
    return tmp_path


def test_committed_notebooks_are_what_the_lessons_give() -> None:
    for path, content in release.built(ROOT).items():
        assert path.read_bytes() == content, f"{path.name} is out of date: run `vmlab release`"


def test_every_build_gives_the_same_bytes() -> None:
    source = ROOT / "lessons" / EXERCISE.replace(".exercise", "")
    assert release.notebook(source) == release.notebook(source)


def test_a_notebook_is_valid_has_no_outputs_and_names_its_kernel(root: Path) -> None:
    assert 0 == main(["release", "--root", str(root)])
    book = nbformat.read(root / "notebooks" / "01-one.ipynb", as_version=4)
    nbformat.validate(book)
    assert "python3" == book.metadata.kernelspec.name
    assert ["01-one-01", "01-one-02"] == [cell.id for cell in book.cells]
    assert book.cells[1].outputs == []
    assert ["01-one.ipynb"] == [path.name for path in (root / "notebooks").iterdir()], "no temporary file is left"


def test_check_names_what_differs_and_builds_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 1 == main(["release", "--check", "--root", str(root)])
    assert "differs: notebooks/01-one.ipynb" in capsys.readouterr().out
    assert not (root / "notebooks").exists()
    main(["release", "--root", str(root)])
    assert 0 == main(["release", "--check", "--root", str(root)])


def test_check_fails_when_a_built_file_was_edited_by_hand(root: Path) -> None:
    main(["release", "--root", str(root)])
    path = root / "notebooks" / "01-one.ipynb"
    path.write_text(path.read_text().replace("Title", "Other"))
    assert 1 == main(["release", "--check", "--root", str(root)])


def test_check_fails_for_a_notebook_without_a_lesson(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["release", "--root", str(root)])
    shutil.copy(root / "notebooks" / "01-one.ipynb", root / "notebooks" / "02-two.ipynb")
    assert 1 == main(["release", "--check", "--root", str(root)])
    assert "notebooks/02-two.ipynb" in capsys.readouterr().out


def test_without_lessons_there_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(["release", "--root", str(tmp_path)])
    assert "there is no lessons/ here" in capsys.readouterr().err


def test_an_exercise_source_becomes_two_notebooks_and_no_lesson(root: Path) -> None:
    shutil.copy(ROOT / "lessons" / EXERCISE, root / "lessons")
    name = EXERCISE.replace(".exercise.py", ".ipynb")
    found = {path.relative_to(root).as_posix() for path in release.built(root)}
    assert {"notebooks/01-one.ipynb", f"solutions/{name}", f"exercises/{name}"} == found


def test_every_build_of_an_exercise_gives_the_same_bytes() -> None:
    assert release.exercise(ROOT / "lessons" / EXERCISE) == release.exercise(ROOT / "lessons" / EXERCISE)


def test_an_exercise_has_fixed_ids_no_outputs_and_a_check_behind_each_answer() -> None:
    for content in release.exercise(ROOT / "lessons" / EXERCISE).values():
        book = nbformat.reads(content.decode(), as_version=4)
        nbformat.validate(book)
        assert len({cell.id for cell in book.cells}) == len(book.cells)
        assert all(cell.id.startswith("05-exercise-") for cell in book.cells)
        assert not any(cell.outputs for cell in book.cells if cell.cell_type == "code")
        for cell, behind in pairwise(book.cells):
            if cell.metadata.get("nbgrader", {}).get("solution"):
                assert behind.source.startswith('check("05.')


@pytest.mark.parametrize(("line", "instead"), [('item="05.walk"', 'item="05.wlak"'), ('item="05.walk"', "")])
def test_items_that_differ_from_the_table_are_refused(line: str, instead: str, tmp_path: Path) -> None:
    source = tmp_path / EXERCISE
    source.write_text((ROOT / "lessons" / EXERCISE).read_text().replace(line, instead))
    with pytest.raises(VmlabError, match=r"expected the items 05\.walk, 05\.frames_of"):
        release.exercise(source)


def test_without_nbgrader_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nbgrader", None)
    monkeypatch.setitem(sys.modules, "nbgrader.preprocessors", None)
    with pytest.raises(VmlabError, match="pip install nbgrader"):
        release.exercise(ROOT / "lessons" / EXERCISE)
