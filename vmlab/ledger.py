"""What happened, in order, as data; and how it is told.

Every step of a boot appends one `Event`. The numbers are the record; the sentences are made from them
when somebody asks, so a sentence cannot disagree with the number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .units import group_hex, human


@dataclass(frozen=True, slots=True)
class Event:
    """One step: `kind` is the kernel's word for it, `start`..`end` the bytes it touched (half open)."""

    kind: str
    start: int
    end: int
    why: str
    caller: str = ""

    @property
    def size(self) -> int:
        """Bytes touched."""
        return self.end - self.start

    def tell(self) -> str:
        """One line: what, where, how much, why."""
        if self.kind == "note":
            return f"         {self.why}"
        place = f"{group_hex(self.start)}..{group_hex(self.end)}"
        by = f"  [{self.caller}]" if self.caller else ""
        return f"{self.kind:<8} {place:<30} {human(self.size):>10}  {self.why}{by}"


@dataclass(slots=True, repr=False)
class Ledger:
    """The steps of one boot, in order."""

    events: list[Event] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<Ledger: {len(self.events)} steps; print(log.tell()) tells them>"

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self.events)

    def add(self, kind: str, start: int, end: int, why: str, caller: str = "") -> None:
        """Append one step."""
        self.events.append(Event(kind, start, end, why, caller))

    def note(self, why: str) -> None:
        """Append a sentence that moves no memory."""
        self.add("note", 0, 0, why)

    def tell(self, kind: str | None = None) -> str:
        """All steps as text, one a line; with `kind`, only those ("alloc", "reserve", "free" ...)."""
        return "\n".join(event.tell() for event in self.events if kind in (None, event.kind))
