"""One submission's process, seen from outside: a socket on which untrusted lines come.

A line has a longest length, waiting has an end, text is parsed as JSON and nothing else. A child that does not
answer in time is ended, and says so from then on.
"""

from __future__ import annotations

import json
import secrets
import socket
import time
from dataclasses import dataclass
from typing import Any, NoReturn

from ..units import MiB

MOST_LINE = 4 * MiB
MOST_LINES = 1000  # that are no answer to what was asked
GRACE = 2.0  # seconds: inside, a polite limit comes first; out here is the one that counts
SLACK = 4  # by the clock: so many times the processor time that is allowed, for a machine that has other work


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds of processor time for a cell, one call, and all calls of a function; by the clock SLACK times as many."""

    cell: float = 5.0
    call: float = 2.0
    task: float = 12.0

    @property
    def child(self) -> float:
        """One child's whole life."""
        return 8 * self.cell + 2 * self.task

    @property
    def cells(self) -> float:
        """All cells of a submission, in all its children."""
        return 12 * self.cell


LIMITS = Limits()


class Ended(Exception):
    """The child is gone, or was ended; says why."""


class Child:
    """One submission's process. Every method raises `Ended` once it is gone."""

    def __init__(self, talk: socket.socket, life: socket.socket, limits: Limits) -> None:
        self._talk, self._life, self._limits = talk, life, limits
        self._said = bytearray()
        self._end = time.monotonic() + SLACK * limits.child
        self.why = ""

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.end("it was done")

    def end(self, why: str) -> None:
        """End it with everything it started."""
        self.why = self.why or why
        self._life.close()  # its keeper notices, and the kernel ends the namespace
        self._talk.close()

    def say(self, message: dict[str, Any]) -> None:
        """Send one message."""
        if self.why:
            raise Ended(self.why)
        try:
            self._talk.settimeout(SLACK * self._limits.call + GRACE)
            self._talk.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self._gone("it ended by itself")

    def hear(self, seconds: float) -> dict[str, Any]:
        """One answer, as data; a child that sends anything else is ended."""
        if self.why:
            raise Ended(self.why)
        until = min(time.monotonic() + seconds, self._end)
        while b"\n" not in self._said:
            left = until - time.monotonic()
            if left <= 0:
                self._gone(f"it did not answer within {seconds:.0f} s")
            self._talk.settimeout(left)
            try:
                part = self._talk.recv(1 << 16)
            except TimeoutError:
                continue
            except OSError:
                part = b""
            if not part:
                self._gone("it ended by itself")
            self._said += part
            if len(self._said) > MOST_LINE:
                self._gone(f"it sent more than {MOST_LINE >> 20} MiB at once")
        line, _, rest = self._said.partition(b"\n")
        self._said = bytearray(rest)
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            self._gone("it sent what is no answer")
        if type(message) is not dict:
            self._gone("it sent what is no answer")
        return message

    def _gone(self, why: str) -> NoReturn:
        self.end(why)
        raise Ended(why)

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """One question and its answer; lines that do not carry the question's number are passed over."""
        number = secrets.randbits(62)
        self.say({**message, "number": number})
        for _ in range(MOST_LINES):
            said = self.hear(SLACK * self._limits.call + GRACE)
            if said.get("number") == number:
                return said
        return self._gone("it sent what is no answer")

    def hear_cell(self) -> dict[str, Any]:
        """What came of the next cell."""
        return self.hear(SLACK * self._limits.cell + GRACE)
