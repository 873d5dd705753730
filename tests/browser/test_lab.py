"""The lab as it opens: nothing in the way, and pictures that follow a key."""

from __future__ import annotations

import json

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


def test_lab_opens_with_our_settings_and_nothing_in_the_way(lab: LabPage) -> None:
    settings = lab.page.evaluate(
        "id => window.jupyterapp.serviceManager.settings.fetch(id).then(s => s.schema.properties)",
        "@jupyterlab/notebook-extension:tracker",
    )
    lab.page.wait_for_timeout(2000)  # a notice about news comes late

    assert "none" == settings["windowingMode"]["default"], json.dumps(settings["windowingMode"])
    assert lab.popups() == []
    assert lab.console_errors == []


def test_notebook_without_a_kernel_opens_without_a_question(lab: LabPage) -> None:
    lab.open_cells("6 * 7")
    lab.run_all()

    expect(lab.page.locator(".jp-OutputArea-output").first).to_have_text("42")
    assert lab.popups() == []
    assert lab.console_errors == []


def test_a_slider_moved_by_key_changes_the_picture(lab: LabPage) -> None:
    lab.open_cells(PICTURE)
    lab.run_all()
    cell = lab.cell("ipywidgets.VBox")
    lab.wait_for_change(cell, ".widget-html-content svg", None)
    lab.key_to_pixel(cell, cell.locator(".noUi-handle"), ".widget-html-content svg", times=3)

    expect(cell.locator(".widget-readout")).to_have_text("6")


def test_a_failing_cell_fails_run_all(lab: LabPage) -> None:
    lab.open_cells("1 / 0", "2")
    lab.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    lab.page.wait_for_function("() => vmlabTest.finished()")

    assert ["ZeroDivisionError: division by zero"] == lab.errors()
