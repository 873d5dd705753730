"""Views and explorers of lesson 07: what is drawn is what the model holds, and all of it can be read."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from pictures import readable, texts

import vmlab as vm
from vmlab.explore import own_areas, own_caches, slab
from vmlab.explore.actions import Actions
from vmlab.physical.slab_size import SlabFlag
from vmlab.procfs import sample
from vmlab.study.questions import slab as ask
from vmlab.units import PAGE_SIZE, VmlabError
from vmlab.views import slab_layout, slab_lists, vmalloc_ruler


def test_every_object_of_a_slab_is_drawn_and_the_rest_is_named() -> None:
    cache = ask.fresh().slab["task_struct"]
    drawing = slab_layout(cache.sizes, cache.order, "x", 4)
    readable(drawing)
    assert {str(n) for n in range(11)} <= set(texts(drawing))
    assert "8 pages, 11 objects, 2,496 bytes left over (rings)" in texts(drawing)
    assert ("free pointer, while the object is free", 1376, 1380) in drawing.table.rows


@pytest.mark.parametrize("size", [8, 96, 648, 2752, 4096, 9000, 10000])
@pytest.mark.parametrize("flags", slab.FLAGS.values())
def test_every_setting_of_sizes_and_cpus_draws_what_its_steps_say(size: int, flags: SlabFlag) -> None:
    for cpus, word in itertools.product((1, 4, 64), (4, 8)):
        scene = slab.draw_order(size, flags, cpus, word)
        readable(scene.drawing)
        objects = scene.says[3].rpartition("→ ")[2]
        assert f"holds {objects} objects" in scene.drawing.alt


def test_every_slab_stands_somewhere_and_its_objects_are_counted() -> None:
    scene = slab.draw_objects("a" * 24 + "bb" + "oooo")
    readable(scene.drawing)
    rows = scene.drawing.table.rows
    assert 22 == sum(row[2] for row in rows)
    assert 11 * len(rows) == sum(row[2] + row[3] for row in rows)
    assert ["CPU 0's slab", "CPU 0's partial list", "CPU 1's slab", "full: on no list"] == [row[0] for row in rows]


def test_the_number_one_is_the_object_that_is_handed_out_next() -> None:
    cache = ask.fresh().slab["task_struct"]
    cache.alloc()
    words = texts(slab_lists(cache, "x"))[3:]
    place = words.index("1")
    start = cache.cpus[0].slab.va
    assert place == (cache.alloc() - start) // cache.sizes.size


def test_an_object_freed_last_is_handed_out_first_and_a_double_free_is_named() -> None:
    assert "freed last" in slab.draw_objects("aaana").says[0]
    with pytest.raises(VmlabError, match="the object is free already"):
        slab.draw_objects("aand")
    with pytest.raises(VmlabError, match="Nothing was freed yet"):
        slab.draw_objects("ad")
    with pytest.raises(VmlabError, match="No object is in use"):
        slab.draw_objects("o")


@pytest.mark.parametrize("draw", [slab.draw_objects, slab.draw_vmalloc])
def test_letters_that_mean_nothing_and_endless_histories_are_refused(draw) -> None:
    with pytest.raises(VmlabError, match="expected only the letters"):
        draw("?")
    with pytest.raises(VmlabError, match="start again"):
        draw("p" * 81 if draw is slab.draw_vmalloc else "a" * 81)
    readable(draw("").drawing)


def test_the_ruler_shows_areas_frames_and_what_waits_for_a_flush() -> None:
    scene = slab.draw_vmalloc("slon")
    readable(scene.drawing)
    assert "0 areas" in scene.drawing.alt
    assert "56 KiB freed" in scene.drawing.alt
    assert "freed, not yet flushed" == scene.drawing.table.rows[0][0]
    kept = slab.draw_vmalloc("sl").drawing
    assert ["A", "B"] == [row[0] for row in kept.table.rows]
    assert all("HighMem" == row[5] for row in kept.table.rows)
    assert {"A 8 KiB + guard", "B 40 KiB + guard"} <= set(texts(kept))


def test_freed_addresses_come_back_only_after_a_flush() -> None:
    lowest = slab.scattered().vmap_areas.start
    before, after = (slab.draw_vmalloc(done).drawing.table.rows for done in ("sslos", "sslops"))
    where = [int(rows[0][1].replace("_", ""), 16) for rows in (before, after)]
    assert [lowest + 3 * PAGE_SIZE, lowest] == where


@pytest.mark.parametrize("name", ["i386-pc-686-1g", "amd64-pc-4g", "arm64-virt-1g"])
def test_vmalloc_space_of_other_machines_can_be_drawn(name: str) -> None:
    kernel = ask.fresh(name)
    assert kernel.vmalloc(2 * vm.MiB)
    drawing = vmalloc_ruler(kernel, name)
    readable(drawing)
    assert 512 == drawing.table.rows[0][3]


@pytest.mark.parametrize("explorer", [slab.order_explorer, slab.objects_explorer, slab.vmalloc_explorer])
def test_without_widgets_figure_and_table_are_there(explorer) -> None:
    html = explorer().static_html()
    assert "<svg" in html
    assert "<table>" in html


def test_a_button_adds_its_letter_and_the_letters_can_be_typed() -> None:
    pytest.importorskip("ipywidgets")
    box = Actions("done", "Done", {"a": "Allocate", "f": "Free"}, "a").make()
    row, text = box.children
    row.children[1].click()
    assert "af" == box.value == text.value
    text.value = "aaf"
    row.children[2].click()
    assert "aa" == box.value
    row.children[3].click()
    assert "" == box.value
    assert all(button.description for button in row.children)


def test_ones_own_files_or_a_sample_and_a_sentence_says_which(tmp_path: Path) -> None:
    missing = own_caches(tmp_path), own_areas(tmp_path)
    assert all("a sample, the recorded PC amd64-pc-4g, because" in own.says[0] for own in missing)
    assert "task_struct" in [row[0] for row in missing[0].table.rows]
    for kind in ("slabinfo", "vmallocinfo"):
        (tmp_path / kind).write_text(sample(kind, "arm-virt-armmp-1g").read_text())
    found = own_caches(tmp_path), own_areas(tmp_path)
    assert all("your own machine" in own.says[0] for own in found)
    assert 2752 == {row[0]: row[1] for row in found[0].table.rows}["task_struct"]
    assert "<table>" in found[1].static_html()


def test_hidden_addresses_and_empty_files_lead_to_the_sample(tmp_path: Path) -> None:
    (tmp_path / "vmallocinfo").write_text("0x00000000-0x00000000    8192 start_kernel+0x1/0x2 pages=1 vmalloc\n")
    assert "this kernel hides them" in own_areas(tmp_path).says[0]
    (tmp_path / "vmallocinfo").write_text("")
    assert "is empty" in own_areas(tmp_path).says[0]
