"""A slow, obvious pool of windows: one row a slot, every rule of mm/highmem.c spelled out for one step at a time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Row:
    frame: int | None = None
    users: int = 0
    in_table: bool = False  # the page-table entry still stands


class NaivePool:
    def __init__(self, slots: int) -> None:
        self.rows = [Row() for _ in range(slots)]
        self.hand = 0
        self.flushes = 0
        self.asleep: list[tuple[str, int]] = []

    def row_of(self, frame: int) -> Row | None:
        return next((row for row in self.rows if row.in_table and row.frame == frame), None)

    def counts(self) -> list[int]:
        return [row.users + 1 if row.in_table else 0 for row in self.rows]

    def kmap(self, task: str, frame: int) -> int | None:
        """The number of the slot, or None if the task sleeps."""
        row = self.row_of(frame) or self.take(frame)
        if row is None:
            self.asleep.append((task, frame))
            return None
        row.users += 1
        return self.number(row)

    def number(self, row: Row) -> int:
        return next(number for number, other in enumerate(self.rows) if other is row)

    def take(self, frame: int) -> Row | None:
        """On round the slots until one is free; twice round is enough to come by every slot after a wrap."""
        if all(row.users for row in self.rows):
            self.hand = len(self.rows) - 1  # a sleeper has looked at all of them, from slot 0 to the last
            return None
        while True:
            self.hand = (self.hand + 1) % len(self.rows)
            if self.hand == 0:
                self.wrap()
            if not self.rows[self.hand].in_table:
                self.rows[self.hand] = Row(frame, 0, True)
                return self.rows[self.hand]

    def wrap(self) -> None:
        idle = [row for row in self.rows if row.in_table and row.users == 0]
        for row in idle:
            row.in_table = False
        self.flushes += bool(idle)

    def kunmap(self, frame: int) -> None:
        row = self.row_of(frame)
        assert row is not None
        row.users -= 1
        if row.users == 0:
            waiting, self.asleep = self.asleep, []
            for task, wanted in waiting:
                self.kmap(task, wanted)
