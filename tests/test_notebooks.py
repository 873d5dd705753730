"""Every notebook runs clean from top to bottom, and has what can be checked of a good lesson."""

from __future__ import annotations

import itertools
import os
import re
import time
from pathlib import Path

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]
INTERACTIVE = r"(reveal|explore\.\w+)\("

# What a notebook need not have, and why; a notebook that has it after all must not stand here.
EXCEPTIONS = {
    ("00-start-here", "recall"): "it has two minutes, and nothing comes before it",
    ("00-start-here", "scenario"): "it practises how to answer; the lessons practise how to decide",
    ("00-start-here", "left out"): "each lesson says what its own model leaves out",
}

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def sources(path: Path, kind: str) -> list[str]:
    return [cell.source for cell in read(path).cells if cell.cell_type == kind]


@pytest.fixture(scope="session")
def executed() -> dict[Path, tuple[nbformat.NotebookNode, float]]:
    return {}


def run(path: Path, executed: dict, progress: Path) -> tuple[nbformat.NotebookNode, float]:
    if path not in executed:
        book, begin = read(path), time.perf_counter()
        old = os.environ.get("VMLAB_PROGRESS")
        os.environ["VMLAB_PROGRESS"] = str(progress / "progress.json")
        try:
            nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
        finally:
            os.environ.pop("VMLAB_PROGRESS") if old is None else os.environ.update(VMLAB_PROGRESS=old)
        executed[path] = (book, time.perf_counter() - begin)
    return executed[path]


def test_runs_in_order_without_an_error_or_a_warning(path: Path, executed: dict, tmp_path: Path) -> None:
    book, seconds = run(path, executed, tmp_path)
    outputs = [(cell.source, out) for cell in book.cells if cell.cell_type == "code" for out in cell.outputs]
    assert [] == [(s, o.text) for s, o in outputs if o.output_type == "stream" and o.name == "stderr"]
    assert [] == [s for s, o in outputs if o.output_type == "error"]
    assert seconds < 60


def test_without_widgets_every_interactive_cell_still_says_something(
    path: Path, executed: dict, tmp_path: Path
) -> None:
    book, _ = run(path, executed, tmp_path)
    for cell in book.cells:
        if cell.cell_type == "code" and re.search(
            r"^(predict|reveal|practise|recall|weigh|explore)\b", cell.source, re.M
        ):
            data = cell.outputs[-1].data
            assert len(data["text/plain"]) > 40, cell.source
            assert len(data["text/html"]) > 40, cell.source
            own_machine = "explore.own_" in cell.source  # asked once, nothing to turn
            assert own_machine or "application/vnd.jupyter.widget-view+json" in data


def test_every_picture_has_a_sentence_and_a_table(path: Path, executed: dict, tmp_path: Path) -> None:
    book, _ = run(path, executed, tmp_path)
    pictures = 0
    for cell in book.cells:
        for out in cell.get("outputs", []):
            html = out.get("data", {}).get("text/html", "")
            if "<svg" in html or "<img" in html:
                pictures += 1
                assert re.search(r'(aria-label|alt)="[^"]{40,}"', html), cell.source
                assert "<table>" in html, cell.source
                assert not [size for size in re.findall(r'font-size="(\d+)"', html) if int(size) < 12]
    assert pictures, "a lesson has pictures"


def test_no_output_is_longer_than_a_screen(path: Path, executed: dict, tmp_path: Path) -> None:
    book, _ = run(path, executed, tmp_path)
    for cell in book.cells:
        for out in cell.get("outputs", []):
            assert len(out.get("text", "").splitlines()) <= 40, cell.source


def test_outputs_are_stripped_and_cells_have_fixed_ids(path: Path) -> None:
    cells = read(path).cells
    assert all(not cell.outputs and cell.execution_count is None for cell in cells if cell.cell_type == "code")
    assert [f"{path.stem[:48]}-{n:02}" for n in range(1, len(cells) + 1)] == [cell.id for cell in cells]


def test_first_cell_says_what_for_how_long_and_what_one_can_do_afterwards(path: Path) -> None:
    first = read(path).cells[0].source
    assert first.startswith("# ")
    assert all(word in first for word in ("**Purpose.**", "**Time.**", "**Before.**", "**After this you can**"))
    assert int(re.search(r"(\d+) minutes", first)[1]) <= 50
    assert 3 <= len(re.findall(r"(?m)^- \*\w+\*", first)) <= 5


def test_headings_nest_without_gaps(path: Path) -> None:
    depths = [len(m) for text in sources(path, "markdown") for m in re.findall(r"(?m)^(#+) ", text)]
    assert 1 == depths[0]
    assert 1 == depths.count(1)
    assert all(deeper - depth <= 1 for depth, deeper in itertools.pairwise(depths))


def test_code_cells_are_short_and_define_nothing_long(path: Path) -> None:
    for code in sources(path, "code"):
        assert len(code.splitlines()) <= 12, code
        bodies = re.findall(r"(?m)^def .*\n((?:    .*\n|\n)*)", code + "\n")
        assert all(len(body.splitlines()) < 6 for body in bodies), code
        assert not re.search(r"(?m)^[%!]", code), "no magic"


def test_every_reveal_and_explorer_follows_its_prediction(path: Path) -> None:
    asked: set[str] = set()
    explorer_ready = False
    for code in sources(path, "code"):
        for name in re.findall(r"predict\(([\w.]+)\)", code):
            asked.add(name)
            explorer_ready = True
        for name in re.findall(r"reveal\(([\w.]+)", code):
            assert name in asked, f"reveal({name}) comes before its prediction"
        if "explore." in code:
            assert explorer_ready, "an explorer is preceded by a prediction"
        if re.search(r"views\.(?!Table|ways_compared)\w+\(", code):
            assert "reveal(" in code, f"a figure is shown only behind a prediction: {code}"


def test_recall_at_both_ends_and_practice_between(path: Path) -> None:
    code = sources(path, "code")
    places = [i for i, text in enumerate(code) if "recall(" in text]
    assert [0, 2][(path.stem, "recall") not in EXCEPTIONS] == len(places)
    assert any("practise(" in text for text in (code[places[0] : places[1]] if places else code))
    scenario = any("weigh(" in text for text in code)
    assert scenario != ((path.stem, "scenario") in EXCEPTIONS), "the last exercise is a scenario with a trade-off"
    first_exercise = next(i for i, cell in enumerate(read(path).cells) if "practise(" in cell.source)
    assert first_exercise <= 25


def test_sources_name_files_and_versions_or_records(path: Path) -> None:
    last = sources(path, "markdown")[-1]
    assert "## Sources" in last
    rows = re.findall(r"(?m)^\| (.*) \|$", last)[1:]
    assert rows
    for row in rows:
        assert re.search(r"Linux \d|records?\b|question|[Mm]anual", row), row


def test_what_the_model_leaves_out_is_said(path: Path) -> None:
    said = any("What the model leaves out" in text for text in sources(path, "markdown"))
    assert said != ((path.stem, "left out") in EXCEPTIONS)
