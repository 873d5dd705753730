"""From a board to a record: boot, follow the agent from stop to stop, and put together what the witnesses say."""

from __future__ import annotations

import contextlib
import re
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..units import VmlabError
from . import debian, initramfs, stops, texts
from .boards import STAGES, Board, memory_arguments
from .console import LAST_SHOWN, GuestFailed
from .guest import Guest, WorkFolder
from .recording import Recording

SECONDS = 240  # without a word from the guest
DISK_BYTES = 1 << 20
Say = Callable[[str], None]


def record(board: Board, say: Say, version: str = "", stages: tuple[str, ...] = STAGES, words: str = "") -> Recording:
    """Boot `board` and follow it to its end. GuestFailed says at which stage it went wrong, and what came last."""
    debian.check_tools(board)
    kernel = debian.kernel(board, say, version)
    recording = Recording(board, kernel)
    command_line = board.command_line(stages, words)
    with WorkFolder(board.ram_bytes) as folder:
        command, backends = command_of(board, kernel, folder, command_line)
        say(f"booting {kernel.release} on {board.board} with {board.ram_bytes >> 20} MiB")
        began = time.monotonic()
        with Guest(command, backends, folder) as guest:
            follow(recording, guest, say)
            console, files = guest.console.text(), guest.console.files()
    recording.data["machine"] = {
        "arch": board.arch, "board": board.board, "cpu": board.cpu, "ram_bytes": board.ram_bytes,
        "numa": list(board.ram) if len(board.ram) > 1 else None, "smp": board.smp, "append": command_line,
        "qemu": version_of(board.emulator), "accel": "tcg", "holds": recording.stages, "complete": True,
        "seconds_total": round(time.monotonic() - began, 1),
    }  # fmt: skip
    with told_lies("in its files", lambda: console[-LAST_SHOWN:]):
        texts.texts(recording, files, console)
    return recording


@contextlib.contextmanager
def told_lies(where: str, last: Callable[[], str]) -> Iterator[None]:
    """What a guest printed or holds is not what Linux prints or holds: whatever breaks on it is a GuestFailed."""
    try:
        yield
    except VmlabError:
        raise
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, struct.error) as error:
        raise GuestFailed(
            f"what the guest said {where} cannot be used ({type(error).__name__}: {str(error)[:200]}). "
            f"Last on its console:\n{last()}"
        ) from error


def command_of(board: Board, kernel: debian.KernelFiles, folder: Path, line: str) -> tuple[list[str], dict[str, int]]:
    """QEMU's command, and the bytes of each memory backend; the initramfs and the disk are put into `folder`."""
    modules = initramfs.with_dependencies(kernel.modules, board.target.modules)
    initrd, disk = folder / "initrd", folder / "disk"
    initrd.write_bytes(initramfs.build(debian.build_agent(board.target), modules))
    disk.write_bytes(bytes(DISK_BYTES))
    memory, backends = memory_arguments(board, str(folder))
    command = [board.emulator, *memory, "-accel", "tcg", "-cpu", board.cpu, "-smp", str(board.smp)]
    command += ["-kernel", str(kernel.image), "-initrd", str(initrd), "-append", line]
    command += ["-drive", f"if=none,id=disk,file={disk},format=raw", "-device", f"{board.target.disk},drive=disk"]
    return command, dict(backends)


def version_of(program: str) -> str:
    """The first line that QEMU says of its version."""
    return subprocess.run([program, "--version"], capture_output=True, text=True).stdout.split("\n")[0]


def follow(recording: Recording, guest: Guest, say: Say) -> None:
    """From stop to stop until the agent says goodbye."""
    stage = "starting"
    while True:
        marker = guest.console.wait(SECONDS, stage)
        if marker.kind == "BYE":
            return
        if marker.kind in ("PANIC", "ERR"):
            raise GuestFailed(f"the guest failed after {stage}: {marker.line}\n{guest.console.last()}")
        if marker.kind != "HOLD":
            continue
        stage = marker.name
        if not re.fullmatch(r"[a-z]+\d?", stage) or len(recording.stages) > 64:
            raise GuestFailed(f"the guest stopped at {stage[:40]!r}, which is no stage of our agent")
        recording.stages.append(stage)
        say(f"stage {stage} {marker.words.get('what', '')}".rstrip())
        with told_lies(f"at {stage}", guest.console.last):
            stops.hold(recording, guest, marker)
        guest.go_on()
        guest.console.send("go\n")
