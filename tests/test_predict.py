"""Predictions: stored before the reveal opens, kept in a file that may be missing, broken or read-only."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from vmlab.study import check, forget, practise, predict, progress, recall, reveal, show, this_machine, weigh
from vmlab.study.questions import mem_map as ask
from vmlab.study.questions import mem_map_claims, mem_map_recall, mem_map_steps
from vmlab.units import VmlabError


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "kept" / "progress.json"
    monkeypatch.setenv("VMLAB_PROGRESS", str(path))
    monkeypatch.setattr(progress, "_kept", None)
    return path


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a notebook's kernel ran this."""
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr(show, "widgets_there", lambda: True)


def texts(widget: object) -> str:
    inside = "".join(map(texts, getattr(widget, "children", ())))
    return f"{getattr(widget, 'value', '')}{inside}"


def test_a_plain_call_commits_and_opens_the_reveal(file: Path) -> None:
    shut = reveal(ask.WHERE, lambda: SimpleNamespace(static_text=lambda: "PICTURE"))
    assert "Shut until" in repr(shut)
    assert "PICTURE" not in repr(shut)
    predict(ask.WHERE, "high")
    opened = repr(shut)
    assert ask.PLACES["high"] in opened
    assert ask.PLACES["top"] in opened
    assert "the kernel can use HighMem" in opened
    assert "PICTURE" in opened
    assert "one sentence" in opened
    assert {"given": "high"} == json.loads(file.read_text())[ask.WHERE.id]


def test_the_first_answer_counts() -> None:
    predict(ask.WHERE, "high")
    predict(ask.WHERE, "top")
    assert "high" == progress.recall_entry(ask.WHERE.id)["given"]


def test_an_answer_that_cannot_be_read_is_refused_and_not_stored() -> None:
    with pytest.raises(VmlabError, match="expected a number"):
        predict(ask.NEWMEM, "quite a few")
    assert {} == progress.recall_entry(ask.NEWMEM.id)


def test_nothing_gives_the_answer_away_before_the_commitment(notebook: None) -> None:
    asked, shut = predict(ask.MOVABLE), reveal(ask.MOVABLE)
    facts = ask.MOVABLE.variant()
    answer = ask.MOVABLE.because.format(**facts)
    assert answer not in texts(asked.widget) + asked.static_text() + texts(shut.widget)


def test_the_widget_opens_in_place_when_the_button_is_pressed(notebook: None) -> None:
    shut = reveal(ask.WHERE, lambda: SimpleNamespace(static_html=lambda: "PICTURE"))
    place = shut.widget
    assert "Shut until" in texts(place)
    asked = predict(ask.WHERE)
    _, control, button, said = asked.widget.children
    button.click()
    assert "Choose one" in said.value
    control.value = "top"
    button.click()
    assert place is shut.widget
    assert "Right." in texts(place)
    assert "PICTURE" in texts(place)
    assert control.disabled
    sentence, keep = place.children[-3], place.children[-2]
    sentence.value = "because"
    keep.click()
    assert "because" == progress.recall_entry(ask.WHERE.id)["sentence"]


def test_a_cell_that_is_run_again_remembers(notebook: None) -> None:
    predict(ask.WHERE, "top")
    assert predict(ask.WHERE).widget.children[1].disabled
    assert "Right." in texts(reveal(ask.WHERE).widget)


def test_an_exported_notebook_has_the_result_under_a_fold() -> None:
    html = reveal(ask.WHERE, lambda: SimpleNamespace(static_html=lambda: "PICTURE")).static_html()
    assert html.startswith("<details><summary>Write down your prediction")
    assert "PICTURE" in html


def test_practice_asks_for_a_changed_answer_and_hints_in_three_rungs(notebook: None) -> None:
    asked = practise(mem_map_steps.SIZE)
    _, control, buttons, said, hinted = asked.widget.children
    press, help_me, another = buttons.children
    question, facts = mem_map_steps.SIZE, asked.facts
    control.value = str(question.misconceptions[0].answer(**facts))
    press.click()
    assert question.misconceptions[0].belief in said.value
    press.click()
    assert "Change it" in said.value
    rungs = []
    for _ in range(4):
        help_me.click()
        rungs.append(len(hinted.value))
    assert rungs[0] < rungs[1] < rungs[2] == rungs[3]
    assert "A twin" in hinted.value
    control.value = hex(question.answer(**facts))
    press.click()
    assert "Right." in said.value
    another.click()
    assert asked.facts["kernel"] is not facts["kernel"]
    assert "" == asked.widget.children[1].value


def test_check_works_without_widgets() -> None:
    facts = mem_map_steps.SIZE.variant(number=2)
    assert "right" == check(mem_map_steps.SIZE, mem_map_steps.SIZE.answer(**facts), variant=2).kind
    assert "unknown" == check(mem_map_steps.SIZE, 5).kind


def test_recall_shows_answer_and_reason_once_one_is_committed(notebook: None) -> None:
    asked = recall(*mem_map_recall.END)
    assert 3 == len(asked.widget.children)
    _, control, button, said = asked.widget.children[2].children
    control.value = "8"
    button.click()
    assert "three bits a zone number fit" in said.value
    assert "4: GFP_ZONE_TABLE" in said.value
    assert control.disabled


def test_the_ways_are_shown_after_a_choice_in_writing(notebook: None) -> None:
    asked = weigh(mem_map_claims.OWN_512M)
    _, words, press, said = asked.widget.children
    press.click()
    assert "CMA" not in said.value
    words.value = "CMA, because"
    press.click()
    assert "migration" in said.value


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"05.where": 5}', '{"05.where": {"given": "nowhere"}}'])
def test_a_broken_file_is_as_good_as_none(content: str, file: Path) -> None:
    file.parent.mkdir()
    file.write_text(content)
    assert "Shut until" in repr(reveal(ask.WHERE))


def test_a_folder_that_cannot_be_written_costs_only_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("VMLAB_PROGRESS", str(tmp_path / "a-file" / "progress.json"))
    predict(ask.WHERE, "top")
    assert "Right." in repr(reveal(ask.WHERE))


def test_two_notebooks_at_once_keep_each_others_answers(file: Path) -> None:
    predict(ask.WHERE, "top")
    other = json.loads(file.read_text()) | {"04.other": {"given": 1}}
    file.write_text(json.dumps(other))
    predict(ask.VMALLOC, "down")
    assert {ask.WHERE.id, ask.VMALLOC.id, "04.other"} == set(json.loads(file.read_text()))


def test_forgetting_removes_the_file_and_the_answers(file: Path) -> None:
    predict(ask.WHERE, "top")
    assert [file] == list(file.parent.iterdir()), "no temporary file is left"
    forget()
    assert not file.exists()
    assert "Shut until" in repr(reveal(ask.WHERE))


def test_without_ipywidgets_everything_has_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    for thing in (predict(ask.WHERE), reveal(ask.WHERE), recall(*mem_map_recall.START), practise(mem_map_steps.SIZE)):
        assert {"text/plain", "text/html"} == set(thing._repr_mimebundle_())
        assert len(thing.static_text()) > 40


def test_the_own_machine_falls_back_on_a_sample_and_says_so(tmp_path: Path) -> None:
    shown = this_machine(tmp_path)
    assert shown.source.startswith("Shown: a sample, the recorded PC amd64-pc-4g")
    assert shown.zones
    assert shown.ram


def test_hidden_addresses_are_said_to_be_hidden(tmp_path: Path) -> None:
    from vmlab import procfs

    (tmp_path / "zoneinfo").write_text(procfs.sample("zoneinfo").read_text())
    (tmp_path / "iomem").write_text("00000000-00000000 : System RAM\n00000000-00000000 : System RAM\n")
    (tmp_path / "vmstat").write_text("nr_free_pages 5\nnr_memmap_boot_pages 16384\n")
    shown = this_machine(tmp_path)
    assert shown.source.startswith("Shown: your own machine")
    assert "only root is shown them" in shown.said()
    assert 16384 == shown.memmap_pages
