"""Explorers: every setting draws or says why not, and the picture stays when it cannot be drawn."""

from __future__ import annotations

import itertools
import sys

import pytest

import vmlab as vm
from vmlab.explore import Choice, Entry, Explorer, Scene, Slider, mem_map, mem_map_explorer
from vmlab.study import show
from vmlab.units import VmlabError
from vmlab.views import Drawing, Table

pytest.importorskip("ipywidgets")


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a notebook's kernel ran this."""
    monkeypatch.setattr(show, "widgets_there", lambda: True)


def small(size: int) -> Scene:
    if size > 5:
        raise VmlabError(f"size: expected at most 5, got {size}")
    return Scene(Drawing(f"The size is {size}.", Table(("size",), [(size,)]), svg=f"<svg><g id='{size}'/></svg>"))


def test_a_change_replaces_the_picture_and_the_sentence_in_place(notebook: None) -> None:
    explorer = Explorer(small, [Slider("size", "Size", 1, 9, 1, 3)])
    explorer.widget.children[0].children[0].value = 4
    picture = explorer.widget.children[1]
    assert "id='4'" in picture.value
    assert "The size is 4." in explorer.widget.children[2].value
    assert picture is explorer.widget.children[1]


def test_an_error_is_a_sentence_over_the_last_good_picture(notebook: None) -> None:
    explorer = Explorer(small, [Slider("size", "Size", 1, 9, 1, 3)])
    slider, picture = explorer.widget.children[0].children[0], explorer.widget.children[1]
    slider.value = 7
    assert 'role="alert"' in picture.value
    assert "expected at most 5, got 7" in picture.value
    assert "id='3'" in picture.value
    slider.value = 5
    assert "alert" not in picture.value
    assert "id='5'" in picture.value


def test_the_table_is_there_when_it_is_asked_for(notebook: None) -> None:
    explorer = Explorer(small, [Slider("size", "Size", 1, 9, 1, 3)])
    *_, box, rows = explorer.widget.children
    assert "" == rows.value
    box.value = True
    assert "<td" in rows.value


def test_every_control_has_its_label_and_a_slider_can_be_typed(notebook: None) -> None:
    controls = mem_map_explorer().widget.children[0].children
    assert all(control.description for control in controls)
    assert all(control.readout for control in controls if hasattr(control, "readout"))


def test_without_widgets_figure_and_table_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    bundle = mem_map_explorer()._repr_mimebundle_()
    assert {"text/plain", "text/html"} == set(bundle)
    assert "<svg" in bundle["text/html"]
    assert "<table>" in bundle["text/html"]
    assert "zone NewMem" in bundle["text/plain"]


def test_with_widgets_the_static_forms_are_there_too(notebook: None) -> None:
    bundle = mem_map_explorer()._repr_mimebundle_()
    assert {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"} == set(bundle)


def every_setting() -> list[dict]:
    names = [control.name for control in mem_map.CONTROLS]
    values = []
    for control in mem_map.CONTROLS:
        if isinstance(control, Slider):
            values.append((control.low, control.start, control.high))
        elif isinstance(control, Choice):
            values.append(tuple(control.options.values()))
        else:
            assert isinstance(control, Entry)
            values.append(("0x70000", "soon"))
    return [dict(zip(names, setting, strict=True)) for setting in itertools.product(*values)]


def test_all_forms_of_a_showing_come_from_one_drawing_and_a_change_draws_again(notebook: None) -> None:
    sizes = []

    def counted(size: int) -> Scene:
        sizes.append(size)
        return small(size)

    explorer = Explorer(counted, [Slider("size", "Size", 1, 9, 1, 3)])
    assert {"text/plain", "text/html"} < set(explorer._repr_mimebundle_())
    assert [3] == sizes
    explorer.widget.children[0].children[0].value = 4
    assert [3, 4] == sizes
    assert "The size is 4." in explorer._repr_mimebundle_()["text/plain"]


def test_every_setting_of_the_controls_draws_or_says_why_not() -> None:
    drawn, reasons = 0, set()
    for setting in every_setting()[::7]:
        try:
            scene = mem_map.draw(**setting)
        except VmlabError as refused:
            reasons.add(str(refused))
        else:
            drawn += 1
            assert scene.drawing.svg
            assert len(scene.drawing.svg) < 15_000
    assert drawn > 100
    assert all(len(reason) > 20 for reason in reasons)


def test_a_frame_is_answered_with_yes_or_no_and_a_reason() -> None:
    kernel = vm.boot(mem_map.machine(("arm", 0x4000_0000), 2048, 240, 512, "HighMem", 36, "FLATMEM", "memblock"))
    first = kernel.mem_map.frames[0].start
    assert "no; it holds struct pages" in mem_map.asked(kernel, hex(first))[1]
    assert "yes; it is free" in mem_map.asked(kernel, "458752")[1]
    assert "Type a frame number" in mem_map.asked(kernel, "0x")[1]
    assert "no RAM" in mem_map.asked(kernel, "1")[1]


def test_the_added_zone_is_summed_up() -> None:
    kernel = vm.boot(mem_map.machine(("arm", 0x4000_0000), 2048, 240, 512, "Normal", 36, "FLATMEM", "memblock"))
    assert "mem_map takes 4,608," in mem_map.newmem(kernel)[0]
