"""QEMU's two other ears: the machine protocol (QMP), and the debugger's stub for control registers.

QEMU itself is trusted, what it repeats from the guest (an address, a register) is a number and taken as one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .console import GuestFailed, connect

SECONDS = 30
LINE = re.compile(r"\s+([0-9a-f]{16})-([0-9a-f]{16}) \(prio -?\d+, ram\): (\S+)(?: @([0-9a-f]{16}))?")


class Monitor:
    """QMP over a Unix socket; `command` is one exchange."""

    def __init__(self, path: Path, alive: Callable[[], bool]) -> None:
        self._stream = connect(path, alive=alive)
        self._stream.settimeout(SECONDS)
        self._lines = self._stream.makefile("rw", encoding="utf-8")
        self._lines.readline()  # the greeting
        self.command("qmp_capabilities")

    def command(self, name: str, **arguments: Any) -> Any:
        """Run one command; what it returned."""
        try:
            self._lines.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
            self._lines.flush()
            while line := self._lines.readline():
                answer = json.loads(line)
                if "error" in answer:
                    raise GuestFailed(f"QEMU refused {name}: {answer['error'].get('desc')}")
                if "return" in answer:  # the rest are events
                    return answer["return"]
        except (OSError, ValueError) as error:
            raise GuestFailed(f"QEMU's monitor broke off at {name}: {error}") from error
        raise GuestFailed(f"QEMU closed its monitor at {name}")

    def human(self, line: str) -> str:
        """A command of the human monitor, as text."""
        return str(self.command("human-monitor-command", **{"command-line": line})).replace("\r\n", "\n")

    def ram(self) -> list[tuple[int, int, str, int]]:
        """Where RAM is in guest-physical space: (start, end, memory backend, offset in it), bytes."""
        views = re.split(r"(?m)^FlatView #\d+\n", self.human("info mtree -f"))
        memory = next((view for view in views if 'AS "memory"' in view), "")
        rows = [match.groups() for match in LINE.finditer(memory)]
        return [(int(a, 16), int(b, 16) + 1, name.split("/")[-1], int(at or "0", 16)) for a, b, name, at in rows]

    def translate(self, va: int) -> int | None:
        """What the emulated MMU makes of an address now; None where nothing is mapped."""
        found = re.search(r"gpa: (?:0x)?([0-9a-f]+)", self.human(f"gva2gpa {va:#x}"))
        return int(found[1], 16) if found else None

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._stream.close()


class Debugger:
    """Just enough of gdb's remote protocol to read registers by name, and to run to an address."""

    def __init__(self, path: Path) -> None:
        self._stream = connect(path)
        self._stream.settimeout(SECONDS)
        self._stream.sendall(b"+")
        self._ask("qSupported:xmlRegisters=i386,arm")
        self.numbers = self._register_numbers()

    def __enter__(self) -> Debugger:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def read(self, name: str) -> int | None:
        """A register's value; None if this CPU has none of that name."""
        if name not in self.numbers:
            return None
        answer = self._ask(f"p{self.numbers[name]:x}")
        if not answer or not re.fullmatch(r"(?:[0-9a-f]{2})+", answer):
            return None
        return int.from_bytes(bytes.fromhex(answer), "little")

    def run_to(self, address: int, seconds: float) -> None:
        """Let the guest run until it comes to `address`, and leave it stopped there."""
        self.watch(address)
        self.go()
        if not self.has_stopped(seconds):
            raise GuestFailed(f"the guest did not come to {address:#x} in {seconds:.0f} s")
        self.unwatch(address)

    def watch(self, address: int) -> None:
        """Stop the guest when it comes to `address` (no software breakpoint: RAM stays as it is)."""
        if self._ask(f"Z1,{address:x},4") != "OK":
            raise GuestFailed(f"QEMU's debugger port sets no breakpoint at {address:#x}")

    def unwatch(self, address: int) -> None:
        """The end of `watch`."""
        self._ask(f"z1,{address:x},4")

    def go(self) -> None:
        """Let the guest run; the next word of this port is that it stopped."""
        self._say("c")

    def has_stopped(self, seconds: float) -> bool:
        """Whether a guest that `go` let run stopped within that time."""
        self._stream.settimeout(seconds)
        try:
            answer = self._answer()
        except TimeoutError:
            return False
        finally:
            self._stream.settimeout(SECONDS)
        if not answer.startswith(("T", "S")):
            raise GuestFailed(f"the guest ended, or QEMU's debugger port says {answer[:40]!r}")
        return True

    def word(self, address: int, size: int) -> int:
        """`size` bytes of the stopped guest's memory at a virtual address, as a number."""
        answer = self._ask(f"m{address:x},{size:x}")
        if not re.fullmatch(rf"[0-9a-f]{{{2 * size}}}", answer):
            raise GuestFailed(f"QEMU's debugger port reads nothing at {address:#x}")
        return int.from_bytes(bytes.fromhex(answer), "little")

    def let_go(self) -> None:
        """Detach: the guest runs on."""
        self._ask("D")

    def _ask(self, question: str) -> str:
        try:
            self._say(question)
            return self._answer()
        except TimeoutError as late:
            raise GuestFailed(f"QEMU's debugger port did not answer {question!r}") from late

    def _say(self, text: str) -> None:
        body = text.encode()
        self._stream.sendall(b"$%s#%02x" % (body, sum(body) & 255))

    def _answer(self) -> str:
        while self._byte() != b"$":
            pass
        out = bytearray()
        while (byte := self._byte()) != b"#":
            out += bytes([self._byte()[0] ^ 0x20]) if byte == b"}" else byte
        self._byte(), self._byte()  # the checksum: this socket loses nothing
        self._stream.sendall(b"+")
        return out.decode("latin1")

    def _byte(self) -> bytes:
        byte = self._stream.recv(1)
        if not byte:
            raise GuestFailed("QEMU closed its debugger port")
        return byte

    def _read_xml(self, name: str) -> str:
        text = ""
        while True:
            part = self._ask(f"qXfer:features:read:{name}:{len(text):x},ffb")
            if part[:1] not in ("m", "l"):
                return text
            text += part[1:]
            if part[0] == "l":
                return text

    def _register_numbers(self) -> dict[str, int]:
        numbers, number = {}, 0
        for included in re.findall(r'href="([^"]+)"', self._read_xml("target.xml")):
            for row in re.findall(r"<reg ([^>]*)/?>", self._read_xml(included)):
                words = dict(re.findall(r'(\w+)="([^"]*)"', row))
                number = int(words.get("regnum", number))
                numbers[words["name"]] = number
                number += 1
        return numbers
