"""Read a record file and refuse, by name, a field that is not what the schema says.

A record may come from anywhere: it is unpacked with a size limit, and only what is checked here is used.
"""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

from ..units import MiB, VmlabError

MAX_BYTES = 64 * MiB  # the largest recorded machine is 2 MiB unpacked
SCHEMA = 1


def read_record(path: Path) -> dict[str, Any]:
    """The record as a dict, checked as far as the model will use it."""
    raw = _unpack(path)
    try:
        data = json.loads(raw)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as bad:
        raise VmlabError(
            f"{path.name}: not a record: expected gzip-packed JSON, got text that breaks off or is no JSON ({bad})"
        ) from None
    if not isinstance(data, dict):
        raise VmlabError(f"{path.name}: not a record: expected a JSON object, got {type(data).__name__}")
    if data.get("schema") != SCHEMA:
        raise VmlabError(f"{path.name}: schema: expected {SCHEMA}, got {data.get('schema')!r}")
    return data


def _unpack(path: Path) -> bytes:
    try:
        with gzip.open(path) as file:
            raw = file.read(MAX_BYTES + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as bad:
        raise VmlabError(f"{path.name}: the file is cut short or damaged ({bad}): copy or record it again") from None
    except OSError as bad:
        raise VmlabError(f"{path}: cannot be read: {bad.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise VmlabError(f"{path.name}: larger than {MAX_BYTES} bytes unpacked: not a record of one machine")
    return raw


class Fields:
    """A checked view of one JSON object: every getter names the field it could not use."""

    def __init__(self, data: Any, path: str) -> None:
        if not isinstance(data, dict):
            raise VmlabError(f"record field {path}: expected an object, got {_kind(data)}")
        self.data = data
        self.path = path

    def _get(self, name: str, kind: type, default: Any) -> Any:
        value = self.data.get(name, default)
        good = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
        if value is None or not good:
            came = "nothing" if name not in self.data else _kind(self.data[name])
            raise VmlabError(f"record field {self.path}.{name}: expected {_NAMES[kind]}, got {came}")
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """A non-negative integer below 2**64."""
        value = self._get(name, int, default)
        if not 0 <= value < 1 << 64:
            raise VmlabError(f"record field {self.path}.{name}: expected 0 <= value < 2**64, got {value}")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        """A text."""
        return self._get(name, str, default)

    def items(self, name: str, default: list[Any] | None = None) -> list[Any]:
        """A list."""
        return self._get(name, list, default)

    def ints(self, name: str) -> list[int]:
        """A list of non-negative integers; absent or null is empty."""
        items = self.data.get(name) or []
        rows = Fields(
            {str(i): item for i, item in enumerate(items if isinstance(items, list) else [items])},
            f"{self.path}.{name}",
        )
        return [rows.integer(key) for key in rows.data]

    def number(self, name: str, default: int) -> int:
        """An integer written as text, decimal or with 0x; `default` where there is none."""
        text = self.text(name, str(default))
        try:
            return int(text, 0)
        except ValueError:
            raise VmlabError(f"record field {self.path}.{name}: expected a number, got {text[:40]!r}") from None

    def hex_bytes(self, name: str) -> bytes:
        """Bytes written as hexadecimal digits."""
        text = self.text(name)
        try:
            return bytes.fromhex(text)
        except ValueError:
            raise VmlabError(
                f"record field {self.path}.{name}: expected hexadecimal digits, got {text[:40]!r}"
            ) from None

    def fields(self, name: str) -> Fields:
        """The object under `name`."""
        return Fields(self.data.get(name), f"{self.path}.{name}")

    def each(self, name: str) -> list[Fields]:
        """The objects of the list under `name`; an absent list is empty."""
        return [Fields(item, f"{self.path}.{name}[{i}]") for i, item in enumerate(self.items(name, []))]

    def span(self) -> tuple[int, int]:
        """`start` and `end` of a half-open range."""
        start, end = self.integer("start"), self.integer("end")
        if end < start:
            raise VmlabError(f"record field {self.path}: expected start <= end, got {start:#x} and {end:#x}")
        return start, end


_NAMES = {int: "an integer", str: "a text", list: "a list", dict: "an object"}


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
