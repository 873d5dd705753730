"""The live lab without a boot: boards described before they run, what is shown in a boot's place, and the buttons."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from test_views_slab import readable

import vmlab as vm
from vmlab.explore import own_record
from vmlab.explore.live import LiveLab, chosen, draw_prediction, draw_verdicts
from vmlab.live import boards, debian, lab, record
from vmlab.live.console import GuestFailed
from vmlab.live.recording import Recording
from vmlab.views.live import prediction, verdicts

SHIPPED = [(board, name) for board, names in lab.SHIPPED.items() for name in names]


def hardware(name: str) -> dict[str, Any]:
    recorded = vm.load_machine(name).recorded
    assert recorded is not None
    return dict(recorded.data["machine"])


def same_board(board: str, name: str) -> boards.Board:
    """The board with a record's RAM and words."""
    was = hardware(name)
    ram = ",".join(f"{size >> 20}M" for size in was["numa"] or [was["ram_bytes"]])
    return lab.choose(board, ram, " ".join(lab._words(was["append"])))


def test_every_board_has_a_shipped_record_to_fall_back_on() -> None:
    assert set(boards.BOARDS) == set(lab.SHIPPED)


@pytest.mark.parametrize(("board", "name"), SHIPPED)
def test_a_board_described_before_is_the_machine_that_booted(board: str, name: str) -> None:
    """RAM to the byte, command line, page-table format, CPU: as the firmware and the kernel told them."""
    described, booted, was = lab.describe(same_board(board, name)), vm.load_machine(name), hardware(name)
    assert (booted.ram, booted.config.format, booted.cpu) == (described.ram, described.config.format, described.cpu)
    assert sorted(booted.cmdline.split()) == sorted(described.cmdline.split())
    assert (was["board"], was["cpu"]) == (boards.BOARDS[board].board, boards.BOARDS[board].cpu)


@pytest.mark.parametrize(("board", "name"), SHIPPED)
def test_before_the_boot_only_what_depends_on_it_is_missed(board: str, name: str) -> None:
    booted = lab.shipped(same_board(board, name), "for a test")
    assert name == booted.machine.name
    follows = (
        "managed",
        "min",
        "low",
        "high",
        "lowmem_reserve",
        "mem_map first frame",
        "mem_map address",
        "pkmap_page_table",
    )
    missed = [row for row in lab.verdicts(booted) if not row.is_right]
    assert [] == [row.what for row in missed if not row.what.endswith(follows)]
    assert all(row.reason for row in missed)
    assert [] == [row for row in lab.verdicts(booted, told=True) if not row.is_right]


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recorder that boots nothing: it says its stages and returns the shipped record of the ARM board."""

    def record_(board: boards.Board, say: lab.Say, version: str = "") -> Recording:
        say("booting")
        say("stage boot")
        recorded = vm.load_machine("arm-virt-armmp-1g").recorded
        assert recorded is not None
        files = debian.KernelFiles("6.1", Path(), {}, Path(), "")
        return Recording(board, files, data={**recorded.data, "name": board.name})

    monkeypatch.setattr(lab, "record", record_)


@pytest.mark.usefixtures("recording")
def test_a_boot_is_followed_written_and_compared(tmp_path: Path) -> None:
    said: list[str] = []
    booted = lab.boot(lab.choose("arm-virt"), said.append, folder=tmp_path)
    assert ["booting", "stage boot"] == said
    assert booted.is_fresh
    assert [tmp_path / "arm-virt.json.gz"] == list(tmp_path.iterdir())
    assert str(tmp_path) in booted.source
    assert len(lab.verdicts(booted)) == 37
    assert {"node 0 DMA managed"} < {row.what for row in lab.verdicts(booted) if not row.is_right}


def test_what_is_not_installed_is_said_and_a_record_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    booted = lab.boot(lab.choose("arm-virt", "512M"), print, folder=tmp_path)
    assert "arm-virt-armmp-512m" == booted.machine.name
    assert "Nothing was booted here" in booted.source
    assert "apt-get install qemu-system-arm" in booted.source
    assert [] == list(tmp_path.iterdir())


def test_the_nearest_record_has_the_same_words_first_and_then_ram() -> None:
    assert "arm-virt-armmp-1g-vmalloc512m" == lab.shipped(lab.choose("arm-virt", "2G", "vmalloc=512M"), "").machine.name
    assert "arm-virt-armmp-2g" == lab.shipped(lab.choose("arm-virt", "2G"), "").machine.name


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError])
def test_a_record_whose_writing_is_stopped_is_not_there(
    stop: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    def stopped(*_: object, **__: object) -> str:
        raise stop

    files = debian.KernelFiles("6.1", Path(), {}, Path(), "")
    found = Recording(lab.choose("arm-virt"), files, data={"name": "x"}, arrays={"a": np.zeros(4)})
    monkeypatch.setattr(record.json, "dumps", stopped)
    with pytest.raises(stop):
        record.write(found, tmp_path)
    assert [] == list(tmp_path.iterdir())


# --- pictures and buttons ---


@pytest.mark.parametrize("board", boards.BOARDS)
def test_every_board_is_drawn_before_and_after(board: str) -> None:
    scene = draw_prediction(chosen(board, "512M", ""))
    readable(scene.drawing)
    booted = lab.shipped(chosen(board, "1G", ""), "for a test")
    found = lab.verdicts(booted)
    drawing = verdicts(found, "x")
    readable(drawing)
    wrong = [row for row in found if not row.is_right]
    assert drawing.svg.count("url(") == len(found), "a square a value"
    assert f"{len(found) - len(wrong)} of {len(found)}" in drawing.alt
    assert all(row.what in drawing.alt for row in wrong)
    assert len(wrong) == sum(row[3] == "wrong" for row in drawing.table.rows)
    assert booted.source in draw_verdicts(booted).says


def test_a_prediction_has_a_square_for_each_value() -> None:
    predicted = {what: value for what, value in lab.predict(lab.describe(chosen("arm-virt", "1G", ""))).items()
                 if value is not None}  # fmt: skip
    assert prediction(predicted, "x").svg.count("url(") == len(predicted) == len(prediction(predicted, "x").table.rows)


class Buttons:
    """A live lab with its widgets, and a boot that does what a test wants."""

    def __init__(self, boot: Any) -> None:
        self.lab = LiveLab(boot)
        self.lab.build()

    def press(self, *names: str) -> str:
        for name in names:
            {"Predict": self.lab._predict, "Boot": self.lab._boot}[name].click()
            if self.lab.thread is not None:
                self.lab.thread.join(30)
        return str(self.lab._said.value)

    def guess(self, *numbers: str) -> None:
        for field, number in zip(self.lab._guesses.values(), numbers, strict=True):
            field.value = number


def fake(board: boards.Board, say: lab.Say) -> lab.Booted:
    say("stage boot")
    return lab.shipped(board, "it is a test")


def test_ones_own_numbers_come_before_the_models_and_the_models_before_the_boot() -> None:
    buttons = Buttons(fake)
    assert "Type your own number first" in buttons.press("Predict")
    assert buttons.lab._boot.disabled
    buttons.guess("0x70000", "2304", "many")
    assert "expected a number" in buttons.press("Predict")
    buttons.guess("0x70000", "2048", "252,885")
    assert "press Boot" in buttons.press("Predict")
    assert "none of them asked" in buttons.lab._picture.value
    assert "Done." in buttons.press("Boot")
    shown = buttons.lab._picture.value
    assert "first frame of the last zone: you 0x70000, the model 0x70000, the kernel 0x70000 — you were right." in shown
    assert "frames that hold mem_map: you 2,048, the model 2,304, the kernel 2,304." in shown
    assert "the model 252,629, the kernel 252,885 — you were right" in shown
    assert "stage boot" in buttons.lab.progress


def test_another_machine_has_to_be_predicted_again_and_bad_words_are_said() -> None:
    buttons = Buttons(fake)
    buttons.guess("1", "2", "3")
    buttons.press("Predict")
    buttons.lab._controls["words"].value = "vmalloc=lots"
    assert buttons.lab._boot.disabled
    assert "vmalloc" in buttons.press("Predict")
    assert buttons.lab._boot.disabled


@pytest.mark.parametrize(
    ("error", "says"),
    [(KeyboardInterrupt(), "QEMU is ended, and nothing was written"), (GuestFailed("after boot: panic"), "panic")],
)
def test_a_boot_that_is_stopped_or_fails_is_said_and_can_be_tried_again(error: BaseException, says: str) -> None:
    def failing(board: boards.Board, say: lab.Say) -> lab.Booted:
        raise error

    buttons = Buttons(failing)
    buttons.guess("1", "2", "3")
    assert says in buttons.press("Predict", "Boot")
    assert not buttons.lab._boot.disabled


def test_stop_ends_a_boot_that_would_go_on() -> None:
    ended = threading.Event()

    def endless(board: boards.Board, say: lab.Say) -> lab.Booted:
        try:
            while True:
                time.sleep(0.01)
        finally:
            ended.set()

    buttons = Buttons(endless)
    buttons.guess("1", "2", "3")
    buttons.press("Predict")
    buttons.lab._boot.click()
    assert buttons.lab._predict.disabled
    buttons.lab._stop.click()
    assert buttons.lab.thread is not None
    buttons.lab.thread.join(30)
    assert ended.is_set()
    assert "nothing was written" in buttons.lab._said.value
    assert (False, True) == (buttons.lab._boot.disabled, buttons.lab._stop.disabled)


# --- this machine ---


def test_this_machine_stands_beside_a_recorded_one_and_says_what_it_withheld() -> None:
    shown = own_record()
    assert shown.says[0].startswith("Shown: ")
    assert {"DMA32 managed"} <= {str(row[0]) for row in shown.table.rows}
    assert 3 == len(shown.table.columns)


def test_elsewhere_than_on_linux_two_recorded_machines_are_shown(tmp_path: Path) -> None:
    shown = own_record(tmp_path)
    assert shown.says[0].startswith("Shown: a sample, the recorded PC amd64-pc-1g, because")
    assert any("927" in str(row) or "15 MiB" in str(row) for row in shown.table.rows)
