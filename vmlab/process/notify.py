"""Watching one page of one process: every change of its entry, and what each way to hear of it says.

    watch = Watch(p, 0x40_0000)           # or k.watch(p, va)
    ...
    print(watch.tell()); watch.poll(); watch.stop()

Ways that tell by themselves are asked at each change (`process/ways.py`); reading pagemap is what `poll` does: it
compares with the last time. The model has no time in between, so nothing is told before it happens.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..units import VmlabError, group_hex
from .events import Change, Place, place_words
from .process import Process
from .swap_entry import SwapEntry
from .ways import WAYS, kind_of


@dataclass(frozen=True, slots=True)
class Move:
    """One change and who said what of it; ways that stay silent are not in `heard`."""

    change: Change
    heard: dict[str, str]

    @property
    def kind(self) -> str:
        """Its row in `ways.KINDS`."""
        return kind_of(self.change)

    @property
    def is_stale(self) -> bool:
        """Whether a frame number that was remembered before is wrong now."""
        return isinstance(self.change.old, int) and self.change.moved

    def tell(self) -> str:
        """The change, then one line for each way that told."""
        lines = [self.change.tell()]
        lines += [f"    {name}: {said}" for name, said in self.heard.items()]
        silent = [row.name for row in WAYS if row.name not in self.heard]
        return "\n".join([*lines, f"    silent: {', '.join(silent)}"] if silent else lines)


@dataclass(slots=True)
class Watch:
    """Listens from when it is made until `stop`. `moves` are all changes, oldest first."""

    process: Process
    va: int
    moves: list[Move] = field(default_factory=list)
    remembered: Place = None

    def __post_init__(self) -> None:
        self.va = self.process._alive().page_of(self.va)
        self.remembered = self.place
        self.process.memory.on_change.append(self._changed)

    def _changed(self, change: Change) -> None:
        if change.mm is self.process.space and change.va == self.va:
            told = {row.name: said for row in WAYS if (said := row.heard(change))}
            self.moves.append(Move(change, told))

    @property
    def place(self) -> Place:
        """Where the page is now: a frame number, a slot, or nothing."""
        if not self.process.space.alive:
            return None
        pte = self.process.space.table.pte(self.va)
        return self.process.space.place(pte)

    def poll(self) -> str:
        """Read pagemap again: what differs from last time, "" if nothing; a way there and back is missed."""
        before, self.remembered = self.remembered, self.place
        if _same(before, self.remembered):
            return ""
        return f"{place_words(before)} → {place_words(self.remembered)}"

    def stop(self) -> None:
        """Listen no longer."""
        if self._changed not in self.process.memory.on_change:
            raise VmlabError(f"the watch of {group_hex(self.va)} was stopped already")
        self.process.memory.on_change.remove(self._changed)

    def tell(self) -> str:
        """Every change so far, and who told of it."""
        return "\n".join(move.tell() for move in self.moves) or "nothing has changed since the watch began"


def _same(one: Place, other: Place) -> bool:
    """Equal frames, or equal slots whatever their marks."""
    if isinstance(one, SwapEntry) and isinstance(other, SwapEntry):
        return one.slot == other.slot
    return one == other
