"""The picture of a zone's free lists and frames agrees with the allocator; stepping back is a replay."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from vmlab.explore import buddy as explorer
from vmlab.study.workbench import Action, Workbench
from vmlab.views.buddy import blocks_on_list, buddy_zone
from vmlab.views.frame_map import IS_FREE, IS_USED, kinds


def test_the_table_and_the_map_count_what_the_allocator_counts() -> None:
    bench = Workbench.after([Action("fill half"), Action("free every second"), Action("allocate", 3, 0)])
    drawing = buddy_zone(bench.buddy, bench.zone)
    ET.fromstring(drawing.svg)
    assert bench.buddy.nr_free(bench.zone) == [row[2] for row in reversed(drawing.table.rows)]
    found = kinds(bench.buddy, bench.zone)
    assert bench.buddy.free_pages(bench.zone) == (found == IS_FREE).sum()
    assert sum(1 << order for _, order in bench.blocks) == (found == IS_USED).sum()


def test_the_head_of_a_list_is_handed_out_next() -> None:
    bench = Workbench.after([Action("fill half"), Action("free every second")])
    head = blocks_on_list(bench.buddy, bench.zone, 0, 1)[0]
    assert head == bench.alloc()


def test_stepping_back_shows_the_state_before() -> None:
    history = explorer.added(((), 0), Action("allocate"))
    before = explorer.draw(history).drawing
    history = explorer.added(history, Action("fill half"))
    assert before != explorer.draw(history).drawing
    assert before.svg == explorer.draw(explorer.moved(history, -1)).drawing.svg


def test_a_long_request_is_told_by_kinds_of_steps_with_nothing_dropped() -> None:
    bench = Workbench.after([Action("allocate", 0, 1, 0)])
    steps = bench.buddy.steps
    kinds = {step.kind for step in steps}
    told = sum(int(count) for count in re.findall(r"\((\d+) more like this\)", bench.said))
    assert len(steps) == told + len(kinds)
    assert "fetch 31 blocks" in bench.said
