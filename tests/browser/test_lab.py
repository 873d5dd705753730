"""The lab as it opens: nothing in the way, and pictures that follow a key."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from labpage import LabPage
from playwright.sync_api import expect

PICTURE = """
import ipywidgets
slider = ipywidgets.IntSlider(value=3, min=0, max=100, description="pages")
picture = ipywidgets.HTML()
def draw(change=None):
    bar = f'<rect width="{3 * slider.value}" height="40" fill="#0072b2"/>'
    picture.value = f'<svg width="320" height="40">{bar}</svg>'
slider.observe(draw, "value")
draw()
ipywidgets.VBox([slider, picture])
"""


@pytest.fixture(scope="module")
def bare(lab_page: LabPage) -> Iterator[LabPage]:
    """A notebook that names no kernel, run: a result, a slider under a picture, an error, and what comes after it."""
    lab_page.console_errors.clear()
    lab_page.open_cells("6 * 7", PICTURE, "1 / 0", "2")
    with pytest.raises(AssertionError, match="ZeroDivisionError: division by zero"):
        lab_page.run_all()
    yield lab_page
    lab_page.close_notebook()


def test_lab_opens_with_our_settings_and_nothing_in_the_way(lab: LabPage) -> None:
    settings = lab.page.evaluate(
        "id => window.jupyterapp.serviceManager.settings.fetch(id).then(s => s.schema.properties)",
        "@jupyterlab/notebook-extension:tracker",
    )
    assert "none" == settings["windowingMode"]["default"], json.dumps(settings["windowingMode"])
    news = "@jupyterlab/apputils-extension:announcements"
    assert lab.page.evaluate("id => !window.jupyterapp.hasPlugin(id)", news), "nothing asks for news, now or later"
    assert lab.popups() == []
    assert lab.console_errors == []


def test_notebook_without_a_kernel_opens_without_a_question(bare: LabPage) -> None:
    expect(bare.page.locator(".jp-OutputArea-output").first).to_have_text("42")
    assert bare.popups() == []
    assert bare.console_errors == []


def test_a_slider_moved_by_key_changes_the_picture(bare: LabPage) -> None:
    cell = bare.cell("ipywidgets.VBox")
    bare.wait_for_change(cell, ".widget-html-content svg", None)
    bare.key_to_pixel(cell, cell.locator(".noUi-handle"), ".widget-html-content svg", times=3)

    expect(cell.locator(".widget-readout")).to_have_text("6")


def test_a_failing_cell_is_the_last_that_runs(bare: LabPage) -> None:
    assert ["ZeroDivisionError: division by zero"] == bare.errors()
    expect(bare.page.locator(".jp-CodeCell").nth(2)).to_contain_text("[3]:")
    expect(bare.page.locator(".jp-CodeCell").nth(3)).to_contain_text("[ ]:")
