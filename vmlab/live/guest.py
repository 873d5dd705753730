"""A guest under QEMU: started, stopped, its RAM read from outside, and surely ended.

RAM is one shared file a memory backend in a folder of the guest's own; a stopped guest's physical memory is read by
mapping that file. Whatever happens, leaving the `with` block ends QEMU and deletes the folder.
"""

from __future__ import annotations

import mmap
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from .console import Console, GuestFailed
from .monitor import Debugger, Monitor

SHARED_MEMORY = Path("/dev/shm")  # a file there costs no disk
READ_AT_ONCE = 1 << 22


class Guest:
    """One running QEMU. Use as a context manager.

    `command` is QEMU's without the plumbing; `memory` names each memory backend and its bytes, whose file is
    `folder/NAME`; `silent_serials` is how many serial lines stand before the console's.
    """

    def __init__(
        self, command: Sequence[str], memory: Mapping[str, int], folder: Path, silent_serials: int = 0
    ) -> None:
        self.folder = folder
        self.log = folder / "qemu.log"
        self.command = [*command, *self._plumbing(silent_serials)]
        self._maps: dict[str, mmap.mmap] = {}
        self._ram: list[tuple[int, int, str, int]] = []
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_die_with_parent
            )
        try:
            self.console = Console.connect(folder / "serial", alive=self.is_alive)
            self.monitor = Monitor(folder / "qmp", self.is_alive)
            for name, size in memory.items():
                with (folder / name).open("rb") as file:
                    self._maps[name] = mmap.mmap(file.fileno(), size, mmap.MAP_SHARED, mmap.PROT_READ)
        except (OSError, ValueError, GuestFailed) as error:
            self.close()
            said = self.log.read_text(errors="replace").strip() or str(error)
            raise GuestFailed(f"QEMU did not start: {said}\nIts command was: {' '.join(command)}") from error

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _plumbing(self, silent_serials: int) -> list[str]:
        sockets = self.folder
        return [
            *("-display", "none", "-no-reboot", "-nodefaults", "-monitor", "none"),
            *("-chardev", f"socket,id=console,path={sockets}/serial,server=on,wait=on"),
            *["-serial", "null"] * silent_serials,
            *("-serial", "chardev:console"),
            *("-qmp", f"unix:{sockets}/qmp,server=on,wait=off"),
            *("-gdb", f"unix:{sockets}/gdb,server=on,wait=off"),
        ]

    def is_alive(self) -> bool:
        """Whether QEMU still runs."""
        return self.process.poll() is None

    def stop(self) -> None:
        """Stop the virtual CPUs: RAM does not change until `go_on`."""
        self.monitor.command("stop")
        self._ram = self._ram or [row for row in self.monitor.ram() if row[2] in self._maps]

    def go_on(self) -> None:
        """Let the virtual CPUs run again."""
        self.monitor.command("cont")

    def read(self, pa: int, count: int) -> bytes | None:
        """`count` bytes of guest-physical memory; None where any of them is not RAM."""
        if count > READ_AT_ONCE:
            raise GuestFailed(f"refused to read {count} bytes of guest memory at once: a length in it is wrong")
        out = bytearray()
        while count > 0:
            row = next((row for row in self._ram if row[0] <= pa < row[1]), None)
            if row is None:
                return None
            start, end, name, at = row
            part = min(count, end - pa)
            out += self._maps[name][at + pa - start : at + pa - start + part]
            pa, count = pa + part, count - part
        return bytes(out)

    def registers(self, names: Sequence[str]) -> dict[str, int]:
        """The values of those registers that this CPU has, by lower-case name."""
        with Debugger(self.folder / "gdb") as debugger:
            found = {name.lower(): debugger.read(name) for name in names}
        return {name: value for name, value in found.items() if value is not None}

    def close(self) -> None:
        """End QEMU, however it is, and let go of its memory."""
        for part in (getattr(self, "console", None), getattr(self, "monitor", None)):
            if part is not None:
                part.close()
        if self.is_alive():
            self.process.terminate()
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        for mapped in self._maps.values():
            mapped.close()
        self._maps.clear()


class WorkFolder:
    """A folder for one guest's sockets and RAM, deleted on leaving; in shared memory where that has room."""

    def __init__(self, ram_bytes: int) -> None:
        roomy = SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free > ram_bytes // 2
        self.path = Path(tempfile.mkdtemp(prefix="vmlab-", dir=SHARED_MEMORY if roomy else None))

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def _die_with_parent() -> None:
    """Have the kernel end QEMU if we are killed; and keep a Ctrl-C for ourselves."""
    os.setpgid(0, 0)
    try:
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, include/uapi/linux/prctl.h
    except (OSError, AttributeError):
        pass  # off Linux: the `with` block ends it
