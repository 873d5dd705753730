"""Drawings: a figure, a sentence and a table that agree; readable without colour, small enough to send."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

import vmlab as vm
from vmlab import views
from vmlab.views import labels, svg
from vmlab.views.drawing import Table
from vmlab.views.uses import uses

MACHINES = vm.machines()
SMALLEST_PX = 12  # 9 pt


def asker() -> vm.Kernel:
    board = vm.Machine(arch="arm", ram=[vm.Region(0x4000_0000, 2 * vm.GiB)], config=vm.Config(zone_dma=False))
    return vm.boot(board.with_zone("NewMem", size=512 * vm.MiB, below="HighMem"))


@pytest.mark.parametrize("name", MACHINES)
def test_every_recorded_machine_can_be_drawn(name: str) -> None:
    drawing = views.ruler(vm.boot(vm.load_machine(name)))
    root = ET.fromstring(drawing.svg)
    width, height = float(root.get("width")), float(root.get("height"))
    for box in root.iter("{http://www.w3.org/2000/svg}rect"):
        if box.get("x"):
            assert 0 <= float(box.get("x"))
            assert float(box.get("x")) + float(box.get("width")) <= width + 3
            assert float(box.get("y")) + float(box.get("height")) <= height
    assert len(drawing.svg) < 20_000


@pytest.mark.parametrize("name", MACHINES)
def test_stretches_of_memory_are_disjoint_and_hold_mem_map(name: str) -> None:
    kernel = vm.boot(vm.load_machine(name))
    found = uses(kernel)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
    drawn = sum(use.end - use.start for use in found if use.kind == "mem_map")
    assert kernel.mem_map.bytes - sum(end - start for start, end in kernel.mem_map.freed) == drawn


def test_the_sentence_says_where_the_array_is_and_that_the_added_zone_has_none_of_it() -> None:
    drawing = views.ruler(asker())
    assert "mem_map fills 4,608 frames, 0x6edf9 to 0x6fff8: 4,608 in zone Normal; none lies in NewMem." == drawing.alt


def test_the_sentence_changes_its_mind_when_the_zone_is_cut_from_lowmem() -> None:
    board = vm.Machine(arch="arm", ram=[vm.Region(0x4000_0000, 2 * vm.GiB)], config=vm.Config(zone_dma=False))
    drawing = views.ruler(vm.boot(board.with_zone("NewMem", size=512 * vm.MiB, above="Normal")))
    assert "in zone NewMem" in drawing.alt
    assert "none lies" not in drawing.alt


def test_every_zone_and_every_use_is_a_row_of_the_table() -> None:
    kernel = asker()
    drawing = views.ruler(kernel)
    what = [row[0] for row in drawing.table.rows]
    assert ["zone Normal", "zone NewMem", "zone HighMem"] == what[:3]
    assert {"mem_map", "kernel image", "CMA"} <= set(what)
    row = next(row for row in drawing.table.rows if row[0] == "mem_map")
    assert ("0x6edf9", "0x6fff8", 4608) == row[3:]


def test_static_html_has_the_figure_the_sentence_and_the_table() -> None:
    drawing = views.ruler(asker())
    html = drawing.static_html()
    assert 'role="img"' in html
    assert f'aria-label="{drawing.alt}"' in html
    assert "<details>" in html
    assert "<table>" in html
    assert drawing.alt in drawing._repr_mimebundle_()["text/plain"]


def test_kinds_differ_by_pattern_and_not_by_colour_alone() -> None:
    patterned = [(fill.pattern, grey(fill.ground)) for fill in svg.FILLS.values()]
    for i, (pattern, shade) in enumerate(patterned):
        for other, tone in patterned[i + 1 :]:
            assert pattern != other or abs(shade - tone) > 8, (pattern, shade, tone)


def grey(colour: str) -> float:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue


def test_no_text_is_smaller_than_nine_points() -> None:
    sizes = re.findall(r'font-size[=:]"?(\d+)', views.ruler(asker()).static_html())
    assert sizes
    assert min(map(int, sizes)) >= SMALLEST_PX


def test_labels_never_lie_on_each_other() -> None:
    crowd = [labels.Label(20 + 7 * n, f"label number {n}", n) for n in range(40)]
    placed = labels.place(crowd, 600, 3)
    assert placed
    for i, a in enumerate(placed):
        for b in placed[i + 1 :]:
            apart = a.left + len(a.words) * labels.ADVANCE <= b.left or b.left + len(b.words) * labels.ADVANCE <= a.left
            assert a.row != b.row or apart, (a, b)
    assert "label number 39" in [label.words for label in placed], "the heaviest finds room"


def test_a_tiny_machine_and_a_huge_one_can_be_drawn() -> None:
    tiny = vm.boot(vm.Machine(arch="arm", ram=[vm.Region(0x4000_0000, 64 * vm.MiB)]))
    huge = vm.boot(vm.Machine(arch="amd64", ram=[vm.Region(0x1000, 1 << 40)]))
    for kernel in (tiny, huge):
        assert "mem_map fills" in views.ruler(kernel).alt


def test_the_asked_frame_is_marked_in_both_bars_or_in_one() -> None:
    kernel = asker()
    plain, near, far = (views.ruler(kernel, pfn).svg.count("h12z") for pfn in (None, 0x6F000, 0xA0000))
    assert (0, 2, 1) == (plain, near, far)


def test_bars_give_the_numbers_of_the_zones() -> None:
    drawing = views.zone_bars(asker())
    assert drawing.png.startswith(b"\x89PNG")
    assert ("NewMem", 131072, 131072, 131072, 0) in drawing.table.rows
    assert "NewMem has 131,072 managed of 131,072 present pages" in drawing.alt
    assert f'alt="{drawing.alt}"' in drawing.static_html()


def test_the_one_figure_of_the_bars_forgets_what_it_drew_before() -> None:
    first = views.zone_bars(asker()).png
    views.zone_bars(vm.boot(vm.load_machine("i386-pc-686-1g")))
    assert first == views.zone_bars(asker()).png


def test_a_table_shows_text_in_columns_and_escapes_html() -> None:
    table = Table(("a", "b"), [("<x>", 1234)])
    assert "&lt;x&gt;" in table.static_html()
    assert "1,234" in table.static_html()
    assert ["a    b", "<x>  1234"] == table.static_text().splitlines()


def test_views_do_not_load_matplotlib_until_it_is_needed() -> None:
    code = "import sys, vmlab.views; sys.exit(any(m in sys.modules for m in ('matplotlib', 'ipywidgets')))"
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode
