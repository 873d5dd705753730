"""What a guest says on its serial console, read with bounds: every byte of it is untrusted.

Our agent in the guest prints files between `@@BEGIN name` and `@@END name`, and stops at `@@HOLD name key=value ...`
until it hears "go". A guest that lies, goes on for ever, stops in the middle or prints no text costs at most
MOST_BYTES of memory and the time that the caller allows, and ends in a `GuestFailed` that says what came last.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..units import MiB, VmlabError

MOST_BYTES = 64 * MiB  # a whole recording prints 1 to 4 MiB
LONGEST_LINE = 4096  # of a marker; files between markers may have longer ones
MOST_FILES, MOST_BORDERS = 4096, 65536
LAST_SHOWN = 400  # characters of the console in an error
MARKER = re.compile(rb"^@@(HELLO|HOLD|BYE|ERR)\b[^\n]*\n|^[^\n]*Kernel panic[^\n]*\n", re.MULTILINE)
BORDER = re.compile(rb"^@@(BEGIN|END) ([\w./@-]{1,200})\n", re.MULTILINE)


class GuestFailed(VmlabError):
    """The guest did not do what it should; says at which stage, and what it said last."""


@dataclass(frozen=True, slots=True)
class Marker:
    """One line of the agent's: what kind, the stage's name, and its key=value words."""

    kind: str
    name: str = ""
    words: dict[str, str] = field(default_factory=dict)
    line: str = ""


def marker_of(line: bytes) -> Marker:
    """Take a marker line apart.

    >>> marker_of(b"@@HOLD spin i=0 pid=73\\n").words["pid"]
    '73'
    """
    text = line.decode("utf-8", "replace").strip()
    if not text.startswith("@@"):
        return Marker("PANIC", line=text)
    kind, *words = text[2:].split()
    pairs = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    return Marker(kind, words[0] if words else "", pairs, text)


class Console:
    """The stream from a guest: a thread reads it, the caller waits for markers. `send` answers."""

    def __init__(self, stream: socket.socket, most_bytes: int = MOST_BYTES) -> None:
        self._stream = stream
        self._most = most_bytes
        self._said = bytearray()
        self._seen = 0  # up to where markers were looked for: a line's beginning
        self._looked = 0  # up to where there is no line's end after that
        self._ended = ""  # why nothing more will come
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="console", daemon=True)
        self._reader.start()

    @classmethod
    def connect(cls, path: Path, seconds: float = 10, alive: Callable[[], bool] = lambda: True) -> Console:
        """Connect to the console's socket as soon as it is there, while `alive()`."""
        return cls(connect(path, seconds, alive))

    def _read(self) -> None:
        ended = "the console was closed"
        try:
            while block := self._stream.recv(1 << 16):
                with self._more:
                    self._said += block.replace(b"\r", b"")
                    if len(self._said) > self._most:
                        ended = f"the guest printed more than {self._most >> 20} MiB"
                        break
                    self._more.notify_all()
        except OSError:
            pass
        with self._more:
            self._ended = ended
            self._more.notify_all()

    def wait(self, seconds: float, stage: str) -> Marker:
        """The next marker; GuestFailed if there is none in time, or none can come any more."""
        end = time.monotonic() + seconds
        with self._more:
            while True:
                if found := self._next():
                    self._seen = self._looked = found.end()
                    return marker_of(bytes(found.group()[:LONGEST_LINE]))
                left = end - time.monotonic()
                if self._ended or left <= 0:
                    why = self._ended or f"nothing came for {seconds:.0f} s"
                    raise GuestFailed(f"the guest failed after {stage}: {why}. Last on its console:\n{self.last()}")
                self._more.wait(min(left, 1.0))

    def has_news(self) -> bool:
        """Whether `wait` would return, or fail, at once."""
        with self._more:
            return bool(self._ended) or self._next() is not None

    def _next(self) -> re.Match[bytes] | None:
        """The next marker, if it has come. What was looked at in vain is not looked at again."""
        if self._said.find(b"\n", self._looked) < 0:
            self._looked = len(self._said)
            return None
        found = MARKER.search(self._said, self._seen)
        if found is None:
            self._seen = self._said.rfind(b"\n") + 1
            self._looked = len(self._said)
        return found

    def files(self) -> dict[str, str]:
        """Every file that is complete so far, by name; the last of that name wins."""
        with self._more:
            said = bytes(self._said)
        found: dict[str, str] = {}
        for name, start, end in _spans(said):
            if len(found) >= MOST_FILES:
                raise GuestFailed(f"the guest sent more than {MOST_FILES} files: it is not our agent that runs there")
            found[name.decode()] = said[start:end].decode("utf-8", "replace")
        return found

    def text(self) -> str:
        """Everything that was said."""
        with self._more:
            return bytes(self._said).decode("utf-8", "replace")

    def last(self) -> str:
        """The end of what was said, fit to be shown in an error."""
        with self._more:
            tail = bytes(self._said[-LAST_SHOWN:]).decode("utf-8", "replace")
        return (
            "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in tail).strip() or "(nothing)"
        )

    def send(self, text: str) -> None:
        """Say something to the guest."""
        try:
            self._stream.sendall(text.encode())
        except OSError as error:
            raise GuestFailed(f"the console cannot be written to: {error}. Last on it:\n{self.last()}") from error

    def close(self) -> None:
        """Stop reading."""
        with contextlib.suppress(OSError):  # the other end closed it first
            self._stream.shutdown(socket.SHUT_RDWR)
        self._stream.close()
        self._reader.join(5)


def _spans(said: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end) of every file: from its BEGIN to the next END of that name; what is in between is text.

    One pass, and one look for each BEGIN: a guest that begins and never ends costs no more than its bytes.
    """
    begins, ends = [], defaultdict(list)
    for number, match in enumerate(BORDER.finditer(said)):
        if number >= MOST_BORDERS:
            raise GuestFailed(f"the guest began or ended more than {MOST_BORDERS} files: it is not our agent")
        if match[1] == b"BEGIN":
            begins.append((match.end(), match[2]))
        else:
            ends[match[2]].append((match.start(), match.end()))
    behind = 0
    for start, name in begins:
        place = bisect_left(ends[name], (start, 0))
        if start > behind and place < len(ends[name]):
            end, behind = ends[name][place]
            yield name, start, max(start, end - 1)


def connect(path: Path, seconds: float = 10, alive: Callable[[], bool] = lambda: True) -> socket.socket:
    """A connection to the Unix socket that QEMU makes at `path`."""
    end = time.monotonic() + seconds
    while True:
        stream = socket.socket(socket.AF_UNIX)
        try:
            stream.connect(str(path))
            return stream
        except OSError as error:
            stream.close()
            if not alive() or time.monotonic() > end:
                raise GuestFailed(f"QEMU opened no {path.name} socket: {error}") from error
            time.sleep(0.02)
