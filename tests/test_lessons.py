"""One table of lessons, and everything that lists lessons agrees with it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from vmlab import lab
from vmlab.study import bank, lessons, progress
from vmlab.study.lessons import LESSONS, START
from vmlab.study.release import LESSON
from vmlab.views import lesson_map
from vmlab.views.lesson_map import HEIGHT, WIDTH

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VMLAB_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setattr(progress, "_kept", None)
    return tmp_path / "progress.json"


def test_every_source_and_every_notebook_is_in_the_table_and_no_other() -> None:
    wanted = [START.file, *(lesson.file for lesson in LESSONS)]
    assert wanted == sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    sources = [
        path.with_suffix(".ipynb").name for path in (ROOT / "lessons").glob("*.py") if LESSON.fullmatch(path.name)
    ]
    assert wanted == sorted(sources)


def test_readme_lists_the_same_lessons_in_the_same_words() -> None:
    rows = re.findall(r"(?m)^\| (\d\d) \| (.*?) \| (.*?) \|$", (ROOT / "README.md").read_text())
    assert rows == [(lesson.number, lesson.title, lesson.question) for lesson in LESSONS]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.number)
def test_what_a_lesson_says_comes_before_it_comes_before_it_on_the_map(lesson) -> None:
    source = (ROOT / "lessons" / lesson.file).with_suffix(".py").read_text()
    said = re.search(r"# \*\*Before\.\*\*(.*?)\n#\n", source, re.S)
    assert said
    named = {
        n for words in re.findall(r"[Ll]essons? ((?:\d\d(?:, | and |))+)", said[1]) for n in re.findall(r"\d\d", words)
    }
    assert named <= lessons.before(lesson) | set(lesson.helps)
    assert all(number < lesson.number for number in lesson.needs + lesson.helps)


def test_every_lesson_has_questions_in_the_bank() -> None:
    assert all(bank.modules(lesson.number) for lesson in (START, *LESSONS))


# --- what is kept between lessons ---


def test_answers_are_counted_by_lesson_and_forgotten(file: Path) -> None:
    assert not any(lessons.answers_kept().values())
    progress.remember("05.where", given="top")
    progress.remember("05.size", given=3)
    progress.remember("00.frames", given="all")
    assert {"05": 2} == {number: count for number, count in lessons.answers_kept().items() if count}
    progress.forget()
    assert not file.exists()
    assert not any(lessons.answers_kept().values())


def test_next_is_the_first_lesson_whose_needs_are_begun() -> None:
    order = []
    while (found := lessons.next_lesson()) is not None:
        assert set(found.needs) <= set(order)
        order.append(found.number)
        progress.remember(f"{found.number}.one", given=1)
    assert order == [lesson.number for lesson in LESSONS]
    progress.forget()
    progress.remember("04.one", given=1)
    progress.remember("01.one", given=1)
    progress.forget("01.one")
    assert "01" == lessons.next_lesson().number


def test_the_lab_opens_on_the_first_notebook_until_an_answer_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VMLAB_PROGRESS")
    kept = tmp_path / "data" / "vmlab-progress.json"
    assert f"/lab/tree/{START.file}" == lab.first_page(ROOT / "notebooks", tmp_path)
    assert "/lab" == lab.first_page(ROOT / "exercises", tmp_path)
    kept.parent.mkdir()
    kept.write_text("{}")
    assert "/lab" == lab.first_page(ROOT / "notebooks", tmp_path)


# --- the map ---


def test_each_lesson_has_a_box_right_of_what_it_needs_and_none_covers_another() -> None:
    drawing = lesson_map(LESSONS, {"01": 3}, "02")
    boxes = re.findall(rf'<rect x="([\d.]+)" y="(\d+)" width="{WIDTH}.0" height="{HEIGHT}"', drawing.svg)
    assert len(boxes) == len(set(boxes)) == len(LESSONS)
    left = {lesson.number: float(x) for lesson, (x, _) in zip(LESSONS, boxes, strict=True)}
    assert all(left[need] < left[lesson.number] for lesson in LESSONS for need in lesson.needs)
    assert sum(len(lesson.needs) for lesson in LESSONS) == drawing.svg.count('z" fill="#1a1a1a"'), "an arrow each"


def test_how_far_you_are_stands_in_words_in_the_picture_the_sentence_and_the_table() -> None:
    drawing = lesson_map(LESSONS, {"01": 3, "04": 1}, "02")
    assert "begun: 3 answers kept" in drawing.svg
    assert "begun: 1 answer kept" in drawing.svg
    assert "▶ next" in drawing.svg
    assert "You have begun 01, 04. Next: 02." in drawing.alt
    assert ["begun: 3 answers kept", "next"] == [row[-1] for row in drawing.table.rows[:2]]
    assert "You have begun none." in lesson_map(LESSONS, {}).alt


def names(node: ast.AST, kind: type[ast.expr_context]) -> set[str]:
    """The names that are read (Load) or set (Store) anywhere in a piece of code."""
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, kind)}


def set_in(cell: ast.AST) -> set[str]:
    """The names that a cell leaves behind: those of comprehensions and lambdas are their own."""
    if isinstance(cell, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.Lambda):
        return set()
    here = {cell.id} if isinstance(cell, ast.Name) and isinstance(cell.ctx, ast.Store) else set()
    return here.union(*map(set_in, ast.iter_child_nodes(cell)))


def set_again(sources: list[str]) -> Iterator[str]:
    """The names that a lambda of one cell reads when it is called, and that a later cell sets anew."""
    cells = [ast.parse(source) for source in sources]
    for number, cell in enumerate(cells):
        for each in ast.walk(cell):
            if isinstance(each, ast.Lambda):
                read = names(each.body, ast.Load) - {arg.arg for arg in each.args.args} - names(each, ast.Store)
                yield from sorted(read & set().union(*map(set_in, cells[number + 1 :])))


@pytest.mark.parametrize("lesson", [START, *LESSONS], ids=lambda lesson: lesson.number)
def test_a_result_opened_after_all_cells_have_run_shows_what_its_own_cell_made(lesson: lessons.Lesson) -> None:
    book = nbformat.read(ROOT / "notebooks" / lesson.file, as_version=4)
    assert [] == list(set_again([cell.source for cell in book.cells if cell.cell_type == "code"]))


def test_a_name_set_again_would_be_noticed() -> None:
    assert ["a"] == list(set_again(["a = 1\nreveal(lambda: a + sum(b for b in x))", "a = b = 2"]))
    assert [] == list(set_again(["a = 1\nreveal(lambda: a)", "[a for a in x]\nf(lambda a: a)"]))
