"""From key to pixels, through a real kernel, for every explorer that one key moves.

It measures time: run it alone, with `-m latency -s`. How long is for the reader of what is printed, and of
artifacts/latency.txt: a slow machine fails no test. What fails is a key that changes nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
from labpage import ARTIFACTS, LabPage
from lessonpage import SVG, code_cell
from playwright.sync_api import Error

from vmlab import explore

pytestmark = pytest.mark.latency
STEPS = 6


class Key(NamedTuple):
    """What is pressed, on which control: an ARIA role and the how-manieth of it."""

    role: str
    nth: int
    key: str


SLIDER, SECOND = (Key("slider", nth, "ArrowRight") for nth in range(2))
CHOICE = Key("combobox", 0, "ArrowDown")
PRESSED = Key("button", 0, "Enter")
KEYS = {
    "address_explorer": Key("combobox", 1, "ArrowDown"),
    "boot_explorer": SLIDER,
    "buddy_explorer": PRESSED,
    "first_explorer": SLIDER,
    "formats_explorer": Key("combobox", 3, "ArrowDown"),
    "geometry_explorer": SLIDER,
    "local_explorer": PRESSED,
    "lookup_explorer": SLIDER,
    "mem_map_explorer": SECOND,
    "objects_explorer": PRESSED,
    "order_explorer": SLIDER,
    "page_explorer": PRESSED,
    "race_explorer": SLIDER,
    "sizes_explorer": SLIDER,
    "steps_explorer": SECOND,
    "swap_explorer": PRESSED,
    "switch_explorer": SECOND,
    "translation_explorer": CHOICE,
    "vmalloc_explorer": PRESSED,
    "window_explorer": PRESSED,
    "zones_explorer": SECOND,
}
ARGUMENTS = {"boot_explorer": '"arm-virt-armmp-1g"'}
NOT_DRAWN_AT_A_KEY = {"kernels_explorer", "live_explorer"}  # a whole address is typed; a button boots a kernel
BARS = """
import vmlab as vm
from vmlab import views
from vmlab.explore import Explorer, Scene, Slider
def draw(mib):
    return Scene(views.zone_bars(vm.boot(vm.Machine(arch="arm", ram=[vm.Region(0x4000_0000, mib * vm.MiB)]))))
Explorer(draw, [Slider("mib", "RAM, MiB", 512, 3000, 8, 1024)])
"""


def test_every_key_of_every_explorer_changes_the_picture(lab: LabPage) -> None:
    every = {name for name in explore.__all__ if name.endswith("_explorer")}
    assert every == KEYS.keys() | NOT_DRAWN_AT_A_KEY
    lab.open_cells("from vmlab import explore", *(f"explore.{name}({ARGUMENTS.get(name, '')})" for name in KEYS), BARS)
    lab.run_all()
    lines, stuck = [], []
    for name, (role, nth, key) in KEYS.items():
        cell = code_cell(lab, f"explore.{name}(")
        cell.locator(SVG).first.wait_for()
        try:
            latency = lab.key_to_pixel(cell, cell.get_by_role(role).nth(nth), SVG, key, STEPS)
        except Error as error:
            stuck.append(f"{name}: {error.message}")
        else:
            lines.append(f"{name:24} {latency}")
    cell, image = code_cell(lab, "Explorer(draw"), "img.widget-image"
    lab.wait_for_change(cell, image, None)
    lines.append(f"{'matplotlib, as PNG':24} {lab.key_to_pixel(cell, cell.get_by_role('slider'), image, times=STEPS)}")
    ARTIFACTS.mkdir(exist_ok=True)
    (ARTIFACTS / "latency.txt").write_text("\n".join(lines) + "\n")
    print("", *lines, sep="\n")
    assert stuck == []
