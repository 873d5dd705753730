"""Views and explorers of lesson 04: what is drawn is the model's state, and all of it can be read."""

from __future__ import annotations

import pytest
from pictures import readable

import vmlab as vm
from vmlab.explore import zones as explore
from vmlab.views import boot_step, firmware_map, zone_counts, zone_map, zone_rows
from vmlab.views.memblock import lists_after
from vmlab.views.watermarks import kept_back

NAMES = ("arm-virt-armmp-1g", "i386-pc-686-1g", "amd64-pc-4g", "amd64-pc-numa-1g-4g", "arm-virt-armmp-1g-hole")


@pytest.fixture(scope="module")
def kernels() -> dict[str, vm.Kernel]:
    return {name: vm.boot(vm.load_machine(name)) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_can_be_read(kernels: dict[str, vm.Kernel], name: str) -> None:
    kernel = kernels[name]
    readable(zone_map(kernel))
    readable(zone_map(kernel, marks=False))
    readable(firmware_map(kernel))
    for step in range(1, len(kernel.log) + 1):
        readable(boot_step(kernel, step))
    readable(zone_rows({"one": kernel, "the other": kernels[NAMES[0]]}))


@pytest.mark.parametrize("name", vm.machines())
def test_the_lists_drawn_from_the_ledger_are_memblocks_own(name: str) -> None:
    kernel = vm.boot(vm.load_machine(name))
    lists = lists_after(kernel.log)
    assert list(kernel.memblock.reserved) == list(lists.reserved)
    assert sum(end - start for start, end in kernel.memblock.memory()) == lists.memory.total()


def test_a_step_changes_one_list_and_step_0_has_none(kernels: dict[str, vm.Kernel]) -> None:
    kernel = kernels["arm-virt-armmp-1g"]
    events = list(kernel.log)
    assert not lists_after([]).memory.total()
    assert "both lists of memblock are empty" in boot_step(kernel, 0).alt
    for step, event in enumerate(events, 1):
        before, after = lists_after(events[: step - 1]), lists_after(events[:step])
        changed = {"add": "memory", "remove": "memory"}.get(event.kind, "reserved")
        same = "reserved" if changed == "memory" else "memory"
        assert list(getattr(before, same)) == list(getattr(after, same))
        assert f"Step {step} of {len(events)}" in boot_step(kernel, step).alt


def test_a_step_beyond_the_last_shows_the_last(kernels: dict[str, vm.Kernel]) -> None:
    kernel = kernels["arm-virt-armmp-1g"]
    assert boot_step(kernel, len(kernel.log)).svg == boot_step(kernel, 9999).svg


def test_the_table_of_zones_has_the_numbers_of_the_real_zoneinfo(kernels: dict[str, vm.Kernel]) -> None:
    for name in NAMES:
        real = [zone for zone in kernels[name].machine.recorded.zones if zone["present"]]
        for row, zone in zip(zone_map(kernels[name]).table.rows, real, strict=True):
            fields = ("spanned", "present", "managed", "min", "low", "high")
            assert tuple(zone[field] for field in fields) == row[2:8]
            assert ", ".join(map(str, zone["protection"])) == row[8]


def test_a_file_and_the_model_give_the_same_rows(kernels: dict[str, vm.Kernel]) -> None:
    kernel = kernels["arm-virt-armmp-1g"]
    printed = vm.procfs.parse_zoneinfo(vm.procfs.print_zoneinfo(kernel))
    assert zone_map(kernel).table.rows == zone_counts(printed, "Shown: the model").table.rows


def test_firmware_map_says_where_ram_starts_and_what_is_left_out(kernels: dict[str, vm.Kernel]) -> None:
    assert "RAM starts at 0x4000_0000" in firmware_map(kernels["arm-virt-armmp-1g"]).alt
    assert "nothing is left out" in firmware_map(kernels["arm-virt-armmp-1g"]).alt
    assert "4 KiB of what the firmware calls RAM is left out" in firmware_map(kernels["i386-pc-686-1g"]).alt


def test_a_zone_that_no_higher_request_can_use_is_told_as_such(kernels: dict[str, vm.Kernel]) -> None:
    dma = kernels["amd64-pc-4g"].zones["DMA"]
    assert kept_back(dma) > dma.managed_pages
    assert "DMA serves no ordinary request that could go higher" in zone_map(kernels["amd64-pc-4g"]).alt


@pytest.mark.parametrize("board", explore.BOARDS.values(), ids=explore.BOARDS)
@pytest.mark.parametrize("hole_mib", [0, 128, 1024])
@pytest.mark.parametrize("ram_mib", [256, 1024, 1920])
def test_the_explorer_keeps_the_ram_it_is_asked_for(board: tuple, hole_mib: int, ram_mib: int) -> None:
    arch, _, start = board
    if arch == "arm" and start + (ram_mib + hole_mib) * vm.MiB > 4 * vm.GiB:
        with pytest.raises(vm.VmlabError, match="choose less"):
            explore.memory(arch, start, ram_mib * vm.MiB, hole_mib * vm.MiB)
        return
    banks = explore.memory(arch, start, ram_mib * vm.MiB, hole_mib * vm.MiB)
    assert ram_mib * vm.MiB == sum(bank.size for bank in banks) + 385 * vm.KiB * (arch != "arm")
    assert not hole_mib or len(banks) == (1 if ram_mib == 256 else 2) + (arch != "arm")


def test_the_explorer_draws_every_board_and_says_where_lowmem_ends() -> None:
    for name, board in explore.BOARDS.items():
        scene = explore.draw(board=board, ram_mib=1024, vmalloc_mib=240, movablecore_mib=0, hole_mib=0)
        readable(scene.drawing)
        assert ("Lowmem ends at" in scene.says[0]) == ("amd64" not in name)


def test_movablecore_and_vmalloc_change_the_zones() -> None:
    start = {control.name: control.start for control in explore.CONTROLS}
    plain, movable = explore.draw(**start), explore.draw(**start | {"movablecore_mib": 256})
    assert "ignored" in explore.draw(**start | {"movablecore_mib": 1024}).text
    assert "ignored" not in plain.text + movable.text
    assert "HighMem 256 MiB" in plain.drawing.alt
    assert "Movable 256 MiB" in movable.drawing.alt
    assert "DMA 496 MiB" in explore.draw(**start | {"vmalloc_mib": 512}).drawing.alt


def test_buttons_of_the_stepper_stop_at_both_ends() -> None:
    row = explore.Stepper("step", "Step", high=2, start=1).make()
    _, back, forth = row.children
    seen = []
    row.observe(lambda change: seen.append(change["new"]), "value")
    for button in (forth, forth, back, back, back):
        button.click()
    assert [2, 1, 0] == seen


def test_own_zones_are_the_machines_or_a_sample_and_say_which() -> None:
    sample = explore.own_zones("/nowhere/zoneinfo")
    assert "a saved sample, the record amd64-pc-4g" in sample.alt
    own = explore.own_zones(str(vm.procfs.sample("zoneinfo", "arm-virt-armmp-1g")))
    assert "your own machine" in own.alt
    assert "HighMem" in own.static_text()
    readable(own)


def test_every_zone_is_named_above_its_bar_even_where_bars_are_narrow(kernels: dict[str, vm.Kernel]) -> None:
    drawing = zone_rows(kernels)
    for name, kernel in kernels.items():
        several = len(kernel.nodes) > 1
        for zone in kernel.zones:
            if zone.present_pages:
                words = f"node {zone.node} {zone.name} " if several else f"{zone.name} "
                assert f">{words}" in drawing.svg, (name, zone.name)
