"""A real kernel, booted for real: recorded, and predicted from what was recorded of its inputs.

Needs QEMU for PCs, gcc, and Debian's package manager with a network; under CI their absence is a failure.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import vmlab as vm
from vmlab import cli
from vmlab.judge.verify import verify
from vmlab.live import boards, debian
from vmlab.live.console import GuestFailed
from vmlab.live.guest import Guest, WorkFolder

QEMU = "qemu-system-x86_64"
IN_CI = os.environ.get("CI", "").lower() in ("1", "true")
MISSING = [name for name in (QEMU, "gcc", "apt-get", "dpkg-deb") if shutil.which(name) is None]
booting = pytest.mark.skipif(bool(MISSING) and not IN_CI, reason=f"booting a kernel needs {', '.join(MISSING)}")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("records")
    assert 0 == cli.main(["record", "amd64-pc", "--ram", "512M", "--out", str(folder)])
    return folder / "amd64-pc-512m.json.gz"


@booting
def test_the_model_predicts_the_kernel_that_was_just_booted(written: Path) -> None:
    scores = {score.name: score for score in verify(vm.load_machine(str(written)))}
    kernel = vm.load_machine(str(written)).recorded
    assert kernel is not None
    print(kernel.kernel_version)
    for name in ("boot allocations", "zone managed", "watermarks", "mem_map address", "translation", "pagemap"):
        assert scores[name].total > 0, name
    assert [] == [line for score in scores.values() if score.mismatches for line in score.lines()]


@booting
def test_frames_that_hold_mem_map_are_reserved_says_kpageflags(written: Path) -> None:
    """/proc/kpageflags: KPF_RESERVED; on x86-64 private too (mm/bootmem_info.c:get_page_bootmem, 6.1)."""
    kernel = vm.load_machine(str(written)).recorded
    assert kernel is not None
    flags = kernel.data["kpageflags"]["mem_map_frames"]
    assert all(names.split()[0] == "RESERVED" and set(names.split()) <= {"RESERVED", "PRIVATE"} for names in flags)
    assert kernel.mem_map["frames"] == sum(flags.values())


@booting
def test_ctrl_c_leaves_no_qemu_and_no_record(tmp_path: Path) -> None:
    ram = "211M"  # nothing else boots with as much, so that its QEMU can be told from others
    command = [sys.executable, "-m", "vmlab", "record", "amd64-pc", "--ram", ram, "--out", str(tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "booting" in line:
            break
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    assert 0 != process.wait(30)
    assert [] == list(tmp_path.iterdir())
    running = subprocess.run(["pgrep", "-f", f"{QEMU}.* -m {ram}"], capture_output=True, text=True).stdout
    assert "" == running


@booting
def test_a_kernel_that_panics_is_ended_and_its_words_are_shown(tmp_path: Path) -> None:
    board = boards.choose("amd64-pc", "192M")
    kernel = debian.kernel(board, lambda text: None)
    command = [QEMU, "-m", "192M", "-kernel", str(kernel.image), "-append", "console=ttyS0 panic=-1", "-accel", "tcg"]
    with WorkFolder(0) as folder, Guest(command, {}, folder) as guest:
        assert "PANIC" == guest.console.wait(120, "starting").kind
    assert not guest.is_alive()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("program", "says"), [("exit 3", ""), ("echo no such machine type; exit 1", "no such machine type")]
)
def test_a_qemu_that_does_not_start_says_why(program: str, says: str) -> None:
    with WorkFolder(0) as folder, pytest.raises(GuestFailed, match=f"QEMU did not start(.|\n)*{says}"):
        Guest(["sh", "-c", program], {}, folder)


def test_what_is_missing_is_said_with_the_package_that_has_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert 2 == cli.main(["record", "arm-virt"])
    assert "apt-get install qemu-system-arm" in capsys.readouterr().err
