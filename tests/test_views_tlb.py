"""Views and explorers of lesson 03: what is drawn is what the model holds, and all of it can be read."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from pictures import SVG, readable, texts

import vmlab as vm
from vmlab.explore import own_tlb, tlb, tlb_switch
from vmlab.procfs import sample
from vmlab.study.questions.tlb_steps import TOY, look_up
from vmlab.trace import chase
from vmlab.units import VmlabError
from vmlab.views import Axis, Curve, curves, tlb_grid, walk_bars
from vmlab.virtual.tlb_rows import CPUS, Structure
from vmlab.virtual.tlb_tell import Counts


def test_every_entry_of_the_structure_is_in_the_grid_and_in_the_table() -> None:
    tlb_ = vm.Tlb(TOY)
    for asid, va, is_global in tlb.SCRIPT:
        tlb_.access(asid, va, is_global=is_global)
    drawing = tlb_grid(tlb_, "all")
    readable(drawing)
    assert len(tlb_.entries()) == len(drawing.table.rows)
    for entry in tlb_.entries():
        owner = "global" if entry.asid is None else f"ASID {entry.asid}"
        assert f"{entry.va // 4096:#x} · {owner}" in texts(drawing)


def test_the_grid_marks_the_set_that_was_asked_and_says_what_became_of_it() -> None:
    tlb_ = vm.Tlb(TOY)
    pages = (0x400, 0x404, 0x408)
    steps = [tlb_.access(1, page << 12) for page in pages]
    assert ["miss; out: 0x400"] == [t for t in texts(tlb_grid(tlb_, "x", steps[-1])) if "miss" in t]
    assert "▶ set 0" in texts(tlb_grid(tlb_, "x", steps[-1]))
    hit = tlb_.access(1, 0x408_008)
    assert "Page 0x408 was looked for in set 0: hit." in tlb_grid(tlb_, "x", hit).alt


@pytest.mark.parametrize("cpu", CPUS)
def test_every_cpu_of_the_table_can_be_drawn(cpu: str) -> None:
    tlb_ = vm.Tlb(cpu)
    tlb_.run([0x7F00_0000 + n for n in range(300)], 3)
    for row in tlb_.structures:
        readable(tlb_grid(tlb_, cpu, structure=row.name))


def test_entries_of_several_owners_differ_in_words_and_in_pattern() -> None:
    tlb_ = vm.Tlb((Structure("TLB", 1, 64, 4),))
    for asid in range(1, 7):
        tlb_.access(asid, 0x40_0000 + asid * 4096)
    svg = tlb_grid(tlb_, "x").svg
    fills = re.findall(r'<rect [^>]*fill="url\(#v\w+-(\w+)\)"', svg)
    assert len(fills) == len(set(fills)) == 6
    assert all(f"ASID {asid}" in svg for asid in range(1, 7))


def test_bars_are_as_long_as_the_walks_are_many() -> None:
    drawing = walk_bars("x", [("one", Counts(1000, (900,))), ("two", Counts(1000, (950,))), ("none", Counts(9, (9,)))])
    readable(drawing)
    boxes = [float(box.get("width", "0")) for box in ET.fromstring(drawing.svg).iter(f"{SVG}rect") if box.get("stroke")]
    assert 2 == pytest.approx(boxes[0] / boxes[1])
    assert (100, 400, "0.40") == (drawing.table.rows[0][2], drawing.table.rows[0][4], drawing.table.rows[0][5])


def test_curves_differ_by_dashes_and_marks_and_their_words_do_not_touch() -> None:
    lines = [Curve(f"line {n}", [100.0, 100.0 + n]) for n in range(4)]
    drawing = curves("Title", "A sentence about four lines that nearly coincide.", (1, 10), lines, Axis("x"), Axis("y"))
    readable(drawing)
    dashes = re.findall(r'stroke-dasharray="([^"]*)"', drawing.svg)
    assert 4 == len(set(dashes))
    words = [w for w in ET.fromstring(drawing.svg).iter(f"{SVG}text") if (w.text or "").startswith("line")]
    heights = sorted(float(w.get("y", "0")) for w in words)
    assert all(b - a >= 15 for a, b in itertools.pairwise(heights))
    assert [("1", "100", "100", "100", "100"), ("10", "100", "101", "102", "103")] == list(drawing.table.rows)


# --- explorers ---


def test_every_step_of_the_lookup_can_be_read_and_the_names_are_the_lessons() -> None:
    seen = set()
    for step in range(len(tlb.SCRIPT) + 1):
        scene = tlb.draw_lookup(step)
        readable(scene.drawing)
        seen |= {line.partition(":")[0] for line in scene.says[1:]}
    assert {"index", "compare", "walk", "evict", "fill"} == seen


def test_the_script_has_what_the_lesson_asks_to_find() -> None:
    tlb_ = vm.Tlb(TOY)
    told = [look_up(tlb_, *reference) for reference in tlb.SCRIPT]
    assert told[2][0].is_hit, "two addresses share an entry"
    assert any(access.steps[0].evicted for access, _ in told[:7]), "pushed out while other sets are empty"
    assert told[9][0].is_hit, "a global page is found by another process"
    pages = [(entry.va, entry.asid) for entry in tlb_.entries()]
    assert {(0x40_1000, 1), (0x40_1000, 2)} <= set(pages), "one page number is there twice"


def test_the_geometry_explorer_counts_what_the_model_counts() -> None:
    start = {control.name: control.start for control in tlb.GEOMETRY}
    scene = tlb.draw_geometry(**start)
    readable(scene.drawing)
    assert 3 == len(scene.drawing.table.rows)
    trace = tlb.data_of("gzip").part(0, tlb.MOST)
    walks = vm.Tlb((Structure("TLB", 1, 64, 4),)).run(trace.vpns[trace.page]).total.misses
    assert walks == scene.drawing.table.rows[1][2]
    assert "64 entries × 4 KiB = 256 KiB" in scene.says[0]


def test_company_costs_walks_and_a_flush_costs_more() -> None:
    start = {control.name: control.start for control in tlb.GEOMETRY} | {"sets": 256}
    walks = [
        tlb.draw_geometry(**start | {"sharing": sharing}).drawing.table.rows[1][2]
        for sharing in ("alone", "asids", "flush")
    ]
    assert walks[0] <= walks[1] < walks[2]


def test_what_a_plru_tree_cannot_be_is_said() -> None:
    start = {control.name: control.start for control in tlb.GEOMETRY}
    with pytest.raises(VmlabError, match="needs 1, 2, 4, 8, 16 or 32 ways, got 3"):
        tlb.draw_geometry(**start | {"policy": "plru", "ways": 3})


def switch(**changed: object) -> str:
    start = {control.name: control.start for control in tlb_switch.CONTROLS}
    scene = tlb_switch.draw_switch(**start | changed)
    readable(scene.drawing)
    return "\n".join(scene.says)


def test_the_switch_explorer_shows_what_each_rule_forgets() -> None:
    assert "0 walks" in switch()
    assert "3 walks" in switch(machine=tlb_switch.KERNELS["x86 without PCIDs"])
    assert "5 walks" in switch(machine=tlb_switch.KERNELS["RISC-V without ASIDs"])
    assert "0 walks" in switch(processes=6, step=12)
    assert "3 walks" in switch(processes=7, step=14)
    assert "0 walks" in switch(machine=tlb_switch.KERNELS["ARM, 8-bit ASIDs"], processes=9, step=18)


def test_threads_and_kernel_threads_write_no_register() -> None:
    assert "The switch wrote nothing" in switch(company="thread", step=2)
    assert "kworker uses 2 pages" in switch(company="kernel", step=2)
    assert "The switch wrote nothing" in switch(company="kernel", step=2)


def test_isolation_is_for_x86_and_without_pcids_forgets_at_each_crossing() -> None:
    with pytest.raises(VmlabError, match="two x86 machines"):
        switch(isolated=True, machine=tlb_switch.KERNELS["ARM, 8-bit ASIDs"])
    assert "5 walks" in switch(isolated=True, machine=tlb_switch.KERNELS["x86 without PCIDs"])
    assert "0 walks" in switch(isolated=True)


@pytest.mark.parametrize("step", [0, 1, tlb_switch.STEPS])
def test_first_and_last_switch_can_be_drawn(step: int) -> None:
    assert switch(step=step, processes=9)


# --- the learner's machine ---


def test_reads_are_timed_here_and_every_line_is_visited() -> None:
    words = chase.buffer(64)
    for places in (chase.packed(512), chase.spread(64)):
        assert chase.nanoseconds(words, places) > 0
        at, seen = int(places[0]) // 8, set()
        while at not in seen:
            seen.add(at)
            at = int(words[at])
        assert {int(place) // 8 for place in places} == seen


def test_a_measurement_says_that_it_is_the_own_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_tlb, "COUNTS", (8, 64))
    drawing = own_tlb.own_strides()
    readable(drawing)
    assert drawing.alt.startswith("Shown: your own machine")
    assert 2 == len(drawing.table.rows)


def test_where_nothing_can_be_measured_the_sample_is_shown_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(counts: object) -> None:
        raise MemoryError("no memory")

    monkeypatch.setattr(chase, "measure", refuse)
    for drawing in (own_tlb.own_strides(), own_tlb.own_strides(measured=False)):
        readable(drawing)
        assert "a saved sample, epyc-guest" in drawing.alt
        assert len(own_tlb.COUNTS) == len(drawing.table.rows)


def test_features_are_the_machines_or_the_samples(tmp_path: Path) -> None:
    rows = dict(own_tlb.own_features(tmp_path).rows)
    assert "a saved sample, epyc-guest" in rows["shown"]
    assert "192 4K pages" == rows["TLB size"]
    assert rows["pcid"].startswith("yes")
    assert "not said" == rows["transparent huge pages"]
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("CPU part\t: 0xc07\nFeatures\t: half thumb\n")
    rows = dict(own_tlb.own_features(tmp_path).rows)
    assert "your own machine" == rows["shown"]
    assert "0xc07" == rows["processor"]
    assert rows["pcid"].startswith("not listed")


def test_the_saved_sample_shows_what_the_lesson_says_of_it() -> None:
    counts, found = own_tlb.parse(sample("strides", own_tlb.SAMPLE).read_text())
    at = dict(zip(counts, range(len(counts)), strict=True))
    assert found["spread"][at[64]] < 1.2 * found["packed"][at[64]]
    assert found["spread"][at[128]] > 2 * found["packed"][at[128]]
    assert found["spread"][at[8192]] > 3 * found["packed"][at[8192]]
